"""Keep a webhook once, before Stripe hears 200. No rules here: settle_payment reads Stripe again and decides.

Webhooks come late, twice and out of order. The event's id is its key, so a repetition meets its first.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from billing.ports import Conflict, Insert, Store
from billing.stripe_event import ABOUT_ATTEMPTS, ABOUT_MONEY_GOING_BACK, StripeEvent

SETTLES: Final = ABOUT_ATTEMPTS | ABOUT_MONEY_GOING_BACK
"""The events that can tell something new."""
KEPT: Final = timedelta(days=30)
"""Stripe repeats an event for three days, and shows it for thirty."""


class Unreadable(Exception):
    """Signed by Stripe, and still no event that we can read."""


class Outcome(StrEnum):
    """What was done with an event."""

    STORED = "stored"
    SEEN_BEFORE = "seen_before"
    NOT_OURS = "not_ours"
    OF_NO_USE = "of_no_use"


@dataclass(frozen=True)
class Received:
    """The outcome, and what a log line may say about it."""

    outcome: Outcome
    event_id: str
    event_type: str


def run(body: bytes, *, store: Store, now: datetime) -> Received:
    """Store the event of a verified body, with one write. Raises Unreadable, and TryAgain when the table is busy."""
    event = _event(body)
    event_id, event_type = event["id"], event["type"]
    if event_type not in SETTLES:
        return Received(Outcome.OF_NO_USE, event_id, event_type)
    stored = _ours(event, now)
    if stored is None:
        return Received(Outcome.NOT_OURS, event_id, event_type)
    try:
        store.commit(Insert(stored))
    except Conflict:
        return Received(Outcome.SEEN_BEFORE, event_id, event_type)
    return Received(Outcome.STORED, event_id, event_type)


def _event(body: bytes) -> dict[str, Any]:
    """The event of a body. Raises Unreadable."""
    try:
        event = json.loads(body)
    except ValueError as e:
        raise Unreadable("the body is not JSON") from e
    if not isinstance(event, dict) or not all(isinstance(event.get(name), str) for name in ("id", "type")):
        raise Unreadable("the body is no event")
    return event


def _ours(event: dict[str, Any], now: datetime) -> StripeEvent | None:
    """The event as it is kept, from our own metadata on its object; None where the object neither carries it nor can
    lead to a payment that does."""
    data = event.get("data")
    thing = data.get("object") if isinstance(data, dict) else None
    if not isinstance(thing, dict):
        return None
    metadata = thing.get("metadata")
    known = metadata if isinstance(metadata, dict) else {}
    practice, client, attempt = (known.get(name, "") for name in ("practice", "client", "attempt"))
    object_id = thing.get("id", "")
    if not practice or not client or not str(attempt).isdecimal():
        practice, client, attempt = "", "", "0"
        object_id = thing.get("payment_intent") if event["type"] in ABOUT_MONEY_GOING_BACK else None
        if not isinstance(object_id, str):
            return None
    return StripeEvent(
        event_id=event["id"],
        event_type=event["type"],
        object_id=str(object_id),
        practice=practice,
        client=client,
        attempt=int(attempt),
        at=now,
        expires=int((now + KEPT).timestamp()),
    )
