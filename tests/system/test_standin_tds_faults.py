"""The faults of the stand-in of SQL Server, as clients that are not ours see them: each at its place, and nothing else broken."""
import socket
import subprocess
import time

import pymssql
import pytds
import pytest

from lib.rawtds import ATTENTION, BATCH, RawTds, batch
from lib.sales import line, shop
from lib.tds import SqlServer
from lib.wait import FACTOR, wait_until

SQL = "SELECT order_id, sku FROM vw_Combined_Sales ORDER BY order_date, order_id"
MINE = "FROM vw_Combined_Sales"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with SqlServer(tmp_path_factory.mktemp("tds"), encryption="off") as source:
        yield source


@pytest.fixture
def source(server):
    server.reset()
    server.rows = shop(60)
    yield server
    assert server.problems() == []


class Pymssql:
    """FreeTDS. Its smallest time-out is a second."""
    errors = pymssql.Error
    timeout = 1

    def __init__(self, source):
        self.connection = pymssql.connect(server=source.host, port=source.port, user=source.user, password=source.password,
                                          database=source.database, tds_version="7.3", autocommit=True,
                                          timeout=self.timeout, login_timeout=int(3 * FACTOR))


class Pytds:
    errors = (pytds.Error, OSError, ValueError)

    def __init__(self, source):
        self.connection = pytds.connect(source.host, source.database, source.user, source.password, port=source.port,
                                        autocommit=True, timeout=FACTOR, login_timeout=3 * FACTOR)


def ask(source, client, sql=SQL):
    """(rows that came, the error or None, the connection)"""
    connection, rows = client(source).connection, []
    cursor = connection.cursor()
    try:
        cursor.execute(sql)
        for row in cursor:
            rows.append(row)
        return rows, None, connection
    except client.errors as e:
        return rows, e, connection


def whole(source):
    rows, error, connection = ask(source, Pytds)
    connection.close()
    assert error is None
    return rows


def wait_ended(source, how):
    def last():
        mine = [a for a in source.asked() if MINE in (a.get("sql") or "")]
        return mine and mine[-1]["ended"] == how
    wait_until(last, 10, f"a request ended as {how}")


BREAKS = [  # what, what pymssql says of it, how the stand-in notes it
    ({"kind": "fin", "row": 50}, "20017", "fault fin"), ({"kind": "fin", "byte": 1501}, "20017", "fault fin"),
    ({"kind": "rst", "row": 50}, "20047", "fault rst"), ({"kind": "drop"}, "20017", "fault drop"),
    ({"kind": "truncate", "row": 50}, "20017", "fault truncate"), ({"kind": "truncate", "byte": 3}, "20017", "fault truncate"),
    ({"kind": "garbage", "row": 50}, "20020", "fault garbage"), ({"kind": "garbage", "byte": 0}, "20020", "fault garbage"),
    ({"kind": "error", "number": 1205, "row": 50}, "deadlock victim", "error 1205"),
    ({"kind": "error", "number": 40501, "row": 50}, "40501", "error 40501"),
    ({"kind": "error", "number": 8134, "row": 0}, "Divide by zero", "error 8134"),
    ({"kind": "error", "number": 50000, "text": "own words"}, "own words", "error 50000")]


@pytest.mark.parametrize("fault, words, noted", BREAKS, ids=lambda v: "-".join(map(str, v.values())) if isinstance(v, dict) else "")
@pytest.mark.parametrize("client", [Pymssql, Pytds])
def test_answers_that_break(source, client, fault, words, noted):
    """Never more rows than were before the place, always an error, and the next time all is well."""
    everything = whole(source)
    hit = source.fault(sql=MINE, **fault)
    rows, error, connection = ask(source, client)
    assert error is not None and hit.hits() == 1
    assert rows == everything[:len(rows)] and len(rows) <= fault.get("row", 100)
    if client is Pymssql:
        assert words in str(error)
    if fault["kind"] in ("fin", "error") and client is Pytds and fault.get("row"):
        assert len(rows) == 50
    wait_ended(source, noted)
    connection.close()
    assert whole(source) == everything


@pytest.mark.parametrize("number, alive", [(1205, True), (8134, True), (40501, False)])
def test_an_error_in_mid_result_keeps_the_connection_below_class_20(source, number, alive):
    source.fault("error", sql=MINE, number=number, row=20)
    rows, error, connection = ask(source, Pytds)
    assert len(rows) == 20 and error.number == number
    cursor = connection.cursor()
    if alive:
        cursor.execute("SELECT 1")
        assert cursor.fetchall() == [(1,)]
    else:
        with pytest.raises(Pytds.errors):
            cursor.execute("SELECT 1")
    connection.close()


