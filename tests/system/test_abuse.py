"""Clients that mean harm or don't care, all at once against the whole server: others are unaffected, nothing spins."""
import os
import socket

from lib.patrond import Load
from lib.processes import cpu_seconds
from lib.refused import REFUSED
from lib.wait import FACTOR, wait_until

SPARE = 500  # descriptors left to the test and to each worker


def test_refusals_beside_good_requests(patrond_factory, database):
    """Every malformed head, again and again, while others ask: those see nothing of it and no worker is lost."""
    patrond = patrond_factory(DATABASE_URL=database, WORKERS=2).start()
    workers = patrond.workers()
    with Load(patrond.port, ["/health/live"], {}, clients=4) as load:
        for _ in range(5):
            for name, (status, request) in REFUSED.items():
                answer = patrond.raw(request)
                assert answer.startswith(b"HTTP/1.1 %d " % status), (name, answer[:80])
        load.wait_requests(200)
    assert load.failures == [] and patrond.workers() == workers


def test_idle_connections_cost_nothing(patrond_factory, database, descriptors):
    """10,000 where the machine allows: all accepted and kept, no CPU spent on them, new ones served meanwhile."""
    count = min(10_000, descriptors - SPARE)
    patrond = patrond_factory(DATABASE_URL=database, WORKERS=2, MAX_CONNECTIONS=12_000, IDLE_TIMEOUT=300,
                              RATE_LIMIT_ANONYMOUS="100000/h;burst=50000").start()
    idle = [socket.create_connection(("127.0.0.1", patrond.port)) for _ in range(count)]
    try:
        wait_until(lambda: patrond.get("/admin/workers").json()["totals"]["connections"] >= count, 30,
                   f"{count} connections accepted")
        before, began = cpu_seconds(patrond.workers()), os.times().elapsed
        wait_until(lambda: os.times().elapsed >= began + 2, 10, "two seconds of idling")
        spent = cpu_seconds(patrond.workers()) - before
        assert spent < 0.2 * FACTOR, f"{spent} s of CPU in 2 s of idling"
        assert patrond.get("/health/live", key=None).status == 200
        sample = idle[:: max(count // 20, 1)]
        for s in sample:
            s.sendall(b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n")
            s.settimeout(10 * FACTOR)
            assert s.recv(4096).startswith(b"HTTP/1.1 200 ")
    finally:
        for s in idle:
            s.close()


def test_a_byte_a_second_is_ended(patrond_factory, database):
    patrond = patrond_factory(DATABASE_URL=database, HEADER_TIMEOUT=2).start()
    with patrond.connect(30) as s:
        answer = b""
        s.settimeout(0.5)
        for byte in b"GET /health/live HTTP/1.1\r\nHost: " + b"a" * 60:
            try:
                s.sendall(bytes([byte]))
                answer = s.recv(4096)
            except TimeoutError:
                continue
            except ConnectionError:
                break
            break
    assert answer.startswith(b"HTTP/1.1 408 ")
