"""PAY-13: a dispute freezes what its payment paid, its outcome is booked, nothing is charged again because of it."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.account import Books
from billing.autopay import Announcement, NoCharge, announcement, taken_back, why_not
from billing.dispute import DisputeEvidence, DisputeState
from billing.draft import Draft
from billing.facts import FactKind
from billing.invariants import nothing_goes_back_twice
from billing.invoice import Invoice
from billing.ledger import Book
from billing.payment import Part
from billing.plan import InstalmentStatus, Plan, PlanStatus, schedule
from billing.planning import refuse_plan
from billing.ports import Refused, TakenBack, Write
from billing.refund import RefundEvidence, RefundState
from billing.refunding import refund_invoice, settle_refund, settle_taken_back
from billing.settling import start_checkout
from tests.billing.examples import (
    BY_HAND,
    ENROLLED,
    NOW,
    PRACTICE,
    after,
    announced,
    books,
    entries,
    facts,
    invoice,
    kinds,
    paid,
)

OPEN = DisputeEvidence("du_1", DisputeState.OPEN, 6250, 6250, "fraudulent")
INQUIRY = replace(OPEN, withdrawn=0)
WON_NOT_YET_BACK = replace(OPEN, state=DisputeState.WON)
WON = replace(OPEN, state=DisputeState.WON, withdrawn=0)
LOST = replace(OPEN, state=DisputeState.LOST)


def told(at: Books, *disputes: DisputeEvidence, payment: int = 1, days: int = 0) -> tuple[Books, list[Write]]:
    """The account after Stripe said this about that payment's disputes, in this order, and everything written."""
    written: list[Write] = []
    for one in disputes:
        attempt = at.attempt(payment)
        assert attempt is not None
        writes, complete = settle_taken_back(at, attempt, TakenBack((), (one,)), PRACTICE, NOW + timedelta(days=days))
        assert complete
        at, written = after(at, writes), [*written, *writes]
    return at, written


def booked(written: list[Write]) -> dict[tuple[str, str], int]:
    totals: Counter[tuple[str, str]] = Counter()
    for entry in entries(tuple(written)):
        totals[entry.book, entry.item] += entry.amount
    return {place: cents for place, cents in totals.items() if cents}


@pytest.fixture
def one_paid() -> Books:
    """$62.50, paid by autopay."""
    return books(*paid(announced(6250, "inv_a", charge_at=None)))


# ------------------------------------------------------------------------------------------------------- opened


def test_pay_13_a_dispute_freezes_the_invoice_and_is_told_once(one_paid: Books) -> None:
    at, written = told(one_paid, OPEN)
    assert (at.invoices[0].status, at.invoices[0].disputed, at.balance) == ("disputed", True, 0)
    assert kinds(tuple(written)) == [FactKind.DISPUTE_OPENED, FactKind.DISPUTE_FUNDS_MOVED]
    assert booked(written) == {(Book.DISPUTED, ""): 6250, (Book.CLEARING, ""): -6250}
    assert told(at, OPEN) == (at, [])


def test_pay_13_an_inquiry_freezes_and_moves_no_money(one_paid: Books) -> None:
    at, written = told(one_paid, INQUIRY)
    assert (at.invoices[0].status, entries(tuple(written))) == ("disputed", [])
    at, written = told(at, OPEN)
    assert kinds(tuple(written)) == [FactKind.DISPUTE_FUNDS_MOVED], "it became a chargeback"


def test_pay_13_every_invoice_of_the_payment_is_frozen_and_no_other() -> None:
    at = books(*paid(invoice(6250, "inv_a"), invoice(2000, "inv_b")), invoice(3000, "inv_c"))
    at, _ = told(at, OPEN)
    assert {i.invoice_id for i in at.invoices if i.disputed} == {"inv_a", "inv_b"}


def partly_outside() -> Books:
    """$20.00 of $62.50 were paid by card, the charge of the rest is announced."""
    bill = announced(6250, "inv_a", paid=2000, remind_at=NOW, past_due_at=NOW)
    _, payment = paid(invoice(2000, "inv_a"))
    return books(bill, payment)


