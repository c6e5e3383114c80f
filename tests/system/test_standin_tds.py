"""The stand-in of SQL Server, held against clients that are not ours: tsql and bsqldb, pymssql (both FreeTDS), python3-tds."""
import datetime
import decimal
import random
import struct
import subprocess
import uuid

import pymssql
import pytds
import pytest

from lib.rawtds import BATCH, HELLO, LOGIN7, PRELOGIN, RPC, TRANSACTION, RawTds, batch, login7
from lib.sales import line, shop
from lib.tds import SqlServer
from lib.wait import FACTOR, wait_until

D, DT = decimal.Decimal, datetime.datetime


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with SqlServer(tmp_path_factory.mktemp("tds"), encryption="unsupported") as source:
        yield source


@pytest.fixture
def source(server):
    """As new, without encryption; breaches of the protocol fail the test."""
    server.reset()
    yield server
    assert server.problems() == []


def by_pymssql(source, sql, *parameters):
    connection = pymssql.connect(server=source.host, port=source.port, user=source.user, password=source.password,
                                 database=source.database, tds_version="7.3", autocommit=True)
    try:
        cursor = connection.cursor()
        cursor.execute(sql, parameters or None)
        return cursor.fetchall()
    finally:
        connection.close()


def by_pytds(source, sql, *parameters, **options):
    with pytds.connect(source.host, source.database, source.user, source.password, port=source.port, autocommit=True,
                       **options) as connection:
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall()


def by_tsql(source, sql, port=None, conf="", host="localhost", server="127.0.0.1"):
    """What tsql prints for a statement: (rows as lists of texts, all it said)."""
    file = source.scratch / "freetds.conf"
    file.write_text(f"[{host}]\nhost = {server}\nport = {port or source.port}\ntds version = 7.4\nclient charset = UTF-8\n"
                    f"{conf}\n")
    done = subprocess.run(["tsql", "-S", host, "-U", source.user, "-P", source.password, "-D", source.database, "-o", "qh"],
                          input=sql + "\ngo\nexit\n", capture_output=True, text=True, timeout=30 * FACTOR,
                          env={"FREETDSCONF": str(file), "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"})
    return [l.split("\t") for l in done.stdout.splitlines()], done.stdout + done.stderr


def ask(source, sql, *parameters):
    return by_pytds(source, sql, *parameters)


def error_of(source, sql, *parameters):
    """(number, text) of the error a statement gets."""
    with pytest.raises(pytds.Error) as caught:
        ask(source, sql, *parameters)
    return caught.value.number, caught.value.args[0]


# values

TYPES = [  # declared, as given, as pymssql has it, as pytds has it where it differs
    ("tinyint", 200, 200), ("smallint", -300, -300), ("int", -2**31, -2**31), ("bigint", 2**63 - 1, 2**63 - 1), ("bit", 1, True),
    ("real", 1.5, 1.5), ("float", -0.1, -0.1), ("decimal(9,0)", "123456789", D("123456789")),
    ("decimal(18,2)", "-12.30", D("-12.30")), ("decimal(28,10)", "0.0000000001", D("0.0000000001")),
    ("decimal(38,4)", "-1234567890123456789012345678901234.5678", D("-1234567890123456789012345678901234.5678")),
    ("money", "-922337203685477.5808", D("-922337203685477.5808")), ("smallmoney", "-1.2345", D("-1.2345")),
    ("date", "9999-12-31", datetime.date(9999, 12, 31)), ("date", "0001-01-01", datetime.date(1, 1, 1)),
    ("time(7)", "23:59:59.1234567", datetime.time(23, 59, 59, 123000), datetime.time(23, 59, 59, 123456)),
    ("datetime2(7)", "2024-02-29T01:02:03.1234567", DT(2024, 2, 29, 1, 2, 3, 123000), DT(2024, 2, 29, 1, 2, 3, 123456)),
    ("datetime2(3)", "2024-02-29T01:02:03.123", DT(2024, 2, 29, 1, 2, 3, 123000)),
    ("datetime2(0)", "0001-01-01", DT(1, 1, 1)), ("datetime", "2024-02-29T23:59:59.997", DT(2024, 2, 29, 23, 59, 59, 997000)),
    ("smalldatetime", "2024-02-29T23:59:00", DT(2024, 2, 29, 23, 59)), ("char(5)", "ab", "ab   "),
    ("varchar(20)", "Größe", "Größe"), ("nchar(4)", "ä", "ä   "), ("nvarchar(20)", "刺繍 🧵", "刺繍 🧵"),
    ("nvarchar(20)", " ", " "), ("nvarchar(max)", "x" * 9000 + "🧵", "x" * 9000 + "🧵"), ("varchar(max)", "y" * 9000, "y" * 9000),
    ("varbinary(10)", "00ff10", b"\0\xff\x10"), ("binary(4)", "0102", b"\1\2\0\0"),
    ("varbinary(max)", "ab" * 5000, b"\xab" * 5000),
    ("uniqueidentifier", "01234567-89ab-cdef-0123-456789abcdef", uuid.UUID("01234567-89ab-cdef-0123-456789abcdef"))]


