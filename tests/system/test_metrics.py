"""/metrics as Prometheus sees it: no lint, a scrape, sums that never go back, histograms that add up; what is shipped with it."""
import json
import os
import re
import shutil
import signal
import subprocess
import urllib.request

import pytest

from lib.patrond import TOP
from lib.wait import free_port, wait_until


def need(program):
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"NO {program.upper()}: apt-get install prometheus to hold /metrics against it")
    return path


@pytest.fixture
def served(patrond_factory, database, sample_sales):
    instance = patrond_factory(DATABASE_URL=database, SYNC_SOURCE=f"csv:{sample_sales(100)}")
    instance.start()
    instance.sync("full")
    instance.wait_data()
    for _ in range(10):
        instance.get("/api/mcp/customer/random")
        instance.get("/nowhere")
    return instance


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
        assert ask("customers_loaded_total") == ["100"]
        assert wait_until(lambda: ask("patrond:requests:rate5m > 0"), 15, "a recorded rate")
    finally:
        process.terminate()
        process.communicate(timeout=20)


def test_sums_never_go_back(served):
    before = counters(scrape(served))
    for pid in served.workers():
        os.kill(pid, signal.SIGKILL)
    served.wait_event("worker_crashed", 15, count=2)
    wait_until(lambda: len(served.workers()) == 2, 15, "new workers")
    after = counters(scrape(served))
    back = {s: (v, after.get(s)) for s, v in before.items() if after.get(s, -1) < v and not s.startswith("process_cpu")}
    assert not back
    assert after['worker_restarts_total{reason="crash"}'] >= 2


def test_histograms_add_up(served):
    found = samples(scrape(served))
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


def test_dashboard_and_rules_name_what_is_served(served, tmp_path):
    (tmp_path / "metrics").write_text(scrape(served))
    done = subprocess.run([TOP / "scripts/check-dashboard", tmp_path / "metrics"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_every_alert_rule_fires_and_ends():
    rules = (TOP / "etc/prometheus/patrond.rules.yml").read_text()
    tests = (TOP / "etc/prometheus/patrond.rules.test.yml").read_text()
    for alert in re.findall(r"alert: (\w+)", rules):
        assert f'alertname="{alert}"' in tests, f"{alert} has no test"
    done = subprocess.run([need("promtool"), "test", "rules", "patrond.rules.test.yml"], cwd=TOP / "etc/prometheus",
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
