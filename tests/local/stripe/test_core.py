"""What only the emulator promises: the same calls give the same bytes, time moves when told, nothing is ignored."""

import copy
from datetime import timedelta

import pytest

from infra.local.stripe import EmbeddedStripe
from infra.local.stripe.cards import BEHAVIOURS, CARDS, NAMED_METHODS
from infra.local.stripe.errors import ApiError
from infra.local.stripe.faults import Fault, read_faults
from infra.local.stripe.params import Args, nest, read_pairs
from infra.local.stripe.routes import ROUTES, find
from tests.local.stripe.world import START, Clock

KEY = {"Authorization": "Bearer sk_test_suite"}


def a_busy_morning(embedded: EmbeddedStripe) -> list[str]:
    """Some calls of every kind; their bodies."""
    customer = embedded.request("POST", "/v1/customers", "email=ana%40example.com", KEY)
    attached = embedded.request(
        "POST", "/v1/payment_methods/pm_card_visa/attach", f"customer={_id(customer.body)}", KEY
    )
    charge = f"amount=6250&currency=usd&customer={_id(customer.body)}&payment_method={_id(attached.body)}&confirm=true"
    paid = embedded.request("POST", "/v1/payment_intents", charge, {**KEY, "Idempotency-Key": "k"})
    again = embedded.request("POST", "/v1/payment_intents", charge, {**KEY, "Idempotency-Key": "k"})
    events = embedded.request("GET", "/v1/events?limit=100", "", KEY)
    return [answer.body for answer in (customer, attached, paid, again, events)]


def _id(body: str) -> str:
    return body.split('"id":"')[1].split('"')[0]


def test_the_same_calls_give_the_same_bytes() -> None:
    assert a_busy_morning(EmbeddedStripe(Clock())) == a_busy_morning(EmbeddedStripe(Clock()))


def test_a_snapshot_goes_its_own_way(embedded: EmbeddedStripe) -> None:
    embedded.listen("sim://webhooks", "whsec_sim")
    a_busy_morning(embedded)
    kept = copy.deepcopy(embedded)
    first = a_busy_morning(embedded)
    assert len(kept.take_deliveries()) < len(embedded.take_deliveries())
    assert a_busy_morning(kept) == first


def test_any_test_key_is_welcome_and_no_other() -> None:
    embedded = EmbeddedStripe(Clock())
    assert embedded.request("GET", "/v1/customers", "", KEY).status == 200
    for headers in ({}, {"Authorization": "Bearer sk_live_1"}, {"Authorization": "Basic sk_test_1"}):
        assert embedded.request("GET", "/v1/customers", "", headers).status == 401


@pytest.mark.parametrize("call", ["GET /v1/shoes", "DELETE /v1/charges/ch_1", "GET /v2/customers", "POST /v1/checkout"])
def test_a_call_outside_the_emulated_part_is_a_404(embedded: EmbeddedStripe, call: str) -> None:
    method, path = call.split()
    answer = embedded.request(method, path, "", KEY)
    assert answer.status == 404
    assert "does not know it" in answer.body


def test_every_route_is_found_by_its_own_path() -> None:
    for route, handler in ROUTES.items():
        method, shape = route.split()
        found, ids = find(method, f"/v1/{shape.replace('*', 'x_1')}")
        assert found is handler
        assert ids == ["x_1"] * shape.count("*")


