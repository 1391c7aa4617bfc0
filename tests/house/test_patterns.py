"""No regular expression of ours can be made to run for long: each is linear in what it reads."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PARSER: Any = re._parser  # type: ignore[attr-defined] # the standard library's own: it tells what a pattern is made of
REPEATS = frozenset({"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"})
LONG = 16
"""A repetition that may go on for longer than this counts as one without end."""
TOLD_APART: dict[str, str] = {
    r"(\.[A-Za-z0-9-]{1,63})+": "each round begins with a dot, which none of its other characters can be",
}
"""Repeated repetitions that have one way to match only: why."""


def patterns() -> Iterator[tuple[str, str | bytes]]:
    """(place, pattern) of everything that production hands to `re`."""
    for folder in ("billing", "edges", "functions"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("re.") and node.args:
                    found = node.args[0]
                    if isinstance(found, ast.Constant) and isinstance(found.value, str | bytes):
                        yield f"{file.relative_to(ROOT)}:{node.lineno}", found.value


def nested(parsed: Any, inside: bool = False) -> bool:
    """Whether a long repetition stands inside another."""
    for operation, argument in parsed:
        name = str(operation)
        if name in REPEATS:
            lowest, highest, body = argument
            long = highest > LONG and highest != lowest
            if (long and inside) or nested(body, inside or long):
                return True
        elif name == "SUBPATTERN":
            if nested(argument[-1], inside):
                return True
        elif name == "BRANCH" and any(nested(one, inside) for one in argument[1]):
            return True
    return False


def is_linear(pattern: str | bytes) -> bool:
    text = pattern.decode("latin-1") if isinstance(pattern, bytes) else pattern
    for known in TOLD_APART:
        text = text.replace(known, "")
    return not nested(PARSER.parse(text))


def test_no_pattern_repeats_a_repetition() -> None:
    found = dict(patterns())
    assert len(found) > 10
    assert [place for place, pattern in found.items() if not is_linear(pattern)] == []


def test_every_exception_is_still_met() -> None:
    texts = [pattern for _, pattern in patterns() if isinstance(pattern, str)]
    assert [known for known in TOLD_APART if not any(known in text for text in texts)] == []


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a*)*b", "(?:[a-z]+,?)*!", "((x{1,99}|y)z?)+", "(a|b+)*c"])
def test_a_pattern_that_can_explode_is_seen(pattern: str) -> None:
    assert not is_linear(pattern)


@pytest.mark.parametrize("pattern", ["a+b+", "([0-9]{3})+", "(ab?)+", "[a-z]{1,64}@[a-z]{1,63}"])
def test_one_that_cannot_is_let_be(pattern: str) -> None:
    assert is_linear(pattern)
