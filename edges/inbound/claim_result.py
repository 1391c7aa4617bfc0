"""The JSON shape of a claim result as strangers send it: checked here, and nowhere else.

Amounts are whole cents as JSON integers, never a float, a string or a boolean. Unknown fields are refused: a misspelt
`adjustments` must not read as "no adjustments". Groups and reason codes are free: unknown ones are held by the gates.
"""

import re
from datetime import date
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

MAX_CENTS: Final = 10**12
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _date(value: object) -> date | None:
    """Only CCYY-MM-DD: pydantic alone would also take a number of seconds."""
    if value is None:
        return None
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise ValueError("must be a date written YYYY-MM-DD")
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise ValueError("must be a day of the calendar, written YYYY-MM-DD") from error


Cents = Annotated[int, Field(gt=-MAX_CENTS, lt=MAX_CENTS)]
Day = Annotated[date | None, BeforeValidator(_date)]
Status = Literal[
    "processed_primary",
    "processed_secondary",
    "processed_tertiary",
    "processed_primary_forwarded",
    "processed_secondary_forwarded",
    "processed_tertiary_forwarded",
    "denied",
    "reversal",
    "predetermination",
    "not_ours",
]


def _identifier(max_chars: int) -> object:
    """Printable ASCII, not blank at either end."""
    return Field(pattern=r"^[!-~]([ -~]*[!-~])?$", min_length=1, max_length=max_chars)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class PayerIn(_Strict):
    """Who decided."""

    id: Annotated[str, _identifier(80)]
    name: Annotated[str, Field(max_length=80)] = ""


class AdjustmentIn(_Strict):
    """Why an amount was not paid; negative amounts raise the payment."""

    group: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{1,5}$")]
    code: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{1,5}$")]
    amount: Cents


class LineIn(_Strict):
    """One service of the claim."""

    procedure: Annotated[str, _identifier(48)]
    service_date: Day = None
    charged: Cents
    paid: Cents
    adjustments: Annotated[list[AdjustmentIn], Field(max_length=99)] = Field(default_factory=list)


class ClaimResultIn(_Strict):
    """One claim result as posted to `/v1/claim-results`."""

    claim_id: Annotated[str, _identifier(38)]
    payer: PayerIn
    payer_claim_id: Annotated[str, _identifier(50)]
    status: Status
    adjudicated_on: Day = None
    currency: Annotated[str, Field(pattern=r"^[A-Za-z]{3}$")]
    charged: Cents
    paid: Cents
    adjustments: Annotated[list[AdjustmentIn], Field(max_length=99)] = Field(default_factory=list)
    lines: Annotated[list[LineIn], Field(max_length=999)] = Field(default_factory=list)
