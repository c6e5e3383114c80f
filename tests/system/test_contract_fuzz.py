"""Requests made from the OpenAPI document: valid, at the bounds, and broken, the same for each seed.

None is answered with a 5xx, a status that is not described or a body that is not as described (Patrond.request sees to
the last two). And the document decides: what it calls invalid is refused, what it calls valid is not, but for rules
between fields, which it cannot tell.
"""
import json
import random
import re
import urllib.parse

import pytest

from lib import openapi
from lib.walk import MCP_HEADERS, Walk, operations, shop

pytestmark = pytest.mark.skipif(openapi.jsonschema is None, reason="python3-jsonschema is not installed")

SEED = 20251103
ROUNDS = 40  # requests of each operation
# Rules between fields: a valid value may be refused here.
BETWEEN_FIELDS = {"/api/mcp/customer/{id}/orders", "/admin/sync-sales", "/api/mcp/products/{analysis}", "/api/mcp/search",
                  "/api/mcp/query", "/mcp"}
ALIASES = [("tool_name", "tool"), ("parameters", "params", "arguments")]  # of which the first one counts
STRANGE = ["", " ", "x", "0", "-1", "1.5", "1e3", "NaN", "Infinity", "null", "true", "[]", "{}", "''", "%", "%00", "\x00", "\x7f",
           "é" * 3, "😀", "\u202e", "a" * 2000, "9" * 40, "-" + "9" * 40, "../../etc/passwd", "1;DROP TABLE x", "$1", "' OR 1=1",
           "<script>", "\r\nX: y", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), "01", "+5", "0x10", "1_000", "١٢"]


@pytest.fixture(scope="module")
def walk(postgres_server, tmp_path_factory):
    with shop(postgres_server, tmp_path_factory.mktemp("fuzz") / "shop", customers=120) as server:
        yield Walk(server)


