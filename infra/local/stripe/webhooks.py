"""The outbox of events: what has to be told to whom, and the test rules that repeat, delay or lose it.

The emulator sends nothing itself. It queues one delivery per event and endpoint; whoever runs it takes them, sends or
loses them, and reports back: the simulator by its seed, the HTTP server by posting them.
Source of the signature: docs.stripe.com/webhooks/signature.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from infra.local.stripe.errors import Json

if TYPE_CHECKING:
    from infra.local.stripe.account import Timers

DELIVER = "deliver"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where events go. `connect`: True = connected accounts' events, False = the platform's own, None = both."""

    id: str
    url: str
    secret: str
    enabled_events: tuple[str, ...] = ("*",)
    connect: bool | None = None

    def wants(self, event: Json) -> bool:
        """Whether the endpoint asked for this event."""
        if self.connect is not None and self.connect != ("account" in event):
            return False
        return "*" in self.enabled_events or event["type"] in self.enabled_events


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one endpoint; `body` is the exact JSON text to sign and to post."""

    endpoint: Endpoint
    event: Json
    body: str

    @property
    def event_id(self) -> str:
        """The event's id, the same on every repetition."""
        return str(self.event["id"])

    @property
    def event_type(self) -> str:
        """For instance `payment_intent.succeeded`."""
        return str(self.event["type"])


@dataclass(frozen=True, slots=True)
class WebhookRules:
    """What happens to first deliveries: `duplicate` more copies each, all `delay_s` simulated seconds late, types that
    match `drop` never."""

    duplicate: int = 0
    delay_s: float = 0
    drop: str | None = None


def read_rules(body: object) -> WebhookRules:
    """The rules of a JSON object; what it leaves out goes back to normal. Errors: ValueError."""
    if not isinstance(body, dict):
        raise ValueError("the body is a JSON object")  # noqa: TRY004  a 400 like every other body that cannot be read
    duplicate, delay_s, drop = body.get("duplicate", 0), body.get("delay_s", 0), body.get("drop")
    if not isinstance(duplicate, int) or duplicate < 0:
        raise ValueError("duplicate is a whole number from 0")
    if not isinstance(delay_s, int | float) or delay_s < 0:
        raise ValueError("delay_s is a number of seconds from 0")
    if drop is not None:
        try:
            re.compile(drop)
        except (re.error, TypeError) as error:
            raise ValueError(f"drop is no regular expression: {error}") from error
    return WebhookRules(duplicate, delay_s, drop or None)


def sign(body: str, secret: str, at: int) -> str:
    """The `Stripe-Signature` header of a body, signed at the unix second `at` (real time, not simulated)."""
    digest = hmac.new(secret.encode(), f"{at}.{body}".encode(), hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


class Webhooks:
    """Endpoints and the deliveries that wait."""

    def __init__(self, timers: "Timers", now: Callable[[], datetime]) -> None:
        self.endpoints: dict[str, Endpoint] = {}
        self.rules = WebhookRules()
        self.parked: list[Delivery] = []
        self._timers = timers
        self._now = now
        self._ready: list[Delivery] = []
        self._delayed: dict[str, Delivery] = {}
        self._delayed_count = 0

    @property
    def ready(self) -> int:
        """How many deliveries can be taken now."""
        return len(self._ready)

    @property
    def delayed(self) -> int:
        """How many wait for their simulated instant."""
        return len(self._delayed)

    def publish(self, event: Json) -> None:
        """Queues a new event under the rules of the moment."""
        wanted = [endpoint for endpoint in self.endpoints.values() if endpoint.wants(event)]
        if not wanted:
            return
        event["pending_webhooks"] = len(wanted)
        if self.rules.drop is not None and re.search(self.rules.drop, event["type"]):
            return
        for delivery in _deliveries(event, wanted):
            for _ in range(1 + self.rules.duplicate):
                self._queue(delivery)

    def take(self) -> list[Delivery]:
        """Hands out what is ready, oldest first; it is the caller's from now on."""
        taken, self._ready = self._ready, []
        return taken

    def delivered(self, delivery: Delivery) -> None:
        """The endpoint answered 2xx."""
        delivery.event["pending_webhooks"] = max(0, delivery.event["pending_webhooks"] - 1)

    def park(self, delivery: Delivery) -> None:
        """Nobody tries any more; `resend` can."""
        self.parked.append(delivery)

    def resend(self, events: list[Json], *, reverse: bool = False) -> int:
        """Queues every given event again, dropped and parked ones too, at once and whatever the rules say."""
        self.parked.clear()
        for event in reversed(events) if reverse else events:
            self._ready += _deliveries(event, [end for end in self.endpoints.values() if end.wants(event)])
        return len(self._ready)

    def is_waiting(self, number: str) -> bool:
        """Whether that delayed delivery still waits."""
        return number in self._delayed

    def release(self, number: str) -> None:
        """A delayed delivery's instant has come."""
        self._ready.append(self._delayed.pop(number))

    def _queue(self, delivery: Delivery) -> None:
        if self.rules.delay_s <= 0:
            self._ready.append(delivery)
            return
        self._delayed_count += 1
        number = str(self._delayed_count)
        self._delayed[number] = delivery
        self._timers.set(self._now() + timedelta(seconds=self.rules.delay_s), DELIVER, "", number)


def _deliveries(event: Json, endpoints: list[Endpoint]) -> list[Delivery]:
    body = json.dumps(event, separators=(",", ":"))
    return [Delivery(endpoint, event, body) for endpoint in endpoints]