def test_the_next_due_instant_is_known_and_passes(clock: Clock, embedded: EmbeddedStripe) -> None:
    assert embedded.next_due() is None
    items = "line_items[0][price_data][currency]=usd&line_items[0][price_data][unit_amount]=900"
    items += "&line_items[0][price_data][product_data][name]=Visit&line_items[0][quantity]=1"
    form = f"mode=payment&success_url=https://kindbill.example&{items}"
    later = _id(embedded.request("POST", "/v1/checkout/sessions", form, KEY).body)
    soon_at = int((START + timedelta(minutes=30)).timestamp())
    soon = _id(embedded.request("POST", "/v1/checkout/sessions", f"{form}&expires_at={soon_at}", KEY).body)
    assert embedded.next_due() == START + timedelta(minutes=30)
    embedded.complete_checkout(soon, number="4242424242424242")
    assert embedded.next_due() == START + timedelta(hours=24)  # what is complete does not expire
    clock.forward(hours=24)
    embedded.advance()
    assert embedded.next_due() is None
    assert embedded.session(later)[1]["status"] == "expired"
    assert embedded.session(soon)[1]["status"] == "complete"


def test_events_are_kept_for_thirty_days(clock: Clock, embedded: EmbeddedStripe) -> None:
    old = _id(embedded.request("POST", "/v1/customers", "name=Ana", KEY).body)
    clock.forward(days=31)
    embedded.request("POST", "/v1/customers", "name=Ben", KEY)
    listed = embedded.request("GET", "/v1/events?limit=100", "", KEY).body
    assert old not in listed
    assert '"name":"Ben"' in listed


def test_money_becomes_available_after_two_days(clock: Clock, embedded: EmbeddedStripe) -> None:
    a_busy_morning(embedded)
    assert '"status":"pending"' in embedded.request("GET", "/v1/balance_transactions", "", KEY).body
    clock.forward(days=2)
    assert '"status":"available"' in embedded.request("GET", "/v1/balance_transactions", "", KEY).body


def test_every_named_card_and_every_behaviour_exists() -> None:
    assert all(card.number in CARDS for card in NAMED_METHODS.values())
    assert {card.charge for card in CARDS.values()} | {card.save for card in CARDS.values()} <= set(BEHAVIOURS)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda embedded: embedded.set_card("pm_1", "generous"),
        lambda embedded: embedded.arm_faults([Fault("POST", "earthquake")]),
        lambda embedded: embedded.arm_faults([Fault("(", "drop")]),
        lambda embedded: embedded.decide_dispute("du_1", "drawn"),
        lambda embedded: embedded.open_dispute("ch_1", "bad_weather"),
    ],
)
def test_a_test_control_that_cannot_be_understood_says_so(wrong: object, embedded: EmbeddedStripe) -> None:
    with pytest.raises((ValueError, ApiError)):
        wrong(embedded)


@pytest.mark.parametrize("body", [{}, [1], [{"match": "x", "kind": "drop", "times": 0}]])
def test_a_list_of_faults_is_read_strictly(body: object) -> None:
    with pytest.raises(ValueError):
        read_faults(body)


def test_nested_parameters_are_read_as_the_sdk_writes_them() -> None:
    form = "amount=5&expand[0]=a&expand[1]=b&metadata[7]=i%5B1%5D&line_items[0][price_data][unit_amount]=7"
    assert nest(read_pairs(form)) == {
        "amount": "5",
        "expand": ["a", "b"],
        "metadata": {"7": "i[1]"},
        "line_items": [{"price_data": {"unit_amount": "7"}}],
    }


def test_what_nobody_asked_for_is_refused_at_any_depth() -> None:
    args = Args(nest(read_pairs("card[number]=4242&card[colour]=green")))
    card = args.table("card")
    assert card is not None
    assert card.text("number") == "4242"
    with pytest.raises(ApiError) as refusal:
        args.done()
    assert refusal.value.error["param"] == "card[colour]"


def test_a_wrong_expansion_does_not_charge_again_with_its_key(embedded: EmbeddedStripe) -> None:
    form = "amount=900&currency=usd&payment_method=pm_card_visa&confirm=true&expand[0]=shoe_size"
    answers = [embedded.request("POST", "/v1/payment_intents", form, {**KEY, "Idempotency-Key": "k"}) for _ in range(2)]
    assert [answer.status for answer in answers] == [400, 400]
    assert len(embedded.account().charges) == 1
