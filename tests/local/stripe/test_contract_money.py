"""Refunds, disputes, lists and events: what the nightly comparison of our books with Stripe's reads."""

import time

import pytest
import stripe

from tests.local.stripe.world import World


def pay_with(world: World, card: str, cents: int = 4000) -> stripe.PaymentIntent:
    """A payment by a card nobody saved."""
    wanted = {"amount": cents, "currency": "usd", "payment_method": card, "allowed_payment_method_types": ["card"]}
    paid = world.api.payment_intents.create(params={**wanted, "confirm": True})
    assert paid.status == "succeeded"
    return paid


# ---- refunds ----


def test_refunds_add_up_to_the_charge_and_no_further(world: World) -> None:  # PAY-12
    paid = pay_with(world, "pm_card_visa")
    first = world.api.refunds.create(params={"payment_intent": paid.id, "amount": 1000, "metadata": {"refund": "r1"}})
    assert (first.status, first.amount, first.charge) == ("succeeded", 1000, paid.latest_charge)
    with pytest.raises(stripe.InvalidRequestError) as too_much:
        world.api.refunds.create(params={"payment_intent": paid.id, "amount": 3001})
    assert "greater than unrefunded amount on charge ($30.00)" in str(too_much.value)
    rest = world.api.refunds.create(params={"charge": paid.latest_charge, "reason": "requested_by_customer"})
    assert rest.amount == 3000
    with pytest.raises(stripe.InvalidRequestError) as again:
        world.api.refunds.create(params={"charge": paid.latest_charge})
    assert again.value.code == "charge_already_refunded"
    charge = world.api.charges.retrieve(paid.latest_charge)
    assert (charge.amount_refunded, charge.refunded) == (4000, True)
    listed = world.api.refunds.list(params={"payment_intent": paid.id}).data
    assert [refund.id for refund in listed] == [rest.id, first.id]


def test_an_intent_that_was_never_paid_cannot_be_refunded(world: World) -> None:
    intent = world.api.payment_intents.create(params={"amount": 900, "currency": "usd"})
    with pytest.raises(stripe.InvalidRequestError):
        world.api.refunds.create(params={"payment_intent": intent.id})


def test_a_refund_can_fail_later_and_the_charge_owes_it_again(world: World) -> None:
    clock = world.clock
    paid = pay_with(world, "pm_card_refundFail")
    refund = world.api.refunds.create(params={"payment_intent": paid.id})
    assert refund.status == "succeeded"
    clock.forward(hours=1)
    later = world.api.refunds.retrieve(refund.id)
    assert (later.status, later.failure_reason) == ("failed", "unknown")
    assert world.api.charges.retrieve(paid.latest_charge).amount_refunded == 0


# ---- disputes ----


def test_a_disputed_card_takes_the_money_and_the_fee_back(world: World) -> None:  # PAY-13
    paid = pay_with(world, "pm_card_createDispute")
    dispute = dispute_of(world, paid.id)
    assert (dispute.amount, dispute.reason, dispute.status) == (4000, "fraudulent", "needs_response")
    (taken,) = dispute.balance_transactions
    assert (taken.amount, taken.net) == (-4000, -4000 - taken.fee)
    assert world.api.charges.retrieve(paid.latest_charge).disputed is True
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        world.api.refunds.create(params={"charge": paid.latest_charge})
    assert refusal.value.code == "charge_disputed"


def test_a_dispute_given_up_is_lost(world: World) -> None:  # PAY-13
    dispute = dispute_of(world, pay_with(world, "pm_card_createDispute").id)
    assert world.api.disputes.close(dispute.id).status == "lost"
    assert world.api.disputes.retrieve(dispute.id).status == "lost"


def test_a_dispute_that_is_won_gives_the_money_back(world: World) -> None:  # PAY-13
    if world.kind == "stripe":
        pytest.skip("Stripe decides some time later")
    dispute = dispute_of(world, pay_with(world, "pm_card_createDispute").id)
    evidence = {"uncategorized_text": "winning_evidence"}
    won = world.api.disputes.update(dispute.id, params={"evidence": evidence, "submit": True})
    assert won.status == "won"
    assert sum(moved.net for moved in won.balance_transactions) == 0


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_a_test_can_open_a_dispute_and_decide_it(world: World, outcome: str) -> None:
    controls = world.controls
    customer, method = world.customer_with_card()
    charge = world.charge(customer, method).latest_charge
    opened = controls.dispute(charge, "product_not_received")
    assert opened["status"] == "needs_response"
    assert controls.decide(opened["id"], outcome)["status"] == outcome
    assert [dispute.id for dispute in world.api.disputes.list(params={"charge": charge}).data] == [opened["id"]]


