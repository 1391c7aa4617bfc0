"""Wake whatever is due: every minute, every shard of the due index, oldest first.

Each item is *leased* before its message is sent: its entry of the index moves five minutes ahead. So a sweep that runs
beside this one does not send it too, and whoever handles the item removes or moves the entry in its own commit. The
order loses nothing:

    lease ──► send ──► handled: the entry is gone
          │       └──► the message is lost: the lease runs out, the item is due again
          └──► crash before send: the lease runs out, the item is due again

The price of a crash between the two is five minutes. Cost is what is due, never what is stored.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.facts import ROUTES, Message
from billing.ports import DueItem, Store

LEASE = timedelta(minutes=5)
PAGE = 100
STOP_WITH_SECONDS_LEFT = 20.0
"""A page takes about a second, and its last call must not be begun too late (edges/deadline.py); what is left over is
due next minute."""

Send = Callable[[Iterable[tuple[str, Message]]], int]


@dataclass(frozen=True)
class Swept:
    """What a sweep did. `woken`: items sent · `moved`: items another sweep or their own handler had moved already ·
    `complete`: nothing due was left when it ended · `behind_seconds`: how long the oldest it found had been due ·
    `strange`: items of a kind without a route (a newer version wrote them, and was rolled back): they stay due, are
    found again when their lease ends, and hold up nobody."""

    woken: int
    moved: int
    pages: int
    complete: bool
    behind_seconds: int = 0
    strange: int = 0


def run(*, store: Store, send: Send, shards: int, seconds_left: Callable[[], float], now: datetime) -> Swept:
    """Wake what is due at `now`, a page of each shard in turn, so that no shard waits for another to be empty. Raises
    TryAgain when table or queue are throttled; what was leased by then has been sent."""
    woken = moved = pages = behind = strange = 0
    waiting = list(range(shards))
    while waiting and seconds_left() > STOP_WITH_SECONDS_LEFT:
        shard = waiting.pop(0)
        page = store.due(shard, now, PAGE)
        behind = max(behind, _behind_seconds(page, now))
        leased = _wake(page, store, send, now)
        strange += sum(_kind(item) not in ROUTES for item in leased)
        woken += len(leased)
        moved += len(page) - len(leased)
        pages += 1
        if len(page) == PAGE and leased:
            # A page of nothing but moved items means that the index has not caught up: it will have in a minute.
            waiting.append(shard)
    return Swept(woken, moved, pages, complete=not waiting, behind_seconds=behind, strange=strange)


def _behind_seconds(page: Sequence[DueItem], now: datetime) -> int:
    """How long its first item, the oldest, has been due."""
    if not page:
        return 0
    return int((now - datetime.fromisoformat(page[0].due_at.split("#", 1)[0])).total_seconds())


def _wake(page: Sequence[DueItem], store: Store, send: Send, now: datetime) -> list[DueItem]:
    """Lease and send a page -> what was leased."""
    leased: list[DueItem] = []
    try:
        leased.extend(item for item in page if store.lease(item, now + LEASE))
    finally:
        if leased:
            send(routed(leased))
    return leased


def routed(items: Iterable[DueItem]) -> Iterable[tuple[str, Message]]:
    """Each item as a message for every verb that handles its kind: `2026-11-20T12:00:00Z#charge` is a charge."""
    for item in items:
        for verb in ROUTES.get(_kind(item), ()):
            yield verb, Message(_kind(item), item.key)


def _kind(item: DueItem) -> str:
    return item.due_at.split("#", 1)[1]
