"""The status page: what it says, that nothing on it comes from elsewhere, and how a browser shows it."""
import base64
import datetime
import hashlib
import html.parser
import os
import pathlib
import re
import shutil
import struct
import subprocess

import pytest

from lib.patrond import TOP
from lib.wait import FACTOR, wait_until

VOID = {"meta", "rect", "link", "br", "img"}
OPTIONAL_END = {"tr", "td", "th", "p"}


@pytest.fixture(scope="module")
def database(postgres_server):
    postgres_server.ensure()
    return postgres_server.create_database()


@pytest.fixture
def served(patrond_factory, database, sample_sales):
    """A server with data and 30 days of history."""
    instance = patrond_factory(DATABASE_URL=database, REDIS_URL="redis://127.0.0.1:1/0", SYNC_SOURCE=f"csv:{sample_sales(100)}",
                               AS_OF_DATE="2025-01-01")
    state = pathlib.Path(instance.settings["STATE_DIR"])
    state.mkdir(parents=True)
    program = pathlib.Path(os.environ.get("PATROND_BUILD", TOP)) / "tests/unit/slo_history"
    subprocess.run([program, state], check=True)
    instance.start()
    instance.sync("full")
    instance.wait_data()
    wait_until(lambda: b"Redis is down" in page(instance).body, 10, "the incident shown")
    return instance


def page(instance):
    answer = instance.get("/status", key=None)
    assert answer.status == 200, answer.body
    return answer


class Elements(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID | OPTIONAL_END:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID | OPTIONAL_END:
            assert self.open.pop() == tag


def test_says_how_the_server_does(served):
    text = page(served).body.decode()
    elements = Elements(text)
    assert elements.open == []
    assert "Serving, degraded" in text and re.search(r"Redis is down</strong> for \d+ s: it cannot be reached\.<br>", text)
    for component in ("API", "MCP server", "PostgreSQL", "Redis", "Sales source", "Claude", "Sync"):
        assert f"<td>{component}<td" in text
    assert re.search(r"Data version 1, as of \d{4}-\d\d-\d\d, last synced \d+ s ago", text)
    assert "full<td class=\"ok\">success" in text and "2 ready" in text
    assert "<title>Serving, degraded – Customer Intelligence API</title>" in text
    days = re.findall(r'<rect class="(ok|warn|bad|none)"[^>]*><title>(\d{4}-\d\d-\d\d): ([^<]*)</title>', text)
    today = datetime.datetime.now(datetime.timezone.utc).date()
    assert len(days) == 30 and days[-1][1] in (str(today), str(today - datetime.timedelta(days=1)))
    bad = {day: words for colour, day, words in days if colour != "ok"}
    assert bad and all(words == "99.30 %, down for 10 min" for words in list(bad.values())[1:-1]), bad
    assert len(re.findall(r'<rect class="bar"', text)) > 80
    used = float(re.search(r"Error budget: ([0-9.]+) of 216 minutes", text).group(1))
    assert 20 <= used <= 45
    # nothing from elsewhere, nothing that runs, nothing about anybody
    assert not {t for t, _ in elements.tags} & {"script", "link", "img", "iframe", "a", "form", "object"}
    assert not any(k in ("src", "href", "style") or k.startswith("on") for _, attrs in elements.tags for k in attrs)
    assert "url(" not in text and "@import" not in text
    assert "127.0.0.1" not in text and str(served.settings["STATE_DIR"]) not in text and "@" not in re.sub(r"<style>.*</style>", "", text)
    refresh = [a for t, a in elements.tags if t == "meta" and a.get("http-equiv") == "refresh"]
    assert refresh == [{"http-equiv": "refresh", "content": "30"}]


def test_only_its_own_style_is_allowed(served):
    answer = page(served)
    style = re.search(rb"<style>(.*)</style>", answer.body, re.S).group(1)
    digest = base64.b64encode(hashlib.sha256(style).digest()).decode()
    assert answer.headers["content-security-policy"] == f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'"
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    other = served.get("/health", key=None).headers["content-security-policy"]
    assert other == "default-src 'none'; frame-ancestors 'none'"


def test_what_others_wrote_is_not_on_it(patrond_factory, postgres_server, tmp_path):
    """A source whose columns, and so the run's error, are an attack; nor is a host, a path or a name there."""
    attack = "<script>alert(1)</script>"
    (tmp_path / "sales.csv").write_text(f"order_id,{attack}\n1,{attack}\n")
    instance = patrond_factory(DATABASE_URL=postgres_server.create_database(), SYNC_SOURCE=f"csv:{tmp_path / 'sales.csv'}")
    instance.start()
    assert instance.sync("full")["status"] == "failed"
    text = page(instance).body.decode()
    assert 'class="bad">failed (' in text and "Sync is degraded" in text
    assert "<script" not in text and "alert(1)" not in text and str(tmp_path) not in text
    assert Elements(text).open == []
    assert "Unavailable" in text and "no sync has succeeded yet" in text and "<title>Unavailable" in text


def test_can_be_turned_off_and_shows_an_empty_server(patrond_factory, database):
    instance = patrond_factory(DATABASE_URL=database, ENABLE_STATUS_PAGE="false")
    instance.start()
    assert instance.get("/status", key=None).status == 404
    instance.write_settings(ENABLE_STATUS_PAGE="true", STATE_DIR=instance.directory / "state")
    assert instance.ctl("reload").returncode == 0
    assert "Customer Intelligence API" in page(instance).body.decode()


def picture(instance, path, width, height, scheme):
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("NO BROWSER: apt-get install chromium to see the status page drawn")
    done = subprocess.run([program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                           f"--user-data-dir={path.parent / 'profile'}", f"--window-size={width},{height}", "--enable-logging=stderr",
                           f"--blink-settings=preferredColorScheme={scheme}", f"--screenshot={path}",
                           f"http://127.0.0.1:{instance.port}/status"],
                          capture_output=True, text=True, timeout=60 * FACTOR, env={"HOME": str(path.parent), "PATH": os.environ["PATH"]})
    assert path.exists(), done.stderr[-2000:]
    complaints = [l for l in done.stderr.splitlines() if "CONSOLE" in l or "Content Security" in l or "Refused" in l]
    assert not complaints, complaints
    size = struct.unpack(">II", path.read_bytes()[16:24])
    assert size == (width, height)
    return path.read_bytes()


def test_a_browser_draws_it(served, tmp_path):
    """Set PATROND_SCREENSHOTS to a directory to keep the pictures."""
    keep = pathlib.Path(os.environ.get("PATROND_SCREENSHOTS") or tmp_path)
    light = picture(served, keep / "status-light.png", 1280, 1750, 1)
    dark = picture(served, keep / "status-dark.png", 1280, 1750, 0)
    assert light != dark
    picture(served, keep / "status-phone.png", 390, 2100, 1)
