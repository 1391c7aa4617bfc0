"""Starts MiniStack, the AWS emulator, as a program of ours: on loopback only, knowing nothing of this shell, with every
file in our folder, and gone when we are.
"""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx

from infra.local import guardian
from infra.local.workplace import Workplace

READY_WITHIN_S: Final = 30
END_WITHIN_S: Final = 60
"""Mostly for removing files; a guardian that is stopped in the middle of that leaves them to one thread of ours."""


class CloudFailed(Exception):
    """MiniStack did not come up, or went away; the message ends with what it said last."""


class MiniStack:
    """A MiniStack on that port, and its guardian. `end` it before the workplace is removed."""

    def __init__(self, port: int, place: Workplace) -> None:
        self._port = port
        self._log = place.folder / "ministack.log"
        self._token = secrets.token_hex(8)
        temporary = place.folder / "tmp"
        temporary.mkdir()
        program = [sys.executable, "-m", "ministack"]
        self._guardian = subprocess.Popen(
            [sys.executable, "-I", "-S", guardian.__file__, str(place.folder), str(self._log), *program],
            stdin=subprocess.PIPE,
            env=_environment(port, self._token, temporary),
            cwd=place.folder,
            pass_fds=(place.lock,),
            start_new_session=True,
        )

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def wait_until_ready(self, going_on: Callable[[], bool]) -> None:
        """Returns when *this* MiniStack answers; a stranger on the port is not taken for it. Raises CloudFailed."""
        give_up = time.monotonic() + READY_WITHIN_S
        while going_on() and time.monotonic() < give_up:
            self.check()
            try:
                health = httpx.get(f"{self.endpoint}/_ministack/health", timeout=2, trust_env=False).json()
            except (httpx.HTTPError, ValueError):
                time.sleep(0.05)
                continue
            if health.get("edition") != self._token:
                raise CloudFailed(f"something else answers on port {self._port}")
            return
        raise CloudFailed(f"the local cloud did not come up in {READY_WITHIN_S} s\n{self.last_words()}")

    def check(self) -> None:
        """Raises CloudFailed when it has ended."""
        if self._guardian.poll() is not None:
            raise CloudFailed(f"the local cloud ended\n{self.last_words()}")

    def last_words(self, lines: int = 15) -> str:
        """The end of its log."""
        if not self._log.exists():
            return ""
        return "\n".join(self._log.read_text("utf-8", errors="replace").splitlines()[-lines:])

    def end(self) -> None:
        """End it, its functions and its files; returns when they are gone."""
        assert self._guardian.stdin is not None
        self._guardian.stdin.close()
        try:
            self._guardian.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._guardian.kill()
            self._guardian.wait()


def _environment(port: int, token: str, temporary: Path) -> dict[str, str]:
    """All that MiniStack, and so every function, finds in its environment. Nothing of this shell's: a function that
    works here because of a variable of ours would fail on AWS."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(temporary),
        "TMPDIR": str(temporary),
        "LANG": "C.UTF-8",
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_EDITION": token,  # comes back in its health, which is how we know it from another one
        "AUTH": "true",  # execution roles are enforced: a permission that the template forgets fails here too
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{temporary}/none",  # it would sweep the containers of a daemon it finds
        "LOG_LEVEL": "WARNING",
    }
