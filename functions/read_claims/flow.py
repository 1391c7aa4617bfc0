"""Read a stored body into claim results, a slice at a time, so that a body of any length is read to its end whatever
happens on the way.

    body stored -> slice 0 read -> slice 1 read -> ... -> last slice

Each slice first stores its results, then itself. A crash in between costs nothing: the delivery that comes next meets
results that name this receipt, knows them as its own, and goes on. A result that names another receipt, or stands in
an earlier slice, is a duplicate.
"""

import gzip
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Final

from billing.claim import ClaimResult
from billing.claim_state import ReadElement, ReceivedResult, Slice, StoredBody
from billing.facts import FactKind, Message
from billing.ids import Key
from billing.ports import Blobs, Conflict, Insert, Refused, Store
from edges.formats.rejected import Rejected
from edges.formats.x12_segments import Unreadable
from functions.read_claims.reading import Reading, readings, weight_of

SLICE_CLAIMS: Final = 200
SLICE_ERROR_BYTES: Final = 200_000
"""A slice is one row of at most 400 kB: it ends early where its claims have that much wrong with them."""
GROUP_RESULTS: Final = 25
TRANSACTION_BYTES: Final = 2_000_000
"""Results in one commit, and what they may weigh together: half of what DynamoDB takes in a transaction."""


def run(message: Message, *, store: Store, blobs: Blobs, now: datetime) -> None:
    """Read the slice that follows what the message points at: a stored body, or the slice before.

    Raises TryAgain where a write was throttled or lost a race that is still under way. Whatever the body holds ends in
    a slice; nothing in it can fail this step.
    """
    row = store.get(message.key)
    match row:
        case StoredBody():
            body, number, start = row, 0, 0
        case Slice(last=True):
            return
        case Slice():
            found = store.get(Key(row.key.pk, "BODY#"))
            assert isinstance(found, StoredBody), f"{row.receipt_id}: a slice was read, so its body is stored"
            body, number, start = found, row.number + 1, row.start
        case _:
            raise Refused("no_such_body", f"{message.key.pk}: there is no stored body or slice at this key")
    warnings: list[str] = []
    claims, last = _read(body, start, blobs, warnings)
    following = Slice(
        practice=body.practice,
        receipt_id=body.receipt_id,
        number=number,
        start=start + len(claims),
        elements=_keep_results(claims, body, number, store, now),
        last=last,
        kind=FactKind.CLAIM_BODY_READ if last else FactKind.CLAIM_SLICE_READ,
        warnings=tuple(warnings) if last else (),  # each reading begins at the front and meets all of them again
    )
    try:
        store.commit(Insert(following))
    except Conflict:
        if store.get(following.key) is None:
            raise  # nobody wrote it: the table was only busy


def _read(body: StoredBody, start: int, blobs: Blobs, warnings: list[str]) -> tuple[list[Reading], bool]:
    """The claims of this slice, and whether they are the last. A body that cannot be read ends where it breaks."""
    found: list[Reading] = []
    weight = 0
    try:
        coming = readings(gzip.decompress(body.body or blobs.get(body.blob)), body.content_type, warnings)
        for claim in islice(coming, start, None):
            if len(found) == SLICE_CLAIMS or weight > SLICE_ERROR_BYTES:
                return found, False
            found.append(claim)
            weight += sum(map(len, claim.errors)) if isinstance(claim, Rejected) else 0
    except Unreadable as broken:
        warnings.append(str(broken))
    return found, True


def _keep_results(
    found: list[Reading], body: StoredBody, number: int, store: Store, now: datetime
) -> tuple[ReadElement, ...]:
    """Store the results that are not stored yet; tell of every element what it is called and whether it is new."""
    firsts: dict[str, ReceivedResult] = {}
    elements: list[ReadElement] = []
    for claim in found:
        match claim:
            case Rejected():
                elements.append(ReadElement(claim.claim_id, claim.payer_claim_id, "", errors=claim.errors))
            case ClaimResult():
                key = claim.result_key()
                elements.append(ReadElement(claim.claim_id, claim.payer_claim_id, key, duplicate=key in firsts))
                firsts.setdefault(key, ReceivedResult(body.practice, claim, body.receipt_id, now))
    there = {row.result.result_key(): row for row in _insert_missing(tuple(firsts.values()), store)}
    ours = {key for key, row in there.items() if row.receipt_id == body.receipt_id}
    seen = there.keys() - ours
    if ours and number:
        seen |= ours & _read_earlier(body, number, store)
    return tuple(replace(element, duplicate=True) if element.result in seen else element for element in elements)


def _read_earlier(body: StoredBody, number: int, store: Store) -> set[str]:
    """The results that earlier slices of this body have: what is ours and stored, but not because of a crash."""
    slices = store.partition(body.key.pk, "SLICE#")
    return {e.result for row in slices if isinstance(row, Slice) and row.number < number for e in row.elements}


def _insert_missing(rows: tuple[ReceivedResult, ...], store: Store) -> list[ReceivedResult]:
    """Store what is not there, many at a time -> what was there already, whoever brought it."""
    found = store.get_many([row.key for row in rows])
    there = [row for row in found if isinstance(row, ReceivedResult)]
    missing = [row for row, stored in zip(rows, found, strict=True) if stored is None]
    for group in _groups(missing):
        try:
            store.commit(*(Insert(row) for row in group))
        except Conflict:  # another delivery has some of these: which ones, only single writes can tell
            there.extend(_insert_singly(group, store))
    return there


def _insert_singly(rows: list[ReceivedResult], store: Store) -> Iterator[ReceivedResult]:
    for row in rows:
        try:
            store.commit(Insert(row))
        except Conflict:
            stored = store.get(row.key)
            if not isinstance(stored, ReceivedResult):
                raise  # nobody wrote it: the table was only busy
            yield stored


def _groups(rows: list[ReceivedResult]) -> Iterator[list[ReceivedResult]]:
    """Runs of at most 25 results that fit into one transaction together."""
    group: list[ReceivedResult] = []
    weight = 0
    for row in rows:
        added = weight_of(row.result)
        if group and (len(group) == GROUP_RESULTS or weight + added > TRANSACTION_BYTES):
            yield group
            group, weight = [], 0
        group.append(row)
        weight += added
    if group:
        yield group