class Dice:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.document = openapi.document()

    def schema(self, schema):
        """One alternative of a schema, with the siblings of a reference."""
        schema = {**self.document.resolve(schema), **{k: v for k, v in schema.items() if k != "$ref"}}
        return self.schema(self.random.choice(schema["anyOf"])) if "anyOf" in schema else schema

    def kind(self, schema):
        kinds = schema.get("type", "object")
        return kinds if isinstance(kinds, str) else self.random.choice(kinds)

    def number(self, schema, kind):
        low, high = schema.get("minimum", -1000), schema.get("maximum", 1000)
        value = self.random.choice([low, high, low + 1, high - 1, self.random.uniform(low, high)])
        return int(value) if kind == "integer" else min(max(value, low), high)

    def text(self, schema):
        if schema.get("format") == "date":
            return f"20{self.random.randrange(10, 30)}-{self.random.randrange(1, 13):02}-{self.random.randrange(1, 29):02}"
        low, high = schema.get("minLength", 0), min(schema.get("maxLength", 20), 1000)
        return "".join(self.random.choice("aé 1-_:,'x") for _ in range(self.random.choice([max(low, 1), high, max(low, high // 2)])))

    def value(self, schema, depth=0):
        """A value the schema takes."""
        schema = self.schema(schema)
        if "const" in schema or "enum" in schema:
            return schema.get("const") or self.random.choice(schema["enum"])
        kind = self.kind(schema)
        if kind in ("integer", "number"):
            return self.number(schema, kind)
        if kind == "string":
            return self.text(schema)
        if kind == "array":
            least = schema.get("minItems", 0)
            return [self.value(schema.get("items", {}), depth + 1) for _ in range(max(least, self.random.randrange(3)))]
        if kind == "object":
            required = schema.get("required", [])
            return {k: self.value(s, depth + 1) for k, s in schema.get("properties", {}).items()
                    if k in required or self.random.random() < 0.25}
        return {"boolean": self.random.random() < 0.5, "null": None}[kind]

    def wrong_value(self, schema):
        """A value that the schema may not take."""
        real = self.schema(schema)
        near = [real[k] + d for k, d in (("minimum", -1), ("maximum", 1)) if k in real]
        if "maxLength" in real:
            near.append("y" * (real["maxLength"] + 1))
        return self.random.choice(near + [None, True, -1, 0, 1e300, 2 ** 63, 1.5, "", "x", [], {}, [1], {"a": 1}, ["x"] * 3, *STRANGE[:8]])

    def broken(self, schema, value):
        """The value with one thing in it changed, or the whole replaced."""
        if not isinstance(value, dict) or not value or self.random.random() < 0.1:
            return self.wrong_value(schema)
        value, name = dict(value), self.random.choice(sorted(value))
        properties = self.schema(schema).get("properties", {})
        action = self.random.randrange(4)
        if action == 0:
            value["no_such_key"] = self.random.choice(STRANGE)
        elif action == 1:
            del value[name]
        else:
            value[name] = self.broken(properties[name], value[name]) if name in properties else self.random.choice(STRANGE)
        return value

    def raw_body(self, text):
        """Text of a body that is no JSON any more, or hardly."""
        cut = self.random.randrange(len(text) + 1)
        return self.random.choice([text[:cut], text + "}", text.replace('"', "'"), text[:cut] + "\x00" + text[cut:], "[" * 50, "[1]", "7",
                                   '{"a":' * 40 + "1" + "}" * 40, '{"limit":1e999}', '{"limit":-0}', '{"limit":1,"limit":2}']).encode()


def as_text(value):
    return json.dumps(value) if isinstance(value, bool) else str(value)


def in_query(schema, text):
    """The value a query parameter's text stands for, for its schema; the text itself where it is none."""
    kind = schema.get("type")
    if kind == "integer" and re.fullmatch(r"[-+]?\d+", text):
        return int(text)
    if kind == "number" and re.fullmatch(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?", text):
        return float(text)
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    return text


class Fuzz:
    """One request after the other, of one operation."""

    def __init__(self, walk, method, template, operation):
        self.walk, self.method, self.template = walk, method, template
        self.dice = Dice(f"{SEED} {method} {template}")
        self.parameters = [p for p in openapi.document().parameters(operation) if p["in"] == "query"]
        self.held = {"mode": "dry-run", "wait": "false"} if template == "/admin/sync-sales" else {}
        self.body_schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")

    def make_query(self):
        """(text, is all of it valid; None: it may be unreadable)"""
        pairs, valid = [], True
        for p in self.parameters:
            if p["name"] in self.held:
                pairs.append((p["name"], self.held[p["name"]]))
                continue
            fate = self.dice.random.random()
            if fate < 0.5 and not (p["name"] == "query" and self.body_schema):
                continue
            schema = self.dice.schema(p["schema"])
            text = as_text(self.dice.value(schema) if fate < 0.8 else self.dice.random.choice(
                STRANGE + [as_text(self.dice.wrong_value(schema))]))
            pairs.append((p["name"], text))
            if text and openapi.document().faults(p["schema"], in_query(schema, text)):
                valid = False  # an empty one counts as not given
        if self.dice.random.random() < 0.2:
            pairs.append((self.dice.random.choice(STRANGE[2:9]), self.dice.random.choice(STRANGE)))
            valid = None
        return urllib.parse.urlencode(pairs, errors="replace"), valid

    def make_body(self):
        """(bytes or None, what the document says of it: True valid, False invalid, None not JSON)"""
        value = {**(self.walk.body(self.method, self.template) or {}), **self.dice.value(self.body_schema)}
        for group in ALIASES:
            for other in [k for k in group if k in value][1:]:
                del value[other]
        fate = self.dice.random.random()
        if fate < 0.2:
            return self.dice.raw_body(json.dumps(value)), None
        if fate < 0.6:
            value = self.dice.broken(self.body_schema, value)
        text = json.dumps(value).replace("NaN", "null")
        return text.encode(), isinstance(value, dict) and not openapi.document().faults(self.body_schema, json.loads(text))

    def make_path(self):
        path = self.walk.path(self.template)
        if "{" in self.template and self.dice.random.random() < 0.3:
            garbage = urllib.parse.quote(self.dice.random.choice(STRANGE[2:]), safe="", errors="replace")
            path = re.sub(r"\{\w+\}", lambda _: garbage, self.template)
            return path, True
        return path, False

    def round(self):
        path, strange_path = self.make_path()
        query, valid_query = self.make_query()
        body, valid_body = self.make_body() if self.body_schema else (None, True)
        headers = MCP_HEADERS if self.template == "/mcp" else {}
        answer = self.walk.server.request(self.method, path + "?" + query, body=body, headers=headers)
        told = (self.method, path, query, body, answer.status, answer.body[:300])
        assert answer.status < 500, told
        if "query=" in query:  # of a question: the body is not looked at then
            valid_body = valid_body or None
        if strange_path or None in (valid_query, valid_body):
            return
        if not (valid_query and valid_body):
            assert answer.status in ((400, 409, 422) if self.template != "/mcp" else (200, 202, 400, 404)), told
        elif self.template not in BETWEEN_FIELDS:
            assert answer.status not in (400, 422), told


EVERY = [pytest.param(m, t, o, id=f"{m} {t}") for m, t, o in operations()] if openapi.jsonschema else []


@pytest.mark.parametrize("method, template, operation", EVERY)
def test_fuzz(walk, method, template, operation):
    fuzz = Fuzz(walk, method, template, operation)
    for _ in range(ROUNDS if fuzz.parameters or fuzz.body_schema or "{" in template else 4):
        fuzz.round()


def test_the_server_is_as_before(walk):
    """Behind all that: alive, its workers the first ones, nothing held."""
    assert walk.server.get("/health/ready", key=None).status == 200
    workers = walk.server.get("/admin/workers").json()
    assert workers["totals"]["restarts"] == 0 and workers["totals"]["in_flight"] <= 1
    assert walk.server.events("worker_crashed") == [] and walk.server.events("unexpected_error") == []
