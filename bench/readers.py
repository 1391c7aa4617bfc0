"""Our 835 reader against others', on one file of 10,000 claims: claims per CPU second and peak memory.

Each reads in a process of its own, in turn, several times over; the median counts. The others come from PyPI into an
environment that is thrown away, at the versions named here. What is the same on every machine is the ratio.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
PEERS: Final = {"edi-cli": "0.2.2", "edi-835-parser": "1.8.0"}
AS_OF: Final = "2026-11-01T00:00:00Z"
"""What the others depend on is taken as it was then, so that they stay what they were."""
ROUNDS: Final = 5
CLAIMS: Final = 10_000
LARGE: Final = 110_000
"""Claims of about 48 MB, in one transaction: as large a file as is taken."""


def compare() -> dict[str, Any]:
    """The medians by reader, how much faster ours is than each other one, and our memory for a file of 48 MB."""
    with tempfile.TemporaryDirectory() as folder:
        file, large = (_file(Path(folder), claims) for claims in (CLAIMS, LARGE))
        names = ["kindbill", *(peer for peer in PEERS if _is_there(peer))]
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for _ in range(ROUNDS):
            for name in names:
                runs[name].append(_read(name, file))
        of_large = _read("kindbill", large)
        sizes = {"bytes": file.stat().st_size, "large_bytes": large.stat().st_size}
    readers = {name: _median(found) for name, found in runs.items()}
    ours = readers["kindbill"]["claims_per_cpu_second"]
    return {
        **sizes,
        "readers": readers,
        "times_as_fast_as": {
            name: round(ours / found["claims_per_cpu_second"], 2) for name, found in readers.items() if name in PEERS
        },
        "not_measured": sorted(PEERS.keys() - readers.keys()),
        "large_claims": of_large["claims"],
        "large_peak_mb": round(of_large["peak_kb"] / 1024, 1),
    }


def _file(folder: Path, claims: int) -> Path:
    file = folder / f"{claims}.835"
    with file.open("wb") as out:
        subprocess.run([sys.executable, "-m", "bench.make_835", str(claims)], cwd=ROOT, stdout=out, check=True)
    return file


def _python(name: str) -> list[str]:
    if name not in PEERS:
        return [sys.executable]
    uv = os.environ.get("UV") or shutil.which("uv") or "uv"
    isolated = [uv, "run", "--quiet", "--isolated", "--no-project", "--python", sys.executable]
    return [*isolated, "--exclude-newer", AS_OF, "--with", f"{name}=={PEERS[name]}", "python"]


def _is_there(name: str) -> bool:
    """Whether it can be installed: the bench also runs where PyPI cannot be reached."""
    try:
        return subprocess.run([*_python(name), "-c", "pass"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def _read(name: str, file: Path) -> dict[str, Any]:
    # As a script, and only ours with the repository to import from: a longer search for modules slows edi-cli down.
    command = [*_python(name), "-P", str(ROOT / "bench" / "read_one.py"), name, str(file)]
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    if name not in PEERS:
        env["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _median(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """All runs found the same claims; what they took is the median's."""
    (claims,) = {run["claims"] for run in runs}
    return {
        "claims": claims,
        "claims_per_cpu_second": round(claims / statistics.median(run["cpu_seconds"] for run in runs)),
        "peak_mb": round(statistics.median(run["peak_kb"] for run in runs) / 1024, 1),
    }
