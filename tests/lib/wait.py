"""Waiting for conditions. Nothing in the tests sleeps for a fixed time where a condition tells."""
import os
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


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
