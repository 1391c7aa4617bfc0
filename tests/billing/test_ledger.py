"""Double entry: what docs/money.md works out by hand is what the product books, and everything sums to zero.

Each test is one worked example of that page, with its numbers, posted by the decision that posts it in production.
"""

from collections import Counter
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.account import Books
from billing.adjusting import void, write_off
from billing.correcting import Why, correct
from billing.dispute import DisputeEvidence, DisputeState
from billing.draft import Draft
from billing.ending_plan import end_plan
from billing.facts import Fact, FactKind
from billing.invoice import Invoice
from billing.issuing import Trigger, judge_again
from billing.ledger import (
    Book,
    Entry,
    balanced,
    corrected_down,
    credit_applied,
    dispute_lost,
    dispute_moved,
    invoice_issued,
    paid_outside,
    payment_posted,
    receivable_moved,
    refund_failed,
    refund_posted,
    refund_started,
    voided,
    written_off,
)
from billing.outside_payment import Outside, PaidBy, record_outside
from billing.payment import AttemptState, Evidence
from billing.planning import Agreement, issue_instalment, make_plan
from billing.policy import OutsidePayments, Overpayment
from billing.ports import TakenBack, Write
from billing.refund import RefundCause, RefundEvidence, RefundState
from billing.refunding import refund_invoice, settle_refund, settle_taken_back
from billing.settling import settle, start_charge, start_checkout
from tests.billing.claim_examples import OWES_62_50
from tests.billing.examples import (
    BY_HAND,
    NOW,
    PRACTICE,
    VISA,
    after,
    announced,
    books,
    entries,
    invoice,
    paid,
    practice,
)
from tests.billing.judging import file_of

Booked = dict[tuple[str, str], int]

POSTED = Evidence(AttemptState.POSTED, intent_id="pi_1", charge_id="ch_1")
DECLINED = Evidence(AttemptState.FAILED, reason="declined", decline="lost_card")


def booked(writes: tuple[Write, ...]) -> Booked:
    """(account, item) -> cents, of one commit."""
    totals: Counter[tuple[str, str]] = Counter()
    for entry in entries(writes):
        totals[entry.book, entry.item] += entry.amount
    return dict(totals)


def charged(at: Books, bill: Invoice, evidence: Evidence, now: datetime = NOW) -> tuple[Books, Booked]:
    """The account after this bill's charge had that answer, and what was booked."""
    attempt, writes = start_charge(at, bill, VISA, now)
    at = after(at, writes)
    writes = settle(at, attempt, evidence, PRACTICE, now)
    return after(at, writes), booked(writes)


def test_an_issued_invoice() -> None:
    """docs/money.md, Issued: $62.50. INV-1, LAW-3."""
    writes = judge_again(file_of(OWES_62_50), Trigger("payer", OWES_62_50.result_key()), NOW)
    (bill,) = [w.record for w in writes if isinstance(w.record, Invoice)]
    assert booked(writes) == {
        (Book.RECEIVABLE, bill.invoice_id): 6250,
        (Book.PATIENT_RESPONSIBILITY, bill.invoice_id): -6250,
    }


def test_a_paid_invoice() -> None:
    """docs/money.md, Paid: $62.50."""
    at = books(announced(6250, "inv_a"))
    _, entries_of_it = charged(at, at.invoices[0], replace(POSTED, amount=6250))
    assert entries_of_it == {(Book.CLEARING, ""): 6250, (Book.RECEIVABLE, "inv_a"): -6250}


def test_two_invoices_paid_together() -> None:
    """docs/money.md, Paid together: $62.50 and $20.00."""
    bills = (invoice(6250, "inv_a"), invoice(2000, "inv_b"))
    before = books(*bills, account=BY_HAND)
    attempt, writes = start_checkout(before, bills, None, NOW)
    writes = settle(after(before, writes), attempt, replace(POSTED, amount=8250), PRACTICE, NOW)
    assert booked(writes) == {
        (Book.CLEARING, ""): 8250,
        (Book.RECEIVABLE, "inv_a"): -6250,
        (Book.RECEIVABLE, "inv_b"): -2000,
    }


