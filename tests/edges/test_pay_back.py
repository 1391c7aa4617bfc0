"""What billing.ports.CardGateway promises of money that goes back, held by one suite on both that keep it: the official
SDK on the embedded Stripe, and the fake that flows are tested with.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from urllib.parse import parse_qsl

import pytest
import stripe

from billing.dispute import DisputeState
from billing.payment import Attempt, AttemptKind, AttemptState, Part
from billing.ports import CardGateway, Owner, TryAgain
from billing.refund import Refund, RefundCause, RefundState
from edges.card_gateway import RETRIES, StripeCards, stripe_client
from infra.local.stripe import EmbeddedStripe
from infra.local.stripe.faults import Fault, FaultKind
from infra.local.stripe.sdk import BASE_URL, InProcessHTTPClient
from tests.fakes.cards import FakeCards

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class World(Protocol):
    """One payment of $62.50 at Stripe, and what may become of it."""

    cards: CardGateway
    intent: str

    def dashboard(self, amount: int) -> None:
        """Somebody refunds it in Stripe's dashboard."""

    def dispute(self) -> str:
        """The client's bank takes it back -> the dispute's id."""

    def decide(self, dispute: str, state: DisputeState) -> None:
        """The bank decides."""

    def lose_the_answer(self) -> None:
        """The next refund happens, and its answer stays away."""

    def drop(self) -> None:
        """The next refund does not arrive."""

    def too_many(self) -> None:
        """The next refund is turned away."""


class OnTheFake:
    def __init__(self) -> None:
        fake = FakeCards()
        self.fake, self.cards = fake, fake
        self.intent = fake.charge(attempt("cus_ana", "pm_visa")).intent_id

    def dashboard(self, amount: int) -> None:
        self.fake.add_refund(self.intent, amount)

    def dispute(self) -> str:
        return self.fake.open_dispute(self.intent)

    def decide(self, dispute: str, state: DisputeState) -> None:
        self.fake.decide_dispute(dispute, state)

    def lose_the_answer(self) -> None:
        self.fake.fault = "lost_response"

    def drop(self) -> None:
        self.fake.fault = "drop"

    def too_many(self) -> None:
        self.fake.fault = "429"


class OnStripe:
    def __init__(self, card: str = "visa") -> None:
        self.now = NOON
        self.stripe = EmbeddedStripe(lambda: self.now)
        self.sdk = stripe_client("sk_test_embedded", BASE_URL, _Recorder(self.stripe))
        self.cards = StripeCards(self.sdk)
        customer = self.cards.ensure_customer("elm_street", "ana")
        method = self.sdk.v1.payment_methods.attach(f"pm_card_{card}", {"customer": customer})
        evidence = self.cards.charge(attempt(customer, method.id))
        assert evidence.state is AttemptState.POSTED
        self.intent, self.charge = evidence.intent_id, evidence.charge_id

    def dashboard(self, amount: int) -> None:
        self.sdk.v1.refunds.create({"payment_intent": self.intent, "amount": amount})

    def dispute(self) -> str:
        return str(self.stripe.open_dispute(self.charge, "fraudulent")["id"])

    def decide(self, dispute: str, state: DisputeState) -> None:
        self.stripe.decide_dispute(dispute, state)

    def fault(self, kind: FaultKind, match: str = "POST /v1/refunds$") -> None:
        self.stripe.arm_faults([Fault(match, kind, RETRIES + 1)])

    def lose_the_answer(self) -> None:
        self.fault("lost_response")

    def drop(self) -> None:
        self.fault("drop")

    def too_many(self) -> None:
        self.fault("429")


class _Recorder(InProcessHTTPClient):
    """Remembers what was sent."""

    sent: list[str]

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **more: Any
    ) -> tuple[str, int, Mapping[str, str]]:
        self.sent = [*getattr(self, "sent", []), post_data or ""]
        return super().request(method, url, headers, post_data, **more)


