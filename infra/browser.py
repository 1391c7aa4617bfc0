"""Finds the browser that the tests drive, and installs one where there is none: any Chromium will do, the system's own
first, because it comes with the libraries it needs.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ON_MACOS: Final = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
DOWNLOADED: Final = ("chromium-*/chrome-linux*/chrome", "chromium-*/chrome-mac*/*.app/Contents/MacOS/*")
WHAT_TO_DO: Final = (
    "The browser tests need Chromium or Chrome, and it could not be installed from here.\n"
    "  Debian, Ubuntu: apt-get install chromium     macOS: brew install --cask google-chrome"
)


def find() -> str | None:
    """The path of a Chromium or Chrome on this machine."""
    for program in PROGRAMS:
        if (path := shutil.which(program)) and not _is_snap_stub(path):
            return path
    for path in ON_MACOS:
        if Path(path).exists():
            return path
    return next((str(path) for pattern in DOWNLOADED for path in sorted(_downloads().glob(pattern))), None)


def _is_snap_stub(path: str) -> bool:
    """Ubuntu's chromium-browser package is a script that asks for a snap, which a container cannot have."""
    with Path(path).open("rb") as file:
        start = file.read(2048)
    return start.startswith(b"#!") and b"/snap/" in start and not Path("/snap/bin/chromium").exists()


def _downloads() -> Path:
    """Where Playwright keeps the browsers it downloads."""
    caches = Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    return Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH", caches / "ms-playwright"))


def install() -> None:
    """Install one: from the system's packages where we may, else Playwright's own build."""
    privileged = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if shutil.which("apt-get") and (not privileged or shutil.which("sudo")):
        apt = [*privileged, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
        if _runs([*apt, "update", "-q"]) and _runs([*apt, "install", "-q", "-y", "chromium"]) and find():
            return
    with_libraries = ["--with-deps"] if sys.platform == "linux" and os.geteuid() == 0 else []
    _runs([sys.executable, "-m", "playwright", "install", *with_libraries, "chromium"])


def _runs(command: list[str]) -> bool:
    return subprocess.run(command, stdout=sys.stderr, check=False).returncode == 0


def main() -> None:
    """Make sure that there is one. Exits with what to do when there cannot be."""
    if find():
        return
    sys.stderr.write("No Chromium or Chrome found; installing one for the browser tests …\n")
    install()
    if not find():
        sys.exit(WHAT_TO_DO)


if __name__ == "__main__":
    main()
