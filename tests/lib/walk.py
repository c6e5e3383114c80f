"""A shop on a running server, and a good request for every operation of the OpenAPI document."""
import contextlib
import pathlib
import subprocess
import urllib.parse

from lib.openapi import document
from lib.patrond import serving
from lib.wait import wait_until

TOP = pathlib.Path(__file__).resolve().parents[2]
AS_OF = "2025-11-03"
MCP_HEADERS = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
QUESTION = "which customers are at risk of churning"


@contextlib.contextmanager
def shop(postgres_server, directory, customers=300, **settings):
    """Two workers with a made-up shop of two years."""
    postgres_server.ensure()
    directory.mkdir()
    csv = directory / "sales.csv"
    with csv.open("w") as out:
        subprocess.run([str(TOP / "scripts/make-sample-sales"), "--customers", str(customers), "--seed", "7", "--from",
                        "2023-11-01", "--to", AS_OF], stdout=out, check=True)
    with serving(directory / "instance", {"DATABASE_URL": postgres_server.create_database(), "SYNC_SOURCE": f"csv:{csv}",
                                          "AS_OF_DATE": AS_OF, **settings}) as server:
        yield server


class Walk:
    """Knows objects of a server: its requests are answered with success."""

    def __init__(self, server):
        self.server = server
        page = server.post("/api/mcp/search", {"limit": 3}).json()["customers"]
        self.customers = [c["customer_id"] for c in page]
        self.archetype = page[0]["archetype_id"]

    def make_key(self, *scopes):
        made = self.server.post("/admin/keys", {"name": "walk", "scopes": list(scopes) or ["read"]})
        assert made.status == 201, made.body
        return made.json()["key"]["id"], made.json()["api_key"]

    def new_key(self, *scopes):
        """(id, key) of a new API key that every worker knows."""
        number, key = self.make_key(*scopes)
        wait_until(lambda: all(self.server.get("/segments/axes", key=key).status != 401 for _ in range(10)), 5, "key in force")
        return number, key

    def value(self, template, name):
        if name == "id" and template.startswith("/admin/keys/"):
            return str(self.make_key()[0])
        if name == "id":
            return self.archetype if "/archetype" in template else self.customers[0]
        return {"analysis": "revenue_by_category", "goal": "retention"}[name]

    def path(self, template):
        """The path with real objects."""
        for parameter in template.split("{")[1:]:
            name = parameter.split("}")[0]
            template = template.replace("{%s}" % name, self.value(template, name))
        return template

    def query(self, method, template, body=None):
        """What has to stand in the query, unless a body says it."""
        required = {("POST", "/admin/sync-sales"): {"mode": "dry-run"},
                    ("POST", "/api/mcp/query/natural-language"): {"query": QUESTION}}
        return dict(required.get((method, template), {})) if body is None else {}

    def body(self, method, template):
        """A body where one is required, else None."""
        return {("POST", "/admin/keys"): {"name": "walk"},
                ("POST", "/api/mcp/query"): {"tool_name": "predict_churn_risk",
                                             "parameters": {"customer_id": self.customers[0]}},
                ("POST", "/mcp"): {"jsonrpc": "2.0", "id": 1, "method": "ping"}}.get((method, template))

    def request(self, method, template, query=None, body=None, **options):
        """Asks; `query` and `body` are added to what is required."""
        query = {**self.query(method, template, body), **(query or {})}
        needed = self.body(method, template)
        if isinstance(needed, dict) and (body is None or isinstance(body, dict)):
            body = {**needed, **(body or {})}
        path = self.path(template) + ("?" + urllib.parse.urlencode(query) if query else "")
        headers = {**(MCP_HEADERS if template == "/mcp" else {}), **options.pop("headers", {})}
        return self.server.request(method, path, body=body, headers=headers, **options)


def operations():
    return document().operations()
