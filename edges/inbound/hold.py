"""What staff send about a hold: release it, put it aside, or say which claim it is about (DESK-5)."""

from typing import Annotated

from pydantic import AfterValidator, Field

from edges.inbound.fields import MAX_AMOUNT, Id, Request, printable
from edges.inbound.invoice_change import Reason


class ReleaseIn(Request):
    """Body of `POST /v1/holds/{id}/release`: bills the share that the payer states, or the amount named."""

    reason: Reason
    patient_amount: Annotated[int, Field(ge=0, le=MAX_AMOUNT)] | None = None


class RejectIn(Request):
    """Body of `POST /v1/holds/{id}/reject`: nothing is billed for it."""

    reason: Reason


class RematchIn(Request):
    """Body of `POST /v1/holds/{id}/rematch`: the result is judged as if it had named that claim."""

    claim_id: Id
    reason: Annotated[str, Field(max_length=500), AfterValidator(printable)] = ""