def hold_types(source, nullable):
    source.rows = [line(1, 7, "2024-01-01")]
    for i, (declared, value, *_) in enumerate(TYPES):
        source.add_column(f"c{i}", declared, value, nullable=nullable)
    return "SELECT " + ", ".join(f"c{i}" for i in range(len(TYPES))) + " FROM vw_Combined_Sales ORDER BY order_id"


@pytest.mark.parametrize("nullable", [True, False])
@pytest.mark.parametrize("client", [by_pymssql, by_pytds])
def test_every_type(source, client, nullable):
    sql = hold_types(source, nullable)
    wanted = [t[-1] if client is by_pytds else t[2] for t in TYPES]
    assert client(source, sql) == [tuple(wanted)]


@pytest.mark.parametrize("client", [by_pymssql, by_pytds])
def test_null_of_every_type(source, client):
    """One NULL among values comes in a ROW, NULLs alone in an NBCROW."""
    sql = hold_types(source, True)
    source.add([line(2, 7, "2024-01-02")])
    assert client(source, sql)[1] == (None,) * len(TYPES)
    for i in range(len(TYPES)):
        assert client(source, f"SELECT order_id, c{i} FROM vw_Combined_Sales WHERE order_id = 2") == [(2, None)]


def test_datetimeoffset(source):
    source.rows = [line(1, 7, "2024-01-01")]
    source.add_column("at", "datetimeoffset(3)", "2024-02-29T01:02:03.123+05:30")
    (at,), = ask(source, "SELECT at FROM vw_Combined_Sales")
    assert at.utcoffset() == datetime.timedelta(hours=5, minutes=30)
    assert at.replace(tzinfo=None) == DT(2024, 2, 29, 1, 2, 3, 123000)


def test_texts_of_tsql_and_bsqldb(source):
    source.rows = [line(1, None, "2024-01-02", variant_name="Ünï 🧵", latitude=-0.1, sales="12.30")]
    sql = "SELECT order_id, customer_id, variant_name, latitude, line_item_sales FROM vw_Combined_Sales"
    wanted = ["1", "NULL", "Ünï 🧵", "-0.10000000000000001", "12.30"]
    assert wanted in by_tsql(source, sql)[0]
    done = subprocess.run(["bsqldb", "-S", f"127.0.0.1:{source.port}", "-U", source.user, "-P", source.password, "-D",
                           source.database, "-t|", "-q"], input=sql + "\ngo\n", capture_output=True, text=True,
                          env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}, timeout=30 * FACTOR)
    assert "|".join(wanted) in done.stdout, done


