"""What the fields of requests may hold, shared by every request: strict, bounded, with unknown fields refused.

JSON has types, so they are not guessed: an amount is an integer, never "12" or 12.0; an id is what a URL can hold.
Messages say what to write instead and never repeat what was sent.
"""

import re
from datetime import date, datetime, timedelta
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from edges.inbound.bad_input import BadInput

ID_PATTERN: Final = r"^[A-Za-z0-9._:-]{1,64}$"
ID_PATTERNS: Final = {
    "invoice_id": r"^inv_[0-9a-f]{20}_[A-Za-z0-9._:-]{1,64}$",
    "plan_id": r"^plan_[0-9a-f]{20}_[A-Za-z0-9._:-]{1,64}$",
    "review_id": r"^rev_[0-9a-f]{20}_[A-Za-z0-9._:-]{1,64}$",
}
"""Ids of ours that end in their client's, by what a path calls them (billing/ids.py, billing/review.py)."""
MAX_AMOUNT: Final = 100_000_000
"""A million dollars: above it, someone mistook the unit."""
FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 9999
"""The calendar of computers ends at both ends: an instant there has no other time zone. A last day may be its last."""
AHEAD: Final = timedelta(days=1)
"""How far a caller's clock may be ahead of ours."""
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EMAIL: Final = re.compile(r"[^\s@<>,;:\"()\[\]\\]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")


class Request(BaseModel):
    """A request body. Unknown fields are refused: a misspelt one must not silently do nothing."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


def _day(value: object) -> date:
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            day = date.fromisoformat(value)
        except ValueError as error:
            raise ValueError("must be a day of the calendar, written YYYY-MM-DD") from error
        if day.year >= FIRST_YEAR:
            return day
    raise ValueError("must be a day written YYYY-MM-DD")


def _instant(value: object) -> datetime:
    if isinstance(value, str):
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            at = None
        if at is not None and at.tzinfo is not None and FIRST_YEAR <= at.year < LAST_YEAR:
            return at
    raise ValueError("must be an instant with its offset, written like 2026-11-20T09:30:00-08:00")


def refuse_future(field: str, told: datetime, now: datetime) -> None:
    """Raise BadInput 422 for something that is told as done, and lies further ahead than a clock or a time zone can be
    wrong: it would be billed, or outlast what is told later."""
    if told > now + AHEAD:
        raise BadInput(422, "Some fields cannot be taken as they are; see errors.", ((field, "must not be to come"),))


def printable(value: str) -> str:
    """One line of text, without spaces at its ends."""
    text = value.strip()
    if not text.isprintable():
        raise ValueError("must not hold line breaks or control characters")
    return text


def not_blank(value: str) -> str:
    """Some text."""
    if not value:
        raise ValueError("must not be blank")
    return value


def _email(value: str) -> str:
    if not value.isprintable() or not _EMAIL.fullmatch(value):
        raise ValueError("must be an email address")
    return value


def _phone(value: str) -> str:
    """In E.164, the way two numbers are compared (PAY-2); without a country code it is read as a US number."""
    import phonenumbers  # here, because most requests have no phone number and its tables are large

    try:
        number = phonenumbers.parse(value, "US")
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_possible_number(number):
        raise ValueError("must be a phone number, with +country code when it is not in the US")
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


Id = Annotated[str, Field(pattern=ID_PATTERN)]
Text = Annotated[str, Field(max_length=200), AfterValidator(printable)]
"""A line of text for people, without spaces at its ends; may be empty."""
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(printable), AfterValidator(not_blank)]
Email = Annotated[str, Field(max_length=254), AfterValidator(_email)]
Phone = Annotated[str, Field(max_length=40), AfterValidator(_phone)]
Amount = Annotated[int, Field(ge=0, le=MAX_AMOUNT)]
"""Cents."""
Day = Annotated[date, BeforeValidator(_day)]
Instant = Annotated[datetime, BeforeValidator(_instant)]
