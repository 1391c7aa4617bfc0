"""Reminders and the payment window, by the practice's calendar."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from billing.dunning import back_to_reminders, next_reminder, past_due_from
from tests.billing.examples import NOW, PRACTICE, announced, practice

NEW_YORK = replace(PRACTICE, time_zone="America/New_York")


def reminders(issued_at: datetime, of: object = PRACTICE) -> list[datetime]:
    """Every reminder of an invoice, as a clock that steps from one to the next sees them."""
    found: list[datetime] = []
    at: datetime | None = issued_at
    while (at := next_reminder(issued_at, of, at)) is not None:  # type: ignore[arg-type]
        found.append(at)
    return found


def test_reminders_come_at_nine_on_days_3_7_14_30_45_and_55() -> None:
    """INV-9"""
    assert reminders(NOW) == [
        datetime(2026, 11, 23, 17, 0, tzinfo=UTC),
        datetime(2026, 11, 27, 17, 0, tzinfo=UTC),
        datetime(2026, 12, 4, 17, 0, tzinfo=UTC),
        datetime(2026, 12, 20, 17, 0, tzinfo=UTC),
        datetime(2027, 1, 4, 17, 0, tzinfo=UTC),
        datetime(2027, 1, 14, 17, 0, tzinfo=UTC),
    ]


def test_nine_in_the_morning_stays_nine_when_the_clock_changes() -> None:
    """INV-9: issued on March 5 in New York, day 3 is the day of the change."""
    first = reminders(datetime(2026, 3, 5, 20, 0, tzinfo=UTC), NEW_YORK)[:2]
    assert first == [datetime(2026, 3, 8, 13, 0, tzinfo=UTC), datetime(2026, 3, 12, 13, 0, tzinfo=UTC)]


def test_the_days_are_a_policy_in_any_order() -> None:
    """INV-9"""
    assert reminders(NOW, practice(reminder_days=(10, 5))) == [
        datetime(2026, 11, 25, 17, 0, tzinfo=UTC),
        datetime(2026, 11, 30, 17, 0, tzinfo=UTC),
    ]
    assert reminders(NOW, practice(reminder_days=())) == []


def test_an_invoice_is_past_due_when_its_sixtieth_day_begins() -> None:
    """INV-8: midnight of the practice's zone."""
    assert past_due_from(NOW, PRACTICE) == datetime(2027, 1, 19, 8, 0, tzinfo=UTC)
    assert past_due_from(NOW, practice(payment_window_days=30)) == datetime(2026, 12, 20, 8, 0, tzinfo=UTC)


def test_late_in_the_evening_is_still_the_practices_day() -> None:
    """INV-8: 23:30 in Los Angeles is already tomorrow in UTC."""
    assert past_due_from(datetime(2026, 11, 21, 7, 30, tzinfo=UTC), PRACTICE) == past_due_from(NOW, PRACTICE)


def test_an_invoice_whose_charge_is_over_is_reminded_of_next_never_in_the_past() -> None:
    """AUTO-8"""
    later = NOW + timedelta(days=10)
    back = back_to_reminders(announced(6250, issued_at=NOW), PRACTICE, later)
    assert back.charge_at is None
    assert back.remind_at == datetime(2026, 12, 4, 17, 0, tzinfo=UTC)


def test_what_is_too_small_to_be_paid_alone_is_not_reminded_of_alone() -> None:
    """INV-11"""
    assert back_to_reminders(announced(49), PRACTICE, NOW).remind_at is None
    assert back_to_reminders(announced(50), PRACTICE, NOW).remind_at is not None
