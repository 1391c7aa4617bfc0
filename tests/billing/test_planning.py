"""Making a plan and issuing its instalments: terms, refusals by name, and cents that add up (PLAN-1 to PLAN-6)."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.account import Account, Books
from billing.facts import FactKind
from billing.ledger import Book
from billing.plan import WEEKS_OFFERED, InstalmentStatus, Plan, PlanStatus
from billing.planning import Agreement, check_terms, issue_instalment, make_plan, outstanding, refuse_plan
from billing.ports import Refused
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
)

TODAY = date(2026, 11, 20)
AGREED = Agreement(NOW, "by phone", "Sam")


def planned(before: Books, weeks: int = 4, start_on: date = TODAY, now: datetime = NOW) -> tuple[Plan, Books]:
    plan, writes = make_plan(before, PRACTICE, weeks, start_on, AGREED, now)
    return plan, after(before, writes)


def refused(before: Books, weeks: int = 4) -> Refused:
    with pytest.raises(Refused) as refusal:
        refuse_plan(before, weeks)
    return refusal.value


@pytest.mark.parametrize(
    ("amount", "weeks", "parts"),
    [
        (25000, 4, [6250] * 4),
        (10001, 6, [1667] * 5 + [1666]),
        (101, 2, [51, 50]),
    ],
    ids=["$250.00 over 4 weeks", "$100.01 over 6 weeks", "$1.01 over 2 weeks"],
)
def test_instalments_are_weekly_and_sum_to_what_was_owed(amount: int, weeks: int, parts: list[int]) -> None:
    """PLAN-4, PLAN-1"""
    plan, _ = planned(books(invoice(amount)), weeks)
    assert [i.amount for i in plan.instalments] == parts
    assert [i.issue_on for i in plan.instalments] == [TODAY + timedelta(weeks=w) for w in range(weeks)]


@given(st.lists(st.integers(300, 200_000), min_size=1, max_size=40), st.sampled_from(WEEKS_OFFERED))
def test_a_plan_is_exactly_what_it_covers(amounts: list[int], weeks: int) -> None:
    """PLAN-4, invariants 1 and 5"""
    before = books(*(invoice(amount, f"inv_{n}") for n, amount in enumerate(amounts)))
    plan, writes = make_plan(before, PRACTICE, weeks, TODAY, AGREED, NOW)
    left = after(before, writes)
    assert plan.total == sum(p.amount for p in plan.covers) == sum(amounts) == left.balance
    assert sum(e.amount for e in entries(writes)) == 0
    assert {i.status for i in left.invoices} == {"moved_to_plan"}
    assert all(i.due is None for i in left.invoices)


def test_a_plan_takes_the_forty_oldest_invoices() -> None:
    """design: what fits one commit."""
    many = books(*(invoice(1000, f"inv_{n:02}", issued_at=NOW - timedelta(days=n)) for n in range(50)))
    plan, writes = make_plan(many, PRACTICE, 4, TODAY, AGREED, NOW)
    assert len(writes) <= 100
    assert [p.invoice_id for p in plan.covers] == [f"inv_{n:02}" for n in range(49, 9, -1)]
    assert len(outstanding(after(many, writes))) == 10


def test_the_plan_keeps_how_it_was_agreed_to_and_says_so_once() -> None:
    """PLAN-3"""
    before = books(invoice(25000))
    plan, writes = make_plan(before, PRACTICE, 4, TODAY, AGREED, NOW)
    assert (plan.agreed_at, plan.agreed_how, plan.agreed_by) == (NOW, "by phone", "Sam")
    assert kinds(writes) == [FactKind.PLAN_CREATED]
    assert facts(writes)[0].data == {"plan_id": plan.plan_id, "amount": 25000, "weeks": 4}


@pytest.mark.parametrize("weeks", [0, 1, 3, 5, 8, -2])
def test_only_2_4_or_6_weeks(weeks: int) -> None:
    """PLAN-1"""
    with pytest.raises(Refused) as refusal:
        check_terms(weeks, TODAY, PRACTICE, NOW)
    assert (refusal.value.rule, refusal.value.status) == ("PLAN-1", 422)


@pytest.mark.parametrize(("days", "fits"), [(-1, False), (0, True), (14, True), (15, False)])
def test_the_start_is_from_today_to_two_weeks_on_in_the_practices_days(days: int, fits: bool) -> None:
    """PLAN-3: at 23:30 in Los Angeles it is still today there."""
    late = datetime(2026, 11, 21, 7, 30, tzinfo=UTC)
    if fits:
        check_terms(4, TODAY + timedelta(days=days), PRACTICE, late)
    else:
        with pytest.raises(Refused) as refusal:
            check_terms(4, TODAY + timedelta(days=days), PRACTICE, late)
        assert (refusal.value.rule, refusal.value.status) == ("PLAN-3", 422)


@pytest.mark.parametrize(
    ("code", "account", "bills"),
    [
        ("no_balance", ENROLLED, []),
        ("no_balance", ENROLLED, [invoice(6250, paid=6250)]),
        ("no_autopay", BY_HAND, [invoice(6250)]),
        ("no_autopay", replace(ENROLLED, default_card=""), [invoice(6250)]),
        ("active_plan", replace(ENROLLED, active_plan="plan_1"), [invoice(6250)]),
        ("in_review", ENROLLED, [invoice(6250, "inv_a"), invoice(6250, "inv_b", reviews=("hold_1",))]),
        ("too_small", ENROLLED, [invoice(199)]),
        ("payment_in_progress", ENROLLED, [invoice(6250, open_attempt=1)]),
    ],
)
def test_each_refusal_names_its_reason(code: str, account: Account, bills: list[Any]) -> None:
    """PLAN-2"""
    refusal = refused(books(*bills, account=account))
    assert (refusal.rule, refusal.code, refusal.status) == ("PLAN-2", code, 409)
    assert refusal.detail.endswith(".")


def test_fewer_weeks_may_help_where_instalments_would_be_too_small() -> None:
    """PLAN-2"""
    assert refused(books(invoice(199)), weeks=4).code == "too_small"
    refuse_plan(books(invoice(199)), weeks=2)


def test_a_payment_on_its_way_is_the_last_reason_given() -> None:
    """PLAN-2: it is the only one that closing an open page may remove."""
    both = books(invoice(6250, "inv_a", open_attempt=1), invoice(6250, "inv_b", reviews=("hold_1",)))
    assert refused(both).code == "in_review"


# ------------------------------------------------------------------------------------------------------- instalments


def test_a_plan_that_starts_today_issues_at_once_later_ones_at_nine() -> None:
    """PLAN-5"""
    noon = datetime(2026, 11, 20, 20, 0, 30, tzinfo=UTC)
    plan, _ = planned(books(invoice(25000)), now=noon)
    assert plan.next_issue_at == datetime(2026, 11, 20, 20, 1, tzinfo=UTC)
    tomorrow, _ = planned(books(invoice(25000)), start_on=TODAY + timedelta(days=1), now=noon)
    assert tomorrow.next_issue_at == datetime(2026, 11, 21, 17, 0, tzinfo=UTC)


def issued(at: Books, now: datetime) -> Books:
    (plan,) = at.plans
    return after(at, issue_instalment(at, plan, PRACTICE, now))


def test_an_instalment_is_issued_weekly_and_charged_within_24_hours() -> None:
    """PLAN-5, PLAN-4: the balance does not change by issuing."""
    plan, at = planned(books(invoice(25000)))
    at = replace(at, plans=(replace(plan, notice_at=NOW),))
    for week in range(4):
        now = NOW + timedelta(weeks=week)
        at = issued(at, now)
        assert at.balance == 25000
        (newest,) = [i for i in at.invoices if i.plan_id and i.ordinal == week]
        assert (newest.amount, newest.charge_at) == (6250, now + timedelta(hours=12))
    assert at.plans[0].due is None
    assert {i.status for i in at.plans[0].instalments} == {InstalmentStatus.SCHEDULED}


def test_issuing_is_done_once_and_not_early() -> None:
    _, at = planned(books(invoice(25000)))
    at = issued(at, NOW)
    (plan,) = at.plans
    assert issue_instalment(at, plan, PRACTICE, NOW) == ()
    assert issue_instalment(at, plan, PRACTICE, NOW + timedelta(days=6, hours=23)) == ()
    over = replace(plan, status=PlanStatus.BROKEN)
    assert issue_instalment(at, over, PRACTICE, NOW + timedelta(weeks=1)) == ()


def test_weekly_means_nine_oclock_also_after_the_clock_changed() -> None:
    """PLAN-5: from Friday before the change to Friday after it."""
    before_change = datetime(2026, 10, 30, 16, 0, tzinfo=UTC)
    _, at = planned(books(invoice(25000)), start_on=date(2026, 10, 30), now=before_change)
    at = issued(at, before_change)
    assert at.plans[0].next_issue_at == datetime(2026, 11, 6, 17, 0, tzinfo=UTC)


def test_an_instalment_is_never_charged_before_its_notice_is_old_enough() -> None:
    """AUTO-3: the schedule was mailed late, or the practice wants 24 hours."""
    plan, at = planned(books(invoice(25000)))
    slow = replace(PRACTICE, policy=replace(PRACTICE.policy, minimum_notice_hours=24))
    writes = issue_instalment(at, replace(plan, notice_at=NOW), slow, NOW)
    (bill,) = [i for i in after(at, writes).invoices if i.plan_id]
    assert bill.charge_at == NOW + timedelta(hours=24)


def test_what_is_issued_moves_from_the_plan_to_the_instalment() -> None:
    plan, at = planned(books(announced(25000)))
    writes = issue_instalment(at, plan, PRACTICE, NOW)
    assert [(e.book, e.item == plan.plan_id, e.amount) for e in entries(writes)] == [
        (Book.RECEIVABLE, True, -6250),
        (Book.RECEIVABLE, False, 6250),
    ]