def test_what_was_overpaid_goes_back() -> None:
    """docs/money.md, Overpaid: $62.50 arrive where $20.00 are still owed. PAY-12."""
    at = books(announced(6250, "inv_a"))
    attempt, writes = start_charge(at, at.invoices[0], VISA, NOW)
    at = after(at, writes)
    at = replace(at, invoices=(replace(at.invoices[0], written_off=4250),))
    writes = settle(at, attempt, replace(POSTED, amount=6250), PRACTICE, NOW)
    assert booked(writes) == {
        (Book.CLEARING, ""): 6250,
        (Book.RECEIVABLE, "inv_a"): -2000,
        (Book.CREDIT, ""): 0,
        (Book.REFUNDS, ""): -4250,
    }
    assert after(at, writes).account.credit == 0


def the_plan() -> tuple[Books, str, Booked]:
    """$150.00 and $100.00 over 4 weeks, from today."""
    before = books(invoice(15000, "inv_a"), invoice(10000, "inv_b"))
    plan, writes = make_plan(before, PRACTICE, 4, date(2026, 11, 20), Agreement(), NOW)
    at = after(before, writes)
    return replace(at, plans=(replace(plan, notice_at=NOW),)), plan.plan_id, booked(writes)


def issued(at: Books, week: int) -> tuple[Books, Invoice, Booked]:
    writes = issue_instalment(at, at.plans[0], PRACTICE, NOW + timedelta(weeks=week))
    at = after(at, writes)
    (bill,) = [i for i in at.invoices if i.plan_id and i.ordinal == week]
    return at, bill, booked(writes)


def test_invoices_moved_to_a_plan() -> None:
    """docs/money.md, Moved to a plan: $150.00 and $100.00. PLAN-4, PLAN-11."""
    at, plan_id, entries_of_it = the_plan()
    assert entries_of_it == {
        (Book.RECEIVABLE, "inv_a"): -15000,
        (Book.RECEIVABLE, "inv_b"): -10000,
        (Book.RECEIVABLE, plan_id): 25000,
    }
    assert at.balance == 25000


def test_an_issued_instalment_and_its_payment() -> None:
    """docs/money.md, Instalment issued and Instalment paid: $62.50. PLAN-5."""
    at, plan_id, _ = the_plan()
    at, bill, entries_of_it = issued(at, 0)
    assert entries_of_it == {(Book.RECEIVABLE, plan_id): -6250, (Book.RECEIVABLE, bill.invoice_id): 6250}
    at, entries_of_payment = charged(at, bill, replace(POSTED, amount=6250))
    assert entries_of_payment == {(Book.CLEARING, ""): 6250, (Book.RECEIVABLE, bill.invoice_id): -6250}
    assert at.balance == 18750


def test_a_broken_plan() -> None:
    """docs/money.md, Plan broken: one instalment paid, two failed, one never issued: $187.50 are left. PLAN-7."""
    at, plan_id, _ = the_plan()
    at, paid, _ = issued(at, 0)
    at, _ = charged(at, paid, replace(POSTED, amount=6250))
    at, second, _ = issued(at, 1)
    at, _ = charged(at, second, DECLINED)
    at, third, _ = issued(at, 2)
    at, entries_of_it = charged(at, third, DECLINED)
    (rest,) = [i for i in at.invoices if i.open_amount]
    assert entries_of_it == {
        (Book.RECEIVABLE, second.invoice_id): -6250,
        (Book.RECEIVABLE, third.invoice_id): -6250,
        (Book.RECEIVABLE, plan_id): -6250,
        (Book.RECEIVABLE, rest.invoice_id): 18750,
    }
    assert rest.amount == at.balance == 18750


def test_a_plan_that_staff_end() -> None:
    """docs/money.md, Plan ended: one instalment issued, three never: $250.00 are left. DESK-4."""
    at, plan_id, _ = the_plan()
    at, first, _ = issued(at, 0)
    (plan,) = at.plans
    draft = Draft(at, NOW, "staff", "act_1")
    rest = end_plan(draft, plan, PRACTICE)
    assert booked(draft.writes()) == {
        (Book.RECEIVABLE, first.invoice_id): -6250,
        (Book.RECEIVABLE, plan_id): -18750,
        (Book.RECEIVABLE, rest.invoice_id): 25000,
    }
    assert rest.amount == draft.books.balance == 25000


