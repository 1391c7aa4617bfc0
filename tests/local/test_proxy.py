"""The front door hands on exactly what came, and exactly what came back."""

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
from starlette.types import ASGIApp

from infra.local.proxy import Proxy

Answer = Callable[[httpx.Request], httpx.Response]


def through(answer: Answer, method: str, url: str, **request: object) -> tuple[httpx.Response, Proxy]:
    """Send one request through a door behind which `answer` stands."""
    proxy = Proxy(httpx.MockTransport(answer))
    proxy.point_to("http://127.0.0.1:8701", "abc123")
    return asyncio.run(_send(proxy, method, url, **request)), proxy


async def _send(app: ASGIApp, method: str, url: str, **request: object) -> httpx.Response:
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 50000))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8700") as client:
        return await client.request(method, url, **request)  # type: ignore[arg-type]


def streamed(status: int, body: bytes, headers: list[tuple[str, str]] | None = None) -> httpx.Response:
    """An answer as it comes from a network: in pieces, not yet read."""

    async def pieces() -> AsyncIterator[bytes]:
        yield body

    return httpx.Response(status, headers=headers, content=pieces())


class Behind:
    """Remembers what came through and answers 200."""

    def __init__(self, response: httpx.Response | None = None) -> None:
        self.seen: list[httpx.Request] = []
        self.response = response or streamed(200, b"ok")

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        return self.response


def test_a_request_reaches_the_api_with_its_path_as_it_was_written() -> None:
    behind = Behind()
    through(behind, "GET", "/v1/clients/a%2Fb%20c/account?x=1%262&x=3")
    assert behind.seen[0].url.raw_path == (
        b"/_aws/execute-api/abc123/$default/v1/clients/a%2Fb%20c/account?x=1%262&x=3"
    )


def test_headers_cookies_and_bytes_pass_unchanged() -> None:
    behind = Behind()
    headers = {"authorization": "Bearer kb_live_x", "cookie": "a=1; b=2", "content-type": "application/edi-x12"}
    through(behind, "POST", "/v1/claim-results", content=b"ISA\x00\xff", headers=headers)
    seen = behind.seen[0]
    assert seen.read() == b"ISA\x00\xff"
    assert {name: seen.headers[name] for name in headers} == headers
    assert seen.headers["host"] == "127.0.0.1:8700"
    assert seen.headers["content-length"] == "5"


def test_a_request_without_a_body_gets_none() -> None:
    behind = Behind()
    through(behind, "GET", "/health")
    assert "transfer-encoding" not in behind.seen[0].headers
    assert "content-length" not in behind.seen[0].headers


def test_the_api_hears_who_called_and_not_what_the_caller_says_of_it() -> None:
    behind = Behind()
    through(behind, "GET", "/health", headers={"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https"})
    seen = behind.seen[0].headers
    assert (seen["x-forwarded-for"], seen["x-forwarded-proto"], seen["x-forwarded-port"]) == (
        "127.0.0.1",
        "http",
        "8700",
    )


def test_every_cookie_of_an_answer_passes() -> None:
    several = streamed(303, b"", [("set-cookie", "a=1"), ("set-cookie", "b=2"), ("location", "/pay/x")])
    answer, _ = through(Behind(several), "POST", "/pay/x")
    assert answer.status_code == 303
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert answer.headers["location"] == "/pay/x"


def test_headers_about_one_connection_stay_on_it() -> None:
    behind = Behind(streamed(200, b"ok", [("connection", "close"), ("x-kept", "yes")]))
    answer, _ = through(behind, "GET", "/health", headers={"te": "trailers"})
    assert "te" not in behind.seen[0].headers
    assert "connection" not in answer.headers
    assert answer.headers["x-kept"] == "yes"


def test_a_request_is_on_its_way_until_its_whole_answer_is_out() -> None:
    proxy: Proxy
    during: list[int] = []

    async def slowly() -> AsyncIterator[bytes]:
        during.append(proxy.open)
        yield b"first"
        during.append(proxy.open)

    proxy = Proxy(httpx.MockTransport(lambda _: httpx.Response(200, content=slowly())))
    proxy.point_to("http://127.0.0.1:8701", "abc123")
    answer = asyncio.run(_send(proxy, "GET", "/health"))
    assert (answer.text, during, proxy.open) == ("first", [1, 1], 0)


def test_before_the_api_is_there_the_door_says_when_to_come_again() -> None:
    answer = asyncio.run(_send(Proxy(httpx.MockTransport(Behind())), "GET", "/health"))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_cloud_that_does_not_answer_is_a_problem_in_words() -> None:
    def gone(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("gone", request=request)

    answer, proxy = through(gone, "GET", "/health")
    assert answer.status_code == 502
    assert answer.json()["title"] == "No answer"
    assert proxy.open == 0
