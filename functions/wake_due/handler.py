"""Every minute: what is due now -> work queues. The only schedule there is."""

from collections.abc import Mapping
from typing import Any

from billing.ports import TryAgain
from edges import container, deadline, log, metrics
from functions.wake_due.flow import run


def handler(_event: Mapping[str, Any], context: object) -> dict[str, int | bool]:
    """Sweep once and tell what was done."""
    deadline.works(context)
    now = container.clock().now()
    try:
        swept = run(
            store=container.store(),
            send=container.queues().send,
            shards=container.settings().due_shards,
            seconds_left=deadline.seconds_left,
            now=now,
        )
    except TryAgain as passing:
        log.warning("sweep goes on next minute", now=now.isoformat(), **log.about(passing))
        raise
    except Exception as failure:
        log.error("sweep ended early", now=now.isoformat(), **log.about(failure))
        raise
    metrics.seconds(metrics.Metric.DUE_OLDEST_AGE_SECONDS, swept.behind_seconds)
    if swept.strange:
        log.error("due without a route", failed=swept.strange)
    log.info(
        "swept",
        now=now.isoformat(),
        woken=swept.woken,
        moved=swept.moved,
        pages=swept.pages,
        complete=swept.complete,
        behind_seconds=swept.behind_seconds,
        held_back=swept.held_back,
    )
    return vars(swept)
