"""What a self-paying client was told beforehand that their sessions would cost, held against what they are asked for
(LAW-5; 45 CFR 149.610 and 149.620).
"""

from typing import Final

from billing.account import Books
from billing.invoice import Invoice
from billing.money import Cents, dollars

FAR_ABOVE: Final[Cents] = 400_00
"""From here on the client may dispute the bills, and none of them is charged by itself."""


def above_estimate(books: Books) -> Cents:
    """By how much all self-pay invoices that had an estimate are together above it, in cents; negative where below.

    What is not asked for any more, or went back, does not count.
    """
    return sum(
        (one.amount - one.written_off - one.refunded) - one.good_faith_estimate
        for one in books.invoices
        if one.good_faith_estimate is not None and not one.void
    )


def far_above_estimate(books: Books, invoice: Invoice) -> bool:
    """Whether this invoice is one of those that together are $400 or more above their estimate: it is never charged
    without a click (LAW-5)."""
    return invoice.good_faith_estimate is not None and above_estimate(books) >= FAR_ABOVE


def far_above_in_words(books: Books) -> str:
    """Why such a bill is not charged by itself, to the client."""
    return (
        f"Your bills for sessions that you pay yourself are together {dollars(above_estimate(books))} above the "
        "estimate you were given, so none of them is charged automatically, even where we had announced it."
    )
