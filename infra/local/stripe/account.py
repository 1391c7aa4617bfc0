"""One Stripe account's objects, and the few things every kind of object needs: an id, an instant, an event.

A connected account (`Stripe-Account` header) is a world of its own: an id of one account is unknown to every other.
"""

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from infra.local.stripe.cards import TestCard
from infra.local.stripe.errors import Json
from infra.local.stripe.shelf import Shelf
from infra.local.stripe.webhooks import Webhooks

API_VERSION = "2026-10-28.endive"
"""The version whose object shapes the emulator speaks: the one the official SDK in uv.lock pins."""
EVENTS_KEPT = timedelta(days=30)  # docs.stripe.com/api/events: events of the last 30 days can be read
ID_DIGITS = 14


class Timers:
    """What will happen by itself: (instant, kind, account id, object id), earliest first."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, int, str, str, str]] = []
        self._count = 0

    def set(self, at: datetime, kind: str, account_id: str, object_id: str) -> None:
        """Wakes `kind` for that object at that instant."""
        self._count += 1
        heapq.heappush(self._heap, (at, self._count, kind, account_id, object_id))

    def first(self) -> tuple[datetime, str, str, str] | None:
        """The earliest timer."""
        if not self._heap:
            return None
        at, _, kind, account_id, object_id = self._heap[0]
        return at, kind, account_id, object_id

    def drop_first(self) -> None:
        """Forgets the earliest timer."""
        heapq.heappop(self._heap)


class Platform:
    """What all accounts share: the clock, the counter that numbers everything, timers and webhooks."""

    def __init__(self, now: Callable[[], datetime], public_url: str, business_name: str) -> None:
        self.now = now
        self.public_url = public_url.rstrip("/")
        self.business_name = business_name
        self.timers = Timers()
        self.webhooks = Webhooks(self.timers, now)
        self._last_id = 0

    def new_id(self, prefix: str) -> str:
        """The next id: ids of one kind sort by age, and the same calls always get the same ids."""
        self._last_id += 1
        return f"{prefix}_{self._last_id:0{ID_DIGITS}d}"


class Account:
    """The objects of one account, in the shape the API answers with; what Stripe keeps to itself stands beside."""

    def __init__(self, account_id: str, platform: Platform) -> None:
        self.id = account_id
        self.platform = platform
        self.customers = Shelf("customer", "email")
        self.payment_methods = Shelf("PaymentMethod", "customer")
        self.payment_intents = Shelf("payment_intent", "customer")
        self.setup_intents = Shelf("setupintent", "customer")
        self.charges = Shelf("charge", "payment_intent", "customer")
        self.refunds = Shelf("refund", "charge", "payment_intent")
        self.disputes = Shelf("dispute", "charge", "payment_intent")
        self.sessions = Shelf("checkout.session", "customer", "payment_intent")
        self.balance_transactions = Shelf("balance_transaction", "source")
        self.endpoints = Shelf("webhook endpoint")
        self.events = Shelf("event")
        # By payment method: the test card behind it, what `_test/cards` made of it, whether it was set up for later
        # use, and whether it was used up (used once without a customer, or detached).
        self.cards: dict[str, TestCard] = {}
        self.behaviours: dict[str, str] = {}
        self.set_up: set[str] = set()
        self.used_up: set[str] = set()
        # By Checkout session: its line items and what its intent will be made with.
        self.line_items: dict[str, list[Json]] = {}
        self.intent_data: dict[str, Json] = {}
        # The request being answered, for the events it causes: its id and idempotency key.
        self.request: Json = {"id": None, "idempotency_key": None}

    @property
    def now(self) -> int:
        """The simulated instant in unix seconds."""
        return int(self.platform.now().timestamp())

    def new_id(self, prefix: str) -> str:
        """The next id of that kind."""
        return self.platform.new_id(prefix)

    def wake(self, at: int, kind: str, object_id: str) -> None:
        """Sets a timer for one of this account's objects at a unix second."""
        self.platform.timers.set(datetime.fromtimestamp(at, UTC), kind, self.id, object_id)

    def emit(self, kind: str, row: Json, previous: Json | None = None) -> None:
        """Records the event with the object as it is now, and queues it for every endpoint that asked for it."""
        self.events.forget_before(self.now - int(EVENTS_KEPT.total_seconds()))
        data: Json = {"object": snapshot(row)}
        if previous is not None:
            data["previous_attributes"] = previous
        event: Json = {
            "id": self.new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": self.now,
            "data": data,
            "livemode": False,
            "pending_webhooks": 0,
            "request": dict(self.request),
            "type": kind,
        }
        if self.id:
            event["account"] = self.id
        self.events.add(event)
        self.platform.webhooks.publish(event)


def snapshot(row: Json) -> Json:
    """A copy that later changes of the object do not reach."""
    return {
        name: snapshot(value) if isinstance(value, dict) else _copied(value) if isinstance(value, list) else value
        for name, value in row.items()
    }


def _copied(items: list[Json]) -> list[Json]:
    return [snapshot(item) if isinstance(item, dict) else item for item in items]
