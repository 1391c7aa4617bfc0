"""Planted bugs about sending a charge: when it may be sent, how often, and what it relies on."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from unittest.mock import patch

from billing import autopay, settling
from billing.account import Books
from billing.autopay import Decline, NoCharge, why_not
from billing.invoice import Invoice
from billing.payment import AttemptState, Evidence
from billing.policy import Practice
from billing.ports import CardGateway, Store, Write
from edges import card_gateway
from functions.charge_autopay import flow as charge_autopay
from tests.sim.mutants.planted import planted

TWICE = r"invariant [38] |the auditor, .*(owes|was refunded)"
"""How charging twice shows: an excess, its refund, a payment our books do not know, a sum the auditor does not have."""


@planted("an idempotency key per delivery", found=TWICE, seed=13)
def a_stripe_key_per_delivery() -> Iterator[None]:
    """The idempotency key names the sending, not the attempt: whoever sends it again charges again."""
    sendings = count()

    def fresh_key(practice: str, client: str, number: int, call: str) -> str:
        return f"kb-{practice}-{client}-{number}-{call}-{next(sendings)}"

    with patch.object(card_gateway, "stripe_key", fresh_key):
        yield


@planted("side effect before commit", found="never written|" + TWICE, seed=20)
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


@planted("a redrive sends a charge whose key Stripe has forgotten", found="after it was written|" + TWICE, seed=41)
def a_charge_redriven_a_day_later() -> Iterator[None]:
    """A message back from the dead letters sends its charge, however old it is: Stripe forgets keys after a day."""
    with patch.object(charge_autopay, "SEND_WITHIN", timedelta(days=3650)):
        yield


@planted("a time-out taken for a decline", found=TWICE, seed=83)
def no_answer_taken_for_a_no() -> Iterator[None]:
    """A lost answer counts as a failed try, so the next try goes out with a key of its own."""
    real = charge_autopay.settle

    def give_up(books: Books, attempt: Any, evidence: Evidence, practice: Practice, now: datetime) -> tuple[Write, ...]:
        if evidence.state is AttemptState.UNKNOWN:
            evidence = replace(evidence, state=AttemptState.FAILED)
        return real(books, attempt, evidence, practice, now)

    with patch.object(charge_autopay, "settle", give_up):
        yield


@planted(
    "a message trusted instead of the row", found="before its time|no notice said so|invariant 3 .*notice", seed=70
)
def a_wake_taken_for_an_order() -> Iterator[None]:
    """The step charges because it was woken, though the charge was put off since: a late duplicate charges early."""

    def it_is_time(books: Books, invoice: Invoice, practice: Practice, now: datetime) -> NoCharge | None:
        put_off = invoice.charge_at is not None
        return why_not(books, replace(invoice, charge_at=now) if put_off else invoice, practice, now)

    with patch.object(charge_autopay, "why_not", it_is_time):
        yield


@planted("consent not read again", found="invariant 3 .*without consent|turned off|relies on", seed=7)
def a_charge_without_consent() -> Iterator[None]:
    """Autopay is not looked at again when the charge is due."""

    def whoever_it_is(books: Books, invoice: Invoice, practice: Practice, now: datetime) -> NoCharge | None:
        return why_not(replace(books, account=replace(books.account, autopay=True)), invoice, practice, now)

    with (
        patch.object(charge_autopay, "why_not", whoever_it_is),
        patch("billing.autopay._cancelled", lambda *_a, **_k: ()),
    ):
        yield


@planted("a limit ignored", found="invariant 3 .*above the cap", seed=39)
def a_cap_that_stops_nothing() -> Iterator[None]:
    """The client's limit per charge is stored, shown, and never asked for."""
    with patch.object(autopay, "cap_of", lambda _books, _practice: 10**9):
        yield


@planted("a hard decline tried again", found="tried again after", seed=7)
def a_lost_card_charged_again() -> Iterator[None]:
    """Every decline is retried on the retry days, lost and expired cards too: the networks fine for that."""
    real = autopay.meaning_of

    def always_worth_a_try(decline: str, reason: str = "") -> Decline:
        return replace(real(decline, reason), retry=True)

    with patch.object(autopay, "meaning_of", always_worth_a_try):
        yield


@planted("retry days chained", found="promises a try at", seed=30)
def retries_counted_from_the_last_try() -> Iterator[None]:
    """Days 1, 3 and 7 after the first try become 1, 4 and 11: each is counted from the try before it."""
    real = settling.after_failure

    def from_the_last(invoice: Invoice, *rest: Any) -> Invoice:
        return real(replace(invoice, first_tried_at=None), *rest)

    with patch.object(settling, "after_failure", from_the_last):
        yield


@planted("failures never counted", found="charges in a row failed", seed=70)
def failures_that_nobody_counts() -> Iterator[None]:
    """Autopay stays on whatever fails: the bank is asked again with every new bill."""
    with patch.object(settling, "FAILED_CHARGES_END_AUTOPAY", 10**6):
        yield


@planted("an open page not closed before a charge", found=TWICE + "|invariant 4 ", seed=7)
def a_charge_beside_an_open_page() -> Iterator[None]:
    """The charge takes the invoice over and leaves the payment page open on which the client is typing a card."""

    def forget_the_page(store: Store, cards: CardGateway, books: Books, invoices: object, now: datetime) -> Books:
        return replace(books, invoices=tuple(replace(i, open_attempt=0) for i in books.invoices))

    with patch.object(charge_autopay, "close_open_attempts", forget_the_page):
        yield


@planted(
    "a charge begun before a no, sent after it", found="turned off|in review|no notice said so|stopped at", seed=158
)
def a_begun_charge_is_sent_whatever_was_said_since() -> Iterator[None]:
    """What was begun and not sent is sent by the redelivery, though autopay was turned off in between."""
    with patch.object(charge_autopay, "taken_back", lambda *_: False):
        yield