def attempt(customer: str, payment_method: str) -> Attempt:
    return Attempt(
        practice="elm_street",
        client="ana",
        number=3,
        version=1,
        channel=AttemptKind.AUTOPAY,
        parts=(Part("inv_1", 62_50),),
        customer=customer,
        payment_method=payment_method,
        card_id="card_1",
        started_at=NOON,
        consent_id="consent_1",
    )


@pytest.fixture(params=[OnTheFake, OnStripe], ids=["fake", "stripe"])
def world(request: pytest.FixtureRequest) -> World:
    made: Callable[[], World] = request.param
    return made()


def refund(world: World, amount: int = 62_50, named: str = "ref_1") -> Refund:
    return Refund(
        "elm_street", "ana", named, 1, RefundCause.STAFF, 3, world.intent, amount, (Part("inv_1", amount),), NOON
    )


# -------------------------------------------------------------------------------------------------------- on both


def test_pay_12_a_refund_goes_back_once_however_often_it_is_sent(world: World) -> None:
    evidence = world.cards.refund(refund(world))
    assert (evidence.state, evidence.refund_id, evidence.amount) == (RefundState.POSTED, "ref_1", 62_50)
    assert world.cards.refund(refund(world)) == evidence
    assert world.cards.find_refund(refund(world)) == evidence
    assert world.cards.taken_back(world.intent).refunds == (evidence,)


def test_pay_12_parts_of_a_payment_go_back_one_by_one_until_nothing_is_left(world: World) -> None:
    world.cards.refund(refund(world, 40_00))
    world.cards.refund(refund(world, 22_50, "ref_2"))
    assert [r.amount for r in world.cards.taken_back(world.intent).refunds] == [40_00, 22_50], "oldest first"
    over = world.cards.refund(refund(world, 1, "ref_3"))
    assert (over.state, over.reason) == (RefundState.FAILED, "charge_already_refunded")
    assert world.cards.find_refund(refund(world, 1, "ref_3")) is None


def test_a_refund_whose_answer_stays_away_is_unknown_and_found_later(world: World) -> None:
    world.lose_the_answer()
    assert world.cards.refund(refund(world)).state is RefundState.UNKNOWN
    found = world.cards.find_refund(refund(world))
    assert found is not None
    assert (found.state, found.amount) == (RefundState.POSTED, 62_50)


def test_a_refund_that_never_arrived_is_unknown_and_not_found(world: World) -> None:
    world.drop()
    assert world.cards.refund(refund(world)).state is RefundState.UNKNOWN
    assert world.cards.find_refund(refund(world)) is None
    assert world.cards.taken_back(world.intent).refunds == ()


def test_a_refund_that_is_turned_away_is_tried_again(world: World) -> None:
    world.too_many()
    with pytest.raises(TryAgain):
        world.cards.refund(refund(world))
    assert world.cards.find_refund(refund(world)) is None


def test_a_refund_of_the_dashboard_is_listed_without_our_id_and_found_by_stripes(world: World) -> None:
    world.dashboard(20_00)
    (made,) = world.cards.taken_back(world.intent).refunds
    assert (made.refund_id, made.amount, made.state) == ("", 20_00, RefundState.POSTED)
    assert world.cards.find_refund(replace(refund(world), stripe_id=made.stripe_id)) == made
    assert world.cards.find_refund(refund(world)) is None


def test_pay_13_a_dispute_takes_the_money_and_a_won_one_gives_it_back(world: World) -> None:
    dispute = world.dispute()
    (open_one,) = world.cards.taken_back(world.intent).disputes
    assert (open_one.dispute_id, open_one.state) == (dispute, DisputeState.OPEN)
    assert (open_one.amount, open_one.withdrawn, open_one.reason) == (62_50, 62_50, "fraudulent"), "without the fee"
    world.decide(dispute, DisputeState.WON)
    (won,) = world.cards.taken_back(world.intent).disputes
    assert (won.state, won.withdrawn) == (DisputeState.WON, 0)


