"""Fixtures shared by the system tests and the drills.

One private PostgreSQL and one private Redis a test run, on free ports of 127.0.0.1 and on Unix
sockets below a temporary directory; a fresh database for each test that asks for one.
"""
import os
import pathlib
import resource
import subprocess
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from lib.servers import Postgres, Redis, private  # noqa: E402
from lib.patrond import Patrond  # noqa: E402
from lib.sales import Table  # noqa: E402


@pytest.fixture(scope="session")
def scratch():
    with tempfile.TemporaryDirectory(prefix="patrond-") as name:
        os.chmod(name, 0o755)
        yield pathlib.Path(name)


@pytest.fixture(scope="session")
def postgres_server(scratch):
    server = Postgres(scratch / "pg")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis_server(scratch):
    server = Redis(scratch / "redis")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def retail_sales(scratch):
    """The gift retailer's year as canonical CSV."""
    data = HERE.parents[1] / "shared" / "data" / "online_retail.csv.gz"
    if not data.exists():
        pytest.skip("the gift retailer's sales are not here")
    path = scratch / "retail.csv"
    with open(path, "wb") as out:
        subprocess.run([sys.executable, HERE.parent / "scripts" / "convert-online-retail", data], stdout=out, check=True)
    return path


@pytest.fixture(scope="session")
def sample_sales(scratch):
    """make(customers, seed, start, end) -> canonical CSV of a made-up shop, made once."""
    made = {}

    def make(customers, seed=1, start="2023-01-01", end="2024-12-31"):
        key = (customers, seed, start, end)
        if key not in made:
            made[key] = scratch / f"sample-{len(made)}.csv"
            with open(made[key], "wb") as out:
                subprocess.run([sys.executable, HERE.parent / "scripts" / "make-sample-sales", "--customers", str(customers),
                                "--seed", str(seed), "--from", start, "--to", end], stdout=out, check=True)
        return made[key]
    return make


@pytest.fixture
def postgres(postgres_server):
    """The shared server, certainly running."""
    postgres_server.ensure()
    return postgres_server


@pytest.fixture
def redis(redis_server):
    redis_server.ensure()
    return redis_server


@pytest.fixture
def database(postgres):
    """URL of an empty database."""
    return postgres.create_database()


@pytest.fixture
def table(database):
    """Questions to that database."""
    return Table(database)


@pytest.fixture
def source(tmp_path):
    """Where a test writes its order lines; nothing is there yet."""
    return tmp_path / "sales.csv"


@pytest.fixture
def own_postgres():
    """A server of this test's own, to stop, freeze and kill."""
    with private(Postgres) as server:
        yield server


@pytest.fixture
def own_redis():
    with private(Redis) as server:
        yield server


@pytest.fixture
def patrond_factory(request):
    """make(**settings) -> Patrond, not yet started; all are stopped, checked and removed at the end."""
    made = []
    with tempfile.TemporaryDirectory(prefix="patrond-i-") as name:
        def make(**settings):
            instance = Patrond(pathlib.Path(name) / str(len(made)), settings)
            made.append(instance)
            return instance
        yield make
        problems = [p for i in made for p in i.finish()]
        assert not problems, "\n".join(problems)


@pytest.fixture
def patrond(patrond_factory, database):
    """A running server on an empty database, without a source."""
    instance = patrond_factory(DATABASE_URL=database)
    instance.start()
    return instance


@pytest.fixture
def descriptors():
    """As many as the machine allows this process and, through it, the server."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the last lines its servers wrote."""
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed:
        for value in getattr(item, "funcargs", {}).values():
            if isinstance(value, Patrond):
                report.sections.append(("patrond", value.log_tail()))
