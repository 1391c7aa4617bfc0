"""Whole cents, splits that add up, and one way to write an amount."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import apply_oldest_first, dollars, split_evenly

AMOUNTS = st.integers(0, 10_000_000)


@pytest.mark.parametrize(
    ("cents", "text"),
    [(6250, "$62.50"), (0, "$0.00"), (5, "$0.05"), (-4500, "−$45.00"), (123456, "$1,234.56"), (-5, "−$0.05")],
)
def test_an_amount_reads_as_people_write_it(cents: int, text: str) -> None:
    assert dollars(cents) == text


def test_250_dollars_over_four_weeks_is_four_times_62_50() -> None:
    """PLAN-4"""
    assert split_evenly(25000, 4) == (6250, 6250, 6250, 6250)


def test_cents_that_do_not_divide_go_to_the_first_parts() -> None:
    """PLAN-4: $100.01 over 6 weeks."""
    assert split_evenly(10001, 6) == (1667, 1667, 1667, 1667, 1667, 1666)


@given(AMOUNTS, st.integers(1, 60))
def test_a_split_sums_to_what_was_split_and_its_parts_differ_by_a_cent_at_most(total: int, parts: int) -> None:
    """PLAN-4, invariant 5"""
    split = split_evenly(total, parts)
    assert sum(split) == total
    assert len(split) == parts
    assert max(split) - min(split) <= 1
    assert list(split) == sorted(split, reverse=True)


@pytest.mark.parametrize(("total", "parts"), [(100, 0), (-1, 2)])
def test_what_cannot_be_split_says_what_to_give(total: int, parts: int) -> None:
    with pytest.raises(ValueError, match="give a total of 0 or more and at least 1 part"):
        split_evenly(total, parts)


@given(AMOUNTS, st.lists(AMOUNTS, max_size=10))
def test_applying_oldest_first_loses_no_cent_and_overpays_nothing(amount: int, owed: list[int]) -> None:
    applied, left = apply_oldest_first(amount, owed)
    assert sum(applied) + left == amount
    assert all(0 <= got <= due for got, due in zip(applied, owed, strict=True))
    # Nobody gets anything before all older ones are covered.
    short = next((n for n, (got, due) in enumerate(zip(applied, owed, strict=True)) if got < due), len(owed))
    assert not any(applied[short + 1 :])