def test_pay_13_a_lost_dispute_keeps_the_money(world: World) -> None:
    dispute = world.dispute()
    world.decide(dispute, DisputeState.LOST)
    (lost,) = world.cards.taken_back(world.intent).disputes
    assert (lost.state, lost.withdrawn) == (DisputeState.LOST, 62_50)


def test_pay_13_stripe_sends_nothing_back_while_the_bank_decides(world: World) -> None:
    world.dispute()
    evidence = world.cards.refund(refund(world))
    assert (evidence.state, evidence.reason) == (RefundState.FAILED, "charge_disputed")


def test_whose_a_payment_is_stands_in_its_metadata(world: World) -> None:
    assert world.cards.owner_of(world.intent) == Owner("elm_street", "ana", 3)
    assert world.cards.owner_of("pi_unknown") is None


# ---------------------------------------------------------------------------------------------------- on Stripe only


def test_a_payment_without_our_metadata_is_none_of_ours() -> None:
    world = OnStripe()
    made = world.sdk.v1.payment_intents.create({"amount": 62_50, "currency": "usd", "metadata": {"practice": "x"}})
    assert world.cards.owner_of(made.id) is None


def test_pay_12_a_refund_that_was_done_may_fail_after_all() -> None:
    """Stripe's test card 4000 0000 0000 5126."""
    world = OnStripe("refundFail")
    done = world.cards.refund(refund(world))
    assert done.state is RefundState.POSTED
    world.now += timedelta(minutes=2)
    failed = world.cards.find_refund(refund(world))
    assert failed is not None
    assert (failed.state, failed.reason) == (RefundState.FAILED, "unknown")


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("needs_response", DisputeState.OPEN),
        ("under_review", DisputeState.OPEN),
        ("warning_needs_response", DisputeState.OPEN),
        ("appeal_under_review", DisputeState.OPEN),
        ("warning_closed", DisputeState.WON),
        ("prevented", DisputeState.WON),
        ("won", DisputeState.WON),
        ("lost", DisputeState.LOST),
    ],
)
def test_pay_13_every_status_of_a_dispute_is_a_decision_or_none_yet(status: str, state: DisputeState) -> None:
    world = OnStripe()
    dispute = world.dispute()
    world.stripe.account().disputes.find(dispute)["status"] = status
    assert world.cards.taken_back(world.intent).disputes[0].state is state


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("pending", RefundState.PENDING),
        ("requires_action", RefundState.PENDING),
        ("succeeded", RefundState.POSTED),
        ("failed", RefundState.FAILED),
        ("canceled", RefundState.FAILED),
    ],
)
def test_pay_12_every_status_of_a_refund_is_evidence(status: str, state: RefundState) -> None:
    world = OnStripe()
    made = world.cards.refund(refund(world))
    world.stripe.account().refunds.find(made.stripe_id)["status"] = status
    found = world.cards.find_refund(refund(world))
    assert found is not None
    assert found.state is state


@pytest.mark.parametrize("kind", ["drop", "500_before", "429"])
def test_a_question_without_an_answer_is_asked_again(kind: FaultKind) -> None:
    world = OnStripe()
    for question in (
        lambda: world.cards.find_refund(refund(world)),
        lambda: world.cards.taken_back(world.intent),
        lambda: world.cards.owner_of(world.intent),
    ):
        world.fault(kind, "GET ")
        with pytest.raises(TryAgain):
            question()


def test_stripe_hears_nothing_about_a_refund_but_ids_and_the_amount() -> None:
    """LAW-1: every word that is sent is on this list."""
    world = OnStripe()
    recorder = world.sdk._requestor._client
    recorder.sent = []
    world.cards.refund(refund(world))
    words = {value for body in recorder.sent for _, value in parse_qsl(body)}
    assert words == {world.intent, "6250", "elm_street", "ana", "3", "ref_1"}


def test_the_same_refund_with_another_amount_is_a_bug_not_a_refund() -> None:
    world = OnStripe()
    world.cards.refund(refund(world, 20_00))
    with pytest.raises(stripe.IdempotencyError):
        world.cards.refund(refund(world, 30_00))
