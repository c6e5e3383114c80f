"""Heads that are refused, each with its status: smuggling, ambiguity, excess."""


def many_fields(n):
    return b"GET /hello HTTP/1.1\r\nHost: a\r\n" + b"".join(b"a%d: b\r\n" % i for i in range(n)) + b"\r\n"


REFUSED = {
    "two lengths": (400, b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
    "list of lengths": (400, b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello"),
    "signed length": (400, b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello"),
    "length and chunked": (400, b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n"
                           b"\r\n0\r\n\r\n"),
    "chunked and length": (400, b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n"
                           b"\r\n0\r\n\r\n"),
    "unknown coding": (501, b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    "two codings": (501, b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    "chunked in 1.0": (400, b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "no host": (400, b"GET /hello HTTP/1.1\r\n\r\n"),
    "two hosts": (400, b"GET /hello HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
    "blank before colon": (400, b"GET /hello HTTP/1.1\r\nHost : a\r\n\r\n"),
    "folded line": (400, b"GET /hello HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n"),
    "bare LF": (400, b"GET /hello HTTP/1.1\nHost: a\n\n"),
    "bare CR": (400, b"GET /hello HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n"),
    "NUL": (400, b"GET /hello HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n"),
    "blank in target": (400, b"GET /hel lo HTTP/1.1\r\nHost: a\r\n\r\n"),
    "8-bit target": (400, b"GET /h\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n"),
    "no version": (400, b"GET /hello\r\n\r\n"),
    "TLS": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "unknown method": (501, b"BREW /hello HTTP/1.1\r\nHost: a\r\n\r\n"),
    "HTTP/2": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "HTTP/1.2": (505, b"GET /hello HTTP/1.2\r\nHost: a\r\n\r\n"),
    "expectation": (417, b"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 200\r\nContent-Length: 5\r\n\r\nhello"),
    "101 fields": (431, many_fields(100)),
    "2,000 fields": (431, many_fields(2000)),
    "large head": (431, b"GET /hello HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 17_000 + b"\r\n\r\n"),
    "long target": (414, b"GET /" + b"a" * 8192 + b" HTTP/1.1\r\nHost: a\r\n\r\n"),
    "endless target": (414, b"GET /" + b"a" * 100_000),
}