def test_parameters_of_every_type(source):
    """sp_executesql: each value is found by itself."""
    source.rows = [line(1, 7, "2024-01-01")]
    for i, (declared, value, *client_values) in enumerate(TYPES):
        if declared.startswith(("real", "char", "nchar", "time", "binary", "varbinary", "datetime2(7)")) or declared == "datetime":
            continue  # the client pads, rounds or says it with fewer digits
        source.add_column(f"c{i}", declared, value)
        assert ask(source, f"SELECT order_id FROM vw_Combined_Sales WHERE c{i} = %s", client_values[-1]) == [(1,)], declared
        source.drop_column(f"c{i}")
    rpc = source.asked("rpc")
    assert rpc and all(r["parameters"] for r in rpc)


# queries


@pytest.fixture
def stocked(source):
    source.rows = shop(60, days=20)
    return source


def test_pages_by_key_are_the_whole(stocked):
    """TOP (n) behind the last key, with and without ties, as a reader would go through it."""
    everything = ask(stocked, "SELECT order_date, order_id, sku FROM vw_Combined_Sales ORDER BY order_date, order_id")
    assert everything == sorted(everything, key=lambda r: r[:2]) and len(everything) > 100
    read, key = [], "order_date >= '2024-01-01'"
    while True:
        page = ask(stocked, f"SELECT TOP (7) WITH TIES order_date, order_id, sku FROM [dbo].[vw_Combined_Sales] WHERE {key}"
                            " ORDER BY order_date, order_id OPTION (MAXDOP 1)")
        if not page:
            break
        assert len(page) >= 7 or len(read) + len(page) == len(everything)
        read += page
        day, order = page[-1][:2]
        key = (f"[order_date] >= '{day:%Y%m%d}' AND ([order_date] > '{day:%Y%m%d}' OR [order_id] > {order})"
               if len(read) % 2 else f"(order_date > '{day}' OR (order_date = '{day}' AND order_id > {order}))")
    assert read == everything
    assert len(ask(stocked, "SELECT TOP (7) order_id FROM vw_Combined_Sales ORDER BY order_date, order_id")) == 7
    assert ask(stocked, "SELECT TOP 0 * FROM vw_Combined_Sales") == []


def test_totals_of_days(stocked):
    rows = ask(stocked, "SELECT order_date, order_id, line_item_sales, line_item_refunds, quantity FROM vw_Combined_Sales")
    days = {}
    for day, *values in rows:
        days.setdefault(day, []).append(values)
    wanted = [(day, len(v), len({r[0] for r in v}), sum(r[1] for r in v), sum(r[2] for r in v), sum(r[3] for r in v))
              for day, v in sorted(days.items())]
    for group in ("order_date", "CAST(order_date AS date)"):
        assert ask(stocked, f"SELECT {group}, COUNT_BIG(*), COUNT_BIG(DISTINCT order_id), SUM(line_item_sales),"
                            " SUM(line_item_refunds), SUM(CAST(quantity AS bigint)) FROM vw_Combined_Sales"
                            f" GROUP BY {group} ORDER BY {group}") == wanted
    assert ask(stocked, "SELECT COUNT(*), MIN(order_date), MAX(order_date) FROM vw_Combined_Sales") == [
        (len(rows), min(days), max(days))]


def test_a_where_says_the_same_with_and_without_an_index(stocked):
    """Ranges and indexes are for speed alone: over a derived table, which has none, every condition finds the same."""
    dice = random.Random(3)
    stocked.update({"order_id": 1007}, {"customer_id": None})

    def simple():
        operator, day = dice.choice(["=", "<", "<=", ">", ">=", "<>"]), f"'2024-01-{dice.randrange(1, 32):02d}'"
        number = dice.randrange(1000, 1060)
        return dice.choice([f"order_date {operator} {day}", f"{day} {operator} order_date", f"order_id {operator} {number}",
                            f"order_id IN ({number}, {number + 3}, 1)", "customer_id IS NULL", "order_id IS NOT NULL",
                            f"customer_id = {5000 + dice.randrange(15)}", "sku LIKE 'S1%'", "NOT category = 'Wool'",
                            f"(order_date >= {day} AND (order_date > {day} OR order_id > {number}))",
                            f"(order_date = {day} AND order_id {operator} {number})", "line_item_refunds > 1.5",
                            f"order_date BETWEEN {day} AND '2024-01-20'", "order_date IS NULL", "1 = 0"])

    def condition(depth):
        if depth == 0:
            return simple()
        return f"({condition(depth - 1)} {dice.choice(['AND', 'OR'])} {condition(depth - 1)})"
    found = 0
    with pytds.connect(stocked.host, stocked.database, stocked.user, stocked.password, port=stocked.port,
                       autocommit=True) as connection, connection.cursor() as cursor:
        for _ in range(150):
            where = condition(dice.randrange(3))
            answers = []
            for table in ("vw_Combined_Sales", "(SELECT * FROM vw_Combined_Sales) v"):
                cursor.execute(f"SELECT order_date, order_id, sku FROM {table} WHERE {where} ORDER BY order_date, order_id")
                answers.append(cursor.fetchall())
            assert answers[0] == answers[1], where
            found += len(answers[0])
    assert found > 1000