def dispute_of(world: World, intent: str) -> stripe.Dispute:
    """The dispute of a payment; Stripe opens it a moment after the charge."""
    for _ in range(40 if world.kind == "stripe" else 1):
        found = world.api.disputes.list(params={"payment_intent": intent}).data
        if found:
            return found[0]
        time.sleep(0.5 if world.kind == "stripe" else 0)
    raise AssertionError("no dispute")


# ---- lists ----


def test_a_customers_intents_are_listed_newest_first_page_by_page(world: World) -> None:
    customer, method = world.customer_with_card()
    made = [world.charge(customer, method, cents).id for cents in (100, 200, 300, 400, 500)]
    newest_first = made[::-1]
    first = world.api.payment_intents.list(params={"customer": customer, "limit": 2})
    assert ([row.id for row in first.data], first.has_more) == (newest_first[:2], True)
    after = {"customer": customer, "limit": 3, "starting_after": first.data[-1].id}
    second = world.api.payment_intents.list(params=after)
    assert ([row.id for row in second.data], second.has_more) == (newest_first[2:], False)
    before = {"customer": customer, "limit": 2, "ending_before": newest_first[3]}
    assert [row.id for row in world.api.payment_intents.list(params=before).data] == newest_first[1:3]
    every = world.api.payment_intents.list(params={"customer": customer, "limit": 2}).auto_paging_iter()
    assert [row.id for row in every] == newest_first


def test_a_list_can_be_bounded_by_when_its_rows_were_made(world: World) -> None:
    clock = world.clock
    customer, method = world.customer_with_card()
    made = []
    for _ in range(4):
        made.append(world.charge(customer, method))
        clock.forward(minutes=1)
    second, third = made[1].created, made[2].created

    def listed(**created: int) -> list[str]:
        rows = world.api.payment_intents.list(params={"customer": customer, "created": created}).data
        return [row.id for row in reversed(rows)]

    ids = [row.id for row in made]
    assert listed(gte=second) == ids[1:]
    assert listed(gt=second) == ids[2:]
    assert listed(lt=third) == ids[:2]
    assert listed(lte=third) == ids[:3]
    assert listed(gte=second, lte=third) == ids[1:3]


def test_charges_and_their_money_are_listed_by_what_they_belong_to(world: World) -> None:
    customer, method = world.customer_with_card()
    paid = world.charge(customer, method)
    (charge,) = world.api.charges.list(params={"payment_intent": paid.id}).data
    assert [row.id for row in world.api.charges.list(params={"customer": customer}).data] == [charge.id]
    (money,) = world.api.balance_transactions.list(params={"source": charge.id, "type": "charge"}).data
    assert money.id == charge.balance_transaction
    expanded = world.api.charges.list(params={"payment_intent": paid.id, "expand": ["data.balance_transaction"]})
    assert expanded.data[0].balance_transaction.net == 6250 - money.fee


def test_a_page_that_starts_nowhere_is_refused(world: World) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        world.api.payment_intents.list(params={"starting_after": "pi_nope"})
    assert (refusal.value.param, refusal.value.code) == ("starting_after", "resource_missing")


def test_an_expansion_that_leads_nowhere_is_refused(world: World) -> None:
    customer = world.api.customers.create(params={}).id
    with pytest.raises(stripe.InvalidRequestError):
        world.api.customers.retrieve(customer, params={"expand": ["shoe_size"]})


# ---- events ----


def test_a_charge_tells_its_story_as_events(world: World) -> None:
    customer, method = world.customer_with_card()
    paid = world.charge(customer, method, key=f"story-{customer}")
    told = [
        event
        for event in world.api.events.list(params={"limit": 20}).data
        if event.data.object.id in (paid.id, paid.latest_charge)
    ]
    wanted = {"payment_intent.created", "payment_intent.succeeded", "charge.succeeded"}
    assert wanted <= {event.type for event in told}
    succeeded = next(event for event in told if event.type == "payment_intent.succeeded")
    assert (succeeded.livemode, succeeded.request.idempotency_key) == (False, f"story-{customer}")
    assert succeeded.data.object.amount_received == 6250
    assert world.api.events.retrieve(succeeded.id).type == "payment_intent.succeeded"


def test_an_event_shows_the_object_as_it_was_then(world: World) -> None:
    customer, method = world.customer_with_card()
    paid = world.charge(customer, method)
    listed = world.api.events.list(params={"type": "payment_intent.created", "limit": 10}).data
    created = next(event for event in listed if event.data.object.id == paid.id)
    assert created.data.object.amount_received == 0


def test_events_can_be_listed_by_several_types(world: World) -> None:
    customer, method = world.customer_with_card()
    world.charge(customer, method)
    types = ["charge.succeeded", "payment_intent.succeeded"]
    listed = world.api.events.list(params={"types": types, "limit": 2}).data
    assert {event.type for event in listed} == set(types)
