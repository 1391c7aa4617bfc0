"""Invoices that somebody looks into because a plan quoted another amount: the practice's list of them (INV-7, DESK-4).

Deciding is change_invoice's: POST /v1/reviews/{review_id}/decision.
"""

from dataclasses import dataclass
from typing import Final

from billing.ids import invoice_key, reviews_pk
from billing.invoice import Invoice
from billing.ports import Refused, Store
from billing.review import ListedReview, Review, client_of_review, review_key

MOST_AT_ONCE: Final = 100


@dataclass(frozen=True)
class LookedInto:
    """A review, and its invoice as it is now."""

    review: Review
    invoice: Invoice


@dataclass(frozen=True)
class Reviews:
    """Some of the practice's reviews; `more`: where the next ones begin, "" at the end."""

    found: tuple[LookedInto, ...]
    more: str


def listed(store: Store, practice: str, *, is_open: bool = True, after: str = "", most: int = MOST_AT_ONCE) -> Reviews:
    """What waits, the oldest first, or what was decided within a year, the newest first; `most` at a time, `after`: the
    `more` of the page before."""
    rows = [r for r in store.partition(reviews_pk(practice)) if isinstance(r, ListedReview) and r.is_open is is_open]
    ordered = sorted(rows, key=lambda r: r.place, reverse=not is_open)
    left = [row for row in ordered if not after or (row.place > after if is_open else row.place < after)]
    page = left[:most]
    found = store.get_many([review_key(practice, row.client, row.review_id) for row in page])
    reviews = [row for row in found if isinstance(row, Review) and row.is_open is is_open]
    invoices = store.get_many([invoice_key(practice, one.client, one.invoice_id) for one in reviews])
    both = zip(reviews, invoices, strict=True)
    return Reviews(
        tuple(LookedInto(one, invoice) for one, invoice in both if isinstance(invoice, Invoice)),
        page[-1].place if len(left) > most else "",
    )


def shown(store: Store, practice: str, review_id: str) -> LookedInto:
    """One of them. Raises Refused: 404 for an unknown review."""
    client = client_of_review(review_id)
    review = store.get(review_key(practice, client, review_id)) if client else None
    if not isinstance(review, Review):
        raise Refused("unknown_review", "There is no review of this id.", status=404)
    invoice = store.get(invoice_key(practice, review.client, review.invoice_id))
    assert isinstance(invoice, Invoice), f"{review_id} is about {review.invoice_id}, which is not there"
    return LookedInto(review, invoice)
