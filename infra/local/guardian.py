"""Runs one program and makes sure that it, everything it started and its folder are gone when whoever started us is.

    launcher ──pipe──► guardian (own session) ──► program (own process group) ──► its children

A launcher can clean up after Ctrl-C, SIGTERM and a closed terminal, but not after SIGKILL. So it never cleans up: it
holds the writing end of a pipe, which the kernel closes however the launcher ends, and then the guardian ends the
group and removes the folder. There is one way to end, and it is the same after a crash.

Called as: python -I -S guardian.py FOLDER LOGFILE PROGRAM [ARGUMENT…], with the program's environment as its own.
Standard library only, and nothing of ours: it must work when everything else is broken.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1


def main(folder: str, log: str, *program: str) -> None:
    """Run the program until it ends or the pipe on our standard input closes."""
    for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    with Path(log).open("ab") as out:
        child = subprocess.Popen(
            program,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_us,
        )
    ending = threading.Event()
    threading.Thread(target=_end_with_program, args=(child, ending), daemon=True).start()
    sys.stdin.buffer.read()  # returns when the launcher is gone, or wants an end
    ending.set()
    _kill_group(child.pid)
    child.wait()
    _remove(Path(folder))
    os._exit(0)


def _end_with_program(child: "subprocess.Popen[bytes]", ending: threading.Event) -> None:
    """The program ended by itself: its children go, its folder stays, for the launcher to say why."""
    status = child.wait()
    if not ending.is_set():
        _kill_group(child.pid)
        os._exit(status if status > 0 else 1)


def _die_with_us() -> None:
    """In the child: default signals again, and on Linux SIGKILL should even the guardian be killed."""
    for signum in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(signum, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _remove(folder: Path) -> None:
    """Each function's instance has unpacked its own zip in there, after a while some fifty thousand files: removing
    several at once takes seconds where one after the other took most of a minute."""
    parts = [part for part in folder.glob("*/*") if part.is_dir() and not part.is_symlink()]
    with ThreadPoolExecutor(max_workers=8) as pool:
        for part in parts:
            pool.submit(shutil.rmtree, part, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def _kill_group(group: int) -> None:
    """At once: whatever the program would tidy up lies in the folder that is removed next."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main(*sys.argv[1:])
