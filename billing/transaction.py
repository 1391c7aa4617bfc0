"""A payment transaction as a payer sent it: an 835's ST to SE, with the claims it pays and what is provider money.

Two uses. Its identity tells that the same payment came again in other bytes (ring b of claims.md 4.8). Its totals show
whoever keeps the provider's books what the file said about money that belongs to no claim; no patient's bill is made of
any of it (claims.md 4.7).
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar

from billing.ids import Key, digest, segment
from billing.money import Cents
from billing.row import Asleep


def transaction_id(
    *, payer_id: str, trace: str, paid_on: date | None, paid: Cents | None, control: str, test: bool
) -> str:
    """What a transaction is known by, in whatever file it comes: payer, TRN02, BPR16, BPR02 and ST02, 24 hex digits.

    "" where it has no trace number: then nothing names the payment. A rehearsal is not the payment itself.
    """
    if not trace:
        return ""
    when = paid_on.isoformat() if paid_on else ""
    return digest(payer_id, trace, when, str(paid), control, *(("test",) if test else ()), length=24)


@dataclass(frozen=True)
class ProviderAdjustment:
    """Money between payer and provider (PLB): its reason code, and what it takes from the payment in cents."""

    reason: str
    amount: Cents


@dataclass(frozen=True)
class Transaction:
    """What one transaction said of its money, in cents. `paid` is BPR02, None where it is no amount; `claims_paid` the
    sum of CLP04; `balances`: claims_paid - PLB = paid (claims.md 4.1), with no claim unread."""

    control: str
    trace: str
    paid: Cents | None
    claims: int = 0
    claims_paid: Cents = 0
    adjustments: tuple[ProviderAdjustment, ...] = ()
    balances: bool = True

    @property
    def adjusted(self) -> Cents:
        """The sum of PLB: positive lowers the payment."""
        return sum(one.amount for one in self.adjustments)


@dataclass(frozen=True)
class SeenTransaction(Asleep):
    """Which receipt brought a transaction first. Written once, before any result of it: so of two receipts that race,
    one is the first for everybody."""

    TYPE: ClassVar[str] = "transaction"

    practice: str
    transaction: str
    receipt_id: str
    at: datetime
    version: int = 1

    @property
    def key(self) -> Key:
        return Key(f"T#{segment(self.practice)}#{self.transaction}#", "FIRST#")
