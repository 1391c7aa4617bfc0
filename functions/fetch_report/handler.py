"""A clearinghouse told us of a report, or one is still missing."""

from collections.abc import Mapping
from typing import Any

from billing.facts import Message
from edges import aws, container, deadline
from edges.sqs import each_record
from functions.fetch_report import flow


def handler(event: Mapping[str, Any], context: object) -> dict[str, list[dict[str, str]]]:
    """A batch of the queue -> which of its records failed."""
    deadline.works(context)
    return each_record(event, _look, aws.client("sqs"))


def _look(message: Message) -> None:
    flow.run(
        message,
        store=container.store(),
        blobs=container.blobs(),
        reports=container.clearinghouse(),
        now=container.clock().now(),
    )
