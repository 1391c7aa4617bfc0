"""A stored body, or a slice of one, waits to be read on; an uploaded file to be taken in; a long body to be counted."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from billing.facts import Message, WakeKind
from billing.ports import Blobs, Store, Uploads
from edges import deadline
from edges.aws import client
from edges.blobs import S3Blobs
from edges.clock import Clock
from edges.inbound.bucket_event import read_message
from edges.settings import Settings
from edges.sqs import each_record
from edges.store import DynamoStore
from edges.uploads import S3Uploads
from functions.read_claims import flow
from functions.read_claims.arriving import take_in
from functions.read_claims.counting import count


def handler(event: Mapping[str, Any], context: object) -> dict[str, list[dict[str, str]]]:
    """The queue's way in. A long body is read on for half of the time there is; the other half is for the records that
    come after it."""
    deadline.works(context)
    seconds_left = deadline.seconds_left
    half = seconds_left() / 2
    store, blobs, uploads, clock = _ports()

    def has_time() -> bool:
        return seconds_left() > half

    def handle(message: Message) -> None:
        now = clock.now()
        match message.kind:
            case WakeKind.UPLOAD:
                take_in(message, store=store, uploads=uploads, now=now)
            case WakeKind.COUNT:
                count(message, store=store, has_time=has_time, now=now)
            case _:
                flow.run(message, store=store, blobs=blobs, now=now, goes_on=has_time)

    return each_record(event, handle, client("sqs"), read_message)


@cache
def _ports() -> tuple[Store, Blobs, Uploads, Clock]:
    settings = Settings.from_env()
    table = client("dynamodb")
    store = DynamoStore(table, settings.table, settings.due_shards)
    s3 = client("s3")
    return store, S3Blobs(s3, settings.bucket), S3Uploads(s3, settings.bucket), Clock(settings, table)
