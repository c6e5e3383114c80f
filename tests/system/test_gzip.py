"""Compressed answers: who gets them, that they say the same, and that tags, HEAD and keep-alive go with them."""
import gzip
import json
import zlib

import pytest

from lib.patrond import serving
from lib.rawhttp import RawClient

ACCEPT = {"Accept-Encoding": "gzip"}
VARY = "Accept-Encoding, Origin, X-API-Key, Authorization"


@pytest.fixture(scope="module")
def server(postgres_server, sample_sales, tmp_path_factory):
    postgres_server.ensure()
    with serving(tmp_path_factory.mktemp("gzip") / "i", {
        "DATABASE_URL": postgres_server.create_database(), "SYNC_SOURCE": f"csv:{sample_sales(300)}",
        "AS_OF_DATE": "2024-12-31"}) as instance:
        yield instance


@pytest.fixture(scope="module")
def profile(server):
    (customer,) = server.post("/api/mcp/search", {"limit": 1}).json()["customers"]
    return f"/api/mcp/customer/{customer['customer_id']}"


def is_compressed(answer):
    assert answer.headers["vary"] == VARY
    assert int(answer.headers["content-length"]) == len(answer.body)
    return answer.headers.get("content-encoding") == "gzip"


def test_both_say_the_same(server, profile):
    plain, packed = server.get(profile), server.get(profile, headers=ACCEPT)
    assert not is_compressed(plain) and "content-encoding" not in plain.headers
    assert is_compressed(packed) and len(packed.body) < len(plain.body) / 2 and len(plain.body) >= 1024
    assert gzip.decompress(packed.body) == plain.body
    assert packed.headers["content-type"] == "application/json; charset=utf-8"
    assert packed.headers["etag"] == plain.headers["etag"] and plain.headers["etag"].startswith('W/"'), "a weak tag"


@pytest.mark.parametrize("accepted, header", [
    (True, "gzip, deflate, br"), (True, "*"), (True, "x-gzip"), (True, "identity;q=0.5, gzip;q=0.8"), (True, "gzip;q=0.001"),
    (False, "identity"), (False, "br"), (False, "gzip;q=0"), (False, "*;q=0"), (False, "gzip;q=0, *;q=1"),
    (False, "gzip;q=0.2, identity;q=0.8"), (False, "gzip;q=x")])
def test_qualities(server, profile, accepted, header):
    assert is_compressed(server.get(profile, headers={"Accept-Encoding": header})) == accepted


def test_small_bodies_stay(server):
    for path in ("/health/live", "/nowhere", "/"):
        answer = server.get(path, headers=ACCEPT)
        assert len(answer.body) < 1024 and not is_compressed(answer)
        json.loads(answer.body)


def test_large_errors_and_metrics(server):
    answer = server.post("/api/mcp/search", {f"field_{i}": 1 for i in range(40)}, headers=ACCEPT)
    assert answer.status == 422 and is_compressed(answer)
    assert json.loads(gzip.decompress(answer.body))["error"]["code"] == "VALIDATION_ERROR"
    answer = server.get("/metrics", headers=ACCEPT)
    assert is_compressed(answer) and b"http_requests_total" in gzip.decompress(answer.body)
    answer = server.post("/api/mcp/search", {"limit": 1000}, headers=ACCEPT)
    assert is_compressed(answer) and len(json.loads(gzip.decompress(answer.body))["customers"]) == 300


def test_head_and_unchanged(server, profile):
    packed = server.get(profile, headers=ACCEPT)
    head = server.request("HEAD", profile, headers=ACCEPT)
    assert head.status == 200 and head.body == b"" and head.headers["content-encoding"] == "gzip"
    assert head.headers["content-length"] == packed.headers["content-length"]
    same = server.get(profile, headers={**ACCEPT, "If-None-Match": packed.headers["etag"]})
    assert same.status == 304 and same.body == b"" and "content-encoding" not in same.headers
    assert same.headers["vary"] == VARY


def test_one_connection_takes_both(server, profile):
    key = f"X-API-Key: {server.admin_key}\r\n".encode()
    with RawClient(server.port) as c:
        for _ in range(3):
            packed = c.get(profile, key + b"Accept-Encoding: gzip\r\n")
            plain = c.get(profile, key)
            assert zlib.decompress(packed.body, 31) == plain.body
        c.send(b"".join(b"GET " + profile.encode() + b" HTTP/1.1\r\nHost: a\r\n" + key + more + b"\r\n"
                        for more in (b"Accept-Encoding: gzip\r\n", b"") * 4))
        bodies = [c.read().body for _ in range(8)]
        assert all(zlib.decompress(b, 31) == plain.body for b in bodies[::2]) and set(bodies[1::2]) == {plain.body}


def test_switched_off(patrond_factory, database):
    instance = patrond_factory(DATABASE_URL=database, HTTP_GZIP="false").start()
    assert not is_compressed(instance.get("/metrics", key=None, headers=ACCEPT))
