"""Asks OSV whether a weakness is known in any locked dependency: python -m infra.audit [--if-online]

`uv audit` does the asking. Exit status 1 where one is known; also where nobody could be asked, unless `--if-online`
says that this machine may be offline: then it says so and goes on, since a check of the code must not fail for a cable.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
UNREACHABLE: Final = "error sending request for url"
"""What uv says where the service was not reached; where it was and answers nonsense, it says something else."""


def audit(root: Path = ROOT, service_url: str = "") -> tuple[int, str]:
    """The status and the words of `uv audit` on the lock file in `root`. `service_url`: another service than OSV's."""
    service = ["--service-url", service_url] if service_url else []
    done = subprocess.run(
        [os.environ.get("UV", "uv"), "audit", "--frozen", "--preview-features", "audit-command", *service],
        cwd=root,
        env=os.environ | {"UV_HTTP_RETRIES": "0", "UV_HTTP_TIMEOUT": "10", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, (done.stdout + done.stderr).strip()


def main() -> int:
    """Ask, and say what was heard."""
    status, said = audit()
    if status and UNREACHABLE in said and "--if-online" in sys.argv[1:]:
        sys.stdout.write("Known weaknesses of dependencies: not asked, the service cannot be reached from here\n")
        return 0
    sys.stdout.write(f"{said}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
