"""SECURITY.md promises nothing that no test shows: each test it names is there, each row of its threats names one."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "SECURITY.md").read_text("utf-8")
NAMED = re.compile(r"`(test_\w+)`")


def rows() -> list[list[str]]:
    """The threats: cells of each row."""
    table = PAGE.partition("## Who might attack")[2]
    lines = [line for line in table.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_threat_names_what_stops_it_and_a_test_that_shows_it() -> None:
    assert len(rows()) > 12
    for who, tries, stops, shown, _ in rows():
        assert who
        assert tries
        assert stops
        assert NAMED.search(shown), who


def test_every_test_that_is_named_is_there_once() -> None:
    defined = [
        name
        for file in sorted((ROOT / "tests").rglob("test_*.py"))
        for name in re.findall(r"^def (test_\w+)", file.read_text("utf-8"), re.MULTILINE)
    ]
    missing = {name for name in NAMED.findall(PAGE) if defined.count(name) != 1}
    assert missing == set()


def test_every_file_that_is_named_is_there() -> None:
    named = [*re.findall(r"`(tests/[\w/]+\.py)`", PAGE), *re.findall(r"\]\((docs/[^)]+)\)", PAGE)]
    assert len(named) > 2
    assert [name for name in named if not (ROOT / name).exists()] == []
