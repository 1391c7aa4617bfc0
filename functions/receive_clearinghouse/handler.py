"""POST /webhooks/clearinghouse: whose clearinghouse is it? Keep what it says, answer. What is not answered with 2xx
within five seconds is sent again."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from billing.ports import Refused, Store
from edges import container, deadline, log
from edges.auth import authenticate
from edges.http import Request, Response, respond
from edges.inbound.door import answered
from functions.receive_clearinghouse.flow import run


def handler(event: Mapping[str, Any], context: object) -> Response:
    """API Gateway's way in."""
    deadline.answers(context)
    request = Request.of(event)

    def act() -> Response:
        keys = container.clearinghouse_keys()
        return receive(request, store=container.store(), keys=keys, now=container.clock().now())

    return answered(request, act)


def receive(request: Request, *, store: Store, keys: Mapping[str, str], now: datetime) -> Response:
    """200 when the event is kept, was kept before, or is of no use to us. `keys`: who has a clearinghouse."""
    key = authenticate(request, store, "claims")
    if key.practice not in keys:
        raise Refused("no_clearinghouse", "This practice has no clearinghouse whose reports could be fetched.")
    received = run(request.body, key.practice, key.secret_hash, store=store, now=now)
    log.info(
        "clearinghouse event",
        outcome=received.outcome,
        event_id=received.transaction_id,
        event_type=received.event_type,
    )
    return respond(200, {"received": True})
