"""One JSON line per thing worth knowing, one of them per invocation, on standard output.

LAW-1: a line says what FIELDS allows it to say, and nothing else: ids, codes, counts, and places in our code. The text
of an error that is not our own may quote what a person sent us, so it stays out: its type, its code and where it was
raised are enough to find it. A value that does not fit is left out of the line and counted, which an operator sees on
the dashboard; tests make the same moment fail (tests/conftest.py), so that it is found before.
"""

import json
import os
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

from billing.ports import TryAgain
from edges import metrics

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
ROOT: Final = Path(__file__).parent.parent
OWN_FOLDERS: Final = frozenset({"billing", "edges", "functions"})
"""In a deployed function its dependencies lie beside these."""
FRAMES: Final = 4
LONGEST_SENTENCE: Final = 200

Value = str | int | bool | None
Fits = Callable[[Value], bool]

_CODE: Final = re.compile(r"[A-Za-z0-9_.:/+-]{0,64}")
_ID: Final = re.compile(r"[A-Za-z0-9_.:#%=+/@-]{0,128}")


def _count(value: Value) -> bool:
    return type(value) is int


def _flag(value: Value) -> bool:
    return type(value) is bool


def _code(value: Value) -> bool:
    """A word of ours, of AWS's, of Stripe's or of HTTP's."""
    return isinstance(value, str) and _CODE.fullmatch(value) is not None


def _id(value: Value) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def _sentence(value: Value) -> bool:
    """Words written in this repository, about ids and states."""
    return isinstance(value, str) and len(value) <= LONGEST_SENTENCE


def _place(value: Value) -> bool:
    return isinstance(value, str) and len(value) <= 2 * LONGEST_SENTENCE


FIELDS: Final[Mapping[str, Fits]] = {
    # how it ended
    "code": _code,
    "detail": _sentence,
    "error": _code,
    "method": _code,
    "outcome": _code,
    "reason": _sentence,
    "status": _count,
    "step": _code,
    "trouble": _code,
    "where": _place,
    # what it was about
    "event_id": _id,
    "event_type": _code,
    "message_id": _id,
    "notice_id": _id,
    "now": _id,
    "relayed_through": _id,
    "request_id": _id,
    # how much of it
    "accounts": _count,
    "behind_seconds": _count,
    "bodies": _count,
    "claims": _count,
    "complete": _flag,
    "done": _count,
    "facts": _count,
    "failed": _count,
    "findings": _count,
    "held_back": _count,
    "mended": _count,
    "messages": _count,
    "moved": _count,
    "noted": _flag,
    "objects": _count,
    "pages": _count,
    "received": _count,
    "records": _count,
    "refused": _count,
    "sent_again": _count,
    "woken": _count,
}
"""Everything that a line may say beside its level, service, instant and message -> what may stand there."""


def info(message: str, **fields: Value) -> None:
    """Something went as it should: one line for each invocation."""
    _write("INFO", message, fields)


def warning(message: str, **fields: Value) -> None:
    """Something went another way, and the system copes."""
    _write("WARNING", message, fields)


def error(message: str, **fields: Value) -> None:
    """Something that a person must look at: it rings (docs/operations.md, an error was logged)."""
    _write("ERROR", message, fields)
    metrics.count(metrics.Metric.ERRORS_LOGGED)


def about(failure: BaseException) -> dict[str, Value]:
    """The fields that describe a failure: its type, where it was raised, its code (ours, AWS's, Stripe's) where it has
    one, and its sentence where we wrote it about ids and states: TryAgain, and assertions of our own code. What Refused
    says is meant for the caller and may name what they sent; its code says enough."""
    fields: dict[str, Value] = {"error": type(failure).__name__, "where": _where(failure)}
    code = getattr(failure, "code", None) or getattr(failure, "response", {}).get("Error", {}).get("Code")
    if isinstance(code, str):
        fields["code"] = code
    if isinstance(failure, TryAgain) or (isinstance(failure, AssertionError) and _is_own(failure)):
        fields["detail"] = str(failure)[:LONGEST_SENTENCE]
    return fields


def _is_own(failure: BaseException) -> bool:
    """Whether our own code raised it, not something that it called."""
    frames = traceback.extract_tb(failure.__traceback__)
    return bool(frames) and bool(_own(frames[-1].filename))


def _where(failure: BaseException) -> str:
    """The last frames of our own code, innermost first: "functions/charge_autopay/flow.py:45 _send"."""
    frames = [
        f"{place}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(failure.__traceback__)
        if (place := _own(frame.filename))
    ]
    return " < ".join(reversed(frames[-FRAMES:]))[: 2 * LONGEST_SENTENCE]


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
    line: dict[str, Value] = {
        "level": level,
        "service": service,
        "at": datetime.now(UTC).isoformat(),
        "message": message,
    }
    for name, value in fields.items():
        fits = FIELDS.get(name)
        if fits is not None and fits(value):
            line[name] = value
        else:
            _misfit(name)
    sys.stdout.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")


def _misfit(name: str) -> None:  # noqa: ARG001 - tests say which; production must not
    metrics.count(metrics.Metric.LOG_FIELDS_DROPPED)
