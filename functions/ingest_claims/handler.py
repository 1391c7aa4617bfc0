"""POST /v1/claim-results: who posts, is it worth keeping, keep it, answer with its receipt."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from billing.ports import Blobs, Store
from edges import deadline
from edges.aws import client
from edges.blobs import S3Blobs
from edges.clock import Clock
from edges.http import Request, Response, respond
from edges.inbound.door import answered, authenticate_any, idempotency_key
from edges.receipts import read_receipt, receipt
from edges.settings import Settings
from edges.store import DynamoStore
from functions.ingest_claims.door import check
from functions.ingest_claims.flow import Delivery, keep


def handler(event: Mapping[str, Any], context: object) -> Response:
    """API Gateway's way in."""
    deadline.answers(context)
    request = Request.of(event)

    def act() -> Response:
        store, blobs, clock = _ports()
        return receive(request, store=store, blobs=blobs, now=clock.now())

    return answered(request, act)


def receive(request: Request, *, store: Store, blobs: Blobs, now: datetime) -> Response:
    """202 with a receipt still `processing` for a new body, 200 with the first receipt for one seen before."""
    key = authenticate_any(request, store, ("claims",))
    text = idempotency_key(request)
    kind = check(request.content_type, request.body)
    delivery = Delivery(key.practice, key.secret_hash, kind, request.body, text)
    kept = keep(delivery, store=store, blobs=blobs, now=now)
    if kept.new:
        return respond(202, receipt(kept.body, (), ()))
    return respond(200, read_receipt(store, key.practice, kept.body.receipt_id) or receipt(kept.body, (), ()))


@cache
def _ports() -> tuple[Store, Blobs, Clock]:
    settings = Settings.from_env()
    table = client("dynamodb")
    store = DynamoStore(table, settings.table, settings.due_shards)
    return store, S3Blobs(client("s3"), settings.bucket), Clock(settings, table)
