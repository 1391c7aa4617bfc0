"""The card networks' notice: where a client may have forgotten that they agreed to automatic payments, or is charged
more than they agreed to at the time, two whole working days lie between the notice and the charge, however short the
practice's own delay is (LAW-6, docs/decisions/0016).

The instalments of a plan are apart: each of its days and amounts was agreed to when the plan was made.
"""

from calendar import monthrange
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from billing.account import Books
from billing.money import Cents, dollars
from billing.payment import Attempt, AttemptKind, AttemptState
from billing.period import local_date, morning
from billing.working_days import working_days_after

NOTICE_WORKING_DAYS: Final = 2
QUIET_MONTHS: Final = 6


class LongNotice(StrEnum):
    """Why a notice runs longer than the practice's own delay."""

    QUIET = "quiet"
    """No automatic payment in over six months, and no agreement either."""
    CHANGED_TERMS = "changed_terms"
    """More than the limit that held when the client agreed: the practice has raised its own since."""


def why_long(books: Books, amount: Cents, at: datetime, zone_name: str) -> LongNotice | None:
    """Why a charge of `amount` cents at `at` needs the long notice; None where it does not.

    Only what the practice changes by itself is a change of terms: another card, limit or text is agreed to anew by the
    client. When a charge happens is no term: what they agreed to is that its notice says so.
    """
    account = books.account
    if account.agreed_cap is not None and amount > account.agreed_cap:
        return LongNotice.CHANGED_TERMS
    agreed_at = account.agreed_at or account.enrolled_at
    if agreed_at is None:
        return LongNotice.QUIET  # nobody knows since when: the careful answer
    last = max([agreed_at, *charged_by(books.attempts, account.consent_id)])
    return LongNotice.QUIET if is_quiet_since(last, at, zone_name) else None


def charged_by(attempts: Iterable[Attempt], consent_id: str) -> Iterator[datetime]:
    """When charges under that consent were made that went through."""
    for attempt in attempts:
        posted = attempt.channel is AttemptKind.AUTOPAY and attempt.state is AttemptState.POSTED
        if posted and attempt.consent_id == consent_id:
            yield attempt.started_at


def is_quiet_since(last: datetime, at: datetime, zone_name: str) -> bool:
    """Whether `at` is over six months after `last`, by the days of the practice's calendar."""
    return local_date(at, zone_name) > months_after(local_date(last, zone_name), QUIET_MONTHS)


def months_after(day: date, months: int) -> date:
    """The same day so many months later, or the last of that month where it has no such day."""
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def long_notice_ends(noticed_at: datetime, zone_name: str) -> datetime:
    """The first morning after two whole working days in the practice's zone; the day of the notice is none of them."""
    last = working_days_after(local_date(noticed_at, zone_name), NOTICE_WORKING_DAYS)
    return morning(last + timedelta(days=1), zone_name)


def long_notice_in_words(books: Books, why: LongNotice | None, practice_name: str) -> str:
    """Why they have longer this time, to the client; "" where they have not."""
    match why:
        case LongNotice.QUIET:
            return "It has been over six months, so you have two working days before this one to change your mind."
        case LongNotice.CHANGED_TERMS:
            then = dollars(books.account.agreed_cap or 0)
            return (
                f"When you turned automatic payments on, {practice_name} charged at most {then} by itself. It has "
                "raised that since, so you have two working days to change your mind."
            )
        case None:
            return ""
