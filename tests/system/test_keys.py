"""API keys: made, listed, rotated and revoked over HTTP and from the command line, in force on every worker at once."""
import hashlib
import json
import re
import time

import psycopg2
import pytest

from lib.keys import IN_FORCE_S, ROUTE, Everywhere, in_force
from lib.patrond import running
from lib.wait import FACTOR, wait_until

OBJECT = {"id", "name", "key_prefix", "scopes", "rate_limit_per_hour", "status", "is_active", "created_at", "created_by",
          "expires_at", "last_used_at", "usage_count", "revoked_at", "revocation_reason", "rotated_to", "notes"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
BAD = "pk_live_" + "A" * 43


def failures(instance, reason):
    text = instance.get("/metrics", key=None).body.decode()
    return int(re.search(rf'^auth_failures_total{{reason="{reason}"}} (\d+)$', text, re.M).group(1))


def create(instance, key=True, **members):
    members.setdefault("name", "test")
    answer = instance.post("/admin/keys", members, key=key)
    assert answer.status == 201, answer.body
    made = answer.json()
    assert set(made) == {"key", "api_key"} and set(made["key"]) == OBJECT
    assert answer.headers["cache-control"] == "no-store"
    return made["key"], made["api_key"]


@pytest.fixture(scope="module")
def server(postgres_server, tmp_path_factory):
    postgres_server.ensure()
    with running(tmp_path_factory.mktemp("keys") / "i", {"DATABASE_URL": postgres_server.create_database()}) as instance:
        wait_until(lambda: instance.get("/admin/keys").status == 200, 15, "the tables being there")
        yield instance


@pytest.fixture(scope="module")
def everywhere(server):
    e = Everywhere(server)
    yield e
    e.close()


@pytest.fixture
def rows(server):
    connection = psycopg2.connect(server.settings["DATABASE_URL"])
    connection.autocommit = True
    with connection.cursor() as cursor:
        yield cursor
    connection.close()


def test_a_key_from_birth_to_death(server, everywhere, rows):
    began = time.monotonic()
    key, text = create(server, name="Reporting dashboard", rate_limit_per_hour=500, notes="for the board",
                       expires_in_days=30)
    assert re.fullmatch(r"pk_live_[A-Za-z0-9_-]{43}", text)
    in_force(everywhere, text, True, began)
    assert (key["name"], key["scopes"], key["rate_limit_per_hour"], key["notes"]) == ("Reporting dashboard", ["read"], 500,
                                                                                     "for the board")
    assert (key["status"], key["is_active"], key["created_by"]) == ("active", True, "admin_key")
    assert TIME.fullmatch(key["created_at"]) and TIME.fullmatch(key["expires_at"]) and key["key_prefix"] == text[:10]
    assert (key["usage_count"], key["last_used_at"], key["revoked_at"], key["revocation_reason"], key["rotated_to"]) == (
        0, None, None, None, None)
    rows.execute("SELECT key_hash, key_prefix, expires_at - created_at FROM api_keys WHERE id = %s", (key["id"],))
    ((hashed, prefix, lifetime),) = rows.fetchall()
    assert hashed == hashlib.sha256(text.encode()).hexdigest() and prefix == text[:10] and lifetime.days == 30
    assert server.get(f"/admin/keys/{key['id']}").json() == key
    listed = server.get("/admin/keys").json()
    assert key in listed["keys"] and listed["count"] == len(listed["keys"])
    assert [k["id"] for k in listed["keys"]] == sorted(k["id"] for k in listed["keys"])

    began = time.monotonic()
    answer = server.request("DELETE", f"/admin/keys/{key['id']}?reason=no%20longer%20needed")
    assert answer.status == 200
    in_force(everywhere, text, False, began)
    gone = answer.json()
    assert (gone["status"], gone["is_active"], gone["revocation_reason"]) == ("revoked", False, "no longer needed")
    assert TIME.fullmatch(gone["revoked_at"])
    refused = server.get(ROUTE, key=text)
    assert refused.headers["www-authenticate"] == "ApiKey"
    assert refused.json()["error"]["code"] == "AUTHENTICATION_ERROR"
    assert refused.json()["detail"] == "Invalid or inactive API key"
    assert failures(server, "revoked") > 0
    assert any(f"key_prefix={text[:10]} " in l + " " for l in server.events("invalid_api_key_attempted"))
    assert not any(text[:12] in l for l in server.lines)
    again = server.request("DELETE", f"/admin/keys/{key['id']}")
    assert again.status == 409 and again.json()["error"]["code"] == "CONFLICT"
    assert key["id"] in [k["id"] for k in server.get("/admin/keys?status=revoked").json()["keys"]]
    assert key["id"] not in [k["id"] for k in server.get("/admin/keys?status=active").json()["keys"]]
    for name in ("api_key_created", "api_key_revoked"):
        assert re.search(rf"key_id={key['id']} .*by=admin_key|by=admin_key .*key_id={key['id']}", server.wait_event(name))
    assert not any(text in l for l in server.lines), "a key is in no log"


def test_where_a_key_may_stand(server, everywhere):
    _, text = create(server)
    wait_until(lambda: 401 not in everywhere.statuses(text), 5)
    assert server.get(ROUTE, key=None, headers={"Authorization": f"Bearer {text}"}).status in (404, 503)
    assert server.get(ROUTE, key=None, headers={"Authorization": f"bearer {text}"}).status in (404, 503)
    assert server.get(ROUTE, key=BAD, headers={"Authorization": f"Bearer {text}"}).status == 401, "the first one decides"
    assert server.get(ROUTE, key=None, headers={"X-Admin-Key": text}).status == 401
    before = failures(server, "malformed")
    assert server.get(ROUTE, key=text[:-1]).status == 401
    assert failures(server, "malformed") == before + 1
    before = failures(server, "unknown")
    assert server.get(ROUTE, key=BAD).status == 401
    assert failures(server, "unknown") == before + 1


def test_scopes(server, everywhere):
    texts = {}
    for scopes in (["read"], ["write"], ["admin"], ["read", "write", "admin", "read"]):
        key, text = create(server, scopes=scopes)
        assert key["scopes"] == [s for s in ("read", "write", "admin") if s in scopes]
        texts[tuple(scopes)] = text
    # Known everywhere is asked with the first alone: the refusals of the others would be a flood, which is told in part.
    wait_until(lambda: 401 not in everywhere.statuses(texts["read",]), 5)
    refused = server.get("/admin/keys", key=texts["read",])
    assert refused.status == 403 and refused.json()["error"]["code"] == "AUTHORIZATION_ERROR"
    assert refused.json()["detail"] == "API key lacks required scope: admin"
    assert "required=admin" in server.wait_event("insufficient_scope", matching="required=admin")
    wait_until(lambda: all(401 not in everywhere.statuses(t) for t in texts.values()), 5)
    assert server.get(ROUTE, key=texts["write",]).json()["detail"] == "API key lacks required scope: read"
    assert server.get(ROUTE, key=texts["admin",]).status in (404, 503)
    for header in ("X-Admin-Key", "X-API-Key"):
        assert server.get("/admin/keys", key=None, headers={header: texts["admin",]}).status == 200
    made, _ = create(server, key=texts["admin",])
    admin = [k for k in server.get("/admin/keys").json()["keys"] if k["scopes"] == ["admin"]][-1]
    assert made["created_by"] == f"key:{admin['id']}"


def test_rotation(server, everywhere):
    old, old_text = create(server, name="rolling", scopes=["read", "write"], rate_limit_per_hour=60, expires_in_days=7)
    wait_until(lambda: 401 not in everywhere.statuses(old_text), 5)
    answer = server.post(f"/admin/keys/{old['id']}/rotate", {"grace_seconds": 3})
    assert answer.status == 201 and set(answer.json()) == {"key", "api_key"}
    new, new_text = answer.json()["key"], answer.json()["api_key"]
    began = time.monotonic()
    in_force(everywhere, new_text, True, began)
    for member in ("name", "scopes", "rate_limit_per_hour", "notes"):
        assert new[member] == old[member]
    assert new["id"] != old["id"] and new_text != old_text and new["status"] == "active"
    before = server.get(f"/admin/keys/{old['id']}").json()
    assert before["rotated_to"] == new["id"]
    assert everywhere.statuses(old_text) != {401} or time.monotonic() - began > 2, "both are good for the grace time"
    wait_until(lambda: everywhere.statuses(old_text) == {401}, 8, "the grace time being over")
    assert server.get(f"/admin/keys/{old['id']}").json()["status"] == "expired"
    assert failures(server, "expired") > 0
    assert server.post(f"/admin/keys/{old['id']}/rotate").status == 409, "it has a successor"
    began = time.monotonic()
    assert server.post(f"/admin/keys/{new['id']}/rotate").status == 201  # without a body: at once
    in_force(everywhere, new_text, False, began)


def test_changes_by_hand_count_too(server, everywhere, rows):
    key, text = create(server)
    wait_until(lambda: 401 not in everywhere.statuses(text), 5)
    for change, good in (("is_active = false", False), ("is_active = true", True),
                         ("expires_at = now() - interval '1 second'", False), ("expires_at = 'infinity'", True)):
        rows.execute(f"UPDATE api_keys SET {change} WHERE id = %s", (key["id"],))
        in_force(everywhere, text, good, time.monotonic())
    rows.execute("DELETE FROM api_keys WHERE id = %s", (key["id"],))
    in_force(everywhere, text, False, time.monotonic())
    assert server.get(f"/admin/keys/{key['id']}").status == 404


def test_refusals(server):
    def faults(body):
        answer = server.post("/admin/keys", body)
        assert answer.status == 422, answer.body
        return {(e["field"], e["type"]) for e in answer.json()["error"]["details"]["validation_errors"]}

    assert faults({}) == faults(None) == {("body.name", "missing")}
    assert faults({"name": "", "scopes": [], "expires_in_days": 0, "rate_limit_per_hour": 0, "colour": 1}) == {
        ("body.name", "out_of_range"), ("body.scopes", "invalid_value"), ("body.expires_in_days", "out_of_range"),
        ("body.rate_limit_per_hour", "out_of_range"), ("body.colour", "unknown_field")}
    assert faults({"name": "x" * 101, "scopes": ["owner"], "expires_in_days": 3651, "rate_limit_per_hour": 1000001,
                   "notes": "x" * 501}) == {
        ("body.name", "out_of_range"), ("body.scopes", "invalid_value"), ("body.expires_in_days", "out_of_range"),
        ("body.rate_limit_per_hour", "out_of_range"), ("body.notes", "out_of_range")}
    assert faults({"name": 5, "scopes": "read", "expires_in_days": "7", "notes": 1}) == {
        ("body.name", "wrong_type"), ("body.scopes", "wrong_type"), ("body.expires_in_days", "wrong_type"),
        ("body.notes", "wrong_type")}
    assert faults({"name": "x", "scopes": [1]}) == {("body.scopes", "wrong_type")}
    key, _ = create(server, name="ä" * 100, notes="ß" * 500, expires_in_days=3650, rate_limit_per_hour=1000000, scopes=None)
    assert key["name"] == "ä" * 100 and key["notes"] == "ß" * 500 and key["scopes"] == ["read"]
    assert server.get("/admin/keys?status=dead").status == 422
    assert server.post(f"/admin/keys/{key['id']}/rotate", {"grace_seconds": 2592001}).status == 422
    assert server.post(f"/admin/keys/{key['id']}/rotate", {"grace": 1}).status == 422
    assert server.request("DELETE", f"/admin/keys/{key['id']}?reason={'x' * 201}").status == 422
    for identifier in ("0", "99999999", "-1", "seven", "2147483648", "99999999999999999999"):
        answer = server.get(f"/admin/keys/{identifier}")
        assert answer.status == 404 and answer.json()["detail"] == f"API key {identifier} not found"
        assert server.post(f"/admin/keys/{identifier}/rotate").status == 404
        assert server.request("DELETE", f"/admin/keys/{identifier}").status == 404
    assert server.request("PUT", f"/admin/keys/{key['id']}").headers["allow"] == "GET, HEAD, DELETE, OPTIONS"


def test_command_line(server, everywhere):
    began = time.monotonic()
    made = server.ctl("keys", "create", "from the shell", "--scopes", "read,admin", "--days", "3", "--rate", "77", "--notes", "n")
    assert made.returncode == 0, made.stderr
    text = made.stdout.strip()
    assert re.fullmatch(r"pk_live_[A-Za-z0-9_-]{43}", text)
    in_force(everywhere, text, True, began)
    (key,) = [k for k in json.loads(server.ctl("keys", "list", "--json").stdout) if k["name"] == "from the shell"]
    assert set(key) == OBJECT and key["created_by"] == "cli" and key["scopes"] == ["read", "admin"]
    assert key["rate_limit_per_hour"] == 77 and key["notes"] == "n"
    table = server.ctl("keys", "list", "--status", "active").stdout
    assert re.search(rf"^ *{key['id']}  {text[:10]}  active   read,admin +77/h .*from the shell$", table, re.M)

    began = time.monotonic()
    rotated = server.ctl("keys", "rotate", str(key["id"]))
    successor = rotated.stdout.strip()
    assert rotated.returncode == 0 and re.fullmatch(r"pk_live_[A-Za-z0-9_-]{43}", successor)
    in_force(everywhere, text, False, began)
    assert 401 not in everywhere.statuses(successor)
    number = re.search(r"key (\d+) takes", rotated.stderr).group(1)
    again = server.ctl("keys", "rotate", str(key["id"]))
    assert again.returncode == 1 and "before" in again.stderr

    began = time.monotonic()
    assert server.ctl("keys", "revoke", number, "--reason", "done").returncode == 0
    in_force(everywhere, successor, False, began)
    assert server.get(f"/admin/keys/{number}").json()["revocation_reason"] == "done"
    assert server.ctl("keys", "revoke", number).returncode == 1
    assert server.ctl("keys", "revoke", "999999").returncode == 1
    for wrong in ([], ["make"], ["create"], ["create", ""], ["create", "x", "--scopes", "owner"], ["create", "x", "--days", "0"],
                  ["create", "x", "--grace", "1"], ["revoke", "x"], ["list", "--status"], ["rotate", "1", "2"]):
        assert server.ctl("keys", *wrong).returncode == 2, wrong


def test_uses_are_written(server, everywhere, rows):
    key, text = create(server)
    wait_until(lambda: 401 not in everywhere.statuses(text), 5)
    fresh, counted = create(server)
    wait_until(lambda: 401 not in everywhere.statuses(counted), 5)
    rows.execute("SELECT version FROM api_keys_version")
    version = rows.fetchall()
    asked = 3 * len(everywhere.connections)
    for _ in range(3):
        assert 401 not in everywhere.statuses(counted)
    assert server.ctl("reload").returncode == 0  # a worker that goes writes what it counted
    wait_until(lambda: server.get(f"/admin/keys/{fresh['id']}").json()["usage_count"] >= asked, 10, "the uses being written")
    assert TIME.fullmatch(server.get(f"/admin/keys/{fresh['id']}").json()["last_used_at"])
    rows.execute("SELECT version FROM api_keys_version")
    assert rows.fetchall() == version, "counting is no change of who may do what"
    assert key["id"] != fresh["id"]


# ---- without PostgreSQL ----


def expect_known(instance, known, unknown):
    for _ in range(8):
        assert instance.get(ROUTE, key=known).status != 401
        assert instance.get(ROUTE, key=unknown).status == 401


def test_keys_outlive_postgresql(patrond_factory, own_postgres):
    instance = patrond_factory(DATABASE_URL=own_postgres.url())
    instance.start()
    wait_until(lambda: instance.get("/admin/keys").status == 200, 15, "the tables being there")
    good, good_text = create(instance)
    _, gone_text = create(instance)
    _, short_text = create(instance)
    everywhere = Everywhere(instance)
    wait_until(lambda: 401 not in everywhere.statuses(short_text), 5, "the last key known")
    keys = instance.get("/admin/keys").json()["keys"]
    connection = own_postgres.connect()
    with connection, connection.cursor() as cursor:
        cursor.execute("UPDATE api_keys SET expires_at = now() + interval '4 seconds' WHERE id = %s", (keys[2]["id"],))
    connection.close()
    assert instance.request("DELETE", f"/admin/keys/{keys[1]['id']}").status == 200
    wait_until(lambda: everywhere.statuses(gone_text) == {401}, 5, "both changes known")
    everywhere.close()

    own_postgres.freeze()
    try:
        began = time.monotonic()
        expect_known(instance, good_text, gone_text)
        assert time.monotonic() - began < 1 * FACTOR, "nobody waits for the database"
    finally:
        own_postgres.resume()
    own_postgres.kill()
    expect_known(instance, good_text, gone_text)
    wait_until(lambda: all(instance.get(ROUTE, key=short_text).status == 401 for _ in range(8)), 6 + IN_FORCE_S,
               "expiry without a database")
    for method, path in (("GET", "/admin/keys"), ("POST", "/admin/keys"), ("GET", f"/admin/keys/{good['id']}"),
                         ("DELETE", f"/admin/keys/{good['id']}"), ("POST", f"/admin/keys/{good['id']}/rotate")):
        began = time.monotonic()
        answer = instance.request(method, path, body={"name": "x"} if path == "/admin/keys" and method == "POST" else None)
        assert answer.status == 503 and int(answer.headers["retry-after"]) >= 1, answer.body
        assert time.monotonic() - began < 1 * FACTOR
    failed = instance.ctl("keys", "list")
    assert failed.returncode == 1 and "PostgreSQL" in failed.stderr

    assert instance.stop() == 0
    instance.start()  # from the file alone
    expect_known(instance, good_text, gone_text)
    assert instance.get(ROUTE, key=short_text).status == 401

    own_postgres.start()
    wait_until(lambda: all(instance.get("/admin/keys").status == 200 for _ in range(8)), 10, "PostgreSQL used again by all")
    assert instance.request("DELETE", f"/admin/keys/{good['id']}").status == 200
    wait_until(lambda: all(instance.get(ROUTE, key=good_text).status == 401 for _ in range(8)), IN_FORCE_S, "the key refused")

    own_postgres.kill()  # a file that is not whole: nobody is let in
    assert instance.stop() == 0
    file = instance.directory / "state" / "api-keys"
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_bytes(file.read_bytes()[:-1])
    instance.start()
    assert instance.get(ROUTE, key=good_text).status == 401
    instance.wait_event("api_error", matching="api_keys_file")
    assert instance.get("/admin/workers").status == 200, "but the operator is"


def test_file_that_cannot_be_written(patrond_factory, database):
    instance = patrond_factory(DATABASE_URL=database)
    (instance.directory / "state" / "api-keys").mkdir(parents=True)
    instance.start()
    wait_until(lambda: instance.get("/admin/keys").status == 200, 15, "the tables being there")
    everywhere = Everywhere(instance)
    began = time.monotonic()
    key, text = create(instance)
    in_force(everywhere, text, True, began)
    began = time.monotonic()
    assert instance.request("DELETE", f"/admin/keys/{key['id']}").status == 200
    in_force(everywhere, text, False, began)
    everywhere.close()
    instance.wait_event("api_error", matching="api_keys_file")


def test_two_machines_on_one_database(patrond_factory, database):
    one, two = (patrond_factory(DATABASE_URL=database).start() for _ in range(2))
    wait_until(lambda: one.get("/admin/keys").status == 200, 15, "the tables being there")
    there = Everywhere(two)
    began = time.monotonic()
    key, text = create(one)
    in_force(there, text, True, began)
    began = time.monotonic()
    assert one.request("DELETE", f"/admin/keys/{key['id']}").status == 200
    in_force(there, text, False, began)
    there.close()


def test_command_line_without_a_server(patrond_factory, database):
    instance = patrond_factory(DATABASE_URL=database)
    early = instance.ctl("keys", "list")
    assert early.returncode == 1 and "first starts" in early.stderr
    instance.start()
    wait_until(lambda: instance.get("/admin/keys").status == 200, 15, "the tables being there")
    assert instance.stop() == 0
    text = instance.ctl("keys", "create", "offline").stdout.strip()
    assert text.startswith("pk_live_")
    instance.start()
    wait_until(lambda: all(instance.get(ROUTE, key=text).status != 401 for _ in range(8)), 5, "the key known")
    instance.write_settings(DATABASE_URL=None)
    assert instance.ctl("keys", "list").returncode == 78
