"""One folder per running copy, for everything that the copy writes; nothing outside it is touched.

A copy holds a lock on its folder (the kernel lets go of it however the copy ends), so a folder whose lock is free is
one that nobody uses: the next start of any copy removes it.
"""

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

PREFIX: Final = "kindbill-run-"
LOCK: Final = "lock"
BEING_MADE_S: Final = 60
"""A folder without a lock that is younger than this may be on its way into use."""


class Workplace:
    """A locked temporary folder. The lock's descriptor is inherited by the guardian, which works there too."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        self.lock = os.open(self.folder / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def remove(self) -> None:
        """Give the folder up."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self.lock)


def sweep() -> list[Path]:
    """Remove the folders that copies left which were killed; returns them."""
    return [folder for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*") if _is_left_behind(folder)]


def _is_left_behind(folder: Path) -> bool:
    try:
        lock = os.open(folder / LOCK, os.O_RDWR)
    except FileNotFoundError:
        with suppress(FileNotFoundError):
            if time.time() - folder.stat().st_mtime > BEING_MADE_S:
                shutil.rmtree(folder, ignore_errors=True)
                return True
        return False
    except PermissionError:  # somebody else's copy
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        shutil.rmtree(folder, ignore_errors=True)
        return True
    finally:
        os.close(lock)
