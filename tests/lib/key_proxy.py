"""A proxy that adds a credential to every request, for programs that cannot send one. Everything else passes as it is."""
import socket
import threading


class KeyProxy:
    def __init__(self, port, key):
        self.target, self.line = ("127.0.0.1", port), f"Authorization: Bearer {key}\r\nConnection: close\r\n".encode()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        """One request a connection: its head gets two lines more."""
        with client, socket.create_connection(self.target) as server:
            try:
                head = b""
                while b"\r\n\r\n" not in head:
                    more = client.recv(65536)
                    if not more:
                        return
                    head += more
                lines, rest = head.split(b"\r\n\r\n", 1)
                first, *others = lines.split(b"\r\n")
                kept = [h for h in others if not h.lower().startswith((b"connection:", b"authorization:"))]
                server.sendall(b"\r\n".join([first, *kept]) + b"\r\n" + self.line + b"\r\n" + rest)
                threading.Thread(target=self._pass, args=(client, server), daemon=True).start()
                self._pass(server, client)
            except OSError:
                pass

    @staticmethod
    def _pass(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
