"""While somebody looks into an invoice it stands still; afterwards it goes on, later by exactly that time (INV-7)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.account import Account, Books
from billing.draft import Draft
from billing.facts import FactKind
from billing.invoice import Invoice, Status
from billing.payment import Part
from billing.plan import Plan, PlanStatus, schedule
from billing.reviewing import announces_again, end_review, question, resume
from tests.billing.examples import BY_HAND, ENROLLED, NOW, PRACTICE, after, announced, books, invoice, kinds

LATER = NOW + timedelta(days=10)
WINDOW_ENDS = datetime(2027, 1, 19, 8, 0, tzinfo=UTC)
"""60 days after NOW, at midnight in Los Angeles."""


def resumed(
    paused: Invoice, *, account: Account = ENROLLED, now: datetime = LATER, plan: Plan | None = None
) -> Invoice:
    at = books(paused, *((plan,) if plan else ()), account=account)
    return resume(at, paused, paused.reviews[0], PRACTICE, now)


def test_inv_7_a_questioned_invoice_stands_still() -> None:
    asked = question(announced(6250, remind_at=NOW, past_due_at=NOW), "review_1", NOW)
    assert (asked.status, asked.charge_at, asked.due, asked.paused_at) == (Status.IN_REVIEW, None, None, NOW)


def test_inv_7_the_same_cause_twice_is_one() -> None:
    asked = question(announced(6250), "review_1", NOW)
    assert question(asked, "review_1", LATER) == asked


def test_inv_7_it_goes_on_when_the_last_cause_is_decided() -> None:
    both = question(question(announced(6250), "hold_1", NOW), "review_1", NOW + timedelta(days=1))
    assert (both.reviews, both.paused_at, both.charge_paused) == (("hold_1", "review_1"), NOW, True)
    one = resumed(both)
    assert (one.reviews, one.paused_at, one.status) == (("review_1",), NOW, Status.IN_REVIEW)
    none = resumed(one)
    assert (none.in_review, none.paused_at, none.charge_paused) == (False, None, False)


@pytest.mark.parametrize(
    ("pause", "window_ends"),
    [
        (timedelta(0), WINDOW_ENDS),
        (timedelta(days=10), WINDOW_ENDS + timedelta(days=10)),
        (timedelta(days=10, minutes=1), WINDOW_ENDS + timedelta(days=11)),
        (timedelta(days=100), WINDOW_ENDS + timedelta(days=100, hours=-1)),  # summer time has begun: midnight stays
    ],
)
def test_inv_7_the_payment_window_is_longer_by_the_pause(pause: timedelta, window_ends: datetime) -> None:
    """INV-8: it ends with a day, in the practice's zone."""
    paused = question(invoice(6250, past_due_at=WINDOW_ENDS), "review_1", NOW)
    assert resumed(paused, now=NOW + pause).past_due_at == window_ends


def test_inv_7_reminders_go_on_with_the_days_that_are_left() -> None:
    """INV-9: of days 3, 7, 14 … those that passed meanwhile are not made up for."""
    paused = question(invoice(6250, remind_at=NOW + timedelta(days=3)), "review_1", NOW)
    assert resumed(paused).remind_at == NOW + timedelta(days=14)


def test_inv_7_the_old_moment_of_a_charge_never_comes_back() -> None:
    """AUTO-3: its tries start afresh with the new notice."""
    tried = announced(6250, charge_at=NOW + timedelta(days=20), tries=1, first_tried_at=NOW)
    going_on = resumed(question(tried, "review_1", NOW))
    assert (going_on.charge_at, going_on.tries, going_on.first_tried_at) == (None, 0, None)


def test_inv_7_what_was_paid_meanwhile_asks_for_nothing() -> None:
    asked = question(announced(6250, past_due_at=None), "review_1", NOW)
    paid = resumed(replace(asked, paid=6250))
    assert (paid.status, paid.remind_at, paid.due) == (Status.PAID, None, None)


@pytest.mark.parametrize(
    ("paused", "account", "again"),
    [
        (question(announced(6250), "r", NOW), ENROLLED, True),
        (question(invoice(6250), "r", NOW), ENROLLED, True),
        (question(announced(6250, charge_at=None), "r", NOW), ENROLLED, False),
        (question(invoice(6250), "r", NOW), replace(ENROLLED, enrolled_at=LATER), False),
        (question(invoice(6250), "r", NOW), BY_HAND, False),
        (question(announced(6250), "r", NOW), replace(ENROLLED, autopay=False), False),
    ],
    ids=[
        "announced",
        "questioned before its notice",
        "stopped or given up before",
        "open before autopay, not ticked",
        "no autopay, whatever comes after",
        "autopay off since",
    ],
)
def test_inv_7_a_charge_is_announced_anew_only_where_one_was_to_come(
    paused: Invoice, account: Account, again: bool
) -> None:
    """LAW-7: what the client stopped stays stopped."""
    assert announces_again(account, paused) is again


PLAN = Plan("riverbend", "ana", "plan_1", 1, 2, NOW, (Part("inv_a", 12500),), schedule(12500, 2, NOW.date()))
INSTALMENT = announced(6250, "inv_part", plan_id="plan_1", source="plan", charge_at=NOW + timedelta(hours=12))


@pytest.mark.parametrize(
    ("plan", "account", "charge_at"),
    [
        (PLAN, ENROLLED, LATER + timedelta(hours=12)),
        (PLAN, BY_HAND, None),
        (replace(PLAN, status=PlanStatus.BROKEN), ENROLLED, None),
    ],
    ids=["active", "autopay off", "plan broken"],
)
def test_inv_7_an_instalment_is_charged_at_a_new_moment(
    plan: Plan, account: Account, charge_at: datetime | None
) -> None:
    """PLAN-5: its reminder says when; without autopay it is reminded of like any invoice."""
    going_on = resumed(question(INSTALMENT, "review_1", NOW), account=account, plan=plan)
    assert going_on.charge_at == charge_at
    assert (going_on.remind_at is None) == (charge_at is not None)


def end(at: Books, cause: str) -> tuple[Any, ...]:
    draft = Draft(at, LATER, "staff", "act_1")
    end_review(draft, at.invoices[0], cause, PRACTICE)
    return draft.writes()


def test_inv_7_the_end_of_a_review_is_a_fact_only_when_nobody_else_looks() -> None:
    both = books(question(question(announced(6250), "hold_1", NOW), "review_1", NOW))
    writes = end(both, "hold_1")
    assert kinds(writes) == []
    last = end(after(both, writes), "review_1")
    assert kinds(last) == [FactKind.INVOICE_RESUMED]
    assert end(both, "hold_of_another_invoice") == ()
