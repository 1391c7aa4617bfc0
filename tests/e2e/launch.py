"""Starts a copy of the whole system the way `make run` does, and makes sure that nothing of it outlives it.

The copy gets a temporary folder of its own as TMPDIR. Everything it writes must be in there, and every process it
starts carries the folder's name in its environment or its working directory: that is how we know them afterwards.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN_S = 180.0
END_WITHIN_S = 30.0
NOTHING_LEFT_WITHIN_S = 10.0


class Launched:
    """A copy that runs. `base_url`: its one address · `temporary`: where it may write.

    `settings`: more of its environment.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self._said = folder / "said.txt"
        self.port = _free_pair_of_ports()
        self.base_url = f"http://127.0.0.1:{self.port}"
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("KINDBILL", "STRIPE"))}
        environment |= {"KINDBILL_PORT": str(self.port), "KINDBILL_DEMO": "1"}
        environment |= {"TMPDIR": str(self.temporary), "PYTHONFAULTHANDLER": "1"}
        environment |= settings
        with self._said.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "infra.local.cli", "run", "--end-with-parent"],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    @property
    def said(self) -> str:
        """What it printed so far."""
        return self._said.read_text("utf-8", errors="replace")

    def wait_until_ready(self) -> None:
        """Returns when the system is deployed and seeded. Raises RuntimeError with what it said."""
        give_up = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < give_up:
            if self._process.poll() is not None:
                raise RuntimeError(f"the copy ended with {self._process.returncode}:\n{self.said}")
            try:
                if httpx.get(f"{self.base_url}/_local/ready", timeout=5, trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                pass  # not listening yet, or busy building: ask again
            time.sleep(0.1)
        self.end()
        raise RuntimeError(f"the copy was not ready within {READY_WITHIN_S:.0f} s:\n{self.said}")

    def kindbill(self, *arguments: str) -> str:
        """What the `kindbill` command prints when it is asked about this copy. Raises CalledProcessError."""
        done = subprocess.run(
            [sys.executable, "-m", "infra.local.cli", *arguments],
            cwd=ROOT,
            env=os.environ | {"KINDBILL_PORT": str(self.port)},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        return done.stdout

    def end(self) -> int:
        """End it as Ctrl-C in a supervisor would, by SIGTERM -> its exit status."""
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGABRT)  # faulthandler then writes down where every thread is
            self._process.wait()
            raise RuntimeError(f"the copy did not end within {END_WITHIN_S:.0f} s:\n{self.said}") from None

    def kill_function(self, verb: str) -> None:
        """End every process of a function at once, whatever it is doing."""
        for line in _processes_with(str(self.temporary), f"AWS_LAMBDA_FUNCTION_NAME=kindbill-local-{verb} "):
            with suppress(ProcessLookupError):
                os.kill(int(line.split()[0]), signal.SIGKILL)

    def left_behind(self) -> list[str]:
        """Processes, files and ports that are still there after the end, in words; [] when all is gone."""
        give_up = time.monotonic() + NOTHING_LEFT_WITHIN_S
        while (left := self.traces()) and time.monotonic() < give_up:
            time.sleep(0.1)
        return left

    def traces(self) -> list[str]:
        """Its processes, files and ports, as they are now."""
        # os.walk passes over a folder that is deleted under its hands, as all of these are about to be.
        walked = os.walk(self.temporary)
        files = [f"file {folder}/{name}" for folder, folders, names in walked for name in (*folders, *names)]
        ports = [f"port {port}" for port in (self.port, self.port + 1) if not _is_free(port)]
        return files + ports + [f"process {line}" for line in _processes_with(str(self.temporary))]


def _processes_with(*texts: str) -> list[str]:
    """Processes that have all of `texts` in their environment or command line; the environment shows where ps may
    tell."""
    listed = subprocess.run(["ps", "axeww", "-o", "pid=,command="], capture_output=True, text=True, check=True).stdout
    return [line[:300] for line in listed.splitlines() if all(text in line for text in texts)]


def _free_pair_of_ports() -> int:
    """A port that is free, and the next one too: the cloud's. Below the ports that outgoing connections get, and, as
    somebody who runs beside us looks at the same time, each of us in a row of twenty."""
    first = 15000 + os.getpid() % 700 * 20
    return next(port for port in range(first, 30000, 2) if _is_free(port) and _is_free(port + 1))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
