"""Planted bugs: each a context manager that breaks one guard of the production code at run time.

Each is a mistake that a careful change could make. The simulator must find every one of them within the seeds that CI
runs; a guard whose removal nobody notices is a guard that nobody tests.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime
from itertools import count
from typing import Any
from unittest.mock import patch

from billing import settling
from billing.account import Books
from billing.autopay import NoCharge, why_not
from billing.facts import ROUTES, WakeKind
from billing.invoice import Invoice
from billing.payment import Attempt, AttemptState, Evidence
from billing.policy import Practice
from billing.ports import CardGateway, Insert, Store, Update, Write
from edges import card_gateway
from functions.charge_autopay import flow as charge_autopay
from functions.create_plan import flow as create_plan
from functions.settle_payment import flow as settle_payment
from tests.fakes.store import MemoryStore

Planted = Callable[[], AbstractContextManager[object]]


@contextmanager
def a_stripe_key_per_delivery() -> Iterator[None]:
    """The idempotency key names the sending, not the attempt: whoever sends it again charges again."""
    sendings = count()

    def fresh_key(practice: str, client: str, number: int, call: str) -> str:
        return f"kb-{practice}-{client}-{number}-{call}-{next(sendings)}"

    with patch.object(card_gateway, "stripe_key", fresh_key):
        yield


@contextmanager
def a_plan_beside_an_open_page() -> Iterator[None]:
    """The plan takes the invoices without closing the payment page that is open on them in another tab."""

    def forget_the_page(store: Store, cards: CardGateway, books: Books, invoices: object, now: datetime) -> Books:
        return replace(books, invoices=tuple(replace(i, open_attempt=0) for i in books.invoices))

    with patch.object(create_plan, "close_open_attempts", forget_the_page):
        yield


@contextmanager
def a_charge_sent_before_it_is_written() -> Iterator[None]:
    """Stripe hears of the attempt first; it is on disk only if nothing came in between."""
    real = charge_autopay._charge

    def send_first(
        store: Store, cards: CardGateway, practice: Practice, books: Books, invoice: Invoice, now: datetime
    ) -> None:
        card = books.default_card
        if why_not(books, invoice, practice, now) is None and card is not None:
            cards.charge(settling.start_charge(books, invoice, card, now)[0])
        real(store, cards, practice, books, invoice, now)

    with patch.object(charge_autopay, "_charge", send_first):
        yield


@contextmanager
def evidence_without_rank() -> Iterator[None]:
    """Every answer of Stripe's is taken for news: what is posted is posted again, and may go back."""
    real = settling.settle

    def take_it_all(
        books: Books, attempt: Attempt, evidence: Evidence, practice: Practice, now: datetime
    ) -> tuple[Write, ...]:
        return real(books, replace(attempt, state=AttemptState.STARTED), evidence, practice, now)

    with (
        patch.object(settle_payment, "settle", take_it_all),
        patch.object(settle_payment, "FOR_GOOD", frozenset()),
        patch.object(charge_autopay, "settle", take_it_all),
    ):
        yield


@contextmanager
def updates_without_a_guard() -> Iterator[None]:
    """A row is replaced whatever its stored version: the last writer wins, the one before is forgotten."""
    real = MemoryStore.commit

    def blind(self: MemoryStore, *writes: Write) -> None:
        forced: list[Write] = []
        for write in writes:
            stored = self.get(write.record.key)
            if isinstance(write, Update) and stored is not None:
                record: Any = write.record
                write = Update(replace(record, version=stored.version + 1))
            elif isinstance(write, Update):
                write = Insert(write.record)
            forced.append(write)
        real(self, *forced)

    with patch.object(MemoryStore, "commit", blind):
        yield


@contextmanager
def a_charge_without_consent() -> Iterator[None]:
    """Autopay is not looked at again when the charge is due."""

    def whoever_it_is(books: Books, invoice: Invoice, practice: Practice, now: datetime) -> NoCharge | None:
        return why_not(replace(books, account=replace(books.account, autopay=True)), invoice, practice, now)

    with (
        patch.object(charge_autopay, "why_not", whoever_it_is),
        patch("billing.autopay._cancelled", lambda *_a, **_k: ()),
    ):
        yield


@contextmanager
def nobody_looks_up() -> Iterator[None]:
    """The janitor is gone: an attempt whose webhook was lost stays open for ever."""
    routes: Mapping[str, tuple[str, ...]] = {**ROUTES, WakeKind.LOOK_UP: ()}
    with patch("functions.wake_due.flow.ROUTES", routes):
        yield


MUTANTS: Mapping[str, Planted] = {
    planted.__name__: planted
    for planted in (
        a_stripe_key_per_delivery,
        a_plan_beside_an_open_page,
        a_charge_sent_before_it_is_written,
        evidence_without_rank,
        updates_without_a_guard,
        a_charge_without_consent,
        nobody_looks_up,
    )
}
