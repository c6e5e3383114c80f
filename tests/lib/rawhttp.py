"""A client that sends exactly the bytes it is told to and reads answers strictly."""
import socket
import struct

from lib.wait import FACTOR


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def closes(self):
        return self.headers.get("connection") == "close"


class RawClient:
    def __init__(self, port, timeout=10.0, receive_buffer=None):
        self.sock = socket.socket()
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(timeout * FACTOR)
        self.sock.connect(("127.0.0.1", port))
        self.unread = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def reset(self):
        """Goes away with RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def send(self, data):
        self.sock.sendall(data)

    def get(self, path, extra=b"", method=b"GET"):
        self.send(method + b" " + path.encode() + b" HTTP/1.1\r\nHost: a\r\n" + extra + b"\r\n")
        return self.read(head_only=method == b"HEAD")

    def post(self, path, body, extra=b""):
        self.send(b"POST " + path.encode() + b" HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n" % len(body)
                  + extra + b"\r\n" + body)
        return self.read()

    def _more(self):
        data = self.sock.recv(65536)
        if not data:
            raise EOFError(f"connection closed after {self.unread[:200]!r}")
        self.unread += data

    def read_head(self):
        while b"\r\n\r\n" not in self.unread:
            self._more()
        head, self.unread = self.unread.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        version, status, _ = (lines[0] + " ").split(" ", 2)
        assert version == "HTTP/1.1", lines[0]
        headers = {}
        for line in lines[1:]:
            name, value = line.split(": ", 1)
            assert name.lower() not in headers, f"{name} twice"
            headers[name.lower()] = value
        return int(status), headers

    def read(self, head_only=False, interim=False):
        """The next final answer; interim ones before it are an error unless allowed."""
        status, headers = self.read_head()
        while interim and status == 100:
            status, headers = self.read_head()
        bodiless = head_only or status in (204, 304) or status < 200
        length = 0 if bodiless else int(headers["content-length"])
        while len(self.unread) < length:
            self._more()
        body, self.unread = self.unread[:length], self.unread[length:]
        return Answer(status, headers, body)

    def at_end(self):
        """True when the server has closed and nothing but what was read came."""
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:
            return True
        assert not data and not self.unread, f"more came: {(self.unread + data)[:200]!r}"
        return True
