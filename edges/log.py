"""One JSON line per thing worth knowing, at least one per invocation, on standard output.

LAW-1: a line holds ids, codes, counts and places in our code. The text of an error that is not our own may quote what
a person sent us, so it stays out: its type and where it was raised are enough to find it.
"""

import json
import os
import sys
import traceback
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

from billing.ports import Refused, TryAgain

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
OWN_ERRORS: Final = (Refused, TryAgain, AssertionError)
"""Errors whose sentence we wrote ourselves, about ids and states."""
ROOT: Final = Path(__file__).parent.parent
OWN_FOLDERS: Final = frozenset({"billing", "edges", "functions"})
"""In a deployed function its dependencies lie beside these."""
FRAMES: Final = 4

Value = str | int | bool | None


def info(message: str, **fields: Value) -> None:
    """Something went as it should."""
    _write("INFO", message, fields)


def warning(message: str, **fields: Value) -> None:
    """Something went another way, and the system copes."""
    _write("WARNING", message, fields)


def error(message: str, **fields: Value) -> None:
    """Something that a person must look at."""
    _write("ERROR", message, fields)


def about(failure: BaseException) -> dict[str, Value]:
    """The fields that describe a failure: its type, where it was raised, its code (ours, AWS's, Stripe's) where it has
    one, and its sentence if it is ours."""
    fields: dict[str, Value] = {"error": type(failure).__name__, "where": _where(failure)}
    code = getattr(failure, "code", None) or getattr(failure, "response", {}).get("Error", {}).get("Code")
    if isinstance(code, str):
        fields["code"] = code
    if isinstance(failure, OWN_ERRORS):
        fields["detail"] = str(failure)
    return fields


def _where(failure: BaseException) -> str:
    """The last frames of our own code, innermost first: "functions/charge_autopay/flow.py:45 _send"."""
    frames = [
        f"{place}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(failure.__traceback__)
        if (place := _own(frame.filename))
    ]
    return " < ".join(reversed(frames[-FRAMES:]))


def _own(filename: str) -> str:
    """The file's path in our repository, "" for other people's code."""
    path = Path(filename)
    if not path.is_relative_to(ROOT):
        return ""
    inside = path.relative_to(ROOT)
    return str(inside) if inside.parts[0] in OWN_FOLDERS else ""


@cache
def _settings() -> tuple[int, str]:
    level = os.environ.get("LOG_LEVEL", "INFO").upper()
    return LEVELS.index(level) if level in LEVELS else 1, os.environ.get("POWERTOOLS_SERVICE_NAME", "kindbill")


def _write(level: str, message: str, fields: dict[str, Value]) -> None:
    threshold, service = _settings()
    if LEVELS.index(level) < threshold:
        return
    line = {"level": level, "service": service, "at": datetime.now(UTC).isoformat(), "message": message, **fields}
    sys.stdout.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
