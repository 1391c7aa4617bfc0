"""Idempotency keys and bad days: whatever happens on the wire, one key moves money once."""

import uuid

import pytest
import stripe

from tests.local.stripe.world import World

ON_CHARGE = "POST /v1/payment_intents$"


def fresh_key() -> str:
    """Unused on Stripe too, where keys of earlier runs are remembered."""
    return f"suite-{uuid.uuid4()}"


def charges_of(world: World, customer: str) -> list[str]:
    """The ids of everything that was ever tried for that customer, newest first."""
    return [row.id for row in world.api.payment_intents.list(params={"customer": customer}).data]


# ---- keys ----


def test_the_same_key_and_request_gives_the_first_answer_again(world: World) -> None:
    customer, method = world.customer_with_card()
    key = fresh_key()
    first, again = (world.charge(customer, method, key=key) for _ in range(2))
    assert first.id == again.id
    assert again.last_response.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.last_response.headers
    assert charges_of(world, customer) == [first.id]


def test_a_decline_is_given_again_too_and_not_tried_again(world: World) -> None:
    customer, method = world.customer_with_card("pm_card_chargeCustomerFail")
    key, seen = fresh_key(), []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as refusal:
            world.charge(customer, method, key=key)
        seen.append((refusal.value.http_status, refusal.value.error.payment_intent.id, refusal.value.error.charge))
    assert seen[0] == seen[1]
    assert seen[0][0] == 402
    assert len(world.api.charges.list(params={"customer": customer}).data) == 1


def test_the_same_key_with_other_parameters_is_refused(world: World) -> None:
    customer, method = world.customer_with_card()
    key = fresh_key()
    world.charge(customer, method, 6250, key=key)
    with pytest.raises(stripe.IdempotencyError) as refusal:
        world.charge(customer, method, 6251, key=key)
    assert refusal.value.http_status == 400
    assert len(charges_of(world, customer)) == 1


def test_a_key_belongs_to_one_endpoint(world: World) -> None:
    key = fresh_key()
    world.api.customers.create(params={"name": "Ana"}, options={"idempotency_key": key})
    with pytest.raises(stripe.IdempotencyError):
        world.api.setup_intents.create(params={"description": "Ana"}, options={"idempotency_key": key})


def test_a_request_that_could_not_be_read_leaves_its_key_free(world: World) -> None:
    key = fresh_key()
    with pytest.raises(stripe.InvalidRequestError):
        world.api.customers.create(params={"colour": "green"}, options={"idempotency_key": key})
    assert world.api.customers.create(params={"name": "Ana"}, options={"idempotency_key": key}).name == "Ana"


def test_a_key_is_forgotten_after_a_day(world: World) -> None:
    clock = world.clock
    customer, method = world.customer_with_card()
    key = fresh_key()
    first = world.charge(customer, method, key=key)
    clock.forward(hours=23, minutes=59)
    assert world.charge(customer, method, key=key).id == first.id
    clock.forward(minutes=2)
    assert world.charge(customer, method, key=key).id != first.id


def test_a_connected_account_has_its_own_objects_and_keys(world: World) -> None:
    if world.kind == "stripe":
        pytest.skip("needs a connected account")
    key = fresh_key()
    ours = world.api.customers.create(params={"name": "Ana"}, options={"idempotency_key": key})
    options = {"stripe_account": "acct_riverbend"}
    theirs = world.api.customers.create(params={"name": "Ben"}, options={**options, "idempotency_key": key})
    assert world.api.customers.retrieve(theirs.id, options=options).name == "Ben"
    with pytest.raises(stripe.InvalidRequestError):
        world.api.customers.retrieve(theirs.id)
    with pytest.raises(stripe.InvalidRequestError):
        world.api.customers.retrieve(ours.id, options=options)


# ---- faults ----


