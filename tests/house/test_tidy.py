"""The repository keeps itself tidy: what a reviewer would have to say every time is said here once."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCTION = ("billing", "edges", "functions", "infra")
LONGEST_BYTES = 24_000
MAY_BE_LONG = {
    "template.yaml": "the whole system, to be read block by block; a nested template would hide what belongs together",
    "uv.lock": "written by a tool",
    "LICENSE": "not ours to shorten",
}
TEXT = {".py", ".md", ".html", ".css", ".yaml", ".yml", ".toml", ".txt", ".json", ".835", ".csv", ""}
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME)\b")
MACHINE_PATHS = re.compile(r"(?<![\w.{$~-])/(?:home|root|Users|tmp|private|mnt|wor" r"k)/[\w.-]+")


@cache
def files() -> tuple[Path, ...]:
    """Every file of the repository that is text."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found = (ROOT / name for name in listed.stdout.splitlines())
    return tuple(f for f in found if f.is_file() and f.suffix in TEXT)


@cache
def sources() -> tuple[tuple[Path, ast.Module], ...]:
    return tuple((f, ast.parse(f.read_text("utf-8"))) for f in files() if f.suffix == ".py")


def production() -> Iterator[tuple[Path, ast.Module]]:
    return ((f, tree) for f, tree in sources() if f.relative_to(ROOT).parts[0] in PRODUCTION)


def place(file: Path, node: ast.AST | None = None) -> str:
    line = getattr(node, "lineno", None)
    return f"{file.relative_to(ROOT)}{f':{line}' if line else ''}"


def test_no_file_is_too_long_to_read() -> None:
    long = [
        place(f)
        for f in files()
        if f.suffix in (".py", ".md", ".yaml", ".html", ".css", "")
        and f.stat().st_size > LONGEST_BYTES
        and place(f) not in MAY_BE_LONG
    ]
    assert long == []


def test_every_exception_to_the_length_is_still_needed() -> None:
    short = [name for name in MAY_BE_LONG if name != "LICENSE" and (ROOT / name).stat().st_size <= LONGEST_BYTES]
    assert short == []


def test_nothing_is_left_unfinished() -> None:
    marks = [place(f) for f in files() if f.name != "uv.lock" and UNFINISHED.search(f.read_text("utf-8"))]
    assert marks == []


def test_no_file_knows_somebodys_machine() -> None:
    found = {
        f"{place(f)}: {match[0]}"
        for f in files()
        if f.name != "uv.lock"
        for match in MACHINE_PATHS.finditer(f.read_text("utf-8"))
    }
    assert found == set()


def test_every_module_opens_with_what_it_is_for() -> None:
    silent = [place(f) for f, tree in sources() if tree.body and not ast.get_docstring(tree)]
    assert silent == []


def test_no_error_is_swallowed_without_saying_why() -> None:
    swallowed = [
        place(f, node)
        for f, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and isinstance(node.body[0], ast.Pass)
        and "#" not in f.read_text("utf-8").splitlines()[node.body[0].lineno - 1]
    ]
    assert swallowed == []


def test_production_code_does_not_print() -> None:
    printed = [
        place(f, node)
        for f, tree in production()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert printed == []


def test_money_never_meets_a_float() -> None:
    floats = [
        place(f, node)
        for f, tree in sources()
        if f.relative_to(ROOT).parts[0] == "billing"
        for node in ast.walk(tree)
        if (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or (isinstance(node, ast.Name) and node.id == "float")
    ]
    assert floats == []


def test_no_time_is_read_where_it_should_be_an_argument() -> None:
    """Billing and flows get the time as an argument; only edges and handlers know a clock."""
    read = [
        place(f, node)
        for f, tree in sources()
        if f.relative_to(ROOT).parts[0] == "billing" or f.name == "flow.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in ("now", "utcnow", "today", "monotonic", "time_ns")
        and isinstance(node.value, ast.Name)
        and node.value.id in ("datetime", "date", "time")
    ]
    assert read == []


def test_every_folder_of_tests_is_run() -> None:
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]["ini_options"][
        "testpaths"
    ]
    with_tests = {f"tests/{f.relative_to(ROOT).parts[1]}" for f, _ in sources() if f.name.startswith("test_")}
    assert with_tests == set(configured)


def test_every_test_can_fail() -> None:
    """A test asserts by itself, expects an error, or calls a helper of the tests that does."""
    tests = [(f, node) for f, tree in sources() for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    helpers = {node.name for f, node in tests if f.relative_to(ROOT).parts[0] == "tests" and _asserts(node)}
    idle = [
        place(f, node)
        for f, node in tests
        if f.name.startswith("test_") and node.name.startswith("test_")
        if not _asserts(node) and not _called_in(node) & (helpers | JUDGES)
    ]
    assert idle == []


JUDGES = {"validate", "verify", "run_state_machine_as_test"}
"""Of others, and ours in production: they raise where something is wrong."""


def _asserts(function: ast.FunctionDef) -> bool:
    return any(isinstance(n, ast.Assert | ast.Raise) for n in ast.walk(function)) or "raises" in _called_in(function)


def _called_in(function: ast.FunctionDef) -> set[str]:
    """The names of everything it calls."""
    calls = [n.func for n in ast.walk(function) if isinstance(n, ast.Call)]
    return {c.attr if isinstance(c, ast.Attribute) else c.id for c in calls if isinstance(c, ast.Attribute | ast.Name)}
