"""Claude and the webhook by https: a good certificate is taken, a bad one is refused in clear words, and nothing is sent."""
import contextlib
import itertools
import subprocess

import pytest

from lib.patrond import _program, serving
from lib.sales import shop, write
from lib.tls import Certificates, TlsFront, trusting
from lib.wait import FACTOR, wait_until
from lib.webhook import Webhook
from standins.claude import Claude

KEY = "sk-ant-secret-of-the-tests-0123456789"
BAD = {"wronghost": "no alternative certificate subject name matches target host name 'localhost'",
       "untrusted": "SSL certificate problem: self-signed certificate",
       "expired": "SSL certificate problem: certificate has expired"}


class Site:
    """A server that asks Claude and tells a webhook, each behind TLS."""

    def __init__(self, patrond, patronctl, webhook, claude, hook):
        self.patrond, self.patronctl, self.webhook, self.claude, self.hook = patrond, patronctl, webhook, claude, hook
        self._questions = itertools.count()

    def show(self, certificate):
        for front in (self.claude, self.hook):
            front.show(certificate)

    def nothing_sent(self):
        for front in (self.claude, self.hook):
            wait_until(lambda: front.ended, 5, "a connection that is over")
            assert front.received == b""

    def ask(self):
        answer = self.patrond.post("/api/mcp/query/natural-language", {"query": f"the best customers {next(self._questions)}"})
        assert answer.status == 200
        return answer.json()["interpreter"]

    def ctl(self, *arguments):
        return subprocess.run([self.patronctl, "-c", self.patrond.file, *arguments], env=self.patrond.environment(),
                              capture_output=True, text=True, timeout=30 * FACTOR)


@pytest.fixture(scope="module")
def site(postgres_server, tmp_path_factory):
    directory = tmp_path_factory.mktemp("tls")
    certificates = Certificates(directory / "certificates")
    wrapped = [trusting(certificates.ca_file, _program(*name), directory)
               for name in (("PATROND_BIN", "patrond"), ("PATRONCTL_BIN", "patronctl"))]
    if None in wrapped:
        pytest.skip("no mount namespace here, so the system's certificates can't be others for a test")
    write(directory / "sales.csv", shop(100))
    postgres_server.ensure()
    webhook = Webhook()
    with contextlib.ExitStack() as stack:
        stack.callback(webhook.close)
        claude = stack.enter_context(Claude(KEY, lambda question: ("query_customers", {
            "scope": "list", "analysis": "high_value", "limit": 4, "filters": []})))
        fronts = [stack.enter_context(TlsFront(certificates, target))
                  for target in (claude.server_address[1], webhook.server.server_port)]
        patrond = stack.enter_context(serving(directory / "i", {
            "binary": wrapped[0], "DATABASE_URL": postgres_server.create_database(), "WORKERS": 1,
            "SYNC_SOURCE": f"csv:{directory / 'sales.csv'}", "AS_OF_DATE": "2025-01-01", "ANTHROPIC_API_KEY": KEY,
            "ANTHROPIC_BASE_URL": f"https://localhost:{fronts[0].port}", "NL_TIMEOUT_MS": 5000,
            "ALERT_WEBHOOK_URL": f"https://localhost:{fronts[1].port}/services/T0/B0/s3cret-token"}))
        yield Site(patrond, wrapped[1], webhook, *fronts)


def test_a_good_certificate_is_taken(site):
    site.show("good")
    assert site.ctl("check", "claude").returncode == 0
    assert site.ctl("alert-test").returncode == 0
    assert site.webhook.count("Test: alerts of patrond") == 1
    assert KEY.encode() in site.claude.received and b"/services/T0/B0/s3cret-token" in site.hook.received
    assert site.ask() == "claude"


@pytest.mark.parametrize("certificate", BAD)
def test_a_bad_certificate_is_refused_in_words(site, certificate):
    site.show(certificate)
    checked = site.ctl("check", "claude")
    assert checked.returncode == 1 and "(tls)" in checked.stdout and BAD[certificate] in checked.stdout, checked.stdout
    tried = site.ctl("alert-test")
    assert tried.returncode == 1 and BAD[certificate] in tried.stderr and "s3cret" not in tried.stderr, tried.stderr
    site.nothing_sent()


def test_the_server_refuses_says_why_and_comes_back(site):
    """The rules answer; what could not be told is told once the certificate is good."""
    site.show("wronghost")
    assert site.ask() == "rules"
    said = site.patrond.wait_event("claude_failed")
    assert "error_type=tls" in said and BAD["wronghost"] in said, said
    assert BAD["wronghost"] in site.patrond.wait_event("alert_failed", 20)
    site.nothing_sent()
    site.show("good")
    site.webhook.wait("Claude does not answer", 30)
    site.patrond.write_settings(ANTHROPIC_EFFORT="high")  # a certificate does not get good by haste: it asks again in a minute
    assert site.ctl("reload").returncode == 0
    assert site.ask() == "claude"
    site.webhook.wait("Recovered: Claude answers again", 30)
