"""`Idempotency-Key`: the same request again, however often and whenever within a year, is done once.

The row of a key is inserted in the commit that does what the request asks, so that two of the same at the same moment
cannot both be done; whoever loses that race reads it, and shows what the first one did.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from billing.ids import Key, digest, segment
from billing.ports import Refused
from billing.row import Asleep

KEPT = timedelta(days=365)


@dataclass(frozen=True)
class UsedIdempotencyKey(Asleep):
    """An `Idempotency-Key` bound to a request by the first 2xx; kept a year (`expires` is epoch seconds).

    `answer_id`: what the request made, by which its answer is found again.
    """

    TYPE: ClassVar[str] = "idempotency_key"

    practice: str
    scope_hash: str
    request_hash: str
    answer_id: str
    expires: int
    version: int = 1

    @property
    def key(self) -> Key:
        return Key(f"I#{segment(self.practice)}#{self.scope_hash}#", "KEY#")


def used_key(
    practice: str, sender: str, route: str, text: str, request_hash: str, answer_id: str, now: datetime
) -> UsedIdempotencyKey:
    """The row that binds what `sender` (the hash of an API key) sent as `text` to a request on `route`."""
    scope = digest(practice, sender, route, text, length=64)
    return UsedIdempotencyKey(practice, scope, request_hash, answer_id, int((now + KEPT).timestamp()))


def check_same_request(stored: UsedIdempotencyKey, used: UsedIdempotencyKey) -> None:
    """Raise Refused `idempotency_key_reused` where the stored key is bound to another request."""
    if stored.request_hash != used.request_hash:
        raise reused()


def reused() -> Refused:
    """The key is another request's."""
    return Refused(
        "idempotency_key_reused",
        "This Idempotency-Key was used before for another request. Send the same request again, or a new key.",
    )
