"""patronctl verify: one customer in all four places, what differs marked, and an exit status that scripts can use."""
import json
import re

import pytest

from lib.sales import line, succeed, write
from lib.tds import SqlServer

AS_OF = "2025-01-01"


@pytest.fixture
def synced(patrond_factory, database, source):
    def make(rows, **settings):
        write(source, rows)
        settings = {"DATABASE_URL": database, "SYNC_SOURCE": f"csv:{source}", "AS_OF_DATE": AS_OF, **settings}
        patrond = patrond_factory(**settings).start()
        succeed(patrond)
        patrond.wait_data(1)
        return patrond
    return make


def rows():
    return [line(1, 7, "2024-05-01", "10.00", sku="A"), line(1, 7, "2024-05-01", "10.00", sku="A"),
            line(2, 7, "2024-06-01", "5.50", sku="B", line_item_refunds="1.25"), line(3, 8, "2024-06-02", "99.00"),
            line(4, 7, "2025-03-01", "7.00", sku="C")]


def verify(patrond, *arguments):
    """Exit status, the object, and the text of one customer."""
    answer = patrond.ctl("verify", *arguments, "--json")
    text = patrond.ctl("verify", *arguments)
    assert text.returncode == answer.returncode, (text, answer)
    return answer.returncode, json.loads(answer.stdout), text


def test_all_agree(synced):
    patrond = synced(rows())
    status, said, text = verify(patrond, "7")
    assert status == 0 and said["agree"] and said["differences"] == []
    sums = {"lines": 3, "orders": 2, "gross_sales": 25.5, "refunds": 1.25, "net_sales": 24.25,
            "first_order_date": "2024-05-01", "last_order_date": "2024-06-01"}
    for place in ("source", "combined_sales", "facts", "population"):
        assert {k: said[place][k] for k in sums} == sums, place
    assert said["source"]["later_lines"] == said["combined_sales"]["later_lines"] == 1 and said["as_of"] == AS_OF
    assert len(said["lines"]) == 4 and all(l["in_source"] and l["in_combined_sales"] for l in said["lines"])
    assert "all agree" in text.stdout and "!" not in text.stdout
    assert "25.50" in text.stdout and "behind the as-of day" in text.stdout


def test_works_while_patrond_is_down(synced):
    patrond = synced(rows())
    patrond.stop()
    assert verify(patrond, "7")[0] == 0


def test_unknown_customer_and_wrong_usage(synced):
    patrond = synced(rows())
    status, said, text = verify(patrond, "4711")
    assert status == 0 and said["lines"] == [] and "no line of this customer anywhere" in text.stdout
    for arguments in ((), ("x",), ("7", "--what"), ("7", "--json", "8")):
        assert patrond.ctl("verify", *arguments).returncode == 2


def test_line_that_is_not_here_yet(synced, source):
    patrond = synced(rows())
    write(source, rows() + [line(5, 7, "2024-07-01", "3.00", sku="NEW")])
    status, said, text = verify(patrond, "7")
    assert status == 1 and not said["agree"]
    assert {"lines", "orders", "gross_sales", "net_sales", "last_order_date", "lines_differ"} == set(said["differences"])
    only = [l for l in said["lines"] if not l["in_combined_sales"]]
    assert [(l["order_id"], l["sku"], l["line_item_sales"]) for l in only] == [("5", "NEW", 3.0)]
    assert [l for l in text.stdout.splitlines() if l.startswith("!") and "NEW" in l][0].endswith("only in the source")
    succeed(patrond)
    patrond.wait_data(2)
    assert verify(patrond, "7")[0] == 0


def test_change_that_moves_no_sum(synced, source):
    """All thirty columns of a line count."""
    patrond = synced(rows())
    changed = rows()
    changed[2]["category"] = "Kits"
    write(source, changed)
    status, said, text = verify(patrond, "7")
    assert status == 1 and said["differences"] == ["lines_differ"]
    assert "only in the source" in text.stdout and "only in combined_sales" in text.stdout
    assert "2 differences" in text.stderr


def test_bad_line_of_the_source(synced):
    patrond = synced(rows() + [line(6, 7, "2024-07-01", "rubbish")])
    status, said, text = verify(patrond, "7")
    assert status == 1 and said["differences"] == ["unusable_lines"] and said["source"]["unusable_lines"] == 1
    assert "line_item_sales is not a decimal number" in text.stdout


def test_facts_and_population_that_are_not_theirs(synced, table):
    patrond = synced(rows())
    table.rows("UPDATE customer_facts SET gross_cents = 1 WHERE customer_id = 7")
    status, said, text = verify(patrond, "7")
    assert status == 1 and said["facts"]["gross_sales"] == 0.01 and said["population"]["gross_sales"] == 25.5
    assert set(said["differences"]) == {"gross_sales", "net_sales"}
    assert any(l.startswith("! gross_sales") for l in text.stdout.splitlines())
    for f in (patrond.directory / "state").glob("population-*"):
        f.unlink()
    status, said, text = verify(patrond, "7")
    assert status == 1 and "no population file" in said["population"]["error"] and "no population file" in text.stderr


def test_places_that_do_not_answer(synced, source):
    """Each place that can't be read is named; the others are shown all the same."""
    patrond = synced(rows())
    source.unlink()
    status, said, text = verify(patrond, "7")
    assert status == 1 and "No such file" in said["source"]["error"] and said["facts"]["orders"] == 2
    assert "source: " in text.stderr
    patrond.stop()
    patrond.write_settings(DATABASE_URL="postgresql://x@127.0.0.1:1/z", SYNC_SOURCE="sqlserver")
    status, said, text = verify(patrond, "7")
    assert status == 1 and said["source"] is None and "PostgreSQL" in said["facts"]["error"]
    assert said["population"]["orders"] == 2
    assert "no source is configured" in text.stdout
    assert re.search(r"^  data_version +\? +\d+$", text.stdout, re.M), text.stdout


def test_sql_server_is_asked_for_one_customer(patrond_factory, database, tmp_path):
    with SqlServer(tmp_path / "tds") as server:
        server.rows = rows()
        patrond = patrond_factory(DATABASE_URL=database, AS_OF_DATE=AS_OF, **server.settings(SOURCE_CHECK_INTERVAL=0)).start()
        succeed(patrond)
        patrond.wait_data(1)
        server.forget()
        assert verify(patrond, "7")[0] == 0
        assert len(server.statements(r"customer_id.*=\s*7")) >= 2
        server.update({"order_id": 2}, {"financial_status": "refunded"})
        status, said, _ = verify(patrond, "7")
        assert status == 1 and said["differences"] == ["lines_differ"]
