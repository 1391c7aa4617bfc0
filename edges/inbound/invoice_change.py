"""What staff send to change an invoice: each with its reason, in words."""

from typing import Annotated

from pydantic import AfterValidator, Field

from edges.inbound.fields import Request, not_blank, printable

Reason = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(printable), AfterValidator(not_blank)]


class VoidIn(Request):
    """Body of `POST /v1/invoices/{id}/void`."""

    reason: Reason


class WriteOffIn(Request):
    """Body of `POST /v1/invoices/{id}/write-off`."""

    reason: Reason
