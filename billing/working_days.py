"""Working days: Monday to Friday, less the federal holidays of the United States (LAW-6).

Holidays are worked out, for any year, from 5 U.S.C. 6103: a fixed one that falls on a Saturday is observed on the
Friday before, one on a Sunday on the Monday after. The day of a presidential inauguration is a holiday around
Washington only, and a working day here.
"""

from datetime import date, timedelta
from functools import lru_cache
from typing import Final

MONDAY: Final = 0
THURSDAY: Final = 3
SATURDAY: Final = 5
SUNDAY: Final = 6
JUNETEENTH_SINCE: Final = 2021


@lru_cache(maxsize=16)
def federal_holidays(year: int) -> frozenset[date]:
    """The days of that year on which a federal holiday is observed; New Year's Day of the next may be its last."""
    fixed = [(1, 1), (7, 4), (11, 11), (12, 25)]
    if year >= JUNETEENTH_SINCE:
        fixed.append((6, 19))
    observed = {_observed(date(year, month, day)) for month, day in fixed} | {_observed(date(year + 1, 1, 1))}
    floating = {
        _nth(year, 1, MONDAY, 3),  # Birthday of Martin Luther King, Jr.
        _nth(year, 2, MONDAY, 3),  # Washington's Birthday
        _nth(year, 6, MONDAY, 1) - timedelta(weeks=1),  # Memorial Day: the last Monday of May
        _nth(year, 9, MONDAY, 1),  # Labor Day
        _nth(year, 10, MONDAY, 2),  # Columbus Day
        _nth(year, 11, THURSDAY, 4),  # Thanksgiving Day
    }
    return frozenset(day for day in observed | floating if day.year == year)


def is_working_day(day: date) -> bool:
    """Neither a weekend nor a federal holiday."""
    return day.weekday() < SATURDAY and day not in federal_holidays(day.year)


def working_days_after(day: date, days: int) -> date:
    """The last of the first `days` working days that follow `day`."""
    while days:
        day += timedelta(days=1)
        days -= is_working_day(day)
    return day


def _observed(day: date) -> date:
    moved = {SATURDAY: -1, SUNDAY: 1}.get(day.weekday(), 0)
    return day + timedelta(days=moved)


def _nth(year: int, month: int, weekday: int, n: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7, weeks=n - 1)