# ------------------------------------------------------------------------------------------------------- going back


def refund_of(at: Books, amount: int | None = None) -> tuple[Books, Booked]:
    """The account after staff asked for a refund of its first invoice, and what was booked."""
    draft = Draft(at, NOW, "staff", "req_1")
    refund_invoice(draft, at.invoices[0], amount, "req_1")
    return after(at, draft.writes()), booked(draft.writes())


def heard(at: Books, *states: RefundState) -> tuple[Books, Booked]:
    """The account after Stripe said this of its refund, and what the last of it booked."""
    last: Booked = {}
    for state in states:
        draft = Draft(at, NOW, "stripe", "ref")
        settle_refund(draft, at.refunds[0], RefundEvidence(state, stripe_id="re_1"), PRACTICE)
        at, last = after(at, draft.writes()), booked(draft.writes())
    return at, last


def taken(at: Books, *of_payment: RefundEvidence | DisputeEvidence) -> tuple[Books, Booked]:
    """The account after Stripe listed these, one after the other, and what the last of them booked."""
    last: Booked = {}
    for one in of_payment:
        is_refund = isinstance(one, RefundEvidence)
        known = TakenBack((one,), ()) if is_refund else TakenBack((), (one,))  # type: ignore[arg-type]
        writes, _ = settle_taken_back(at, at.attempts[0], known, PRACTICE, NOW)
        at, last = after(at, writes), booked(writes)
    return at, last


DISPUTED = DisputeEvidence("du_1", DisputeState.OPEN, 6250, 6250)
WON = replace(DISPUTED, state=DisputeState.WON, withdrawn=0)
LOST = replace(DISPUTED, state=DisputeState.LOST)


def test_a_voided_a_written_off_and_an_outside_payment() -> None:
    """docs/money.md, Voided, Written off, Paid outside: $62.50, $20.00 of it in cash."""
    draft = Draft(books(invoice(6250, "inv_a"), account=BY_HAND), NOW, "staff", "act_1")
    void(draft, draft.books.invoices[0])
    assert booked(draft.writes()) == {(Book.RECEIVABLE, "inv_a"): -6250, (Book.PATIENT_RESPONSIBILITY, "inv_a"): 6250}
    recording = practice(outside_payments=OutsidePayments.RECORDED)
    draft = Draft(books(invoice(6250, "inv_a"), account=BY_HAND), NOW, "staff", "act_1")
    record_outside(draft, draft.books.invoices[0], Outside(2000, PaidBy.CASH, None), recording)
    assert booked(draft.writes()) == {(Book.OUTSIDE, ""): 2000, (Book.RECEIVABLE, "inv_a"): -2000}
    draft = Draft(draft.books, NOW, "staff", "act_2")
    write_off(draft, draft.books.invoices[0])
    assert booked(draft.writes()) == {(Book.WRITE_OFF, "inv_a"): 4250, (Book.RECEIVABLE, "inv_a"): -4250}


def test_a_refund_started_posted_failed_and_returned() -> None:
    """docs/money.md, Refund started, posted, failed, returned: $20.00 of $62.50. PAY-12."""
    at, entries_of_it = refund_of(books(*paid(invoice(6250, "inv_a"))), 2000)
    assert entries_of_it == {(Book.PATIENT_RESPONSIBILITY, "inv_a"): 2000, (Book.REFUNDS, ""): -2000}
    assert heard(at, RefundState.POSTED)[1] == {(Book.REFUNDS, ""): 2000, (Book.CLEARING, ""): -2000}
    assert heard(at, RefundState.FAILED)[1] == {(Book.PATIENT_RESPONSIBILITY, "inv_a"): -2000, (Book.REFUNDS, ""): 2000}
    assert heard(at, RefundState.POSTED, RefundState.FAILED)[1] == {
        (Book.PATIENT_RESPONSIBILITY, "inv_a"): -2000,
        (Book.CLEARING, ""): 2000,
    }


def test_a_refund_made_in_stripes_dashboard() -> None:
    """docs/money.md, Refunded in Stripe's dashboard: $70.00 of $62.50 and $20.00. PAY-12."""
    at = books(*paid(invoice(6250, "inv_a"), invoice(2000, "inv_b")))
    assert taken(at, RefundEvidence(RefundState.POSTED, "", "re_1", 7000))[1] == {
        (Book.PATIENT_RESPONSIBILITY, "inv_a"): 6250,
        (Book.PATIENT_RESPONSIBILITY, "inv_b"): 750,
        (Book.REFUNDS, ""): 0,
        (Book.CLEARING, ""): -7000,
    }


