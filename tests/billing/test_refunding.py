"""Money going back: never more than was paid, to the card that paid it, and every cent accounted for (PAY-12)."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.account import Books
from billing.dispute import Dispute, DisputeState
from billing.draft import Draft
from billing.facts import FactKind
from billing.ledger import Book
from billing.payment import AttemptKind, Part
from billing.ports import Refused, TakenBack, Write
from billing.refund import REFUND_RANK, Refund, RefundCause, RefundEvidence, RefundState
from billing.refunding import refund_invoice, refundable, settle_refund, settle_taken_back, start_refund
from tests.billing.examples import ENROLLED, NOW, PRACTICE, after, books, entries, facts, invoice, kinds, paid


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


# ---------------------------------------------------------------------------------------------------- settling

UNKNOWN = RefundEvidence(RefundState.UNKNOWN, reason="no_answer")
PENDING = RefundEvidence(RefundState.PENDING, stripe_id="re_1", amount=6250)
POSTED = RefundEvidence(RefundState.POSTED, stripe_id="re_1", amount=6250)
FAILED = RefundEvidence(RefundState.FAILED, stripe_id="re_1", amount=6250, reason="lost_or_stolen_card")
NOTHING = RefundEvidence(RefundState.STARTED)


def told(at: Books, *evidence: RefundEvidence, now: datetime = NOW) -> tuple[Books, list[Write]]:
    """The account after hearing this about its first refund, in this order, and everything written."""
    written: list[Write] = []
    for one in evidence:
        draft = Draft(at, now, "stripe", "ref")
        settle_refund(draft, at.refunds[0], one, PRACTICE)
        at, written = after(at, draft.writes()), [*written, *draft.writes()]
    return at, written


@pytest.fixture
def going_back() -> Books:
    """$62.50 on its way back."""
    return refunded(books(*paid(invoice(6250, "inv_a"))), None)[0]


def test_pay_12_a_posted_refund_has_left_stripe(going_back: Books) -> None:
    at, written = told(going_back, POSTED)
    assert kinds(tuple(written)) == [FactKind.REFUND_POSTED]
    assert {(e.book, e.amount) for e in entries(tuple(written))} == {(Book.REFUNDS, 6250), (Book.CLEARING, -6250)}
    assert (at.refunds[0].stripe_id, at.refunds[0].settled_at, at.refunds[0].due) == ("re_1", NOW, None)
    assert at.invoices[0].status == "refunded"


def test_pay_12_a_pending_refund_is_state_only_and_looked_at_again(going_back: Books) -> None:
    at, written = told(going_back, PENDING)
    assert (facts(tuple(written)), at.refunds[0].state, at.refunds[0].on_its_way) == ([], RefundState.PENDING, True)
    assert at.refunds[0].due == "2026-11-20T17:05:00Z#pay_back"


@pytest.mark.parametrize("before", [(), (UNKNOWN,), (PENDING,)])
def test_pay_12_a_refund_that_failed_undoes_what_its_start_did(
    going_back: Books, before: tuple[RefundEvidence, ...]
) -> None:
    at, written = told(going_back, *before, FAILED)
    assert (at.invoices[0].refunded, at.invoices[0].status) == (0, "paid")
    (fact,) = facts(tuple(written))
    assert (fact.kind, fact.data["reason"], fact.data["posted"]) == (FactKind.REFUND_FAILED, "lost_or_stolen_card", 0)
    assert {(e.book, e.amount) for e in fact.entries} == {(Book.REFUNDS, 6250), (Book.PATIENT_RESPONSIBILITY, -6250)}


def test_pay_12_a_refund_that_the_bank_returns_is_money_at_stripe_again(going_back: Books) -> None:
    at, written = told(going_back, POSTED, FAILED)
    assert at.invoices[0].refunded == 0
    failed = facts(tuple(written))[-1]
    assert failed.data["posted"] == 1, "the client was told, and must hear of it"
    assert {(e.book, e.amount) for e in failed.entries} == {(Book.CLEARING, 6250), (Book.PATIENT_RESPONSIBILITY, -6250)}


def test_pay_12_an_overpayment_that_cannot_go_back_is_credit_again() -> None:
    bill, payment = paid(invoice(6250, "inv_a"))
    at = books(bill, replace(payment, excess=4250, applied=(Part("inv_a", 2000),)))  # type: ignore[type-var]
    draft = Draft(at, NOW, "stripe", "pay")
    start_refund(draft, at.attempts[0], 4250, (), RefundCause.OVERPAID, "ref_1")
    at = after(at, draft.writes())
    assert at.account.credit == -4250, "it had been booked as credit before"
    at, written = told(at, FAILED)
    assert at.account.credit == 0
    assert (Book.CREDIT, -4250) in {(e.book, e.amount) for e in entries(tuple(written))}


def test_nothing_learned_of_a_refund_asks_again_later(going_back: Books) -> None:
    later = NOW + timedelta(minutes=5)
    at, _ = told(going_back, NOTHING, now=later)
    assert at.refunds[0].look_up_at == later + timedelta(hours=1)
    again, written = told(at, NOTHING, now=later)
    assert (again, written) == (at, [])


EVIDENCE = st.sampled_from([NOTHING, UNKNOWN, PENDING, POSTED, FAILED])


def money(at: Books) -> object:
    """What the books say, without how often rows were written."""
    return (
        [(i.invoice_id, i.status, i.refunded, i.open_amount) for i in at.invoices],
        [(r.refund_id, r.state, r.on_its_way) for r in at.refunds],
        at.account.credit,
    )


@given(st.lists(EVIDENCE, min_size=1, max_size=8))
def test_refund_evidence_in_any_order_and_any_number_of_times_ends_in_the_same_books(
    heard: list[RefundEvidence],
) -> None:
    """The law of settling: only the strongest evidence that was ever seen counts, in rows and in entries."""
    started, first = refunded(books(*paid(invoice(6250, "inv_a"))), None)
    strongest = max(heard, key=lambda e: REFUND_RANK[e.state])
    ended, written = told(started, *heard)
    alone, short = told(started, strongest)
    assert money(ended) == money(alone)
    assert booked([*first, *written]) == booked([*first, *short])


def booked(written: list[Write]) -> dict[tuple[str, str], int]:
    totals: Counter[tuple[str, str]] = Counter()
    for entry in entries(tuple(written)):
        totals[entry.book, entry.item] += entry.amount
    return {place: cents for place, cents in totals.items() if cents}


ASKED = st.tuples(st.integers(1, 9000), st.sampled_from(["inv_a", "inv_b"]), EVIDENCE)


@given(st.lists(ASKED, max_size=8))
def test_pay_12_refunds_never_exceed_what_was_paid(asked: list[tuple[int, str, RefundEvidence]]) -> None:
    """Whatever staff ask for and whatever becomes of it: refunds that did not fail never exceed the payment."""
    at = books(*paid(invoice(6250, "inv_a"), invoice(2000, "inv_b")))
    for number, (amount, of, evidence) in enumerate(asked):
        draft = Draft(at, NOW, "staff", "req")
        try:
            (refund,) = refund_invoice(draft, at.invoice(of), amount, f"req_{number}")  # type: ignore[arg-type]
        except Refused:
            continue
        settle_refund(draft, refund, evidence, PRACTICE)
        at = after(at, draft.writes())
        assert sum(e.amount for e in entries(draft.writes())) == 0
        for bill in at.invoices:
            gone = [r.amount for r in at.refunds if r.parts[0].invoice_id == bill.invoice_id and r.state != "failed"]
            assert sum(gone) == bill.refunded <= bill.paid


# ---------------------------------------------------------------------------------------------------- found at Stripe


def found(at: Books, *refunds: RefundEvidence) -> tuple[Books, list[Write]]:
    """The account after Stripe listed these refunds of its first payment."""
    writes, complete = settle_taken_back(at, at.attempts[0], TakenBack(refunds, ()), PRACTICE, NOW)
    assert complete
    return after(at, writes), list(writes)


def test_pay_12_a_refund_made_in_stripes_dashboard_is_booked_once() -> None:
    at = books(*paid(invoice(6250, "inv_a"), invoice(2000, "inv_b")))
    made = RefundEvidence(RefundState.POSTED, "", "re_7", 7000)
    at, written = found(at, made)
    (refund,) = at.refunds
    assert (refund.cause, refund.parts) == (RefundCause.AT_STRIPE, (Part("inv_a", 6250), Part("inv_b", 750)))
    assert kinds(tuple(written)) == [FactKind.REFUND_STARTED, FactKind.REFUND_POSTED]
    assert booked(written) == {
        (Book.PATIENT_RESPONSIBILITY, "inv_a"): 6250,
        (Book.PATIENT_RESPONSIBILITY, "inv_b"): 750,
        (Book.CLEARING, ""): -7000,
    }
    assert found(at, made) == (at, [])


def test_pay_12_what_no_invoice_has_left_comes_out_of_credit_and_then_out_of_the_practices_own() -> None:
    account = replace(ENROLLED, credit=1000)
    at = books(*paid(replace(invoice(2000, "inv_a"))), account=account)
    at, _ = found(at, RefundEvidence(RefundState.POSTED, "", "re_7", 3500))
    assert (at.refunds[0].parts, at.refunds[0].out_of_credit) == ((Part("inv_a", 2500),), 1000)
    assert (at.account.credit, at.invoices[0].refunded) == (0, 2500)


def test_pay_12_a_refund_of_ours_is_known_by_its_metadata_and_a_failed_stranger_is_no_news() -> None:
    at, _ = refunded(books(*paid(invoice(6250, "inv_a"))), None)
    ours = replace(POSTED, refund_id=at.refunds[0].refund_id)
    at, written = found(at, ours, RefundEvidence(RefundState.FAILED, "", "re_9", 6250))
    assert (len(at.refunds), at.refunds[0].state) == (1, RefundState.POSTED)
    assert kinds(tuple(written)) == [FactKind.REFUND_POSTED]


def test_pay_12_staff_and_dashboard_at_once_pay_back_once() -> None:
    """Ours is on its way when somebody refunds the same payment in the dashboard: Stripe refuses ours."""
    at, _ = refunded(books(*paid(invoice(6250, "inv_a"))), None)
    at, _ = found(at, RefundEvidence(RefundState.POSTED, "", "re_7", 6250))
    at = replace(at, refunds=tuple(sorted(at.refunds, key=lambda r: r.cause, reverse=True)))
    assert at.refunds[0].cause is RefundCause.STAFF
    at, _ = told(at, replace(FAILED, stripe_id="", reason="charge_already_refunded"))
    assert (at.invoices[0].refunded, at.account.credit, refundable(at, at.invoices[0])) == (6250, 0, 0)