@pytest.mark.parametrize("sql, rows", [
    ("SELECT 1", [(1,)]), ("SELECT -7 % 3, 7 / 2, -7 / 2, 2.5 * 2", [(-1, 3, -3, D("5.0"))]),
    ("SELECT CASE WHEN 1 = 2 THEN 'a' ELSE 'b' END, COALESCE(NULL, 3), ISNULL(NULL, 'x')", [("b", 3, "x")]),
    ("SELECT LEN('ab  '), UNICODE(LEFT(RTRIM('zb '), 1)), YEAR('2024-02-29')", [(2, 122, 2024)]),
    ("SELECT CAST('2024-01-02' AS date), CAST(1.239 AS decimal(5,2)), CAST(12 AS nvarchar(5))",
     [(datetime.date(2024, 1, 2), D("1.24"), "12")]),
    ("SELECT 1 WHERE NULL = NULL", []), ("SELECT 1 WHERE NOT (1 = 2 AND NULL = 1)", [(1,)]), ("SELECT 1 WHERE 'A ' = 'a'", [(1,)]),
    ("SELECT 1 WHERE 3 NOT IN (1, NULL)", []), ("SELECT SUM(order_id), COUNT(*) FROM vw_Combined_Sales WHERE 1 = 0", [(None, 0)]),
    ("SELECT TYPE_NAME(system_type_id) FROM sys.columns WHERE object_id = OBJECT_ID('dbo.vw_Combined_Sales') AND name ="
     " 'order_total'", [("decimal",)]),
    ("SELECT DATA_TYPE, CHARACTER_MAXIMUM_LENGTH, IS_NULLABLE FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME ="
     " 'vw_Combined_Sales' AND COLUMN_NAME = 'sku'", [("nvarchar", 255, "YES")]),
    ("SELECT DISTINCT month FROM vw_Combined_Sales", [(None,)]),
    ("SELECT x.n FROM (SELECT 5 AS n) AS x WHERE x.n > 4", [(5,)]), ("SELECT @@TRANCOUNT", [(0,)])])
def test_small_statements(stocked, sql, rows):
    assert ask(stocked, sql) == rows


def test_version_and_customer(stocked):
    (version,), = ask(stocked, "SELECT @@VERSION")
    assert version.startswith("Microsoft SQL Azure")
    lines = ask(stocked, "SELECT order_id FROM vw_Combined_Sales WHERE customer_id = %s", 5003)
    assert lines and len(lines) == ask(stocked, "SELECT COUNT(*) FROM vw_Combined_Sales WHERE customer_id = 5003")[0][0]


