"""One connection, from its first byte to its last."""
import datetime

from . import convert, nodes, sql, tokens
from .catalog import NAME, OBJECT_ID
from .errors import SqlError, known
from .faults import Trap, strike
from .login import NOT_SUP, Login, agree_encryption, build_prelogin, parse_prelogin
from .values import INT, SqlType, read_parameter
from .wire import (ANSWER, ATTENTION, BATCH, LOGIN7, PRELOGIN, RPC, TRANSACTION, Answer, Cancelled, PeerGone, ProtocolError, Reader,
                   Transport)

VERSION_TEXT = "Microsoft SQL Azure (RTM) - 12.0.2000.8 \n\tStand-in for tests"
SP_EXECUTESQL = 10
CHUNK_ROWS = 64
# Kinds of fault that change the rows of an answer rather than its bytes.
OF_ROWS = ("null", "duplicate", "previous", "count")


class Session:
    def __init__(self, server, listener, sock, spid):
        self.server, self.listener, self.spid = server, listener, spid
        self.transport = Transport(sock)
        self.packet_size, self.login, self.descriptor, self.begun = 4096, None, 0, 0
        self.record = {"what": "login", "connection": spid, "ended": "answering"}

    def run(self):
        server = self.server
        try:
            self._run()
        except PeerGone as e:
            self.record["ended"] = str(e) if self.record["ended"] == "answering" else self.record["ended"]
        except ProtocolError as e:
            server.problems.append(str(e))
            self.record["ended"] = f"protocol error: {e}"
            self._refuse(SqlError(4002, f"The incoming tabular data stream (TDS) protocol stream is incorrect: {e}"[:500], 16))
        finally:
            self.transport.close()

    def _refuse(self, error):
        try:
            answer = Answer(self.transport, self.packet_size, self.spid)
            answer.write(tokens.error(error) + tokens.done(tokens.ERROR))
            answer.end()
        except PeerGone:
            pass

    def _run(self):
        self._strike("accept")
        self.server.asked.append(self.record)
        if not self._begin():
            return
        self.record["ended"] = "done"
        while True:
            kind, body = self.transport.read_message(self.packet_size)
            if kind == ATTENTION:
                self._acknowledge()
                continue
            if kind not in (BATCH, RPC, TRANSACTION):
                raise ProtocolError(f"message of type 0x{kind:02x} after the login", body)
            if not self._request(kind, body):
                return

    def _strike(self, stage):
        fault = self.server.faults.take(stage)
        if fault is not None:
            strike(fault, self.transport)

    # PRELOGIN, TLS, LOGIN7

    def _begin(self):
        kind, body = self.transport.read_message()
        if kind != PRELOGIN:
            raise ProtocolError(f"message of type 0x{kind:02x} where PRELOGIN was expected", body)
        asked = parse_prelogin(body)[1][0]
        self._strike("prelogin")
        said, tls, admitted = agree_encryption(self.listener.encryption, asked)
        self.record["encryption"] = tls
        self.transport.write_message(ANSWER, build_prelogin(said))
        if not admitted:
            self.record["ended"] = "refused: encryption"
            return False
        if tls != "nothing":
            self.transport.handshake(self.listener.context, lambda: self._strike("tls"))
        elif asked != NOT_SUP and said != NOT_SUP:
            raise ProtocolError("no encryption agreed")
        kind, body = self.transport.read_message()
        if kind != LOGIN7:
            raise ProtocolError(f"message of type 0x{kind:02x} where LOGIN7 was expected", body)
        if tls == "login":
            self.transport.end_tls()
        self.login = Login(body)
        self.record.update(self.login.as_record())
        return self._admit()

    def _admit(self):
        fault = self.server.faults.take("login")
        trap = Trap(fault, self._words(fault)) if fault is not None and fault.kind != "redirect" else None
        answer = Answer(self.transport, 4096, self.spid, trap)
        try:
            self._check_login()
            answer.write(b"")
            route = self.listener.route
            if fault is not None and fault.kind == "redirect":
                fault.hits += 1
                route = fault.host, fault.port
            answer.write(self._greeting(route))
            answer.end()
        except SqlError as e:
            self.record["ended"] = f"error {e.number}"
            self._refuse(e)
            return False
        if route is not None:
            self.record["ended"] = "redirected"
            return False
        return True

    def _words(self, fault):
        return {"database": self.login.database, "server": self.login.server.split(".")[0], "user": self.login.user,
                "address": fault.address}

    def _check_login(self):
        account, login = self.server.account, self.login
        if (login.user, login.password) != (account["user"], account["password"]):
            raise known(18456, user=login.user)
        if login.database.lower() not in ("", account["database"].lower()):
            raise known(4060, database=login.database)

    def _greeting(self, route):
        login, database = self.login, self.server.account["database"]
        limit = 16383 if self.transport.tls is not None else 32767
        size = min(login.packet_size or 4096, limit)
        out = tokens.envchange(1, database, "master") + tokens.info(5701, f"Changed database context to '{database}'.")
        out += tokens.collation() + tokens.envchange(2, "us_english")
        out += tokens.info(5703, "Changed language setting to us_english.", 1)
        if route is not None:
            out += tokens.routing(*route)
        out += tokens.login_ack() + tokens.envchange(4, str(size), "4096")
        if login.flags3 & 0x10:
            out += tokens.features(login.features)
        self.packet_size = size
        return out + tokens.done()

    # requests

    def _request(self, kind, body):
        """Answers one; false when the connection ends with it."""
        self.record = {"what": {BATCH: "batch", RPC: "rpc", TRANSACTION: "transaction"}[kind], "connection": self.spid,
                       "sql": None, "parameters": None, "rows": 0, "bytes": 0, "ended": "answering"}
        reader = Reader(body, self.record["what"])
        self._read_headers(reader)
        if kind == TRANSACTION:
            self._transaction_request(reader)
            return True
        failure, statements, variables = None, [], {}
        try:
            text, variables = (reader.text(reader.left() // 2), {}) if kind == BATCH else self._read_rpc(reader)
            if reader.left():
                raise reader.wrong("bytes left over")
            self.record["sql"] = text
            self.server.asked.append(self.record)
            fault = self.server.faults.take("answer", text)
            if fault is not None and fault.kind == "do":
                fault.hits += 1
                for command in fault.commands:
                    self.server.command(command)
                fault = None
            statements = sql.parse(text)
        except SqlError as e:
            if self.record["sql"] is None:
                self.server.asked.append(self.record)
            failure, fault = e, None
        return self._answer(statements, variables, kind == RPC, fault, failure)

    def _read_headers(self, reader):
        total = reader.u32()
        if total < 4 or total - 4 > reader.left():
            raise reader.wrong("ALL_HEADERS longer than the message")
        end = reader.at + total - 4
        while reader.at < end:
            length, kind = reader.u32(), reader.u16()
            if length < 6:
                raise reader.wrong(f"a header of {length} bytes")
            if kind != 2:
                reader.take(length - 6)
                continue
            if length != 18:
                raise reader.wrong("a transaction descriptor that is none")
            descriptor, outstanding = reader.u64(), reader.u32()
            if descriptor != self.descriptor or outstanding != 1:
                raise reader.wrong(f"transaction {descriptor} where {self.descriptor} is open")
        if reader.at != end:
            raise reader.wrong("ALL_HEADERS of wrong length")

    def _read_rpc(self, reader):
        """(statement, variables) of sp_executesql."""
        chars = reader.u16()
        name = reader.u16() if chars == 0xFFFF else reader.text(chars).lower()
        if reader.u16() & ~0x3:
            raise reader.wrong("options")
        given = []
        while reader.left():
            parameter = reader.text(reader.u8()).lower()
            if reader.u8() & ~0x3:
                raise reader.wrong("a parameter's status")
            given.append((parameter, *read_parameter(reader)))
        if name not in (SP_EXECUTESQL, "sp_executesql", "sys.sp_executesql"):
            raise SqlError(2812, f"Could not find stored procedure '{name}'.", 16, 62)
        if not given or given[0][1].family != "text" or len(given) > 1 and given[1][1].family != "text":
            raise SqlError(214, "Procedure expects parameter '@statement' of type 'ntext/nchar/nvarchar'.")
        declared = sql.parse_declarations(given[1][2] or "") if len(given) > 1 else {}
        variables, names = {}, list(declared)
        for i, (parameter, t, value) in enumerate(given[2:]):
            key = parameter or (names[i] if i < len(names) else "")
            if key not in declared:
                raise SqlError(8145, f"{parameter} is not a parameter for procedure sp_executesql.")
            variables[key] = (declared[key], convert.convert(value, t, declared[key]))
        missing = [n for n in declared if n not in variables]
        if missing:
            raise SqlError(8178, f"The parameterized query expects the parameter '{missing[0]}', which was not supplied.")
        self.record["parameters"] = {n: None if v is None else convert.text_of(v, t) for n, (t, v) in variables.items()}
        return given[0][2] or "", variables

    def _transaction_request(self, reader):
        kind = reader.u16()
        answer = Answer(self.transport, self.packet_size, self.spid)
        try:
            if kind == 5:
                answer.write(self._begin_transaction() + tokens.done())
            elif kind in (7, 8):
                reader.take(reader.u8())
                begin_again = reader.left() > 0 and reader.u8() & 1
                answer.write(self._end_transaction(kind == 7) + (self._begin_transaction() if begin_again else b"")
                             + tokens.done())
            else:
                raise reader.wrong(f"transaction request {kind}")
        except SqlError as e:
            answer.write(tokens.error(e) + tokens.done(tokens.ERROR))
        answer.end()

    def _begin_transaction(self):
        self.begun += 1
        self.descriptor = self.spid << 32 | self.begun
        return tokens.transaction(8, self.descriptor)

    def _end_transaction(self, commit):
        descriptor, self.descriptor = self.descriptor, 0
        if not descriptor:
            word = "COMMIT" if commit else "ROLLBACK"
            raise SqlError(3902 if commit else 3903, f"The {word} TRANSACTION request has no corresponding BEGIN TRANSACTION.")
        return tokens.transaction(9 if commit else 10, descriptor)

    # answers

    def _answer(self, statements, variables, is_rpc, fault, failure):
        trap = Trap(fault, self._words(fault)) if fault is not None and fault.kind not in OF_ROWS else None
        answer = Answer(self.transport, self.packet_size, self.spid, trap)
        last = tokens.DONEPROC if is_rpc else tokens.DONE
        try:
            if failure is not None:
                raise failure
            self._run_statements(answer, statements, variables, is_rpc, fault)
            answer.end()
            self.record["ended"] = "done"
        except SqlError as e:
            self.record["ended"] = f"error {e.number}"
            answer.trap = None
            answer.write(tokens.error(e) + tokens.done(tokens.ERROR, token=last))
            answer.end()
            return e.severity < 20
        except Cancelled:
            self.record["ended"] = "cancelled"
            answer.trap = None
            answer.write(tokens.done(token=last))
            answer.end()
            self._acknowledge()
        finally:
            self.record["bytes"] = answer.bytes
            self.transport.slow = None
        return True

    def _acknowledge(self):
        answer = Answer(self.transport, self.packet_size, self.spid)
        answer.write(tokens.done(tokens.ATTN))
        answer.end()

    def _run_statements(self, answer, statements, variables, is_rpc, fault):
        token = tokens.DONEINPROC if is_rpc else tokens.DONE
        answer.write(b"")
        for i, statement in enumerate(statements):
            more = tokens.MORE if is_rpc or i < len(statements) - 1 else 0
            if isinstance(statement, nodes.Select):
                result = self.server.engine.select(statement, variables, self)
                self._send(answer, result, fault, more, token)
                continue
            out = b""
            if isinstance(statement, nodes.Begin):
                out = self._begin_transaction()
            elif isinstance(statement, nodes.End) and (self.descriptor or not statement.guarded):
                out = self._end_transaction(statement.commit)
            elif isinstance(statement, nodes.Set) and statement.database:
                self._use(statement.database)
            answer.write(out + tokens.done(more, token=token))
        if is_rpc:
            answer.write(tokens.return_status() + tokens.done(token=tokens.DONEPROC))
        elif not statements:
            answer.write(tokens.done())

    def _use(self, database):
        if database.lower() != self.server.account["database"].lower():
            raise SqlError(911, f"Database '{database}' does not exist. Make sure that the name is entered correctly.")

    def _send(self, answer, result, fault, more, token):
        rows, off = result.rows, 0
        if fault is not None and fault.kind in OF_ROWS:
            rows, off = self._spoil(fault, result)
        answer.write(result.layout.metadata())
        at, trap = 0, answer.trap
        stop = trap.row if trap is not None and trap.row is not None else None
        while at < len(rows):
            end = at + CHUNK_ROWS
            if stop is not None:
                answer.spring_at_row(at)
                if at < stop < end:
                    end = stop
            self.record["rows"] = min(end, len(rows))
            answer.write(b"".join(rows[at:end]))
            at = min(end, len(rows))
        if stop is not None:
            answer.spring_at_row(at)
        if rows:
            result.layout.last_row = rows[-1]
        answer.write(tokens.done(more | tokens.COUNT, len(rows) + off, tokens.SELECT, token))

    def _spoil(self, fault, result):
        """The rows as a fault wants them, and how far the row count is to be off."""
        rows, n = list(result.rows), fault.row or 0
        missed = n >= len(rows) if fault.kind in ("null", "duplicate") else fault.kind == "previous" and not result.layout.last_row
        if missed:
            return rows, 0
        fault.hits += 1
        if fault.kind == "count":
            return rows, fault.by
        if fault.kind == "previous":
            rows.insert(0, result.layout.last_row)
        elif fault.kind == "duplicate":
            rows.insert(n, rows[n])
        else:
            names = [name.lower() for name, _, _ in result.layout.columns]
            values = list(result.values(n))
            values[names.index(fault.column.lower())] = None
            rows[n] = result.layout.row(values)
        return rows, 0

    # words about the session

    def system(self, name):
        """Type and value of @@name."""
        known_ = {"@@version": (NAME, VERSION_TEXT), "@@spid": (SqlType("smallint"), self.spid),
                  "@@servername": (NAME, tokens.SERVER), "@@trancount": (INT, int(self.descriptor != 0)),
                  "@@microsoftversion": (INT, 0x0C0007D0)}
        if name not in known_:
            raise SqlError(137, f"Must declare the scalar variable \"{name}\".", 15, 2)
        return known_[name]

    def call(self, name, args):
        """(type, value) of a function that is not about values alone, or None."""
        now = datetime.datetime.now(datetime.timezone.utc) - datetime.datetime(1, 1, 1, tzinfo=datetime.timezone.utc)
        ticks = (now.days * 86400 + now.seconds) * 10_000_000 + now.microseconds * 10
        if name in ("SYSUTCDATETIME", "GETUTCDATE", "GETDATE") and not args:
            return (SqlType("datetime2", scale=7) if name == "SYSUTCDATETIME" else SqlType("datetime")), ticks
        if name == "DB_NAME" and not args:
            return NAME, self.server.account["database"]
        if name == "OBJECT_ID" and args:
            wanted = str(args[0]).replace("[", "").replace("]", "").lower().rsplit(".", 1)[-1]
            return INT, OBJECT_ID if wanted == self.server.store.name.lower() else None
        return None
