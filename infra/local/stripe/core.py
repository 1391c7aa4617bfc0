"""The embedded Stripe: one small stateful emulator of exactly the part of Stripe's API that Kindbill calls.

It is deterministic: time comes from the caller's clock, ids from a counter, and it starts no thread, opens no socket
and draws no random number. The simulator calls it in place, the local cloud serves it over HTTP, and one contract
suite holds both to what Stripe's own test mode does.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from infra.local.stripe import charges, checkout, checkout_page, disputes, payment_methods, routes
from infra.local.stripe.account import API_VERSION, Account, Platform
from infra.local.stripe.cards import CardEntry
from infra.local.stripe.checkout_page import Outcome
from infra.local.stripe.errors import ApiError, Json, NoAnswer, missing
from infra.local.stripe.expand import expand
from infra.local.stripe.faults import Fault, Faults
from infra.local.stripe.idempotency import IdempotencyKeys
from infra.local.stripe.params import Args, Pairs, nest, read_pairs
from infra.local.stripe.webhooks import DELIVER, Delivery, Endpoint, WebhookRules

_BROKEN = {"error": {"type": "api_error", "message": "An unknown error occurred on Stripe's side."}}
_TOO_FAST = {
    "error": {
        "type": "invalid_request_error",
        "code": "rate_limit",
        "message": "Request rate limit exceeded. You can learn more about rate limits at https://stripe.com/docs/rate-limits.",
    }
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer; `body` is JSON text."""

    status: int
    body: str
    headers: dict[str, str] = field(default_factory=dict)


