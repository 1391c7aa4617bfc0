"""Planted bugs about what Stripe says: webhooks, look-ups, and what an answer does to the books."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from unittest.mock import patch

from billing import settling
from billing.account import Books
from billing.draft import Draft
from billing.facts import ROUTES, FactKind, Message, WakeKind
from billing.ids import practice_key
from billing.payment import Attempt, AttemptState, Evidence
from billing.policy import Practice
from billing.ports import CardGateway, Store, Write
from billing.stripe_event import StripeEvent
from functions.charge_autopay import flow as charge_autopay
from functions.serve_client import hosted
from functions.settle_payment import flow as settle_payment
from tests.sim.mutants.charges import TWICE
from tests.sim.mutants.planted import planted


@planted("a webhook overwrites newer evidence", found="invariant [1-9] |crashed", seed=1)
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


@planted("a webhook believed instead of read again", found="invariant [348] |the auditor", seed=82)
def a_webhook_taken_at_its_word() -> Iterator[None]:
    """A declined card on the payment page closes the attempt, though the page is open and the next card is typed in."""
    real = settle_payment.run
    says = {"payment_intent.payment_failed": AttemptState.FAILED, "checkout.session.expired": AttemptState.FAILED}

    def believe(message: Message, *, store: Store, cards: CardGateway, now: datetime) -> None:
        event = store.get(message.key)
        books = Books.read(store, event.practice, event.client) if isinstance(event, StripeEvent) else None
        if not isinstance(event, StripeEvent) or books is None or event.event_type not in says:
            real(message, store=store, cards=cards, now=now)
            return
        attempt, practice = books.attempt(event.attempt), store.get(practice_key(event.practice))
        assert attempt is not None
        assert isinstance(practice, Practice)
        evidence = Evidence(says[event.event_type], reason="declined", decline="generic_decline")
        writes = settling.settle(books, attempt, evidence, practice, now)
        if writes:
            store.commit(*writes)

    with patch.object(settle_payment, "run", believe):
        yield


@planted("the janitor is gone", found="invariant [48] |does not end|the auditor", seed=4)
def nobody_looks_up() -> Iterator[None]:
    """An attempt whose webhook was lost stays open for ever."""
    routes: Mapping[str, tuple[str, ...]] = {**ROUTES, WakeKind.LOOK_UP: ()}
    with patch("functions.wake_due.flow.ROUTES", routes):
        yield


@planted("a second tab takes over an open page", found=TWICE + "|invariant 4 ", seed=1)
def a_second_tab_beside_the_first() -> Iterator[None]:
    """Pressing Pay again opens another page and leaves the first one open: both can be paid."""

    def forget_the_page(store: Store, cards: CardGateway, books: Books, invoices: object, now: datetime) -> Books:
        return replace(books, invoices=tuple(replace(i, open_attempt=0) for i in books.invoices))

    with patch.object(hosted, "close_open_attempts", forget_the_page):
        yield


@planted("one side of a posting lost", found="invariant [12] |crashed", seed=1)
def a_payment_with_one_side() -> Iterator[None]:
    """The payment is booked to the invoice and not to the money at Stripe."""
    real = Draft.fact

    def one_sided(self: Draft, kind: str, about: Any, data: Any, entries: Any = ()) -> None:
        real(self, kind, about, data, entries[1:] if kind == FactKind.PAYMENT_POSTED else entries)

    with patch.object(Draft, "fact", one_sided):
        yield
