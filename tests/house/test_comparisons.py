"""What somebody could guess byte by byte is compared in constant time, everywhere."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUESSABLE = re.compile(r"secret|signature|token|csrf|session_id|e164|digest\(", re.IGNORECASE)


def plain_comparisons(source: str) -> Iterator[str]:
    """Every `==` or `!=` of two values, one of which is called like something that opens something."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq):
            sides = [node.left, *node.comparators]
            words = ast.unparse(node)
            if GUESSABLE.search(words) and not any(isinstance(side, ast.Constant) for side in sides):
                yield words


def test_nothing_that_opens_something_is_compared_in_variable_time() -> None:
    """Keys and sessions are not compared at all: they are found by their hash."""
    found = {
        f"{file.relative_to(ROOT)}: {words}"
        for folder in ("edges", "functions")
        for file in sorted((ROOT / folder).rglob("*.py"))
        for words in plain_comparisons(file.read_text("utf-8"))
    }
    assert found == set()


@pytest.mark.parametrize("line", ["given == expected_signature", "if token != self._token: pass", "csrf_token(a) == b"])
def test_a_plain_comparison_is_seen(line: str) -> None:
    assert list(plain_comparisons(line))


def test_a_comparison_with_a_word_of_ours_is_let_be() -> None:
    assert not list(plain_comparisons("kind == 'token'"))
