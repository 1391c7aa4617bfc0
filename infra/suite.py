"""`make test`: every test, in parts that run beside each other. Some wait most of their time, for a copy of the system
to come to rest or for a message to come again, while others compute.

A part is one pytest, with a copy of the system of its own where it needs one. How far each is, is shown as it goes;
what else it has to say, it says at its end in one piece. The whole fails when any part fails, or finds no tests.
`pytest` by itself runs all of them one after the other, and any of them alone.
"""

import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import IO, Final

from infra.build import ROOT

_PROGRESS: Final = re.compile(r"\[ *\d+%\]$")
_SUMMARY: Final = re.compile(r"^=+ (.*) in [\d.]+s.*=+$")
_COUNT: Final = re.compile(r"(\d+) ([a-z]+)")
ENDINGS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""SIGINT too: who starts us in the background may have us ignore it, and what we start would, as well."""
INTERRUPTED: Final = 130


@dataclass(frozen=True)
class Part:
    """Files and folders of tests, `without` some of them."""

    paths: tuple[str, ...]
    without: tuple[str, ...] = ()

    def command(self, name: str) -> list[str]:
        without = [f"--ignore={path}" for path in self.without]
        cache = f"cache_dir=.pytest_cache/{name}"  # two processes would write the same one
        return [sys.executable, "-m", "pytest", "--no-header", "-o", cache, *without, *self.paths]


FAULTS: Final = "tests/e2e/test_under_faults.py"
AFTERWARDS: Final = "tests/e2e/test_what_is_left.py"
"""Looks at what all stories of one copy have left: at the end of every part that shares one."""
MONEY: Final = (
    "tests/e2e/test_a_season.py",
    "tests/e2e/test_claim_results.py",
    "tests/e2e/test_dead_letters.py",
    "tests/e2e/test_money_back.py",
    "tests/e2e/test_nightly.py",
    "tests/e2e/test_staff_changes.py",
)
PARTS: Final[Mapping[str, Part]] = {
    "rules": Part(("tests/billing", "tests/edges", "tests/functions", "tests/house")),
    "lives": Part(("tests/sim",)),
    "faults": Part((FAULTS,)),
    "money": Part((*MONEY, AFTERWARDS)),
    "people": Part(("tests/e2e",), without=(FAULTS, *MONEY)),
    "local": Part(("tests/local",)),
}
"""In the order they start: the quick ones first, whoever broke a rule should not wait for a browser to hear of it; then
the one that waits longest. `money` and `people` are halves of the stories that a whole copy is told."""


class _Running:
    """A part that runs. `kept`: what it said besides its progress · `summary`: its last line, in short."""

    def __init__(self, name: str, command: Sequence[str], said: "queue.Queue[tuple[str, str | None]]") -> None:
        self.name = name
        self.kept: list[str] = []
        self.summary = "said nothing of its tests"
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C is for us to pass on, once
        )
        self._said = said
        self.listening = threading.Thread(target=self._listen, daemon=True)
        self.listening.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self._said.put((self.name, line.rstrip("\n")))
        self._said.put((self.name, None))

    def heard(self, line: str) -> bool:
        """Take a line in -> whether it tells of progress, which is for now and not for the end."""
        if _PROGRESS.search(line):
            return True
        self.kept.append(line)
        if found := _SUMMARY.match(line):
            self.summary = found[1]
        return False

    def end(self) -> None:
        """As Ctrl-C would: what it has started is ended by it, and then it ends."""
        self.process.send_signal(signal.SIGINT)
        self.listening.join()
        self.process.wait()


def run(commands: Mapping[str, Sequence[str]], at_once: int, out: IO[str]) -> int:
    """Run these, so many at once, in this order -> 0 when every one of them ended well. `out` hears all of it."""
    said: queue.Queue[tuple[str, str | None]] = queue.Queue()
    waiting = list(commands)
    running: dict[str, _Running] = {}
    summaries: dict[str, str] = {}
    counts: list[str] = []
    failed: list[str] = []
    width = max(map(len, commands))
    started = time.monotonic()

    def tell(line: str) -> None:
        out.write(f"{line}\n")
        out.flush()

    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                name = waiting.pop(0)
                running[name] = _Running(name, commands[name], said)
                tell(f"{name:{width}} | started")
            name, line = said.get()
            if line is not None:
                if running[name].heard(line):
                    tell(f"{name:{width}} | {line}")
                continue
            part = running.pop(name)
            status = part.process.wait()
            took = time.monotonic() - started
            counts.append(part.summary)
            summaries[name] = f"{'passed' if status == 0 else 'FAILED'} after {took:4.0f} s: {part.summary}"
            if status:
                failed.append(name)
            tell("\n".join(["", f"---------- {name} " + "-" * 60, *part.kept, ""]))
    finally:
        for part in running.values():
            part.end()
            tell(f"{part.name:{width}} | interrupted")
    for name in commands:
        tell(f"{name:{width}} | {summaries[name]}")
    tell(f"{_total(counts)} in {time.monotonic() - started:.0f}s")
    tell(f"{len(failed)} of {len(commands)} parts failed: {', '.join(failed)}" if failed else "All tests passed.")
    return 1 if failed else 0


def _total(summaries: Sequence[str]) -> str:
    """What several runs of pytest counted, as one would say it: "12 passed, 1 skipped"."""
    total: Counter[str] = Counter()
    for count, of in (found for summary in summaries for found in _COUNT.findall(summary)):
        total[of] += int(count)
    return ", ".join(f"{count} {of}" for of, count in total.most_common()) or "no tests"


def main() -> int:
    """All parts, one more at once than there are processors -> exit status."""

    def end(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001
        raise KeyboardInterrupt

    for ending in ENDINGS:
        signal.signal(ending, end)
    commands = {name: part.command(name) for name, part in PARTS.items()}
    try:
        return run(commands, (os.cpu_count() or 1) + 1, sys.stdout)
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
