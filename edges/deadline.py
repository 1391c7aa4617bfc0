"""How much time this invocation still has: no call to the world is begun that could outlast it.

A function that is cut off by its own time-out answers nobody: a caller hears a bare error from the gateway, a queue
shows the whole batch again after minutes. So each handler says first when it must be done, and whoever is about to call
asks for the time that the call may take; where that is no longer left it is a TryAgain, for which everybody has an
answer: 503 with Retry-After, a page that says so, a record that comes back in seconds.

    |<------------------ the function's time-out ------------------>|
    | call | call | call (slow) ........ | no call is begun any more |
                                         ^ end - what a call may take
"""

import math
import time
from typing import Final

from billing.ports import TryAgain

ANSWER_WITHIN_SECONDS: Final = 28.0
"""The front door waits 30 s for a function, whatever the function's own time-out."""
KEPT_SECONDS: Final = 9.0
"""Of a queue's function, for telling the queue when failed records shall come back."""

_ends = math.inf
_kept = 0.0


def works(context: object) -> None:
    """This invocation goes through a batch: it ends with the function's time-out."""
    _until(_seconds_of(context), KEPT_SECONDS)


def answers(context: object) -> None:
    """Somebody waits for this invocation's answer."""
    seconds = _seconds_of(context)
    _until(seconds if math.isinf(seconds) else min(seconds - 1, ANSWER_WITHIN_SECONDS), 0.0)


def seconds_left() -> float:
    """Until this invocation must be done."""
    return _ends - time.monotonic()


def take(wanted: float, least: float, *, last: bool = False) -> float:
    """How long a call may take now: `wanted` seconds, or less where less is left. Raises TryAgain where that would be
    below `least`. `last`: the call that the kept seconds are kept for."""
    left = seconds_left() - (0.0 if last else _kept)
    if left < least:
        raise TryAgain("too little of this invocation's time is left for another call")
    return min(wanted, left)


def _until(seconds: float, kept: float) -> None:
    global _ends, _kept
    _ends, _kept = time.monotonic() + seconds, kept


def _seconds_of(context: object) -> float:
    """What Lambda's context says; without one there is no end."""
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    return remaining() / 1000 if remaining else math.inf
