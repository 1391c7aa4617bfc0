"""The part of a night that goes through the due index, as far ahead as the next night: whoever has work due is looked
at, and every body that came since the last night (each is in the index until somebody saw that it misses nothing).
"""

from dataclasses import replace
from typing import Final

from billing.claim_state import WATCHED_FOR, Slice
from billing.facts import FactKind, Message, WakeKind
from billing.ids import Key, claim_pk
from billing.invoice import due_text
from billing.ports import DueItem
from billing.reconciliation import RECONCILIATION_KEY, Cursor, Phase
from billing.reconciling import AHEAD, STILL_UNDER_WAY
from functions.reconcile.bodies import results_of, unjudged
from functions.reconcile.night import Night

PAGE: Final = 20
PLACES: Final = 1_000
"""More than a slice has results: a place in a body is its slice's number times this, and the place in that slice. A
body of 50 MB has 550 slices, and each is read once a night."""


def work(night: Night, cursor: Cursor, shards: int, most: int) -> Cursor:
    """A page of the index -> where what follows begins. One body may fill many slices."""
    last = DueItem(Key(cursor.last_pk, cursor.last_sk), cursor.last_due) if cursor.last_pk else None
    store = night.store
    page = store.due(cursor.shard, night.run + AHEAD, PAGE, after=last)
    night.spent += 1
    for item in page:
        if item.key == RECONCILIATION_KEY:
            continue  # this very run; it moves with each slice
        if item.due_at.endswith(f"#{WakeKind.CHECK_RECEIPT}"):
            cursor = _body(night, item, cursor, max(1, most - night.spent))
            if cursor.results:
                return cursor
        else:
            night.due(item)
        cursor = replace(cursor, last_due=item.due_at, last_pk=item.key.pk, last_sk=item.key.sk)
        if night.spent >= most:
            return cursor
    if len(page) == PAGE:
        last = page[-1]
        return replace(cursor, last_due=last.due_at, last_pk=last.key.pk, last_sk=last.key.sk)
    return Cursor(Phase.WORK, shard=cursor.shard + 1) if cursor.shard + 1 < shards else Cursor(Phase.DONE)


def _body(night: Night, item: DueItem, cursor: Cursor, most: int) -> Cursor:
    """At most so many results of one slice of the body, and their claims -> the cursor as it is then: `results` says
    where the body goes on, 0 where it is done with, tonight."""
    night.spent += 1
    if item.due_at > f"{night.run + WATCHED_FOR - STILL_UNDER_WAY:%Y-%m-%dT%H:%M:%SZ}":
        return cursor  # it came just now, or was sent again just now
    number, first = divmod(cursor.results, PLACES)
    row = night.store.get(Key(item.key.pk, f"SLICE#{number:06d}#"))
    if isinstance(row, Slice):
        results = results_of([row])
        part = results[first : first + most]
        lost = unjudged(night.store, [row], part)
        night.send_again(*lost)
        for element in part:
            night.claim(claim_pk(row.practice, element.claim_id))
        going_on = first + len(part) < len(results)
        goes_on_at = cursor.results + len(part) if going_on else (number + 1) * PLACES
        read_to_the_end = row.last and not going_on
    else:
        before = Message(FactKind.CLAIM_SLICE_READ, Key(item.key.pk, f"SLICE#{number - 1:06d}#"))
        lost = [before if number else Message(FactKind.CLAIM_BODY_STORED, item.key)]
        night.send_again(*lost)
        goes_on_at, read_to_the_end = 0, True
    cursor = replace(cursor, missing=cursor.missing or bool(lost))
    if not read_to_the_end:
        return replace(cursor, results=goes_on_at)
    _end(night, item.key, missing=cursor.missing)
    return replace(cursor, results=0, missing=False)


def _end(night: Night, body: Key, *, missing: bool) -> None:
    """All of it was looked at: nobody needs to again, or the next night."""
    night.count_body()
    if not missing:
        night.store.set_due(body, None)
        return
    night.store.set_due(body, due_text(night.run + AHEAD, WakeKind.CHECK_RECEIPT))
    night.body_waits(body)
