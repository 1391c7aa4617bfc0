"""The console answers this machine only, in the shapes that programs rely on."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from infra.local.clock import Clock, Stuck
from infra.local.console import Console, OnlyThisMachine
from infra.local.copy import Copy, NoSuchMail
from infra.local.quiet import NotQuiet

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


class OneCopy:
    """A copy that does what the test says."""

    def __init__(self) -> None:
        self.base_url = "http://127.0.0.1:8700"
        self.clock = Clock(NOW)
        self.time = self
        self.quiet = self
        self.keys = {"claims": "kb_live_x"}
        self.went_to: list[datetime] = []
        self.trouble: Exception | None = None

    async def forward(self, until: datetime) -> None:
        if self.trouble:
            raise self.trouble
        self.went_to.append(until)
        self.clock.now = until

    async def settle(self) -> None:
        if self.trouble:
            raise self.trouble

    async def bounce(self, mail_id: str) -> Any:
        raise NoSuchMail(f"there is no mail {mail_id}")


@pytest.fixture
def copy() -> OneCopy:
    return OneCopy()


def call(copy: OneCopy | None, method: str, path: str, **request: Any) -> httpx.Response:
    """One call of the console of that copy, or of one that is not there yet."""
    console = Console()
    console.copy = cast(Copy, copy)
    console.is_ready = copy is not None
    pay = Route("/pay/x", lambda _: PlainTextResponse("a page of ours"))
    hosted = Route("/_local/stripe/checkout/cs_1", lambda _: PlainTextResponse("a page of Stripe's"), methods=["POST"])
    app = Starlette(routes=[hosted, *console.routes(), pay], middleware=[Middleware(OnlyThisMachine)])

    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8700") as client:
            return await client.request(method, path, **request)

    return asyncio.run(send())


@pytest.mark.parametrize("host", ["127.0.0.1:8700", "localhost:8700", "[::1]:8700"])
def test_this_machine_is_answered(copy: OneCopy, host: str) -> None:
    assert call(copy, "GET", "/_local/keys", headers={"host": host}).json() == {"claims": "kb_live_x"}


@pytest.mark.parametrize("host", ["evil.example:8700", "127.0.0.1.evil.example:8700", "evil.example", ""])
def test_a_name_that_only_points_here_is_refused(copy: OneCopy, host: str) -> None:
    answer = call(copy, "GET", "/_local/keys", headers={"host": host})
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:9999", "null"])
def test_another_pages_request_is_refused(copy: OneCopy, origin: str) -> None:
    answer = call(copy, "POST", "/_local/clock", headers={"origin": origin}, json={"forward": "48h"})
    assert answer.status_code == 403
    assert copy.went_to == []


def test_our_own_pages_request_is_taken(copy: OneCopy) -> None:
    own = {"origin": "http://127.0.0.1:8700"}
    assert call(copy, "POST", "/_local/clock", headers=own, json={"forward": "1h"}).status_code == 200


def test_the_hosted_page_may_hide_where_its_form_comes_from(copy: OneCopy) -> None:
    assert call(copy, "POST", "/_local/stripe/checkout/cs_1", headers={"origin": "null"}).status_code == 200
    assert (
        call(copy, "POST", "/_local/stripe/checkout/cs_1", headers={"origin": "https://evil.example"}).status_code
        == 403
    )


def test_what_is_not_the_consoles_is_open_to_every_name(copy: OneCopy) -> None:
    assert call(copy, "GET", "/pay/x", headers={"host": "pay.example.com"}).text == "a page of ours"


def test_before_it_is_ready_it_says_how_far_it_is() -> None:
    answer = call(None, "GET", "/_local/ready")
    assert answer.status_code == 503
    assert "starting" in answer.json()["detail"]


def test_the_clock_goes_by_a_length_or_to_an_instant(copy: OneCopy) -> None:
    assert call(copy, "POST", "/_local/clock", json={"forward": "48h"}).json() == {"now": "2026-11-22T12:00:00+00:00"}
    to = call(copy, "POST", "/_local/clock", json={"to": "2026-12-01T01:00:00-08:00"})
    assert to.json() == {"now": "2026-12-01T09:00:00+00:00"}


@pytest.mark.parametrize(
    "body",
    [{}, {"forward": "soon"}, {"forward": 48}, {"to": "tomorrow"}, {"forward": "1h", "to": "2026-12-01T09:00:00Z"}, []],
)
def test_a_time_that_cannot_be_read_is_400_and_nothing_moves(copy: OneCopy, body: Any) -> None:
    answer = call(copy, "POST", "/_local/clock", json=body)
    assert (answer.status_code, copy.went_to) == (400, [])


def test_a_time_in_the_past_is_400(copy: OneCopy) -> None:
    copy.trouble = ValueError("time does not go back")
    assert call(copy, "POST", "/_local/clock", json={"to": "2020-01-01T00:00:00Z"}).status_code == 400


def test_time_that_cannot_go_on_is_504_and_names_what_is_stuck(copy: OneCopy) -> None:
    copy.trouble = Stuck(NOW, ["INVOICE#1# due since yesterday"])
    answer = call(copy, "POST", "/_local/clock", json={"forward": "48h"})
    assert answer.status_code == 504
    assert (answer.json()["now"], answer.json()["stuck"]) == (NOW.isoformat(), ["INVOICE#1# due since yesterday"])


def test_a_persons_button_moves_the_clock_and_shows_the_page_again(copy: OneCopy) -> None:
    answer = call(copy, "POST", "/_local/page/clock", data={"forward": "48h"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/_local")
    assert copy.went_to == [NOW + timedelta(hours=48)]


def test_a_person_who_mistypes_is_told_on_the_page(copy: OneCopy) -> None:
    answer = call(copy, "POST", "/_local/page/clock", data={"forward": "two days"})
    assert answer.status_code == 303
    assert "problem=%27two+days%27+is+no+length+of+time" in answer.headers["location"]


def test_work_that_does_not_come_to_rest_is_504_and_named(copy: OneCopy) -> None:
    copy.trouble = NotQuiet(("queue send_email: 1 waiting, 0 in flight, 0 delayed",))
    answer = call(copy, "POST", "/_local/settle")
    assert answer.status_code == 504
    assert answer.json()["stuck"] == ["queue send_email: 1 waiting, 0 in flight, 0 delayed"]


def test_a_mail_that_is_not_there_cannot_bounce(copy: OneCopy) -> None:
    assert call(copy, "POST", "/_local/mail/m1/bounce").status_code == 404


@pytest.mark.parametrize(
    "body", [{}, {"number": 4242}, {"number": "4242", "autopay": "yes"}, {"number": "4", "cap": 1.5}]
)
def test_a_card_that_cannot_be_read_is_400(copy: OneCopy, body: Any) -> None:
    assert call(copy, "POST", "/_local/clients/ana/card", json=body).status_code == 400
