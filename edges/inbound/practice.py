"""What a practice's own systems send about themselves: the practice, its clinicians, its policies."""

from dataclasses import replace
from itertools import pairwise
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from billing.autopay import NOTICE_FLOOR_HOURS
from billing.period import zone
from billing.policy import AutopayDelay, OutsidePayments, Policy, Practice, Provider
from edges.inbound.fields import Amount, Email, Name, Phone, Request

DEFAULTS: Final = Policy()


def _time_zone(name: str) -> str:
    try:
        zone(name)
    except ValueError as error:
        raise ValueError("must be an IANA time zone, like America/Los_Angeles") from error
    return name


def _increasing(days: list[int]) -> list[int]:
    if any(earlier >= later for earlier, later in pairwise(days)):
        raise ValueError("must be days in rising order, each once")
    return days


DaysAfter = Annotated[list[Annotated[int, Field(ge=1, le=365)]], Field(max_length=12), AfterValidator(_increasing)]


class PracticeIn(Request):
    """Body of `PUT /v1/practices/{id}`."""

    name: Name
    time_zone: Annotated[str, Field(max_length=64), AfterValidator(_time_zone)]
    phone: Phone
    email: Email
    online_payments: bool = True
    stripe_account: Annotated[str, Field(pattern=r"^(acct_[A-Za-z0-9]{1,60})?$")] | None = None

    def record(self, practice: str) -> Practice:
        """The practice as a new row."""
        return Practice(
            practice=practice,
            version=1,
            name=self.name,
            time_zone=self.time_zone,
            phone=self.phone,
            email=self.email,
            online_payments=self.online_payments,
            stripe_account=self.stripe_account or "",
        )


class ProviderIn(Request):
    """Body of `PUT /v1/providers/{id}`."""

    name: Name
    email: Email
    npi: Annotated[str, Field(pattern=r"^([0-9]{10})?$")] = ""
    tax_id: Annotated[str, Field(pattern=r"^([0-9]{2}-?[0-9]{7}|[0-9]{3}-[0-9]{2}-[0-9]{4})?$")] = ""
    phone: Phone | None = None

    def record(self, practice: str, provider: str) -> Provider:
        """The clinician as a new row."""
        return Provider(practice, provider, 1, self.name, self.email, self.npi, self.tax_id, self.phone or "")


class PolicyIn(Request):
    """Body of `PUT /v1/practices/{id}/policies`: the policies to change; those left out stay as they are.

    Hours are elapsed, days are dates in the practice's time zone, `default_cap` is cents.
    """

    autopay_delay: Annotated[AutopayDelay, Field(strict=False)] = DEFAULTS.autopay_delay
    autopay_offered: bool = DEFAULTS.autopay_offered
    minimum_notice_hours: Annotated[int, Field(ge=NOTICE_FLOOR_HOURS, le=336)] = DEFAULTS.minimum_notice_hours
    retry_days: DaysAfter = Field(list(DEFAULTS.retry_days))
    fsa_autopay: bool = DEFAULTS.fsa_autopay
    default_cap: Amount = DEFAULTS.default_cap
    payment_window_days: Annotated[int, Field(ge=1, le=365)] = DEFAULTS.payment_window_days
    reminder_days: DaysAfter = Field(list(DEFAULTS.reminder_days))
    accept_test_files: bool = DEFAULTS.accept_test_files
    bill_reviewable: bool = DEFAULTS.bill_reviewable
    outside_payments: Annotated[OutsidePayments, Field(strict=False)] = DEFAULTS.outside_payments

    def change(self, policy: Policy) -> Policy:
        """`policy` with what was sent."""
        sent: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set}
        for name in sent.keys() & {"retry_days", "reminder_days"}:
            sent[name] = tuple(sent[name])
        return replace(policy, **sent)
