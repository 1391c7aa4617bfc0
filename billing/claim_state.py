"""What Kindbill knows about one claim id: the claim as the practice submitted it, every result that came for it, and
the verdict on each. How a claim id finds its client.

`ClaimState` is written by every commit that a claim result causes, guarded by its version: two results of one claim
cannot both issue (design: Data).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from billing.claim import ClaimResult, SubmittedClaim
from billing.facts import FactKind, WakeKind
from billing.ids import Key, claim_pk, holds_pk, receipt_pk, segment
from billing.invoice import due_text
from billing.money import Cents
from billing.row import Asleep
from billing.standing import Decision
from billing.transaction import Transaction


@dataclass(frozen=True)
class Submission(Asleep):
    """A claim the practice says it sent to a payer."""

    TYPE: ClassVar[str] = "submission"

    practice: str
    claim: SubmittedClaim
    at: datetime
    kind: str = FactKind.CLAIM_SUBMITTED
    version: int = 1

    @property
    def key(self) -> Key:
        return Key(claim_pk(self.practice, self.claim.claim_id), "SUBMITTED#")


@dataclass(frozen=True)
class ReceivedResult(Asleep):
    """One adjudication as it arrived; immutable. Its key is its content, so the same result is stored once whatever
    file it came in; `receipt_id` is the first that brought it. `same_transaction_as`: the receipt that had brought the
    payment transaction it stands in before, in other bytes and without this result; or ""."""

    TYPE: ClassVar[str] = "result"

    practice: str
    result: ClaimResult
    receipt_id: str
    at: datetime
    kind: str = FactKind.CLAIM_RESULT_RECEIVED
    version: int = 1
    same_transaction_as: str = ""
    place: int = 0
    """Of the claim in its body, from 0: a result that is there already is our own where the place is the same, and a
    repetition inside the body where it is not."""

    @property
    def key(self) -> Key:
        return result_key(self.practice, self.result.claim_id, self.result.result_key())


def result_key(practice: str, claim_id: str, key: str) -> Key:
    return Key(claim_pk(practice, claim_id), f"RESULT#{segment(key)}#")


def claim_state_key(practice: str, claim_id: str) -> Key:
    return Key(claim_pk(practice, claim_id), "STATE#")


@dataclass(frozen=True)
class Verdict:
    """What became of one result: its `gates.Outcome`, and where it stands by now (`gates.Now`). `to_claim`,
    `to_result`: of a rematched one, the claim it is about and what it is called there."""

    result: str
    outcome: str
    reason: str
    now: str
    invoice_id: str = ""
    amount: Cents = 0
    to_claim: str = ""
    to_result: str = ""


@dataclass(frozen=True)
class ClaimState:
    """The verdicts on a claim's results, in the order they were given.

    `awaited`: the place in the chain of the payer that is to answer next, 0 where none is; `pending_until`: when
    waiting for it ends (LAW-4); `waited_for`: the place of the one for which it has ended · `decisions`: what people
    decided about results that were held · `answer`: the result that decides, "" while none does · `invoices`: what
    bills the claim, an estimate first, supplements last · `billed`: the patient's share that was billed last, in
    cents · `of_programme`: an employee-assistance programme is to pay for a session of it (INV-5).
    """

    TYPE: ClassVar[str] = "claim_state"

    practice: str
    claim_id: str
    version: int
    client: str = ""
    verdicts: tuple[Verdict, ...] = ()
    pending_until: datetime | None = None
    awaited: int = 0
    waited_for: int = 0
    decisions: tuple[Decision, ...] = ()
    answer: str = ""
    invoices: tuple[str, ...] = ()
    billed: Cents = 0
    of_programme: bool = False

    @property
    def key(self) -> Key:
        return claim_state_key(self.practice, self.claim_id)

    @property
    def due(self) -> str | None:
        return due_text(self.pending_until, WakeKind.PENDING) if self.pending_until else None

    def verdict(self, result: str) -> Verdict | None:
        return next((v for v in self.verdicts if v.result == result), None)


@dataclass(frozen=True)
class Hold(Asleep):
    """A claim result that a person must look at (DESK-5), or a session that its programme does not cover (INV-5): then
    `session_id` names it, and there is no claim. Gone when it is resolved. `patient_responsibility`: what releasing it
    as it is would bill, in cents."""

    TYPE: ClassVar[str] = "hold"

    practice: str
    hold_id: str
    claim_id: str
    payer_claim_id: str
    result: str
    reason: str
    held_at: datetime
    patient_responsibility: Cents
    client: str = ""
    session_id: str = ""
    version: int = 1

    @property
    def key(self) -> Key:
        return Key(holds_pk(self.practice), f"HOLD#{segment(self.hold_id)}#")


WATCHED_FOR = timedelta(hours=26)
"""A body that nobody has checked by then is woken: each nightly reconciliation checks all that came until an hour
before it, so this happens only where a night was missed."""


@dataclass(frozen=True)
class StoredBody:
    """A claim-results body as it was posted or uploaded: stored before 202 is answered. `body` is gzipped, or b"" when
    it lies in the bucket under `blob`; as it came where it is `plain`, gzipped where it is not. `size`: its bytes as it
    came, 0 where nobody counted.

    It wants to be looked at until somebody saw that every result of it has a verdict: the net under lost messages. The
    row is never changed for that; its entry of the due index is taken out (`Store.set_due`)."""

    TYPE: ClassVar[str] = "body"

    practice: str
    receipt_id: str
    sha256: str
    content_type: str
    at: datetime
    body: bytes
    blob: str = ""
    kind: str = FactKind.CLAIM_BODY_STORED
    version: int = 1
    size: int = 0
    plain: bool = False

    @property
    def key(self) -> Key:
        return body_key(self.receipt_id)

    @property
    def due(self) -> str:
        return due_text(self.at + WATCHED_FOR, WakeKind.CHECK_RECEIPT)


def body_key(receipt_id: str) -> Key:
    """A stored body."""
    return Key(receipt_pk(receipt_id), "BODY#")


def slice_key(receipt_id: str, number: int) -> Key:
    """One slice of a body."""
    return Key(receipt_pk(receipt_id), f"SLICE#{number:06d}#")


@dataclass(frozen=True)
class ReadElement:
    """One claim of a body as the reader saw it. `result` is its content key; rejected ones have `errors` instead."""

    claim_id: str
    payer_claim_id: str
    result: str
    duplicate: bool = False
    errors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Slice(Asleep):
    """A run of claims read from a body: where the next run starts, what each claim is called, and the transactions that
    ended among them. It is a fact of one of three kinds: somebody must read on (`ClaimSliceRead`), whoever read it does
    so itself (`ClaimSliceKept`), or nothing follows (`ClaimBodyRead`)."""

    TYPE: ClassVar[str] = "slice"

    practice: str
    receipt_id: str
    number: int
    start: int
    elements: tuple[ReadElement, ...]
    last: bool
    warnings: tuple[str, ...] = ()
    kind: str = FactKind.CLAIM_SLICE_READ
    version: int = 1
    transactions: tuple[Transaction, ...] = ()

    @property
    def key(self) -> Key:
        return slice_key(self.receipt_id, self.number)
