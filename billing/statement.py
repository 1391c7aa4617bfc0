"""What Stripe lists of our money: the port that reconciliation reads, and its objects as our rules see them.

A list is read in pages, newest first, and holds only what carries our own metadata: the rest of the Stripe account is
none of ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from billing.dispute import DisputeEvidence
from billing.money import Cents
from billing.ports import Owner
from billing.refund import RefundEvidence


@dataclass(frozen=True)
class TheirPayment:
    """A payment intent. `attempt`, `attempt_id`: ours, from its metadata · `amount`: cents received; 0 unless it
    succeeded."""

    intent_id: str
    practice: str
    client: str
    attempt: int
    attempt_id: str
    succeeded: bool
    amount: Cents
    created: datetime


@dataclass(frozen=True)
class PaymentsPage:
    """`after`: where the next page begins; "" where this is the last. `listed`: how many objects the page had, those
    that are none of ours included."""

    payments: tuple[TheirPayment, ...]
    listed: int
    after: str


@dataclass(frozen=True)
class TheirReturn:
    """A refund or a dispute: money that went back of a payment, or may. `evidence`: what Stripe says of it · `owner`:
    by its own metadata; None where only its payment tells: of disputes, and of what was made in Stripe's dashboard."""

    intent_id: str
    created: datetime
    evidence: RefundEvidence | DisputeEvidence
    owner: Owner | None = None


@dataclass(frozen=True)
class ReturnsPage:
    """As PaymentsPage."""

    returns: tuple[TheirReturn, ...]
    after: str


class Statement(Protocol):
    """Stripe's lists. Every call raises TryAgain when Stripe does not answer, or asks to wait."""

    def payments(self, since: datetime, after: str, limit: int) -> PaymentsPage:
        """Payment intents made since then, newest first; those that follow `after`."""

    def payments_of(self, customers: Sequence[str], since: datetime) -> list[TheirPayment]:
        """Every payment intent of these customers made since then."""

    def payment(self, intent_id: str) -> TheirPayment | None:
        """One payment intent; None where there is none, or it is none of ours."""

    def refunds(self, since: datetime, after: str, limit: int) -> ReturnsPage:
        """Refunds made since then, newest first."""

    def disputes(self, since: datetime, after: str, limit: int) -> ReturnsPage:
        """Disputes opened since then, newest first."""
