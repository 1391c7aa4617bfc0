"""What a file says around its claims, while it is read."""

from dataclasses import dataclass, field
from typing import Final

from billing.transaction import Transaction

MOST_WAITING: Final = 300
"""Ended transactions that are kept until somebody takes them: each claim may have one of its own, and a file can have
any number without a claim."""


@dataclass
class Envelope:
    """`transaction`: what names the transaction of the claim that came out last, "" where nothing does."""

    transaction: str = ""
    waiting: list[Transaction] = field(default_factory=list)

    def ended(self, transaction: Transaction) -> None:
        """Keep what it said, unless it said nothing."""
        said_something = transaction.claims or transaction.adjustments or transaction.paid
        if said_something and len(self.waiting) < MOST_WAITING:
            self.waiting.append(transaction)

    def take(self) -> tuple[Transaction, ...]:
        """The transactions that ended since this was last asked."""
        taken, self.waiting = tuple(self.waiting), []
        return taken
