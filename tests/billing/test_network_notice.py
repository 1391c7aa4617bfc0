"""When a client has two working days before a charge, whatever the practice's own delay (LAW-6)."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.autopay import NoCharge, announced_moment, charge_moment, why_not
from billing.network_notice import LongNotice, long_notice_ends, months_after, why_long
from billing.period import local_date
from billing.plan import Plan, schedule
from billing.policy import AutopayDelay
from billing.working_days import is_working_day
from tests.billing.examples import BY_HAND, ENROLLED, NOW, PRACTICE, announced, books, invoice, paid, practice

ZONE = PRACTICE.time_zone
OLD_CONSENT = replace(ENROLLED, agreed_at=NOW - timedelta(days=400))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("agreed", "charged", "why"),
    [
        ("2026-05-20T20:00", None, None),
        ("2026-05-20T06:59", None, LongNotice.QUIET),
        ("2025-01-01T12:00", "2026-05-20T20:00", None),
        ("2025-01-01T12:00", "2026-05-19T20:00", LongNotice.QUIET),
    ],
    ids=["agreed six months ago", "and a day", "charged six months ago", "and a day"],
)
def test_law_6_over_six_months_without_a_charge(agreed: str, charged: str | None, why: LongNotice | None) -> None:
    """Six months of the practice's calendar: it is 20 November there. 06:59 UTC is still the evening before."""
    rows = paid(invoice(6250), started_at=utc(charged), consent_id="consent_1") if charged else ()
    at = books(*rows, account=replace(ENROLLED, agreed_at=utc(agreed)))
    assert why_long(at, 6250, NOW, ZONE) is why


def test_law_6_what_counts_as_a_charge() -> None:
    """One that went through, by itself, under the consent in force."""
    lately = NOW - timedelta(days=30)
    for other in ({"consent_id": "consent_0"}, {"state": "failed"}, {"channel": "checkout"}):
        changes = {"started_at": lately, "consent_id": "consent_1"} | other
        at = books(*paid(invoice(6250), **changes), account=OLD_CONSENT)
        assert why_long(at, 6250, NOW, ZONE) is LongNotice.QUIET


def test_law_6_a_consent_of_unknown_age_has_the_long_notice() -> None:
    unknown = replace(ENROLLED, agreed_at=None)
    assert why_long(books(account=unknown), 6250, NOW, ZONE) is LongNotice.QUIET
    assert why_long(books(account=replace(unknown, enrolled_at=NOW)), 6250, NOW, ZONE) is None


def test_law_6_more_than_the_limit_that_held_when_the_client_agreed() -> None:
    at = books(account=replace(ENROLLED, agreed_cap=50_00))
    assert why_long(at, 50_00, NOW, ZONE) is None
    assert why_long(at, 50_01, NOW, ZONE) is LongNotice.CHANGED_TERMS


@pytest.mark.parametrize(
    ("accepted", "ends"),
    [
        ("2026-11-20T17:00", "2026-11-25T17:00"),
        ("2026-11-21T07:59", "2026-11-25T17:00"),
        ("2026-11-21T08:00", "2026-11-25T17:00"),
        ("2026-11-23T08:00", "2026-11-26T17:00"),
        ("2026-11-25T17:00", "2026-12-01T17:00"),
        ("2026-03-05T18:00", "2026-03-10T16:00"),
    ],
    ids=["a Friday", "its last minute", "a Saturday", "a Monday", "before Thanksgiving", "across the clock's change"],
)
def test_law_6_two_whole_working_days_lie_between(accepted: str, ends: str) -> None:
    """9 am in Los Angeles on the day after the second of them."""
    assert long_notice_ends(utc(accepted), ZONE) == utc(ends)


@pytest.mark.parametrize(
    ("policy", "moment"),
    [
        ({}, "2026-11-25T17:00"),
        ({"autopay_delay": AutopayDelay.OVERNIGHT}, "2026-11-25T17:00"),
        ({"minimum_notice_hours": 336}, "2026-12-04T17:00"),
    ],
)
def test_law_6_the_later_of_the_two_counts(policy: dict[str, object], moment: str) -> None:
    assert announced_moment(books(account=OLD_CONSENT), invoice(6250), practice(**policy), NOW) == utc(moment)


def test_law_6_who_was_charged_lately_waits_no_longer() -> None:
    bill, of = invoice(6250), PRACTICE
    assert announced_moment(books(), bill, of, NOW) == charge_moment(bill, of, NOW)


def test_law_6_six_months_may_end_between_the_notice_and_the_charge() -> None:
    account = replace(ENROLLED, agreed_at=utc("2026-05-21T20:00"))
    assert announced_moment(books(account=account), invoice(6250), PRACTICE, NOW) == utc("2026-11-25T17:00")


def test_law_6_a_charge_that_would_be_too_soon_waits() -> None:
    bill = announced(6250, notice_at=NOW - timedelta(hours=48))
    assert why_not(books(bill), bill, PRACTICE, NOW) is None
    assert why_not(books(bill, account=OLD_CONSENT), bill, PRACTICE, NOW) is NoCharge.NOTICE_TOO_YOUNG
    noticed = replace(bill, notice_at=NOW - timedelta(days=5))
    assert why_not(books(noticed, account=OLD_CONSENT), noticed, PRACTICE, NOW) is None


def test_law_6_a_plans_days_were_agreed_to_with_the_plan() -> None:
    """LAW-7, PLAN-5: its schedule is the agreed range, and its notice."""
    plan = Plan(
        "riverbend",
        "ana",
        "plan_1",
        1,
        2,
        NOW,
        (),
        schedule(125_00, 2, NOW.date()),
        notice_at=NOW - timedelta(hours=12),
    )
    part = announced(6250, plan_id="plan_1", source="plan", notice_at=None)
    assert why_not(books(part, plan, account=OLD_CONSENT), part, PRACTICE, NOW) is None


def test_law_6_nobody_who_is_not_enrolled_has_a_moment_at_all() -> None:
    assert why_not(books(account=BY_HAND), announced(6250), PRACTICE, NOW) is NoCharge.AUTOPAY_OFF


@pytest.mark.parametrize(
    ("day", "half_a_year_later"),
    [
        ("2026-05-20", "2026-11-20"),
        ("2026-08-31", "2027-02-28"),
        ("2027-08-31", "2028-02-29"),
        ("2026-06-30", "2026-12-30"),
    ],
)
def test_law_6_half_a_year_by_the_calendar(day: str, half_a_year_later: str) -> None:
    assert months_after(date.fromisoformat(day), 6) == date.fromisoformat(half_a_year_later)


@given(st.integers(0, 20 * 365 * 24 * 60), st.sampled_from(list(AutopayDelay)))
def test_law_6_whatever_is_chosen_two_working_days_lie_between_and_the_delay_is_never_shortened(
    minutes: int, delay: AutopayDelay
) -> None:
    at, of = NOW + timedelta(minutes=minutes), practice(autopay_delay=delay)
    bill = invoice(6250, issued_at=at)
    moment = announced_moment(books(account=replace(ENROLLED, agreed_at=at - timedelta(days=200))), bill, of, at)
    day, last = local_date(at, ZONE), local_date(moment, ZONE)
    between = [day + timedelta(days=n) for n in range(1, (last - day).days)]
    assert sum(map(is_working_day, between)) >= 2
    assert moment >= charge_moment(bill, of, at)
