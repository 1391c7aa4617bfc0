"""Dates of the practice's zone, hours that elapse, and the nights when the clock jumps (AUTO-3)."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.period import local_date, local_instant, morning, overnight_after, whole_minute, zone

NEW_YORK, LOS_ANGELES, PHOENIX = "America/New_York", "America/Los_Angeles", "America/Phoenix"
ZONES = (NEW_YORK, LOS_ANGELES, PHOENIX, "Pacific/Honolulu", "UTC", "America/St_Johns", "Australia/Lord_Howe")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "at", "zone_name", "instant"),
    [
        # A gap: 02:00 to 03:00 on 2026-03-08 does not exist; the jump is the first instant at or after it.
        (date(2026, 3, 8), time(2, 0), NEW_YORK, "2026-03-08T07:00"),
        (date(2026, 3, 8), time(2, 30), NEW_YORK, "2026-03-08T07:00"),
        (date(2026, 3, 8), time(2, 30), LOS_ANGELES, "2026-03-08T10:00"),
        (date(2026, 3, 8), time(2, 0), PHOENIX, "2026-03-08T09:00"),
        (date(2026, 3, 8), time(3, 0), NEW_YORK, "2026-03-08T07:00"),
        # A fold: 01:00 to 02:00 on 2026-11-01 comes twice; it is read as its first coming.
        (date(2026, 11, 1), time(1, 30), NEW_YORK, "2026-11-01T05:30"),
        (date(2026, 11, 1), time(1, 30), LOS_ANGELES, "2026-11-01T08:30"),
        (date(2026, 11, 1), time(2, 0), NEW_YORK, "2026-11-01T07:00"),
        # Half an hour of gap.
        (date(2026, 10, 4), time(2, 10), "Australia/Lord_Howe", "2026-10-03T15:30"),
        (date(2026, 7, 1), time(9, 0), LOS_ANGELES, "2026-07-01T16:00"),
    ],
)
def test_a_local_time_is_the_first_instant_at_or_after_it(day: date, at: time, zone_name: str, instant: str) -> None:
    assert local_instant(day, at, zone_name) == utc(instant)


@given(
    st.dates(date(2020, 1, 1), date(2035, 12, 31)),
    st.times().map(lambda t: t.replace(microsecond=0)),
    st.sampled_from(ZONES),
)
def test_no_earlier_instant_of_that_day_reads_at_or_after_the_time_asked_for(day: date, at: time, name: str) -> None:
    found = local_instant(day, at, name)
    wall = datetime.combine(day, at)
    assert found.astimezone(zone(name)).replace(tzinfo=None) >= wall
    before = (found - timedelta(seconds=1)).astimezone(zone(name)).replace(tzinfo=None)
    assert before < wall


@pytest.mark.parametrize(
    ("issued", "zone_name", "charged"),
    [
        ("2026-11-20T17:00", LOS_ANGELES, "2026-11-21T10:00"),
        ("2026-11-21T07:59", LOS_ANGELES, "2026-11-21T10:00"),
        ("2026-11-21T08:00", LOS_ANGELES, "2026-11-22T10:00"),
        ("2026-11-20T08:30", LOS_ANGELES, "2026-11-21T10:00"),
        ("2026-03-07T20:00", NEW_YORK, "2026-03-08T07:00"),
        ("2026-03-07T20:00", PHOENIX, "2026-03-08T09:00"),
        ("2026-10-31T20:00", NEW_YORK, "2026-11-01T07:00"),
    ],
    ids=[
        "next night",
        "a minute before midnight",
        "at midnight",
        "after midnight",
        "gap",
        "no daylight saving",
        "fold",
    ],
)
def test_overnight_is_the_first_two_oclock_of_a_later_date(issued: str, zone_name: str, charged: str) -> None:
    """AUTO-3"""
    assert overnight_after(utc(issued), zone_name) == utc(charged)


def test_a_date_is_the_practices_not_utcs() -> None:
    assert local_date(utc("2026-11-21T05:00"), LOS_ANGELES) == date(2026, 11, 20)
    assert local_date(utc("2026-11-21T05:00"), NEW_YORK) == date(2026, 11, 21)


def test_mornings_are_at_nine_on_both_sides_of_a_change() -> None:
    assert morning(date(2026, 3, 7), NEW_YORK) == utc("2026-03-07T14:00")
    assert morning(date(2026, 3, 8), NEW_YORK) == utc("2026-03-08T13:00")


@pytest.mark.parametrize(
    ("at", "minute"), [("12:00:00", "12:00"), ("12:00:01", "12:01"), ("12:00:00.000001", "12:01"), ("23:59:30", "24")]
)
def test_due_work_is_looked_at_on_the_first_whole_minute(at: str, minute: str) -> None:
    expected = utc("2026-11-21T00:00") if minute == "24" else utc(f"2026-11-20T{minute}")
    assert whole_minute(utc(f"2026-11-20T{at}")) == expected


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd"])
def test_an_unknown_zone_says_what_to_write(name: str) -> None:
    with pytest.raises(ValueError, match="write one like America/Los_Angeles"):
        zone(name)
