"""Read a stored body into claim results, a slice at a time, so that a body of any length is read to its end whatever
happens on the way.

    body stored -> slice 0 read -> slice 1 read -> ... -> last slice

Each slice first stores its results, then itself. A crash in between costs nothing: the delivery that comes next meets
results that name this receipt and their place in it, knows them as its own, and goes on. A result that names another
receipt, or another place, is a duplicate.

Whoever reads goes on with the next slice while there is time; each reading begins at the front of the body, because a
claim depends on all that came before it in its transaction.
"""

import gzip
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, TypeVar

from billing.claim import ClaimResult
from billing.claim_state import ReadElement, ReceivedResult, Slice, StoredBody, body_key, slice_key
from billing.facts import FactKind, Message
from billing.ports import Blobs, Conflict, Insert, Record, Refused, Store, TryAgain
from billing.receipt import count_slice, counted
from billing.transaction import SeenTransaction
from edges.formats.envelope import Envelope
from edges.formats.rejected import Rejected
from edges.formats.x12_segments import Unreadable, pieces
from functions.read_claims.reading import Reading, readings, weight_of

SLICE_CLAIMS: Final = 200
SLICE_ERROR_BYTES: Final = 200_000
"""A slice is one row of at most 400 kB: it ends early where its claims have that much wrong with them."""
GROUP_ROWS: Final = 25
TRANSACTION_BYTES: Final = 2_000_000
"""Rows in one commit, and what results may weigh together: half of what DynamoDB takes in a transaction."""
FIRST_IS_READ_WITHIN: Final = timedelta(seconds=10)
"""How long a file waits for another that brought the same payment a moment before: what both have is the first one's.
After that what is new in it is looked at by a person."""

Row = TypeVar("Row", bound=Record)


def run(
    message: Message, *, store: Store, blobs: Blobs, now: datetime, goes_on: Callable[[], bool] = lambda: False
) -> None:
    """Read the slice that follows what the message points at, a stored body or a slice; and those after it, as long as
    `goes_on` says so.

    Raises TryAgain where a write was throttled or lost a race that is still under way. Whatever the body holds ends in
    a slice; nothing in it can fail this step.
    """
    row = store.get(message.key)
    match row:
        case StoredBody():
            body, before = row, latest_slice(store, row.receipt_id)
        case Slice(last=True):
            return
        case Slice():
            found = store.get(body_key(row.receipt_id))
            assert isinstance(found, StoredBody), f"{row.receipt_id}: a slice was read, so its body is stored"
            body, before = found, latest_slice(store, row.receipt_id, row)
        case _:
            raise Refused("no_such_body", f"{message.key.pk}: there is no stored body or slice at this key")
    if before is None or not before.last:
        _Reader(body, before, store, blobs, now).read(goes_on)


def latest_slice(store: Store, receipt_id: str, known: Slice | None = None) -> Slice | None:
    """The last slice that was read of a body, `known` or after it. Asks for some of them, not for all."""

    def at(number: int) -> Slice | None:
        row = store.get(slice_key(receipt_id, number))
        return row if isinstance(row, Slice) else None

    step = 1
    while True:
        further = at(known.number + step if known else step - 1)
        if further is not None:
            known, step = further, step * 2
        elif step == 1:
            return known
        else:
            step //= 2


class _Reader:
    """One reading of a body, from the slice after `before` on."""

    def __init__(self, body: StoredBody, before: Slice | None, store: Store, blobs: Blobs, now: datetime) -> None:
        self._body = body
        self._number = before.number + 1 if before else 0
        self._start = before.start if before else 0
        self._store = store
        self._now = now
        self._warnings: list[str] = []
        self._envelope = Envelope()
        self._bytes_read = 0
        self._claims = readings(
            self._counted(_content(body, blobs)), body.content_type, body.size, self._warnings, self._envelope
        )

    def read(self, goes_on: Callable[[], bool]) -> None:
        """One slice after the other."""
        try:
            for _ in islice(self._claims, self._start):
                pass
        except Unreadable:
            pass  # where this is, it was told
        self._envelope.take()  # of the slices before
        last = False
        while not last:
            found, last = self._slice()
            kind = FactKind.CLAIM_BODY_READ if last else FactKind.CLAIM_SLICE_READ
            if not last and goes_on():
                kind = FactKind.CLAIM_SLICE_KEPT
            self._commit(found, kind)
            if kind == FactKind.CLAIM_SLICE_READ:
                return

    def _counted(self, content: Iterable[bytes]) -> Iterator[bytes]:
        for piece in content:
            self._bytes_read += len(piece)
            yield piece

    def _slice(self) -> tuple[list[tuple[Reading, str]], bool]:
        """The claims of a slice, each with what names its transaction, and whether they are the last. A body that
        cannot be read ends where it breaks."""
        found: list[tuple[Reading, str]] = []
        weight = 0
        try:
            for claim in self._claims:
                found.append((claim, self._envelope.transaction if isinstance(claim, ClaimResult) else ""))
                weight += sum(map(len, claim.errors)) if isinstance(claim, Rejected) else 0
                if len(found) == SLICE_CLAIMS or weight > SLICE_ERROR_BYTES:
                    return found, False
        except Unreadable as broken:
            self._warnings.append(str(broken))
        return found, True

    def _commit(self, found: list[tuple[Reading, str]], kind: FactKind) -> None:
        last = kind == FactKind.CLAIM_BODY_READ
        elements = _keep_results(found, self._body, self._start, self._store, self._now)
        self._start += len(found)
        following = Slice(
            practice=self._body.practice,
            receipt_id=self._body.receipt_id,
            number=self._number,
            start=self._start,
            elements=elements,
            last=last,
            kind=kind,
            warnings=tuple(self._warnings) if last else (),  # each reading begins at the front and meets all of them
            transactions=self._envelope.take(),
        )
        self._number += 1
        rows: list[Record] = [following]
        if counted(self._body):
            rows.append(count_slice(following, {}, self._now, self._bytes_read))
        try:
            self._store.commit(*map(Insert, rows))
        except Conflict:
            if self._store.get(following.key) is None:
                raise  # nobody wrote it: the table was only busy


