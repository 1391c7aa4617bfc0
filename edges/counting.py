"""Counts of a long body, kept beside its slices: read them, and look again at what may have changed."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Final

from billing.claim_state import Slice, Verdict, claim_state_key, slice_key
from billing.ids import receipt_pk
from billing.ports import Conflict, Store, Update
from billing.receipt import SliceCount, Verdicts, looked_at_again, verdicts_in, where_they_stand

LEFT_AFTER: Final = 2


def counts_of(store: Store, receipt_id: str) -> list[SliceCount]:
    """The counts of every slice that was read."""
    return [row for row in store.partition(receipt_pk(receipt_id), "COUNT#") if isinstance(row, SliceCount)]


def verdicts_on(store: Store, slices: Sequence[Slice]) -> Verdicts:
    """What was decided of everything in these slices."""
    if not slices:
        return {}
    claims = sorted({element.claim_id for one in slices for element in one.elements if element.result})
    return _verdicts(store, slices[0].practice, claims)


def _verdicts(store: Store, practice: str, claims: Iterable[str]) -> Verdicts:
    """Where the results of these claims stand; those that staff said are about other claims, there (DESK-5)."""
    found: dict[tuple[str, str], Verdict] = {}
    read: set[str] = set()
    wanted = set(claims)
    while wanted:
        found |= verdicts_in(store.get_many([claim_state_key(practice, claim) for claim in sorted(wanted)]))
        read |= wanted
        wanted = {verdict.to_claim for verdict in found.values() if verdict.to_claim} - read
    return where_they_stand(found)


def look_again(
    store: Store, counts: Sequence[SliceCount], now: datetime, has_time: Callable[[SliceCount], bool]
) -> list[SliceCount]:
    """The counts, those that may have changed looked at again while there is time: first where something has no outcome
    yet, then what was not looked at for longest. What is found is kept for whoever asks next.

    Results are judged about in their order: after two slices of which nothing is, the others are left for later.
    """
    found = {one.number: one for one in counts}
    may_change = sorted((one for one in counts if one.open), key=lambda one: (not one.unjudged, one.at, one.number))
    untouched = 0
    for one in may_change:
        if not has_time(one):
            break
        if one.unjudged and untouched == LEFT_AFTER:
            continue
        again = _looked_at(store, one, now)
        untouched = 0 if again.accepted or again.held else untouched + 1
        if replace(again, version=one.version, at=one.at) != one:
            found[one.number] = again
            with suppress(Conflict):  # somebody else looked at the same moment; both saw what is true
                store.commit(Update(again))
    return [found[one.number] for one in counts]


def _looked_at(store: Store, one: SliceCount, now: datetime) -> SliceCount:
    read = store.get(slice_key(one.receipt_id, one.number))
    assert isinstance(read, Slice), f"{one.receipt_id}: slice {one.number} was counted, so it is stored"
    wanted = sorted({read.elements[place].claim_id for place in one.open})
    return looked_at_again(one, read, _verdicts(store, one.practice, wanted), now)
