"""However the launcher ends, SIGKILL included, the program, its children and their folder go too."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.local import guardian

GONE_WITHIN_S = 20.0
PROGRAM = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open("pids", "w").write(f"{__import__('os').getpid()} {child.pid} ")
time.sleep(600)
"""
"""Starts a child of its own and waits, as MiniStack does with its functions."""
LAUNCHER = """
import subprocess, sys, time
guardian = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, start_new_session=True)
time.sleep(600)
"""


class Household:
    """A folder with a guarded program in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "place"
        self.folder.mkdir()
        self.log = folder / "log.txt"

    def command(self, program: str) -> list[str]:
        guarded = [sys.executable, "-c", f"import os; os.chdir({str(self.folder)!r})\n{program}"]
        return [sys.executable, "-I", "-S", guardian.__file__, str(self.folder), str(self.log), *guarded]

    def pids(self) -> list[int]:
        """Program and child, once both are there."""
        file = self.folder / "pids"
        wait_for(lambda: file.exists() and file.read_text().count(" ") == 2)
        return [int(pid) for pid in file.read_text().split()]

    def is_gone(self, pids: list[int]) -> bool:
        return not self.folder.exists() and not any(is_alive(pid) for pid in pids)


def wait_for(happened: Callable[[], bool]) -> None:
    give_up = time.monotonic() + GONE_WITHIN_S
    while not happened():
        assert time.monotonic() < give_up, "it did not happen in time"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Whether it runs; a zombie that nobody has reaped yet does not."""
    if Path("/proc/self").exists():
        status = Path(f"/proc/{pid}/status")
        return status.exists() and "State:\tZ" not in status.read_text("utf-8")
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(shown.strip()) and not shown.strip().startswith("Z")


@pytest.fixture
def household(tmp_path: Path) -> Iterator[Household]:
    made = Household(tmp_path)
    yield made
    pids = made.folder / "pids"
    for pid in [int(p) for p in pids.read_text().split()] if pids.exists() else []:
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)


def test_closing_the_pipe_ends_the_program_its_children_and_its_folder(household: Household) -> None:
    with subprocess.Popen(household.command(PROGRAM), stdin=subprocess.PIPE, start_new_session=True) as guarding:
        pids = household.pids()
        assert guarding.stdin is not None
        guarding.stdin.close()
        assert guarding.wait(GONE_WITHIN_S) == 0
    wait_for(lambda: household.is_gone(pids))


def test_a_killed_launcher_leaves_nothing(household: Household) -> None:
    with subprocess.Popen([sys.executable, "-c", LAUNCHER, *household.command(PROGRAM)]) as launcher:
        pids = household.pids()
        launcher.kill()
    wait_for(lambda: household.is_gone(pids))


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGHUP, signal.SIGTERM])
def test_a_signal_meant_for_the_launcher_does_not_end_the_guardian(household: Household, signum: int) -> None:
    with subprocess.Popen(household.command(PROGRAM), stdin=subprocess.PIPE, start_new_session=True) as guarding:
        pids = household.pids()
        guarding.send_signal(signum)
        assert all(is_alive(pid) for pid in pids)
        assert guarding.poll() is None
        assert guarding.stdin is not None
        guarding.stdin.close()
    wait_for(lambda: household.is_gone(pids))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent was killed")
def test_a_killed_guardian_takes_the_program_with_it(household: Household) -> None:
    with subprocess.Popen(household.command(PROGRAM), stdin=subprocess.PIPE, start_new_session=True) as guarding:
        program, _ = household.pids()
        guarding.kill()
    wait_for(lambda: not is_alive(program))


def test_a_program_that_ends_by_itself_takes_its_children_along_and_leaves_its_folder(household: Household) -> None:
    dying = PROGRAM.replace("time.sleep(600)\n", "print('last words', flush=True); sys.exit(3)\n")
    with subprocess.Popen(household.command(dying), stdin=subprocess.PIPE, start_new_session=True) as guarding:
        pids = household.pids()
        assert guarding.wait(GONE_WITHIN_S) == 3
    wait_for(lambda: not any(is_alive(pid) for pid in pids))
    assert household.folder.exists()
    assert household.log.read_text() == "last words\n"
