"""Looks for keys and passwords in every file of the repository: python -m infra.secret_scan [--accept]

detect-secrets finds what looks like one. What it took for one and is none (an example's hash, a name like `secret`
before a text) stands in `.secrets.baseline`, by file, kind and hash and without line numbers: moving code changes
nothing. `--accept` writes that file anew, for a person to look at and commit.
"""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.plugins.base import RegexBasedDetector
from detect_secrets.plugins.keyword import KeywordDetector
from detect_secrets.settings import default_settings, transient_settings

ROOT: Final = Path(__file__).resolve().parent.parent
BASELINE: Final = ROOT / ".secrets.baseline"
NOT_READ: Final = frozenset({BASELINE.name, "uv.lock"})
"""The hashes of what is known, and of what is installed."""
FILTERS: Final = [
    {"path": f"detect_secrets.filters.heuristic.{name}"}
    for name in (
        "is_indirect_reference",
        "is_likely_id_string",
        "is_not_alphanumeric_string",
        "is_potential_uuid",
        "is_prefixed_with_dollar_sign",
        "is_sequential_string",
        "is_templated_secret",
    )
]
"""What detect-secrets itself passes over, less its comment that would hide any line from it."""

ONLY_NAMES: Final = ("tests/", "template.yaml")
"""Where the text beside the word `secret` is made up, or a name: only the form or randomness of a real one counts."""

Found = dict[str, list[dict[str, str]]]
"""File -> what looks like a secret in it: `type`, `hashed_secret`. In a fixed order."""


class KindbillKey(RegexBasedDetector):
    """Keys that this system makes or is given: API keys, Stripe's test keys and webhook secrets."""

    secret_type = "Kindbill or Stripe key"  # noqa: S105 - the name of what is looked for
    denylist = (
        re.compile(r"kb_live_[A-Za-z0-9_-]{43}"),
        re.compile(r"(?:sk|rk)_test_[A-Za-z0-9]{24,}"),
        re.compile(r"whsec_[A-Za-z0-9]{24,}"),
    )


def scan(root: Path, names: Sequence[str]) -> Found:
    """What looks like a secret in those files below `root`. Nothing is sent anywhere: the CLI would ask the services
    whether a key works, this does not."""
    with default_settings() as defaults:
        detectors = defaults.json()["plugins_used"]
    get_mapping_from_secret_type_to_class.cache_clear()  # it would not look for ours
    ours = {"name": KindbillKey.__name__, "path": Path(__file__).as_uri()}
    with transient_settings({"plugins_used": [*detectors, ours], "filters_used": FILTERS}):
        found = SecretsCollection(root=str(root))
        for name in names:  # one by one: its pool of processes forks, which a process with threads must not
            found.scan_file(name)
    listed: Found = {}
    for name, secret in found:
        if secret.type == KeywordDetector.secret_type and name.startswith(ONLY_NAMES):
            continue
        listed.setdefault(name, []).append({"type": secret.type, "hashed_secret": secret.secret_hash})
    return {name: sorted(listed[name], key=lambda one: (one["type"], one["hashed_secret"])) for name in sorted(listed)}


def new_in(found: Found, known: Found) -> list[str]:
    """What was found and is not known, in words."""
    return [f"{name}: {one['type']}" for name, ones in found.items() for one in ones if one not in known.get(name, [])]


def main() -> int:
    """Scan the repository -> exit status, 1 where something new was found or something known is gone."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    names = [name for name in listed.stdout.splitlines() if name not in NOT_READ and (ROOT / name).is_file()]
    found = scan(ROOT, names)
    if "--accept" in sys.argv[1:]:
        BASELINE.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
        return 0
    known: Found = json.loads(BASELINE.read_text("utf-8"))
    wrong = [f"looks like a secret: {what}" for what in new_in(found, known)]
    wrong += [f"known, but no longer there: {what}" for what in new_in(known, found)]
    if wrong:
        wrong.append(
            "What is none: python -m infra.secret_scan --accept. What is one: replace it at its service first."
        )
    sys.stdout.write("\n".join(wrong or [f"No secrets in {len(names)} files"]) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
