"""Give a file that is too large to be posted an address of its own (contract.md: up to 50 MB)."""

from dataclasses import dataclass
from datetime import datetime

from billing.idempotency import reused
from billing.ports import Address, Conflict, Insert, Store, Uploads
from billing.upload import ADDRESS_LASTS, MOST_BYTES, Upload, upload_id
from edges.inbound.bad_input import BadInput
from edges.inbound.media import X12
from functions.ingest_claims.door import MAX_BODY_BYTES


@dataclass(frozen=True)
class Told:
    """What was told of a file. `size` is 0 where its sender does not know. `request`: what makes this request one."""

    practice: str
    sender: str
    content_type: str
    size: int
    request: str


def most_bytes(content_type: str) -> int:
    """What a file of that kind may have."""
    return MOST_BYTES if content_type == X12 else MAX_BODY_BYTES  # JSON is held as a whole when it is read


def open_upload(told: Told, *, store: Store, uploads: Uploads, now: datetime) -> tuple[Upload, Address]:
    """The upload, and the address where its file may be put once. The same request again is the same upload.

    Raises BadInput 413 where the file is larger than we take, Refused where an `Idempotency-Key` that was used for
    another file is used again.
    """
    most = most_bytes(told.content_type)
    if told.size > most:
        raise BadInput(413, f"A file of this kind may have {most:,} bytes. Send it in parts.")
    wanted = Upload(
        practice=told.practice,
        receipt_id=upload_id(told.practice, told.sender, told.request),
        content_type=told.content_type,
        at=now,
        size=told.size,
    )
    try:
        store.commit(Insert(wanted))
    except Conflict:
        stored = store.get(wanted.key)
        if not isinstance(stored, Upload):
            raise
        if stored.content_type != told.content_type or 0 < told.size != stored.size > 0:
            raise reused() from None
        wanted = stored
    seconds = int(ADDRESS_LASTS.total_seconds())
    return wanted, uploads.address(wanted.receipt_id, wanted.content_type, told.size, seconds)
