"""A dispute: the client's bank takes a payment back until it has decided (PAY-13). Its invoices are frozen meanwhile;
what the bank decided is booked. Nothing is ever charged again because of one.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from billing.ids import Key, dispute_key
from billing.money import Cents
from billing.payment import Part
from billing.row import Asleep


class DisputeState(StrEnum):
    """`won` is also an inquiry that was closed without the money being taken."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"


@dataclass(frozen=True)
class Dispute(Asleep):
    """`payment`: number of the disputed attempt · `amount`: cents in dispute · `withdrawn`: what the bank has taken out
    of our money at Stripe, net of what it gave back · `reopened`: the shares that a lost one made owed again ·
    `written_off`: of a lost one, what no invoice could take."""

    TYPE: ClassVar[str] = "dispute"

    practice: str
    client: str
    dispute_id: str
    version: int
    payment: int
    amount: Cents
    opened_at: datetime
    state: DisputeState = DisputeState.OPEN
    reason: str = ""
    withdrawn: Cents = 0
    closed_at: datetime | None = None
    reopened: tuple[Part, ...] = ()
    written_off: Cents = 0

    @property
    def key(self) -> Key:
        return dispute_key(self.practice, self.client, self.dispute_id)

    @property
    def kept(self) -> Cents:
        """What the bank keeps for good."""
        return self.withdrawn if self.state is DisputeState.LOST else 0

    @property
    def is_open(self) -> bool:
        """The bank has not decided."""
        return self.state is DisputeState.OPEN


@dataclass(frozen=True)
class DisputeEvidence:
    """What Stripe says of one dispute. `withdrawn` as above, from its balance transactions, without Stripe's fee."""

    dispute_id: str
    state: DisputeState
    amount: Cents
    withdrawn: Cents
    reason: str = ""
