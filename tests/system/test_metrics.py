"""/metrics as Prometheus sees it: no lint, a scrape, sums that never go back, histograms that add up; what is shipped with it."""
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import urllib.request

import pytest

from lib.patrond import BUILD, TOP, Load, Patrond
from lib.wait import free_port, wait_until
from standins.claude import Claude

KEY = "sk-ant-api03-not-a-real-key"
_numbers = itertools.count()


def need(program):
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"NO {program.upper()}: apt-get install prometheus to hold /metrics against it")
    return path


@pytest.fixture(scope="module")
def served(postgres_server, redis_server, sample_sales, tmp_path_factory):
    """A server with everything it can have, that has been asked of everything, and has failed once."""
    postgres_server.ensure()
    redis_server.ensure()
    with Claude(KEY, lambda question: ("query_customers", {"scope": "list", "analysis": "high_value", "limit": 4, "filters": []})) as claude:
        instance = Patrond(tmp_path_factory.mktemp("metrics") / "i", {
            "DATABASE_URL": postgres_server.create_database(), "REDIS_URL": redis_server.url(), "SYNC_SOURCE": f"csv:{sample_sales(500)}",
            "ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": claude.url, "NL_TIMEOUT_MS": 2500,
            "AS_OF_DATE": "2025-01-01"})
        history = pathlib.Path(instance.settings["STATE_DIR"])
        history.mkdir()
        subprocess.run([BUILD / "tests/unit/slo_history", history], check=True)
        instance.start()
        instance.sync("full")
        instance.wait_data()
        ask_of_everything(instance, claude)
        yield instance
        problems = instance.finish()
        assert not problems, "\n".join(problems)


def ask_of_everything(instance, claude):
    instance.get("/nowhere")
    for _ in range(2):  # the second time from the cache
        customer = instance.get("/api/mcp/customer/random").json()["customer_id"]
        instance.get(f"/api/mcp/customer/{customer}/orders")
    claude.fail_next("empty")
    for _ in range(3):
        assert instance.post("/api/mcp/query/natural-language", {"query": f"the best customers {next(_numbers)}"}).status == 200


def scrape(instance):
    answer = instance.get("/metrics", key=None)
    assert answer.status == 200
    return answer.body.decode()


def samples(text):
    found = {}
    for line in text.splitlines():
        if line and line[0] != "#":
            series, value = line.rsplit(" ", 1)
            assert series not in found, f"twice: {series}"
            found[series] = float(value)
    return found


def counters(text):
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
    return {s: v for s, v in samples(text).items()
            if kinds.get(s.split("{")[0]) == "counter" or re.match(r".*_(bucket|sum|count)(\{|$)", s)}


def test_promtool_finds_nothing_but_kept_names(served):
    done = subprocess.run([need("promtool"), "check", "metrics"], input=scrape(served), capture_output=True, text=True)
    # Names that the contract keeps from the earlier service.
    kept = ("customers_loaded_total", "archetypes_loaded_total", "db_connections_total")
    lint = [l for l in (done.stdout + done.stderr).splitlines() if l and not l.startswith(kept)]
    assert done.returncode in (0, 3) and not lint, lint


