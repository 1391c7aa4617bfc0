"""A refund: money on its way back to the card that paid it (PAY-12).

    started -> posted | pending | failed | unknown -> ...          (the same three nets as under a charge)

The row, with the whole request and its idempotency key, is on disk before Stripe hears of it, and the money is set
aside in the same commit: what an invoice's refund takes is no longer the practice's, what a credit's refund takes is no
longer the client's to spend. A refund that fails, even days after Stripe called it done, undoes exactly that.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from billing.facts import WakeKind
from billing.ids import Key, refund_key
from billing.invoice import due_text
from billing.money import Cents
from billing.payment import Part


class RefundState(StrEnum):
    """Ranked by strength of evidence, weakest first. A bank may return a refund that Stripe called done: `failed` is
    the last word (docs.stripe.com/refunds#failed-refunds)."""

    STARTED = "started"
    UNKNOWN = "unknown"
    PENDING = "pending"
    POSTED = "posted"
    FAILED = "failed"


REFUND_RANK = {state: rank for rank, state in enumerate(RefundState)}


class RefundCause(StrEnum):
    """Why money goes back."""

    STAFF = "staff"
    OVERPAID = "overpaid"
    CORRECTED = "corrected"
    """A later decision says that less was owed (INV-3)."""
    AT_STRIPE = "at_stripe"
    """Somebody refunded it in Stripe's dashboard; we only book it."""


@dataclass(frozen=True)
class Refund:
    """`payment`: number of the attempt whose money goes back · `amount`: cents · `parts`: the share of it that
    belongs to invoices, what is left of `amount` came out of the account's credit · `stripe_id`: Stripe's refund."""

    TYPE: ClassVar[str] = "refund"

    practice: str
    client: str
    refund_id: str
    version: int
    cause: RefundCause
    payment: int
    intent_id: str
    amount: Cents
    parts: tuple[Part, ...]
    started_at: datetime
    state: RefundState = RefundState.STARTED
    stripe_id: str = ""
    reason: str = ""
    settled_at: datetime | None = None
    look_ups: int = 0
    look_up_at: datetime | None = None

    @property
    def key(self) -> Key:
        return refund_key(self.practice, self.client, self.refund_id)

    @property
    def out_of_credit(self) -> Cents:
        """The share of it that no invoice had: it was the account's credit."""
        return self.amount - sum(part.amount for part in self.parts)

    @property
    def on_its_way(self) -> bool:
        """The money is set aside, and nobody has said yet that it arrived or that it never will."""
        return self.state not in (RefundState.POSTED, RefundState.FAILED)

    @property
    def due(self) -> str | None:
        """Until it is settled it wakes: to be sent again by its key, or to be looked up."""
        return due_text(self.look_up_at, WakeKind.PAY_BACK) if self.on_its_way and self.look_up_at else None


@dataclass(frozen=True)
class RefundEvidence:
    """What Stripe says of one refund. `refund_id`: ours, from its metadata; "" where somebody made it elsewhere."""

    state: RefundState
    refund_id: str = ""
    stripe_id: str = ""
    amount: Cents = 0
    reason: str = ""
