"""POST /v1/clients/{client_id}/plans in and out of JSON."""

from datetime import datetime

from billing.ids import account_key
from billing.ports import CardGateway, Refused, Store
from edges import views
from edges.http import Request, Response, respond
from edges.inbound.bad_input import BadInput
from edges.inbound.body import parse
from edges.inbound.door import authenticate_any
from edges.inbound.plan_request import PlanIn
from functions.create_plan.flow import create


def post_plan(request: Request, *, store: Store, cards: CardGateway, now: datetime) -> Response:
    """201 with the plan as the account shows it.

    Raises Refused: 404 for an unknown client, 409 with the reason's code where PLAN-2 or PLAN-10 says no. BadInput for
    a body that is no plan request, or one that starts too early or too late (PLAN-3).
    """
    practice = authenticate_any(request, store, ("practice",)).practice
    given = parse(PlanIn, request.body, request.content_type)
    client = request.path.split("/")[3]  # /v1/clients/{client_id}/plans
    if store.get(account_key(practice, client)) is None:
        raise Refused("unknown_client", "There is no client of this id.", status=404)
    try:
        books = create(store, cards, practice, client, given.weeks, given.start_on, given.agreement(), now)
    except Refused as refusal:
        if refusal.status != 422:
            raise
        raise BadInput(422, "The plan cannot start then.", (("start_on", refusal.detail),)) from refusal
    plan = books.plan(books.account.active_plan)
    assert plan is not None, f"{practice} {client}: the plan just made is not there"
    return respond(201, views.plan(plan))