def _content(body: StoredBody, blobs: Blobs) -> Iterator[bytes]:
    """The body as it came, in pieces."""
    if body.plain:
        return blobs.pieces(body.blob)
    return pieces(gzip.decompress(body.body or blobs.get(body.blob)))


def _keep_results(
    found: list[tuple[Reading, str]], body: StoredBody, start: int, store: Store, now: datetime
) -> tuple[ReadElement, ...]:
    """Store the results that are not stored yet; tell of every element what it is called and whether it is new."""
    firsts: dict[str, ReceivedResult] = {}
    standing: dict[str, str] = {}
    elements: list[ReadElement] = []
    for place, (claim, transaction) in enumerate(found, start):
        match claim:
            case Rejected():
                elements.append(ReadElement(claim.claim_id, claim.payer_claim_id, "", errors=claim.errors))
            case ClaimResult():
                key = claim.result_key()
                elements.append(ReadElement(claim.claim_id, claim.payer_claim_id, key, duplicate=key in firsts))
                if key not in firsts:
                    firsts[key] = ReceivedResult(body.practice, claim, body.receipt_id, now, place=place)
                    standing[key] = transaction
    stored, seen = _there(firsts, {one for one in standing.values() if one}, body, store, now)
    missing = {key: row for key, row in firsts.items() if key not in stored}
    elsewhere = {one for one, row in seen.items() if row.receipt_id != body.receipt_id}
    _wait_for_first([seen[standing[key]] for key in missing if standing[key] in elsewhere], store, now)
    rows = [
        replace(row, same_transaction_as=seen[standing[key]].receipt_id) if standing[key] in elsewhere else row
        for key, row in missing.items()
    ]
    stored |= {row.result.result_key(): row for row in _insert(rows, store, lambda row: weight_of(row.result))}
    repeated = {key for key, row in stored.items() if (row.receipt_id, row.place) != _who(firsts[key])}
    return tuple(replace(element, duplicate=True) if element.result in repeated else element for element in elements)


def _who(row: ReceivedResult) -> tuple[str, int]:
    """Which claim of which body brought a result."""
    return row.receipt_id, row.place


def _there(
    results: dict[str, ReceivedResult], transactions: set[str], body: StoredBody, store: Store, now: datetime
) -> tuple[dict[str, ReceivedResult], dict[str, SeenTransaction]]:
    """Of the results those that are stored already; and of each transaction who brought it first, which is written
    before any result of it is (claims.md 4.8, ring b)."""
    wanted = [SeenTransaction(body.practice, one, body.receipt_id, now) for one in sorted(transactions)]
    found = store.get_many([*(row.key for row in results.values()), *(row.key for row in wanted)])
    seen = {row.transaction: row for row in wanted}
    seen |= {row.transaction: row for row in found if isinstance(row, SeenTransaction)}
    new = [row for row, stored in zip(wanted, found[len(results) :], strict=True) if stored is None]
    seen |= {row.transaction: row for row in _insert(new, store, lambda _: 0)}
    return {row.result.result_key(): row for row in found if isinstance(row, ReceivedResult)}, seen


def _wait_for_first(brought: Iterable[SeenTransaction], store: Store, now: datetime) -> None:
    """Raises TryAgain while another body that brought these transactions a moment before is still being read: what it
    has in common with ours must be its own, whoever is faster."""
    for receipt_id in {row.receipt_id for row in brought if now - row.at < FIRST_IS_READ_WITHIN}:
        latest = latest_slice(store, receipt_id)
        if latest is None or not latest.last:
            raise TryAgain(f"{receipt_id} brought the same transaction a moment ago and is not read to its end")


def _insert(rows: list[Row], store: Store, weight: Callable[[Row], int]) -> list[Row]:
    """Store rows, many at a time -> those that were there by then, as they are stored."""
    there: list[Row] = []
    for group in _groups(rows, weight):
        try:
            store.commit(*(Insert(row) for row in group))
        except Conflict:  # another delivery has some of these: which ones, only single writes can tell
            there.extend(_insert_singly(group, store))
    return there


def _insert_singly(rows: list[Row], store: Store) -> Iterator[Row]:
    for row in rows:
        try:
            store.commit(Insert(row))
        except Conflict:
            stored = store.get(row.key)
            if not isinstance(stored, type(row)):
                raise  # nobody wrote it: the table was only busy
            yield stored


def _groups(rows: list[Row], weight: Callable[[Row], int]) -> Iterator[list[Row]]:
    """Runs of at most 25 rows that fit into one transaction together."""
    group: list[Row] = []
    together = 0
    for row in rows:
        added = weight(row)
        if group and (len(group) == GROUP_ROWS or together + added > TRANSACTION_BYTES):
            yield group
            group, together = [], 0
        group.append(row)
        together += added
    if group:
        yield group
