"""Answers against the OpenAPI document of the build: is the status described, and are headers and body as it says?

Patrond.request holds every answer of every system test against it. Of long arrays the first and the last items are
looked at.
"""
import functools
import json
import os
import pathlib
import re
import sys

try:
    import jsonschema
except ImportError:
    jsonschema = None

TOP = pathlib.Path(__file__).resolve().parents[2]
# Beside the program under test.
BUILD = os.environ.get("PATROND_BUILD") or pathlib.Path(os.environ.get("PATROND_BIN") or TOP / "patrond").parent
FILE = pathlib.Path(BUILD) / "openapi.json"
# What the protocol engine and the router refuse is described once for all operations.
OF_ANY_OPERATION = {405, 408, 413, 414, 417, 431, 501, 505}
LONG, HEAD, TAIL = 50, 30, 10
ERROR = {"$ref": "#/components/schemas/Error"}


def _check_decimals(_, most, value, __):
    if isinstance(value, float) and abs(value * 10 ** most - round(value * 10 ** most)) > 1e-4 * max(1, abs(value)):
        yield jsonschema.ValidationError(f"{value!r} has more than {most} decimals")


def _refuse_constant(name):
    raise AssertionError(f"{name} is no JSON")


def _error_faults(value, headers):
    if value["detail"] != value["error"]["message"]:
        yield "detail is not the message"
    if value["error"]["correlation_id"] != headers["x-correlation-id"]:
        yield "correlation_id is not that of the header"


def _shorten(value):
    if isinstance(value, list):
        return [_shorten(v) for v in (value if len(value) <= LONG else value[:HEAD] + value[-TAIL:])]
    return {k: _shorten(v) for k, v in value.items()} if isinstance(value, dict) else value


class Document:
    def __init__(self, content):
        self.content = content
        self.components = content["components"]
        self._templates = sorted(content["paths"], key=lambda p: (p.count("{"), p))
        self._regexes = [(re.compile(re.sub(r"\{\w+\}", "[^/]+", re.sub(r"([.])", r"\\\1", t))), t) for t in self._templates]
        self._resolver = jsonschema.RefResolver("", content) if jsonschema else None
        self._validators = {}

    def template(self, path):
        """The template of a path; None: the server has none."""
        path = path.split("?")[0]
        return next((t for r, t in self._regexes if r.fullmatch(path)), None)

    def operations(self):
        """(METHOD, template, operation) of all of them."""
        return [(m.upper(), t, o) for t, item in self.content["paths"].items() for m, o in item.items()]

    def operation(self, method, path):
        item = self.content["paths"].get(self.template(path), {})
        return item.get("get" if method == "HEAD" else method.lower())

    def resolve(self, value):
        """What a reference to a component means; anything else is itself."""
        while "$ref" in value:
            kind, name = value["$ref"].split("/")[-2:]
            value = self.components[kind][name]
        return value

    def parameters(self, operation):
        return [self.resolve(p) for p in operation["parameters"]]

    def response(self, method, path, status):
        """The description of an answer; None: there is none."""
        operation = self.operation(method, path)
        found = operation["responses"].get(str(status)) if operation else None
        if found is None and status >= 400 and (operation is None or status in OF_ANY_OPERATION):
            others = list(self.content["paths"].get(self.template(path), {}).values())
            found = others[0]["responses"]["default"] if others else {"$ref": "#/components/responses/Other"}
        return self.resolve(found) if found else None

    def faults(self, schema, value):
        """What is wrong with a value, as sentences."""
        key = json.dumps(schema, sort_keys=True)
        if key not in self._validators:
            kind = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"x-decimals": _check_decimals})
            self._validators[key] = kind(schema, resolver=self._resolver)
        return [f"$.{'.'.join(map(str, e.absolute_path))}: {e.message[:300]}"
                for e in self._validators[key].iter_errors(_shorten(value))]

    def _header_faults(self, response, headers):
        for name, header in response.get("headers", {}).items():
            header, text = self.resolve(header), headers.get(name.lower())
            if text is None:
                if header["required"]:
                    yield f"no header {name}"
                continue
            value = int(text) if header["schema"].get("type") == "integer" and re.fullmatch(r"-?\d+", text) else text
            for fault in self.faults(header["schema"], value):
                yield f"header {name}: {fault}"

    def _body_faults(self, method, response, headers, body):
        content = response.get("content", {})
        if method == "HEAD" or not content:
            if body:
                yield f"a body of {len(body)} bytes where there is none"
            return
        kind = headers.get("content-type", "").split(";")[0]
        if kind not in content:
            yield f"Content-Type {kind!r}, described are {sorted(content)}"
        elif kind == "application/json":
            value = json.loads(body, parse_constant=_refuse_constant)
            yield from self.faults(content[kind]["schema"], value)
            yield from _error_faults(value, headers) if content[kind]["schema"] == ERROR else ()

    def problems(self, method, path, status, headers, body):
        """How an answer differs from its description. `headers` have names in small letters; `body` is not encoded."""
        if jsonschema is None or method == "OPTIONS" or headers.get("content-encoding"):
            return []
        response = self.response(method, path, status)
        if response is None:
            return [f"status {status} is not described"]
        return [*self._header_faults(response, headers), *self._body_faults(method, response, headers, body)]


@functools.lru_cache(maxsize=1)
def document():
    if jsonschema is None:
        print("ATTENTION: without python3-jsonschema no answer is held against openapi.json", file=sys.stderr)
    return Document(json.loads(FILE.read_text()))


def check(method, path, answer):
    """Fails where an answer (status, headers, body) is not as described."""
    found = document().problems(method, path, answer.status, answer.headers, answer.body)
    assert not found, f"{method} {path} -> {answer.status} is not as described: {found[:5]}"
