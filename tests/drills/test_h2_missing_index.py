"""H2: an index is missing, or was left invalid; and what patronctl doctor says of a server that is not well.

Users      slow answers.
Detection  `patronctl doctor` names it, and exits 1.
Recovery   `patronctl doctor --fix` creates it CONCURRENTLY, under load, as the migrations define it.
"""
import json

import psycopg2
import pytest

from lib.drill import elapsed, seen
from lib.patrond import Load
from lib.wait import wait_until

pytestmark = pytest.mark.drill


def findings(p, *arguments):
    done = p.ctl("doctor", "--json", *arguments)
    report = json.loads(done.stdout)
    assert done.returncode == (0 if report["well"] else 1), done.stderr
    return report["findings"]


def named(p, name, *arguments):
    return [f for f in findings(p, *arguments) if f["name"] == name]


def definition(database, index):
    connection = psycopg2.connect(database)
    connection.autocommit = True
    with connection.cursor() as c:
        c.execute("SELECT pg_get_indexdef(indexrelid), indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", [index])
        row = c.fetchone()
    connection.close()
    return row


def execute(database, sql):
    connection = psycopg2.connect(database)
    connection.autocommit = True
    with connection.cursor() as c:
        c.execute(sql)
    connection.close()


@pytest.fixture
def prepared(patrond, database):
    """A server whose schema is there."""
    wait_until(lambda: named(patrond, "indexes"), 20, "the schema", every=0.2)
    return patrond


def test_missing_index_is_named_and_made_again_under_load(prepared, database, record_property):
    p = prepared
    before = definition(database, "idx_customer_ltv")
    execute(database, "DROP INDEX idx_customer_ltv")
    (found,) = named(p, "index")
    assert found["state"] == "failed" and "idx_customer_ltv is missing" in found["found"] and "--fix" in found["fix"]
    assert definition(database, "idx_customer_ltv") is None  # looking changes nothing
    with Load(p.port, ["/health/live"], {}, clients=4) as l:
        (found,), took = elapsed(named, p, "index", "--fix")
        l.wait_requests(20)
    assert l.failures == []
    assert found["state"] == "warning" and "was missing" in found["found"]
    assert definition(database, "idx_customer_ltv") == before
    assert named(p, "indexes")[0]["state"] == "ok"
    seen(record_property, f"named by doctor, made again by doctor --fix as it was; {l.good} requests meanwhile, 0 failed", took)


def test_invalid_index_is_replaced(prepared, database):
    p = prepared
    before = definition(database, "idx_combined_sales_sku")
    execute(database, "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'idx_combined_sales_sku'::regclass")
    (found,) = named(p, "index")
    assert "idx_combined_sales_sku is invalid" in found["found"]
    named(p, "index", "--fix")
    assert definition(database, "idx_combined_sales_sku") == before


def test_doctor_of_a_server_that_is_well_but_empty(prepared):
    by_name = {f["name"]: f for f in findings(prepared)}
    for name in ["settings", "server", "workers", "state_dir", "run_dir", "descriptors", "postgres", "self", "schema", "indexes", "connections"]:
        assert by_name[name]["state"] == "ok", by_name[name]
    assert by_name["data"]["state"] == "failed" and "sync" in by_name["data"]["fix"]
    text = prepared.ctl("doctor").stdout
    assert "FAILED   data" in text and "patronctl sync --wait" in text


def test_doctor_names_what_is_broken(patrond_factory):
    p = patrond_factory(DATABASE_URL="postgresql://nobody@127.0.0.1:1/none", REDIS_URL="redis://127.0.0.1:1",
                        DB_POOL_SIZE=10)
    broken = {f["name"]: f for f in findings(p) if f["state"] == "failed"}
    assert "does not run" in broken["server"]["found"]
    assert "postgres" in broken and "Start PostgreSQL" in broken["postgres"]["fix"]
    assert "redis" in broken and "Start Redis" in broken["redis"]["fix"]
    p.start()
    p.write_settings(NO_SUCH_SETTING=1)
    assert p.ctl("reload").returncode == 1
    broken = {f["name"]: f for f in findings(p) if f["state"] == "failed"}
    assert "NO_SUCH_SETTING" in broken["settings"]["found"] and "NO_SUCH_SETTING" in broken["reload"]["found"]
    assert "server" not in broken and "workers" not in broken
