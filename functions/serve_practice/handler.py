"""The JSON calls of practice systems: find the route, who asks, what is asked, do it, show it."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from billing.ports import Store
from edges import deadline
from edges.aws import client
from edges.clock import Clock
from edges.http import Request, Response, problem, respond
from edges.inbound.body import parse
from edges.inbound.door import answered, authenticate_any, idempotency_key
from edges.settings import Settings
from edges.store import DynamoStore
from functions.serve_practice.route import Call
from functions.serve_practice.router import NoSuchPath, WrongMethod, find


def handler(event: Mapping[str, Any], context: object) -> Response:
    """API Gateway's way in, also for every path that nobody else serves."""
    deadline.answers(context)
    request = Request.of(event)

    def act() -> Response:
        store, clock = _ports()
        return serve(request, store=store, now=clock.now())

    return answered(request, act)


def serve(request: Request, *, store: Store, now: datetime) -> Response:
    """The answer of the route that serves this method and path; 404 and 405 where there is none."""
    try:
        found = find(request.method, request.path)
    except NoSuchPath:
        return problem(404, "Not Found", "Nothing is served here. /v1/openapi.json lists every call.")
    except WrongMethod as wrong:
        allowed = ", ".join(wrong.allowed)
        detail = f"This path is served by {allowed}."
        return problem(405, "Method Not Allowed", detail, headers={"allow": allowed})
    route = found.route
    api_key = authenticate_any(request, store, route.scopes) if route.scopes else None
    practice, key_id, sender = (api_key.practice, api_key.key_id, api_key.secret_hash) if api_key else ("", "", "")
    again = idempotency_key(request) if route.keyed else ""
    call = Call(practice, found.params, store, now, key_id, sender, again, request.query)
    given = (parse(route.takes, request.body, request.content_type),) if route.takes else ()
    answer = route.act(call, *given)
    return respond(answer.status, answer.body)


@cache
def _ports() -> tuple[Store, Clock]:
    settings = Settings.from_env()
    table = client("dynamodb")
    return DynamoStore(table, settings.table, settings.due_shards), Clock(settings, table)
