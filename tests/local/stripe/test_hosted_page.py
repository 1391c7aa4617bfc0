"""The hosted Checkout page as a browser meets it: labels, buttons, refusals in plain words, where each step leads."""

import asyncio
import html
import re
from urllib.parse import urlencode

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from infra.local.stripe import EmbeddedStripe
from infra.local.stripe.sdk import in_process_client
from infra.local.stripe.server import StripeServer
from tests.local.stripe.world import SHOW_ALL_CARDS, Clock

GOOD = {"number": "4242 4242 4242 4242", "expiration": "12 / 30", "cvc": "123"}
PRICE = {"currency": "usd", "unit_amount": 6250, "product_data": {"name": "Balance with <Riverbend>"}}


class Browser:
    """Opens and submits pages without following redirects; the app is mounted as the local cloud mounts it."""

    def __init__(self, embedded: EmbeddedStripe) -> None:
        self.embedded = embedded
        self.api = in_process_client(embedded).v1
        self._app = Starlette(routes=[Mount("/_local/stripe", StripeServer(embedded).app())])

    def get(self, path: str) -> httpx.Response:
        return self._request("GET", path)

    def post(self, path: str, **form: str) -> httpx.Response:
        return self._request("POST", path, form)

    def _request(self, method: str, path: str, form: dict[str, str] | None = None) -> httpx.Response:
        async def exchange() -> httpx.Response:
            carrier = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=carrier, base_url="http://127.0.0.1:8700/_local/stripe") as client:
                headers = {"Content-Type": "application/x-www-form-urlencoded"}
                return await client.request(method, path, content=urlencode(form or {}), headers=headers)

        return asyncio.run(exchange())

    def pay_session(self, **more: object) -> str:
        wanted = {
            "mode": "payment",
            "success_url": "https://kindbill.example/done?session={CHECKOUT_SESSION_ID}",
            "cancel_url": "https://kindbill.example/back",
            "line_items": [{"price_data": PRICE, "quantity": 1}],
            **more,
        }
        return self.api.checkout.sessions.create(params=wanted).id

    def setup_session(self, customer: str) -> str:
        wanted = {"mode": "setup", "currency": "usd", "customer": customer, "success_url": "https://kindbill.example/s"}
        return self.api.checkout.sessions.create(params=wanted).id

    def status(self, session: str) -> str | None:
        return self.api.checkout.sessions.retrieve(session).status


@pytest.fixture
def browser(embedded: EmbeddedStripe) -> Browser:
    return Browser(embedded)


def words(answer: httpx.Response) -> str:
    """The page's text."""
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text)))


def test_the_address_of_a_session_leads_to_its_page(browser: Browser) -> None:
    session = browser.api.checkout.sessions.retrieve(browser.pay_session())
    assert session.url == f"http://127.0.0.1:8700/_local/stripe/checkout/{session.id}"
    assert browser.get(f"/checkout/{session.id}").status_code == 200


def test_the_page_has_the_fields_and_names_the_amount_on_its_button(browser: Browser) -> None:  # PAY-4
    page = browser.get(f"/checkout/{browser.pay_session()}")
    for label, field in (("Card number", "number"), ("Expiration", "expiration"), ("CVC", "cvc")):
        assert f'<label for="{field}">{label}</label>' in page.text
    assert '<button class="button">Pay $62.50</button>' in page.text
    assert "Test mode." in words(page)
    assert "Balance with <Riverbend>" in words(page)
    assert "<Riverbend>" not in page.text
    assert 'href="https://kindbill.example/back"' in page.text


def test_the_page_of_a_setup_says_that_nothing_is_charged(browser: Browser) -> None:  # PAY-8
    customer = browser.api.customers.create(params={}).id
    page = browser.get(f"/checkout/{browser.setup_session(customer)}")
    assert '<button class="button">Save card</button>' in page.text
    assert "Nothing is charged now." in words(page)


def test_the_page_runs_no_script_and_loads_nothing_from_elsewhere(browser: Browser) -> None:  # PAY-7
    page = browser.get(f"/checkout/{browser.pay_session()}")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self' https://kindbill.example" in policy
    assert page.headers["referrer-policy"] == "same-origin"  # with none at all, forms would post from origin "null"
    assert "<script" not in page.text
    assert "style=" not in page.text
    assert browser.get("/checkout/style.css").headers["content-type"].startswith("text/css")


def test_paying_leads_to_the_success_address(browser: Browser) -> None:
    session = browser.pay_session()
    answer = browser.post(f"/checkout/{session}", **GOOD)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"https://kindbill.example/done?session={session}"
    assert browser.status(session) == "complete"


def test_pressing_pay_twice_charges_once_and_leads_to_the_same_place(browser: Browser) -> None:
    session = browser.pay_session()
    places = {browser.post(f"/checkout/{session}", **GOOD).headers["location"] for _ in range(2)}
    assert places == {f"https://kindbill.example/done?session={session}"}
    assert len(browser.api.charges.list().data) == 1


@pytest.mark.parametrize(
    "typed, sentence, field",
    [
        ({"number": "4242 4242 4242 4241"}, "This card number is not right.", "number"),
        ({"number": ""}, "This card number is not right.", "number"),
        ({"expiration": "01 / 20"}, "This expiration date is in the past", "expiration"),
        ({"expiration": "10/26"}, "This expiration date is in the past", "expiration"),
        ({"expiration": "soon"}, "This expiration date is in the past or not a date.", "expiration"),
        ({"cvc": "12"}, "This security code is not right.", "cvc"),
    ],
)
def test_a_slip_of_the_pen_is_told_at_its_field(
    browser: Browser, typed: dict[str, str], sentence: str, field: str
) -> None:
    session = browser.pay_session()
    page = browser.post(f"/checkout/{session}", **{**GOOD, **typed})
    assert page.status_code == 200
    assert sentence in words(page)
    assert f'aria-invalid="true" aria-describedby="{field}-problem"' in page.text
    assert browser.status(session) == "open"
    assert browser.api.payment_intents.list().data == []