def test_a_dispute_opened_won_and_lost() -> None:
    """docs/money.md, Dispute opened, won, lost: $62.50. PAY-13."""
    at, entries_of_it = taken(books(*paid(invoice(6250, "inv_a"))), DISPUTED)
    assert entries_of_it == {(Book.DISPUTED, ""): 6250, (Book.CLEARING, ""): -6250}
    assert taken(at, WON)[1] == {(Book.DISPUTED, ""): -6250, (Book.CLEARING, ""): 6250}
    assert taken(at, LOST)[1] == {(Book.RECEIVABLE, "inv_a"): 6250, (Book.DISPUTED, ""): -6250}


def test_a_dispute_lost_beyond_what_was_left() -> None:
    """docs/money.md, Dispute lost beyond what was left: $20.00 of $62.50 had been refunded. PAY-13."""
    at, _ = refund_of(books(*paid(invoice(6250, "inv_a"))), 2000)
    assert taken(at, DISPUTED, LOST)[1] == {
        (Book.RECEIVABLE, "inv_a"): 4250,
        (Book.WRITE_OFF, ""): 2000,
        (Book.DISPUTED, ""): -6250,
    }


def test_a_dispute_lost_and_won_on_appeal() -> None:
    """docs/money.md, Dispute lost, then won on appeal: paid a second time meanwhile. PAY-13."""
    at, _ = taken(books(*paid(invoice(6250, "inv_a"))), LOST)
    again, second = paid(at.invoices[0], number=2)
    at = replace(at, invoices=(again,), attempts=(*at.attempts, second))  # type: ignore[arg-type]
    assert taken(at, WON)[1] == {(Book.DISPUTED, ""): 0, (Book.CLEARING, ""): 6250, (Book.CREDIT, ""): -6250}


def test_a_refund_that_failed_after_a_lost_dispute() -> None:
    """docs/money.md, Refund failed after a lost dispute: both of $62.50. PAY-12, PAY-13."""
    at, _ = refund_of(books(*paid(invoice(6250, "inv_a"))))
    at, _ = taken(at, LOST)
    assert heard(at, RefundState.FAILED)[1] == {
        (Book.PATIENT_RESPONSIBILITY, "inv_a"): -6250,
        (Book.REFUNDS, ""): 6250,
        (Book.RECEIVABLE, "inv_a"): 6250,
        (Book.WRITE_OFF, ""): -6250,
    }


# ------------------------------------------------------------------------------------------------------- corrections


def corrected(at: Books, target: int, **policy: Any) -> tuple[Books, Booked]:
    """The first invoice asks for `target` by a later decision: the account after it, and what the correction booked
    (not what it started to send back)."""
    draft = Draft(at, NOW, "payer", "result_2")
    correct(draft, ["inv_a"], target, practice(**policy), Why.CORRECTION)
    told = (FactKind.INVOICE_CORRECTED, FactKind.CREDIT_APPLIED)
    own = tuple(w for w in draft.writes() if not isinstance(w.record, Fact) or w.record.kind in told)
    return after(at, draft.writes()), booked(own)


def test_a_correction_of_what_is_not_paid() -> None:
    """docs/money.md, Corrected, not paid yet. INV-3."""
    lowered = {(Book.RECEIVABLE, "inv_a"): -4000, (Book.PATIENT_RESPONSIBILITY, "inv_a"): 4000}
    assert corrected(books(invoice(6250, "inv_a")), 2250)[1] == lowered
    assert corrected(books(invoice(2250, "inv_a")), 6250)[1] == {place: -cents for place, cents in lowered.items()}


def test_a_correction_of_what_was_paid() -> None:
    """docs/money.md, Corrected, paid. INV-3."""
    at, entries_of_it = corrected(books(*paid(invoice(6250, "inv_a"))), 2250)
    assert entries_of_it == {(Book.PATIENT_RESPONSIBILITY, "inv_a"): 4000, (Book.CREDIT, ""): -4000}
    assert [(r.amount, r.out_of_credit, r.cause) for r in at.refunds] == [(4000, 4000, RefundCause.CORRECTED)]
    assert at.account.credit == 0


