"""What a session is expected to cost by the latest eligibility check (INV-2): worked out by hand, then as laws."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.eligibility import Eligibility, after, estimate, share

CHECK = Eligibility("riverbend", "ana", 1, "87726", datetime(2026, 11, 18, tzinfo=UTC), 0, 2000, 100_00)
"""No copay; a fifth of what is left after $100.00 of deductible."""

amounts = st.integers(0, 2_000_00)
checks = st.builds(
    replace,
    st.just(CHECK),
    copay=st.just(0) | amounts,
    coinsurance_bp=st.integers(0, 10_000),
    deductible_remaining=amounts,
    out_of_pocket_remaining=st.none() | amounts,
)


@pytest.mark.parametrize(
    "copay, coinsurance_bp, deductible, most, rate, expected",
    [
        (30_00, 2000, 100_00, None, 150_00, 30_00),  # the copay, whatever else there is
        (200_00, 0, 0, None, 150_00, 150_00),  # never above the rate
        (0, 2000, 100_00, None, 150_00, 110_00),  # $100.00 and a fifth of $50.00
        (0, 2000, 500_00, None, 150_00, 150_00),  # all of it is deductible
        (0, 2000, 0, None, 150_00, 30_00),
        (0, 0, 0, None, 150_00, 0),
        (0, 2000, 100_00, 104_00, 150_00, 104_00),  # what they still have to bear this year
        (0, 2000, 100_00, 60_00, 150_00, 60_00),
        (30_00, 0, 0, 0, 150_00, 0),
        (0, 1250, 0, None, 1_00, 13),  # 12.5 cents are 13
        (0, 1249, 0, None, 1_00, 12),
    ],
)
def test_inv_2_the_estimate_is_the_copay_or_deductible_and_coinsurance(
    copay: int, coinsurance_bp: int, deductible: int, most: int | None, rate: int, expected: int
) -> None:
    check = replace(
        CHECK,
        copay=copay,
        coinsurance_bp=coinsurance_bp,
        deductible_remaining=deductible,
        out_of_pocket_remaining=most,
    )
    assert estimate(check, rate).amount == expected


@given(checks, amounts)
def test_inv_2_an_estimate_is_never_negative_nor_above_the_rate_nor_above_what_is_left_to_bear(
    check: Eligibility, rate: int
) -> None:
    made = estimate(check, rate)
    assert min(made.copay, made.deductible, made.coinsurance) >= 0
    assert 0 <= made.amount <= rate
    if check.out_of_pocket_remaining is not None:
        assert made.amount <= check.out_of_pocket_remaining


@given(checks, amounts, amounts)
def test_inv_2_a_dearer_session_is_never_expected_to_cost_less(check: Eligibility, one: int, other: int) -> None:
    cheaper, dearer = sorted((one, other))
    assert estimate(check, cheaper).amount <= estimate(check, dearer).amount


@given(checks, amounts, amounts)
def test_inv_2_a_smaller_deductible_never_costs_more(check: Eligibility, rate: int, less: int) -> None:
    smaller = replace(check, deductible_remaining=max(0, check.deductible_remaining - less))
    assert estimate(smaller, rate).amount <= estimate(check, rate).amount


@given(checks, st.lists(amounts, min_size=1, max_size=5))
def test_inv_2_sessions_of_one_claim_use_the_deductible_up_once(check: Eligibility, rates: list[int]) -> None:
    left, borne, deductible = check, 0, 0
    for rate in rates:
        made = estimate(left, rate)
        left, borne, deductible = after(left, made), borne + made.amount, deductible + made.deductible
    assert deductible <= check.deductible_remaining
    if check.out_of_pocket_remaining is not None:
        assert borne <= check.out_of_pocket_remaining


@given(amounts, st.integers(0, 10_000))
def test_a_share_and_the_rest_differ_from_the_whole_by_rounding_only(amount: int, basis_points: int) -> None:
    assert abs(share(amount, basis_points) * 10_000 - amount * basis_points) * 2 <= 10_000