@pytest.mark.parametrize("place", [{}, {"row": 50}, {"byte": 1000}])
def test_hang_until_the_client_gives_up(source, place):
    """ATTENTION is answered, and the connection serves on: pytds says so. FreeTDS as pymssql uses it hangs up."""
    hit = source.fault("hang", sql=MINE, times=2, **place)
    rows, error, connection = ask(source, Pytds)
    assert isinstance(error, TimeoutError) and len(rows) <= 60
    wait_ended(source, "cancelled")
    cursor = connection.cursor()
    cursor.execute("SELECT 1")
    assert cursor.fetchall() == [(1,)]
    connection.close()
    rows, error, _ = ask(source, Pymssql)
    assert "20003" in str(error) and len(rows) <= 60
    assert hit.hits() == 2
    wait_until(lambda: hit.waiting() == 0, 5, "the session ended with its client")


def test_a_deaf_server(source):
    hit = source.fault("hang", sql=MINE, row=10, deaf=True)
    _, error, connection = ask(source, Pytds)
    assert isinstance(error, TimeoutError)
    assert hit.waiting() == 1
    with pytest.raises(TimeoutError):
        connection.cursor().execute("SELECT 1")
    connection.close()
    wait_until(lambda: hit.waiting() == 0, 5, "the session ended with its client")


def test_hang_for_a_while_and_until_released(source):
    everything = whole(source)
    source.fault("hang", sql=MINE, row=50, seconds=0.1)
    assert whole(source) == everything
    hit = source.fault("hang", sql=MINE, row=50)
    with RawTds(source_plain(source)) as raw:
        raw.send(BATCH, batch(SQL))
        hit.wait_waiting()
        hit.release()
        assert raw.message().count(b"\xd1") >= len(everything)


def source_plain(source):
    source.set(encryption="unsupported")
    return source


def test_attention_is_answered_by_two_messages(source):
    """The answer ends first, with all of the row it was in; then comes DONE with the ATTENTION bit alone."""
    hit = source.fault("hang", sql=MINE, byte=777)
    with RawTds(source_plain(source)) as raw:
        raw.send(BATCH, batch(SQL))
        hit.wait_waiting()
        raw.send(ATTENTION, b"")
        first, second = raw.message(), raw.message()
        assert first[-13:-8] == b"\xfd\0\0\xfd\0" and second == b"\xfd\x20\0\xfd\0" + bytes(8)
        raw.send(BATCH, batch("SELECT 1"))
        assert raw.message()[0] == 0x81


def test_attention_while_rows_are_coming(source):
    """Without any fault: found between packets."""
    source.rows = shop(300)
    source.add_column("filler", "nvarchar(max)", "x" * 40_000)
    with RawTds(source_plain(source)) as raw:
        raw.send(BATCH, batch("SELECT * FROM vw_Combined_Sales"))
        raw.packet()
        raw.send(ATTENTION, b"")
        raw.message()
        assert raw.message()[:3] == b"\xfd\x20\0"
    record = source.asked("batch")[-1]
    assert record["ended"] == "cancelled" and 0 < record["rows"] < 600


def test_a_request_in_an_answer_is_a_breach(server):
    server.reset()
    server.rows = shop(60)
    hit = server.fault("hang", sql=MINE, row=10)
    with RawTds(source_plain(server)) as raw:
        raw.send(BATCH, batch(SQL))
        hit.wait_waiting()
        raw.send(BATCH, batch("SELECT 1"))
        with pytest.raises((EOFError, ConnectionError)):
            while True:
                raw.message()
    assert "in the middle of an answer" in server.problems()[0]
    server.reset()


def test_drip(source):
    """So many bytes at a time: slow, but whole."""
    everything = whole(source)
    source.fault("drip", sql=MINE, row=100, bytes=50, every=0.02)
    began = time.monotonic()
    assert whole(source) == everything
    assert time.monotonic() - began > 0.1


def test_rows_that_are_wrong(source):
    everything = whole(source)
    for client in (Pymssql, Pytds):
        source.clear()
        source.fault("null", sql=MINE, row=3, column="order_id")
        rows = ask(source, client)[0]
        assert rows[3] == (None, everything[3][1]) and rows[:3] + rows[4:] == everything[:3] + everything[4:]
        source.fault("duplicate", sql=MINE, row=5)
        assert ask(source, client)[0] == everything[:6] + everything[5:]
        source.fault("previous", sql=MINE)
        assert ask(source, client)[0] == everything[-1:] + everything
    source.fault("count", sql=MINE, by=-1)
    said = subprocess.run(["bsqldb", "-S", f"127.0.0.1:{source.port}", "-U", source.user, "-P", source.password, "-D",
                           source.database], input=SQL + "\ngo\n", capture_output=True, text=True, timeout=30 * FACTOR)
    assert f"{len(everything) - 1} rows affected" in said.stderr


