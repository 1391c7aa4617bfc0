"""What will happen: the agenda of a simulated world."""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass
class Thing:
    """Something that happens. `act` does it through the ports it is given and may say how it ended; `failed` says when
    it comes again after a crash or a TryAgain; `then` hears how it ended. `queue`, `receives`, `hidden_until`: of a
    message."""

    actor: str
    label: str
    act: Callable[[dict[str, Any]], object]
    failed: "Callable[[Thing, str], datetime | None]" = lambda _thing, _outcome: None
    queue: str = ""
    receives: int = 0
    then: Callable[[str], None] = lambda _outcome: None
    hidden_until: datetime = LONG_AGO


class Agenda:
    """Things by their instant; what has the same instant happens in the order it was put there."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, int, Thing]] = []
        self._numbers = 0

    def put(self, at: datetime, thing: Thing) -> None:
        """Let it happen then."""
        self._numbers += 1
        heapq.heappush(self._heap, (at, self._numbers, thing))

    def first_at(self) -> datetime | None:
        """When the next thing happens."""
        return self._heap[0][0] if self._heap else None

    def take_first(self) -> Thing:
        """The next thing, off the agenda."""
        return heapq.heappop(self._heap)[2]

    def take_near(self, rng: Random, queue: str, how_near: int = 6) -> Thing | None:
        """One of the next few things, off the agenda, more likely a message of that queue; None where nothing is
        left."""
        near = heapq.nsmallest(how_near, self._heap, key=lambda entry: entry[:2])
        if not near:
            return None
        alike = [entry for entry in near if queue and entry[2].queue == queue]
        entry = rng.choice(alike if alike and rng.random() < 0.5 else near)
        self._heap.remove(entry)
        heapq.heapify(self._heap)
        return entry[2]

    def of_queue(self, queue: str, until: datetime) -> Iterator[Thing]:
        """The messages of that queue that are to be seen by then."""
        return (thing for at, _, thing in self._heap if thing.queue == queue and at <= until)