@pytest.mark.parametrize("kind", ["lost_response", "hang"])
def test_an_answer_that_never_arrives_may_have_moved_money_and_the_key_finds_it(world: World, kind: str) -> None:
    world.controls.faults({"match": ON_CHARGE, "kind": kind})
    customer, method = world.customer_with_card()
    key, intents = fresh_key(), world.impatient.v1.payment_intents
    wanted = {
        "amount": 6250, "currency": "usd", "customer": customer, "payment_method": method,
        "off_session": True, "confirm": True,
    }  # fmt: skip
    with pytest.raises(stripe.APIConnectionError):
        intents.create(params=wanted, options={"idempotency_key": key, "max_network_retries": 0})
    (committed,) = charges_of(world, customer)
    retried = intents.create(params=wanted, options={"idempotency_key": key, "max_network_retries": 4})
    assert (retried.id, retried.status) == (committed, "succeeded")
    assert charges_of(world, customer) == [committed]


def test_a_connection_dropped_on_the_way_there_moved_nothing(world: World) -> None:
    world.controls.faults({"match": ON_CHARGE, "kind": "drop"})
    customer, method = world.customer_with_card()
    key = fresh_key()
    with pytest.raises(stripe.APIConnectionError):
        world.charge(customer, method, key=key)
    assert charges_of(world, customer) == []
    assert world.charge(customer, method, key=key).status == "succeeded"


def test_a_500_before_the_work_leaves_the_key_free(world: World) -> None:
    world.controls.faults({"match": ON_CHARGE, "kind": "500_before"})
    customer, method = world.customer_with_card()
    key = fresh_key()
    with pytest.raises(stripe.APIError) as failure:
        world.charge(customer, method, key=key)
    assert failure.value.http_status == 500
    assert charges_of(world, customer) == []
    assert world.charge(customer, method, key=key).status == "succeeded"


def test_a_500_after_the_work_is_all_the_key_will_ever_answer(world: World) -> None:
    """So only a look at the customer's intents tells whether the money moved."""
    world.controls.faults({"match": ON_CHARGE, "kind": "500_after"})
    customer, method = world.customer_with_card()
    key = fresh_key()
    for _ in range(2):
        with pytest.raises(stripe.APIError) as failure:
            world.charge(customer, method, key=key)
        assert failure.value.headers["stripe-should-retry"] == "false"
    (committed,) = charges_of(world, customer)
    assert world.api.payment_intents.retrieve(committed).status == "succeeded"


def test_too_many_requests_are_refused_before_the_work(world: World) -> None:
    world.controls.faults({"match": ON_CHARGE, "kind": "429", "times": 2})
    customer, method = world.customer_with_card()
    key = fresh_key()
    for _ in range(2):
        with pytest.raises(stripe.RateLimitError):
            world.charge(customer, method, key=key)
    assert charges_of(world, customer) == []
    assert world.charge(customer, method, key=key).status == "succeeded"


def test_a_fault_meets_only_the_call_it_names(world: World) -> None:
    world.controls.faults({"match": "POST /v1/refunds$", "kind": "drop"})
    customer, method = world.customer_with_card()
    paid = world.charge(customer, method)
    with pytest.raises(stripe.APIConnectionError):
        world.api.refunds.create(params={"payment_intent": paid.id})
    assert world.api.refunds.create(params={"payment_intent": paid.id}).amount == 6250


# ---- card behaviour ----


@pytest.mark.parametrize(
    "behaviour, code, decline_code",
    [
        ("insufficient_funds", "card_declined", "insufficient_funds"),
        ("expired_card", "expired_card", "expired_card"),
        ("lost_card", "card_declined", "lost_card"),
        ("authentication_required", "authentication_required", "authentication_required"),
        ("generic_decline", "card_declined", "generic_decline"),
    ],
)
def test_a_good_card_can_turn_bad_and_good_again(world: World, behaviour: str, code: str, decline_code: str) -> None:
    controls = world.controls
    customer, method = world.customer_with_card()
    controls.card(method, behaviour)
    with pytest.raises(stripe.CardError) as refusal:
        world.charge(customer, method)
    assert (refusal.value.code, refusal.value.error.decline_code) == (code, decline_code)
    controls.card(method, "ok")
    assert world.charge(customer, method).status == "succeeded"