def test_pay_13_nothing_is_charged_reminded_or_aged_while_frozen() -> None:
    """AUTO-9: staff see why the announced charge did not happen."""
    before = partly_outside()
    at, written = told(before, replace(OPEN, amount=2000, withdrawn=2000))
    assert (at.invoices[0].charge_at, at.invoices[0].due) == (None, None)
    (cancelled,) = [f for f in facts(tuple(written)) if f.kind == FactKind.CHARGE_CANCELLED]
    assert cancelled.data["reason"] == "disputed"
    still_due = replace(at.invoices[0], charge_at=NOW)
    assert why_not(at, still_due, PRACTICE, NOW) is NoCharge.DISPUTED
    with pytest.raises(Refused):
        start_checkout(at, at.invoices, None, NOW)


def test_pay_13_a_plan_is_refused_while_a_payment_is_disputed(one_paid: Books) -> None:
    """PLAN-2"""
    at, _ = told(replace(one_paid, invoices=(*one_paid.invoices, invoice(9000, "inv_b"))), OPEN)
    with pytest.raises(Refused) as refused:
        refuse_plan(at, 4)
    assert (refused.value.code, refused.value.rule) == ("disputed", "PLAN-2")


# ------------------------------------------------------------------------------------------------------- won


def test_pay_13_a_won_dispute_leaves_everything_as_it_was(one_paid: Books) -> None:
    at, written = told(one_paid, OPEN, WON)
    assert (at.invoices[0].status, at.invoices[0].due, at.balance) == ("paid", None, 0)
    assert booked(written) == {}
    assert kinds(tuple(written))[-2:] == [FactKind.DISPUTE_FUNDS_MOVED, FactKind.DISPUTE_CLOSED]


def test_pay_13_the_money_may_come_back_after_the_decision(one_paid: Books) -> None:
    at, written = told(one_paid, OPEN, WON_NOT_YET_BACK)
    assert booked(written) == {(Book.DISPUTED, ""): 6250, (Book.CLEARING, ""): -6250}
    assert at.invoices[0].status == "paid"
    at, written = told(at, WON)
    assert booked(written) == {(Book.DISPUTED, ""): -6250, (Book.CLEARING, ""): 6250}


def test_pay_13_what_was_open_is_asked_for_again_but_not_charged_by_itself() -> None:
    at, _ = told(partly_outside(), replace(OPEN, amount=2000, withdrawn=2000))
    at, _ = told(at, replace(WON, amount=2000))
    bill = at.invoices[0]
    assert (bill.status, bill.open_amount, bill.charge_at) == ("open", 4250, None)
    assert bill.remind_at is not None
    assert bill.past_due_at is not None


def test_pay_13_an_invoice_is_free_when_the_last_of_its_payments_is() -> None:
    """It was paid, lost, paid again, and both payments are disputed."""
    first, payment = paid(invoice(6250, "inv_a"))
    at, _ = told(books(first, payment), LOST)
    again, second = paid(at.invoices[0], number=2)
    at = replace(at, invoices=(again,), attempts=(*at.attempts, second))  # type: ignore[arg-type]
    at, _ = told(at, replace(OPEN, dispute_id="du_2"), payment=2)
    at, _ = told(at, replace(WON, dispute_id="du_2"), payment=2)
    assert (at.invoices[0].disputed, at.invoices[0].status) == (False, "paid")


# ------------------------------------------------------------------------------------------------------- lost


def test_pay_13_a_lost_dispute_makes_the_invoice_owed_again(one_paid: Books) -> None:
    at, written = told(one_paid, OPEN, LOST)
    bill = at.invoices[0]
    assert (bill.status, bill.open_amount, bill.disputed_back, at.balance) == ("open", 6250, 6250, 6250)
    assert booked(written) == {(Book.RECEIVABLE, "inv_a"): 6250, (Book.CLEARING, ""): -6250}
    assert kinds(tuple(written))[-1] == FactKind.DISPUTE_CLOSED
    assert at.disputes[0].reopened == (Part("inv_a", 6250),)


