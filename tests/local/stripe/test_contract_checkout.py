"""Checkout sessions: what they answer, how they end, and what paying or saving a card on them leaves behind."""

import pytest
import stripe

from tests.local.stripe.world import SHOW_ALL_CARDS, World


def pay_session(world: World, cents: int = 6250, **more: object) -> stripe.checkout.Session:
    """An open payment session over one line."""
    price = {"currency": "usd", "unit_amount": cents, "product_data": {"name": "Balance with Riverbend Therapy"}}
    wanted = {
        "mode": "payment",
        "success_url": "https://kindbill.example/done?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://kindbill.example/back",
        "line_items": [{"price_data": price, "quantity": 1}],
        **more,
    }
    return world.api.checkout.sessions.create(params=wanted)


def setup_session(world: World, customer: str) -> stripe.checkout.Session:
    """An open session that saves a card."""
    wanted = {"mode": "setup", "currency": "usd", "customer": customer, "success_url": "https://kindbill.example/saved"}
    return world.api.checkout.sessions.create(params=wanted)


def test_a_payment_session_is_open_with_an_address_and_no_intent_yet(world: World) -> None:
    session = pay_session(world, metadata={"attempt": "at_1"}, client_reference_id="at_1")
    assert (session.status, session.payment_status, session.amount_total) == ("open", "unpaid", 6250)
    assert session.payment_intent is None
    assert session.url.startswith("http")
    read = world.api.checkout.sessions.retrieve(session.id, params={"expand": ["line_items"]})
    assert [(item.description, item.amount_total) for item in read.line_items.data] == [
        ("Balance with Riverbend Therapy", 6250)
    ]
    assert (read.metadata["attempt"], read.client_reference_id) == ("at_1", "at_1")


def test_a_session_expires_when_told_and_only_once(world: World) -> None:
    session = pay_session(world)
    expired = world.api.checkout.sessions.expire(session.id)
    assert (expired.status, expired.url) == ("expired", None)
    with pytest.raises(stripe.InvalidRequestError):
        world.api.checkout.sessions.expire(session.id)


def test_a_session_below_the_minimum_is_refused(world: World) -> None:  # INV-11
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        pay_session(world, cents=49)
    assert refusal.value.code == "amount_too_small"


def test_a_session_lives_a_day_or_as_long_as_it_was_told(world: World) -> None:
    clock = world.clock
    now = int(clock().timestamp())
    assert pay_session(world).expires_at == now + 24 * 3600
    short = pay_session(world, expires_at=now + 1800)
    for wrong in (now + 1799, now + 24 * 3600 + 1):
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            pay_session(world, expires_at=wrong)
        assert refusal.value.param == "expires_at"
    clock.forward(minutes=29, seconds=59)
    assert world.api.checkout.sessions.retrieve(short.id).status == "open"
    clock.forward(seconds=1)
    assert world.api.checkout.sessions.retrieve(short.id).status == "expired"
    told = world.api.events.list(params={"type": "checkout.session.expired", "limit": 1}).data
    assert told[0].data.object.id == short.id


def test_sessions_are_listed_by_customer_and_status(world: World) -> None:
    customer = world.api.customers.create(params={}).id
    first, second = pay_session(world, customer=customer), pay_session(world, customer=customer)
    world.api.checkout.sessions.expire(first.id)
    listed = world.api.checkout.sessions.list(params={"customer": customer, "status": "open"}).data
    assert [session.id for session in listed] == [second.id]


def test_paying_completes_the_session_and_its_intent_carries_what_was_told(world: World) -> None:
    controls = world.controls
    customer = world.api.customers.create(params={"email": "ana@example.com"}).id
    data = {"metadata": {"attempt": "at_1"}, "description": "at_1"}
    session = pay_session(world, customer=customer, payment_intent_data=data)
    outcome = controls.complete(session.id, number="4242 4242 4242 4242")
    assert outcome["outcome"] == "complete"
    assert outcome["next_url"] == f"https://kindbill.example/done?session={session.id}"
    read = world.api.checkout.sessions.retrieve(session.id, params={"expand": ["payment_intent"]})
    assert (read.status, read.payment_status, read.url) == ("complete", "paid", None)
    assert (read.payment_intent.status, read.payment_intent.amount, read.payment_intent.customer) == (
        "succeeded",
        6250,
        customer,
    )
    assert read.payment_intent.metadata["attempt"] == "at_1"
    assert world.api.payment_methods.list(params={"customer": customer}).data == []  # nobody asked to save it


def test_a_session_cannot_be_paid_twice(world: World) -> None:
    controls = world.controls
    customer = world.api.customers.create(params={}).id
    session = pay_session(world, customer=customer)
    for expected in ("complete", "closed"):
        assert controls.complete(session.id, number="4242424242424242")["outcome"] == expected
    assert len(world.api.charges.list(params={"customer": customer}).data) == 1


