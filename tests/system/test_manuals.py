"""The manual pages say what the tables of the sources say."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]


def read(name):
    return (TOP / name).read_text()


def test_every_signal_is_in_the_manual():
    rows = re.findall(r'\{ SIG\w+, "(\w+)"', read("src/proc/signals.c"))
    items = re.findall(r"^\.It (.*)$", read("man/patrond.8").split(".Sh SIGNALS")[1].split(".Sh ")[0], re.M)
    assert len(rows) >= 7
    assert sorted(rows) == sorted(name for item in items for name in item.split(" , "))


def test_every_command_is_in_the_manual():
    table = read("src/ctl/main.c").split("commands[] = {")[1].split("\n};")[0]
    commands = re.findall(r'^\s+\{ "([\w-]+)"', table, re.M)
    assert commands == re.findall(r"^\.It Cm ([\w-]+)", read("man/patronctl.1"), re.M)


def test_every_option_is_in_the_manual():
    for source, page in [("src/proc/main.c", "man/patrond.8"), ("src/ctl/main.c", "man/patronctl.1")]:
        letters = set(re.search(r'getopt_long\(argc, argv, "\+?([\w:]+)"', read(source)).group(1)) - set(":h")
        assert letters and all(re.search(rf"\bFl [\w| ]*\b{letter}\b", read(page)) for letter in letters), page


def test_every_argument_of_a_command_is_in_its_entry():
    source, page = read("src/ctl/main.c"), read("man/patronctl.1")
    table = source.split("commands[] = {")[1].split("\n};")[0]
    entries = dict(re.findall(r"^\.It Cm ([\w-]+)(.*?)(?=^\.It Cm [a-z]|^\.El\n\.Sh)", page, re.M | re.S))
    for name, arguments in re.findall(r'\{ "([\w-]+)", "(.*?)",', table):
        if name == "keys":
            arguments += " ".join(re.findall(r'"(  .*?)\\n"', source.split("keys_more[] =")[1].split(";")[0]))
        for option in re.findall(r"(?<![\w-])-(-?[a-z][a-z-]*)", arguments):
            assert re.search(rf"\bFl {option}(?![\w-])", entries[name]), f"{name}: -{option} is not in its entry"
        for word in re.findall(r"(?<![\w-])[a-z]{2,}(?![\w-])", arguments):
            assert re.search(rf"\b{word}\b", entries[name]), f"{name}: {word} is not in its entry"


def test_alerts_and_rules_are_in_the_manual():
    page = read("man/patrond.8")
    alerts = re.findall(r'\{ ALERT_\w+,\s+"(\w+)",\s+"(P\d)"', read("src/proc/alert.c"))
    rules = re.findall(r"alert: (\w+)\n.*\n.*\n +labels: \{ severity: (P\d) \}", read("etc/prometheus/patrond.rules.yml"))
    assert len(alerts) >= 8 and len(rules) >= 16
    assert alerts + rules == re.findall(r"^\.It Sy (\w+) Pq (P\d)$", page, re.M)


def test_the_formatter_has_nothing_to_complain_of():
    program = shutil.which("mandoc")
    if program is None:
        pytest.skip("NO MANDOC: apt-get install mandoc to hold the manuals against it")
    pages = sorted((TOP / "man").iterdir())
    assert [p.name for p in pages] == ["patronctl.1", "patrond.8", "patrond.conf.5"]
    said = subprocess.run([program, "-T", "lint", *pages], capture_output=True, text=True).stdout.splitlines()
    # whether other pages are installed is this machine's affair
    assert not [l for l in said if "referenced manual not found" not in l and "outdated mandoc.db" not in l]


def test_bash_completes_commands_and_arguments():
    script = (TOP / "etc/patronctl.bash.in").read_text().replace("@sysconfdir@", "/nowhere")
    bin_dir = pathlib.Path(os.environ.get("PATRONCTL_BIN", TOP / "patronctl")).parent

    def complete(*words):
        line = " ".join(f"'{w}'" for w in words)
        ask = f"{script}\nCOMP_WORDS=({line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _patronctl; echo \"${{COMPREPLY[*]}}\""
        return subprocess.run(["bash", "-c", ask], env={"PATH": f"{bin_dir}:/usr/bin:/bin"}, capture_output=True, text=True,
                              check=True).stdout.split()
    table = read("src/ctl/main.c").split("commands[] = {")[1].split("\n};")[0]
    assert complete("patronctl", "") == ["-c", "-i", *re.findall(r'^\s+\{ "([\w-]+)"', table, re.M)]
    assert complete("patronctl", "re") == ["reload"]
    assert complete("patronctl", "-c", "/x.conf", "workers", "") == ["+1", "-1", "--json"]
    assert complete("patronctl", "sync", "--")[:2] == ["--full", "--dry-run"]
    assert complete("patronctl", "sync", "--w") == ["--wait"]
    assert complete("patronctl", "keys", "") == ["list", "create", "rotate", "revoke"]
    assert complete("patronctl", "keys", "create", "x", "--") == ["--scopes", "--days", "--rate", "--notes"]
    assert complete("patronctl", "reload", "") == [] and complete("patronctl", "nothing", "") == []
