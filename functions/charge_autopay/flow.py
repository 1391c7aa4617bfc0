"""Charge an announced invoice, once.

    charge (wake) -> may it still be charged? -> attempt on disk -> Stripe -> posted | failed | unknown

The attempt and its idempotency key are written before Stripe hears of it; a redelivery finds it and sends the same
request again, never after 20 hours. An answer that was lost is looked up, not repeated (design: three nets).
"""

from dataclasses import replace
from datetime import datetime, timedelta

from billing.account import Books
from billing.autopay import NoCharge, no_charge, taken_back, why_not
from billing.correcting import use_credit
from billing.facts import Message, WakeKind
from billing.ids import practice_key
from billing.invoice import Invoice
from billing.payment import SEND_WITHIN, Attempt, AttemptKind, AttemptState
from billing.policy import Practice
from billing.ports import CardGateway, Refused, Store, TryAgain, Update
from billing.settling import settle, start_charge
from billing.small_amounts import go_along
from functions.settle_payment.close import close_open_attempts

PARKED_FOR = timedelta(minutes=5)
"""How long a charge waits while a payment by hand is being processed."""


def run(message: Message, *, store: Store, cards: CardGateway, now: datetime) -> None:
    """Charge the invoice the message names if it is due and allowed; finish a charge that was begun before."""
    row = store.get(message.key)
    assert message.kind == WakeKind.CHARGE, f"{message.kind} is not for this step"
    assert isinstance(row, Invoice), f"{message.key} holds {type(row).__name__}, no invoice"
    practice = store.get(practice_key(row.practice))
    assert isinstance(practice, Practice), f"no practice {row.practice}"
    books = Books.expect(store, row.practice, row.client)
    invoice = _of(books, row)
    begun = books.attempt(invoice.open_attempt)
    if begun is not None and begun.channel is AttemptKind.AUTOPAY:
        if not taken_back(books, invoice, begun, practice):
            _send(store, cards, practice, books, begun, now)
        # Else somebody said no before it was surely sent (LAW-7): whether it was sent after all, the look-up finds.
        return
    if why_not(books, invoice, practice, now) is NoCharge.NOT_DUE:
        return
    if begun is not None:
        try:
            books = close_open_attempts(store, cards, books, (invoice,), now)
        except Refused:
            _park(store, invoice, now)
            return
        invoice = _of(books, row)
        if invoice.open_attempt:
            raise TryAgain("another payment page was opened while one was closed: close that one as well")
    _charge(store, cards, practice, books, invoice, now)


def _of(books: Books, row: Invoice) -> Invoice:
    invoice = books.invoice(row.invoice_id)
    assert invoice is not None, f"invoice {row.invoice_id} vanished"
    return invoice


def _charge(
    store: Store, cards: CardGateway, practice: Practice, books: Books, invoice: Invoice, now: datetime
) -> None:
    """Decide on what was just read, write the attempt, send it. What the client has as credit pays first (INV-3)."""
    used = (
        use_credit(books, practice, invoice.invoice_id, now) if why_not(books, invoice, practice, now) is None else ()
    )
    if used:
        store.commit(*used)
        books = Books.expect(store, invoice.practice, invoice.client)
        invoice = _of(books, invoice)
    obstacle = why_not(books, invoice, practice, now)
    if obstacle in (NoCharge.NOT_DUE, NoCharge.NOTHING_OPEN):
        return
    if obstacle is not None:
        store.commit(*no_charge(invoice, practice, obstacle, now))
        return
    card = books.default_card
    assert card is not None, "why_not lets no charge pass without a card"
    attempt, writes = start_charge(books, invoice, card, now, go_along(books, invoice, practice))
    store.commit(*writes)
    _send(store, cards, practice, Books.expect(store, attempt.practice, attempt.client), attempt, now)


def _send(store: Store, cards: CardGateway, practice: Practice, books: Books, attempt: Attempt, now: datetime) -> None:
    """Send the attempt with its own key, or send it again: Stripe answers the same. Only one that is `started` and
    young enough is sent; everything else is the look-up's."""
    if attempt.state is not AttemptState.STARTED or now - attempt.started_at > SEND_WITHIN:
        return
    writes = settle(books, attempt, cards.charge(attempt), practice, now)
    if writes:
        store.commit(*writes)


def _park(store: Store, invoice: Invoice, now: datetime) -> None:
    """A payment by hand is being processed: look again soon."""
    store.commit(Update(replace(invoice, charge_at=now + PARKED_FOR, version=invoice.version + 1)))
