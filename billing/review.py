"""A client says that their plan quoted another amount; until staff have decided, the invoice stands still (INV-7)."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from billing.ids import Key, account_pk, digest, segment
from billing.money import Cents
from billing.row import Asleep


class ReviewStatus(StrEnum):
    OPEN = "open"
    UPHELD = "upheld"
    CORRECTED = "corrected"


class AskedBy(StrEnum):
    CLIENT = "client"
    STAFF = "staff"


@dataclass(frozen=True)
class Review(Asleep):
    """One request to look into an invoice, and what became of it.

    `amount`: what the invoice asked for, `quoted`: what the plan told the client, None where nobody says, `corrected`:
    what staff made of it; all in cents · `call_reference`, `decided_reference`: the insurer's number of the client's
    call, and of staff's. `reason`, `decided_reason` are people's free text: they stand here and in no fact, log or mail
    (LAW-1).
    """

    TYPE: ClassVar[str] = "review"

    practice: str
    client: str
    review_id: str
    version: int
    invoice_id: str
    opened_at: datetime
    asked_by: AskedBy
    amount: Cents
    quoted: Cents | None = None
    reason: str = ""
    call_reference: str = ""
    status: ReviewStatus = ReviewStatus.OPEN
    decided_at: datetime | None = None
    corrected: Cents | None = None
    decided_reason: str = ""
    decided_reference: str = ""

    @property
    def key(self) -> Key:
        return Key(account_pk(self.practice, self.client), f"REVIEW#{segment(self.review_id)}#")

    @property
    def is_open(self) -> bool:
        return self.status is ReviewStatus.OPEN


def review_id(practice: str, client: str, invoice: str, ordinal: int) -> str:
    """The invoice's first review, its second, … It ends in its client's id, as an invoice's does."""
    return f"rev_{digest(practice, invoice, str(ordinal))}_{client}"


def client_of_review(review: str) -> str | None:
    """The client that a review's id names; None where it is no review's id."""
    found = _REVIEW_ID.fullmatch(review)
    return found[1] if found else None


_REVIEW_ID = re.compile(r"rev_[0-9a-f]{20}_(.+)")
