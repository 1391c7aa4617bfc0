"""StripeStatement keeps what billing.statement.Statement promises: the official SDK on the embedded Stripe."""

from datetime import timedelta

import pytest

from billing.payment import Attempt
from billing.ports import Owner, TryAgain
from billing.refund import Refund, RefundCause, RefundEvidence, RefundState
from edges.statement import StripeStatement
from tests.edges.test_card_gateway import World


@pytest.fixture
def world() -> World:
    return World()


def charged(world: World, number: int) -> Attempt:
    """An attempt that Stripe charged, a minute later than the one before."""
    world.now += timedelta(minutes=1)
    attempt = world.attempt(world.saved(), number)
    world.cards.charge(attempt)
    return attempt


def test_payments_come_in_pages_newest_first_and_only_ours(world: World) -> None:
    began = world.now
    attempts = [charged(world, number) for number in range(1, 6)]
    world.sdk.v1.payment_intents.create({"amount": 5_00, "currency": "usd"})
    statement = StripeStatement(world.sdk)
    found, after, pages = [], "", 0
    while pages == 0 or after:
        page = statement.payments(began, after, 2)
        found += page.payments
        after, pages = page.after, pages + 1
    assert pages == 3
    assert [p.attempt_id for p in found] == [a.attempt_id for a in reversed(attempts)]
    assert {(p.practice, p.client, p.succeeded, p.amount) for p in found} == {("elm_street", "ana", True, 62_50)}
    assert [p.attempt for p in statement.payments(world.now, "", 2).payments] == [5]


def test_a_try_that_failed_is_listed_as_one_that_took_nothing(world: World) -> None:
    world.cards.charge(world.attempt(world.saved("chargeCustomerFail"), 1))
    (only,) = StripeStatement(world.sdk).payments(world.now - timedelta(hours=1), "", 10).payments
    assert (only.succeeded, only.amount) == (False, 0)


def test_the_payments_of_a_customer_and_a_single_one_are_found(world: World) -> None:
    attempts = [charged(world, number) for number in (1, 2)]
    statement = StripeStatement(world.sdk)
    found = statement.payments_of([world.customer], attempts[0].started_at)
    assert {p.attempt_id for p in found} == {a.attempt_id for a in attempts}
    assert statement.payment(found[0].intent_id) == found[0]
    assert statement.payment("pi_that_nobody_made") is None
    assert statement.payments_of([], world.now) == []


def test_what_went_back_is_listed_with_whose_it_is(world: World) -> None:
    began = world.now
    first, second = charged(world, 1), charged(world, 2)
    by_number = {p.attempt: p.intent_id for p in StripeStatement(world.sdk).payments(began, "", 10).payments}
    ours = Refund(
        "elm_street", "ana", "ref_1", 1, RefundCause.STAFF, 1, by_number[1], 10_00, first.parts[:0], world.now
    )
    world.cards.refund(ours)
    world.sdk.v1.refunds.create({"payment_intent": by_number[2], "amount": 5_00})
    statement = StripeStatement(world.sdk)
    theirs, mine = statement.refunds(began, "", 10).returns
    assert (theirs.intent_id, theirs.owner) == (by_number[2], None)
    assert (mine.intent_id, mine.owner) == (by_number[1], Owner("elm_street", "ana", first.number))
    assert isinstance(mine.evidence, RefundEvidence)
    assert (mine.evidence.refund_id, mine.evidence.state, mine.evidence.amount) == ("ref_1", RefundState.POSTED, 10_00)
    page = statement.refunds(began, "", 1)
    assert statement.refunds(began, page.after, 1).returns == (mine,)
    charge = world.cards.find_charge(second)
    assert charge is not None
    world.stripe.open_dispute(charge.charge_id, "fraudulent")
    (dispute,) = statement.disputes(began, "", 10).returns
    assert (dispute.intent_id, dispute.evidence.amount) == (by_number[2], 57_50)
    assert world.cards.owner_of(dispute.intent_id) == Owner("elm_street", "ana", 2)


def test_a_stripe_that_does_not_answer_is_asked_again_later(world: World) -> None:
    world.fault("429", match="GET /v1/")
    with pytest.raises(TryAgain):
        StripeStatement(world.sdk).payments(world.now, "", 10)
