"""A queue in the shape of a rate: where more is due at once than the world takes, each message has its turn.

Stripe takes 25 requests a second. A hundred thousand charges that were announced for the same minute would be refused
most of the time, tried again, and given up. So a sweep gives them turns, 24 to a second, as delays of the queue (no
code waits), and leaves what has no turn within a minute to the next sweep.
"""

from collections import Counter
from collections.abc import Callable
from math import ceil
from typing import Final

from billing.facts import IN_TURN

MINUTE: Final = 60
"""Seconds from one sweep to the next."""


class Pace:
    """The turns of one sweep. `seconds_left`: how long it may still run, by which it knows how long it has run."""

    def __init__(self, seconds_left: Callable[[], float]) -> None:
        self._seconds_left = seconds_left
        self._left_at_first = seconds_left()
        self._given: Counter[str] = Counter()

    def turn(self, kind: str) -> float | None:
        """How many seconds after the sweep began the next of that kind has its turn; None where that is another sweep's
        minute. What is not woken in turn has it at once."""
        if kind not in IN_TURN:
            return 0.0
        turn = self._given[kind] / IN_TURN[kind]
        if turn >= MINUTE:
            return None
        self._given[kind] += 1
        return turn

    def delay(self, turn: float) -> int:
        """How many whole seconds a message that is sent now must wait: it is seen at its turn or less than a second
        after, so by no instant are there more to be seen than had their turn."""
        if not turn:
            return 0
        return max(0, ceil(turn - (self._left_at_first - self._seconds_left())))
