"""Certificates of a private CA, TLS before a stand-in that has none, and programs that trust that CA."""
import contextlib
import os
import pathlib
import socket
import socketserver
import ssl
import subprocess
import threading

# `openssl ca` alone can set the times.
CA_CONFIG = """[ca]
default_ca = own
[own]
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
copy_extensions = copy
policy = any
[any]
commonName = supplied
"""


class Certificates:
    """A CA, and what servers show: signed by it for localhost, for another host, for a time that is over, and by nobody
    known."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self._make("ca", "Test CA", "-x509", "-addext", "basicConstraints=critical,CA:TRUE", "-addext",
                   "keyUsage=critical,keyCertSign,cRLSign")
        self.ca_file = self.directory / "ca.pem"
        ca = ["-x509", "-addext", "basicConstraints=critical,CA:FALSE", "-CA", "ca.pem", "-CAkey", "ca.key"]
        here = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        self._make("good", "localhost", *ca, *here)
        self._make("wronghost", "elsewhere.example", *ca, "-addext", "subjectAltName=DNS:elsewhere.example")
        self._make("untrusted", "localhost", "-x509", *here)
        self._make("expired", "localhost", *here)
        self._date("expired", "20200101000000Z", "20200102000000Z")

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.directory, check=True, capture_output=True)

    def _make(self, name, subject, *more):
        """A key and a certificate, or without -x509 the request for one."""
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                      f"/CN={subject}", "-keyout", f"{name}.key", "-out", f"{name}.pem", *more)

    def _date(self, name, start, end):
        """Turns the request into a certificate that was good from `start` to `end`."""
        (self.directory / "ca.conf").write_text(CA_CONFIG)
        (self.directory / "index.txt").touch()
        request = (self.directory / f"{name}.pem").rename(self.directory / f"{name}.csr")
        self._openssl("ca", "-batch", "-notext", "-config", "ca.conf", "-cert", "ca.pem", "-keyfile", "ca.key", "-in", request.name,
                      "-out", f"{name}.pem", "-startdate", start, "-enddate", end)

    def pair(self, name):
        return {"cert": str(self.directory / f"{name}.pem"), "key": str(self.directory / f"{name}.key")}


class _Connection(socketserver.BaseRequestHandler):
    def handle(self):
        with contextlib.suppress(OSError):
            self.carry(self.server)
        self.server.ended += 1

    def carry(self, front):
        with front.context.wrap_socket(self.request, server_side=True) as tls, \
                socket.create_connection(("127.0.0.1", front.target)) as back:
            front.connections.append(tls)
            threading.Thread(target=self.answer, args=(back, tls), daemon=True).start()
            while data := tls.recv(65536):
                front.received += data
                back.sendall(data)
            back.shutdown(socket.SHUT_WR)

    @staticmethod
    def answer(back, tls):
        with contextlib.suppress(OSError):
            while data := back.recv(65536):
                tls.sendall(data)
            tls.shutdown(socket.SHUT_RDWR)


class TlsFront(socketserver.ThreadingTCPServer):
    """TLS on a port of its own before 127.0.0.1:`target`. `received` is what came through, `ended` the number of connections
    that are over, those that never began to talk among them."""
    daemon_threads = True

    def __init__(self, certificates, target):
        super().__init__(("127.0.0.1", 0), _Connection)
        self.certificates, self.target, self.connections = certificates, target, []
        self.show("good")

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *unused):
        self.shutdown()
        self.server_close()

    def show(self, name):
        """This certificate from now on: connections that are open end, and nothing is seen so far."""
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(**dict(zip(("certfile", "keyfile"), self.certificates.pair(name).values())))
        self.context, self.received, self.ended, self.connections = context, b"", 0, []

    @property
    def port(self):
        return self.server_address[1]


def trusting(ca_file, program, directory):
    """A program that starts `program` where the system's certificates are this CA alone; None where that can't be done."""
    how = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]
    inside = f"mount -t tmpfs certificates /etc/ssl/certs && cp '{ca_file}' /etc/ssl/certs/ca-certificates.crt"
    if subprocess.run([*how, "sh", "-c", inside], capture_output=True).returncode != 0:
        return None
    script = pathlib.Path(directory) / f"trusting-{pathlib.Path(program).name}"
    script.write_text(f"""#!/bin/sh
exec {' '.join(how)} sh -c "{inside} && exec '{program}' \\"\\$@\\"" sh "$@"
""")
    script.chmod(0o755)
    return script
