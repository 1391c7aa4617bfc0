"""What somebody sends who means harm: every answer is a refusal that costs little, and none helps them further.

Ordinary mistakes are in test_bad_input.py, the pay page's own in serve_client/.
"""

import gzip
import json
from typing import Any

import pytest

from billing.ids import api_key_hash
from billing.policy import ApiKey
from billing.ports import Insert
from edges.http import Request, respond
from edges.links import Links
from functions.serve_client.pages import Ports, serve
from tests.fakes.cards import FakeCards
from tests.fakes.store import MemoryStore
from tests.functions.api import KEYS, Api, assert_problem
from tests.functions.serve_client.test_pages import LINKS, Browser, signed_in
from tests.functions.serve_client.world import CLIENT, NOW, ORIGIN, PHONE, PRACTICE, three_bills
from tests.functions.test_bad_input import RESULT, TAKING, Taking

takes_a_body = pytest.mark.parametrize("call", TAKING, ids=str)


@pytest.fixture
def api() -> Api:
    return Api()


# ------------------------------------------------------------------------------------------------- what it unpacks to


@takes_a_body
def test_a_compressed_body_is_never_unpacked(api: Api, call: Taking) -> None:
    """A bomb of 10 MB in 10 kB stays 10 kB: no call takes a Content-Encoding."""
    bomb = gzip.compress(json.dumps(call.body).encode() + b" " * 10_000_000)
    for encoding in ("gzip", "deflate", "br"):
        reply = api.call(call.method, call.path, key=call.scope, body=bomb, headers={"content-encoding": encoding})
        assert_problem(reply, 400)


@takes_a_body
@pytest.mark.parametrize("opening, closing", [("[", "]"), ('{"a":', "}"), ('[{"a":[', "]}]")])
@pytest.mark.parametrize("depth", [500, 900, 100_000])
def test_a_body_nested_without_end_is_refused_closed_or_not(
    api: Api, call: Taking, opening: str, closing: str, depth: int
) -> None:
    bodies = [opening * depth, opening * depth + "1" + closing * depth]
    for body in (body for body in bodies if len(body) < call.limit):
        reply = api.call(call.method, call.path, key=call.scope, body=body)
        assert reply.status in (400, 422)


@pytest.mark.parametrize("number", ["1e999999", "-1e999999", "1E400", "9" * 4000, "0." + "1" * 4000, "15000.0", "1e2"])
def test_a_number_that_grows_when_it_is_read_is_no_amount(api: Api, number: str) -> None:
    body = json.dumps(RESULT | {"charged": "HERE"}).replace('"HERE"', number)
    reply = api.call("POST", "/v1/claim-results", key="claims", body=body)
    assert_problem(reply, 422)


def test_many_large_numbers_and_fields_are_read_once_and_refused(api: Api) -> None:
    numbers = "[" + ",".join(["9" * 4000] * 240) + "]"
    fields = "{" + ",".join(f'"field{n}": 1' for n in range(60_000)) + "}"
    for body in (numbers, fields):
        reply = api.call("PUT", "/v1/clients/ana", key="practice", body=body)
        assert_problem(reply, 422)
        assert len(reply.body["errors"]) <= 20, "an answer does not grow with what was sent"


# ------------------------------------------------------------------------------------------------------ who asks


UNKNOWN = ("", "kb_live_" + "z" * 43, "kb_live_" + "z" * 5_000_000, "x" * 5_000_000, "kb_live_" + "\u0661" * 43)


class CountingStore(MemoryStore):
    """Counts what it is asked."""

    reads = 0

    def get(self, key: Any) -> Any:
        self.reads += 1
        return super().get(key)


@pytest.mark.parametrize("key", UNKNOWN, ids=["none", "unknown", "too long", "not ours", "other digits"])
def test_a_key_that_is_none_costs_at_most_one_read(api: Api, key: str) -> None:
    """256 bits cannot be guessed at any rate; what guessing may cost us is bounded here and by the routes' limits."""
    api.store = store = CountingStore()
    reply = api.call("POST", "/v1/claim-results", key=key, body=RESULT)
    assert_problem(reply, 401)
    assert store.reads == (1 if key == "kb_live_" + "z" * 43 else 0)


class NoStore(MemoryStore):
    """Must not be asked anything."""

    def get(self, key: Any) -> Any:
        raise AssertionError("read")

    get_many = partition = get


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_link_we_never_signed_is_refused_before_anything_is_read(method: str) -> None:
    """Its signature has 144 bits: whoever tries links at random never reaches the table, whatever their rate."""
    ports = Ports(NoStore(), FakeCards, LINKS, lambda: NOW, lambda: "new", ORIGIN)
    forged = Links(b"guessed", ORIGIN).token(PRACTICE, CLIENT, 0, NOW)
    for token in (forged, "a.b", "x" * 1024, "x" * 100_000):
        answer = serve(Request(method, f"/pay/{token}/phone", {}, body=b"phone=1"), ports)
        assert answer["statusCode"] == 404


def test_a_flood_of_cookies_is_a_browser_without_a_session() -> None:
    browser = Browser(three_bills())
    for cookies in ({f"c{n}": "x" for n in range(5_000)}, {"kb_pay": "x" * 2_000_000}):
        request = Request("GET", browser.link, {}, cookies=cookies)
        ports = Ports(browser.world.store, FakeCards, LINKS, lambda: NOW, lambda: "new", ORIGIN)
        answer = serve(request, ports)
        assert answer["statusCode"] == 200
        assert "$" not in answer["body"]


