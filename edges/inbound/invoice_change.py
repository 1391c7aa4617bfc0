"""What staff send to change an invoice: each with its reason, in words."""

from typing import Annotated

from pydantic import AfterValidator, Field

from billing.outside_payment import PaidBy
from edges.inbound.fields import MAX_AMOUNT, Day, Request, not_blank, printable

Cents = Annotated[int, Field(ge=1, le=MAX_AMOUNT)]
Reason = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(printable), AfterValidator(not_blank)]


class VoidIn(Request):
    """Body of `POST /v1/invoices/{id}/void`."""

    reason: Reason


class WriteOffIn(Request):
    """Body of `POST /v1/invoices/{id}/write-off`."""

    reason: Reason


class EndPlanIn(Request):
    """Body of `POST /v1/plans/{id}/end`."""

    reason: Reason


class PaymentIn(Request):
    """Body of `POST /v1/invoices/{id}/payments`: money that the practice took itself (INV-10). `received_on`: a day at
    the practice, today where it is left out."""

    amount: Cents
    reason: Reason
    received_on: Day | None = None
    method: Annotated[PaidBy, Field(strict=False)] = PaidBy.OTHER


class RefundIn(Request):
    """Body of `POST /v1/invoices/{id}/refunds`: all that can go back to the card where no amount is named (PAY-12)."""

    amount: Cents | None = None
    reason: Reason
