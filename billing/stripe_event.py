"""A webhook as it is kept: stored once, before Stripe hears 200. It says only where to look; what is true is read from
Stripe again when it is settled, so order and repetition do not matter.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from billing.facts import FactKind
from billing.ids import Key
from billing.row import Asleep

ABOUT_ATTEMPTS: Final = frozenset(
    {
        "checkout.session.completed",
        "checkout.session.expired",
        "payment_intent.succeeded",
        "payment_intent.payment_failed",
        "setup_intent.succeeded",
    }
)
"""The events that can tell something new about an attempt."""
ABOUT_MONEY_GOING_BACK: Final = frozenset(
    {
        "charge.refunded",
        "refund.updated",
        "refund.failed",
        "charge.dispute.created",
        "charge.dispute.updated",
        "charge.dispute.closed",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
    }
)
"""The events that can tell something new about a refund or a dispute (PAY-12, PAY-13)."""


@dataclass(frozen=True)
class StripeEvent(Asleep):
    """`practice`, `client`, `attempt` come from our own metadata on the object; `expires` is epoch seconds.

    A dispute, and a refund made in the dashboard of Stripe, carries none: then `practice` is "" and `object_id`
    is the payment intent it is about, whose owner is asked for.
    """

    TYPE: ClassVar[str] = "stripe_event"

    event_id: str
    event_type: str
    object_id: str
    practice: str
    client: str
    attempt: int
    at: datetime
    expires: int
    kind: str = FactKind.STRIPE_EVENT_STORED
    version: int = 1

    @property
    def key(self) -> Key:
        return Key(f"E#{self.event_id}#", "EVENT#")
