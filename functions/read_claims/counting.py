"""Look at a long body until each of its results has an outcome, so that whoever asks about it finds it counted."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from billing.facts import Message
from billing.ports import Store, Update
from billing.receipt import SliceCount
from edges.counting import counts_of, look_again


def count(message: Message, *, store: Store, has_time: Callable[[], bool], now: datetime) -> None:
    """Count again what has no outcome yet; the body's last count wakes itself while something has none.

    Raises TryAgain where somebody else counted at the same moment.
    """
    row = store.get(message.key)
    if not isinstance(row, SliceCount) or not row.waiting:
        return
    unjudged = [one for one in counts_of(store, row.receipt_id) if one.unjudged]
    waiting = any(one.unjudged for one in look_again(store, unjudged, now, lambda _: has_time()))
    latest = store.get(message.key)
    assert isinstance(latest, SliceCount), "counts are never removed"
    store.commit(Update(replace(latest, version=latest.version + 1, at=now, waiting=waiting)))