def test_a_correction_whose_excess_pays_another_bill() -> None:
    """docs/money.md, Corrected, paid: as credit. INV-3, `overpayment`."""
    at = books(*paid(invoice(6250, "inv_a")), invoice(2000, "inv_b"))
    at, entries_of_it = corrected(at, 2250, overpayment=Overpayment.CREDIT)
    assert entries_of_it == {
        (Book.PATIENT_RESPONSIBILITY, "inv_a"): 4000,
        (Book.CREDIT, ""): -4000 + 2000,
        (Book.RECEIVABLE, "inv_b"): -2000,
    }
    assert (at.account.credit, at.balance, at.refunds) == (2000, 0, ())


def test_a_correction_after_a_refund() -> None:
    """docs/money.md, Corrected after a refund: $10.00 had gone back. INV-3."""
    at, _ = refund_of(books(*paid(invoice(6250, "inv_a"))), 1000)
    at, entries_of_it = corrected(at, 2250)
    assert entries_of_it == {(Book.PATIENT_RESPONSIBILITY, "inv_a"): 3000, (Book.CREDIT, ""): -3000}
    assert [r.amount for r in at.refunds] == [1000, 3000]
    assert at.invoices[0].refunded == 0


def test_a_correction_whose_refund_somebody_made_by_hand_is_not_paid_back_twice() -> None:
    """INV-3, PAY-12: $40.00 were refunded in Stripe's dashboard, so Stripe refuses ours; what was theirs is taken."""
    at, _ = corrected(books(*paid(invoice(6250, "inv_a"))), 2250)
    at, _ = heard(at, RefundState.FAILED)
    assert at.account.credit == 4000
    at, entries_of_it = taken(at, RefundEvidence(RefundState.POSTED, stripe_id="re_9", amount=4000))
    assert entries_of_it == {(Book.CREDIT, ""): 4000, (Book.REFUNDS, ""): 0, (Book.CLEARING, ""): -4000}
    assert (at.account.credit, at.refunds[-1].parts, at.invoices[0].refunded) == (0, (), 0)


def test_a_correction_during_a_plan() -> None:
    """docs/money.md, Corrected during a plan. PLAN-9."""
    at = books(invoice(6250, "inv_a"))
    plan, writes = make_plan(at, PRACTICE, 2, NOW.date(), Agreement(), NOW)
    at, entries_of_it = corrected(after(at, writes), 2250)
    assert entries_of_it == {
        (Book.RECEIVABLE, plan.plan_id): -4000,
        (Book.PATIENT_RESPONSIBILITY, "inv_a"): 4000,
    }
    assert [i.amount for i in at.plans[0].instalments] == [2250]


# ------------------------------------------------------------------------------------------------------- in general

CENTS = st.integers(0, 1_000_000)


@given(CENTS, st.lists(st.tuples(st.sampled_from(["inv_a", "inv_b", "inv_c"]), CENTS), max_size=6))
def test_every_posting_sums_to_zero_and_holds_no_empty_entry(excess: int, applied: list[tuple[str, int]]) -> None:
    """Invariant 1"""
    for posting in (
        invoice_issued("inv_a", excess),
        payment_posted(applied, excess),
        receivable_moved(applied, "plan"),
        refund_started(applied, excess),
        refund_posted(excess),
        refund_failed(applied, excess, posted=False),
        refund_failed(applied, excess, posted=True),
        dispute_moved(excess),
        dispute_lost(applied, excess, excess),
        voided("inv_a", excess),
        written_off("inv_a", excess),
        paid_outside("inv_a", excess),
        credit_applied("inv_a", excess),
        corrected_down("inv_a", [Entry(Book.RECEIVABLE, "inv_a", -excess)]),
    ):
        assert sum(entry.amount for entry in posting) == 0
        assert all(entry.amount for entry in posting)


def test_entries_that_do_not_balance_are_a_mistake() -> None:
    with pytest.raises(AssertionError, match="do not balance"):
        balanced(Entry(Book.RECEIVABLE, "inv_a", 1), Entry(Book.CREDIT, "", -2))
