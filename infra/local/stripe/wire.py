"""Losing an answer for real: a server that only answers cannot cut a connection, so its protocol hands it over."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_LINE = "stripe.line"


@dataclass(frozen=True, slots=True)
class _Line:
    """A connection, and whether its server is going down."""

    transport: asyncio.Transport
    going_down: asyncio.Event = field(default_factory=asyncio.Event)


class CuttableProtocol(H11Protocol):
    """uvicorn's HTTP protocol with the connection within the app's reach: pass it as `http=CuttableProtocol`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Hands the connection on to the app, in `scope["state"]`."""
        super().connection_made(transport)
        self._line = _Line(transport)
        self.app_state = {**self.app_state, _LINE: self._line}

    def shutdown(self) -> None:
        """Ends what hangs: uvicorn would wait for it."""
        self._line.going_down.set()
        super().shutdown()


class Cut(Response):
    """No answer: the connection is reset. Errors: RuntimeError under another protocol."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """The ASGI app."""
        line = scope.get("state", {}).get(_LINE)
        if line is None:
            raise RuntimeError("faults that cut connections need uvicorn with http=CuttableProtocol")
        await self.wait(line, receive)
        line.transport.abort()
        await _gone(receive)

    async def wait(self, line: _Line, receive: Receive) -> None:
        """What happens before the cut: nothing."""


class Hang(Cut):
    """Silence, until the client gives up, the server goes down or `at_most_s` passed; then `over` is called."""

    def __init__(self, at_most_s: float, over: Callable[[], None]) -> None:
        super().__init__()
        self._at_most_s = at_most_s
        self._over = over

    async def wait(self, line: _Line, receive: Receive) -> None:
        """Says nothing."""
        ends = {asyncio.create_task(_gone(receive)), asyncio.create_task(line.going_down.wait())}
        try:
            await asyncio.wait(ends, timeout=self._at_most_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
            self._over()


async def _gone(receive: Receive) -> None:
    """Returns when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