def test_do_in_the_middle(source):
    """What changes the data at the moment of a statement."""
    source.fault("do", sql=MINE, skip=1, commands=[{"do": "add", "rows": [line(1, 1, "2000-01-01")]},
                                                   {"do": "add_column", "name": "colour", "declared": "int", "value": 3}])
    before, after, later = whole(source), whole(source), whole(source)
    assert after == later == [(1, "S1")] + before


def test_counting(source):
    """skip lets some pass, times bounds the hits, None does not; the expression chooses the statement."""
    hit = source.fault("error", sql="sku", number=1205, skip=1, times=2)
    failed = [ask(source, Pytds)[1] is not None for _ in range(5)]
    assert failed == [False, True, True, False, False] and hit.hits() == 2
    always = source.fault("error", sql="sku", number=1205, times=None)
    assert all(ask(source, Pytds)[1] for _ in range(3)) and not ask(source, Pytds, "SELECT 1")[1]
    assert always.hits() == 3
    source.clear()
    assert ask(source, Pytds)[1] is None


def test_faults_that_do_not_exist(source):
    for wrong in ({"kind": "explode"}, {"kind": "drip", "at": "tls"}, {"kind": "hang", "colour": 1},
                  {"kind": "error", "number": 1205, "byte": 9}):
        with pytest.raises(RuntimeError, match="fault"):
            source.fault(**wrong)


# logins

EARLY = [({"at": "accept", "kind": "hang"}, "20003"), ({"at": "accept", "kind": "rst"}, "20002|20009"),
         ({"at": "accept", "kind": "drop"}, "20002"), ({"at": "prelogin", "kind": "hang"}, "20003"),
         ({"at": "prelogin", "kind": "garbage"}, "20017"), ({"at": "tls", "kind": "hang"}, "20003"),
         ({"at": "tls", "kind": "fin"}, "20017"), ({"at": "login", "kind": "hang"}, "20003"),
         ({"at": "login", "kind": "hang", "byte": 30}, "20003"), ({"at": "login", "kind": "drop"}, "20017"),
         ({"at": "login", "kind": "fin", "byte": 20}, "20017"), ({"at": "login", "kind": "truncate", "byte": 20}, "20017"),
         ({"at": "login", "kind": "garbage"}, "20020")]


@pytest.mark.parametrize("at", ["accept", "prelogin", "tls", "login"])
def test_a_pause_in_the_login(source, at):
    """What the client sends meanwhile is not lost."""
    hit = source.fault("hang", at=at, seconds=0.2)
    assert ask(source, Pymssql)[1] is None and hit.hits() == 1


@pytest.mark.parametrize("fault, words", EARLY, ids=lambda v: "-".join(map(str, v.values())) if isinstance(v, dict) else "")
def test_logins_that_break(source, fault, words):
    hit = source.fault(times=1, **fault)
    with pytest.raises(pymssql.Error, match=words):
        Pymssql(source)
    assert hit.hits() == 1
    assert ask(source, Pymssql)[1] is None


REFUSALS = [(18456, "Login failed for user 'reader'"), (40613, "Database 'sales' on server"), (40501, "Retry the request after 10"),
            (49918, "Not enough resources"), (10928, "request limit"), (40615, "IP address '203.0.113.7' is not allowed"),
            (4060, 'Cannot open database "sales"'), (40532, "Cannot open server")]


@pytest.mark.parametrize("number, words", REFUSALS)
def test_logins_refused(source, number, words):
    source.fault("error", at="login", number=number)
    said = subprocess.run(["tsql", "-H", "127.0.0.1", "-p", str(source.port), "-U", source.user, "-P", source.password,
                           "-D", source.database], input="exit\n", capture_output=True, text=True,
                          timeout=30 * FACTOR)
    text = said.stdout + said.stderr
    assert f"Msg {number} " in text and words in text, text
    assert source.logins()[-1]["ended"] == f"error {number}"


def test_slow_login(source):
    source.fault("drip", at="login", bytes=20, every=0.01)
    assert ask(source, Pymssql)[1] is None


def test_redirect_once(source):
    other = source.listen(encryption="off")
    hit = source.fault("redirect", at="login", host="localhost", port=other.port)
    assert ask(source, Pymssql)[1] is None
    assert hit.hits() == 1 and [l["ended"] for l in source.logins()] == ["redirected", "done"]
    other.close()


def test_gone_and_disconnected(source):
    """All sessions ended at once; a port nobody listens on."""
    with RawTds(source_plain(source)) as raw:
        source.disconnect()
        with pytest.raises((EOFError, ConnectionError)):
            raw.send(BATCH, batch("SELECT 1"))
            raw.message()
    other = source.listen()
    other.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", other.port), 5)
