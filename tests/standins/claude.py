"""A stand-in of the Messages API for tests: strict like the real one, scriptable, and able to fail in many ways.

It runs in the test's own process: `with Claude(key) as claude:`. What it refuses it refuses in the API's words, with a
note in `problems`, so that a test can ask that there were none. Every request is kept in `requests`. What it answers is
`brain(question)`: a (tool, arguments) pair, or a sentence. Faults queue in `faults`, one a request; see FAULTS.
"""
import gzip
import json
import re
import socket
import socketserver
import struct
import threading
import time

VERSIONS = {"2023-06-01", "2026-10-21"}
ACTIVE = {"claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-fable-5-2", "claude-mythos-5-2",
          "claude-sonnet-4-6", "claude-haiku-4-5"}
TOP_LEVEL = {"model", "max_tokens", "messages", "system", "tools", "tool_choice", "stop_sequences", "stream", "metadata",
             "thinking", "output_config", "cache_control", "service_tier", "inference_geo", "speed", "container",
             "diagnostics", "temperature", "top_p", "top_k"}
TOOL_KEYS = {"name", "description", "input_schema", "strict", "cache_control", "input_examples", "defer_loading"}
EFFORTS = {"low", "medium", "high", "xhigh", "max"}
NOT_IN_STRICT = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
                 "minItems", "maxItems", "uniqueItems", "pattern", "default"}
MAX_BYTES = 32 << 20
STATUS_TYPES = {400: "invalid_request_error", 401: "authentication_error", 402: "billing_error", 403: "permission_error",
                404: "not_found_error", 409: "conflict_error", 413: "request_too_large", 429: "rate_limit_error",
                500: "api_error", 504: "timeout_error", 529: "overloaded_error"}


