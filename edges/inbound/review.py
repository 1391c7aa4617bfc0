"""What staff send about a review: a client's word that their plan quoted another amount, and the decision (INV-7)."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from edges.inbound.fields import MAX_AMOUNT, Request, printable
from edges.inbound.invoice_change import Reason

Reference = Annotated[str, Field(max_length=64), AfterValidator(printable)]
"""The number that an insurer gives a call."""


class ReviewIn(Request):
    """Body of `POST /v1/invoices/{id}/reviews`, on the client's behalf: what they were told, where they know it."""

    reason: Annotated[str, Field(max_length=500), AfterValidator(printable)] = ""
    quoted_amount: Annotated[int, Field(ge=0, le=MAX_AMOUNT)] | None = None
    call_reference: Reference = ""


class DecisionIn(Request):
    """Body of `POST /v1/reviews/{id}/decision`. `amount`: what the invoice asks for from now on; `correct` needs it."""

    decision: Literal["uphold", "correct"]
    amount: Annotated[int, Field(ge=0, le=MAX_AMOUNT)] | None = None
    reason: Reason
    call_reference: Reference = ""

    @model_validator(mode="after")
    def _names_an_amount_where_it_changes(self) -> Self:
        if (self.decision == "correct") is (self.amount is None):
            raise ValueError("amount goes with correct, and only with it")
        return self
