"""The embedded Stripe over HTTP: its API, the hosted page, the test controls and the webhooks that go out.

| path (below where the app is mounted) | what |
|---|---|
| `/v1/…` | the API; point the SDK's base address at the mount |
| `/checkout/{session}` | the hosted page |
| `/_test/…` | what no real Stripe offers: faults, card behaviour, webhook rules, disputes, paying without a browser |

Everything runs on one event loop, so no request interrupts another. A mounted app has no life of its own: whoever
mounts it enters `StripeServer.running()` in its own lifespan, and runs uvicorn with `http=CuttableProtocol`.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infra.local.stripe.controls import Controls
from infra.local.stripe.core import EmbeddedStripe
from infra.local.stripe.delivery import RETRY_DELAYS_S, Deliverer
from infra.local.stripe.errors import NoAnswer
from infra.local.stripe.hosted import HostedPages
from infra.local.stripe.wire import Cut, Hang

HEARD = 10_000
"""How many of the latest API requests are remembered, for whoever asks what Stripe was told."""
HANG_S = 120.0
"""How long a hanging request stays silent at most; the SDK gives up after 80 s, Kindbill after 20."""


class StripeServer:
    """The emulator as an ASGI app, and its webhook deliveries."""

    def __init__(
        self, stripe: EmbeddedStripe, *, retry_delays_s: Sequence[float] = RETRY_DELAYS_S, hang_s: float = HANG_S
    ) -> None:
        self.stripe = stripe
        self._deliverer = Deliverer(stripe, retry_delays_s)
        self._hang_s = hang_s
        self._heard: deque[dict[str, Any]] = deque(maxlen=HEARD)

    @property
    def in_flight(self) -> int:
        """Webhook deliveries not concluded; 0 = quiet. Parked and delayed ones do not count."""
        return self._deliverer.in_flight

    def pump(self) -> None:
        """Lets happen what is due on the simulated clock and sends what that causes. Call it after moving the clock."""
        self.stripe.advance()
        self._deliverer.wake()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Delivers webhooks inside the block; afterwards no task is left."""
        task = asyncio.create_task(self._deliverer.run())
        self._deliverer.wake()
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def app(self, *, standalone: bool = False) -> Starlette:
        """The ASGI app; `standalone` lets it deliver webhooks by itself, where nobody's lifespan enters `running()`."""

        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            async with self.running():
                yield

        wake = self._deliverer.wake
        return Starlette(
            routes=[
                Route("/v1/{path:path}", self._api, methods=["GET", "POST", "DELETE"]),
                *HostedPages(self.stripe, wake).routes(),
                *Controls(self.stripe, wake).routes(),
                Route("/_test/requests", self._requests),
            ],
            lifespan=lifespan if standalone else None,
        )

    async def _api(self, request: Request) -> Response:
        path = f"/v1/{request.path_params['path']}"
        if request.url.query:
            path += f"?{request.url.query}"
        body = (await request.body()).decode(errors="replace")
        headers = {name: value for name, value in request.headers.items() if name != "authorization"}
        self._heard.append({"method": request.method, "path": path, "headers": headers, "body": body})
        try:
            answer = self.stripe.request(request.method, path, body, request.headers)
        except NoAnswer as fault:
            return self._hang(fault) if fault.kind == "hang" else Cut()
        finally:
            self._deliverer.wake()
        return Response(answer.body, answer.status, answer.headers)

    async def _requests(self, _: Request) -> Response:
        """Every request to the API as it came, oldest first, less the key."""
        return JSONResponse(list(self._heard))

    def _hang(self, fault: NoAnswer) -> Response:
        """Silence; as long as it lasts, the request's key is in use."""
        in_use, key = self.stripe.keys.in_use, fault.key
        if key is None:
            return Hang(self._hang_s, lambda: None)
        in_use.add(key)
        return Hang(self._hang_s, lambda: in_use.discard(key))
