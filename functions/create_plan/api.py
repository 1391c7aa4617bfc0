"""POST /v1/clients/{client_id}/plans in and out of JSON."""

import hashlib
from datetime import datetime
from typing import Final

from billing.idempotency import used_key
from billing.ids import account_key
from billing.ports import CardGateway, Refused, Store
from edges import views
from edges.http import Request, Response, respond
from edges.inbound.bad_input import BadInput
from edges.inbound.body import parse
from edges.inbound.door import authenticate_any, idempotency_key
from edges.inbound.plan_request import PlanIn
from functions.create_plan.flow import create

ROUTE: Final = "POST /v1/clients/plans"
"""What an idempotency key is bound within."""


def post_plan(request: Request, *, store: Store, cards: CardGateway, now: datetime) -> Response:
    """201 with the plan as the account shows it; 200 with the plan that the same Idempotency-Key made before.

    Raises Refused: 404 for an unknown client, 409 with the reason's code where PLAN-2 or PLAN-10 says no. BadInput for
    a body that is no plan request, or one that starts too early or too late (PLAN-3).
    """
    api_key = authenticate_any(request, store, ("practice",))
    practice, text = api_key.practice, idempotency_key(request)
    given = parse(PlanIn, request.body, request.content_type)
    client = request.path.split("/")[3]  # /v1/clients/{client_id}/plans
    if store.get(account_key(practice, client)) is None:
        raise Refused("unknown_client", "There is no client of this id.", status=404)
    asked = hashlib.sha256(f"{request.path}\n".encode() + request.body).hexdigest()
    used = used_key(practice, api_key.secret_hash, ROUTE, text, asked, "", now) if text else None
    try:
        planned = create(store, cards, practice, client, given.weeks, given.start_on, given.agreement(), now, used)
    except Refused as refusal:
        if refusal.status != 422:
            raise
        raise BadInput(422, "The plan cannot start then.", (("start_on", refusal.detail),)) from refusal
    return respond(201 if planned.new else 200, views.plan(planned.plan))
