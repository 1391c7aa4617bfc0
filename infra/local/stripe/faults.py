"""Faults on demand: what a network and a payment service do on a bad day, at exactly the call a test names.

| kind | processed? | the caller sees |
|---|---|---|
| `drop` | no | a cut connection |
| `500_before`, `429` | no | that status; the idempotency key stays free |
| `500_after` | yes | a 500, and the same 500 on every retry with that key, as Stripe replays it |
| `lost_response` | yes | a cut connection; a retry with the key gets the answer |
| `hang` | yes | silence until its own time-out; meanwhile the key is in use (409) |
"""

import re
from dataclasses import dataclass
from typing import Literal, cast, get_args

from infra.local.stripe.errors import Json

FaultKind = Literal["lost_response", "hang", "500_before", "500_after", "429", "drop"]


@dataclass(slots=True)
class Fault:
    """`times` calls whose "METHOD /path" matches the regular expression `match` meet `kind`."""

    match: str
    kind: FaultKind
    times: int = 1


class Faults:
    """The armed faults, in order."""

    def __init__(self) -> None:
        self._armed: list[Fault] = []

    def arm(self, faults: list[Fault]) -> None:
        """Replaces what was armed. Errors: ValueError for an unknown kind or a pattern that cannot be read."""
        for fault in faults:
            if fault.kind not in get_args(FaultKind):
                raise ValueError(f"no such fault: {fault.kind}; one of {', '.join(get_args(FaultKind))}")
            try:
                re.compile(fault.match)
            except re.error as error:
                raise ValueError(f"{fault.match} is no regular expression: {error}") from error
        self._armed = list(faults)

    def armed(self) -> list[Json]:
        """What is still to happen."""
        return [{"match": fault.match, "kind": fault.kind, "times": fault.times} for fault in self._armed]

    def take(self, method: str, path: str) -> FaultKind | None:
        """The fault this call meets, used up by it."""
        for fault in self._armed:
            if re.search(fault.match, f"{method} {path}"):
                fault.times -= 1
                if fault.times <= 0:
                    self._armed.remove(fault)
                return fault.kind
        return None


def read_faults(body: object) -> list[Fault]:
    """The faults of a JSON list. Errors: ValueError naming what is wrong."""
    if not isinstance(body, list) or not all(isinstance(item, dict) for item in body):
        raise ValueError('a list of {"match", "kind", "times"}')
    faults = []
    for item in body:
        times = item.get("times", 1)
        if not isinstance(times, int) or times < 1:
            raise ValueError("times is a whole number from 1")
        faults.append(Fault(str(item.get("match", "")), cast(FaultKind, item.get("kind")), times))
    return faults
