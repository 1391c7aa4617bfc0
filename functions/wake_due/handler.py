"""Every minute: what is due now -> work queues. The only schedule there is."""

from collections.abc import Mapping
from typing import Any, Protocol

from billing.ports import TryAgain
from edges import container, log, metrics
from functions.wake_due.flow import run


class Context(Protocol):
    """What is used of Lambda's context."""

    def get_remaining_time_in_millis(self) -> int: ...


def handler(_event: Mapping[str, Any], context: Context) -> dict[str, int | bool]:
    """Sweep once and tell what was done."""
    now = container.clock().now()
    try:
        swept = run(
            store=container.store(),
            send=container.queues().send,
            shards=container.settings().due_shards,
            seconds_left=lambda: context.get_remaining_time_in_millis() / 1000,
            now=now,
        )
    except TryAgain as passing:
        log.warning("sweep goes on next minute", now=now.isoformat(), **log.about(passing))
        raise
    except Exception as failure:
        log.error("sweep ended early", now=now.isoformat(), **log.about(failure))
        raise
    metrics.seconds(metrics.Metric.DUE_OLDEST_AGE_SECONDS, swept.behind_seconds)
    log.info(
        "swept",
        now=now.isoformat(),
        woken=swept.woken,
        moved=swept.moved,
        pages=swept.pages,
        complete=swept.complete,
        behind_seconds=swept.behind_seconds,
    )
    return vars(swept)
