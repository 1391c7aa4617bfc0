"""The one address of a local copy: the console below /_local, the embedded Stripe below /_local/stripe, a clearinghouse
below /_local/clearinghouse, and everything else handed on to the local cloud.
"""

import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route

from infra.local.answers import Problem
from infra.local.clearinghouse import PREFIX as CLEARINGHOUSE
from infra.local.clearinghouse import LocalClearinghouse
from infra.local.console import PREFIX, Console, OnlyThisMachine
from infra.local.proxy import Proxy
from infra.local.stripe.server import StripeServer


def build_app(console: Console, proxy: Proxy, stripe: StripeServer) -> Starlette:
    """The ASGI app; the embedded Stripe delivers its webhooks for as long as it runs."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with stripe.running():
            yield
        await proxy.close()

    return Starlette(
        routes=[
            Route("/", _to_console),
            Mount(f"{PREFIX}/stripe", stripe.app()),
            Mount(CLEARINGHOUSE, LocalClearinghouse().app()),
            *console.routes(),
            Route(f"{PREFIX}/{{rest:path}}", _unknown),
            Mount("/", proxy),
        ],
        middleware=[Middleware(OnlyThisMachine)],
        lifespan=lifespan,
    )


async def _to_console(request: Request) -> Response:  # noqa: ARG001
    return RedirectResponse(PREFIX)


async def _unknown(request: Request) -> Response:
    return Problem(404, "Not found", f"The console has no {request.url.path}; {PREFIX} shows what it has.").response()
