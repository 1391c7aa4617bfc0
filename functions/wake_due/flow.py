"""Wake whatever is due: every minute, every shard of the due index, oldest first.

What fell due since the last minute is sent as it is: its handler takes the entry out of the index in its own commit,
mostly before anybody looks again. What a sweep finds older than that was found before, or missed: it is *leased* before
its message is sent, so its entry of the index moves five minutes ahead and is not sent every minute while a queue is
slow. The order loses nothing:

    due ──► send ──► handled: the entry is gone
        └─► not handled within a minute: lease ──► send ──► handled: the entry is gone
                                               │       └──► the message is lost: the lease runs out, it is due again
                                               └──► crash before send: the lease runs out, it is due again

The price of a crash between the two is five minutes; of a queue that is slower than a minute, one message too many.
Charges are sent each to its turn (functions/wake_due/pace.py), and so are as many as a minute takes; the others stay
due. Cost is what is due, never what is stored.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from billing.facts import ROUTES, Message
from billing.ports import DueItem, Store
from functions.wake_due.pace import Pace

LEASE = timedelta(minutes=5)
FRESH_FOR = timedelta(minutes=1)
"""What has been due for less was not there when the sweep before this one looked."""
PAGE = 100
STOP_WITH_SECONDS_LEFT: Final = 20.0
"""A page takes about a second, and its last call must not be begun too late (edges/deadline.py); what is left over is
due next minute."""


class Send(Protocol):
    """Puts messages into their queues, to be seen after so many seconds -> how many."""

    def __call__(self, messages: Iterable[tuple[str, Message]], delay_seconds: int = 0) -> int: ...


@dataclass(frozen=True)
class Swept:
    """What a sweep did. `woken`: items sent · `moved`: items another sweep or their own handler had moved already ·
    `complete`: nothing due was left when it ended · `behind_seconds`: how long the oldest it found had been due ·
    `strange`: items of a kind without a route (a newer version wrote them, and was rolled back): they stay due, are
    found again when their lease ends, and hold up nobody · `held_back`: items on the last pages that were looked at
    whose turn is not within this minute."""

    woken: int
    moved: int
    pages: int
    complete: bool
    behind_seconds: int = 0
    strange: int = 0
    held_back: int = 0


def run(*, store: Store, send: Send, shards: int, seconds_left: Callable[[], float], now: datetime) -> Swept:
    """Wake what is due at `now`, a page of each shard in turn, so that no shard waits for another to be empty. Raises
    TryAgain when table or queue are throttled; what was leased by then has been sent."""
    woken = moved = pages = behind = strange = held_back = 0
    pace = Pace(seconds_left)
    waiting: list[tuple[int, DueItem | None]] = [(shard, None) for shard in range(shards)]
    while waiting and seconds_left() > STOP_WITH_SECONDS_LEFT:
        shard, after = waiting.pop(0)
        page = store.due(shard, now, PAGE, after)
        behind = max(behind, _behind_seconds(page, now))
        in_time = [(item, turn) for item in page if (turn := pace.turn(_kind(item))) is not None]
        sent = _wake(in_time, store, send, pace, now)
        strange += sum(_kind(item) not in ROUTES for item in sent)
        woken += len(sent)
        moved += len(in_time) - len(sent)
        held_back += len(page) - len(in_time)
        pages += 1
        if len(page) == PAGE == len(in_time):
            waiting.append((shard, page[-1]))
    complete = not waiting and not held_back
    return Swept(woken, moved, pages, complete, behind_seconds=behind, strange=strange, held_back=held_back)


def _behind_seconds(page: Sequence[DueItem], now: datetime) -> int:
    """How long its first item, the oldest, has been due."""
    return int((now - _due_at(page[0])).total_seconds()) if page else 0


def _wake(page: Sequence[tuple[DueItem, float]], store: Store, send: Send, pace: Pace, now: datetime) -> list[DueItem]:
    """Send each item of a page for its turn, what was found before only with a lease -> what was sent."""
    taken: list[tuple[DueItem, float]] = []
    try:
        for item, turn in page:
            if now - _due_at(item) < FRESH_FOR or store.lease(item, now + timedelta(seconds=turn) + LEASE):
                taken.append((item, turn))
    finally:
        later: dict[int, list[DueItem]] = {}
        for item, turn in taken:
            later.setdefault(pace.delay(turn), []).append(item)
        for delay, items in later.items():
            send(routed(items), delay)
    return [item for item, _ in taken]


def routed(items: Iterable[DueItem]) -> Iterable[tuple[str, Message]]:
    """Each item as a message for every verb that handles its kind: `2026-11-20T12:00:00Z#charge` is a charge."""
    for item in items:
        for verb in ROUTES.get(_kind(item), ()):
            yield verb, Message(_kind(item), item.key)


def _kind(item: DueItem) -> str:
    return item.due_at.split("#", 1)[1]


def _due_at(item: DueItem) -> datetime:
    return datetime.fromisoformat(item.due_at.split("#", 1)[0])
