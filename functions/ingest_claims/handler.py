"""POST /v1/claim-results: who posts, is it worth keeping, keep it, answer with its receipt. And, below it, the address
that a larger file is uploaded to."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from billing.ports import Blobs, Store, Uploads
from edges import deadline
from edges.aws import client
from edges.blobs import S3Blobs
from edges.clock import Clock
from edges.http import Request, Response, respond
from edges.inbound.door import answered, authenticate_any, idempotency_key
from edges.receipts import new_receipt, read_receipt, upload_address
from edges.settings import Settings
from edges.store import DynamoStore
from edges.uploads import S3Uploads
from functions.ingest_claims.door import check
from functions.ingest_claims.flow import Delivery, keep
from functions.ingest_claims.uploads import Told, most_bytes, open_upload


def handler(event: Mapping[str, Any], context: object) -> Response:
    """API Gateway's way in."""
    deadline.answers(context)
    request = Request.of(event)

    def act() -> Response:
        store, blobs, uploads, clock = _ports()
        return serve(request, store=store, blobs=blobs, uploads=uploads, now=clock.now())

    return answered(request, act)


def serve(request: Request, *, store: Store, blobs: Blobs, uploads: Uploads, now: datetime) -> Response:
    """The answer of the address that was asked."""
    if request.path.endswith("/uploads"):
        return give_address(request, store=store, uploads=uploads, now=now)
    return receive(request, store=store, blobs=blobs, now=now)


def give_address(request: Request, *, store: Store, uploads: Uploads, now: datetime) -> Response:
    """201 with the address that a file can be put to once, and with its receipt, which waits for it."""
    from edges.inbound.body import parse  # here: a posted 835 does not pay for pydantic
    from edges.inbound.upload import UploadIn

    key = authenticate_any(request, store, ("claims",))
    text = idempotency_key(request) or request.request_id
    given = parse(UploadIn, request.body, request.content_type) if request.body else UploadIn()
    told = Told(key.practice, key.secret_hash, given.content_type, given.bytes or 0, text)
    upload, address = open_upload(told, store=store, uploads=uploads, now=now)
    return respond(201, upload_address(upload, address, most_bytes(upload.content_type)))


def receive(request: Request, *, store: Store, blobs: Blobs, now: datetime) -> Response:
    """202 with a receipt still `processing` for a new body, 200 with the first receipt for one seen before."""
    key = authenticate_any(request, store, ("claims",))
    text = idempotency_key(request)
    kind = check(request.content_type, request.body)
    delivery = Delivery(key.practice, key.secret_hash, kind, request.body, text)
    kept = keep(delivery, store=store, blobs=blobs, now=now)
    if kept.new:
        return respond(202, new_receipt(kept.body))
    return respond(200, read_receipt(store, key.practice, kept.body.receipt_id, now) or new_receipt(kept.body))


@cache
def _ports() -> tuple[Store, Blobs, Uploads, Clock]:
    settings = Settings.from_env()
    table = client("dynamodb")
    store = DynamoStore(table, settings.table, settings.due_shards)
    s3 = client("s3")
    return store, S3Blobs(s3, settings.bucket), S3Uploads(s3, settings.bucket), Clock(settings, table)
