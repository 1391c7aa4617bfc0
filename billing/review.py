"""A client says that their plan quoted another amount; until staff have decided, the invoice stands still (INV-7)."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from billing.ids import Key, account_pk, digest, reviews_pk, segment
from billing.money import Cents
from billing.row import Asleep


class ReviewStatus(StrEnum):
    """Open until staff decide about the amount, or until nothing of the invoice is asked for any more: then there is
    nothing left to decide."""

    OPEN = "open"
    UPHELD = "upheld"
    CORRECTED = "corrected"
    VOIDED = "voided"
    WRITTEN_OFF = "written_off"
    NOTHING_OWED = "nothing_owed"
    """A later decision took the whole bill back."""


class AskedBy(StrEnum):
    CLIENT = "client"
    STAFF = "staff"


@dataclass(frozen=True)
class Review(Asleep):
    """One request to look into an invoice, and what became of it.

    `amount`: what the invoice asked for, `quoted`: what the plan told the client, None where nobody says,
    `asked_since`: what the invoice asks for since it was decided; all in cents · `call_reference`, `decided_reference`:
    the insurer's number of the client's call, and of staff's · `decided_by`: the name of the API key that decided, ""
    where it ended with its invoice. `reason`, `decided_reason` are people's free text: they stand here and in no fact,
    log or mail (LAW-1).
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
    asked_since: Cents = 0
    decided_reason: str = ""
    decided_reference: str = ""
    decided_by: str = ""

    @property
    def key(self) -> Key:
        return review_key(self.practice, self.client, self.review_id)

    @property
    def is_open(self) -> bool:
        return self.status is ReviewStatus.OPEN


LISTED_FOR = timedelta(days=365)
"""How long the practice's list names a review after it was decided; its account does for good."""


@dataclass(frozen=True)
class ListedReview(Asleep):
    """A review's place in its practice's list, written in the commits that open and decide it. `decided_at`: None while
    it waits · `expires`: epoch seconds, when the table forgets a decided one."""

    TYPE: ClassVar[str] = "listed_review"

    practice: str
    client: str
    review_id: str
    opened_at: datetime
    decided_at: datetime | None = None
    expires: int | None = None
    version: int = 1

    @classmethod
    def of(cls, review: Review) -> "ListedReview":
        """Where this review stands in the list."""
        over = review.decided_at
        expires = int((over + LISTED_FOR).timestamp()) if over else None
        return cls(review.practice, review.client, review.review_id, review.opened_at, over, expires)

    @property
    def is_open(self) -> bool:
        return self.decided_at is None

    @property
    def place(self) -> str:
        """Where it stands among those that wait, or among those that are decided, as text that sorts as it."""
        return f"{self.decided_at or self.opened_at:%Y%m%dT%H%M%S%f}-{self.review_id}"

    @property
    def key(self) -> Key:
        return Key(reviews_pk(self.practice), f"REVIEW#{segment(self.review_id)}#")


def review_key(practice: str, client: str, review: str) -> Key:
    return Key(account_pk(practice, client), f"REVIEW#{segment(review)}#")


def review_id(practice: str, client: str, invoice: str, ordinal: int) -> str:
    """The invoice's first review, its second, … It ends in its client's id, as an invoice's does."""
    return f"rev_{digest(practice, invoice, str(ordinal))}_{client}"


def client_of_review(review: str) -> str | None:
    """The client that a review's id names; None where it is no review's id."""
    found = _REVIEW_ID.fullmatch(review)
    return found[1] if found else None


_REVIEW_ID = re.compile(r"rev_[0-9a-f]{20}_(.+)")
