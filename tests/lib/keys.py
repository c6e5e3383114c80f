"""API keys as all workers see them."""
import http.client
import time

from lib.wait import FACTOR, wait_until

IN_FORCE_S = 2
ROUTE = "/api/mcp/customer/1"  # 404 or 503 for who may ask


class Everywhere:
    """Connections held open to every worker."""

    def __init__(self, instance):
        self.instance, self.connections = instance, []
        wait_until(self._reaches_all, 10, "a connection to every worker")

    def _reaches_all(self):
        self.connections.append(http.client.HTTPConnection("127.0.0.1", self.instance.port, timeout=15 * FACTOR))
        self._ask(self.connections[-1], self.instance.admin_key)
        workers = [w for w in self.instance.get("/admin/workers").json()["workers"] if w["state"] == "ready"]
        held = sum(w["connections"] for w in workers)
        # the question's own connection and the probe's may be counted with any worker
        return held > len(self.connections) and all(w["connections"] >= 3 for w in workers)

    def _ask(self, connection, key, path=ROUTE):
        connection.request("GET", path, headers={"X-API-Key": key})
        answer = connection.getresponse()
        answer.read()
        return answer.status

    def statuses(self, key, path=ROUTE):
        return {self._ask(c, key, path) for c in self.connections}

    def close(self):
        for c in self.connections:
            c.close()


def in_force(everywhere, key, good, since):
    """Until every worker knows; within two seconds of the change. The seconds it took."""
    def known():
        statuses = everywhere.statuses(key)
        return 401 not in statuses if good else statuses == {401}
    wait_until(known, IN_FORCE_S + 3, f"key {'known' if good else 'refused'} on every worker")
    took = time.monotonic() - since
    assert took < IN_FORCE_S * FACTOR, f"{took:.2f} s"
    if not good:
        assert everywhere.statuses(key) == {401}, "and nowhere again"
    return took
