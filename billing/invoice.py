"""An invoice: what a client owes for one thing, and everything that has been done about it.

The head is small (< 1 KB) and holds only what decisions need; the explanation of every cent is written once beside
the fact that issued it.

    total = amount + corrections
    open = total − payments applied − credits applied − write-offs − moved to plan + disputed back, never negative

Status is derived, never stored, by one precedence (design: The commit).
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from billing.facts import WakeKind
from billing.ids import Key, invoice_key
from billing.money import STRIPE_MINIMUM, Cents

SMALL_WAITS = timedelta(days=60)
"""How long an amount that no card can pay alone waits for a charge that takes it along (INV-11)."""


class Source(StrEnum):
    """What an invoice came from."""

    CLAIM = "claim"
    PLAN = "plan"
    PLAN_REMAINDER = "plan_remainder"
    SESSION = "session"
    BY_HAND = "by_hand"
    ESTIMATE = "estimate"


class Status(StrEnum):
    """Contract.md's invoice statuses, in order of precedence."""

    VOID = "void"
    WRITTEN_OFF = "written_off"
    MOVED_TO_PLAN = "moved_to_plan"
    DISPUTED = "disputed"
    PROCESSING = "processing"
    IN_REVIEW = "in_review"
    REFUNDED = "refunded"
    PAID = "paid"
    SCHEDULED = "scheduled"
    PAST_DUE = "past_due"
    OPEN = "open"


@dataclass(frozen=True)
class Invoice:
    """The head of an invoice. Amounts are cents.

    `charge_at`: when the announced charge happens, None while none is announced · `first_tried_at`, `tries`: of the
    card named in the notice (AUTO-7) · `open_attempt`: number of the attempt that may take money now, 0 for none ·
    `remind_at`, `past_due_at`: next reminder and end of the payment window, None when there is none left ·
    `refunded`: of `paid`, what went back to the client and is not owed again · `disputed`: a dispute of its payment is
    open, nobody touches it · `disputed_back`: of `paid`, what lost disputes took, and is owed again · `reviews`: ids of
    the holds and reviews that question it, `paused_at`: since when, `charge_paused`: a charge was announced by then ·
    `good_faith_estimate`: what a self-paying client was told beforehand, None where nothing was (LAW-5) · `estimated`:
    the health plan has not decided yet, and `amount` is what we expect (INV-2) · `corrected`: what later decisions
    changed of `amount` (INV-3) · `explained`: number of the `InvoiceLines` in force.
    """

    TYPE: ClassVar[str] = "invoice"

    practice: str
    client: str
    invoice_id: str
    version: int
    source: Source
    source_id: str
    ordinal: int
    amount: Cents
    issued_at: datetime
    service_date: date
    provider: str = ""
    paid: Cents = 0
    credited: Cents = 0
    written_off: Cents = 0
    moved: Cents = 0
    void: bool = False
    reviews: tuple[str, ...] = ()
    paused_at: datetime | None = None
    charge_paused: bool = False
    notice_id: str = ""
    notice_at: datetime | None = None
    card_id: str = ""
    charge_at: datetime | None = None
    first_tried_at: datetime | None = None
    tries: int = 0
    open_attempt: int = 0
    reminded: int = 0
    remind_at: datetime | None = None
    past_due_at: datetime | None = None
    past_due: bool = False
    plan_id: str = ""
    refunded: Cents = 0
    disputed: bool = False
    disputed_back: Cents = 0
    good_faith_estimate: Cents | None = None
    estimated: bool = False
    corrected: Cents = 0
    explained: int = 0

    @property
    def key(self) -> Key:
        return invoice_key(self.practice, self.client, self.invoice_id)

    @property
    def total(self) -> Cents:
        """What it asks for by now, paid or not; a void one asks for nothing."""
        return 0 if self.void else self.amount + self.corrected

    @property
    def open_amount(self) -> Cents:
        """What is still owed; the formula of invariant 2."""
        if self.void:
            return 0
        left = self.total - self.paid - self.credited - self.written_off - self.moved + self.disputed_back
        assert left >= 0, f"{self.invoice_id}: open amount {left} is below zero"
        return left

    @property
    def in_review(self) -> bool:
        """Somebody looks into it: a claim result is on hold, or the client asked for it (INV-7)."""
        return bool(self.reviews)

    @property
    def payable(self) -> bool:
        """Money may be asked for it now: something is open and nobody is looking into it."""
        return self.open_amount > 0 and not self.in_review and not self.disputed

    @property
    def is_small(self) -> bool:
        """Something is open, and too little for a card to pay it alone (INV-11)."""
        return 0 < self.open_amount < STRIPE_MINIMUM

    @property
    def let_go_at(self) -> datetime:
        """When a small amount is asked for no more."""
        return self.issued_at + SMALL_WAITS

    @property
    def charged_by_click_only(self) -> bool:
        """The client's bank is deciding about a payment of it, or took one back: nothing is charged by itself any more
        (PAY-13)."""
        return self.disputed or self.disputed_back > 0

    @property
    def status(self) -> Status:
        """One status by precedence."""
        if self.void:
            return Status.VOID
        if self.written_off and not self.open_amount:
            return Status.WRITTEN_OFF
        if self.moved and not self.open_amount:
            return Status.MOVED_TO_PLAN
        if self.disputed:
            return Status.DISPUTED
        if self.open_attempt:
            return Status.PROCESSING
        if self.in_review:
            return Status.IN_REVIEW
        if not self.open_amount:
            all_back = self.refunded >= self.paid - self.disputed_back > 0 or not self.total
            return Status.REFUNDED if all_back else Status.PAID
        if self.charge_at is not None:
            return Status.SCHEDULED
        return Status.PAST_DUE if self.past_due else Status.OPEN

    @property
    def due(self) -> str | None:
        """The earliest next wake. A review pauses charge, reminders and ageing (INV-7); an announced charge takes the
        place of reminders (INV-9); while a payment page is open only the charge wakes, and closes that page first. A
        small amount is neither reminded of nor past due: it wakes to be let go (INV-11)."""
        if not self.payable:
            return None
        reminded_at, ages_at = (None, self.let_go_at) if self.is_small else (self.remind_at, self.past_due_at)
        wakes = [
            (at, kind)
            for at, kind in (
                (self.charge_at, WakeKind.CHARGE),
                (None if self.charge_at or self.open_attempt else reminded_at, WakeKind.REMIND),
                (None if self.open_attempt else ages_at, WakeKind.PAST_DUE),
            )
            if at is not None
        ]
        return due_text(*min(wakes)) if wakes else None


def due_text(at: datetime, kind: WakeKind) -> str:
    """`instant#kind`, sortable as text: what the due index is ordered by.

    Whole seconds, rounded up: an item must not be woken before its instant, or it would find nothing to do.
    """
    if at.microsecond:
        at = at.replace(microsecond=0) + timedelta(seconds=1)
    return f"{at:%Y-%m-%dT%H:%M:%SZ}#{kind}"
