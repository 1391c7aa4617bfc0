"""Who logs what: every call is read, so that no line can say what the allow-list of edges/log.py does not know."""

import ast
from collections.abc import Iterator
from pathlib import Path

from edges import log
from tests.house.test_tidy import place, production

LEVELS = {"info", "warning", "error"}
DEPLOYED = {"billing", "edges", "functions"}
WRITERS = {"edges/log.py", "edges/metrics.py"}


def deployed() -> Iterator[tuple[Path, ast.Module]]:
    return ((f, tree) for f, tree in production() if place(f).split("/")[0] in DEPLOYED)


def calls() -> Iterator[tuple[str, ast.Call]]:
    """(where, call) of every log line."""
    for file, tree in deployed():
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr=attr)) if attr in LEVELS:
                    yield place(file, node), node


def test_there_are_calls_to_look_at() -> None:
    assert len(list(calls())) > 15


def test_law_1_a_line_says_only_what_the_allow_list_knows() -> None:
    unknown = [
        f"{where}: {keyword.arg}"
        for where, call in calls()
        for keyword in call.keywords
        if keyword.arg
        if keyword.arg not in log.FIELDS
    ]
    assert unknown == []


def test_law_1_what_is_unpacked_into_a_line_is_what_describes_a_failure() -> None:
    other = [
        where
        for where, call in calls()
        for keyword in call.keywords
        if keyword.arg is None and not ast.unparse(keyword.value).startswith("log.about(")
    ]
    assert other == []


def test_law_1_a_line_opens_with_words_of_the_source() -> None:
    """Never with a value: that is what fields are for."""
    made = [where for where, call in calls() if [type(a) for a in call.args] != [ast.Constant]]
    assert made == []


def test_every_field_of_the_allow_list_is_used() -> None:
    used = {keyword.arg for _, call in calls() for keyword in call.keywords}
    about = {"error", "where", "code", "detail"}
    assert set(log.FIELDS) - about == used - {None} - about


def test_nothing_else_writes_where_logs_are_kept() -> None:
    """No print, no logging module, no standard output: what they say would be kept, unread by these tests."""
    others = [
        place(f, node)
        for f, tree in deployed()
        if place(f) not in WRITERS
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and node.attr in ("stdout", "stderr"))
        or (isinstance(node, ast.Name) and node.id == "print")
        or (isinstance(node, ast.Import) and {alias.name for alias in node.names} & {"logging", "logging.handlers"})
    ]
    assert others == []
