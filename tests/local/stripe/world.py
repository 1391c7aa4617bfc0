"""Where the contract suite runs: the official SDK on the emulator in process, over HTTP, or on Stripe itself."""

import queue
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Protocol

import httpx
import pytest
import stripe
from starlette.applications import Starlette

from infra.local.stripe import EmbeddedStripe
from infra.local.stripe.faults import read_faults
from infra.local.stripe.server import StripeServer
from tests.fakes.served import Served

Json = dict[str, Any]
START = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)
CLIENT_TIMEOUT_S = 20
IMPATIENT_S = 0.5
SECRET = "whsec_suite"
WAIT_S = 10.0
SHOW_ALL_CARDS = {"allow_redisplay_filters": ["always", "limited", "unspecified"], "payment_method_save": "enabled"}


class Clock:
    """The simulated clock; it stands still unless told."""

    def __init__(self) -> None:
        self.instant = START

    def __call__(self) -> datetime:
        return self.instant

    def forward(self, **delta: float) -> None:
        self.instant += timedelta(**delta)


class Controls(Protocol):
    """The test controls, however they are reached."""

    def faults(self, *faults: Json) -> None: ...
    def card(self, payment_method: str, behaviour: str) -> Json: ...
    def dispute(self, charge: str, reason: str) -> Json: ...
    def decide(self, dispute: str, outcome: str) -> Json: ...
    def complete(self, session: str, **choice: Any) -> Json: ...


class DirectControls:
    """By method call."""

    def __init__(self, embedded: EmbeddedStripe) -> None:
        self.embedded = embedded

    def faults(self, *faults: Json) -> None:
        self.embedded.arm_faults(read_faults(list(faults)))

    def card(self, payment_method: str, behaviour: str) -> Json:
        return self.embedded.set_card(payment_method, behaviour)

    def dispute(self, charge: str, reason: str) -> Json:
        return self.embedded.open_dispute(charge, reason)

    def decide(self, dispute: str, outcome: str) -> Json:
        return self.embedded.decide_dispute(dispute, outcome)

    def complete(self, session: str, **choice: Any) -> Json:
        return self.embedded.complete_checkout(session, **choice).as_json()


class HttpControls:
    """By the `_test` routes."""

    def __init__(self, base: str) -> None:
        self.base = base

    def faults(self, *faults: Json) -> None:
        self._post("faults", list(faults))

    def card(self, payment_method: str, behaviour: str) -> Json:
        return self._post(f"cards/{payment_method}", {"behaviour": behaviour})

    def dispute(self, charge: str, reason: str) -> Json:
        return self._post("disputes", {"charge": charge, "reason": reason})

    def decide(self, dispute: str, outcome: str) -> Json:
        return self._post(f"disputes/{dispute}", {"outcome": outcome})

    def complete(self, session: str, **choice: Any) -> Json:
        return self._post(f"checkout/{session}/complete", choice)

    def _post(self, path: str, body: Any) -> Any:
        answer = httpx.post(f"{self.base}/_test/{path}", json=body, timeout=CLIENT_TIMEOUT_S)
        assert answer.status_code == 200, answer.text
        return answer.json()


@dataclass
class World:
    """Where the contract is checked. `controls` and `clock` are missing on Stripe itself."""

    kind: str
    client: stripe.StripeClient
    impatient: stripe.StripeClient
    _controls: Controls | None = None
    _clock: Clock | None = None

    @property
    def api(self) -> Any:
        """The SDK's v1 services; untyped, because the suite reads fields that some answers leave out."""
        return self.client.v1

    @property
    def controls(self) -> Controls:
        if self._controls is None:
            pytest.skip("Stripe itself has no test controls")
        return self._controls

    @property
    def clock(self) -> Clock:
        if self._clock is None:
            pytest.skip("Stripe's own clock cannot be moved")
        return self._clock

    def customer_with_card(self, card: str = "pm_card_visa") -> tuple[str, str]:
        """A new customer and the payment method attached to them."""
        customer = self.api.customers.create(params={"email": "ana@example.com"}).id
        method = self.api.payment_methods.attach(card, params={"customer": customer}).id
        return customer, method

    def charge(self, of: str, card: str, cents: int = 6250, *, key: str | None = None, **more: Any) -> Any:
        """One autopay charge, as production makes it: created and confirmed off session in one call."""
        wanted = {
            "amount": cents,
            "currency": "usd",
            "customer": of,
            "payment_method": card,
            "off_session": True,
            "confirm": True,
            **more,
        }
        return self.api.payment_intents.create(params=wanted, options={"idempotency_key": key} if key else {})


class ThreadedServer(Served):
    """An embedded Stripe of its own."""

    def __init__(self, clock: Clock) -> None:
        def app(base: str) -> Starlette:
            self.server = StripeServer(EmbeddedStripe(clock, public_url=base), retry_delays_s=(0.01, 0.01, 0.01))
            return self.server.app(standalone=True)

        super().__init__(app)


class Receiver:
    """A webhook endpoint that notes what arrives and answers what it is told to, 200 when told nothing."""

    def __init__(self) -> None:
        self.arrived: queue.Queue[tuple[str, str]] = queue.Queue()
        self.answers: list[int] = []
        self._server = HTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}/webhooks/stripe"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def next(self) -> Any:
        """The next event, its signature checked by the SDK."""
        body, signature = self.arrived.get(timeout=WAIT_S)
        return stripe.Webhook.construct_event(body, signature, SECRET)

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(receiver) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status = receiver.answers.pop(0) if receiver.answers else 200
                self.send_response(status)
                self.end_headers()
                receiver.arrived.put((body, self.headers["Stripe-Signature"]))

            def log_message(self, *_: object) -> None:
                return

        return Handler
