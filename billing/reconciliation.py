"""The nightly reconciliation as it is kept: how far a run is, and what it found.

One row drives it. A run goes in slices, each one commit on this row, which carries the message for the next; the row
itself stays due all the while, so a run that died goes on by itself, and tomorrow's comes whatever happened tonight.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import ClassVar, Final

from billing.facts import FactKind, WakeKind
from billing.ids import Key, digest
from billing.invoice import due_text
from billing.row import Asleep

NIGHTLY_AT: Final = time(7, 0, tzinfo=UTC)
"""Night in every time zone of the United States."""
GOES_ON_AFTER: Final = timedelta(minutes=15)
"""A run whose next message does not come is woken after this long."""
SLICES_KEPT: Final = timedelta(days=7)
FINDINGS_KEPT: Final = timedelta(days=90)
"""How long a resolved finding can still be read."""
FOR_EVER: Final = int(datetime(2999, 1, 1, tzinfo=UTC).timestamp())

_PK: Final = "Z#"
RECONCILIATION_KEY: Final = Key(_PK, "RECONCILIATION#")
FINDINGS_PK: Final = "Z#FINDINGS#"


class Phase(StrEnum):
    """What a run does, in this order."""

    FINDINGS = "findings"
    """What was found broken before is looked at again."""
    PAYMENTS = "payments"
    REFUNDS = "refunds"
    DISPUTES = "disputes"
    """Stripe's objects, page by page, against ours; and the books of the accounts that are met there."""
    WORK = "work"
    """Whoever has work due until tomorrow night, and every body that came: their books, their claims."""
    DONE = "done"


@dataclass(frozen=True)
class Cursor:
    """How far a run is. `after`: Stripe's id, or a finding's · `shard`, `last_*`: the entry of the due index
    that was looked at last · `results`: where the body that follows it goes on · `missing`: something of it was
    not read, or has no verdict."""

    phase: Phase = Phase.FINDINGS
    after: str = ""
    shard: int = 0
    last_due: str = ""
    last_pk: str = ""
    last_sk: str = ""
    results: int = 0
    missing: bool = False


@dataclass(frozen=True)
class Counts:
    """What a run looked at. `objects`: of Stripe's · `sent_again`: messages that were lost · `mended`: what Stripe knew
    and we had missed · `findings`: what a person must look at, once the run is over."""

    accounts: int = 0
    claims: int = 0
    bodies: int = 0
    objects: int = 0
    sent_again: int = 0
    mended: int = 0
    findings: int = 0


@dataclass(frozen=True)
class Reconciliation:
    """The one row. `wake_at`: when it goes on, or begins · `since`: when the last finished run began · `started_at`:
    when this one did, None between two · `number`: which run this is, or was the last · `step`: how many slices of it
    are done."""

    TYPE: ClassVar[str] = "reconciliation"

    version: int
    wake_at: datetime
    since: datetime
    started_at: datetime | None = None
    number: int = 0
    step: int = 0
    cursor: Cursor = Cursor()
    counts: Counts = Counts()
    finished_at: datetime | None = None
    last: Counts = Counts()

    @property
    def key(self) -> Key:
        return RECONCILIATION_KEY

    @property
    def due(self) -> str:
        return due_text(self.wake_at, WakeKind.RECONCILE)


@dataclass(frozen=True)
class DoneSlice(Asleep):
    """A slice is done and another follows: the message that makes the run go on at once. `expires`: epoch seconds."""

    TYPE: ClassVar[str] = "reconcile_slice"

    run: int
    step: int
    expires: int
    kind: str = FactKind.RECONCILE_SLICE_DONE
    version: int = 1

    @property
    def key(self) -> Key:
        return Key(_PK, f"SLICE#{self.run:06d}#{self.step:06d}#")


@dataclass(frozen=True)
class Finding(Asleep):
    """Something that should not be so, and is. `invariant`: which (billing/invariants.py) · `at_pk`, `at_sk`: what to
    look at to see whether it still is · `where`, `what`: the words; ids, codes and cents only · `run`: number of the
    last run that met it · `mended`: it was put right by the run that found it · `expires`: when the table forgets it,
    epoch seconds."""

    TYPE: ClassVar[str] = "finding"

    finding_id: str
    version: int
    invariant: int
    at_pk: str
    at_sk: str
    where: str
    what: str
    run: int
    first_seen: datetime
    last_seen: datetime
    resolved_at: datetime | None = None
    mended: bool = False
    expires: int = FOR_EVER

    @property
    def key(self) -> Key:
        return Key(FINDINGS_PK, f"FINDING#{self.finding_id}#")


def finding_id(invariant: int, subject: Key, where: str) -> str:
    """The same thing wrong at the same place is the same finding, however often it is met."""
    return digest(str(invariant), subject.pk, subject.sk, where, length=16)


def armed(now: datetime) -> Reconciliation:
    """The row as it begins: with the first practice there is."""
    return Reconciliation(1, next_night(now), since=now)


def next_night(now: datetime) -> datetime:
    """The first 07:00 UTC after `now`."""
    tonight = datetime.combine(now.astimezone(UTC).date(), NIGHTLY_AT)
    return tonight if tonight > now else tonight + timedelta(days=1)


def started(row: Reconciliation, now: datetime) -> Reconciliation:
    """A new run begins."""
    return replace(row, started_at=now, number=row.number + 1, step=0, cursor=Cursor(), counts=Counts())


def went_on(row: Reconciliation, cursor: Cursor, counts: Counts, now: datetime) -> Reconciliation:
    """A slice is done, and another follows."""
    return replace(
        row,
        version=row.version + 1,
        step=row.step + 1,
        cursor=cursor,
        counts=counts,
        wake_at=now + GOES_ON_AFTER,
    )


def ended(row: Reconciliation, counts: Counts, now: datetime) -> Reconciliation:
    """The run is over; the next comes tomorrow night."""
    assert row.started_at is not None, "a run that never began cannot end"
    return replace(
        row,
        version=row.version + 1,
        wake_at=next_night(now),
        since=row.started_at,
        started_at=None,
        step=0,
        cursor=Cursor(),
        counts=Counts(),
        finished_at=now,
        last=counts,
    )


def asked_for(row: Reconciliation, now: datetime) -> Reconciliation:
    """Somebody wants a run now: it is due at once, and no earlier, or its wake would look late."""
    return replace(row, version=row.version + 1, wake_at=now)


def done_slice(row: Reconciliation) -> DoneSlice:
    """The message for what follows the slices that are done."""
    assert row.started_at is not None, "only a run has slices"
    return DoneSlice(row.number, row.step, int((row.started_at + SLICES_KEPT).timestamp()))
