"""A night's reconciliation is due, or its next slice is, or a body that nobody has checked."""

from collections.abc import Mapping
from typing import Any

from billing.facts import Message
from edges import aws, container, deadline, log, metrics
from edges.sqs import each_record
from functions.reconcile import flow


def handler(event: Mapping[str, Any], context: object) -> dict[str, list[dict[str, str]]]:
    """A batch of the queue -> which of its records failed."""
    deadline.works(context)
    return each_record(event, _look, aws.client("sqs"))


def _look(message: Message) -> None:
    over = flow.run(
        message,
        store=container.store(),
        cards=container.cards(),
        statement=container.statement(),
        send=container.queues().send,
        shards=container.settings().due_shards,
        now=container.clock().now(),
    )
    if over is not None:
        # A metric that is 0 every night says that somebody looked; one that stays away rings as well (NoNightAlarm).
        metrics.count(metrics.Metric.RECONCILIATION_DRIFT, over.last.findings)
        last = over.last
        log.info(
            "reconciled",
            accounts=last.accounts,
            claims=last.claims,
            bodies=last.bodies,
            objects=last.objects,
            sent_again=last.sent_again,
            mended=last.mended,
            findings=last.findings,
        )
