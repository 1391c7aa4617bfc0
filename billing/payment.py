"""Taking money: cards, charge attempts, and what the evidence about an attempt means.

    started -> posted | failed | unknown -> posted | failed          (design: The life of a charge)

The attempt, with the whole request and its idempotency key, is on disk before Stripe hears of it. Evidence is ranked,
not timed: posted > failed > unknown > started; posted never goes back. A decline is an outcome, not an exception.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from billing.facts import WakeKind
from billing.ids import Key, account_pk, attempt_id, attempt_key, segment
from billing.invoice import due_text
from billing.money import Cents
from billing.row import Asleep

SEND_WITHIN = timedelta(hours=20)
"""Nobody sends an attempt older than this: Stripe forgets idempotency keys after 24 h."""
LOOK_UP_AFTER = (timedelta(minutes=5), timedelta(hours=1), timedelta(days=1))
"""An unsettled attempt is looked up at Stripe after 5 minutes, 1 hour, then daily."""
NEVER_REACHED_AFTER = timedelta(hours=24)
"""Absent from Stripe's full list this long after it started, an attempt never arrived: failed, for good."""
CHECKOUT_LASTS = timedelta(minutes=30)
"""A hosted payment page expires this long after it was opened (design)."""


class AttemptState(StrEnum):
    """Ranked by strength of evidence, weakest first."""

    STARTED = "started"
    UNKNOWN = "unknown"
    FAILED = "failed"
    POSTED = "posted"


RANK = {state: rank for rank, state in enumerate(AttemptState)}


class AttemptKind(StrEnum):
    """How the money is asked for. The field is `channel`: a row that has a `kind` is a fact."""

    AUTOPAY = "autopay"
    CHECKOUT = "checkout"
    SETUP = "setup"
    OUTSIDE = "outside"
    """Cash or a cheque that the practice took itself; recorded by staff (INV-10)."""


@dataclass(frozen=True)
class Card(Asleep):
    """A card on file: what a person needs to recognise it. The number never comes near us (PAY-7)."""

    TYPE: ClassVar[str] = "card"

    practice: str
    client: str
    card_id: str
    version: int
    payment_method: str
    brand: str
    last4: str
    exp_month: int
    exp_year: int
    funding: str
    fingerprint: str = ""
    fsa: bool = False

    @property
    def key(self) -> Key:
        return Key(account_pk(self.practice, self.client), f"CARD#{segment(self.card_id)}#")

    @property
    def shown(self) -> str:
        """As mails and pages name it: "Visa ending 4242"."""
        return f"{self.brand.capitalize()} ending {self.last4}"


@dataclass(frozen=True)
class Part:
    """The share of an attempt that pays one invoice, in cents."""

    invoice_id: str
    amount: Cents


@dataclass(frozen=True)
class Enrolment:
    """What the client agreed to on our form before leaving for the hosted page; takes effect when the card arrives.

    `join`: invoices already open that they ticked to be charged too (AUTO-1).
    """

    text_version: str
    text_hash: str
    agreed_at: datetime
    ip: str
    cap: Cents | None
    not_fsa: bool
    join: tuple[str, ...] = ()


@dataclass(frozen=True)
class Attempt:
    """One try to take money (or, `setup`, to save a card), with the whole request as it is sent.

    `look_ups`: how often Stripe was asked about it · `reason`: our code of why it failed · `decline`: Stripe's code ·
    `excess`: what arrived above what was owed by then, `released`: what a later correction of its invoices left over
    (INV-3), and `applied` what its parts pay, where that differs.
    """

    TYPE: ClassVar[str] = "attempt"

    practice: str
    client: str
    number: int
    version: int
    channel: AttemptKind
    parts: tuple[Part, ...]
    customer: str
    payment_method: str
    card_id: str
    started_at: datetime
    state: AttemptState = AttemptState.STARTED
    reason: str = ""
    decline: str = ""
    intent_id: str = ""
    charge_id: str = ""
    session_id: str = ""
    session_url: str = ""
    expires_at: datetime | None = None
    posted_at: datetime | None = None
    card_shown: str = ""
    excess: Cents = 0
    released: Cents = 0
    applied: tuple[Part, ...] = ()
    save_card: bool = False
    enrolment: Enrolment | None = None
    consent_id: str = ""
    look_ups: int = 0
    look_up_at: datetime | None = None

    @property
    def key(self) -> Key:
        return attempt_key(self.practice, self.client, self.number)

    @property
    def attempt_id(self) -> str:
        """Its outside id: in Stripe's metadata, and the payment's id once posted."""
        return attempt_id(self.practice, self.client, self.number)

    @property
    def amount(self) -> Cents:
        return sum(p.amount for p in self.parts)

    @property
    def paid_parts(self) -> tuple[Part, ...]:
        """What each invoice got of it, once posted; what is missing to `amount` became credit."""
        return self.applied if self.applied or self.excess or self.released else self.parts

    @property
    def is_open(self) -> bool:
        """It may still take money."""
        return self.state in (AttemptState.STARTED, AttemptState.UNKNOWN)

    @property
    def due(self) -> str | None:
        """Until it is settled, it wakes to be looked up: the net under a lost webhook."""
        return due_text(self.look_up_at, WakeKind.LOOK_UP) if self.is_open and self.look_up_at else None


@dataclass(frozen=True)
class CardDetails:
    """A card as Stripe describes it."""

    payment_method: str
    brand: str
    last4: str
    exp_month: int
    exp_year: int
    funding: str
    fingerprint: str = ""
    fsa: bool = False


@dataclass(frozen=True)
class Evidence:
    """What Stripe said about an attempt. `amount`: cents received. `reason`: see billing/autopay.py DECLINES."""

    state: AttemptState
    amount: Cents = 0
    intent_id: str = ""
    charge_id: str = ""
    session_id: str = ""
    reason: str = ""
    decline: str = ""
    card: CardDetails | None = None
    reusable: bool = False


def next_look_up(now: datetime, look_ups: int) -> datetime:
    """When Stripe is asked (again) about an attempt that was asked about `look_ups` times."""
    return now + LOOK_UP_AFTER[min(look_ups, len(LOOK_UP_AFTER) - 1)]
