"""Which days are no working days (LAW-6): the federal holidays as the Office of Personnel Management lists them."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.working_days import federal_holidays, is_working_day, working_days_after

DAYS = st.dates(date(1990, 1, 1), date(2090, 12, 31))


@pytest.mark.parametrize(
    ("year", "observed"),
    [
        (2020, "01-01 01-20 02-17 05-25 07-03 09-07 10-12 11-11 11-26 12-25"),
        (2021, "01-01 01-18 02-15 05-31 06-18 07-05 09-06 10-11 11-11 11-25 12-24 12-31"),
        (2022, "01-17 02-21 05-30 06-20 07-04 09-05 10-10 11-11 11-24 12-26"),
        (2023, "01-02 01-16 02-20 05-29 06-19 07-04 09-04 10-09 11-10 11-23 12-25"),
        (2024, "01-01 01-15 02-19 05-27 06-19 07-04 09-02 10-14 11-11 11-28 12-25"),
        (2025, "01-01 01-20 02-17 05-26 06-19 07-04 09-01 10-13 11-11 11-27 12-25"),
        (2026, "01-01 01-19 02-16 05-25 06-19 07-03 09-07 10-12 11-11 11-26 12-25"),
        (2027, "01-01 01-18 02-15 05-31 06-18 07-05 09-06 10-11 11-11 11-25 12-24 12-31"),
        (2028, "01-17 02-21 05-29 06-19 07-04 09-04 10-09 11-10 11-23 12-25"),
        (2029, "01-01 01-15 02-19 05-28 06-19 07-04 09-03 10-08 11-12 11-22 12-25"),
    ],
)
def test_law_6_the_federal_holidays_of_a_year(year: int, observed: str) -> None:
    """Where 1 January is a Saturday, its holiday is the last day of the year before."""
    assert " ".join(f"{day:%m-%d}" for day in sorted(federal_holidays(year))) == observed


@pytest.mark.parametrize(
    ("day", "second"),
    [
        ("2026-11-20", "2026-11-24"),
        ("2026-11-21", "2026-11-24"),
        ("2026-11-23", "2026-11-25"),
        ("2026-11-25", "2026-11-30"),
        ("2026-12-23", "2026-12-28"),
        ("2026-12-30", "2027-01-04"),
        ("2027-12-29", "2028-01-03"),
    ],
    ids=[
        "over a weekend",
        "from a weekend",
        "within a week",
        "over Thanksgiving and a weekend",
        "over Christmas",
        "over New Year's Day",
        "over one that is observed the year before",
    ],
)
def test_law_6_the_second_working_day_after_one(day: str, second: str) -> None:
    assert working_days_after(date.fromisoformat(day), 2) == date.fromisoformat(second)


@given(DAYS, st.integers(1, 5))
def test_law_6_between_a_day_and_its_nth_working_day_lie_exactly_n(day: date, n: int) -> None:
    last = working_days_after(day, n)
    between = [day + timedelta(days=k) for k in range(1, (last - day).days + 1)]
    assert [one for one in between if is_working_day(one)][-1] == last
    assert sum(map(is_working_day, between)) == n


@given(DAYS)
def test_law_6_no_working_day_is_at_a_weekend_and_no_week_has_less_than_three(day: date) -> None:
    week = [day + timedelta(days=k) for k in range(7)]
    assert not any(is_working_day(one) for one in week if one.weekday() >= 5)
    assert sum(map(is_working_day, week)) >= 3
