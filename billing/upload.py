"""A file of claim results too large to be posted: it is told of, gets an address, and comes to the bucket by itself.

    waiting --file came, is one of ours, not seen before--> taken (a StoredBody, read like any other)
            --seen before----------------------------------> taken (the first receipt)
            --not one of ours, empty, too large------------> refused, with the reason
            --never came-----------------------------------> refused; taken all the same if it still comes

What was taken is a copy under a name of its own: whoever still has the address cannot change it.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Final

from billing.facts import WakeKind
from billing.ids import Key, digest, receipt_pk
from billing.invoice import due_text

MOST_BYTES: Final = 50_000_000
"""Of an uploaded file."""
ADDRESS_LASTS: Final = timedelta(hours=1)
"""An upload must begin by then."""
ARRIVES_WITHIN: Final = timedelta(hours=2)
"""After that nobody waits for it any more: an upload that began in time has ended."""
FORGOTTEN_AFTER: Final = timedelta(days=90)
"""When the table forgets an upload of which nothing was kept."""


class UploadFault(StrEnum):
    """Why an upload is done without a claim of it being read."""

    NEVER_CAME = "never_came"
    EMPTY = "empty"
    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Upload:
    """`size`: its bytes as the sender said, 0 where it did not; as they are once it came. `body`: the receipt of what
    came, "" until then; `first`: it is the first time that these bytes came. `fault`, `detail`: why nothing was taken.
    `expires`: epoch seconds, when the table forgets it; 0 where it does not."""

    TYPE: ClassVar[str] = "upload"

    practice: str
    receipt_id: str
    content_type: str
    at: datetime
    version: int = 1
    size: int = 0
    body: str = ""
    first: bool = False
    fault: str = ""
    detail: str = ""
    expires: int = 0

    @property
    def key(self) -> Key:
        return upload_key(self.receipt_id)

    @property
    def waiting(self) -> bool:
        """Whether the file may still come: it has not, or it was given up."""
        return not self.body and self.fault in ("", UploadFault.NEVER_CAME)

    @property
    def due(self) -> str | None:
        if self.body or self.fault:
            return None
        return due_text(self.at + ARRIVES_WITHIN, WakeKind.UPLOAD)


def upload_key(receipt_id: str) -> Key:
    """What was told of a file that comes by itself."""
    return Key(receipt_pk(receipt_id), "UPLOAD#")


def upload_id(practice: str, sender: str, request: str) -> str:
    """One request of one API key opens one upload, however often it is repeated."""
    return "rcp_u" + digest(practice, sender, request, length=24)


def taken(upload: Upload, receipt_id: str, size: int, *, first: bool) -> Upload:
    """The upload whose file came and is now that receipt's body."""
    version = upload.version + 1
    return replace(upload, version=version, size=size, body=receipt_id, first=first, fault="", detail="", expires=0)


def refused(upload: Upload, fault: UploadFault, detail: str, now: datetime, size: int = 0) -> Upload:
    """The upload of which nothing is kept, and why."""
    expires = int((now + FORGOTTEN_AFTER).timestamp())
    return replace(
        upload, version=upload.version + 1, size=size or upload.size, fault=fault, detail=detail, expires=expires
    )
