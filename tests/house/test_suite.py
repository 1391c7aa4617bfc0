"""`make test` runs every test, and its exit status is honest."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from infra.suite import AFTERWARDS, INTERRUPTED, PARTS, Part, run

ROOT = Path(__file__).parents[2]


def files_of(part: Part) -> set[str]:
    found: set[Path] = set()
    for path in part.paths:
        found |= {ROOT / path} if path.endswith(".py") else set((ROOT / path).rglob("test_*.py"))
    return {str(file.relative_to(ROOT)) for file in found} - set(part.without)


def says(words: str, status: int = 0) -> list[str]:
    return [sys.executable, "-c", f"import sys; print({words!r}); sys.exit({status})"]


def test_every_test_is_in_one_part_and_what_is_left_is_looked_at_wherever_a_copy_is_shared() -> None:
    everything = {str(file.relative_to(ROOT)) for file in (ROOT / "tests").rglob("test_*.py")}
    told = [file for part in PARTS.values() for file in files_of(part)]
    assert set(told) == everything
    assert {file: told.count(file) for file in everything if told.count(file) > 1} == {AFTERWARDS: 2}
    shared = {name for name, part in PARTS.items() if AFTERWARDS in files_of(part)}
    assert shared == {"money", "people"}
    for part in PARTS.values():
        assert all((ROOT / path).exists() for path in (*part.paths, *part.without)), part


@pytest.mark.parametrize("status", [1, 2, 5])
def test_one_part_that_fails_or_finds_no_tests_fails_the_whole_and_is_heard(status: int) -> None:
    out = io.StringIO()
    ended = run({"good": says("== 3 passed in 1.00s =="), "bad": says("why it failed", status)}, 2, out)
    assert ended == 1
    assert "why it failed" in out.getvalue()
    assert "good | passed after" in out.getvalue()
    assert "s: 3 passed" in out.getvalue()
    assert out.getvalue().endswith("1 of 2 parts failed: bad\n")


def test_when_all_parts_pass_the_whole_does() -> None:
    out = io.StringIO()
    two = says("== 4 passed, 1 skipped in 61.00s (0:01:01) ==")
    assert run({"one": says("== 3 passed in 1.00s =="), "two": two}, 2, out) == 0
    assert "\n7 passed, 1 skipped in 0s\n" in out.getvalue()
    assert out.getvalue().endswith("All tests passed.\n")


def test_progress_is_shown_as_it_comes_and_the_rest_in_one_piece() -> None:
    out = io.StringIO()
    run({"one": says("tests/test_it.py ..F [ 50%]\nfirst\ntests/test_it.py ... [100%]\nsecond")}, 1, out)
    shown = out.getvalue()
    assert "one | tests/test_it.py ..F [ 50%]\none | tests/test_it.py ... [100%]\n" in shown
    assert "\nfirst\nsecond\n" in shown


def test_no_more_parts_run_at_once_than_asked_for() -> None:
    out = io.StringIO()
    run({"one": says("a [ 50%]"), "two": says("b [ 50%]")}, 1, out)
    steps = [line for line in out.getvalue().splitlines() if line.endswith(("started", "%]"))]
    assert steps == ["one | started", "one | a [ 50%]", "two | started", "two | b [ 50%]"]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_whoever_ends_it_ends_its_parts(signum: int) -> None:
    """Also where a shell has started it in the background, which has it ignore Ctrl-C."""
    part = "import os, signal; print(os.getpid(), '[ 1%]', flush=True); signal.pause()"
    program = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    program += f"from infra import suite; suite.Part.command = lambda *_: [suite.sys.executable, '-c', {part!r}]\n"
    runner = subprocess.Popen(
        [sys.executable, "-c", f"{program}raise SystemExit(suite.main())"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert runner.stdout is not None
    with runner.stdout as said:
        line = next(line for line in said if line.endswith("%]\n"))
        runner.send_signal(signum)
        rest = said.read()
    assert runner.wait() == INTERRUPTED
    assert "| interrupted" in rest
    with pytest.raises(ProcessLookupError):
        os.kill(int(line.split()[2]), 0)