def dashboard_expressions():
    for panel in json.loads((TOP / "etc/grafana/patrond.json").read_text())["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".*")


def test_the_real_prometheus_scrapes_it(served, tmp_path):
    port = free_port()
    config = tmp_path / "prometheus.yml"
    config.write_text("global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
                      f"rule_files: ['{TOP}/etc/prometheus/patrond.rules.yml']\n"
                      "scrape_configs: [{job_name: patrond, static_configs: [{targets: ['127.0.0.1:%d']}]}]\n" % served.port)
    process = subprocess.Popen([need("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={tmp_path}/data",
                                f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"], stderr=subprocess.PIPE, text=True)
    try:
        def ask(expression):
            try:
                url = f"http://127.0.0.1:{port}/api/v1/query?query={urllib.request.quote(expression)}"
                with urllib.request.urlopen(url, timeout=5) as answer:
                    return [r["value"][1] for r in json.load(answer)["data"]["result"]]
            except OSError:
                return None
        wait_until(lambda: ask("up"), 20, "a scrape")
        assert wait_until(lambda: ask('up{job="patrond"} == 1'), 10, "up == 1") == ["1"]
        assert int(ask("customers_loaded_total")[0]) > 100
        assert wait_until(lambda: ask("patrond:requests:rate5m > 0"), 15, "a recorded rate")
        for title, expression in dashboard_expressions():
            assert wait_until(lambda: ask(expression), 10, f"values for {title}: {expression}")
    finally:
        process.terminate()
        process.communicate(timeout=20)


def test_sums_never_go_back(served):
    before = counters(scrape(served))

    def check(what):
        nonlocal before
        after = counters(scrape(served))
        back = {s: (v, after.get(s)) for s, v in before.items() if after.get(s, -1) < v}
        assert not back, (what, back)
        before = after
    for pid in served.workers():
        os.kill(pid, signal.SIGKILL)
        for _ in range(20):  # also while it is being buried
            check("death")
    served.wait_event("worker_crashed", 15, count=2)
    wait_until(lambda: len(served.workers()) == 2, 15, "new workers")
    check("rebirth")
    assert before['worker_restarts_total{reason="crash"}'] >= 2
    for verb in ("reload", "upgrade", "reload"):
        old = served.workers()
        assert served.ctl(verb).returncode == 0
        check(verb)
        wait_until(lambda: not set(old) & set(served.workers()), 15, "the old generation gone")
        check(f"the end of the generation before the {verb}")


def test_no_request_makes_a_new_series(served):
    """Methods, paths, keys and headers that nobody thought of."""
    known = set(samples(scrape(served)))
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "BREW"):
        for path in ("/", "/nowhere/%00", "/api/mcp/customer/7", "/api/mcp/customer/x'--", "/metrics?a=b", "/admin/slo", "/../etc"):
            served.raw(f"{method} {path} HTTP/1.1\r\nHost: a\r\nX-API-Key: pk_live_x\r\nUser-Agent: \"{{}}\\\r\n"
                       f"X-Correlation-ID: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
    words = {"method": {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "OTHER"}, "status_code": {f"{n}xx" for n in range(1, 6)}}
    for series in set(samples(scrape(served))) - known:
        for name, value in re.findall(r'(\w+)="([^"]*)"', series):
            if name in words:
                assert value in words[name], series
            elif name == "endpoint":
                assert f'http_requests_in_progress{{endpoint="{value}"}}' in known, series
            else:
                assert name in ("reason", "le"), series


def test_requests_in_progress_are_counted_by_endpoint(served):
    def now(endpoint):
        return samples(scrape(served))[f'http_requests_in_progress{{endpoint="{endpoint}"}}']
    wait_until(lambda: now("/metrics") == 1, 5, "the scrape itself alone")  # the one before ends after its answer
    assert now("/api/mcp/query") == 0
    with served.connect() as client:
        client.sendall(f"POST /api/mcp/query HTTP/1.1\r\nHost: a\r\nX-API-Key: {served.admin_key}\r\nContent-Length: 9\r\n\r\n{{".encode())
        wait_until(lambda: now("/api/mcp/query") == 1, 5, "the request whose body is still coming")
    wait_until(lambda: now("/api/mcp/query") == 0, 5, "it is gone with its client")


def add_up(found):
    series = {}
    for s, v in found.items():
        if m := re.fullmatch(r'(\w+)_bucket\{(.*?),?le="([^"]+)"\}', s):
            series.setdefault((m[1], m[2]), []).append((float(m[3]), v))
    assert len(series) > 5
    for (name, labels), buckets in series.items():
        values = [v for _, v in buckets]
        assert [b for b, _ in buckets] == sorted(b for b, _ in buckets) and values == sorted(values)
        suffix = f"{{{labels}}}" if labels else ""
        assert values[-1] == found[f"{name}_count{suffix}"] and found[f"{name}_sum{suffix}"] >= 0


def test_histograms_add_up_under_load(served):
    before = counters(scrape(served))
    with Load(served.port, ["/api/mcp/customer/random", "/nowhere/at/all"], {"X-API-Key": served.admin_key}) as load:
        for _ in range(20):
            load.wait_requests(20)
            after = counters(scrape(served))
            add_up(after)
            assert all(after[s] >= v for s, v in before.items())
            before = after


def test_dashboard_and_rules_name_what_is_served(served, tmp_path):
    (tmp_path / "metrics").write_text(scrape(served))
    done = subprocess.run([TOP / "scripts/check-dashboard", tmp_path / "metrics"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_every_alert_rule_fires_and_ends():
    """On instance a; and is held against series that just must not fire it, on the others."""
    rules = (TOP / "etc/prometheus/patrond.rules.yml").read_text()
    tests = (TOP / "etc/prometheus/patrond.rules.test.yml").read_text()
    alerts = re.findall(r"alert: (\w+)", rules)
    assert len(alerts) > 10
    for alert in alerts:
        [of_alert] = re.findall(rf"^    name: {alert}\n(.*?)(?=^  - interval|\Z)", tests, re.M | re.S)
        count = rf'count\(ALERTS{{alertname="{alert}",alertstate="firing",severity="P\d",'
        for expression, want in ((rf'{count}instance="a:8000"', 1), (rf'{count}instance="a:8000"', 0),
                                 (rf'max_over_time\(\({count}instance!="a:8000"', 0)):
            assert re.search(rf"expr: {expression}.*\n.*\n +exp_samples: .*value: {want} ", of_alert), (alert, expression, want)
    done = subprocess.run([need("promtool"), "test", "rules", "patrond.rules.test.yml"], cwd=TOP / "etc/prometheus",
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
