"""The manual pages say what the tables of the sources say."""
import pathlib
import re

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
    commands = re.findall(r'^\s+\{ "(\w+)"', table, re.M)
    assert commands == re.findall(r"^\.It Cm (\w+)", read("man/patronctl.1"), re.M)


def test_every_option_is_in_the_manual():
    for source, page in [("src/proc/main.c", "man/patrond.8"), ("src/ctl/main.c", "man/patronctl.1")]:
        letters = set(re.search(r'getopt\(argc, argv, "\+?([\w:]+)"', read(source)).group(1)) - set(":h")
        assert letters and all(re.search(rf"\bFl [\w| ]*\b{letter}\b", read(page)) for letter in letters), page
