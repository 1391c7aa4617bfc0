"""A clearinghouse's word that a report is ready, as it is kept: stored once, before the sender hears 200. It names the
report; what it says is fetched, read and judged later, so order and repetition do not matter.
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar, Final

from billing.facts import FactKind, WakeKind
from billing.ids import Key, segment
from billing.invoice import due_text

PROCESSED: Final = "transaction.processed.v2"
"""The type of the events that can lead to a report."""
TRANSACTION_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""What names a report; nothing that could leave its place in an address."""
FIRST_LOOK: Final = timedelta(hours=1)
GIVEN_UP_AFTER: Final = timedelta(days=14)
KEPT: Final = timedelta(days=90)
"""A clearinghouse itself offers a delivery that failed for 14 days."""


@dataclass(frozen=True)
class ClearinghouseEvent:
    """`sender`: the hash of the API key that told of it · `look_at`: when to ask again for a report that is still
    missing: after an hour, then each time twice as late, for two weeks · `receipt_id`: what the report became, "" until
    it is fetched · `expires`: epoch seconds."""

    TYPE: ClassVar[str] = "clearinghouse_event"

    practice: str
    transaction_id: str
    sender: str
    at: datetime
    expires: int
    look_at: datetime | None = None
    receipt_id: str = ""
    kind: str = FactKind.CLEARINGHOUSE_EVENT_STORED
    version: int = 1

    @classmethod
    def told(cls, practice: str, transaction_id: str, sender: str, at: datetime) -> "ClearinghouseEvent":
        """The event as it is first kept."""
        expires = int((at + KEPT).timestamp())
        return cls(practice, transaction_id, sender, at, expires, look_at=at + FIRST_LOOK)

    @property
    def key(self) -> Key:
        return Key(f"E#{segment(self.practice)}#{segment(self.transaction_id)}#", "EVENT#")

    @property
    def due(self) -> str | None:
        return due_text(self.look_at, WakeKind.FETCH_REPORT) if self.look_at else None

    def looked_for(self, now: datetime) -> "ClearinghouseEvent":
        """The event with its next try, or none once two weeks are over."""
        age = max(now - self.at, FIRST_LOOK)
        return replace(self, look_at=now + age if age < GIVEN_UP_AFTER else None, version=self.version + 1)

    def fetched(self, receipt_id: str) -> "ClearinghouseEvent":
        """The event whose report is kept: nothing is left to do."""
        return replace(self, receipt_id=receipt_id, look_at=None, version=self.version + 1)
