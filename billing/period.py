"""Days and hours as the rules mean them: days, weeks and windows are dates in the practice's time zone; hours are
elapsed time (AUTO-3). Every instant is timezone-aware UTC; a local date exists only inside these functions.

A local time that daylight saving skips is read as the first instant at or after it; one that comes twice is its
first coming.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

MAIL_HOUR = time(9, 0)
"""Mails of a day go out, and instalments issue, at 09:00 in the practice's zone (contract.md, Clients)."""
OVERNIGHT = time(2, 0)
"""`autopay_delay: overnight` charges at 02:00 in the practice's zone (AUTO-3)."""


@lru_cache(maxsize=64)
def zone(name: str) -> ZoneInfo:
    """The IANA zone of that name; raises ValueError with what to write instead when there is none."""
    try:
        return ZoneInfo(name)
    except Exception as e:
        raise ValueError(f"{name!r} is no IANA time zone; write one like America/Los_Angeles") from e


def local_date(at: datetime, zone_name: str) -> date:
    """The calendar day of an instant, as the practice sees it."""
    return at.astimezone(zone(zone_name)).date()


def local_instant(day: date, at: time, zone_name: str) -> datetime:
    """The first instant at or after local time `at` on `day`, in UTC."""
    tz = zone(zone_name)
    wall = datetime.combine(day, at)
    instant = wall.replace(tzinfo=tz).astimezone(UTC)
    if instant.astimezone(tz).replace(tzinfo=None) == wall:
        return instant
    # The clock jumped over this wall time. The instant found lies after the jump by the distance into the gap: the
    # jump itself is the first instant whose local time is not before the one asked for.
    before = wall.replace(tzinfo=tz, fold=1).astimezone(UTC)
    low, high = min(before, instant), max(before, instant)
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(tz).replace(tzinfo=None) >= wall:
            high = middle
        else:
            low = middle
    return high.replace(microsecond=0)


def overnight_after(at: datetime, zone_name: str) -> datetime:
    """The first local instant at or after 02:00 on a later date than `at`'s (AUTO-3)."""
    return local_instant(local_date(at, zone_name) + timedelta(days=1), OVERNIGHT, zone_name)


def morning(day: date, zone_name: str) -> datetime:
    """09:00 of that day in the practice's zone, when the day's mails go out and instalments issue."""
    return local_instant(day, MAIL_HOUR, zone_name)


def whole_minute(at: datetime) -> datetime:
    """The first whole minute at or after `at`: due work is looked at once a minute."""
    floor = at.replace(second=0, microsecond=0)
    return floor if floor == at else floor + timedelta(minutes=1)
