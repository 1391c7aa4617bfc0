"""POST /v1/invoices/{invoice_id}/refunds, /void, /write-off, /payments and /reviews, /v1/reviews/{review_id}/decision,
/v1/plans/{plan_id}/end: staff change an invoice, look into it, or end a plan."""

from collections.abc import Mapping
from typing import Any

from edges import container, deadline
from edges.http import Request, Response
from edges.inbound.door import answered


def handler(event: Mapping[str, Any], context: object) -> Response:
    """API Gateway's way in."""
    deadline.answers(context)
    request = Request.of(event)

    def act() -> Response:
        from functions.change_invoice.api import serve  # here: pydantic is no part of a cold start's refusal

        return serve(request, store=container.store(), cards=container.cards, now=container.clock().now())

    return answered(request, act)
