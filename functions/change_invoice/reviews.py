"""Look into an invoice (INV-7): asked for by staff, or by the client on their page.

    account read -> open payment attempts closed, where they stand in the way -> one commit

Asked for again while one is open, it is that one. Two at once meet at the rows that both would write: the second finds
what the first did.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from billing.account import Books
from billing.draft import Draft
from billing.invoice import Invoice
from billing.planning import PAYMENT_IN_PROGRESS
from billing.ports import CardGateway, Conflict, Refused, Store, TryAgain
from billing.review import Review
from billing.reviewing import Asked, request_review
from functions.settle_payment.close import close_open_attempts

TRIES: Final = 4
"""A person waits for the answer: a lost race is tried again in place this often."""


@dataclass(frozen=True)
class Reviewed:
    """The account as it is now, and the review in it; `new`: this call made it so."""

    books: Books
    review: Review
    new: bool


def ask(
    store: Store,
    cards: Callable[[], CardGateway],
    practice: str,
    client: str,
    invoice_id: str,
    asked: Asked,
    now: datetime,
) -> Reviewed:
    """Open the review of a client's invoice, or show the one that is open.

    `cards` is asked only where a payment must be closed. Raises Refused: 404 for an unknown invoice, 409 as
    `request_review`; TryAgain.
    """
    for _ in range(TRIES):
        books = Books.read(store, practice, client)
        if books is None or books.invoice(invoice_id) is None:
            raise unknown_invoice()
        try:
            draft = Draft(books, now, asked.by, invoice_id)
            try:
                review = request_review(draft, _invoice(books, invoice_id), asked)
            except Refused as refusal:
                # Whatever else stands in the way, nobody's payment page is closed for a review that cannot be.
                if refusal.code != PAYMENT_IN_PROGRESS:
                    raise
                books = close_open_attempts(store, cards(), books, (_invoice(books, invoice_id),), now)
                draft = Draft(books, now, asked.by, invoice_id)
                review = request_review(draft, _invoice(books, invoice_id), asked)
            writes = draft.writes()
            if writes:
                store.commit(*writes)
        except Conflict:
            continue
        return Reviewed(draft.books, review, bool(writes))
    raise TryAgain("the account changes too fast")


def _invoice(books: Books, invoice_id: str) -> Invoice:
    invoice = books.invoice(invoice_id)
    assert invoice is not None, f"{invoice_id} vanished"
    return invoice


def unknown_invoice() -> Refused:
    """No such invoice in this practice, or of this client."""
    return Refused("unknown_invoice", "There is no invoice of this id.", status=404)
