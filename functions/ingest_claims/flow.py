"""Keep what a claim processor sent, once, before saying so.

One durable write answers the whole question "have I seen this?": the receipt's id is made from the bytes, the row of an
`Idempotency-Key` from the key, and both are inserted only if they are not there. Only when that insert loses is there
anything to look up.
"""

import gzip
import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from billing.claim_state import StoredBody
from billing.idempotency import UsedIdempotencyKey, check_same_request, used_key
from billing.ids import digest
from billing.ports import Blobs, Conflict, Insert, Store

ROUTE: Final = "POST /v1/claim-results"
ROW_BYTES: Final = 300_000
"""A gzipped body up to this size lives in its row; DynamoDB takes 400 kB."""
TRANSACTION_BYTES: Final = 20_000
"""The same where an `Idempotency-Key` makes the write a transaction: it costs double, so the bucket is cheaper."""


@dataclass(frozen=True)
class Delivery:
    """A body as it was posted. `sender` is the hash of the API key that sent it; `idempotency_key` may be ""."""

    practice: str
    sender: str
    content_type: str
    body: bytes
    idempotency_key: str = ""


@dataclass(frozen=True)
class Kept:
    """The row that holds the body, and whether this delivery made it."""

    body: StoredBody
    new: bool


def keep(delivery: Delivery, *, store: Store, blobs: Blobs, now: datetime) -> Kept:
    """Store the body unless the same bytes or the same key were seen before (contract.md: 202, 200, 409).

    Raises Refused `idempotency_key_reused` where the key is bound to other bytes, TryAgain where another delivery of
    the same bytes is under way.
    """
    body = _stored_body(delivery, blobs, now)
    used = _used_key(delivery, body, now)
    try:
        store.commit(Insert(body), *([Insert(used)] if used else []))
    except Conflict:
        return _seen_before(body, used, store)
    return Kept(body, new=True)


def _seen_before(body: StoredBody, used: UsedIdempotencyKey | None, store: Store) -> Kept:
    keys = [body.key] if used is None else [body.key, used.key]
    first, *bound = store.get_many(keys)
    if used is not None and isinstance(bound[0], UsedIdempotencyKey):
        check_same_request(bound[0], used)
        used = None
    if not isinstance(first, StoredBody):
        raise Conflict(f"{body.receipt_id}: the write lost a race, and what won is not there yet")
    if used is not None:
        store.commit(Insert(used))
    return Kept(first, new=False)


def receipt_id(practice: str, sha256: str) -> str:
    """The same bytes of the same practice are the same receipt, whenever and by whomever they are sent."""
    return "rcp_" + digest(practice, sha256, length=24)


def _stored_body(delivery: Delivery, blobs: Blobs, now: datetime) -> StoredBody:
    sha256 = hashlib.sha256(delivery.body).hexdigest()
    identity = receipt_id(delivery.practice, sha256)
    packed = gzip.compress(delivery.body, compresslevel=6, mtime=0)
    blob = ""
    if len(packed) > (TRANSACTION_BYTES if delivery.idempotency_key else ROW_BYTES):
        blob = f"bodies/{identity}"
        blobs.put(blob, packed)  # before the row that names it: a row must never point at nothing
        packed = b""
    size = len(delivery.body)
    return StoredBody(delivery.practice, identity, sha256, delivery.content_type, now, packed, blob, size=size)


def _used_key(delivery: Delivery, body: StoredBody, now: datetime) -> UsedIdempotencyKey | None:
    if not delivery.idempotency_key:
        return None
    text = delivery.idempotency_key
    return used_key(delivery.practice, delivery.sender, ROUTE, text, body.sha256, body.receipt_id, now)
