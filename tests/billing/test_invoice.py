"""What is open, one status by precedence, and when an invoice wakes."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.facts import WakeKind
from billing.invoice import Invoice, Status, due_text
from tests.billing.examples import NOW, invoice

LATER = NOW + timedelta(days=1)

BY_PRECEDENCE: list[tuple[Status, dict[str, object]]] = [
    (Status.VOID, {"void": True}),
    (Status.WRITTEN_OFF, {"written_off": 2000}),
    (Status.MOVED_TO_PLAN, {"moved": 2000}),
    (Status.PROCESSING, {"open_attempt": 3}),
    (Status.IN_REVIEW, {"reviews": ("hold_1",)}),
    (Status.PAID, {"paid": 2250}),
    (Status.SCHEDULED, {"charge_at": LATER}),
    (Status.PAST_DUE, {"past_due": True}),
    (Status.OPEN, {}),
]
"""Status -> what makes an invoice of $62.50 have it, strongest first."""


def in_state(*changes: dict[str, object]) -> Invoice:
    """An invoice of which all of this is true; where something was taken off it, nothing is left open."""
    merged: dict[str, object] = {}
    for change in changes:
        merged |= change
    taken = sum(int(str(merged.get(k, 0))) for k in ("written_off", "moved", "paid"))
    if taken and "void" not in merged:
        first = next(k for k in ("written_off", "moved", "paid") if k in merged)
        merged[first] = int(str(merged[first])) + 6250 - taken
    return replace(invoice(6250), **merged)  # type: ignore[arg-type]


@pytest.mark.parametrize(("status", "change"), BY_PRECEDENCE, ids=[s for s, _ in BY_PRECEDENCE])
def test_each_status_stands_alone(status: Status, change: dict[str, object]) -> None:
    assert in_state(change).status is status


@pytest.mark.parametrize("rank", range(len(BY_PRECEDENCE) - 1))
def test_the_stronger_status_wins_over_every_weaker_one(rank: int) -> None:
    """design: Status is derived by one precedence."""
    status, change = BY_PRECEDENCE[rank]
    for weaker, other in BY_PRECEDENCE[rank + 1 :]:
        if status in (Status.PROCESSING, Status.IN_REVIEW) and weaker is Status.PAID:
            continue  # shown below: a paid invoice that is looked into is in review
        assert in_state(other, change).status is status, f"{status} against {weaker}"


def test_a_paid_invoice_that_is_looked_into_is_in_review() -> None:
    assert replace(invoice(6250), paid=6250, reviews=("hold_1",)).status is Status.IN_REVIEW


def test_what_is_partly_moved_is_still_open() -> None:
    assert replace(invoice(6250), moved=2000).status is Status.OPEN
    assert replace(invoice(6250), moved=2000).open_amount == 4250


AMOUNTS = st.integers(0, 1000)


@given(AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS)
def test_the_open_amount_is_what_nothing_was_done_about_and_never_negative(
    paid: int, credited: int, written_off: int, moved: int, left: int
) -> None:
    """Invariant 2"""
    amount = paid + credited + written_off + moved + left
    one = replace(invoice(amount), paid=paid, credited=credited, written_off=written_off, moved=moved)
    assert one.open_amount == left
    assert replace(one, void=True).open_amount == 0
    if amount:
        with pytest.raises(AssertionError, match="below zero"):
            assert replace(one, paid=paid + left + 1).open_amount


def test_an_invoice_wakes_for_what_comes_first() -> None:
    one = replace(invoice(6250), remind_at=NOW + timedelta(days=3), past_due_at=NOW + timedelta(days=60))
    assert one.due == due_text(NOW + timedelta(days=3), WakeKind.REMIND)
    assert replace(one, remind_at=None).due == due_text(NOW + timedelta(days=60), WakeKind.PAST_DUE)


def test_an_announced_charge_takes_the_place_of_reminders() -> None:
    """INV-9"""
    one = replace(invoice(6250), remind_at=NOW, charge_at=LATER)
    assert one.due == due_text(LATER, WakeKind.CHARGE)


def test_while_a_payment_page_is_open_only_the_charge_wakes() -> None:
    """AUTO-5: it closes that page first."""
    one = replace(invoice(6250), remind_at=NOW, past_due_at=NOW, open_attempt=4)
    assert one.due is None
    assert replace(one, charge_at=LATER).due == due_text(LATER, WakeKind.CHARGE)


@pytest.mark.parametrize("change", [{"reviews": ("hold_1",)}, {"paid": 6250}, {"void": True}, {"moved": 6250}])
def test_what_is_not_payable_never_wakes(change: dict[str, object]) -> None:
    """INV-7: a review pauses charge, reminders and ageing."""
    awake = replace(invoice(6250), remind_at=NOW, charge_at=NOW, past_due_at=NOW)
    assert replace(awake, **change).due is None  # type: ignore[arg-type]


def test_an_instant_between_seconds_wakes_after_it_never_before() -> None:
    assert due_text(NOW + timedelta(microseconds=1), WakeKind.CHARGE) == "2026-11-20T17:00:01Z#charge"
    assert due_text(NOW, WakeKind.CHARGE) == "2026-11-20T17:00:00Z#charge"
