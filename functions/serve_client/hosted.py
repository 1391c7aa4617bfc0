"""Sending a browser to Stripe's hosted page: to pay, or to save a card.

    account read -> open attempts of these invoices closed -> attempt written -> page opened -> its address written

The browser is sent only to a page whose address stands on an attempt that is still open: if another tab closed ours
in between, the last write meets a conflict, and everything is decided anew.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from billing import settling
from billing.account import Books
from billing.correcting import use_credit
from billing.ids import practice_key
from billing.invoice import Invoice
from billing.payment import Attempt, Enrolment
from billing.policy import Practice
from billing.ports import CardGateway, Conflict, Refused, Store, TryAgain, Update, Write
from functions.settle_payment.close import close_open_attempts

TRIES = 4
"""A person waits for the answer: a lost race is decided anew in place this often."""

Choice = Callable[[Books], tuple[Invoice, ...]]
"""Which invoices are meant, of the account as it is now."""


def start_payment(
    store: Store,
    cards: CardGateway,
    practice: str,
    client: str,
    choice: Choice,
    enrolment: Enrolment | None,
    now: datetime,
    return_url: str,
    cancel_url: str,
) -> Attempt:
    """Open the page that pays the chosen invoices, whole (PAY-4) -> the attempt with the page's address.

    Raises Refused (nothing open, a payment on its way, below Stripe's minimum) and TryAgain.
    """

    def start(books: Books) -> tuple[Attempt, tuple[Write, ...]]:
        free = _after_credit(store, close_open_attempts(store, cards, books, choice(books), now), now)
        return settling.start_checkout(free, choice(free), enrolment, now)

    return _open(store, cards, practice, client, start, return_url, cancel_url)


def _after_credit(store: Store, books: Books, now: datetime) -> Books:
    """The account once its credit has paid what it can: nobody pays beside money that is theirs (INV-3)."""
    account = books.account
    if account.credit <= 0:
        return books
    practice = store.get(practice_key(account.practice))
    assert isinstance(practice, Practice), f"no practice {account.practice}"
    used = use_credit(books, practice, account.client, now)
    if not used:
        return books
    store.commit(*used)
    return Books.expect(store, account.practice, account.client)


def start_setup(
    store: Store,
    cards: CardGateway,
    practice: str,
    client: str,
    enrolment: Enrolment | None,
    now: datetime,
    return_url: str,
    cancel_url: str,
) -> Attempt:
    """Open the page that saves a card and charges nothing (PAY-8), and enrols it where that was agreed to (AUTO-1).

    `return_url` gets the attempt's number: `?attempt=7`.
    """

    def start(books: Books) -> tuple[Attempt, tuple[Write, ...]]:
        return settling.start_setup(books, enrolment, now)

    return _open(store, cards, practice, client, start, return_url, cancel_url)


def _open(
    store: Store,
    cards: CardGateway,
    practice: str,
    client: str,
    start: Callable[[Books], tuple[Attempt, tuple[Write, ...]]],
    return_url: str,
    cancel_url: str,
) -> Attempt:
    for _ in range(TRIES):
        try:
            attempt, writes = start(_with_customer(store, cards, practice, client))
            store.commit(*writes)
            page = cards.open_checkout(attempt, f"{return_url}?attempt={attempt.number}", cancel_url)
            opened = replace(attempt, session_id=page.session_id, session_url=page.url, version=attempt.version + 1)
            store.commit(Update(opened))
        except Conflict:
            continue
        return opened
    raise TryAgain(f"the account of client {client} changes too fast to open a payment page")


def _with_customer(store: Store, cards: CardGateway, practice: str, client: str) -> Books:
    """The account, with its customer at Stripe: an attempt names it before Stripe hears of the attempt."""
    books = Books.read(store, practice, client)
    if books is None:
        raise Refused("unknown_client", "There is no such account.", status=404)
    if books.account.stripe_customer:
        return books
    customer = cards.ensure_customer(practice, client)
    named = replace(books.account, stripe_customer=customer, version=books.account.version + 1)
    store.commit(Update(named))
    return replace(books, account=named)