def test_pay_13_what_was_lost_is_never_charged_again_by_itself(one_paid: Books) -> None:
    """It is reminded of on the days left of INV-9, and ages as ever (INV-8)."""
    at, _ = told(one_paid, OPEN, LOST)
    bill = at.invoices[0]
    assert (at.account.autopay, bill.charge_at) == (True, None)
    assert bill.remind_at is not None
    assert bill.remind_at.date().isoformat() == "2026-11-21", "day 3 after its issue"
    late, _ = told(one_paid, LOST, days=70)
    assert late.invoices[0].remind_at is None
    assert late.invoices[0].due is not None
    assert late.invoices[0].due.endswith("past_due"), "its window has ended: staff are told at once"


def test_pay_13_no_message_that_comes_late_announces_a_charge_of_what_was_lost(one_paid: Books) -> None:
    """The mail of its issue, or the retry of a charge that was under way when the bank decided."""
    at, _ = told(one_paid, OPEN, LOST)
    bill = replace(at.invoices[0], notice_at=NOW)
    assert announcement(at, bill, PRACTICE) is Announcement.NONE
    assert why_not(at, replace(bill, charge_at=NOW), PRACTICE, NOW) is NoCharge.DISPUTED
    assert taken_back(at, bill, at.attempts[0], PRACTICE)


def test_pay_13_the_oldest_invoice_is_owed_again_first() -> None:
    """The bank took back $70.00 of a payment of $62.50 and $20.00."""
    old = invoice(6250, "inv_z", issued_at=NOW - timedelta(days=9))
    at = books(*paid(old, invoice(2000, "inv_a")))
    at, _ = told(at, replace(LOST, amount=7000, withdrawn=7000))
    assert {i.invoice_id: i.open_amount for i in at.invoices} == {"inv_z": 6250, "inv_a": 750}


def test_pay_13_what_was_refunded_already_is_not_owed_again() -> None:
    """$20.00 of $62.50 went back; the bank takes all of it all the same: the practice bears the rest."""
    at = books(*paid(invoice(6250, "inv_a")))
    at = refunded(at, 2000)
    at, written = told(at, LOST)
    assert at.invoices[0].open_amount == 4250
    assert at.disputes[0].written_off == 2000
    assert booked(written)[Book.WRITE_OFF, ""] == 2000


def test_pay_13_what_no_invoice_had_comes_out_of_credit_first() -> None:
    bill, payment = paid(invoice(6250, "inv_a"))
    some = replace(bill, paid=2000, written_off=4250)  # type: ignore[type-var]
    at = books(
        some,
        replace(payment, excess=4250, applied=(Part("inv_a", 2000),)),  # type: ignore[type-var]
        account=replace(ENROLLED, credit=1000),
    )
    at, written = told(at, LOST)
    assert (at.account.credit, at.disputes[0].written_off, at.balance) == (0, 3250, 2000)
    assert booked(written)[Book.CREDIT, ""] == 1000


def test_pay_13_a_refund_that_fails_after_the_dispute_was_lost_leaves_no_gap() -> None:
    """Ours was on its way when the bank took all: Stripe refuses ours, so what it had set aside is owed again."""
    at = books(*paid(invoice(6250, "inv_a")))
    at = refunded(at, 6250)
    at, _ = told(at, LOST)
    assert (at.balance, at.disputes[0].written_off) == (0, 6250)
    draft = Draft(at, NOW, "stripe", "ref")
    settle_refund(draft, at.refunds[0], RefundEvidence(RefundState.FAILED, reason="charge_disputed"), PRACTICE)
    written = list(draft.writes())
    at = after(at, draft.writes())
    assert (at.balance, at.invoices[0].refunded, at.disputes[0].written_off) == (6250, 0, 0)
    assert booked(written)[Book.WRITE_OFF, ""] == -6250