@pytest.mark.parametrize("sql, number, words", [
    ("SELECT FROM vw_Combined_Sales", 156, "Incorrect syntax near the keyword 'FROM'."),
    ("DELETE FROM vw_Combined_Sales", 156, "Incorrect syntax near the keyword 'DELETE'."),
    ("SELECT * FROM vw_Combined_Sales LIMIT 5", 102, "Incorrect syntax near '5'."), ("SELECT (1", 102, "Incorrect syntax near '1'."),
    ("SELECT 'abc", 105, "Unclosed quotation mark after the character string 'abc'."),
    ("SELECT colour FROM vw_Combined_Sales", 207, "Invalid column name 'colour'."),
    ("SELECT order_id FROM vw_Combined_Sales WHERE colour = 1", 207, "Invalid column name 'colour'."),
    ("SELECT * FROM sales", 208, "Invalid object name 'sales'."), ("SELECT * FROM crm.sales", 208, "Invalid object name 'crm.sales'."),
    ("SELECT FROBNICATE(1)", 195, "'FROBNICATE' is not a recognized built-in function name."),
    ("SELECT order_id, COUNT(*) FROM vw_Combined_Sales", 8120, "invalid in the select list"),
    ("SELECT 1 / 0", 8134, "Divide by zero error encountered."), ("SELECT SUM(2147483647 + order_id) FROM vw_Combined_Sales", None, ""),
    ("SELECT SUM(CAST(2147483647 AS int)) FROM vw_Combined_Sales", 8115, "Arithmetic overflow"),
    ("SELECT 1 FROM vw_Combined_Sales WHERE order_date > 'yesterday'", 241, "Conversion failed when converting date"),
    ("SELECT 1 FROM vw_Combined_Sales WHERE order_id = 'x'", 245, "Conversion failed when converting the varchar value 'x'"),
    ("SELECT 1 FROM vw_Combined_Sales WHERE order_date = 20240101", 206, "Operand type clash"),
    ("SELECT CAST('2024-01-01T00:00:00.1234567' AS datetime)", 241, "Conversion failed"),
    ("SELECT @x", 137, "Must declare the scalar variable"), ("EXEC sp_who", 156, "keyword 'EXEC'")])
def test_errors_in_words(stocked, sql, number, words):
    if number is None:
        assert ask(stocked, sql)
        return
    told, text = error_of(stocked, sql)
    assert told == number and words in text


def test_a_connection_survives_its_errors(stocked):
    with pytds.connect(stocked.host, stocked.database, stocked.user, stocked.password, port=stocked.port) as connection:
        cursor = connection.cursor()
        for sql in ("SELECT nothing", "SELEC", "SELECT 1/0"):
            with pytest.raises(pytds.Error):
                cursor.execute(sql)
        cursor.execute("SELECT 1")
        assert cursor.fetchall() == [(1,)]


def test_changes_between_statements(stocked):
    count = "SELECT COUNT(*), SUM(line_item_refunds) FROM vw_Combined_Sales"
    (before, _), = ask(stocked, count)
    stocked.add([line(9001, 5, "2020-01-01"), line(9001, 5, "2020-01-01")])
    assert stocked.update({"order_id": 9001}, {"line_item_refunds": "3.50", "financial_status": "refunded"}) == 2
    assert ask(stocked, count + " WHERE order_id = 9001") == [(2, D("7.00"))]
    assert ask(stocked, "SELECT TOP (1) order_id FROM vw_Combined_Sales ORDER BY order_date, order_id") == [(9001,)]
    assert stocked.delete({"order_id": [9001, 1000]}) > 2 and ask(stocked, count)[0][0] < before


def test_drift(stocked):
    stocked.drop_column("sku")
    assert error_of(stocked, "SELECT sku FROM vw_Combined_Sales")[0] == 207
    stocked.add_column("colour", "nvarchar(20)", "rot", at=2)
    stocked.retype_column("quantity", "nvarchar(9)")
    stocked.rename_column("category", "kind")
    row = ask(stocked, "SELECT TOP (1) * FROM vw_Combined_Sales")[0]
    assert len(row) == 30 and row[2] == "rot"
    quantity, colour = ask(stocked, "SELECT TOP (1) quantity, colour FROM vw_Combined_Sales")[0]
    assert isinstance(quantity, str) and colour == "rot"


