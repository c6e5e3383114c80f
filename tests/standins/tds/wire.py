"""The transport: TDS packets over TCP, TLS inside them or under them, messages in and answers out."""
import select
import socket
import ssl
import struct
import time

BATCH, RPC, ANSWER, ATTENTION, TRANSACTION, LOGIN7, PRELOGIN = 0x01, 0x03, 0x04, 0x06, 0x0E, 0x10, 0x12
EOM = 0x01
FIRST_PACKET_SIZE = 4096
MAX_MESSAGE_BYTES = 32 << 20


class ProtocolError(Exception):
    """The client broke the protocol: what was wrong, and the bytes it was seen in."""

    def __init__(self, text, data=b""):
        super().__init__(text + (f" in {bytes(data[:512]).hex(' ')}" if data else ""))


class PeerGone(Exception):
    """The client closed the connection, or it broke."""


class Cancelled(Exception):
    """The client sent ATTENTION while it was being answered."""


class Reader:
    """Takes a message apart; every step is checked against what is there."""

    def __init__(self, data, what):
        self.data, self.what, self.at = data, what, 0

    def wrong(self, text):
        return ProtocolError(f"{self.what}: {text} at byte {self.at}", self.data)

    def take(self, n):
        if n < 0 or self.at + n > len(self.data):
            raise self.wrong(f"{n} bytes wanted where {len(self.data) - self.at} are left")
        piece = bytes(self.data[self.at:self.at + n])
        self.at += n
        return piece

    def _number(self, form, size):
        return struct.unpack(form, self.take(size))[0]

    def u8(self):
        return self._number("<B", 1)

    def u16(self):
        return self._number("<H", 2)

    def u32(self):
        return self._number("<I", 4)

    def u64(self):
        return self._number("<Q", 8)

    def text(self, chars):
        try:
            return self.take(2 * chars).decode("utf-16-le")
        except UnicodeDecodeError:
            raise self.wrong("text that is not UTF-16") from None

    def left(self):
        return len(self.data) - self.at


class Transport:
    """Bytes from and to one client."""

    def __init__(self, sock):
        self.sock, self.tls, self.buffer = sock, None, bytearray()
        self.resets, self.abandoned = False, False
        self.slow = None  # (bytes, seconds): so many at a time, so far apart
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def read(self, n):
        while len(self.buffer) < n:
            self._fill()
        data = bytes(self.buffer[:n])
        del self.buffer[:n]
        return data

    def readable(self, seconds):
        """Whether something has come, or the client has gone, within that time (None: for ever)."""
        return bool(self.buffer) or bool(select.select([self.sock], [], [], seconds)[0])

    def check_gone(self):
        """Raises when the client has closed the connection; takes nothing of what it sent."""
        try:
            if self.abandoned or not self.buffer and not self.sock.recv(1, socket.MSG_PEEK):
                raise PeerGone("closed by the client")
        except OSError as e:
            raise PeerGone(str(e)) from None

    def write(self, data):
        if self.slow is not None:
            size, pause = self.slow
            at = 0
            while at < len(data) and not self.readable(0):
                self._write(data[at:at + size])
                at += size
                time.sleep(pause)
            data = data[at:]
        if data:
            self._write(data)

    def _write(self, data):
        if self.abandoned:
            raise PeerGone("disconnected")
        try:
            if self.tls is None:
                self.sock.sendall(data)
                return
            self.tls.write(data)
            self.sock.sendall(self.outgoing.read())
        except (OSError, ssl.SSLError) as e:
            raise PeerGone(str(e)) from None

    def _fill(self):
        data = self._receive()
        if self.tls is None:
            self.buffer += data
            return
        self.incoming.write(data)
        try:
            while True:
                piece = self.tls.read(65536)
                if not piece:
                    raise PeerGone("TLS closed")
                self.buffer += piece
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as e:
            raise PeerGone(f"TLS: {e}") from None

    def _receive(self):
        try:
            data = self.sock.recv(65536)
        except OSError as e:
            raise PeerGone(str(e)) from None
        if not data or self.abandoned:
            raise PeerGone("closed by the client" if not self.abandoned else "disconnected")
        return data

    def read_packet(self, limit):
        """(type, status, body) of one packet."""
        head = self.read(8)
        kind, status, length, _, _, window = struct.unpack(">BBHHBB", head)
        if kind not in (BATCH, RPC, ATTENTION, TRANSACTION, LOGIN7, PRELOGIN):
            raise ProtocolError(f"packet of unknown type 0x{kind:02x}", head)
        if status & ~0x19:
            raise ProtocolError(f"packet with status 0x{status:02x}", head)
        if not 8 <= length <= limit:
            raise ProtocolError(f"packet of {length} bytes where at most {limit} were agreed", head)
        if window:
            raise ProtocolError("packet whose window is not 0", head)
        return kind, status, self.read(length - 8)

    def read_message(self, limit=FIRST_PACKET_SIZE):
        """(type, body) of one message, whole."""
        kind, status, body = self.read_packet(limit)
        while not status & EOM:
            more, status, piece = self.read_packet(limit)
            if more != kind:
                raise ProtocolError(f"packet of type 0x{more:02x} inside a message of type 0x{kind:02x}")
            body += piece
            if len(body) > MAX_MESSAGE_BYTES:
                raise ProtocolError("endless message")
        return kind, body

    def write_message(self, kind, body, limit=FIRST_PACKET_SIZE):
        room, number = limit - 8, 1
        while True:
            piece, body = body[:room], body[room:]
            self.write(struct.pack(">BBHHBB", kind, 0 if body else EOM, len(piece) + 8, 0, number & 0xFF, 0) + piece)
            number += 1
            if not body:
                return

    def handshake(self, context, stall=None):
        """TLS, its records carried in PRELOGIN packets. stall(), if given, is called after the client's first."""
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        while True:
            kind, body = self._handshake_message()
            if stall is not None:
                stall()
            self.incoming.write(body)
            try:
                tls.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                done = False
            except ssl.SSLError as e:
                raise PeerGone(f"TLS: {e.reason or e}") from None
            flight = self.outgoing.read()
            if flight:
                self.write_message(PRELOGIN, flight)
            if done:
                self.tls = tls
                return

    def _handshake_message(self):
        kind, body = self.read_message()
        if kind != PRELOGIN:
            raise ProtocolError(f"message of type 0x{kind:02x} in the TLS handshake", body)
        return kind, body

    def end_tls(self):
        """Back to plain after the login packet, as ENCRYPT_OFF wants."""
        if self.buffer or self.incoming.pending:
            raise ProtocolError("bytes behind the login packet")
        self.tls = None

    def close(self):
        """FIN; or RST, when the connection was marked for it."""
        if not self.resets:
            try:
                self.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.sock.close()

    def mark_reset(self):
        self.resets = True
        try:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass

    def abandon(self, reset):
        """From another thread: the session finds its client gone, whatever that sends now, and closes."""
        self.abandoned = True
        if reset:
            self.mark_reset()
        try:
            self.sock.shutdown(socket.SHUT_RD if reset else socket.SHUT_RDWR)
        except OSError:
            pass


