"""A review begins and ends, in the commit of whatever makes it so: the row, its place in the practice's list, the fact.

Staff decide about the amount (billing/reviewing.py); or nothing of the invoice is asked for any more (it is voided,
written off, taken back by a later decision), and then there is nothing left to decide. What happened to the invoice has
a mail, which says that as well: nobody is told twice.
"""

from dataclasses import replace

from billing.draft import Draft
from billing.facts import FactKind
from billing.invoice import Invoice
from billing.review import ListedReview, Review, ReviewStatus


def begin(draft: Draft, review: Review) -> None:
    """The review is there, and listed as waiting."""
    draft.insert(review)
    draft.insert(ListedReview.of(review))


def end(draft: Draft, review: Review, decided: Review) -> None:
    """`review` became `decided`."""
    decided = replace(decided, decided_at=draft.now)
    draft.change(decided)
    draft.change(ListedReview.of(decided))
    data: dict[str, str | int] = {
        "review_id": review.review_id,
        "invoice_id": review.invoice_id,
        "status": decided.status,
        "amount": decided.asked_since,
    }
    draft.fact(FactKind.REVIEW_DECIDED, decided, data)


def end_with(draft: Draft, invoice: Invoice, status: ReviewStatus) -> dict[str, str | int]:
    """Nothing of this invoice is asked for any more, as changed here: a review of it is over -> what the fact about the
    invoice says of that."""
    for review in draft.books.reviews_of(invoice.invoice_id):
        if review.is_open and review.review_id in invoice.reviews:
            left = tuple(cause for cause in invoice.reviews if cause != review.review_id)
            still = replace(invoice, reviews=left)
            draft.change(still if left else replace(still, paused_at=None, charge_paused=False))
            asked = invoice.total - invoice.written_off
            end(draft, review, replace(review, status=status, asked_since=asked))
            return {"review_id": review.review_id}
    return {}
