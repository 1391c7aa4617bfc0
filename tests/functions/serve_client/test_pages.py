"""The pay pages over HTTP: addresses, methods, headers, and what every kind of mistake looks like to a person."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from billing.ids import Key
from billing.ports import CardGateway, Record, TryAgain
from edges.http import Request, Response
from edges.links import LASTS, Links
from edges.render import STYLE
from functions.serve_client.pages import Ports, serve
from tests.functions.serve_client.html import Element, parsed
from tests.functions.serve_client.world import CLIENT, NOW, ORIGIN, PHONE, PRACTICE, World, a_world, three_bills, visa

LINKS = Links(b"a secret of the tests", ORIGIN)


@dataclass
class Browser:
    """A browser on a pay link: it keeps its cookie, follows our redirects and sends forms as a page has them."""

    world: World
    origin: str = ORIGIN
    link: str = field(default_factory=lambda: f"/pay/{LINKS.token(PRACTICE, CLIENT, 0, NOW)}")
    cookie: str = ""
    response: Response = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._ids: Iterator[int] = iter(range(1, 100))
        self.now = NOW

    def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> Response:
        sent = {"content-type": "application/x-www-form-urlencoded"} | {
            k.replace("_", "-"): v for k, v in headers.items()
        }
        split = urlsplit(path)
        query = dict(pair.split("=") for pair in split.query.split("&") if pair)
        cookies = {"kb_pay": self.cookie} if self.cookie else {}
        ports = Ports(
            store=self.world.store,
            cards=self._cards,
            links=LINKS,
            now=lambda: self.now,
            new_id=lambda: f"session-{next(self._ids)}",
            origin=self.origin,
        )
        self.response = serve(Request(method, split.path, sent, query, cookies, body, "203.0.113.7"), ports)
        for cookie in self.response.get("cookies", ()):
            self.cookie = cookie.partition(";")[0].partition("=")[2]
        return self.response

    def _cards(self) -> CardGateway:
        return self.world.cards

    def open(self, path: str = "") -> Element:
        self.send("GET", path or self.link)
        return self.page

    @property
    def status(self) -> int:
        return int(self.response["statusCode"])

    @property
    def page(self) -> Element:
        return parsed(self.response["body"])

    def press(self, button: str, **typed: str) -> "Browser":
        """Send the form of the button that reads so, with every field as the page has it and what was typed."""
        page = self.page
        pressed = page.button(button)
        form = next(one for one in page.all("form") if one["id"] == pressed["form"] or pressed in one.all("button"))
        fields = {}
        for one in form.all("input"):
            if one["type"] not in ("checkbox", "radio") or "checked" in one.attributes:
                fields[one["name"]] = one["value"]
        if pressed["name"]:
            fields[pressed["name"]] = pressed["value"]
        address = pressed["formaction"] or form["action"]
        self.send("POST", address, urlencode(fields | typed).encode(), sec_fetch_site="same-origin")
        if self.status == 303 and self.response["headers"]["location"].startswith("/"):
            self.send("GET", self.response["headers"]["location"])
        return self


def signed_in(world: World, **changes: Any) -> Browser:
    browser = replace(Browser(world), **changes)
    browser.open()
    return browser.press("Continue", phone="(202) 555-0143")


def test_pay_1_a_client_opens_the_link_gives_the_number_and_pays() -> None:
    world = three_bills()
    browser = Browser(world)
    assert "Riverbend" not in browser.open().text
    browser.press("Continue", phone=PHONE)
    assert "Hi Ana, three bills are ready to pay" in browser.page.headings()
    browser.press("Pay all $250.00", autopay="on")
    assert browser.response["headers"]["location"] == world.attempt().session_url
    assert world.attempt().enrolment is not None
    world.pays()
    browser.open(f"{browser.link}/done?attempt=1")
    assert "Paid. Thank you!" in browser.page.headings()
    assert "Automatic payments are on." in browser.page.text
    assert "Nothing to pay" in browser.open().text


def test_pay_1_ticking_autopay_alone_is_enough_to_enrol_because_the_page_asks_everything_at_once() -> None:
    world = a_world()
    world.bill(1)
    signed_in(world).press("Pay $62.50", autopay="on")
    world.pays(card=visa())
    assert world.account.autopay


def test_auto_1_a_card_can_be_saved_from_the_same_form_without_paying() -> None:
    world = a_world()
    world.bill(1)
    browser = signed_in(world).press("Only save a card", autopay="on", join="inv_1")
    assert browser.response["headers"]["location"] == world.attempt().session_url
    world.pays()
    assert world.account.autopay
    assert world.books.balance == 6250
    browser.open(f"{browser.link}/done?attempt=1")
    assert "Nothing was charged." in browser.page.text


def test_a_form_that_must_be_mended_keeps_what_was_typed() -> None:
    world = a_world()
    world.bill(1)
    browser = signed_in(world).press("Pay $62.50", autopay="on", card_kind="health", cap="a lot")
    assert browser.status == 422
    page = browser.page
    assert page.labelled("Most we may charge at once (optional)")["value"] == "a lot"
    assert "checked" in page.labelled("FSA, HSA or HRA card").attributes
    assert "checked" in page.labelled("Pay future bills automatically with this card").attributes
    (alert,) = (one for one in page.all("div") if one["role"] == "alert")
    assert {one["href"] for one in alert.all("a")} == {"#cap", "#card_kind"}
    browser.press("Pay $62.50", autopay="", cap="")
    assert browser.status == 303


def test_auto_9_turning_autopay_off_and_stopping_a_charge_show_the_page_again() -> None:
    world = a_world()
    world.bill(1)
    browser = signed_in(world).press("Pay $62.50", autopay="on")
    world.pays()
    browser.open()
    assert "Automatic payments are on" in browser.page.headings()
    browser.press("Turn off automatic payments")
    assert browser.status == 200
    assert "Automatic payments are on" not in browser.page.headings()


# ------------------------------------------------------------------------------------------------- links and mistakes


@pytest.mark.parametrize(
    "path",
    ["/pay", "/pay/", "/pay/forged", "/pay/a.b", "/pay/a.b/done", "/pay/%00", f"/pay/{'a' * 2000}", "/elsewhere"],
)
def test_a_link_that_is_none_of_ours_is_a_404_page_that_says_what_to_do(path: str) -> None:
    browser = Browser(three_bills())
    page = browser.open(path)
    assert browser.status == 404
    assert "open the link in our latest email" in page.text


def test_a_changed_link_is_unknown() -> None:
    browser = Browser(three_bills())
    browser.open(browser.link[:-1] + ("a" if browser.link[-1] != "a" else "b"))
    assert browser.status == 404


def test_a_link_older_than_90_days_is_a_410_page_that_says_what_to_do() -> None:
    browser = Browser(three_bills())
    browser.now = NOW + LASTS
    browser.open()
    assert browser.status == 200
    browser.now = NOW + LASTS + timedelta(seconds=1)
    page = browser.open()
    assert browser.status == 410
    assert "Please open the link in our latest email." in page.text


def test_a_revoked_link_is_a_410_page() -> None:
    world = three_bills()
    world.change(world.account, link_epoch=1)
    browser = Browser(world)
    browser.open()
    assert browser.status == 410


def test_a_button_address_opened_by_hand_leads_back_to_the_page() -> None:
    browser = Browser(three_bills())
    for step in ("phone", "pay", "setup", "stop", "autopay-off"):
        browser.send("GET", f"{browser.link}/{step}")
        assert (browser.status, browser.response["headers"]["location"]) == (303, browser.link)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_page_is_only_looked_at(method: str) -> None:
    browser = Browser(three_bills())
    browser.send(method, browser.link)
    assert browser.status == 405
    assert browser.response["headers"]["allow"] == "GET, HEAD, POST"


def test_a_page_that_does_not_exist_leads_back_to_the_one_that_does() -> None:
    browser = Browser(three_bills())
    page = browser.open(f"{browser.link}/history")
    assert browser.status == 404
    assert page.button("Back to your page")["href"] == browser.link


def test_mail_scanners_may_follow_links_in_any_way_and_nothing_changes() -> None:
    world = three_bills()
    commits = world.store.commits
    browser = Browser(world)
    for method in ("GET", "HEAD"):
        for step in ("", "/", "/done?attempt=1", "/phone", "/pay"):
            browser.send(method, browser.link + step)
            assert browser.status in (200, 303)
    assert browser.send("HEAD", browser.link)["body"] == ""
    assert world.store.commits == commits


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_sites_form_does_nothing(site: str) -> None:
    world = three_bills()
    browser = Browser(world)
    commits = world.store.commits
    browser.send("POST", f"{browser.link}/phone", b"phone=1", sec_fetch_site=site)
    assert browser.status == 403
    assert world.store.commits == commits


def test_a_form_without_its_token_is_a_403_page_that_leads_back() -> None:
    browser = signed_in(three_bills())
    browser.send("POST", f"{browser.link}/pay", b"invoice=inv_1")
    assert browser.status == 403
    assert browser.page.button("Back to your page")["href"] == browser.link


def test_what_is_no_form_is_refused_before_it_is_judged() -> None:
    world = three_bills()
    browser = Browser(world)
    commits = world.store.commits
    browser.send("POST", f"{browser.link}/phone", b'{"phone": "1"}', content_type="application/json")
    assert browser.status == 400
    browser.send("POST", f"{browser.link}/phone", b"\xff\xfe")
    assert browser.status == 400
    browser.send("POST", f"{browser.link}/phone", b"&".join(b"a=1" for _ in range(200)))
    assert browser.status == 400
    browser.send("POST", f"{browser.link}/phone", b"phone=" + b"1" * 20_000)
    assert browser.status == 413
    assert world.store.commits == commits


def test_a_refusal_is_a_page_that_says_why_and_leads_back() -> None:
    world = three_bills()
    browser = signed_in(world).press("Pay all $250.00")
    browser.open()
    world.cards.pay_on_page(world.attempt().session_id, visa(), processing=True)
    browser.press("Pay all $250.00")
    assert browser.status == 409
    assert "A payment is on its way right now" in browser.page.text
    assert browser.page.button("Back to your page")["href"] == browser.link


class Unwell:
    """A table that fails."""

    def __init__(self, fault: Exception) -> None:
        self.fault = fault

    def get_many(self, keys: list[Key]) -> list[Record | None]:
        raise self.fault


@pytest.mark.parametrize(("fault", "status"), [(TryAgain("throttled"), 503), (ZeroDivisionError("secret"), 500)])
def test_a_fault_on_our_side_is_a_page_without_its_inner_workings(
    fault: Exception, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    world = a_world()
    world.store = Unwell(fault)  # type: ignore[assignment]
    browser = Browser(world)
    page = browser.open()
    assert browser.status == status
    for inside in ("secret", "throttled", "Traceback", "ZeroDivisionError"):
        assert inside not in page.text
    log = capsys.readouterr().out
    assert type(fault).__name__ in log
    assert browser.link not in log


# --------------------------------------------------------------------------------------------------------- the wire


def test_pay_7_no_page_runs_a_script_or_loads_from_elsewhere_or_lets_its_address_leak() -> None:
    browser = signed_in(three_bills())
    headers = browser.response["headers"]
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "form-action": "'self' https://checkout.stripe.com",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["strict-transport-security"].startswith("max-age=")
    assert headers["content-type"] == "text/html; charset=utf-8"


def test_the_session_cookie_is_for_our_pages_only_and_secure_where_the_site_is() -> None:
    browser = Browser(three_bills())
    browser.open()
    assert "cookies" not in browser.response
    browser.send("POST", f"{browser.link}/phone", urlencode({"phone": PHONE}).encode())
    (cookie,) = browser.response["cookies"]
    assert cookie == "kb_pay=session-1; Path=/pay; Max-Age=1800; HttpOnly; SameSite=Lax; Secure"
    local = Browser(three_bills(), origin="http://127.0.0.1:8700")
    local.send("POST", f"{local.link}/phone", urlencode({"phone": PHONE}).encode())
    assert local.response["cookies"][0].endswith("; HttpOnly; SameSite=Lax")


def test_the_stylesheet_may_be_kept_under_the_address_that_pages_give_it() -> None:
    browser = Browser(three_bills())
    (address,) = (one["href"] for one in browser.open().all("link") if one["rel"] == "stylesheet")
    response = browser.send("GET", address)
    assert base64.b64decode(response["body"]) == STYLE
    assert response["headers"]["content-type"] == "text/css; charset=utf-8"
    assert "immutable" in response["headers"]["cache-control"]
    assert "immutable" not in browser.send("GET", "/static/style.css")["headers"]["cache-control"]
    browser.send("GET", "/static/../secrets")
    assert browser.status == 404


def test_law_1_what_is_logged_names_no_link_number_or_person(capsys: pytest.CaptureFixture[str]) -> None:
    browser = signed_in(three_bills())
    browser.press("Pay all $250.00")
    log = capsys.readouterr().out
    assert '"status":303' in log
    for secret in (
        browser.link.removeprefix("/pay/"),
        browser.cookie,
        PHONE,
        "202-555",
        "(202) 555",
        "Ana",
        "Riverbend",
    ):
        assert secret not in log
