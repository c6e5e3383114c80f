"""scripts/quickstart, the first thing anybody runs: from a source of order lines to answers, and nothing left of it."""
import contextlib
import http.client
import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading

import pytest

from lib.patrond import BUILD
from lib.sales import line, write
from lib.wait import FACTOR, free_port

TOP = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def place(tmp_path):
    """A directory of an instance; where it is closed to PostgreSQL's user, quickstart links what that needs from /tmp."""
    directory = tmp_path / "shop"
    yield directory
    quickstart(directory, "--stop")
    for link in ("postgres", "sockets"):
        if (directory / link).is_symlink():
            shutil.rmtree((directory / link).resolve().parent, ignore_errors=True)


def quickstart(directory, *arguments):
    keep = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")}
    return subprocess.run([TOP / "scripts/quickstart", "--dir", directory, *arguments], env=keep | {"PATROND_BUILD": str(BUILD)},
                          capture_output=True, text=True, timeout=120 * FACTOR, stdin=subprocess.DEVNULL)


def get(port, path, key=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10 * FACTOR)
    connection.request("GET", path, headers={"X-API-Key": key} if key else {})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def another_server(port):
    """It is ready, whatever one asks."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Ready) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


def test_from_sales_to_answers(place, tmp_path):
    sales, port = tmp_path / "sales.csv", free_port()
    write(sales, [line(n, n % 7 + 1, f"2026-0{n % 9 + 1}-03", "10.00") for n in range(1, 40)])
    with another_server(port):
        taken = quickstart(place, "--detach", "--source", str(sales), "--port", str(port))
    assert taken.returncode == 1 and "in use" in taken.stderr, taken
    assert not (place / "postgres/postmaster.pid").exists()  # what it had started it has stopped

    done = quickstart(place, "--detach", "--source", str(sales), "--port", str(port))
    assert done.returncode == 0, done
    key = re.search(r"X-API-Key: (\w+)", done.stdout).group(1)
    path = re.search(rf"http://127.0.0.1:{port}(/api/mcp/customer/\d+)", done.stdout).group(1)
    status, profile = get(port, path, key)
    assert status == 200 and path.endswith("/" + profile["customer_id"])
    assert get(port, path)[0] == 401
    status, health = get(port, "/health")
    assert status == 200 and health["data_status"]["customers_loaded"] == 7
    again = quickstart(place, "--detach")
    assert again.returncode == 0 and "already runs" in again.stdout

    pid = int((place / "log/patrond.pid").read_text())
    assert quickstart(place, "--stop").returncode == 0
    assert not pathlib.Path(f"/proc/{pid}").exists() and not (place / "postgres/postmaster.pid").exists()
