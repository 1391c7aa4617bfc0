"""A stored body, or a slice of one, waits to be read on."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from billing.facts import Message
from billing.ports import Blobs, Store
from edges import deadline
from edges.aws import client
from edges.blobs import S3Blobs
from edges.clock import Clock
from edges.settings import Settings
from edges.sqs import each_record
from edges.store import DynamoStore
from functions.read_claims import flow


def handler(event: Mapping[str, Any], context: object) -> dict[str, list[dict[str, str]]]:
    """The queue's way in. A long body is read on for half of the time there is; the other half is for the records that
    come after it."""
    deadline.works(context)
    seconds_left = deadline.seconds_left
    half = seconds_left() / 2
    store, blobs, clock = _ports()

    def handle(message: Message) -> None:
        now = clock.now()
        flow.run(message, store=store, blobs=blobs, now=now, goes_on=lambda: seconds_left() > half)

    return each_record(event, handle, client("sqs"))


@cache
def _ports() -> tuple[Store, Blobs, Clock]:
    settings = Settings.from_env()
    table = client("dynamodb")
    store = DynamoStore(table, settings.table, settings.due_shards)
    return store, S3Blobs(client("s3"), settings.bucket), Clock(settings, table)
