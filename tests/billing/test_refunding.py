"""Money going back: never more than was paid, to the card that paid it, and every cent accounted for (PAY-12)."""

from dataclasses import replace
from typing import Any

import pytest

from billing.account import Books
from billing.dispute import Dispute, DisputeState
from billing.draft import Draft
from billing.facts import FactKind
from billing.ledger import Book
from billing.payment import AttemptKind, Part
from billing.ports import Refused, Write
from billing.refund import Refund, RefundCause, RefundState
from billing.refunding import refund_invoice, refundable
from tests.billing.examples import NOW, after, books, entries, facts, invoice, kinds, paid


def refunded(at: Books, amount: int | None, request: str = "req_1", of: str = "inv_a") -> tuple[Books, list[Write]]:
    """The account after staff asked for this refund, and what was written."""
    draft = Draft(at, NOW, "staff", request)
    bill = at.invoice(of)
    assert bill is not None
    refund_invoice(draft, bill, amount, request)
    return after(at, draft.writes()), list(draft.writes())


def refusal(at: Books, amount: int | None, of: str = "inv_a") -> str:
    """The code with which this refund is refused."""
    with pytest.raises(Refused) as refused:
        refunded(at, amount, of=of)
    assert refused.value.status == 409
    return refused.value.code


def disputed(number: int = 1, **changes: Any) -> Dispute:
    return Dispute("riverbend", "ana", f"du_{number}", 1, number, 6250, NOW, **changes)


def test_pay_12_a_refund_of_everything_is_on_disk_with_all_it_needs_before_stripe_hears_of_it() -> None:
    at, written = refunded(books(*paid(invoice(6250, "inv_a"))), None)
    (refund,) = at.refunds
    assert (refund.amount, refund.intent_id, refund.payment, refund.cause) == (6250, "pi_1", 1, RefundCause.STAFF)
    assert (refund.state, refund.due) == (RefundState.STARTED, "2026-11-20T17:05:00Z#pay_back")
    assert kinds(tuple(written)) == [FactKind.REFUND_STARTED]
    (fact,) = facts(tuple(written))
    assert (fact.item, fact.data["refund_id"], fact.data["amount"]) == (refund.key.sk, refund.refund_id, 6250)


def test_pay_12_a_refund_makes_nothing_owed_again() -> None:
    at, _ = refunded(books(*paid(invoice(6250, "inv_a"))), None)
    assert (at.invoices[0].open_amount, at.invoices[0].refunded, at.invoices[0].status) == (0, 6250, "refunded")
    assert at.balance == 0


def test_pay_12_a_partial_refund_leaves_the_rest_refundable() -> None:
    at, written = refunded(books(*paid(invoice(6250, "inv_a"))), 2000)
    assert (at.invoices[0].refunded, at.invoices[0].status) == (2000, "paid")
    assert {(e.book, e.item, e.amount) for e in entries(tuple(written))} == {
        (Book.PATIENT_RESPONSIBILITY, "inv_a", 2000),
        (Book.REFUNDS, "", -2000),
    }
    assert refundable(at, at.invoices[0]) == 4250
    assert refusal(at, 4251) == "more_than_paid"
    at, _ = refunded(at, None, "req_2")
    assert (at.invoices[0].status, refundable(at, at.invoices[0])) == ("refunded", 0)
    assert refusal(at, None) == refusal(at, 1) == "nothing_to_refund"


def test_pay_12_more_than_was_paid_never_goes_back() -> None:
    at = books(*paid(invoice(6250, "inv_a")), invoice(2000, "inv_b"))
    assert refusal(at, 6251) == "more_than_paid"
    assert refusal(at, 1, of="inv_b") == refusal(at, None, of="inv_b") == "nothing_to_refund"


def test_pay_12_the_same_request_names_the_same_refund() -> None:
    before = books(*paid(invoice(6250, "inv_a")))
    first, again = refunded(before, 2000)[0], refunded(before, 2000)[0]
    other = refunded(before, 2000, "req_2")[0]
    assert first.refunds[0].refund_id == again.refunds[0].refund_id != other.refunds[0].refund_id


def test_pay_12_one_request_takes_the_newest_payment_first() -> None:
    """The invoice was paid, lost to a dispute, and paid again: what the first card paid is gone."""
    first, payment = paid(invoice(6250, "inv_a"))
    lost = replace(first, disputed_back=2000)  # type: ignore[type-var]
    again, second = paid(lost, number=2)  # type: ignore[arg-type]
    at = books(
        again, payment, second, disputed(reopened=(Part("inv_a", 2000),), state=DisputeState.LOST, withdrawn=2000)
    )
    assert refundable(at, at.invoices[0]) == 6250
    at, _ = refunded(at, 5000)
    assert [(r.payment, r.amount) for r in sorted(at.refunds, key=lambda r: -r.payment)] == [(2, 2000), (1, 3000)]


def test_pay_12_a_share_of_a_payment_of_several_invoices_goes_back_alone() -> None:
    at = books(*paid(invoice(6250, "inv_a"), invoice(2000, "inv_b")))
    at, _ = refunded(at, None, of="inv_b")
    assert (at.refunds[0].amount, at.refunds[0].parts) == (2000, (Part("inv_b", 2000),))
    assert refundable(at, at.invoice("inv_a")) == 6250  # type: ignore[arg-type]


def test_pay_12_a_refund_that_failed_can_be_made_again() -> None:
    at, _ = refunded(books(*paid(invoice(6250, "inv_a"))), None)
    failed = replace(at.refunds[0], state=RefundState.FAILED)
    at = replace(at, refunds=(failed,), invoices=(replace(at.invoices[0], refunded=0),))
    assert refundable(at, at.invoices[0]) == 6250


def test_pay_13_nothing_goes_back_while_the_bank_decides() -> None:
    at = books(*paid(invoice(6250, "inv_a")), disputed())
    assert refusal(at, 100) == refusal(at, None) == "disputed"
    won = books(*paid(invoice(6250, "inv_a")), disputed(state=DisputeState.WON))
    assert refundable(won, won.invoices[0]) == 6250


def test_inv_10_what_was_paid_outside_does_not_go_back_to_a_card() -> None:
    at = books(*paid(invoice(6250, "inv_a"), channel=AttemptKind.OUTSIDE))
    assert refusal(at, None) == refusal(at, 100) == "paid_outside"


def test_pay_12_what_exceeded_the_bill_is_not_the_invoices_to_give_back() -> None:
    bill, payment = paid(invoice(6250, "inv_a"))
    twice = replace(payment, excess=4250, applied=(Part("inv_a", 2000),))  # type: ignore[type-var]
    part_paid = replace(bill, paid=2000, written_off=4250)  # type: ignore[type-var]
    at = books(part_paid, twice, Refund(
        "riverbend", "ana", "ref_1", 1, RefundCause.OVERPAID, 1, "pi_1", 4250, (), NOW, RefundState.POSTED,
    ))  # fmt: skip
    assert refundable(at, at.invoices[0]) == 2000
