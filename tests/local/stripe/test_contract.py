"""What Kindbill relies on of Stripe, through the official SDK: cards, intents, refunds, disputes, lists, events.

The same assertions hold for the emulator in process, over HTTP, and for Stripe's test mode when a key is given.
"""

import pytest
import stripe

from tests.local.stripe.world import World

DECLINES = [
    ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
    ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
    ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
    ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
    ("pm_card_visa_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
    ("pm_card_visa_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
    ("pm_card_visa_chargeDeclinedProcessingError", "processing_error", "processing_error"),
]
NUMBERS = [
    ("4242424242424242", "visa", "credit"),
    ("4000056655665556", "visa", "debit"),
    ("5105105105105100", "mastercard", "prepaid"),
    ("5200828282828210", "mastercard", "debit"),
    ("378282246310005", "amex", "credit"),
    ("6011111111111117", "discover", "credit"),
]


def raw_card(number: str, exp_year: int = 2030, cvc: str = "123") -> dict[str, object]:
    return {"type": "card", "card": {"number": number, "exp_month": 12, "exp_year": exp_year, "cvc": cvc}}


# ---- customers and cards ----


def test_a_customer_keeps_what_it_was_told_and_merges_metadata(world: World) -> None:
    told = {"name": "Ana", "email": "ana@example.com", "phone": "+12025550143", "metadata": {"account": "a1"}}
    made = world.api.customers.create(params=told)
    world.api.customers.update(made.id, params={"metadata": {"second": "b"}, "phone": ""})
    read = world.api.customers.retrieve(made.id)
    assert (read.name, read.email, read.phone) == ("Ana", "ana@example.com", None)
    assert read.metadata.to_dict() == {"account": "a1", "second": "b"}
    world.api.customers.update(made.id, params={"metadata": {"account": ""}})
    assert world.api.customers.retrieve(made.id).metadata.to_dict() == {"second": "b"}


def test_a_deleted_customer_is_told_apart_and_cannot_be_charged(world: World) -> None:
    customer, method = world.customer_with_card()
    assert world.api.customers.delete(customer).deleted is True
    assert world.api.customers.retrieve(customer).deleted is True
    with pytest.raises(stripe.InvalidRequestError):
        world.charge(customer, method)


@pytest.mark.parametrize("number, brand, funding", NUMBERS)
def test_a_raw_test_number_tells_its_brand_and_funding(world: World, number: str, brand: str, funding: str) -> None:
    if world.kind == "stripe":
        pytest.skip("raw card numbers need a switch on the Stripe account")
    card = world.api.payment_methods.create(params=raw_card(number, cvc="1234" if brand == "amex" else "123")).card
    assert (card.brand, card.funding, card.last4, card.country) == (brand, funding, number[-4:], "US")


def test_one_number_has_one_fingerprint_whatever_it_is_saved_as(world: World) -> None:
    first = world.api.payment_methods.create(params={"type": "card", "card": {"token": "tok_visa"}})
    second = world.api.payment_methods.create(params={"type": "card", "card": {"token": "tok_visa"}})
    other = world.api.payment_methods.create(params={"type": "card", "card": {"token": "tok_amex"}})
    assert first.id != second.id
    assert first.card.fingerprint == second.card.fingerprint != other.card.fingerprint


@pytest.mark.parametrize(
    "typed, code, param",
    [
        (raw_card("4242424242424241"), "incorrect_number", "number"),
        (raw_card("4242424242424242", exp_year=2020), "invalid_expiry_year", "exp_year"),
        (raw_card("4242424242424242", cvc="12"), "invalid_cvc", "cvc"),
    ],
)
def test_a_card_that_cannot_be_is_refused_with_its_field(
    world: World, typed: dict[str, object], code: str, param: str
) -> None:
    if world.kind == "stripe":
        pytest.skip("raw card numbers need a switch on the Stripe account")
    with pytest.raises(stripe.CardError) as refusal:
        world.api.payment_methods.create(params=typed)
    assert (refusal.value.http_status, refusal.value.code) == (402, code)
    assert refusal.value.param == param


def test_an_attached_card_is_listed_until_it_is_detached_and_never_usable_again(world: World) -> None:
    customer, method = world.customer_with_card()
    world.api.customers.update(customer, params={"invoice_settings": {"default_payment_method": method}})
    assert [card.id for card in world.api.payment_methods.list(params={"customer": customer}).data] == [method]
    assert [card.id for card in world.api.customers.payment_methods.list(customer).data] == [method]
    assert world.api.payment_methods.detach(method).customer is None
    assert world.api.payment_methods.list(params={"customer": customer}).data == []
    assert world.api.customers.retrieve(customer).invoice_settings.default_payment_method is None
    with pytest.raises(stripe.InvalidRequestError):
        world.api.payment_methods.attach(method, params={"customer": customer})


def test_a_card_the_issuer_refuses_cannot_be_attached(world: World) -> None:
    customer = world.api.customers.create(params={}).id
    with pytest.raises(stripe.CardError) as refusal:
        world.api.payment_methods.attach("pm_card_visa_chargeDeclined", params={"customer": customer})
    assert refusal.value.code == "card_declined"


# ---- setup intents ----


def test_a_setup_saves_the_card_for_later(world: World) -> None:
    customer = world.api.customers.create(params={}).id
    setup = world.api.setup_intents.create(
        params={"customer": customer, "usage": "off_session", "allowed_payment_method_types": ["card"]}
    )
    assert (setup.status, setup.client_secret.startswith(setup.id)) == ("requires_payment_method", True)
    done = world.api.setup_intents.confirm(setup.id, params={"payment_method": "pm_card_visa_debit"})
    assert done.status == "succeeded"
    assert world.api.payment_methods.retrieve(done.payment_method).customer == customer
    assert world.charge(customer, done.payment_method).status == "succeeded"


def test_a_setup_of_a_card_that_needs_its_holder_waits_for_them(world: World) -> None:
    customer = world.api.customers.create(params={}).id
    setup = world.api.setup_intents.create(
        params={
            "customer": customer,
            "payment_method": "pm_card_authenticationRequiredOnSetup",
            "allowed_payment_method_types": ["card"],
            "confirm": True,
        }
    )
    assert (setup.status, setup.next_action.type) == ("requires_action", "use_stripe_sdk")
    assert world.api.setup_intents.cancel(setup.id).status == "canceled"


def test_a_setup_that_is_declined_says_why_and_stays_open(world: World) -> None:
    setup = world.api.setup_intents.create(params={"allowed_payment_method_types": ["card"]})
    with pytest.raises(stripe.CardError) as refusal:
        world.api.setup_intents.confirm(setup.id, params={"payment_method": "pm_card_visa_chargeDeclined"})
    assert refusal.value.error.setup_intent.id == setup.id
    again = world.api.setup_intents.retrieve(setup.id)
    assert (again.status, again.last_setup_error.decline_code) == ("requires_payment_method", "generic_decline")


# ---- payment intents ----


def test_an_autopay_charge_is_one_call_and_its_money_is_traceable(world: World) -> None:
    customer, method = world.customer_with_card()
    paid = world.charge(customer, method, 6250, metadata={"attempt": "at_1"}, expand=["latest_charge"])
    assert (paid.status, paid.amount_received, paid.metadata["attempt"]) == ("succeeded", 6250, "at_1")
    charge = paid.latest_charge
    assert (charge.amount, charge.paid, charge.payment_intent, charge.outcome.type) == (
        6250,
        True,
        paid.id,
        "authorized",
    )
    face = charge.payment_method_details.card
    assert (face.brand, face.last4, face.funding) == ("visa", "4242", "credit")
    read = world.api.payment_intents.retrieve(paid.id, params={"expand": ["latest_charge.balance_transaction"]})
    money = read.latest_charge.balance_transaction
    assert (money.amount, money.net, money.type) == (6250, 6250 - money.fee, "charge")
    if world.kind != "stripe":
        assert money.fee == 211  # 2.9 % of 6250 is 181.25, rounded, + 30


@pytest.mark.parametrize("card, code, decline_code", DECLINES)
def test_a_decline_is_a_402_with_its_reason_and_the_intent_inside(
    world: World, card: str, code: str, decline_code: str
) -> None:
    with pytest.raises(stripe.CardError) as refusal:
        world.api.payment_intents.create(
            params={
                "amount": 4000,
                "currency": "usd",
                "payment_method": card,
                "allowed_payment_method_types": ["card"],
                "confirm": True,
            }
        )
    error = refusal.value.error
    assert (refusal.value.http_status, error.type, error.code) == (402, "card_error", code)
    assert error.decline_code in (decline_code, None)  # Stripe leaves it out where it only repeats the code
    assert error.payment_intent.status == "requires_payment_method"
    assert error.payment_intent.last_payment_error.code == code
    charge = world.api.charges.retrieve(error.charge)
    assert (charge.status, charge.paid, charge.failure_code) == ("failed", False, code)


def test_a_card_can_be_saved_and_decline_later_and_another_card_rescues_the_intent(world: World) -> None:
    customer, bad = world.customer_with_card("pm_card_chargeCustomerFail")
    with pytest.raises(stripe.CardError) as refusal:
        world.charge(customer, bad)
    failed = refusal.value.error.payment_intent.id
    good = world.api.payment_methods.attach("pm_card_visa", params={"customer": customer}).id
    rescued = world.api.payment_intents.confirm(failed, params={"payment_method": good, "off_session": True})
    assert (rescued.status, rescued.last_payment_error) == ("succeeded", None)


def test_off_session_a_card_that_needs_its_holder_is_declined(world: World) -> None:
    customer, method = world.customer_with_card("pm_card_authenticationRequired")
    with pytest.raises(stripe.CardError) as refusal:
        world.charge(customer, method)
    error = refusal.value.error
    assert (error.code, error.decline_code) == ("authentication_required", "authentication_required")
    assert error.payment_intent.status == "requires_payment_method"
    assert error.payment_method.id == method


def test_on_session_a_card_that_needs_its_holder_waits_and_can_be_canceled(world: World) -> None:
    intent = world.api.payment_intents.create(
        params={
            "amount": 4000,
            "currency": "usd",
            "payment_method": "pm_card_authenticationRequired",
            "allowed_payment_method_types": ["card"],
            "confirm": True,
        }
    )
    assert intent.status == "requires_action"
    canceled = world.api.payment_intents.cancel(intent.id, params={"cancellation_reason": "abandoned"})
    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")


def test_an_intent_can_be_filled_in_later_and_is_closed_once_it_succeeded(world: World) -> None:
    customer, method = world.customer_with_card()
    intent = world.api.payment_intents.create(
        params={"amount": 900, "currency": "usd", "customer": customer, "allowed_payment_method_types": ["card"]}
    )
    assert intent.status == "requires_payment_method"
    changed = world.api.payment_intents.update(intent.id, params={"amount": 950, "payment_method": method})
    assert (changed.status, changed.amount) == ("requires_confirmation", 950)
    paid = world.api.payment_intents.confirm(intent.id, params={"return_url": "https://kindbill.example/back"})
    assert (paid.status, paid.amount_received) == ("succeeded", 950)
    for late in (
        lambda: world.api.payment_intents.confirm(intent.id, params={}),
        lambda: world.api.payment_intents.cancel(intent.id),
        lambda: world.api.payment_intents.update(intent.id, params={"amount": 1000}),
    ):
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            late()
        assert refusal.value.code == "payment_intent_unexpected_state"


def test_a_card_used_without_a_customer_cannot_be_used_again(world: World) -> None:
    method = world.api.payment_methods.create(params={"type": "card", "card": {"token": "tok_visa"}}).id
    wanted = {"amount": 900, "currency": "usd", "payment_method": method, "allowed_payment_method_types": ["card"]}
    assert world.api.payment_intents.create(params={**wanted, "confirm": True}).status == "succeeded"
    with pytest.raises(stripe.InvalidRequestError):
        world.api.payment_intents.create(params={**wanted, "confirm": True})


def test_paying_with_setup_future_usage_saves_the_card(world: World) -> None:
    customer = world.api.customers.create(params={}).id
    paid = world.api.payment_intents.create(
        params={
            "amount": 900,
            "currency": "usd",
            "customer": customer,
            "payment_method": "pm_card_visa",
            "allowed_payment_method_types": ["card"],
            "setup_future_usage": "off_session",
            "confirm": True,
        }
    )
    assert [card.id for card in world.api.payment_methods.list(params={"customer": customer}).data] == [
        paid.payment_method
    ]


def test_a_customers_card_cannot_be_charged_for_somebody_else(world: World) -> None:
    _, method_of_ana = world.customer_with_card()
    ben, _ = world.customer_with_card()
    with pytest.raises(stripe.InvalidRequestError):
        world.charge(ben, method_of_ana)


@pytest.mark.parametrize(
    "param, value, code",
    [
        ("amount", 49, "amount_too_small"),
        ("amount", -1, "parameter_invalid_integer"),
        ("payment_method", "pm_nobody", "resource_missing"),
        ("customer", "cus_nobody", "resource_missing"),
        ("colour", "green", "parameter_unknown"),
    ],
)
def test_a_request_that_cannot_be_done_names_the_parameter(world: World, param: str, value: object, code: str) -> None:
    customer, method = world.customer_with_card()
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        world.charge(customer, method, **{param: value})
    assert (refusal.value.http_status, refusal.value.param, refusal.value.code) == (400, param, code)


def test_an_unknown_object_is_a_404(world: World) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        world.api.payment_intents.retrieve("pi_nope")
    assert (refusal.value.http_status, refusal.value.code) == (404, "resource_missing")
