"""The HTTP engine over real sockets, with the echo server of tests/unit as its application."""
import json
import os
import pathlib
import resource
import select
import signal
import socket
import subprocess
import threading
import time

import pytest

from lib.refused import REFUSED, many_fields
from lib.rawhttp import RawClient
from lib.wait import FACTOR, wait_until

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PATROND_BUILD", TOP))
PROGRAM = BUILD / "tests/unit/http_echo_server"
HELLO = b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"


class Engine:
    def __init__(self, *options, fd_limit=None):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (fd_limit, fd_limit))

        self.process = subprocess.Popen([PROGRAM, *map(str, options)], stdout=subprocess.PIPE, text=True,
                                        preexec_fn=limit if fd_limit else None)
        self.port = int(self.process.stdout.readline().split()[1])

    def client(self, **options):
        return RawClient(self.port, **options)

    def stats(self):
        with self.client() as c:
            return json.loads(c.get("/stats").body)

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def descriptors(self):
        return [int(fd) for fd in os.listdir(f"/proc/{self.process.pid}/fd")]

    def private_bytes(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return 1024 * sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_"))

    def drain(self):
        self.process.send_signal(signal.SIGTERM)

    def ended(self, timeout=10):
        out, _ = self.process.communicate(timeout=timeout * FACTOR)
        assert self.process.returncode == 0
        return out

    def stop(self):
        """A clean end, which also lets a sanitizer speak."""
        if self.process.poll() is None:
            self.drain()
            try:
                self.process.wait(timeout=15 * FACTOR)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise
        assert self.process.returncode == 0


@pytest.fixture(scope="session", autouse=True)
def program():
    if not PROGRAM.exists():
        subprocess.run(["make", "-C", BUILD, "-s", "tests/unit/http_echo_server"], check=True, timeout=600)


@pytest.fixture
def start():
    engines = []

    def starter(*options, **more):
        engines.append(Engine(*options, **more))
        return engines[-1]

    yield starter
    for engine in engines:
        engine.stop()


@pytest.fixture
def engine(start):
    return start()


# Keep-alive, pipelining, versions


def test_keep_alive(engine):
    with engine.client() as c:
        for _ in range(3):
            answer = c.get("/hello")
            assert (answer.status, answer.body, answer.closes) == (200, b"hello", False)
            assert answer.headers["date"].endswith(" GMT")
    assert engine.stats()["accepted"] == 2


def test_close_when_the_client_asks(engine):
    with engine.client() as c:
        assert c.get("/hello", b"Connection: close\r\n").closes
        assert c.at_end()


def test_close_when_the_application_asks(engine):
    with engine.client() as c:
        answer = c.get("/close")
        assert answer.body == b"bye" and answer.closes
        assert c.at_end()


def test_http_1_0(engine):
    with engine.client() as c:
        c.send(b"GET /hello HTTP/1.0\r\n\r\n")
        answer = c.read()
        assert answer.body == b"hello" and answer.closes
        assert c.at_end()
    with engine.client() as c:
        for _ in range(2):
            c.send(b"GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert c.read().headers["connection"] == "keep-alive"


def test_head_and_bodiless_answers(engine):
    with engine.client() as c:
        answer = c.get("/size/1234", method=b"HEAD")
        assert answer.status == 200 and answer.headers["content-length"] == "1234"
        assert c.get("/hello").body == b"hello"


def test_pipelining_1000(engine):
    with engine.client() as c:
        sizes = [(i * 37) % 500 for i in range(1000)]
        c.send(b"".join(b"GET /size/%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in sizes))
        assert [len(c.read().body) for _ in sizes] == sizes
    wait_until(lambda: engine.stats()["in_flight"] == 1)


def test_pipelining_waits_for_slow_answers(engine):
    with engine.client() as c:
        requests = [b"/slow/30", b"/hello", b"/slow/1", b"/size/3", b"/denied", b"/slow/10", b"/hello"]
        c.send(b"".join(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path for path in requests))
        assert [c.read().body for _ in requests] == [b"slow", b"hello", b"slow", b"abc", b"denied\n", b"slow", b"hello"]


def test_request_in_single_bytes(engine):
    with engine.client() as c:
        c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"\r\nPOST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + HELLO:
            c.send(bytes([byte]))
        assert [c.read().body, c.read().body] == [b"hello", b"hello"]


def test_pipeliner_does_not_starve_others(engine):
    """A client that has thousands of requests waiting does not hold up another one's for long."""
    stop = threading.Event()

    def flood():
        with engine.client() as c:
            c.sock.setblocking(False)
            while not stop.is_set():
                readable, writable, _ = select.select([c.sock], [c.sock], [], 1)
                if readable:
                    c.sock.recv(1 << 20)
                if writable:
                    c.sock.send(HELLO * 500)

    flooder = threading.Thread(target=flood)
    flooder.start()
    try:
        with engine.client() as c:
            times = []
            for _ in range(50):
                start = time.monotonic()
                assert c.get("/hello").body == b"hello"
                times.append(time.monotonic() - start)
        assert sorted(times)[25] < 0.2 * FACTOR
    finally:
        stop.set()
        flooder.join()


# Bodies


def test_large_bodies_pipelined(engine):
    bodies = [os.urandom(900_000) for _ in range(5)]
    data = b"".join(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(b) + b for b in bodies)
    with engine.client() as c:
        sender = threading.Thread(target=c.send, args=(data,))
        sender.start()
        for body in bodies:
            assert c.read().body == body
        sender.join()


@pytest.mark.parametrize("size", [0, 1, 10, 16384, 16385, 24576, 24577, 100_000, 1_048_576])
@pytest.mark.parametrize("chunk", [0, 3, 4096, 70_000])
def test_body_sizes(engine, size, chunk):
    """Whole and chunked, with the next request right behind."""
    body = os.urandom(size)
    if chunk:
        pieces = [body[i:i + chunk] for i in range(0, size, chunk)]
        coded = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\nX-Trailer: t\r\n\r\n"
        data = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + coded
    else:
        data = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + body
    with engine.client() as c:
        sender = threading.Thread(target=c.send, args=(data + HELLO,))
        sender.start()
        assert c.read().body == body
        assert c.read().body == b"hello"
        sender.join()


def test_too_large_is_refused_before_reading(engine):
    with engine.client() as c:
        c.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n")
        answer = c.read()
        assert answer.status == 413 and answer.closes
        assert c.sock.recv(1) == b""


def test_chunks_growing_too_large(engine):
    with engine.client() as c:
        c.send(b"POST /tiny HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n")
        c.send(b"5\r\nghijk\r\n")
        answer = c.read()
        assert answer.status == 413 and answer.closes
    with engine.client() as c:
        c.send(b"POST /tiny HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n")
        assert c.read().body == b"0123456789"


def test_bad_chunk(engine):
    with engine.client() as c:
        c.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX")
        answer = c.read()
        assert answer.status == 400 and answer.closes
        assert c.sock.recv(1) == b""


def test_expect_continue(engine):
    with engine.client() as c:
        head = b"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
        c.send(head + b"Content-Length: 5\r\n\r\n")
        assert c.read().status == 100
        c.send(b"hello")
        assert c.read().body == b"hello"
        c.send(head + b"Transfer-Encoding: chunked\r\n\r\n")
        assert c.read().status == 100
        c.send(b"5\r\nhello\r\n0\r\n\r\n")
        assert c.read().body == b"hello"
        c.send(head + b"Content-Length: 5\r\n\r\nhello")
        assert c.read(interim=True).body == b"hello"


@pytest.mark.parametrize("path, length, status", [("/denied", 5, 401), ("/echo", 1048577, 413), ("/nowhere", 5, 404)])
def test_expectation_not_met(engine, path, length, status):
    with engine.client() as c:
        c.send(b"POST %s HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
               % (path.encode(), length))
        answer = c.read()
        assert answer.status == status and answer.closes


def test_early_answer_skips_a_small_body(engine):
    body = b"x" * 50_000
    with engine.client() as c:
        for _ in range(3):
            answer = c.post("/denied", body)
            assert answer.status == 401 and not answer.closes
        c.send(b"POST /denied HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + HELLO)
        assert [c.read().status, c.read().body] == [401, b"hello"]


def test_early_answer_reaches_a_client_that_goes_on_sending(engine):
    """The connection ends, but only after the client could read why."""
    with engine.client() as c:
        c.send(b"POST /denied HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n")
        c.send(b"x" * 3_000_000)
        answer = c.read()
        assert answer.status == 401 and answer.closes
        assert c.sock.recv(1) == b""


# Peers that go away


def test_half_closed_client_gets_its_answer(engine):
    with engine.client() as c:
        c.send(HELLO * 3)
        c.half_close()
        assert [c.read().body for _ in range(3)] == [b"hello"] * 3
        assert c.at_end()
    with engine.client() as c:
        c.send(b"GET /slow/50 HTTP/1.1\r\nHost: a\r\n\r\n" + HELLO)
        c.half_close()
        assert [c.read().body, c.read().body] == [b"slow", b"hello"]
        assert c.at_end()


def test_half_closed_client_is_probed_but_kept(engine):
    with engine.client() as c:
        c.send(b"GET /slow/1000 HTTP/1.1\r\nHost: a\r\n\r\n")
        c.half_close()
        assert c.read(interim=True).body == b"slow"
        assert c.at_end()
    with engine.client() as c:
        c.send(b"GET /slow/1000 HTTP/1.0\r\n\r\n")
        c.half_close()
        assert c.read().body == b"slow"


@pytest.mark.parametrize("leave", [RawClient.close, RawClient.reset])
def test_disconnect_ends_the_request(engine, leave):
    c = engine.client()
    c.send(b"GET /never HTTP/1.1\r\nHost: a\r\n\r\n")
    wait_until(lambda: engine.stats()["in_flight"] == 2)
    leave(c)
    wait_until(lambda: engine.stats()["disconnect"] == 1, timeout=2)
    assert engine.stats()["in_flight"] == 1
    assert engine.stats()["last_status"] in (0, 200)


@pytest.mark.parametrize("leave", [RawClient.close, RawClient.reset])
def test_answer_after_disconnect(engine, leave):
    for _ in range(20):
        c = engine.client()
        c.send(b"GET /slow/20 HTTP/1.1\r\nHost: a\r\n\r\n" + HELLO * 10)
        leave(c)
    wait_until(lambda: engine.stats()["connections"] == 1)
    assert engine.stats()["in_flight"] == 1


def test_disconnect_in_the_middle_of_a_body(engine):
    c = engine.client()
    c.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n" + b"x" * 100_000)
    wait_until(lambda: engine.stats()["in_flight"] == 2)
    c.close()
    wait_until(lambda: engine.stats()["disconnect"] == 1, timeout=2)


# Deadlines


def test_slow_loris(start):
    """A byte now and then does not keep a head alive."""
    engine = start("-H", 1)
    with engine.client() as c:
        begin = time.monotonic()
        c.send(b"GET / HTTP/1.1\r\n")
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            while time.monotonic() < begin + 10 * FACTOR:
                c.send(b"a")
                readable, _, _ = select.select([c.sock], [], [], 0.1)
                if readable:
                    break
            answer = c.read()
            assert answer.status == 408 and answer.closes
            assert 0.9 < time.monotonic() - begin < 1 + 2 * FACTOR
            while True:
                c.send(b"a")
                time.sleep(0.01)
    assert engine.stats()["timeout"] == 1


def test_slow_body(start):
    engine = start("-B", 1)
    with engine.client() as c:
        begin = time.monotonic()
        c.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nh")
        answer = c.read()
        assert answer.status == 408 and answer.closes
        assert 0.9 < time.monotonic() - begin < 1 + 2 * FACTOR


def test_idle_connections_end_silently(start):
    engine = start("-I", 1)
    with engine.client() as fresh, engine.client() as used:
        used.get("/hello")
        begin = time.monotonic()
        assert fresh.at_end() and used.at_end()
        assert 0.7 < time.monotonic() - begin < 1 + 2 * FACTOR


def test_request_deadline(start):
    engine = start("-R", 1)
    with engine.client() as c:
        begin = time.monotonic()
        answer = c.get("/never")
        assert answer.status == 503 and not answer.closes
        assert 0.9 < time.monotonic() - begin < 1 + 2 * FACTOR
        assert c.get("/hello").body == b"hello"
    assert engine.stats()["timeout"] == 1


def test_slow_reader_without_progress(start):
    engine = start("-I", 1)
    with engine.client(receive_buffer=4096) as c:
        c.send(b"GET /size/30000000 HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: engine.stats()["in_flight"] == 2)
        wait_until(lambda: engine.stats()["timeout"] == 1, timeout=4)
        assert engine.stats()["connections"] == 1


def test_slow_reader_with_progress(start):
    """Who reads on, however slowly, is not cut off."""
    engine = start("-I", 1)
    with engine.client(receive_buffer=65536) as c:
        c.send(b"GET /size/8000000 HTTP/1.1\r\nHost: a\r\n\r\n" + HELLO)
        begin = time.monotonic()
        while time.monotonic() < begin + 2.5:
            c.unread += c.sock.recv(65536)
            time.sleep(0.05)
        assert len(c.read().body) == 8_000_000
        assert c.read().body == b"hello"


# Limits


def test_full_closes_the_longest_idle(start):
    engine = start("-c", 5)
    clients = [engine.client() for _ in range(5)]
    for c in clients:
        assert c.get("/hello").body == b"hello"
    assert clients[0].get("/hello").body == b"hello"
    with engine.client() as late:
        assert late.get("/hello").body == b"hello"
        assert clients[1].at_end()
        for c in (clients[0], *clients[2:]):
            assert c.get("/hello").body == b"hello"
    for c in clients:
        c.close()


def test_full_of_requests_waits(start):
    """Nothing idle to close: the newcomer waits in the backlog, without a spin, until one goes."""
    engine = start("-c", 3)
    clients = [engine.client() for _ in range(3)]
    for c in clients:
        c.send(HELLO + b"GET /never HTTP/1.1\r\nHost: a\r\n\r\n")
        assert c.read().body == b"hello"  # which leaves together with the other one's beginning
    with engine.client() as late:
        late.send(HELLO)
        cpu = engine.cpu_seconds()
        readable, _, _ = select.select([late.sock], [], [], 1)
        assert not readable and engine.cpu_seconds() - cpu < 0.1
        clients[0].reset()
        assert late.read().body == b"hello"
    for c in clients[1:]:
        c.close()


def test_out_of_descriptors(start):
    engine = start(fd_limit=70)
    clients = []
    for _ in range(100):
        clients.append(engine.client())
        clients[-1].send(b"GET /never HTTP/1.1\r\nHost: a\r\n\r\n")
    wait_until(lambda: max(engine.descriptors()) > 45, 10, "nearly as many as it takes")
    time.sleep(0.5)
    cpu, highest = engine.cpu_seconds(), max(engine.descriptors())
    time.sleep(1.5)
    assert engine.cpu_seconds() - cpu < 0.2
    # not one more at each look for room: the reserve is for files and databases
    assert max(engine.descriptors()) == highest < 70 - 8
    for c in clients:
        c.reset()
    stats = wait_until(lambda: engine.stats() if engine.stats()["in_flight"] == 1 else None)
    assert 1 <= stats["pauses"] <= 100


def test_idle_connections_make_room(start):
    """One goes for each that comes: the reserve is not theirs, however many come."""
    engine = start(fd_limit=70)
    clients = [engine.client() for _ in range(200)]
    for c in clients[-20:]:
        assert c.get("/hello").body == b"hello"
    assert engine.stats()["connections"] < 70 - 8 and max(engine.descriptors()) < 70 - 8
    for c in clients:
        c.close()


def test_memory_of_idle_connections(start):
    engine = start()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(10_000, soft - 200)
    if count < 500:
        pytest.skip(f"only {soft} descriptors here")
    before = engine.private_bytes()
    clients = []
    for _ in range(count):
        c = engine.client()
        c.get("/hello")
        clients.append(c)
    per_connection = (engine.private_bytes() - before) / count
    for c in clients:
        c.close()
    if FACTOR == 1:
        assert per_connection < 1024


# Framing that is refused


@pytest.mark.parametrize("name", REFUSED)
def test_refused(engine, name):
    """One answer, and whatever stands behind the refused request is not taken for another one."""
    status, request = REFUSED[name]
    with engine.client() as c:
        c.send(request + HELLO)
        answer = c.read()
        assert answer.status == status and answer.closes
        assert c.at_end()
    stats = engine.stats()
    assert stats["errors"] == 1 and stats["heads"] == 1


def test_absolute_form_and_100_fields(engine):
    with engine.client() as c:
        c.send(b"GET http://b.example:80/hello HTTP/1.1\r\nHost: a\r\n\r\n")
        assert c.read().body == b"hello"
        c.send(many_fields(99))
        assert c.read().body == b"hello"


# Drain


def test_drain_without_requests(engine):
    with engine.client() as idle, engine.client() as fresh:
        idle.get("/hello")
        engine.drain()
        assert engine.ended(timeout=5) == "drained\n"
        assert idle.at_end() and fresh.at_end()


def test_drain_lets_requests_end(engine):
    with engine.client() as slow, engine.client() as body:
        slow.send(b"GET /slow/%d HTTP/1.1\r\nHost: a\r\n\r\n" % (1500 * FACTOR))
        body.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
        wait_until(lambda: engine.stats()["in_flight"] == 3)
        engine.drain()
        wait_until(lambda: refuses(engine.port))
        body.send(b"llo")
        answer = body.read()
        assert answer.body == b"hello" and answer.closes
        answer = slow.read()
        assert answer.body == b"slow" and answer.closes
        assert engine.ended(timeout=5) == "drained\n"


def refuses(port):
    """The engine no longer accepts: the connection stays in the backlog, unanswered."""
    with RawClient(port) as c:
        c.send(HELLO)
        readable, _, _ = select.select([c.sock], [], [], 0.5 * FACTOR)
        return not readable


def test_drain_under_load_fails_no_request(engine):
    """Clients in full flow are told to close; none of them meets a closed connection."""
    failures, closes = [], []

    def client():
        try:
            with engine.client() as c:
                while True:
                    answer = c.get("/size/100")
                    assert len(answer.body) == 100
                    if answer.closes:
                        closes.append(1)
                        return
        except (OSError, EOFError, AssertionError) as e:
            failures.append(e)

    threads = [threading.Thread(target=client) for _ in range(8)]
    for t in threads:
        t.start()
    wait_until(lambda: engine.stats()["sent"] > 200)
    engine.drain()
    for t in threads:
        t.join()
    assert not failures and len(closes) == 8
    assert engine.ended() == "drained\n"
