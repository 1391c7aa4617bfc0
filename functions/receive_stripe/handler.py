"""POST /webhooks/stripe: is it Stripe's? Keep it, answer. Whatever is not answered with 2xx, Stripe sends again."""

import time
from collections.abc import Mapping
from typing import Any

from billing.ports import TryAgain
from edges import aws, container, deadline, log, metrics
from edges.http import Request, Response, busy, problem, respond
from edges.metrics import Metric
from functions.receive_stripe.flow import Unreadable, run
from functions.receive_stripe.signature import Forged, verify


def handler(event: Mapping[str, Any], context: object) -> Response:
    """200 when the event is kept, was kept before, or is of no use to us; 400 when it is not Stripe's or unreadable."""
    deadline.answers(context)
    request = Request.of(event)
    try:
        secret = aws.secret(container.settings().stripe_webhook_secret_id)
        verify(request.headers.get("stripe-signature", ""), request.body, secret, time.time())
        received = run(request.body, store=container.store(), now=container.clock().now())
    except Forged as forged:
        log.warning("webhook refused", reason=str(forged))
        metrics.count(Metric.WEBHOOKS_REFUSED)
        return problem(400, "Not accepted", f"The webhook is not signed as it should be: {forged}.")
    except Unreadable as unreadable:
        log.warning("webhook unreadable", reason=str(unreadable))
        metrics.count(Metric.WEBHOOKS_REFUSED)
        return problem(400, "Not accepted", f"The webhook cannot be read: {unreadable}.")
    except TryAgain as passing:
        log.warning("try again", **log.about(passing))
        metrics.count(Metric.WEBHOOKS_NOT_KEPT)
        return busy()
    log.info("webhook", outcome=received.outcome, event_id=received.event_id, event_type=received.event_type)
    return respond(200, {"received": True})
