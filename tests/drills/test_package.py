"""The Debian package in a clean Debian 12: it brings what it needs, serves, reloads, upgrades under load, and goes.

Needs      scripts/debian-root and scripts/testbed, so root, mmdebstrap and a mirror the first time; skipped, loudly, without.
Users      an upgrade costs no request, with 64 connections that ask without pause.
Detection  `upgrade_completed` with both versions; the doctor finds nothing wrong; the service levels go on counting.
Recovery   none is needed: no process of the unit is started again.
"""
import json
import subprocess
import time

import pytest

from lib.drill import seen
from lib.testbed import KEY, Bed, debian_root
from lib.wait import wait_until
from lib.wrk import Wrk

pytestmark = pytest.mark.drill

SERVERS = ["postgresql", "redis-server"]
SETTINGS = """
REDIS_URL = redis://127.0.0.1:6379
SYNC_SOURCE = csv:/srv/sales.csv
AS_OF_DATE = 2024-12-31
ALLOW_LIST = 127.0.0.1
WORKERS = 2
"""
# Data, what the operator wrote, the settings of what it needs, and the package manager's own.
KEPT = ("/var/lib/patrond", "/etc/freetds", "/var/lib/postgresql/", "/var/lib/redis/", "/etc/credstore", "/srv/",
        "/var/lib/dpkg/", "/var/lib/apt/", "/var/cache/", "/var/log/")


@pytest.fixture(scope="module")
def newer(package, tmp_path_factory):
    """The same package as 1.0.1-1."""
    directory = tmp_path_factory.mktemp("newer")
    tree, made = directory / "tree", directory / package.name.replace("1.0.0", "1.0.1")
    subprocess.run(["dpkg-deb", "-R", package, tree], check=True)
    for name in ["DEBIAN/control", "usr/sbin/patrond", "usr/bin/patronctl"]:
        content = (tree / name).read_bytes()
        assert b"1.0.0" in content
        (tree / name).write_bytes(content.replace(b"1.0.0-1\n", b"1.0.1-1\n").replace(b"1.0.0\0", b"1.0.1\0"))
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, made], check=True, stdout=subprocess.DEVNULL)
    return made


@pytest.fixture
def bed(package, newer, tmp_path):
    b = Bed(tmp_path / "bed", debian_root(package, *SERVERS))
    for deb in (package, newer):
        (b.root / "srv" / deb.name).write_bytes(deb.read_bytes())
    yield b
    b.down()


def apt_install(bed, *packages):
    """Without the network, which the bed has not got, and what is merely recommended."""
    return bed.out("apt-get", "install", "-y", "-q", "--no-install-recommends", *packages, timeout=120)


def files(bed):
    """Every path of its disk but those that may stay."""
    return {p for p in bed.out("find", "/", "-xdev").splitlines() if not p.startswith(KEPT)}


def installs(bed, package):
    """Answers the paths that came with it and what it needs."""
    before = files(bed)
    said = apt_install(bed, f"/srv/{package.name}")
    assert "set DATABASE_URL and ADMIN_KEY" in said
    assert bed.out("systemctl", "is-enabled", "patrond") == "enabled" and bed.show("patrond", "ActiveState") == "inactive"
    assert bed.out("stat", "-c", "%U:%G %a", "/etc/patrond/patrond.conf") == "root:patrond 640"
    assert "usr/share/patrond/grafana/patrond.json" in bed.out("dpkg", "-L", "patrond")
    assert not bed.run("ldd", "/usr/sbin/patrond", "/usr/bin/patronctl").stdout.count("not found")
    return files(bed) - before


def starts(bed, sales):
    """With PostgreSQL and Redis as they are installed, and the secrets where README wants them. Answers all paths before it ran."""
    apt_install(bed, *SERVERS)
    before = files(bed)
    bed.out("runuser", "-u", "postgres", "--", "sh", "-c", "createuser patrond && createdb -O patrond patrond")
    bed.write("/srv/sales.csv", sales.read_text())
    bed.write("/etc/credstore/patrond.ADMIN_KEY", KEY + "\n", 0o600)
    bed.write("/etc/credstore/patrond.DATABASE_URL", "postgresql:///patrond?host=/run/postgresql&user=patrond\n", 0o600)
    with open(bed.root / "etc/patrond/patrond.conf", "a", encoding="utf-8") as conf:
        conf.write(SETTINGS)
    bed.write("/etc/patrond/second.conf", "LISTEN = 127.0.0.1:8101\nWORKERS = 1\nENABLE_SALES_SYNC = false\n")
    for secret in ("ADMIN_KEY", "DATABASE_URL"):
        bed.out("cp", f"/etc/credstore/patrond.{secret}", f"/etc/credstore/patrond.second.{secret}")
    bed.out("systemctl", "start", "patrond")
    bed.out("systemctl", "enable", "--now", "patrond@second")
    assert bed.show("patrond", "ActiveState") == "active"
    return before