class EmbeddedStripe:
    """`now`: the clock, aware UTC. `public_url`: where people's browsers find `/checkout/{session}`. `leaves_out`:
    fields that no answer carries, however deep, for a caller who reads none of them and makes very many calls.

    `copy.deepcopy` takes a snapshot.
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        *,
        public_url: str = "http://127.0.0.1:8700/_local/stripe",
        business_name: str = "Test practice",
        leaves_out: frozenset[str] = frozenset(),
    ) -> None:
        self._platform = Platform(now, public_url, business_name)
        self._accounts: dict[str, Account] = {}
        self._leaves_out = leaves_out
        self.keys = IdempotencyKeys()
        self.faults = Faults()

    # ---- the API ----

    def request(self, method: str, path: str, body: str, headers: Mapping[str, str]) -> Answer:
        """Answers one API call: `path` from `/v1/` on with its query, `body` form-encoded as the SDK sends it.

        Errors: `NoAnswer` where an armed fault keeps the answer from the caller.
        """
        self.advance()
        head = {name.lower(): value for name, value in headers.items()}
        bare, _, query = path.partition("?")
        sent = {"Content-Type": "application/json", "Request-Id": self._platform.new_id("req")}
        sent["Stripe-Version"] = head.get("stripe-version", API_VERSION)
        if not head.get("authorization", "").startswith("Bearer sk_test_"):
            refusal = ApiError(401, "invalid_request_error", "Invalid API Key provided: use any sk_test_… key.")
            return Answer(401, _dumps({"error": refusal.error}), sent)
        fault = self.faults.take(method, bare)
        if fault == "drop":
            raise NoAnswer("drop")
        if fault == "500_before":
            return Answer(500, _dumps(_BROKEN), sent)
        if fault == "429":
            return Answer(429, _dumps(_TOO_FAST), sent)
        pairs = read_pairs(body if method == "POST" else query)
        account_id = head.get("stripe-account", "")
        key = head.get("idempotency-key") if method == "POST" else None
        answer = self._once(method, unquote(bare), pairs, account_id, key, sent, broken=fault == "500_after")
        if fault in ("lost_response", "hang"):
            raise NoAnswer(fault, (account_id, key) if key else None)
        return answer

    def _once(
        self,
        method: str,
        path: str,
        pairs: Pairs,
        account_id: str,
        key: str | None,
        sent: dict[str, str],
        *,
        broken: bool,
    ) -> Answer:
        """The answer remembered under the key, or a new one, which is then remembered."""
        slot, now = (account_id, key or ""), self._platform.now()
        if key:
            sent["Idempotency-Key"] = key
            try:
                known = self.keys.recall(slot, method, path, pairs, now)
            except ApiError as refusal:
                return Answer(refusal.status, _dumps({"error": refusal.error}), sent)
            if known is not None:
                sent.update({"Idempotent-Replayed": "true", "Original-Request": known.request_id})
                return Answer(known.status, known.body, _with_advice(sent, known.status))
        status, body, remembered = self._run(method, path, pairs, account_id, key, sent["Request-Id"])
        if broken:
            status, body = 500, _dumps(_BROKEN)
        if key and remembered:
            self.keys.remember(slot, method, path, pairs, status, body, sent["Request-Id"], now)
        return Answer(status, body, _with_advice(sent, status) if key and remembered else sent)

    def _run(
        self, method: str, path: str, pairs: Pairs, account_id: str, key: str | None, request_id: str
    ) -> tuple[int, str, bool]:
        account = self.account(account_id)
        account.request = {"id": request_id, "idempotency_key": key}
        try:
            args = Args(nest(pairs))
            paths = args.texts("expand")
            answer = routes.answer(account, method, path, args)
            full = expand(account, answer, paths) if paths else answer
            return 200, _dumps(_without(self._leaves_out, full) if self._leaves_out else full), True
        except ApiError as refusal:
            return refusal.status, _dumps({"error": refusal.error}), refusal.remembered
        finally:
            account.request = {"id": None, "idempotency_key": None}

    def account(self, account_id: str = "") -> Account:
        """The account's objects; "" is the platform's own. A connected account exists from its first call on."""
        account = self._accounts.get(account_id)
        if account is None:
            account = self._accounts[account_id] = Account(account_id, self._platform)
        return account

    # ---- time ----

    def next_due(self) -> datetime | None:
        """When something next happens by itself: a session expires, a late webhook leaves, a refund fails."""
        timers = self._platform.timers
        while (first := timers.first()) is not None:
            at, kind, account_id, object_id = first
            if self._is_live(kind, account_id, object_id):
                return at
            timers.drop_first()
        return None

    def advance(self) -> None:
        """Lets everything happen that is due by now. Every API call does this first."""
        while (at := self.next_due()) is not None and at <= self._platform.now():
            first = self._platform.timers.first()
            assert first is not None
            self._platform.timers.drop_first()
            self._fire(*first[1:])

    def _is_live(self, kind: str, account_id: str, object_id: str) -> bool:
        if kind == DELIVER:
            return self._platform.webhooks.is_waiting(object_id)
        account = self._accounts[account_id]
        if kind == checkout.EXPIRE:
            return checkout.is_open(account, object_id)
        return charges.refund_is_undecided(account, object_id)

    def _fire(self, kind: str, account_id: str, object_id: str) -> None:
        if kind == DELIVER:
            self._platform.webhooks.release(object_id)
        elif kind == checkout.EXPIRE:
            checkout.expire_session(self._accounts[account_id], object_id)
        else:
            charges.decide_refund(self._accounts[account_id], object_id)

    # ---- webhooks ----

    def listen(
        self, url: str, secret: str, enabled_events: tuple[str, ...] = ("*",), connect: bool | None = None
    ) -> Endpoint:
        """Sends events there from now on, signed with that secret; like an endpoint set up on Stripe's dashboard."""
        endpoint = Endpoint(self._platform.new_id("we"), url, secret, enabled_events, connect)
        self._platform.webhooks.endpoints[endpoint.id] = endpoint
        return endpoint

    def take_deliveries(self) -> list[Delivery]:
        """The deliveries that are ready, oldest first. Whoever takes them sends, repeats, delays or loses them."""
        self.advance()
        return self._platform.webhooks.take()

    def delivered(self, delivery: Delivery) -> None:
        """Its endpoint answered 2xx."""
        self._platform.webhooks.delivered(delivery)

    def park(self, delivery: Delivery) -> None:
        """It is given up until `resend`."""
        self._platform.webhooks.park(delivery)

    @property
    def ready_deliveries(self) -> int:
        """How many deliveries wait to be taken."""
        return self._platform.webhooks.ready

    @property
    def parked_deliveries(self) -> list[Delivery]:
        """What was given up."""
        return list(self._platform.webhooks.parked)

    # ---- test controls ----

    def arm_faults(self, faults: list[Fault]) -> None:
        """Replaces the armed faults. Errors: ValueError."""
        self.faults.arm(faults)

    def set_card(self, payment_method: str, behaviour: str) -> Json:
        """From now on that card behaves like this (cards.BEHAVIOURS). Errors: ValueError, `ApiError`."""
        return payment_methods.behave(self._owner("payment_methods", payment_method), payment_method, behaviour)

    def set_webhooks(self, rules: WebhookRules) -> None:
        """The rules that new events' deliveries follow."""
        self._platform.webhooks.rules = rules

    @property
    def webhook_rules(self) -> WebhookRules:
        """The rules in force."""
        return self._platform.webhooks.rules

    def resend_webhooks(self, *, reverse: bool = False) -> int:
        """Queues every kept event again, oldest or newest first; answers how many deliveries wait now."""
        events = [event for account in self._accounts.values() for event in account.events]
        events.sort(key=lambda event: str(event["id"]))
        return self._platform.webhooks.resend(events, reverse=reverse)

    def open_dispute(self, charge: str, reason: str = "fraudulent") -> Json:
        """The cardholder disputes that charge. Errors: ValueError (reason), `ApiError`."""
        return disputes.open_dispute(self._owner("charges", charge), charge, reason)

    def decide_dispute(self, dispute: str, outcome: str) -> Json:
        """The bank decides: `won` (for the practice) or `lost`. Errors: ValueError, `ApiError`."""
        return disputes.decide(self._owner("disputes", dispute), dispute, outcome)

    # ---- the hosted page ----

    def session(self, session_id: str) -> tuple[Account, Json]:
        """A Checkout session and its account. Errors: `ApiError` 404."""
        self.advance()
        account = self._owner("sessions", session_id)
        return account, account.sessions.find(session_id)

    def complete_checkout(
        self,
        session_id: str,
        *,
        number: str | None = None,
        payment_method: str | None = None,
        save: bool = False,
        authenticate: bool = True,
    ) -> Outcome:
        """Does what a person does on the hosted page: enters a card number or picks a saved card, ticks "save", and
        passes (or fails) the authentication when the issuer asks for it."""
        account, session = self.session(session_id)
        if (number is None) == (payment_method is None):
            raise ValueError("give either number or payment_method")
        card: CardEntry | str = payment_method or ""
        if number is not None:
            cvc = "1234" if number.startswith("37") else "123"
            card = CardEntry(number, 12, self._platform.now().year + 4, cvc)
        outcome = checkout_page.submit(account, session, card, save=save)
        if outcome.status != "requires_action":
            return outcome
        return checkout_page.authenticate(account, session, passed=authenticate)

    def _owner(self, shelf: str, object_id: str) -> Account:
        for account in self._accounts.values():
            if getattr(account, shelf).get(object_id) is not None:
                return account
        raise missing(shelf, object_id)


def _with_advice(sent: dict[str, str], status: int) -> dict[str, str]:
    # A stored 500 is all the key will ever answer, so Stripe tells its SDKs not to try again.
    return {**sent, "Stripe-Should-Retry": "false"} if status >= 500 else sent


def _without(names: frozenset[str], value: Any) -> Any:
    """The answer without these fields."""
    if isinstance(value, list):
        return [_without(names, item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _without(names, inner) if isinstance(inner, dict | list) else inner
        for name, inner in value.items()
        if name not in names
    }


_ENCODER = json.JSONEncoder(separators=(",", ":"))


def _dumps(value: Json) -> str:
    return _ENCODER.encode(value)
