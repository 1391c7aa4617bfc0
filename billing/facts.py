"""Facts: what happened, past tense, written once, never changed. What happens next is decided by the fact that was
written: `ROUTES` says which verbs look at it. A message carries a key only and means *look*; order and repetition do
not matter because the step acts on what it reads.

Facts hold ids, codes, cents and what a practice chose; never a client's name, mail, phone or anything about health
(LAW-1).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from billing.ids import Key, facts_pk, segment
from billing.ledger import Entry
from billing.row import Asleep

FACT_VERSION = 1
"""Written as `v` on each fact. Readers accept every version ever written; a fixture of each is kept."""


class FactKind(StrEnum):
    """Everything that can have happened."""

    # Inserted rows that are facts by themselves
    CLAIM_BODY_STORED = "ClaimBodyStored"
    CLAIM_SLICE_READ = "ClaimSliceRead"
    CLAIM_SLICE_KEPT = "ClaimSliceKept"
    CLAIM_BODY_READ = "ClaimBodyRead"
    CLAIM_RESULT_RECEIVED = "ClaimResultReceived"
    CLAIM_SUBMITTED = "ClaimSubmitted"
    SESSION_COMPLETED = "SessionCompleted"
    STRIPE_EVENT_STORED = "StripeEventStored"
    CLEARINGHOUSE_EVENT_STORED = "ClearinghouseEventStored"
    RECONCILE_SLICE_DONE = "ReconcileSliceDone"
    # Facts of a practice
    POLICY_CHANGED = "PolicyChanged"
    # Facts of a client
    CLAIM_HELD = "ClaimHeld"
    HOLD_DECIDED = "HoldDecided"
    CLAIM_PENDING = "ClaimPending"
    CLAIM_ANSWERED = "ClaimAnswered"
    NOTHING_OWED = "NothingOwed"
    SESSION_COVERED = "SessionCovered"
    SESSION_HELD = "SessionHeld"
    INVOICE_ISSUED = "InvoiceIssued"
    INVOICE_PUT_IN_REVIEW = "InvoicePutInReview"
    INVOICE_RESUMED = "InvoiceResumed"
    REVIEW_REQUESTED = "ReviewRequested"
    REVIEW_DECIDED = "ReviewDecided"
    INVOICE_PAST_DUE = "InvoicePastDue"
    NOTICE_SENT = "NoticeSent"
    NOTICE_BOUNCED = "NoticeBounced"
    INVOICE_JOINED_AUTOPAY = "InvoiceJoinedAutopay"
    CHARGE_CANCELLED = "ChargeCancelled"
    CHARGE_STARTED = "ChargeStarted"
    PAYMENT_POSTED = "PaymentPosted"
    PAYMENT_FAILED = "PaymentFailed"
    PAYMENT_UNKNOWN = "PaymentUnknown"
    CHECKOUT_CLOSED = "CheckoutClosed"
    AUTOPAY_ENROLLED = "AutopayEnrolled"
    AUTOPAY_REFUSED = "AutopayRefused"
    AUTOPAY_ENDED = "AutopayEnded"
    CARD_SAVED = "CardSaved"
    PHONE_LOCKED = "PhoneLocked"
    LINKS_REVOKED = "LinksRevoked"
    PLAN_CREATED = "PlanCreated"
    INSTALMENT_ISSUED = "InstalmentIssued"
    PLAN_COMPLETED = "PlanCompleted"
    PLAN_BROKEN = "PlanBroken"
    PLAN_ENDED = "PlanEnded"
    REFUND_STARTED = "RefundStarted"
    REFUND_POSTED = "RefundPosted"
    REFUND_FAILED = "RefundFailed"
    INVOICE_CORRECTED = "InvoiceCorrected"
    CREDIT_APPLIED = "CreditApplied"
    INVOICE_VOIDED = "InvoiceVoided"
    INVOICE_WRITTEN_OFF = "InvoiceWrittenOff"
    DISPUTE_OPENED = "DisputeOpened"
    DISPUTE_FUNDS_MOVED = "DisputeFundsMoved"
    DISPUTE_CLOSED = "DisputeClosed"


class WakeKind(StrEnum):
    """Why an item wants to be looked at at its `due_at`."""

    CHARGE = "charge"
    REMIND = "remind"
    PAST_DUE = "past_due"
    LOOK_UP = "look_up"
    PENDING = "pending"
    INSTALMENT = "instalment"
    PAY_BACK = "pay_back"
    RECONCILE = "reconcile"
    CHECK_RECEIPT = "check_receipt"
    FETCH_REPORT = "fetch_report"
    UPLOAD = "upload"
    COUNT = "count"


ROUTES: Mapping[str, tuple[str, ...]] = {
    FactKind.CLAIM_BODY_STORED: ("read_claims",),
    FactKind.CLAIM_SLICE_READ: ("read_claims",),
    FactKind.CLAIM_SLICE_KEPT: (),
    FactKind.CLAIM_BODY_READ: (),
    FactKind.CLAIM_RESULT_RECEIVED: ("issue_invoice",),
    FactKind.CLAIM_SUBMITTED: ("issue_invoice",),
    FactKind.SESSION_COMPLETED: ("issue_invoice",),
    FactKind.STRIPE_EVENT_STORED: ("settle_payment",),
    FactKind.CLEARINGHOUSE_EVENT_STORED: ("fetch_report",),
    FactKind.RECONCILE_SLICE_DONE: ("reconcile",),
    FactKind.POLICY_CHANGED: (),
    FactKind.CLAIM_HELD: (),
    FactKind.HOLD_DECIDED: (),
    FactKind.CLAIM_PENDING: (),
    FactKind.CLAIM_ANSWERED: (),
    FactKind.NOTHING_OWED: ("send_email",),
    FactKind.SESSION_COVERED: (),
    FactKind.SESSION_HELD: (),
    FactKind.INVOICE_ISSUED: ("send_email",),
    FactKind.INVOICE_PUT_IN_REVIEW: (),
    FactKind.INVOICE_RESUMED: ("send_email",),
    FactKind.REVIEW_REQUESTED: ("send_email",),
    FactKind.REVIEW_DECIDED: ("send_email",),
    FactKind.INVOICE_PAST_DUE: ("send_email",),
    FactKind.NOTICE_SENT: (),
    FactKind.NOTICE_BOUNCED: ("send_email",),
    FactKind.INVOICE_JOINED_AUTOPAY: ("send_email",),
    FactKind.CHARGE_CANCELLED: (),
    FactKind.CHARGE_STARTED: (),
    FactKind.PAYMENT_POSTED: ("send_email",),
    FactKind.PAYMENT_FAILED: ("send_email",),
    FactKind.PAYMENT_UNKNOWN: (),
    FactKind.CHECKOUT_CLOSED: (),
    FactKind.AUTOPAY_ENROLLED: ("send_email",),
    FactKind.AUTOPAY_REFUSED: ("send_email",),
    FactKind.AUTOPAY_ENDED: ("send_email",),
    FactKind.CARD_SAVED: (),
    FactKind.PHONE_LOCKED: ("send_email",),
    FactKind.LINKS_REVOKED: (),
    FactKind.PLAN_CREATED: ("send_email",),
    FactKind.INSTALMENT_ISSUED: ("send_email",),
    FactKind.PLAN_COMPLETED: (),
    FactKind.PLAN_BROKEN: ("send_email",),
    FactKind.PLAN_ENDED: ("send_email",),
    FactKind.REFUND_STARTED: ("pay_back",),
    FactKind.REFUND_POSTED: ("send_email",),
    FactKind.REFUND_FAILED: ("send_email",),
    FactKind.INVOICE_CORRECTED: ("send_email",),
    FactKind.CREDIT_APPLIED: ("send_email",),
    FactKind.INVOICE_VOIDED: ("send_email",),
    FactKind.INVOICE_WRITTEN_OFF: ("send_email",),
    FactKind.DISPUTE_OPENED: ("send_email",),
    FactKind.DISPUTE_FUNDS_MOVED: (),
    FactKind.DISPUTE_CLOSED: ("send_email", "issue_invoice"),
    WakeKind.CHARGE: ("charge_autopay",),
    WakeKind.REMIND: ("send_email",),
    WakeKind.PAST_DUE: ("issue_invoice",),
    WakeKind.LOOK_UP: ("settle_payment",),
    WakeKind.PENDING: ("issue_invoice",),
    WakeKind.INSTALMENT: ("create_plan",),
    WakeKind.PAY_BACK: ("pay_back",),
    WakeKind.RECONCILE: ("reconcile",),
    WakeKind.CHECK_RECEIPT: ("reconcile",),
    WakeKind.FETCH_REPORT: ("fetch_report",),
    WakeKind.UPLOAD: ("read_claims",),
    WakeKind.COUNT: ("read_claims",),
}
"""Fact or wake kind -> the verbs whose queue gets a message. Complete: a test goes through every member."""

IN_TURN: Mapping[str, int] = {WakeKind.CHARGE: 24}
"""Wake kinds that are woken one after the other where many are due at once -> how many in a second. Stripe takes 25
requests a second of one kind: one is left for what is sent again."""


@dataclass(frozen=True)
class Message:
    """What travels: why to look, and where. Never what to do."""

    kind: str
    key: Key


@dataclass(frozen=True)
class Fact(Asleep):
    """One thing that happened to `item` (a row's sk, say `INVOICE#…#`) when it reached `version`.

    `actor`: who did it (`system`, `client`, `staff`, `payer`, `stripe`) · `cause`: the id of what led to it ·
    `data`: ids, codes and cents · `entries`: balanced ledger postings, in cents.
    """

    TYPE: ClassVar[str] = "fact"

    practice: str
    client: str
    item: str
    version: int
    kind: str
    at: datetime
    actor: str
    cause: str
    data: Mapping[str, str | int] = field(default_factory=dict)
    entries: tuple[Entry, ...] = ()
    v: int = FACT_VERSION

    @property
    def key(self) -> Key:
        """A fact is (item, version, kind): writing it again meets itself."""
        return Key(facts_pk(self.practice, self.client), f"FACT#{segment(self.item)}#{self.version:06d}#{self.kind}#")