def test_generated_rows_and_files(source, tmp_path):
    source.generate(5000, days=100)
    rows = ask(source, "SELECT COUNT(*), COUNT(DISTINCT order_id), COUNT(DISTINCT order_date), COUNT(customer_id) FROM"
                       " vw_Combined_Sales")[0]
    assert rows[0] == 5000 and 1500 < rows[1] < 2500 and rows[2] == 100 and 4000 < rows[3] < 5000
    file = tmp_path / "sales.csv"
    file.write_text('order_id,order_date,customer_id,product_name\n5,2024-01-01,,"a ""b"", c"\n')
    assert source.load_csv(file) == 1
    assert ask(source, "SELECT order_id, customer_id, product_name FROM vw_Combined_Sales") == [(5, None, 'a "b", c')]


def test_transactions(source):
    """autocommit off: pytds by transaction requests, pymssql by statements; the descriptor is held against what was told."""
    with pytds.connect(source.host, source.database, source.user, source.password, port=source.port) as connection:
        for _ in range(2):
            cursor = connection.cursor()
            cursor.execute("SELECT @@TRANCOUNT")
            assert cursor.fetchall() == [(1,)]
            connection.commit()
        connection.rollback()
    assert error_of(source, "COMMIT")[0] == 3902
    with RawTds(source) as raw:  # ROLLBACK without a transaction
        raw.send(TRANSACTION, struct.pack("<IIHQIHBB", 22, 18, 2, 0, 1, 8, 0, 0))
        answer = raw.message()
        assert answer[:1] == b"\xaa" and struct.unpack_from("<i", answer, 3) == (3903,)
    connection = pymssql.connect(server=source.host, port=source.port, user=source.user, password=source.password,
                                 database=source.database, tds_version="7.3")
    cursor = connection.cursor()
    cursor.execute("SELECT @@TRANCOUNT")
    assert cursor.fetchall() == [(1,)]
    connection.commit()
    connection.close()


def test_what_was_asked_is_told(source):
    ask(source, "SELECT 1 WHERE 1 = %s", 1)
    login, = source.logins()
    assert login["user"] == source.user and login["app"] == "pytds" and login["ended"] == "done"
    assert source.password not in str(source.asked())
    wait_until(lambda: source.sessions() == 0, 5, "sessions closed")
    assert source.asked("rpc")[0]["rows"] == 1 and source.statements("1 = @P1")


@pytest.mark.parametrize("what, number", [({"password": "wrong"}, 18456), ({"user": "nobody"}, 18456), ({"database": "other"}, 4060)])
def test_refused_logins(source, what, number):
    given = {"database": source.database, "user": source.user, "password": source.password, **what}
    with pytest.raises(pytds.Error) as caught:
        pytds.connect(source.host, port=source.port, login_timeout=0.2, **given)
    assert caught.value.number == number, caught.value


# encryption


def tls(source, how, ca=True, name=True):
    return (f"encryption = {how}\n" + (f"ca file = {source.ca_file}\n" if ca else "")
            + ("" if name else "check certificate hostname = no\n"))


@pytest.mark.parametrize("policy, client, encrypted", [
    ("required", "require", "session"), ("required", "request", "session"), ("required", "off", None),
    ("off", "require", "session"), ("off", "request", "login"), ("off", "off", "nothing"),
    ("unsupported", "require", None), ("unsupported", "request", "nothing"), ("unsupported", "off", "nothing"),
    ("downgrade", "require", "login")])
def test_encryption(source, policy, client, encrypted):
    """What the server wants and what the client wants: TLS for the session, for the login, for nothing, or no session."""
    source.rows = [line(4711, 1, "2024-01-01")]
    source.set(encryption=policy)
    rows, said = by_tsql(source, "SELECT order_id FROM vw_Combined_Sales", conf=tls(source, client))
    assert (["4711"] in rows) == (encrypted is not None), said
    wait_until(lambda: source.sessions() == 0, 5, "sessions closed")
    login, = source.logins()
    if encrypted is not None:
        assert login["encryption"] == encrypted


@pytest.mark.parametrize("certificate, accepted", [("good", True), ("untrusted", False), ("wronghost", False)])
def test_certificates(source, certificate, accepted):
    source.set(encryption="required", certificate=certificate)
    rows, said = by_tsql(source, "SELECT 4711", conf=tls(source, "require"), server="localhost")
    assert (["4711"] in rows) == accepted, said
    source.set(certificate="good")


