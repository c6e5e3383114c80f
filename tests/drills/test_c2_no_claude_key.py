"""C2: ANTHROPIC_API_KEY is missing.

Users      questions in natural language are answered by the rules interpreter.
Detection  `ai_not_configured` ("ANTHROPIC_API_KEY not found") once, component ai "not_configured", /health "healthy".
Recovery   none is needed.
"""
import pytest

from lib.drill import component, elapsed, health, reads, seen
from lib.wait import FACTOR, wait_until
from lib.walk import shop

pytestmark = pytest.mark.drill


def test_rules_answer_and_it_is_told_once(postgres_server, tmp_path, record_property):
    with shop(postgres_server, tmp_path / "shop", customers=150) as p:
        with reads(p) as load:
            answers = [elapsed(p.post, "/api/mcp/query/natural-language", {"query": words}) for words in (
                "who are our best customers", "which customers are at risk of churning", "revenue by category", "sing a song")]
            assert p.ctl("reload").returncode == 0
            load.wait_requests(100)
        assert all(a.status == 200 and a.json()["interpreter"] == "rules" for a, _ in answers)
        took = max(t for _, t in answers)
        assert took < 3 * FACTOR
        (line,) = p.events("ai_not_configured")
        assert "ANTHROPIC_API_KEY not found" in line and "level=info" in line
        assert component(p, "ai") == "not_configured"
        wait_until(lambda: health(p)["status"] == "healthy", 10, "healthy")
        assert not p.events("claude_failed")
    seen(record_property, f"4 questions answered by rules beside {load.good} reads, told once, healthy", took)
