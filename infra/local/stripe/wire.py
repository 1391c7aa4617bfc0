"""Losing an answer for real: a server that only answers cannot cut a connection, so its protocol hands it over."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_TRANSPORT = "stripe.transport"


class CuttableProtocol(H11Protocol):
    """uvicorn's HTTP protocol with the connection within the app's reach: pass it as `http=CuttableProtocol`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Hands the connection on to the app, in `scope["state"]`."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, _TRANSPORT: transport}


class Cut(Response):
    """No answer: the connection is reset, at once or after `first`. Errors: RuntimeError under another protocol."""

    def __init__(self, first: Callable[[Receive], Awaitable[None]] | None = None) -> None:
        super().__init__()
        self._first = first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """The ASGI app."""
        transport = scope.get("state", {}).get(_TRANSPORT)
        if transport is None:
            raise RuntimeError("faults that cut connections need uvicorn with http=CuttableProtocol")
        if self._first is not None:
            await self._first(receive)
        transport.abort()
        await disconnected(receive)


async def disconnected(receive: Receive) -> None:
    """Returns when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