def first_sync(bed):
    assert "succeeded" in bed.out("patronctl", "sync", "--wait")


def answers(bed):
    health = wait_until(lambda: (h := json.loads(bed.get("/health")[1]))["status"] == "healthy" and h, 15, "/health healthy")
    assert health["data_status"]["customers_loaded"] == 300
    status, profile = bed.get("/api/mcp/customer/random")
    assert status == 200
    found = bed.get("/api/mcp/search", "-d", '{"sort_by": "ltv_desc", "limit": 3}')
    assert found[0] == 200 and len(json.loads(found[1])["customers"]) == 3
    doctor = bed.run("patronctl", "doctor")
    assert doctor.returncode == 0 and "\n0 failed, 0 to look at, 16 well" in doctor.stdout, doctor.stdout
    made = bed.run("patronctl", "keys", "create", "an agent")
    assert made.returncode == 0 and made.stdout.startswith("pk_live_")
    bed.out("journalctl", "--sync")
    told = json.loads(bed.out("journalctl", "-o", "json", "EVENT=api_key_created").splitlines()[-1])
    assert told["BY"] == "cli" and f"key {told['KEY_ID']} created" in made.stderr and made.stdout[10:].strip() not in json.dumps(told)
    return json.loads(profile)["customer_id"]


def reloads(bed):
    bed.out("systemctl", "reload", "patrond")
    assert bed.show("patrond", "StatusText").startswith("serving generation 2")


def measured(bed):
    """Requests that the last day's service levels were measured from."""
    slo = json.loads(bed.get("/admin/slo")[1])
    return next(o["windows"]["24h"]["events"] for o in slo["objectives"] if o["name"] == "error_rate")


def upgrades_under_load(bed, package, customer):
    """Answers what wrk counted."""
    pids = [bed.show(unit, "MainPID") for unit in ("patrond", "patrond@second")]
    with Wrk(bed, f"/api/mcp/customer/{customer}", seconds=60, headers={"X-API-Key": KEY}, through=bed.from_outside()) as wrk:
        before = wait_until(lambda: (n := measured(bed)) > 1000 and n, 30, "service levels of the load", every=0.2)
        apt_install(bed, f"/srv/{package.name}")
        after = measured(bed)
    assert wrk.failed == 0 and wrk.lost == 0 and wrk.requests > 1000, wrk.said
    assert after >= before
    assert [bed.show(unit, "MainPID") for unit in ("patrond", "patrond@second")] == pids
    for unit in ("patrond.service", "patrond@second.service"):
        line = bed.events("upgrade_completed", unit)[-1]
        assert (line["FROM"], line["TO"]) == ("1.0.0", "1.0.1")
    assert SETTINGS in bed.out("cat", "/etc/patrond/patrond.conf") + "\n"
    assert bed.out("dpkg-query", "-W", "-f", "${Version}", "patrond") == "1.0.1-1"
    return wrk


def purges(bed, installed, before_start):
    bed.out("systemctl", "stop", "postgresql", "redis-server")
    bed.out("dpkg", "--purge", "patrond", timeout=120)
    for unit in ("patrond", "patrond@second"):
        assert bed.run("systemctl", "is-active", unit).stdout.strip() == "inactive"
    assert "patrond" not in bed.out("sh", "-c", "cat /proc/[0-9]*/comm")
    assert "patrond" not in bed.out("journalctl", "--dump-catalog")
    kept = bed.out("ls", "/var/lib/patrond").split()
    assert "slo_history" in kept and any(name.startswith("population-") for name in kept)
    packages = bed.out("dpkg-query", "-W", "-f", "${Package}\n").split()
    owned = bed.out("dpkg", "-L", *packages).splitlines()
    now = files(bed)
    left = (now & installed) - set(owned) - {f"/usr{p}" for p in owned} | now - before_start
    assert not left, sorted(left)


def test_package_from_first_install_to_purge(bed, package, newer, sample_sales, record_property):
    sales = sample_sales(300)
    laps = [time.monotonic()]

    def lap():
        laps.append(time.monotonic())
        return f"{laps[-1] - laps[-2]:.1f} s"
    installed = installs(bed, package)
    install_s = lap()
    before_start = starts(bed, sales)
    lap()
    first_sync(bed)
    sync_s = lap()
    customer = answers(bed)
    reloads(bed)
    lap()
    wrk = upgrades_under_load(bed, newer, customer)
    upgrade_s = lap()
    answers(bed)
    purges(bed, installed, before_start)
    seen(record_property, f"installed in {install_s} by apt with its own Depends, first sync of a CSV {sync_s}, healthy, doctor well;"
         f" upgrade under load {upgrade_s} with {wrk.requests} answers to 64 connections, {wrk.failed + wrk.lost} failed; purged, only"
         " data left")
