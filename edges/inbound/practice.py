"""What a practice's own systems send about themselves: the practice, its clinicians, its policies."""

from dataclasses import replace
from itertools import pairwise
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)

from billing.autopay import NOTICE_FLOOR_HOURS
from billing.choosing import unfit
from billing.period import zone
from billing.policy import (
    NOT_BUILT,
    AmountSource,
    AutopayDelay,
    OutsidePayments,
    Overpayment,
    Policy,
    Practice,
    Provider,
    TilDisclosure,
)
from billing.policy_guide import GUIDE
from edges.inbound.bad_input import BadInput
from edges.inbound.fields import Amount, Email, Name, Phone, Request, not_blank, printable

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


def _unlike(names: list[str]) -> list[str]:
    if len({name.casefold() for name in names}) < len(names):
        raise ValueError("must name each programme once")
    return names


def _plain_text(value: str) -> str:
    text = value.strip()
    if not all(line.isprintable() for line in text.split("\n")):
        raise ValueError("must not hold control characters")
    return text


ReadOnly = Annotated[Any, Field(description="Not looked at.", json_schema_extra={"readOnly": True})]
"""What GET shows beside the policies, so that its answer may be sent back."""
Programme = Annotated[str, Field(min_length=1, max_length=80), AfterValidator(printable), AfterValidator(not_blank)]
RetryDays = Annotated[list[Annotated[int, Field(ge=1, le=30)]], Field(max_length=12), AfterValidator(_increasing)]
"""With the first try these are 13 in 30 days, and one a day: within what every card network takes (AUTO-7)."""
ReminderDays = Annotated[list[Annotated[int, Field(ge=1, le=365)]], Field(max_length=12), AfterValidator(_increasing)]


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

    Hours are elapsed, days are dates in the practice's time zone, `default_cap` is cents. `version`: the one this
    change was made for; another one in force is then not overwritten. What GET shows may be sent back whole.
    """

    version: Annotated[int, Field(ge=1)] | None = None
    about: ReadOnly = None
    disclosure: ReadOnly = None
    amount_source: Annotated[AmountSource, Field(strict=False)] = DEFAULTS.amount_source
    overpayment: Annotated[Overpayment, Field(strict=False)] = DEFAULTS.overpayment
    eap_programmes: Annotated[list[Programme], Field(max_length=40), AfterValidator(_unlike)] = Field(
        list(DEFAULTS.eap_programmes)
    )
    autopay_delay: Annotated[AutopayDelay, Field(strict=False)] = DEFAULTS.autopay_delay
    autopay_offered: bool = DEFAULTS.autopay_offered
    minimum_notice_hours: Annotated[int, Field(ge=NOTICE_FLOOR_HOURS, le=336)] = DEFAULTS.minimum_notice_hours
    retry_days: RetryDays = Field(list(DEFAULTS.retry_days))
    fsa_autopay: bool = DEFAULTS.fsa_autopay
    default_cap: Amount = DEFAULTS.default_cap
    payment_window_days: Annotated[int, Field(ge=1, le=365)] = DEFAULTS.payment_window_days
    reminder_days: ReminderDays = Field(list(DEFAULTS.reminder_days))
    accept_test_files: bool = DEFAULTS.accept_test_files
    bill_reviewable: bool = DEFAULTS.bill_reviewable
    outside_payments: Annotated[OutsidePayments, Field(strict=False)] = DEFAULTS.outside_payments
    card_required: bool = DEFAULTS.card_required
    plan_absorbs_new: bool = DEFAULTS.plan_absorbs_new
    til_disclosure: Annotated[TilDisclosure, Field(strict=False)] = DEFAULTS.til_disclosure
    til_text: Annotated[str, Field(max_length=4000), AfterValidator(_plain_text)] = DEFAULTS.til_text

    @field_validator(*GUIDE, mode="wrap")
    @classmethod
    def _allowed(cls, value: Any, check: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        """One sentence for whatever is wrong with a policy: what it must be."""
        name = str(info.field_name)
        try:
            chosen = check(value)
        except ValidationError:
            raise ValueError(f"must be {GUIDE[name].allowed}") from None
        if name in NOT_BUILT and chosen != cls.model_fields[name].default:
            raise ValueError("is not available yet: only its default can be chosen")
        return chosen

    def change(self, policy: Policy) -> Policy:
        """`policy` with what was sent. Raises BadInput where that does not go together."""
        sent: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set & GUIDE.keys()}
        for name, value in sent.items():
            if isinstance(value, list):
                sent[name] = tuple(value)
        chosen = replace(policy, **sent)
        if wrong := unfit(chosen):
            raise BadInput(422, "These policies do not go together.", wrong)
        return chosen
