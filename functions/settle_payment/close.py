"""Close what may still take money for an invoice, before anything changes what it owes.

Autopay, a plan, a second tab, a correction: whoever changes what an invoice owes calls this first (design: The life of
a charge). Each open attempt ends as `closed` (go on), `paid` (settled here; decide anew on the books returned) or
`busy` (refused: a person waits, a machine parks its work).
"""

from collections.abc import Iterable
from datetime import datetime

from billing.account import Books
from billing.ids import practice_key
from billing.invoice import Invoice
from billing.payment import Attempt, AttemptKind, AttemptState, Evidence
from billing.policy import Practice
from billing.ports import CardGateway, Refused, Store
from billing.settling import settle
from functions.settle_payment.flow import NEVER_OPENED


def close_open_attempts(
    store: Store, cards: CardGateway, books: Books, invoices: Iterable[Invoice], now: datetime
) -> Books:
    """Close every open attempt on these invoices -> the account as it is then.

    Raises Refused("payment_in_progress") when one of them may take money at this moment, and Conflict when another
    writer was first (read again, decide anew).
    """
    for number in sorted({i.open_attempt for i in invoices if i.open_attempt}):
        attempt = books.attempt(number)
        assert attempt is not None, f"open attempt {number} of {books.account.client} does not exist"
        evidence = _closed(cards, attempt)
        if evidence is None or evidence.state in (AttemptState.STARTED, AttemptState.UNKNOWN):
            raise Refused("payment_in_progress", "A payment is on its way right now: try again in a few minutes.")
        practice = store.get(practice_key(attempt.practice))
        assert isinstance(practice, Practice), f"no practice {attempt.practice}"
        writes = settle(books, attempt, evidence, practice, now)
        if writes:
            store.commit(*writes)
        books = Books.expect(store, attempt.practice, attempt.client)
    return books


def _closed(cards: CardGateway, attempt: Attempt) -> Evidence | None:
    """What became of the attempt once it was asked to end; a charge cannot be called back, only looked up."""
    if attempt.channel is AttemptKind.AUTOPAY:
        return cards.find_charge(attempt)
    if not attempt.session_id:
        return NEVER_OPENED
    return cards.close_checkout(attempt)
