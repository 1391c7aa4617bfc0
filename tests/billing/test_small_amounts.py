"""What no card can pay alone waits for the next charge, which takes it along, or is let go (INV-11)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.autopay import taken_back
from billing.facts import FactKind
from billing.invoice import Invoice, Status
from billing.ledger import Book, Entry
from billing.letters import remindable
from billing.payment import AttemptState, Evidence, Part
from billing.plan import InstalmentStatus, Plan, PlanStatus, schedule
from billing.settling import settle, start_charge
from billing.small_amounts import free_to_go_along, go_along, let_go, taken_by
from tests.billing.examples import (
    ENROLLED,
    NOW,
    PRACTICE,
    VISA,
    after,
    announced,
    books,
    entries,
    facts,
    invoice,
    practice,
)

SMALL = invoice(30, "inv_small")
NOTICED: dict[str, Any] = {"notice_id": "notice_1", "notice_at": NOW - timedelta(hours=48), "card_id": "card_visa"}
"""Announced with the charge that `announced` makes."""
TIED = replace(SMALL, **NOTICED)
DAY_60 = SMALL.issued_at + timedelta(days=60)


def ids(invoices: tuple[Invoice, ...]) -> list[str]:
    return [one.invoice_id for one in invoices]


# ------------------------------------------------------------------------------------------------ what goes along


def test_inv_11_a_small_amount_goes_along_with_the_next_charge() -> None:
    bill = invoice(6250)
    assert ids(free_to_go_along(books(bill, SMALL), bill, PRACTICE, NOW)) == ["inv_small"]


@pytest.mark.parametrize(
    ("small", "account"),
    [
        (replace(SMALL, amount=50), ENROLLED),
        (replace(SMALL, reviews=("review_1",)), ENROLLED),
        (replace(SMALL, disputed_back=20, amount=10), ENROLLED),
        (replace(SMALL, open_attempt=3), ENROLLED),
        (replace(SMALL, plan_id="plan_1"), ENROLLED),
        (replace(SMALL, void=True), ENROLLED),
        (replace(SMALL, issued_at=NOW - timedelta(days=60)), ENROLLED),
        (SMALL, replace(ENROLLED, enrolled_at=NOW + timedelta(seconds=1))),
        (SMALL, replace(ENROLLED, cap=6279)),
    ],
    ids=[
        "large enough to be charged itself",
        "looked into",
        "taken back by a bank",
        "being paid",
        "of a plan",
        "void",
        "let go by then",
        "open before autopay was on",
        "above the limit together",
    ],
)
def test_inv_11_what_does_not_go_along(small: Invoice, account: Any) -> None:
    """INV-7, PAY-13, AUTO-1, AUTO-2, LAW-7"""
    bill = invoice(6250)
    assert free_to_go_along(books(bill, small, account=account), bill, PRACTICE, NOW) == ()


def test_inv_11_what_one_charge_takes_along_no_other_does() -> None:
    first, second = announced(6250), invoice(8000, "inv_second")
    at = books(first, TIED, second)
    assert taken_by(at, TIED) == first
    assert free_to_go_along(at, second, PRACTICE, NOW) == ()
    stopped = books(replace(first, charge_at=None), TIED, second)
    assert ids(free_to_go_along(stopped, second, PRACTICE, NOW)) == ["inv_small"]


def test_inv_11_only_what_the_notice_said_goes_along() -> None:
    """What came after it waits for the charge after."""
    bill = announced(6250)
    assert ids(go_along(books(bill, TIED, invoice(20, "inv_later")), bill, PRACTICE)) == ["inv_small"]


@pytest.mark.parametrize(
    ("change", "policy"),
    [({"reviews": ("hold_1",)}, {}), ({"notice_at": None}, {}), ({"corrected": 40}, {}), ({}, {"default_cap": 6270})],
    ids=["looked into since", "the notice came back", "grown since", "the limit was lowered since"],
)
def test_inv_11_what_stands_in_its_way_since_does_not_go_along(change: Any, policy: Any) -> None:
    bill = announced(6250)
    assert go_along(books(bill, replace(TIED, **change)), bill, practice(**policy)) == ()


def test_inv_11_what_a_charge_takes_along_is_not_reminded_of_beside_it() -> None:
    """INV-9"""
    told = {"notice_id": "notice_1", "notice_at": NOW}
    bill, small, other = announced(6250, **told), invoice(30, "inv_small", **told), invoice(8000, "inv_other")
    assert [one.invoice_id for one in remindable(books(bill, small, other))] == ["inv_other"]
    stopped = replace(bill, charge_at=None)
    assert len(remindable(books(stopped, small, other))) == 3


# ------------------------------------------------------------------------------------------------ one charge for both


def charged(*small: Invoice) -> tuple[Any, Any]:
    bill = announced(6250)
    before = books(bill, *small)
    attempt, writes = start_charge(before, bill, VISA, NOW, small)
    return after(before, writes), attempt


def test_inv_11_one_charge_pays_both() -> None:
    at, attempt = charged(TIED)
    assert attempt.parts == (Part("inv_session", 6250), Part("inv_small", 30))
    assert {one.open_attempt for one in at.invoices} == {1}
    evidence = Evidence(AttemptState.POSTED, amount=6280, intent_id="pi_1")
    done = after(at, settle(at, attempt, evidence, PRACTICE, NOW))
    assert [one.status for one in done.invoices] == [Status.PAID, Status.PAID]


def test_inv_11_a_declined_charge_is_tried_again_with_what_it_takes_along() -> None:
    """AUTO-7: the small amount has no tries and no moment of its own."""
    at, attempt = charged(TIED)
    declined = Evidence(AttemptState.FAILED, reason="declined", decline="insufficient_funds")
    writes = settle(at, attempt, declined, PRACTICE, NOW)
    done = after(at, writes)
    bill, small = done.invoice("inv_session"), done.invoice("inv_small")
    assert bill is not None
    assert small is not None
    assert (bill.tries, bill.charge_at) == (1, NOW + timedelta(days=1))
    assert (small.tries, small.charge_at, small.open_attempt) == (0, None, 0)
    assert [fact.data["invoice_id"] for fact in facts(writes)] == ["inv_session"]
    assert ids(go_along(done, bill, PRACTICE)) == ["inv_small"]


@pytest.mark.parametrize("change", [{"corrected": -10}, {"reviews": ("hold_1",)}, {"disputed": True}])
def test_inv_11_a_charge_that_was_begun_is_not_sent_when_what_it_takes_along_changed(change: Any) -> None:
    """LAW-7, INV-3, INV-7"""
    at, attempt = charged(TIED)
    bill, small = at.invoice("inv_session"), at.invoice("inv_small")
    assert bill is not None
    assert small is not None
    assert not taken_back(at, bill, attempt, PRACTICE)
    others = tuple(one for one in at.invoices if one.invoice_id != "inv_small")
    changed = replace(at, invoices=(*others, replace(small, **change)))
    assert taken_back(changed, bill, attempt, PRACTICE)


# ------------------------------------------------------------------------------------------------ let go


def test_inv_11_after_60_days_it_is_written_off_by_the_system() -> None:
    writes = let_go(books(SMALL), SMALL, DAY_60)
    (fact,) = facts(writes)
    assert (fact.kind, fact.actor) == (FactKind.INVOICE_WRITTEN_OFF, "system")
    assert fact.data == {"invoice_id": "inv_small", "amount": 30, "reason": "too_small"}
    assert entries(writes) == [Entry(Book.WRITE_OFF, "inv_small", 30), Entry(Book.RECEIVABLE, "inv_small", -30)]
    (gone,) = after(books(SMALL), writes).invoices
    assert (gone.status, gone.due) == (Status.WRITTEN_OFF, None)


@pytest.mark.parametrize(
    ("small", "seconds"),
    [
        (SMALL, -1),
        (replace(SMALL, amount=50), 0),
        (replace(SMALL, paid=30), 0),
        (replace(SMALL, open_attempt=1), 0),
        (replace(SMALL, reviews=("hold_1",)), 0),
        (replace(SMALL, disputed=True), 0),
    ],
    ids=["not yet", "not small", "paid", "being paid", "looked into", "disputed"],
)
def test_inv_11_nothing_else_is_let_go(small: Invoice, seconds: int) -> None:
    assert let_go(books(small), small, DAY_60 + timedelta(seconds=seconds)) == ()


def test_inv_11_a_plan_whose_last_part_is_let_go_is_complete() -> None:
    parts = schedule(6280, 2, NOW.date())
    paid_part = replace(parts[0], status=InstalmentStatus.PAID, invoice_id="inv_1")
    rest = replace(parts[1], amount=30, status=InstalmentStatus.SCHEDULED, invoice_id="inv_small")
    plan = Plan("riverbend", "ana", "plan_1", 1, 2, NOW, (), (paid_part, rest))
    part = replace(SMALL, plan_id="plan_1", source="plan")
    before = books(part, plan, account=replace(ENROLLED, active_plan="plan_1"))
    done = after(before, let_go(before, part, DAY_60))
    assert (done.plans[0].status, done.account.active_plan) == (PlanStatus.COMPLETED, "")


@given(
    st.integers(1, 200), st.integers(0, 120), st.booleans(), st.sampled_from(["remind_at", "past_due_at", "charge_at"])
)
def test_inv_11_a_small_amount_wakes_once_to_be_let_go_and_for_no_reminder(
    cents: int, days: int, past_due: bool, field: str
) -> None:
    """Whatever made it small, and whatever it was waiting for: nothing has to notice that it became so."""
    at = NOW + timedelta(days=days)
    one = replace(invoice(cents, "inv_small"), past_due=past_due, **{field: at})
    kinds = [due.partition("#")[2] for due in [one.due] if due]
    if cents < 50:
        assert kinds == (["charge"] if field == "charge_at" and at <= DAY_60 else ["past_due"])
        assert f"{DAY_60:%Y-%m-%dT%H:%M:%SZ}#past_due" >= str(one.due)
    else:
        assert kinds == [{"remind_at": "remind", "past_due_at": "past_due", "charge_at": "charge"}[field]]