class Answer:
    """One answer on its way: cuts tokens into packets, looks for ATTENTION between them, springs the trap."""

    def __init__(self, transport, packet_size, spid, trap=None):
        self.transport, self.packet_size, self.spid = transport, packet_size, spid
        self.trap, self.pending, self.number, self.bytes = trap, bytearray(), 0, 0

    def write(self, data):
        """Whole tokens. Raises Cancelled when they are on their way and an ATTENTION has come."""
        trap = self.trap
        if trap is not None and trap.byte is not None and self.bytes + len(data) > trap.byte:
            at = trap.byte - self.bytes
            self._put(data[:at])
            self.trap = None
            trap.spring(self)
            data = data[at:]
        self._put(data)
        if len(self.pending) > self.packet_size - 8:
            self._send_full()
            self.check_attention()

    def spring_at_row(self, row):
        if self.trap is not None and self.trap.row is not None and row >= self.trap.row:
            trap, self.trap = self.trap, None
            trap.spring(self)

    def _put(self, data):
        self.pending += data
        self.bytes += len(data)

    def header(self, length, last):
        self.number += 1
        return struct.pack(">BBHHBB", ANSWER, EOM if last else 0, length + 8, self.spid, self.number & 0xFF, 0)

    def _send_full(self):
        room, at, out = self.packet_size - 8, 0, bytearray()
        while len(self.pending) - at > room:
            out += self.header(room, False)
            out += self.pending[at:at + room]
            at += room
        del self.pending[:at]
        self.transport.write(out)

    def flush(self):
        """What there is, as a packet that is not the last."""
        self._send_full()
        if self.pending:
            self.transport.write(self.header(len(self.pending), False) + self.pending)
            self.pending.clear()

    def end(self):
        if self.trap is not None and self.trap.byte is not None and self.trap.byte <= self.bytes:
            trap, self.trap = self.trap, None
            trap.spring(self)
        self._send_full()
        self.transport.write(self.header(len(self.pending), True) + self.pending)
        self.pending.clear()

    def check_attention(self):
        if self.transport.readable(0):
            self.take_attention()

    def take_attention(self):
        """Reads the packet that has come: only ATTENTION may, in an answer. Raises Cancelled."""
        kind, _, body = self.transport.read_packet(self.packet_size)
        if kind != ATTENTION or body:
            raise ProtocolError(f"packet of type 0x{kind:02x} in the middle of an answer", body)
        raise Cancelled()