@pytest.mark.parametrize("expiration", ["12 / 30", "12/30", "1230", "12 / 2030", "1/31"])
def test_an_expiration_can_be_typed_in_many_ways(browser: Browser, expiration: str) -> None:
    session = browser.pay_session()
    assert browser.post(f"/checkout/{session}", **{**GOOD, "expiration": expiration}).status_code == 303


@pytest.mark.parametrize(
    "number, sentence",
    [
        ("4000000000009995", "This card does not have enough money available."),
        ("4000000000000069", "This card has expired."),
        ("4000000000000002", "Your bank declined this card."),
        ("4111111111111111", "This is test mode"),
    ],
)
def test_a_decline_says_why_that_nothing_was_charged_and_keeps_the_page(
    browser: Browser, number: str, sentence: str
) -> None:
    session = browser.pay_session()
    page = browser.post(f"/checkout/{session}", **{**GOOD, "number": number})
    assert sentence in words(page)
    assert "Nothing was charged." in words(page)
    assert 'role="alert"' in page.text
    assert number not in page.text
    assert browser.post(f"/checkout/{session}", **GOOD).status_code == 303


def test_a_card_that_asks_its_holder_leads_over_the_banks_page(browser: Browser) -> None:
    session = browser.pay_session()
    step = browser.post(f"/checkout/{session}", **{**GOOD, "number": "4000002760003184"})
    assert (step.status_code, step.headers["location"]) == (303, f"{session}/authenticate")
    page = browser.get(f"/checkout/{session}/authenticate")
    assert "Complete authentication" in words(page)
    assert "Fail authentication" in words(page)
    done = browser.post(f"/checkout/{session}/authenticate", authentication="complete")
    assert done.headers["location"] == f"https://kindbill.example/done?session={session}"


def test_a_failed_authentication_leads_back_to_the_page_and_says_so(browser: Browser) -> None:
    session = browser.pay_session()
    browser.post(f"/checkout/{session}", **{**GOOD, "number": "4000002760003184"})
    back = browser.post(f"/checkout/{session}/authenticate", authentication="fail")
    assert (back.status_code, back.headers["location"]) == (303, f"../{session}")
    assert "Your bank could not confirm that it is you." in words(browser.get(f"/checkout/{session}"))
    assert browser.get(f"/checkout/{session}/authenticate").headers["location"] == f"../{session}"
    assert browser.post(f"/checkout/{session}/authenticate", authentication="complete").status_code == 303
    assert browser.status(session) == "open"


def test_saved_cards_are_offered_the_default_one_chosen_and_a_typed_one_wins(browser: Browser) -> None:  # PAY-9
    customer = browser.api.customers.create(params={}).id
    cards = [
        browser.api.payment_methods.attach(name, params={"customer": customer}).id
        for name in ("pm_card_visa", "pm_card_mastercard")
    ]
    default = {"invoice_settings": {"default_payment_method": cards[0]}}
    browser.api.customers.update(customer, params=default)
    session = browser.pay_session(customer=customer, saved_payment_method_options=SHOW_ALL_CARDS)
    page = browser.get(f"/checkout/{session}")
    assert f'value="{cards[0]}" checked' in page.text
    assert f'value="{cards[1]}">' in page.text
    assert "Mastercard ending in 4444" in words(page)
    assert "Save this card for future payments" in words(page)
    answer = browser.post(f"/checkout/{session}", payment_method=cards[0], number="5105105105105100", **{
        "expiration": "12/30", "cvc": "123",
    })  # fmt: skip
    assert answer.status_code == 303
    (charge,) = browser.api.charges.list(params={"customer": customer}).data
    assert charge.payment_method_details is not None
    assert charge.payment_method_details.card is not None
    assert charge.payment_method_details.card.last4 == "5100"


def test_a_saved_card_pays_without_typing(browser: Browser) -> None:  # PAY-9
    customer = browser.api.customers.create(params={}).id
    card = browser.api.payment_methods.attach("pm_card_visa", params={"customer": customer}).id
    session = browser.pay_session(customer=customer, saved_payment_method_options=SHOW_ALL_CARDS)
    typed = {"payment_method": card, "number": "", "expiration": "", "cvc": ""}
    assert browser.post(f"/checkout/{session}", **typed).status_code == 303
    assert browser.api.charges.list(params={"customer": customer}).data[0].payment_method == card


def test_cards_not_meant_to_be_shown_again_are_not_offered(browser: Browser) -> None:
    customer = browser.api.customers.create(params={}).id
    browser.api.payment_methods.attach("pm_card_visa", params={"customer": customer})
    assert "ending in 4242" not in words(browser.get(f"/checkout/{browser.pay_session(customer=customer)}"))


def test_a_session_that_is_over_shows_a_page_that_says_so(browser: Browser, clock: Clock) -> None:
    paid, late = browser.pay_session(), browser.pay_session()
    browser.post(f"/checkout/{paid}", **GOOD)
    done = browser.get(f"/checkout/{paid}")
    assert (done.status_code, "You are all done" in words(done)) == (200, True)
    assert f'href="https://kindbill.example/done?session={paid}"' in done.text
    clock.forward(hours=24)
    for gone in (browser.get(f"/checkout/{late}"), browser.post(f"/checkout/{late}", **GOOD)):
        assert (gone.status_code, "This page has expired" in words(gone)) == (410, True)
    unknown = browser.get("/checkout/cs_test_nobody")
    assert (unknown.status_code, "This page does not exist" in words(unknown)) == (404, True)