class Refused(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def need(condition, message, status=400):
    if not condition:
        raise Refused(status, message)


# ---- what a request must be ----

class StrictBudget:
    """What all strict tools of a request may have together."""
    optional, unions = 24, 16


def check_strict(schema, path, budget):
    need(isinstance(schema, dict), f"{path}: schema must be an object")
    wrong = NOT_IN_STRICT & schema.keys()
    need(not wrong, f"{path}: keywords {sorted(wrong)} are not supported with strict")
    if "anyOf" in schema or isinstance(schema.get("type"), list):
        budget.unions -= 1
        need(budget.unions >= 0, f"{path}: too many parameters with union types")
    for i, branch in enumerate(schema.get("anyOf", [])):
        check_strict(branch, f"{path}.anyOf.{i}", budget)
    if schema.get("type") == "array":
        check_strict(schema.get("items"), f"{path}.items", budget)
    if schema.get("type") == "object":
        need(schema.get("additionalProperties") is False, f"{path}: additionalProperties must be false with strict")
        properties, required = schema.get("properties", {}), schema.get("required", [])
        need(set(required) <= set(properties), f"{path}: required names unknown properties")
        budget.optional -= len(set(properties) - set(required))
        need(budget.optional >= 0, f"{path}: too many optional parameters in strict schemas")
        for name, inner in properties.items():
            check_strict(inner, f"{path}.{name}", budget)


def check_tools(body):
    tools, budget, names = body.get("tools", []), StrictBudget(), set()
    need(isinstance(tools, list), "tools: Input should be a valid list")
    need(sum(bool(t.get("strict")) for t in tools) <= 20, "tools: too many strict tools")
    for i, tool in enumerate(tools):
        need(not tool.keys() - TOOL_KEYS, f"tools.{i}: Extra inputs are not permitted")
        need(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", tool.get("name", "")), f"tools.{i}.name: String should match pattern")
        need(tool["name"] not in names, f"tools: Tool names must be unique")
        names.add(tool["name"])
        schema = tool.get("input_schema")
        need(isinstance(schema, dict) and schema.get("type") == "object", f"tools.{i}.input_schema.type: Field required")
        if tool.get("strict"):
            check_strict(schema, f"tools.{i}.input_schema", budget)
    choice = body.get("tool_choice", {"type": "auto"})
    need(choice.get("type") in ("auto", "any", "tool", "none"), "tool_choice.type: Input should be 'auto', 'any', 'tool' or 'none'")
    need(not choice.keys() - {"type", "name", "disable_parallel_tool_use"}, "tool_choice: Extra inputs are not permitted")
    return names, choice


def check_messages(messages):
    need(isinstance(messages, list) and messages, "messages: at least one message is required")
    need(messages[0].get("role") == "user", "messages: first message must use the \"user\" role")
    need(messages[-1].get("role") == "user", "messages: prefilling assistant messages is not supported for this model")
    asked = set()
    for i, message in enumerate(messages):
        need(not message.keys() - {"role", "content"}, f"messages.{i}: Extra inputs are not permitted")
        content = message.get("content")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        need(isinstance(blocks, list) and blocks, f"messages.{i}.content: must not be empty")
        answered = set()
        for block in blocks:
            if block.get("type") == "text":
                need(block.get("text", "").strip(), f"messages.{i}: text content blocks must contain non-whitespace text")
                need(not asked - answered, f"messages.{i}: tool_result blocks must come first")
            elif block.get("type") == "tool_result":
                need(block.get("tool_use_id") in asked, f"messages.{i}: unexpected tool_use_id in tool_result")
                answered.add(block["tool_use_id"])
        need(answered == asked, f"messages.{i}: tool_use ids without tool_result blocks immediately after")
        asked = {b["id"] for b in blocks if b.get("type") == "tool_use"} if message["role"] == "assistant" else set()


def check_cache_marks(body):
    marks = []

    def walk(value):
        if isinstance(value, dict):
            if "cache_control" in value:
                marks.append(value["cache_control"])
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)
    walk(body)
    need(len(marks) <= 4, "A maximum of 4 blocks with cache_control may be provided")
    for mark in marks:
        need(mark.get("type") == "ephemeral" and mark.get("ttl", "5m") in ("5m", "1h"), "cache_control: invalid")


def check_body(body, version):
    need(isinstance(body, dict), "Input should be a valid dictionary")
    for key in body.keys() - TOP_LEVEL:
        raise Refused(400, f"{key}: Extra inputs are not permitted")
    model = body.get("model")
    need(isinstance(model, str), "model: Field required")
    need(model in ACTIVE, f"model: {model}", 404)
    need(isinstance(body.get("max_tokens"), int) and 1 <= body["max_tokens"] <= 128000, "max_tokens: Field required")
    if version == "2026-10-21":
        need(not {"temperature", "top_p", "top_k"} & body.keys(), "temperature: Extra inputs are not permitted")
    thinking, current = body.get("thinking", {}).get("type"), "-5" in model
    need(not (current and thinking == "enabled"), "thinking.type: enabled is not supported for this model, use adaptive")
    names, choice = check_tools(body)
    need(not (choice["type"] in ("any", "tool") and current and thinking != "disabled"),
         "Thinking may not be enabled when tool_choice forces tool use.")
    config = body.get("output_config", {})
    need(not config.keys() - {"effort", "format"}, "output_config: Extra inputs are not permitted")
    need(config.get("effort", "low") in EFFORTS, "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'")
    check_messages(body.get("messages"))
    check_cache_marks(body)
    return names


def fits(value, schema):
    """Does an argument obey its schema? What the provider guarantees, a script must keep."""
    kind = schema.get("type")
    if kind == "object":
        properties = schema.get("properties", {})
        return (isinstance(value, dict) and set(schema.get("required", [])) <= value.keys() <= properties.keys()
                and all(fits(v, properties[k]) for k, v in value.items()))
    if kind == "array":
        return isinstance(value, list) and all(fits(v, schema["items"]) for v in value)
    good = {"string": str, "integer": int, "number": (int, float), "boolean": bool}[kind]
    return isinstance(value, good) and ("enum" not in schema or value in schema["enum"])


# ---- faults ----

def error_body(status, message="injected", **details):
    error = {"type": STATUS_TYPES.get(status, "api_error"), "message": message}
    if details:
        error["details"] = details
    return {"type": "error", "error": error, "request_id": "req_error"}


class Fault:
    """One way to fail."""

    def __init__(self, name, status=200, headers=(), body=None):
        self.name, self.status, self.headers, self.body = name, status, dict(headers), body


def status(code, body=None, **headers):
    """An error of the API, or any other body, with headers: retry_after="1"."""
    if not isinstance(body, bytes):
        body = json.dumps(body or error_body(code)).encode()
    return Fault("status", code, {k.replace("_", "-"): v for k, v in headers.items()}, body)


FAULTS = {  # by name: what is wrong with the answer
    "hang": "nothing is sent until the client goes",
    "reset": "the connection is reset at once",
    "truncated": "the body ends before its length",
    "drip": "a byte every 200 ms",
    "garbage": "bytes that are no HTTP",
    "html": "a page of some proxy, with status 200",
    "empty": "status 200 without a body",
    "huge": "more than any answer may have",
    "bad_utf8": "a body with bytes that are no UTF-8",
    "deep": "arrays in arrays in arrays",
    "max_tokens": "cut within the arguments",
    "refusal": "the model will not answer",
    "pause_turn": "a stop that asks for another round",
    "unknown_tool": "a call of a tool that was not offered",
    "no_input": "a call without arguments",
}


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while self.one_request():
            pass

    def read_head(self):
        line = self.rfile.readline(65536)
        if not line:
            return None
        method, path, _ = line.decode("latin-1").split(" ", 2)
        headers = {}
        while (line := self.rfile.readline(65536)) not in (b"\r\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        return method, path, headers

    def one_request(self):
        claude = self.server.claude
        try:
            head = self.read_head()
            if head is None:
                return False
            raw = self.rfile.read(int(head[2].get("content-length", 0)))
            if claude.is_stopping():  # a connection that was kept ends with the server
                return False
            with claude.counting():
                return self.answer(claude, *head, raw)
        except OSError:
            return False

    def answer(self, claude, method, path, headers, raw):
        record = {"path": path, "headers": headers, "raw": raw, "at": time.monotonic(), "status": None}
        claude.note(record)
        fault = claude.next_fault()
        try:
            payload = claude.understand(method, path, headers, raw, record)
            code = 200
        except Refused as refusal:
            claude.problems.append(str(refusal))
            payload, code = error_body(refusal.status, str(refusal)), refusal.status
        record["status"] = code
        if fault is not None:
            record["fault"] = fault.name
            return self.fail(fault, payload)
        claude.wait()
        return self.send(code, json.dumps(payload).encode(), accept=headers.get("accept-encoding", ""))

    def send(self, code, body, headers=None, accept="", chunked=False):
        lines = [f"HTTP/1.1 {code} X", "request-id: req_stand_in_1", "content-type: application/json"]
        lines += [f"{k}: {v}" for k, v in (headers or {}).items()]
        if "gzip" in accept and self.server.claude.compress:
            body = gzip.compress(body)
            lines.append("content-encoding: gzip")
        if chunked or self.server.claude.chunked:
            lines.append("transfer-encoding: chunked")
            pieces = [body[i:i + 700] for i in range(0, len(body), 700)]
            body = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
        else:
            lines.append(f"content-length: {len(body)}")
        self.wfile.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        return True

    def fail(self, fault, payload):
        name, body = fault.name, json.dumps(payload).encode()
        if name == "status":
            return self.send(fault.status, fault.body, fault.headers)
        if name == "hang":
            self.server.claude.hang(self.connection)
            return False
        if name == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            return False
        if name == "garbage":
            self.wfile.write(b"\x00\x01\x02 this is not HTTP\r\n\r\n")
            return False
        if name in ("truncated", "drip"):
            self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body))
            for byte in body[: len(body) // 2] if name == "truncated" else body:
                self.wfile.write(bytes([byte]))
                time.sleep(0.2 if name == "drip" else 0)
            return False
        bodies = {"html": b"<html><body>502 Bad Gateway</body></html>", "empty": b"", "huge": b'"' + b"x" * (3 << 20) + b'"',
                  "bad_utf8": body.replace(b'"type"', b'"ty\xffpe"', 1), "deep": b"[" * 100000 + b"]" * 100000}
        if name in bodies:
            return self.send(200, bodies[name])
        changed = dict(payload)
        if name in ("max_tokens", "pause_turn"):
            changed["stop_reason"] = name
        elif name == "refusal":
            changed.update(stop_reason="refusal", content=[], stop_details={"type": "refusal", "category": "x"})
        else:
            block = {"unknown_tool": {"type": "tool_use", "id": "t", "name": "drop_tables", "input": {}},
                     "no_input": {"type": "tool_use", "id": "t", "name": "query_customers"}}[name]
            changed.update(stop_reason="tool_use", content=[block])
        return self.send(200, json.dumps(changed).encode())


class Claude(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads, request_queue_size = True, True, 256

    def __init__(self, key, brain=None, port=0):
        super().__init__(("127.0.0.1", port), Handler)
        self.claude, self.key = self, key
        self.brain = brain or (lambda question: "I can only talk about customers.")
        self.requests, self.problems, self.faults, self.always = [], [], [], None
        self.compress = self.chunked = self.thinking = False
        self.delay_s = 0.0
        self.now = self.most = 0
        self.gone = 0  # clients that left a hanging request
        self._lock, self._stopping = threading.Lock(), threading.Event()

    # life

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *unused):
        self._stopping.set()
        self.shutdown()
        self.server_close()

    def is_stopping(self):
        return self._stopping.is_set()

    def handle_error(self, request, client_address):
        pass  # a client that left

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    # script

    def fail_next(self, *faults):
        with self._lock:
            self.faults += [Fault(f) if isinstance(f, str) else f for f in faults]

    def fail_always(self, fault):
        self.always = Fault(fault) if isinstance(fault, str) else fault

    def next_fault(self):
        with self._lock:
            return self.faults.pop(0) if self.faults else self.always

    def note(self, record):
        with self._lock:
            self.requests.append(record)

    def counting(self):
        claude = self

        class Count:
            def __enter__(self):
                with claude._lock:
                    claude.now += 1
                    claude.most = max(claude.most, claude.now)

            def __exit__(self, *unused):
                with claude._lock:
                    claude.now -= 1
        return Count()

    def wait(self):
        self._stopping.wait(self.delay_s)

    def hang(self, connection):
        """Until the client goes."""
        connection.settimeout(0.05)
        while not self._stopping.is_set():
            try:
                if not connection.recv(1):
                    break
            except socket.timeout:
                continue
            except OSError:
                break
        with self._lock:
            self.gone += 1

    # the API

    def understand(self, method, path, headers, raw, record):
        of_model = re.fullmatch(r"/v1/models/([a-z0-9-]+)", path)
        need(path == "/v1/messages" or of_model, f"Not found: {path}", 404)
        need(method == ("GET" if of_model else "POST"), "Method not allowed", 404)
        need(headers.get("x-api-key", headers.get("authorization", "").removeprefix("Bearer ")) == self.key,
             "invalid x-api-key", 401)
        need(headers.get("anthropic-version") in VERSIONS, "anthropic-version: header is required")
        if of_model:
            need(of_model[1] in ACTIVE, f"model: {of_model[1]}", 404)
            return {"id": of_model[1], "type": "model", "display_name": of_model[1], "created_at": "2026-10-07T00:00:00Z"}
        need(headers.get("content-type", "").split(";")[0] == "application/json", "content-type must be application/json")
        need(len(raw) <= MAX_BYTES, "Request exceeds the maximum size", 413)
        try:
            body = json.loads(raw.decode())
        except ValueError:
            raise Refused(400, "The request body is not valid JSON") from None
        record["body"] = body
        check_body(body, headers["anthropic-version"])
        question = body["messages"][-1]["content"]
        return self.message(body, self.brain(question if isinstance(question, str) else question[-1]["text"]))

    def message(self, body, said):
        content, stop = [], "end_turn"
        if self.thinking:
            content.append({"type": "thinking", "thinking": "…", "signature": "c2ln"})
        if isinstance(said, str):
            content.append({"type": "text", "text": said, "citations": None})
        else:
            tool, arguments = said
            schema = next(t["input_schema"] for t in body["tools"] if t["name"] == tool)
            assert fits(arguments, schema), f"the script's arguments break the schema of {tool}: {arguments}"
            content.append({"type": "tool_use", "id": "toolu_1", "name": tool, "input": arguments, "caller": {"type": "direct"}})
            stop = "tool_use"
        return {"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"], "content": content,
                "stop_reason": stop, "stop_sequence": None, "stop_details": None, "container": None,
                "usage": {"input_tokens": 100, "output_tokens": 40, "cache_creation_input_tokens": 0,
                          "cache_read_input_tokens": 2500, "service_tier": "standard"}}
