"""A webhook as it is kept: stored once, before Stripe hears 200. It says only where to look; what is true is read from
Stripe again when it is settled, so order and repetition do not matter.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from billing.facts import FactKind
from billing.ids import Key
from billing.row import Asleep


@dataclass(frozen=True)
class StripeEvent(Asleep):
    """`practice`, `client`, `attempt` come from our own metadata on the object; `expires` is epoch seconds."""

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
