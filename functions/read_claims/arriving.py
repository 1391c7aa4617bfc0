"""Take in a file that was uploaded: is it one of ours, was it seen before, and if not, keep it like a posted body.

S3 tells the queue when a file came. The upload's own wake is the net below: whatever S3 did not tell is found then, and
what never came is said so. The file is read once here, for its hash and its kind, without being held.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime

from billing.claim_state import StoredBody, body_key
from billing.facts import Message
from billing.ports import Arrived, Insert, Refused, Store, Update, Uploads
from billing.upload import Upload, UploadFault, refused, taken
from edges.inbound.bad_input import BadInput
from edges.inbound.media import X12
from functions.ingest_claims.door import check
from functions.ingest_claims.flow import receipt_id
from functions.ingest_claims.uploads import most_bytes

NEVER_CAME = "No file came to the address in time. Ask for another address and upload it there."
EMPTY = "The file is empty."


def take_in(message: Message, *, store: Store, uploads: Uploads, now: datetime) -> None:
    """Decide about the upload that the message names; one that is decided stays as it is.

    Raises TryAgain where the file is being replaced, or another delivery was faster.
    """
    upload = store.get(message.key)
    if not isinstance(upload, Upload):
        raise Refused("no_such_upload", f"{message.key.pk}: no upload was asked for under this name")
    if not upload.waiting:
        return
    arrived = uploads.find(upload.receipt_id)
    if arrived is None:
        if not upload.fault and upload.due is not None and upload.due <= f"{now:%Y-%m-%dT%H:%M:%SZ}#~":
            store.commit(Update(refused(upload, UploadFault.NEVER_CAME, NEVER_CAME, now)))
        return
    try:
        sha256 = _accepted(upload, arrived, uploads)
    except _NotTaken as why:
        store.commit(Update(refused(upload, why.fault, why.detail, now, arrived.size)))
        return
    identity = receipt_id(upload.practice, sha256)
    if store.get(body_key(identity)) is not None:
        store.commit(Update(taken(upload, identity, arrived.size, first=False)))
        return
    blob = f"bodies/{identity}.plain"
    uploads.keep(arrived, blob)  # before the row that names it: a row must never point at nothing
    body = StoredBody(
        practice=upload.practice,
        receipt_id=identity,
        sha256=sha256,
        content_type=upload.content_type,
        at=now,
        body=b"",
        blob=blob,
        size=arrived.size,
        plain=True,
    )
    store.commit(Insert(body), Update(taken(upload, identity, arrived.size, first=True)))


class _NotTaken(Exception):
    def __init__(self, fault: UploadFault, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault
        self.detail = detail


def _accepted(upload: Upload, arrived: Arrived, uploads: Uploads) -> str:
    """The SHA-256 of a file worth keeping. Raises _NotTaken."""
    most = most_bytes(upload.content_type)
    if not arrived.size:
        raise _NotTaken(UploadFault.EMPTY, EMPTY)
    if arrived.size > most:
        detail = f"The file has {arrived.size:,} bytes; one of this kind may have {most:,}. Send it in parts."
        raise _NotTaken(UploadFault.TOO_LARGE, detail)
    if upload.content_type == X12:
        return _accepted_835(uploads.pieces(arrived))
    body = b"".join(uploads.pieces(arrived))
    try:
        check(upload.content_type, body)
    except BadInput as bad:
        where = "".join(f" {place}: {what}." for place, what in bad.errors[:3])
        raise _NotTaken(UploadFault.UNREADABLE, bad.detail + where) from None
    return hashlib.sha256(body).hexdigest()


def _accepted_835(pieces: Iterable[bytes]) -> str:
    from edges.formats.x12_835 import NOT_AN_835, Looks

    sha256, looks = hashlib.sha256(), Looks()
    for piece in pieces:
        sha256.update(piece)
        looks.at(piece)
    if not looks.like_835:
        raise _NotTaken(UploadFault.UNREADABLE, NOT_AN_835)
    return sha256.hexdigest()