def test_python_client_over_tls(source):
    """Not FreeTDS's TLS but OpenSSL's, and packets that are not of its sizes."""
    source.set(encryption="required")
    source.rows = shop(200)
    rows = by_pytds(source, "SELECT order_id FROM vw_Combined_Sales", cafile=str(source.ca_file), validate_host=True)
    assert len(rows) > 300
    assert source.logins()[0]["encryption"] == "session"


def test_redirect(source):
    """The login's answer names another server; the client goes there."""
    other = source.listen(encryption="unsupported")
    source.set(route=["localhost", other.port])
    source.rows = [line(4711, 1, "2024-01-01")]
    rows, said = by_tsql(source, "SELECT order_id FROM vw_Combined_Sales", conf="encryption = off")
    assert ["4711"] in rows, said
    assert [l["ended"] for l in source.logins()] == ["redirected", "done"]
    source.set(route=None)
    other.close()


# a strict peer


def breach(server, words, send):
    """The client is told, the connection ends, and the problem is noted."""
    server.reset()
    send()
    problems = server.problems()
    server.reset()
    assert len(problems) == 1 and words in problems[0], problems


@pytest.mark.parametrize("kind, body, how, words", [
    (0x42, b"", {}, "unknown type 0x42"), (BATCH, batch("SELECT 1"), {"status": 0x81}, "status 0x81"),
    (BATCH, batch("SELECT 1"), {"length": 7}, "packet of 7 bytes"), (BATCH, b"", {"length": 9000}, "9000 bytes"),
    (BATCH, "SELECT 1".encode("utf-16-le"), {}, "ALL_HEADERS"), (BATCH, batch("SELECT 1") + b"x", {}, "bytes left over"),
    (BATCH, batch("SELECT 1", struct.pack("<IIHQI", 22, 18, 2, 99, 1)), {}, "transaction 99"),
    (BATCH, batch("SELECT 1", struct.pack("<IIH", 10, 2, 9)), {}, "a header of 2 bytes"),
    (BATCH, struct.pack("<I", 4) + b"\x00\xd8", {}, "not UTF-16"), (LOGIN7, b"", {}, "type 0x10 after the login"),
    (RPC, struct.pack("<IHHH", 4, 0xFFFF, 10, 0) + b"\0\0\x99", {}, "unknown type 0x99"),
    (RPC, struct.pack("<IHHH", 4, 0xFFFF, 10, 0) + b"\0\0\xe7", {}, "2 bytes wanted where 0 are left")],
    ids=lambda v: v if isinstance(v, str) else "")
def test_malformed_requests(server, kind, body, how, words):
    def send():
        with RawTds(server) as raw:
            raw.send(kind, body, **how)
            assert b"\xaa" in raw.message() and raw.ends()
    breach(server, words, send)


GOOD = login7("reader", "x", "sales")


@pytest.mark.parametrize("kind, body, words", [
    (BATCH, batch("SELECT 1"), "was expected"), (PRELOGIN, b"", "1 bytes wanted"), (PRELOGIN, HELLO[:-1], "outside"),
    (PRELOGIN, HELLO[:-1] + b"\x07", "ENCRYPTION"), (LOGIN7, GOOD + b"\0", "length"), (LOGIN7, GOOD[:40], "length"),
    (LOGIN7, GOOD[:4] + struct.pack("<I", 0x71000001) + GOOD[8:], "version 0x71000001"),
    (LOGIN7, GOOD[:40] + struct.pack("<HH", 900, 5) + GOOD[44:], "user outside")],
    ids=lambda v: v if isinstance(v, str) else "")
def test_malformed_logins(server, kind, body, words):
    def send():
        with RawTds(server, login=False) as raw:
            if kind == LOGIN7:
                raw.send(PRELOGIN, HELLO)
                raw.message()
            raw.send(kind, body)
            assert b"\xaa" in raw.message() and raw.ends()
    breach(server, words, send)