def test_a_decline_leaves_the_session_open_for_another_card(world: World) -> None:
    controls = world.controls
    session = pay_session(world)
    declined = controls.complete(session.id, number="4000000000009995")
    assert (declined["outcome"], declined["error"]["decline_code"]) == ("declined", "insufficient_funds")
    read = world.api.checkout.sessions.retrieve(session.id)
    assert (read.status, read.payment_status) == ("open", "unpaid")
    first_intent = read.payment_intent
    assert controls.complete(session.id, number="4242424242424242")["outcome"] == "complete"
    assert world.api.checkout.sessions.retrieve(session.id).payment_intent == first_intent


def test_the_intent_of_a_session_ends_with_the_session_only(world: World) -> None:
    session = pay_session(world)
    world.controls.complete(session.id, number="4000000000000002")
    intent = world.api.checkout.sessions.retrieve(session.id).payment_intent
    with pytest.raises(stripe.InvalidRequestError):
        world.api.payment_intents.cancel(intent)
    world.api.checkout.sessions.expire(session.id)
    assert world.api.payment_intents.retrieve(intent).status == "canceled"


def test_a_card_saved_while_paying_can_be_charged_later(world: World) -> None:  # PAY-9
    customer = world.api.customers.create(params={}).id
    session = pay_session(world, customer=customer, payment_intent_data={"setup_future_usage": "off_session"})
    world.controls.complete(session.id, number="4000056655665556")
    (saved,) = world.api.payment_methods.list(params={"customer": customer}).data
    assert (saved.card.funding, saved.allow_redisplay) == ("debit", "limited")
    assert world.charge(customer, saved.id).status == "succeeded"


def test_the_box_on_the_page_saves_the_card_to_be_shown_again(world: World) -> None:  # PAY-9
    customer = world.api.customers.create(params={}).id
    controls = world.controls
    unticked = pay_session(world, customer=customer, saved_payment_method_options=SHOW_ALL_CARDS)
    controls.complete(unticked.id, number="4242424242424242")
    assert world.api.payment_methods.list(params={"customer": customer}).data == []
    ticked = pay_session(world, customer=customer, saved_payment_method_options=SHOW_ALL_CARDS)
    controls.complete(ticked.id, number="4242424242424242", save=True)
    (saved,) = world.api.payment_methods.list(params={"customer": customer}).data
    assert saved.allow_redisplay == "always"
    again = pay_session(world, customer=customer)
    assert controls.complete(again.id, payment_method=saved.id)["outcome"] == "complete"


def test_somebody_elses_card_cannot_pay_a_session(world: World) -> None:
    _, card_of_ana = world.customer_with_card()
    ben = world.api.customers.create(params={}).id
    outcome = world.controls.complete(pay_session(world, customer=ben).id, payment_method=card_of_ana)
    assert (outcome["outcome"], outcome["error"]["code"]) == ("declined", "resource_missing")


def test_saving_a_card_charges_nothing(world: World) -> None:  # PAY-8
    customer = world.api.customers.create(params={}).id
    session = setup_session(world, customer)
    assert (session.payment_status, session.amount_total) == ("no_payment_required", None)
    assert world.controls.complete(session.id, number="4242424242424242")["outcome"] == "complete"
    read = world.api.checkout.sessions.retrieve(session.id, params={"expand": ["setup_intent.payment_method"]})
    assert read.setup_intent.payment_method.customer == customer
    assert world.api.charges.list(params={"customer": customer}).data == []


def test_a_card_authenticated_while_it_was_saved_is_charged_later_without_its_holder(world: World) -> None:
    customer = world.api.customers.create(params={}).id
    session = setup_session(world, customer)
    controls = world.controls
    failed = controls.complete(session.id, number="4000002500003155", authenticate=False)
    assert failed["outcome"] == "declined"
    assert controls.complete(session.id, number="4000002500003155")["outcome"] == "complete"
    (saved,) = world.api.payment_methods.list(params={"customer": customer}).data
    assert world.charge(customer, saved.id).status == "succeeded"


def test_a_card_that_always_asks_its_holder_is_declined_later_even_so(world: World) -> None:
    customer = world.api.customers.create(params={}).id
    assert (
        world.controls.complete(setup_session(world, customer).id, number="4000002760003184")["outcome"] == "complete"
    )
    (saved,) = world.api.payment_methods.list(params={"customer": customer}).data
    with pytest.raises(stripe.CardError) as refusal:
        world.charge(customer, saved.id)
    assert refusal.value.code == "authentication_required"


def test_a_health_savings_card_is_told_by_its_product(world: World) -> None:  # PAY-6
    customer = world.api.customers.create(params={}).id
    world.controls.complete(setup_session(world, customer).id, number="4000777000000005")
    (saved,) = world.api.payment_methods.list(params={"customer": customer}).data
    assert "Health Savings Account" in saved.card.description
