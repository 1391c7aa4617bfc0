"""Planted bugs about money that goes back, disputes, and what staff change."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from typing import Any
from unittest.mock import patch

from billing import adjusting, disputing, refunding
from billing.draft import Draft
from billing.invoice import Invoice
from billing.money import Cents
from billing.payment import Attempt, Part
from billing.policy import Practice
from edges import card_gateway
from functions.change_invoice import flow as change_invoice
from functions.pay_back import flow as pay_back
from tests.sim.mutants.planted import planted

AT_ODDS = r"invariant [1238] |the auditor, .*(refund|owes|paid)|crashed"
"""How money that went back wrongly shows: our books are not Stripe's, or not their own entries."""


@planted("a refund key per delivery", found=AT_ODDS, seed=7)
def a_refund_sent_twice() -> Iterator[None]:
    """The idempotency key of a refund names the sending: a redelivered message sends the money back again."""
    sendings = count()
    with patch.object(card_gateway, "refund_stripe_key", lambda refund_id: f"{refund_id}-{next(sendings)}"):
        yield


@planted("a repeated request done twice", found="the auditor, .*|invariant [1-9] |crashed", seed=13)
def a_staff_request_that_is_done_again() -> Iterator[None]:
    """The idempotency key is bound to the moment too: whoever repeats the request after a time-out refunds again."""
    real, requests = change_invoice.used_key, count()

    def never_the_same(practice: str, sender: str, route: str, text: str, *rest: Any) -> Any:
        return real(practice, sender, route, f"{text}-{next(requests)}", *rest)

    with patch.object(change_invoice, "used_key", never_the_same):
        yield


@planted("more refunded than paid", found=AT_ODDS, seed=7)
def a_refund_that_forgets_the_one_before() -> Iterator[None]:
    """What can go back is what the invoice was paid, whatever has gone back already."""
    real = refunding._refundable

    def all_of_it(books: Any, invoice: Invoice) -> list[tuple[Attempt, Cents]]:
        return [
            (payment, next(p.amount for p in payment.paid_parts if p.invoice_id == invoice.invoice_id))
            for payment, _ in real(books, invoice)
        ]

    with patch.object(refunding, "_refundable", all_of_it):
        yield


@planted("a failed refund not restored", found=AT_ODDS, seed=7)
def a_failed_refund_that_counts_as_gone() -> Iterator[None]:
    """The bank sent the refund back, and our books still say that the client has the money."""

    def only_when_it_goes(draft: Draft, part: Part, sign: int) -> None:
        invoice = draft.books.invoice(part.invoice_id)
        assert invoice is not None
        if sign > 0:
            draft.change(replace(invoice, refunded=invoice.refunded + part.amount))

    with patch.object(refunding, "_count", only_when_it_goes):
        yield


@planted("a dispute that freezes nothing", found="was disputed|invariant [1-9] ", seed=1)
def a_dispute_that_freezes_nothing() -> Iterator[None]:
    """The client's bank is asked to decide, and the rest of the bill is charged meanwhile."""

    def go_on(_draft: Draft, _payment: Attempt, _practice: Practice) -> None:
        return

    with patch.object(disputing, "_freeze_or_free", go_on):
        yield


@planted("voided while a payment is under way", found="invariant [1-8] |the auditor|crashed", seed=1)
def a_void_beside_a_payment() -> Iterator[None]:
    """Staff void or write off an invoice while its payment is being made: nobody closes the page first."""
    with patch.object(adjusting, "refuse_in_progress", lambda _invoice, _rule: None):
        yield


@planted("a refund that was lost taken for failed", found=AT_ODDS, seed=56)
def a_refund_without_an_answer_taken_for_failed() -> Iterator[None]:
    """Stripe did not answer, so the refund counts as failed: staff refund again what is on its way."""
    real: Callable[..., None] = pay_back.settle_refund

    def give_up(draft: Draft, refund: Any, evidence: Any, *rest: Any, **named: Any) -> None:
        if evidence.state is pay_back.RefundState.UNKNOWN:
            evidence = replace(evidence, state=pay_back.RefundState.FAILED)
        real(draft, refund, evidence, *rest, **named)

    with patch.object(pay_back, "settle_refund", give_up):
        yield