def refunded(at: Books, amount: int) -> Books:
    draft = Draft(at, NOW, "staff", "req_1")
    refund_invoice(draft, at.invoices[0], amount, "req_1")
    return after(at, draft.writes())


def test_pay_13_a_bank_that_changes_its_mind_takes_back_what_is_still_owed(one_paid: Books) -> None:
    """An appeal (Stripe: `appeal_under_review`) was won after the dispute was lost."""
    at, _ = told(one_paid, OPEN, LOST)
    appeal, _ = told(at, OPEN)
    assert (appeal.invoices[0].status, appeal.balance) == ("disputed", 0)
    won, _ = told(appeal, WON)
    straight, _ = told(at, WON)
    assert money(won) == money(straight) == money(told(one_paid, WON)[0])
    assert won.invoices[0].due is None


def test_pay_13_what_was_paid_a_second_time_meanwhile_is_the_clients_credit(one_paid: Books) -> None:
    at, _ = told(one_paid, LOST)
    again, second = paid(at.invoices[0], number=2)
    at = replace(at, invoices=(again,), attempts=(*at.attempts, second))  # type: ignore[arg-type]
    at, written = told(at, WON)
    assert (at.account.credit, at.balance) == (6250, 0)
    assert booked(written) == {(Book.CREDIT, ""): -6250, (Book.CLEARING, ""): 6250}


def test_pay_13_what_was_written_off_as_lost_is_not_the_clients_when_the_bank_gives_it_back(one_paid: Books) -> None:
    """Staff wrote $42.50 of it off, and the client paid the other $20.00 again."""
    at, _ = told(one_paid, LOST)
    partly = replace(at.invoices[0], written_off=4250)
    again, second = paid(partly, number=2)
    at = replace(at, invoices=(again,), attempts=(*at.attempts, second))  # type: ignore[arg-type]
    at, written = told(at, WON)
    assert (at.account.credit, at.balance, at.invoices[0].status) == (2000, 0, "paid")
    assert booked(written) == {
        (Book.WRITE_OFF, "inv_a"): -4250,
        (Book.CREDIT, ""): -2000,
        (Book.CLEARING, ""): 6250,
    }


# ------------------------------------------------------------------------------------------------------- plans


def in_plan(*statuses: InstalmentStatus) -> tuple[Plan, list[Invoice]]:
    """A plan of $250.00 over 4 weeks whose first instalments were issued."""
    parts = list(schedule(25000, 4, NOW.date()))
    bills = []
    for n, status in enumerate(statuses):
        bills.append(invoice(6250, f"inv_part{n}", plan_id="plan_1", ordinal=n))
        parts[n] = replace(parts[n], status=status, invoice_id=f"inv_part{n}")
    return Plan("riverbend", "ana", "plan_1", 1, 4, NOW, (), tuple(parts)), bills


def test_pay_13_a_lost_instalment_has_failed_and_the_second_breaks_the_plan() -> None:
    """PLAN-7"""
    plan, (first, second) = in_plan(InstalmentStatus.PAID, InstalmentStatus.PAID)
    at = books(plan, *paid(first), *paid(second, number=2), account=replace(ENROLLED, active_plan="plan_1"))
    at, _ = told(at, LOST)
    assert (at.plans[0].status, at.plans[0].instalments[0].status) == (PlanStatus.ACTIVE, InstalmentStatus.FAILED)
    at, written = told(at, replace(LOST, dispute_id="du_2"), payment=2)
    assert at.plans[0].status is PlanStatus.BROKEN
    (rest,) = [i for i in at.invoices if i.open_amount]
    assert (rest.amount, at.balance) == (25000, 25000)
    assert FactKind.PLAN_BROKEN in kinds(tuple(written))


def test_pay_13_an_instalment_of_a_finished_plan_is_an_invoice_like_any_other() -> None:
    plan, (first,) = in_plan(InstalmentStatus.PAID)
    done = replace(plan, status=PlanStatus.COMPLETED, instalments=(plan.instalments[0],))
    at, _ = told(books(done, *paid(first)), LOST)
    assert (at.plans[0], at.invoices[0].open_amount) == (done, 6250)


