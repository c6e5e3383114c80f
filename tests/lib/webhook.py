"""A webhook in Slack's format that takes messages, refuses them or hangs."""
import http.server
import json
import threading
import time

from lib.wait import wait_until

WITHIN_S = 12  # the runbook's 10 s, and the time it takes to look


class Webhook:
    """`status` is what it answers, `hang` for how many seconds it does not; `messages` is what it took."""

    def __init__(self):
        self.messages, self.begun, self.refused, self.status, self.hang = [], 0, 0, 200, 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                assert list(body) == ["text"] and self.headers["Content-Type"] == "application/json"
                outer.begun += 1
                time.sleep(outer.hang)
                if outer.status == 200:
                    outer.messages.append(body["text"])
                else:
                    outer.refused += 1
                self.send_response(outer.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/services/T0/B0/s3cret-token"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def clear(self):
        self.messages.clear()
        self.begun = self.refused = 0

    def count(self, words):
        return sum(words in m for m in self.messages)

    def wait(self, words, timeout=WITHIN_S):
        wait_until(lambda: self.count(words), timeout, f"a message with '{words}' among {self.messages}")
