"""What staff did to an invoice or about a hold, and why: kept beside the facts, for whoever asks later (DESK-3).

The reason is a person's free text, so it stands here and nowhere else: not in a fact, a log, a mail, nor at Stripe
(LAW-1).
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar

from billing.ids import Key, facts_pk, segment
from billing.money import Cents
from billing.outside_payment import PaidBy
from billing.row import Asleep


class Deed(StrEnum):
    """What staff do, each with a reason."""

    VOID = "void"
    WRITE_OFF = "write_off"
    OUTSIDE_PAYMENT = "outside_payment"
    REFUND = "refund"
    UPHOLD = "uphold"
    CORRECT = "correct"
    RELEASE = "release"
    REJECT = "reject"
    REMATCH = "rematch"
    END_PLAN = "end_plan"


@dataclass(frozen=True)
class StaffAction(Asleep):
    """One deed. `action_id`: of the first request with its idempotency key · `amount`: cents that it was about ·
    `made`: ids of the payment or refunds it made, or of the hold, review or plan that it decided about · `paid_by`,
    `received_on`: of an outside payment · `by`: the name of the API key, where it is kept."""

    TYPE: ClassVar[str] = "staff_action"

    practice: str
    client: str
    action_id: str
    deed: Deed
    invoice_id: str
    amount: Cents
    reason: str
    at: datetime
    made: tuple[str, ...] = ()
    paid_by: PaidBy | None = None
    received_on: date | None = None
    by: str = ""
    version: int = 1

    @property
    def key(self) -> Key:
        return staff_action_key(self.practice, self.client, self.action_id)


def staff_action_key(practice: str, client: str, action_id: str) -> Key:
    """One deed of staff."""
    return Key(facts_pk(practice, client), f"STAFF#{segment(action_id)}#")
