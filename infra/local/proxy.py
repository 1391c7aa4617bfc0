"""The front door of a local copy: hands every request that is not the console's on to the local cloud's HTTP API, as
Amazon's API Gateway would get it, and counts those that are on their way.
"""

from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import quote

import httpx
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from infra.local.answers import Problem

HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers about one connection (RFC 9110, 7.6.1); every connection has its own."""
ANSWER_WITHIN_S: Final = 40.0
"""API Gateway gives a function 30 s; its own 503 should reach the caller, not ours."""


class Proxy:
    """An ASGI app, closed until it knows where the API is. `transport`: what carries requests; the network's own if
    left out."""

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.open = 0
        """Requests that have come in and are not answered yet."""
        self._target = ""
        self._client = httpx.AsyncClient(
            timeout=ANSWER_WITHIN_S,
            trust_env=False,
            limits=httpx.Limits(max_connections=None),
            transport=transport,
        )

    def point_to(self, endpoint: str, api_id: str) -> None:
        """From now on requests go there."""
        self._target = f"{endpoint}/_aws/execute-api/{api_id}/$default"

    async def close(self) -> None:
        await self._client.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.open += 1
        try:
            await self._pass_on(scope, receive, send)
        finally:
            self.open -= 1

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        if not self._target:
            await Problem(503, "Starting", "This copy is still being set up.").response()(scope, receive, send)
            return
        try:
            answer = await self._client.send(
                self._client.build_request(
                    request.method,
                    httpx.URL(self._target + _path(scope), query=scope["query_string"]),
                    headers=_headers(request),
                    content=request.stream() if _has_body(request) else None,
                ),
                stream=True,
            )
        except httpx.HTTPError as e:
            gone = Problem(502, "No answer", f"The local cloud did not answer: {type(e).__name__}")
            await gone.response()(scope, receive, send)
            return
        response = StreamingResponse(_body(answer), answer.status_code)
        response.raw_headers = [(k.lower(), v) for k, v in answer.headers.raw if k.decode().lower() not in HOP_BY_HOP]
        await response(scope, receive, send)


async def _body(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.aiter_raw():
            yield chunk
    finally:
        await answer.aclose()


def _path(scope: Scope) -> str:
    """The path as the client wrote it, escapes and all."""
    raw: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    return raw.decode("latin-1").partition("?")[0]


def _has_body(request: Request) -> bool:
    return "content-length" in request.headers or "transfer-encoding" in request.headers


def _headers(request: Request) -> list[tuple[bytes, bytes]]:
    """The client's own headers as the bytes they came in, which need not be ASCII, and those that API Gateway adds. A
    length stays: the body is passed on as it is."""
    dropped = {name.encode() for name in HOP_BY_HOP}
    kept = [(k, v) for k, v in request.headers.raw if k not in dropped and not k.startswith(b"x-forwarded-")]
    added = {
        "for": request.client.host if request.client else "127.0.0.1",
        "port": str(request.url.port or 80),
        "proto": request.url.scheme,
    }
    return [*kept, *((f"x-forwarded-{name}".encode(), value.encode()) for name, value in added.items())]
