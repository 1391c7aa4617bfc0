"""StripeCards keeps what billing.ports.CardGateway promises: the official SDK on the embedded Stripe, with faults."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
import stripe

from billing.payment import Attempt, AttemptKind, AttemptState, CardDetails, Part
from billing.ports import TryAgain
from edges.card_gateway import (
    API_VERSION,
    RETRIES,
    InTime,
    StripeCards,
    stripe_client,
)
from infra.local.stripe import EmbeddedStripe
from infra.local.stripe.faults import Fault, FaultKind
from infra.local.stripe.sdk import BASE_URL, InProcessHTTPClient

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CHARGES = "POST /v1/payment_intents$"


class Recorder(InProcessHTTPClient):
    """Remembers what was sent."""

    def __init__(self, embedded: EmbeddedStripe) -> None:
        super().__init__(embedded)
        self.sent: list[tuple[str, str, str, Mapping[str, str]]] = []

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **more: Any
    ) -> tuple[str, int, Mapping[str, str]]:
        self.sent.append((method, url.removeprefix(BASE_URL), post_data or "", dict(headers or {})))
        return super().request(method, url, headers, post_data, **more)


class World:
    """A clock, an embedded Stripe, and the gateway on it."""

    def __init__(self) -> None:
        self.now = NOON
        self.stripe = EmbeddedStripe(lambda: self.now)
        self.http = Recorder(self.stripe)
        self.sdk = stripe_client("sk_test_embedded", BASE_URL, self.http)
        self.cards = StripeCards(self.sdk)
        self.customer = self.cards.ensure_customer("elm_street", "ana")

    def saved(self, name: str = "visa") -> str:
        """A test card attached to the customer."""
        method = self.sdk.v1.payment_methods.attach(f"pm_card_{name}", {"customer": self.customer})
        return method.id

    def attempt(self, payment_method: str = "", number: int = 1, **more: Any) -> Attempt:
        defaults: dict[str, Any] = {
            "channel": AttemptKind.AUTOPAY,
            "parts": (Part("inv_1", 40_00), Part("inv_2", 22_50)),
            "consent_id": "consent_1",
        }
        fields = defaults | more
        return Attempt(
            practice="elm_street",
            client="ana",
            number=number,
            version=1,
            customer=self.customer,
            payment_method=payment_method,
            card_id="card_1",
            started_at=self.now,
            **fields,
        )

    def page(self, kind: AttemptKind = AttemptKind.CHECKOUT, **more: Any) -> Attempt:
        """An attempt with its hosted page open."""
        parts = () if kind is AttemptKind.SETUP else (Part("inv_1", 62_50),)
        attempt = self.attempt(channel=kind, parts=parts, expires_at=self.now + timedelta(minutes=30), **more)
        opened = self.cards.open_checkout(attempt, "https://pay.example/done", "https://pay.example/back")
        return replace(attempt, session_id=opened.session_id, session_url=opened.url)

    def fault(self, kind: FaultKind, times: int = 1, match: str = CHARGES) -> None:
        self.stripe.arm_faults([Fault(match, kind, times)])

    def intents(self) -> list[stripe.PaymentIntent]:
        return list(self.sdk.v1.payment_intents.list({"customer": self.customer}).auto_paging_iter())


@pytest.fixture
def world() -> World:
    return World()


# ------------------------------------------------------------------------------------------------------- charging


def test_a_charge_takes_the_sum_of_its_parts_once_and_names_the_card(world: World) -> None:
    evidence = world.cards.charge(world.attempt(world.saved()))
    (intent,) = world.intents()
    assert evidence.state is AttemptState.POSTED
    assert (evidence.amount, evidence.intent_id, evidence.charge_id) == (62_50, intent.id, intent.latest_charge)
    assert evidence.card is not None
    assert (evidence.card.brand, evidence.card.last4, evidence.card.funding) == ("visa", "4242", "credit")
    assert evidence.card.payment_method == intent.payment_method


def test_a_charge_is_off_session_and_refers_to_the_consent(world: World) -> None:
    """LAW-2."""
    world.cards.charge(world.attempt(world.saved()))
    sent = dict(parse_qsl(world.http.sent[-1][2]))
    assert sent["off_session"] == "true"
    assert sent["confirm"] == "true"
    assert sent["metadata[consent]"] == "consent_1"


def test_the_same_attempt_sent_twice_charges_once(world: World) -> None:
    attempt = world.attempt(world.saved())
    first, second = world.cards.charge(attempt), world.cards.charge(attempt)
    assert first == second
    assert len(world.intents()) == 1


def test_two_attempts_are_two_charges(world: World) -> None:
    card = world.saved()
    world.cards.charge(world.attempt(card, number=1))
    world.cards.charge(world.attempt(card, number=2))
    assert len(world.intents()) == 2


@pytest.mark.parametrize(
    ("card", "reason", "decline"),
    [
        ("visa_chargeDeclined", "declined", "generic_decline"),
        ("visa_chargeDeclinedInsufficientFunds", "declined", "insufficient_funds"),
        ("visa_chargeDeclinedLostCard", "declined", "lost_card"),
        ("visa_chargeDeclinedExpiredCard", "declined", "expired_card"),
        ("authenticationRequired", "authentication_required", "authentication_required"),
    ],
)
def test_a_decline_is_evidence_with_stripes_code(world: World, card: str, reason: str, decline: str) -> None:
    method = world.saved("visa")
    behaviour = "authentication_required" if reason == "authentication_required" else decline
    world.stripe.set_card(method, behaviour)
    attempt = world.attempt(method)
    evidence = world.cards.charge(attempt)
    assert (evidence.state, evidence.reason, evidence.decline) == (AttemptState.FAILED, reason, decline)
    assert evidence.intent_id == world.intents()[0].id
    assert world.cards.charge(attempt) == evidence, "a repeated request is answered by the same decline"
    assert world.cards.find_charge(attempt) == evidence, "and the look-up says the same"


def test_a_card_that_stripe_does_not_know_is_refused_for_good(world: World) -> None:
    evidence = world.cards.charge(world.attempt("pm_gone"))
    assert (evidence.state, evidence.reason, evidence.decline) == (
        AttemptState.FAILED,
        "refused_by_processor",
        "resource_missing",
    )


@pytest.mark.parametrize("kind", ["lost_response", "drop", "500_before"])
def test_one_fault_is_repaired_by_the_sdk_with_the_same_key(world: World, kind: FaultKind) -> None:
    attempt = world.attempt(world.saved())
    world.fault(kind)
    assert world.cards.charge(attempt).state is AttemptState.POSTED
    assert len(world.intents()) == 1
    keys = {headers["Idempotency-Key"] for method, path, _, headers in world.http.sent if path == "/v1/payment_intents"}
    assert len(keys) == 1


@pytest.mark.parametrize("kind", ["lost_response", "500_after"])
def test_a_charge_whose_answer_stays_away_is_unknown_and_found_later(world: World, kind: FaultKind) -> None:
    attempt = world.attempt(world.saved())
    world.fault(kind, times=RETRIES + 1)
    assert world.cards.charge(attempt).state is AttemptState.UNKNOWN
    found = world.cards.find_charge(attempt)
    assert found is not None
    assert (found.state, found.amount) == (AttemptState.POSTED, 62_50)
    assert len(world.intents()) == 1


@pytest.mark.parametrize("kind", ["drop", "500_before"])
def test_a_charge_that_never_arrived_is_unknown_and_not_found(world: World, kind: FaultKind) -> None:
    attempt = world.attempt(world.saved())
    world.fault(kind, times=RETRIES + 1)
    assert world.cards.charge(attempt).state is AttemptState.UNKNOWN
    assert world.cards.find_charge(attempt) is None


def test_too_many_requests_ask_to_wait_and_charge_nothing(world: World) -> None:
    attempt = world.attempt(world.saved())
    world.fault("429")
    with pytest.raises(TryAgain):
        world.cards.charge(attempt)
    assert world.intents() == []
    assert world.cards.charge(attempt).state is AttemptState.POSTED


def test_a_key_still_in_use_asks_to_wait(world: World) -> None:
    attempt = world.attempt(world.saved())
    world.stripe.request = _in_use(world.stripe.request)  # type: ignore[method-assign]
    with pytest.raises(TryAgain):
        world.cards.charge(attempt)


def _in_use(answer: Any) -> Any:
    def request(method: str, path: str, body: str, headers: Mapping[str, str]) -> Any:
        error = {"type": "idempotency_error", "code": "idempotency_key_in_use", "message": "in use"}
        return replace(answer(method, path, "", headers), status=409, body=json.dumps({"error": error}))

    return request


def test_an_answer_cut_short_is_unknown(world: World) -> None:
    attempt = world.attempt(world.saved())
    whole = world.stripe.request

    def cut(method: str, path: str, body: str, headers: Mapping[str, str]) -> Any:
        answer = whole(method, path, body, headers)
        return replace(answer, body=answer.body[:40])

    world.stripe.request = cut  # type: ignore[method-assign]
    assert world.cards.charge(attempt).state is AttemptState.UNKNOWN
    world.stripe.request = whole  # type: ignore[method-assign]
    assert world.cards.find_charge(attempt) is not None


def test_the_same_attempt_with_another_amount_is_a_bug_not_a_charge(world: World) -> None:
    attempt = world.attempt(world.saved())
    world.cards.charge(attempt)
    with pytest.raises(stripe.IdempotencyError):
        world.cards.charge(replace(attempt, parts=(Part("inv_1", 1_00),)))
    assert len(world.intents()) == 1


def test_a_wrong_api_key_is_a_bug(world: World) -> None:
    cards = StripeCards(stripe_client("sk_live_mistake", BASE_URL, world.http))
    with pytest.raises(stripe.AuthenticationError):
        cards.charge(world.attempt("pm_1"))


# ------------------------------------------------------------------------------------------------------ looking up


def test_a_charge_is_found_behind_a_hundred_newer_ones(world: World) -> None:
    card = world.saved()
    wanted = world.attempt(card, number=1)
    world.cards.charge(wanted)
    for number in range(2, 113):
        world.cards.charge(world.attempt(card, number=number))
    found = world.cards.find_charge(wanted)
    assert found is not None
    assert found.state is AttemptState.POSTED


def test_only_what_was_created_since_the_attempt_started_is_looked_at(world: World) -> None:
    attempt = world.attempt(world.saved())
    world.cards.charge(attempt)
    assert world.cards.find_charge(replace(attempt, started_at=NOON + timedelta(minutes=4))) is not None
    assert world.cards.find_charge(replace(attempt, started_at=NOON + timedelta(minutes=6))) is None


def test_of_several_intents_of_one_attempt_the_best_evidence_counts(world: World) -> None:
    method = world.saved()
    attempt = world.attempt(method)
    world.cards.charge(attempt)
    world.stripe.set_card(method, "insufficient_funds")
    with pytest.raises(stripe.CardError):
        world.sdk.v1.payment_intents.create(
            {
                "amount": 62_50,
                "currency": "usd",
                "customer": world.customer,
                "payment_method": method,
                "confirm": True,
                "off_session": True,
                "metadata": {"attempt_id": attempt.attempt_id},
            }
        )
    found = world.cards.find_charge(attempt)
    assert found is not None
    assert found.state is AttemptState.POSTED


def test_an_intent_that_was_never_confirmed_takes_no_money(world: World) -> None:
    attempt = world.attempt(world.saved())
    world.sdk.v1.payment_intents.create(
        {
            "amount": 62_50,
            "currency": "usd",
            "customer": world.customer,
            "payment_method": attempt.payment_method,
            "metadata": {"attempt_id": attempt.attempt_id},
        }
    )
    found = world.cards.find_charge(attempt)
    assert found is not None
    assert (found.state, found.reason) == (AttemptState.FAILED, "refused_by_processor")


@pytest.mark.parametrize("kind", ["drop", "500_before", "429"])
def test_a_look_up_without_an_answer_is_tried_again(world: World, kind: FaultKind) -> None:
    attempt = world.attempt(world.saved())
    world.fault(kind, times=RETRIES + 1, match="GET ")
    with pytest.raises(TryAgain):
        world.cards.find_charge(attempt)


# ---------------------------------------------------------------------------------------------------- hosted pages


def test_an_open_page_is_started_and_opening_it_again_is_the_same_page(world: World) -> None:
    attempt = world.page()
    again = world.cards.open_checkout(attempt, "https://pay.example/done", "https://pay.example/back")
    assert (again.session_id, again.url) == (attempt.session_id, attempt.session_url)
    assert world.cards.read_checkout(attempt).state is AttemptState.STARTED


def test_a_paid_page_posts_the_amount_and_the_card(world: World) -> None:
    attempt = world.page()
    world.stripe.complete_checkout(attempt.session_id, number="5555555555554444")
    evidence = world.cards.read_checkout(attempt)
    assert (evidence.state, evidence.amount, evidence.session_id) == (
        AttemptState.POSTED,
        62_50,
        attempt.session_id,
    )
    assert evidence.intent_id == world.intents()[0].id
    assert evidence.charge_id == world.intents()[0].latest_charge
    assert evidence.card is not None
    assert (evidence.card.brand, evidence.card.last4) == ("mastercard", "4444")
    assert evidence.reusable is False, "nobody asked to keep it"


def test_a_card_that_was_agreed_to_be_kept_can_be_charged_later(world: World) -> None:
    attempt = world.page(save_card=True)
    world.stripe.complete_checkout(attempt.session_id, number="4242424242424242")
    evidence = world.cards.read_checkout(attempt)
    assert evidence.reusable is True
    assert evidence.card is not None
    later = world.cards.charge(world.attempt(evidence.card.payment_method, number=2))
    assert later.state is AttemptState.POSTED


def test_a_declined_try_leaves_the_page_open(world: World) -> None:
    attempt = world.page()
    world.stripe.complete_checkout(attempt.session_id, number="4000000000009995")
    assert world.cards.read_checkout(attempt).state is AttemptState.STARTED
    world.stripe.complete_checkout(attempt.session_id, number="4242424242424242")
    assert world.cards.read_checkout(attempt).state is AttemptState.POSTED


def test_a_page_that_nobody_used_expires(world: World) -> None:
    attempt = world.page()
    world.now += timedelta(minutes=33)
    evidence = world.cards.read_checkout(attempt)
    assert (evidence.state, evidence.reason) == (AttemptState.FAILED, "expired")


def test_a_page_can_be_opened_though_the_attempt_was_written_a_moment_before(world: World) -> None:
    """Stripe refuses an expiry less than 30 minutes from when it opens the page."""
    attempt = world.attempt(channel=AttemptKind.CHECKOUT, expires_at=world.now + timedelta(minutes=30))
    world.now += timedelta(seconds=90)
    assert world.cards.open_checkout(attempt, "https://pay.example/done", "https://pay.example/back").url


def test_closing_an_open_page_ends_it(world: World) -> None:
    attempt = world.page()
    evidence = world.cards.close_checkout(attempt)
    assert (evidence.state, evidence.reason) == (AttemptState.FAILED, "expired")
    assert world.cards.close_checkout(attempt) == evidence, "closing twice says the same"


def test_closing_a_paid_page_tells_of_the_payment(world: World) -> None:
    attempt = world.page()
    world.stripe.complete_checkout(attempt.session_id, number="4242424242424242")
    evidence = world.cards.close_checkout(attempt)
    assert (evidence.state, evidence.amount) == (AttemptState.POSTED, 62_50)


def test_a_set_up_page_saves_a_card_and_charges_nothing(world: World) -> None:
    """PAY-8."""
    attempt = world.page(AttemptKind.SETUP, save_card=True)
    assert world.cards.read_checkout(attempt).state is AttemptState.STARTED
    world.stripe.complete_checkout(attempt.session_id, number="4242424242424242")
    evidence = world.cards.read_checkout(attempt)
    assert (evidence.state, evidence.amount, evidence.reusable) == (AttemptState.POSTED, 0, True)
    assert isinstance(evidence.card, CardDetails)
    assert world.intents() == []
    assert world.cards.charge(world.attempt(evidence.card.payment_method, number=2)).state is AttemptState.POSTED


def test_a_saved_card_can_be_chosen_on_the_page(world: World) -> None:
    """PAY-9."""
    saving = world.page(AttemptKind.SETUP, save_card=True)
    world.stripe.complete_checkout(saving.session_id, number="4242424242424242")
    card = world.cards.read_checkout(saving).card
    assert card is not None
    paying = world.page(number=2)
    world.stripe.complete_checkout(paying.session_id, payment_method=card.payment_method)
    assert world.cards.read_checkout(paying).card == card


def test_a_card_that_calls_itself_a_health_account_is_known_as_one(world: World) -> None:
    """PAY-6."""
    attempt = world.page(AttemptKind.SETUP, save_card=True)
    world.stripe.complete_checkout(attempt.session_id, number="4000777000000005")
    card = world.cards.read_checkout(attempt).card
    assert card is not None
    assert card.fsa is True


@pytest.mark.parametrize("kind", ["drop", "500_before", "429"])
def test_a_page_call_without_an_answer_is_tried_again(world: World, kind: FaultKind) -> None:
    attempt = world.page()
    for call in (
        lambda: world.cards.read_checkout(attempt),
        lambda: world.cards.close_checkout(attempt),
        lambda: world.page(number=2),
        lambda: world.cards.ensure_customer("elm_street", "ben"),
    ):
        world.fault(kind, times=RETRIES + 1, match="v1")
        with pytest.raises(TryAgain):
            call()


# --------------------------------------------------------------------------------------------------- what is sent


def test_one_account_has_one_customer_without_a_name(world: World) -> None:
    assert world.cards.ensure_customer("elm_street", "ana") == world.customer
    customer = world.sdk.v1.customers.retrieve(world.customer)
    assert (customer.name, customer.email, customer.phone) == (None, None, None)


def test_stripe_hears_nothing_but_ids_amounts_and_how_to_pay(world: World) -> None:
    """LAW-1: every word that is sent is on this list."""
    world.cards.charge(world.attempt("pm_1"))
    world.page(save_card=True, number=2)
    world.page(AttemptKind.SETUP, number=3)
    attempt_id = world.attempt().attempt_id.removesuffix("1")
    allowed = {
        "usd",
        "true",
        "card",
        "payment",
        "setup",
        "pay",
        "off_session",
        "always",
        "limited",
        "unspecified",
        "latest_charge",
        "Your balance",
        "1",
        "2",
        "3",
        "6250",
        "pm_1",
        "elm_street",
        "ana",
        "consent_1",
        world.customer,
        "https://pay.example/done",
        "https://pay.example/back",
        str(int((NOON + timedelta(minutes=32)).timestamp())),
        *(f"{attempt_id}{number}" for number in (1, 2, 3)),
    }
    words = {value for method, _, body, _ in world.http.sent if method == "POST" for _, value in parse_qsl(body)}
    assert words <= allowed


def test_every_request_names_the_pinned_version_which_is_the_sdks_own(world: World) -> None:
    world.cards.charge(world.attempt("pm_1"))
    assert {headers["Stripe-Version"] for _, _, _, headers in world.http.sent} == {API_VERSION}
    assert stripe.StripeClient("sk_test_x")._requestor._options.stripe_version == API_VERSION


def test_the_client_pins_time_out_retries_and_address() -> None:
    client = stripe_client("sk_test_x", "http://127.0.0.1:9")
    assert type(client._requestor._client) is InTime
    assert client._requestor._options.max_network_retries == RETRIES
    assert client._requestor._options.base_addresses["api"] == "http://127.0.0.1:9"
    assert stripe_client("sk_test_x", "")._requestor._options.base_addresses["api"] == "https://api.stripe.com"