def test_pay_13_an_instalment_that_was_won_back_counts_as_paid_again() -> None:
    plan, (first,) = in_plan(InstalmentStatus.PAID)
    at = books(plan, *paid(first), account=replace(ENROLLED, active_plan="plan_1"))
    at, _ = told(at, LOST, WON)
    assert at.plans[0].instalments[0].status is InstalmentStatus.PAID


# ------------------------------------------------------------------------------------------------------- the laws

DISPUTE_EVIDENCE = st.sampled_from([OPEN, INQUIRY, WON, WON_NOT_YET_BACK, LOST])


def money(at: Books) -> object:
    """What the books say, without how often rows were written and when reminders go out."""
    return (
        [(i.invoice_id, i.status, i.paid, i.refunded, i.open_amount, i.charge_at) for i in at.invoices],
        [(d.dispute_id, d.state, d.withdrawn, d.reopened, d.written_off) for d in at.disputes],
        [(r.refund_id, r.state) for r in at.refunds],
        (at.account.credit, at.balance),
    )


@given(st.lists(DISPUTE_EVIDENCE, min_size=1, max_size=6), DISPUTE_EVIDENCE, st.integers(1, 9000))
def test_pay_13_the_last_word_decides_whatever_was_heard_before(
    heard: list[DisputeEvidence], last: DisputeEvidence, other: int
) -> None:
    """Stripe is read again each time: its newest word is the truth, and the way there leaves no trace in the money."""
    at = books(*paid(invoice(3000, "inv_a"), invoice(3250, "inv_b")), invoice(other, "inv_c"))
    ended, written = told(at, *heard, last)
    alone, short = told(at, last)
    assert money(ended) == money(alone)
    assert booked(written) == booked(short)
    assert all(not i.charge_at for i in ended.invoices)


HEARD = st.lists(
    st.one_of(
        DISPUTE_EVIDENCE,
        st.sampled_from([RefundState.UNKNOWN, RefundState.PENDING, RefundState.POSTED, RefundState.FAILED]),
        st.integers(1, 7000),
    ),
    max_size=8,
)


@given(HEARD)
def test_invariants_2_and_3_hold_whatever_goes_back_in_whatever_order(heard: list[Any]) -> None:
    """Refunds asked for (a number: that many cents), what became of the newest, and disputes, all mixed."""
    at = books(*paid(invoice(4000, "inv_a"), invoice(2250, "inv_b")), account=replace(BY_HAND, credit=0))
    total: Counter[tuple[str, str]] = Counter()
    for number, one in enumerate(heard):
        draft = Draft(at, NOW, "stripe", f"req_{number}")
        if isinstance(one, DisputeEvidence):
            at, written = told(at, one)
        elif isinstance(one, RefundState):
            if at.refunds:
                settle_refund(draft, at.refunds[-1], RefundEvidence(one), PRACTICE)
            at, written = after(at, draft.writes()), list(draft.writes())
        else:
            try:
                refund_invoice(draft, at.invoices[number % 2], one, f"req_{number}")
            except Refused:
                continue
            at, written = after(at, draft.writes()), list(draft.writes())
        total.update(booked(written))
        assert list(nothing_goes_back_twice(at)) == []
        assert sum(total.values()) == 0
        withdrawn = sum(d.withdrawn for d in at.disputes)
        gone = sum(r.amount for r in at.refunds if r.state is RefundState.POSTED)
        assert total[Book.CLEARING, ""] == -gone - withdrawn
        assert total[Book.DISPUTED, ""] == withdrawn - sum(d.kept for d in at.disputes)
        assert total[Book.REFUNDS, ""] == -sum(r.amount for r in at.refunds if r.on_its_way)
        assert total[Book.CREDIT, ""] == -at.account.credit
        assert sum(total[Book.RECEIVABLE, i.invoice_id] for i in at.invoices) == at.balance
        assert total[Book.WRITE_OFF, ""] == sum(d.written_off for d in at.disputes)
