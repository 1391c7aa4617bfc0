"""Keep a clearinghouse's event once, before it hears 200. No rules here: fetch_report fetches what the event names.

The sender waits five seconds, then tries again up to four times, 90 seconds apart. The id of the transaction is the
key, so a repetition meets its first, whatever event carries it.
stedi.com/docs/edi-platform/operate/event-types, …/configure/webhooks/error-handling-webhooks
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from billing.clearinghouse_event import PROCESSED, TRANSACTION_ID, ClearinghouseEvent
from billing.ports import Conflict, Insert, Store
from edges import strict_json
from edges.inbound.bad_input import BadInput

REMITTANCE: Final = "835"
OUTBOUND: Final = "OUTBOUND"
MAX_BODY_BYTES: Final = 2_000_000
"""An event may carry its transaction with it, up to a megabyte."""
_TYPE: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


class Outcome(StrEnum):
    """What was done with an event."""

    STORED = "stored"
    SEEN_BEFORE = "seen_before"
    OF_NO_USE = "of_no_use"


@dataclass(frozen=True)
class Received:
    """The outcome, and what a log line may say about it."""

    outcome: Outcome
    event_type: str
    transaction_id: str = ""


def run(body: bytes, practice: str, sender: str, *, store: Store, now: datetime) -> Received:
    """Store the event of a body, with one write. `sender`: the hash of the API key it came with.

    Raises BadInput for what is no event (413, 400, 422), TryAgain when the table is busy.
    """
    event = _event(body)
    event_type = event["detail-type"]
    if event_type != PROCESSED:
        return Received(Outcome.OF_NO_USE, event_type)
    detail = _object(event, "detail")
    if _set_identifier(detail) != REMITTANCE or detail.get("direction") == OUTBOUND:
        return Received(Outcome.OF_NO_USE, event_type)
    transaction_id = detail.get("transactionId")
    if not isinstance(transaction_id, str) or not TRANSACTION_ID.fullmatch(transaction_id):
        raise _refused("event.detail.transactionId", "must be the id of a transaction")
    stored = ClearinghouseEvent.told(practice, transaction_id, sender, now)
    try:
        store.commit(Insert(stored))
    except Conflict:
        if store.get(stored.key) is None:
            raise  # nobody wrote it: the table was only busy
        return Received(Outcome.SEEN_BEFORE, event_type, transaction_id)
    return Received(Outcome.STORED, event_type, transaction_id)


def _event(body: bytes) -> Mapping[str, Any]:
    """The event of a body, which has it under `event` or is it. Raises BadInput."""
    if len(body) > MAX_BODY_BYTES:
        raise BadInput(413, f"The body is larger than {MAX_BODY_BYTES:,} bytes.")
    try:
        given = strict_json.loads(body)
    except strict_json.NotJson as unreadable:
        raise BadInput(400, str(unreadable)) from None
    event = given.get("event", given) if isinstance(given, dict) else None
    event_type = event.get("detail-type") if isinstance(event, dict) else None
    if not isinstance(event, dict) or not isinstance(event_type, str) or not _TYPE.fullmatch(event_type):
        raise _refused("event.detail-type", "must say what happened")
    return event


def _set_identifier(detail: Mapping[str, Any]) -> str:
    """Which transaction set was processed; some senders write it as a number. Raises BadInput where it is not said: an
    event that may be about money is not let pass for want of a word."""
    x12 = _object(detail, "x12")
    metadata = x12.get("metadata")
    transaction = metadata.get("transaction") if isinstance(metadata, dict) else None
    for said in (transaction, x12):
        identifier = said.get("transactionSetIdentifier") if isinstance(said, dict) else None
        if isinstance(identifier, str | int) and not isinstance(identifier, bool):
            return str(identifier)
    raise _refused("event.detail.x12", "must say which transaction set was processed")


def _object(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = given.get(name)
    if not isinstance(value, dict):
        raise _refused(f"event.{name}", "must be an object")
    return value


def _refused(loc: str, msg: str) -> BadInput:
    return BadInput(422, "This is no event that we can read; see errors.", ((loc, msg),))