# -------------------------------------------------------------------------------------------- where it leads people


FOREIGN = {
    "host": "evil.example",
    "x-forwarded-host": "evil.example",
    "origin": "null",
    "forwarded": "host=evil.example",
}


def test_no_answer_takes_its_address_from_the_request(api: Api) -> None:
    """Links, redirects and return addresses are made from the one address that the template names."""
    accepted = api.call("POST", "/v1/claim-results", key="claims", body=RESULT, headers=dict(FOREIGN))
    assert accepted.status == 202
    assert "evil" not in str(accepted.body)
    world = three_bills()
    browser = signed_in(world)
    sent = {name.replace("-", "_"): value for name, value in FOREIGN.items()}
    assert "evil" not in browser.send("GET", browser.link, **sent)["body"]
    page = browser.page
    csrf = next(one["value"] for one in page.all("input") if one["name"] == "csrf")
    browser.send("POST", f"{browser.link}/pay", f"csrf={csrf}&invoice=all".encode(), **sent)
    assert browser.status == 303
    assert all(address.startswith(f"{ORIGIN}/pay/") for address in world.cards.returns)


@pytest.mark.parametrize(
    "path", ["//evil.example/", "/pay//evil.example", "/pay/x//evil.example", "/pay/\\evil.example"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_address_sends_a_browser_elsewhere(method: str, path: str) -> None:
    browser = Browser(three_bills())
    answer = browser.send(method, path)
    assert answer["statusCode"] == 404
    assert "location" not in answer["headers"]


@pytest.mark.parametrize("step", ["/../admin", "/%2e%2e/x", "/phone/../pay", "/PAY", "/phone%00", "/done/1"])
def test_a_path_that_climbs_leads_nowhere(step: str) -> None:
    browser = Browser(three_bills())
    browser.send("POST", browser.link + step, f"phone={PHONE}".encode())
    assert browser.status == 404
    assert browser.world.store.commits == Browser(three_bills()).world.store.commits


@pytest.mark.parametrize("name", ["static/../edges/aws.py", "static/%2e%2e/aws.py", "static//style.css", "static/"])
def test_only_the_stylesheet_is_served_as_a_file(name: str) -> None:
    assert Browser(three_bills()).send("GET", f"/{name}")["statusCode"] == 404


# ------------------------------------------------------------------------------------------------- every answer's head


HEAD = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
}


def test_every_answer_of_the_api_tells_browsers_to_keep_and_run_nothing(api: Api) -> None:
    replies = [
        api.call("GET", "/health"),
        api.call("GET", "/v1/holds", key="practice"),
        api.call("GET", "/v1/holds"),
        api.call("GET", "/nothing"),
        api.call("DELETE", "/v1/holds", key="practice"),
        api.call("POST", "/v1/claim-results", key="claims", body="{"),
    ]
    assert {reply.status for reply in replies} == {200, 400, 401, 404, 405}
    for reply in replies:
        assert HEAD.items() <= reply.headers.items()
        assert "max-age=" in reply.headers["strict-transport-security"]
        assert reply.headers["content-security-policy"].startswith("default-src 'none'")


def test_every_answer_of_the_pay_page_does_too() -> None:
    browser = signed_in(three_bills())
    answers = [browser.response]
    for method, path, body in (
        ("GET", browser.link, b""),
        ("GET", "/pay/unknown", b""),
        ("POST", f"{browser.link}/pay", b"csrf=wrong"),
        ("POST", f"{browser.link}/phone", b"phone=1"),
        ("DELETE", browser.link, b""),
        ("GET", f"{browser.link}/nothing", b""),
        ("POST", f"{browser.link}/phone", b"x" * 20_000),
    ):
        answers.append(browser.send(method, path, body))
    assert {answer["statusCode"] for answer in answers} == {200, 303, 403, 404, 405, 413}
    for answer in answers:
        assert HEAD.items() <= answer["headers"].items()
        assert "frame-ancestors 'none'" in answer["headers"]["content-security-policy"]
        assert answer["headers"]["cross-origin-opener-policy"] == "same-origin"
        assert "geolocation=()" in answer["headers"]["permissions-policy"]


def test_a_page_may_say_otherwise_about_keeping_only() -> None:
    kept = respond(200, "", {"cache-control": "public"})["headers"]
    assert kept["cache-control"] == "public"
    assert kept["x-content-type-options"] == "nosniff"


# --------------------------------------------------------------------------------------------------------- what is told


def test_another_practices_rows_cannot_be_told_from_rows_that_are_not_there(api: Api) -> None:
    """A key of one practice learns nothing of another, not even by the status."""
    posted = api.call("POST", "/v1/claim-results", key="claims", body=RESULT)

    stranger = "kb_live_" + "s" * 43
    api.store.commit(Insert(ApiKey(api_key_hash(stranger), "oak", ("claims", "practice", "support"))))
    for theirs, nobodys in (
        (posted.body["status_url"], "/v1/receipts/rcp_nobody"),
        ("/v1/practices/riverbend/policies", "/v1/practices/nobody/policies"),
    ):
        assert api.call("GET", theirs, key=stranger).body == api.call("GET", nobodys, key=stranger).body
    assert KEYS["claims"] != stranger
