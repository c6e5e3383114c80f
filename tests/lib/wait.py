"""Waiting for conditions. Nothing in the tests sleeps for a fixed time where a condition tells."""
import os
import pathlib
import random
import socket
import time

# A sanitizer build or a loaded machine multiplies every limit.
FACTOR = float(os.environ.get("PATROND_TEST_SLOWNESS", "1"))


def wait_until(condition, timeout=10.0, what="the condition", every=0.02):
    """Calls condition() until it is true, and answers its value."""
    end = time.monotonic() + timeout * FACTOR
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come true within {timeout * FACTOR:.1f} s")
        time.sleep(every)


def _ports():
    """Ports that the kernel gives to nobody by itself, as it does to a client that connects while the server of a test is away;
    in blocks of which each is one test run's alone, and none of them twice."""
    first = 16384
    end = max(int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0]), first)
    blocks, claims = list(range(first, end - _BLOCK + 1, _BLOCK)), []
    random.shuffle(blocks)
    for block in blocks:
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0patrond-test-ports-{block}")
        except OSError:  # another run's
            claim.close()
            continue
        claims.append(claim)
        yield from range(block, block + _BLOCK)


_BLOCK = 128
_PORTS = _ports()


def free_port():
    """A port of 127.0.0.1 for a server of this test run."""
    for port in _PORTS:
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RuntimeError("no port is free")
