"""Payment methods: cards, attached to a customer or not. docs.stripe.com/api/payment_methods"""

from datetime import UTC, datetime
from typing import Any

from infra.local.stripe.account import Account
from infra.local.stripe.cards import (
    BEHAVIOURS,
    DECLINES,
    NAMED_METHODS,
    TOKENS,
    CardEntry,
    Decline,
    TestCard,
    card_object,
    read_card,
)
from infra.local.stripe.errors import ApiError, Json, refused
from infra.local.stripe.expand import as_list
from infra.local.stripe.params import Args
from infra.local.stripe.shelf import read_page

REDISPLAY = ("always", "limited", "unspecified")
_ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")
_TOKEN_EXPIRY_YEARS = 4


def create(account: Account, args: Args) -> Json:
    """POST /v1/payment_methods, from a raw test number or a `tok_…`."""
    kind = args.required("type")
    metadata = args.metadata()
    redisplay = args.choice("allow_redisplay", *REDISPLAY) or "unspecified"
    billing = read_billing(args)
    raw = args.table("card")
    if kind != "card" or raw is None:
        raise refused("The embedded Stripe knows payment methods of type card only.", param="type")
    token = raw.text("token")
    if token is not None:
        raw.done()
        args.done()
        card = TOKENS.get(token)
        if card is None:
            raise refused(f"No such token: '{token}'", code="resource_missing", param="card[token]")
        row = _from_name(account, card)
    else:
        entry = CardEntry(
            raw.required("number"), raw.whole("exp_month") or 0, _year(raw.whole("exp_year") or 0), raw.text("cvc")
        )
        args.done()
        row = from_entry(account, entry)
    row["metadata"], row["allow_redisplay"], row["billing_details"] = metadata, redisplay, billing
    return row


def from_entry(account: Account, entry: CardEntry) -> Json:
    """A new payment method of what was typed. Errors: 402 `card_error` for a number, date or code that cannot be."""
    today = datetime.fromtimestamp(account.now, UTC)
    card = read_card(entry, today.year, today.month)
    return _new(account, card, card_object(card, entry.exp_month, entry.exp_year, cvc_given=entry.cvc is not None))


def retrieve(account: Account, args: Args, method_id: str) -> Json:
    """GET /v1/payment_methods/{id}"""
    args.done()
    return account.payment_methods.find(method_id)


def update(account: Account, args: Args, method_id: str) -> Json:
    """POST /v1/payment_methods/{id}: metadata, allow_redisplay, billing_details, the card's expiry."""
    row = account.payment_methods.find(method_id)
    metadata = args.metadata(row["metadata"])
    redisplay = args.choice("allow_redisplay", *REDISPLAY) or row["allow_redisplay"]
    billing = read_billing(args) if args.has("billing_details") else row["billing_details"]
    raw = args.table("card")
    expiry = {name: raw.whole(name) for name in ("exp_month", "exp_year") if raw.has(name)} if raw is not None else {}
    args.done()
    if row["customer"] is None:
        raise refused("You must save this PaymentMethod to a customer before you can update it.")
    row.update(metadata=metadata, allow_redisplay=redisplay, billing_details=billing)
    row["card"].update(expiry)
    account.emit("payment_method.updated", row)
    return row


def attach(account: Account, args: Args, method_id: str) -> Json:
    """POST /v1/payment_methods/{id}/attach. Errors: 402 when the issuer refuses to have the card saved."""
    customer_id = args.required("customer")
    args.done()
    customer = account.customers.find(customer_id, "customer")
    row = resolve(account, method_id)
    ensure_usable(account, row)
    decline = decline_of(account, row["id"], "save")
    if decline is not None:
        raise card_declined(decline)
    return attach_to(account, row, customer["id"])


def detach(account: Account, args: Args, method_id: str) -> Json:
    """POST /v1/payment_methods/{id}/detach; it can never be used again."""
    args.done()
    row = account.payment_methods.find(method_id)
    if row["customer"] is None:
        raise refused(
            "The payment method you provided is not attached to a customer so detachment is impossible.",
            code="payment_method_unexpected_state",
        )
    detach_from(account, row)
    return row


def list_all(account: Account, args: Args) -> Json:
    """GET /v1/payment_methods, by `customer` and `type`."""
    page, customer, kind = read_page(args), args.text("customer"), args.text("type")
    args.done()
    if customer is None:
        return as_list([], more=False, url="/v1/payment_methods")
    account.customers.find(customer, "customer")
    rows, more = account.payment_methods.page(page, customer=customer, type=kind)
    return as_list(rows, more=more, url="/v1/payment_methods")


def list_of_customer(account: Account, args: Args, customer_id: str) -> Json:
    """GET /v1/customers/{id}/payment_methods"""
    page, kind = read_page(args), args.text("type")
    redisplay = args.choice("allow_redisplay", *REDISPLAY)
    args.done()
    account.customers.find(customer_id)
    rows, more = account.payment_methods.page(page, customer=customer_id, type=kind, allow_redisplay=redisplay)
    return as_list(rows, more=more, url=f"/v1/customers/{customer_id}/payment_methods")


def retrieve_of_customer(account: Account, args: Args, customer_id: str, method_id: str) -> Json:
    """GET /v1/customers/{id}/payment_methods/{id}"""
    args.done()
    account.customers.find(customer_id)
    return of_customer(account, method_id, customer_id)


def resolve(account: Account, method_id: str, param: str | None = None) -> Json:
    """The payment method, or a fresh one for a name such as `pm_card_visa`."""
    named = NAMED_METHODS.get(method_id)
    return account.payment_methods.find(method_id, param) if named is None else _from_name(account, named)


def of_customer(account: Account, method_id: str, customer_id: str, param: str | None = None) -> Json:
    """The payment method, which must be that customer's."""
    row = account.payment_methods.find(method_id, param)
    if row["customer"] != customer_id:
        raise refused(
            f"The customer does not have a payment method with the ID {method_id}. The payment method must be attached "
            "to the customer.",
            code="resource_missing",
            param=param,
        )
    return row


def ensure_usable(account: Account, row: Json) -> None:
    """A card that was used without a customer, or detached, is gone for good."""
    if row["id"] in account.used_up:
        raise refused(
            "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, or was "
            "detached from a Customer. It may not be used again. To use a PaymentMethod multiple times, you must "
            "attach it to a Customer first.",
            code="payment_method_unexpected_state",
        )


def attach_to(account: Account, row: Json, customer_id: str) -> Json:
    """Makes the card the customer's; doing it again changes nothing."""
    if row["customer"] is None:
        account.payment_methods.move(row, "customer", customer_id)
        account.emit("payment_method.attached", row)
    elif row["customer"] != customer_id:
        raise refused(
            "The payment method you provided has already been attached to a customer.",
            code="payment_method_unexpected_state",
        )
    return row


def detach_from(account: Account, row: Json) -> None:
    """Takes the card off its customer."""
    customer = account.customers.find(row["customer"])
    previous = {"customer": row["customer"]}
    account.payment_methods.move(row, "customer", None)
    account.used_up.add(row["id"])
    account.emit("payment_method.detached", row, previous)
    settings = customer["invoice_settings"]
    if settings["default_payment_method"] == row["id"]:
        settings["default_payment_method"] = None


def decline_of(account: Account, method_id: str, use: str) -> Decline | None:
    """What the issuer answers when the card is charged (`use="charge"`) or saved (`"save"`); None = fine."""
    card = account.cards[method_id]
    told = account.behaviours.get(method_id)
    behaviour = told if told is not None else (card.charge if use == "charge" else card.save)
    return None if behaviour in ("ok", "authentication_required") else DECLINES[behaviour]


def needs_authentication(account: Account, method_id: str, *, off_session: bool) -> bool:
    """Whether the issuer wants the cardholder to prove it is them, for this use of the card."""
    told = account.behaviours.get(method_id)
    if told is not None:
        return told == "authentication_required"
    wish = account.cards[method_id].authentication
    if wish == "unless_set_up":
        return not (off_session and method_id in account.set_up)
    return wish == "always"


def behave(account: Account, method_id: str, behaviour: str) -> Json:
    """From now on the issuer answers this for that card, whatever its number. Errors: ValueError, `ApiError`."""
    if behaviour not in BEHAVIOURS:
        raise ValueError(f"no such behaviour: {behaviour}; one of {', '.join(BEHAVIOURS)}")
    row = account.payment_methods.find(method_id)
    account.behaviours[method_id] = behaviour
    return {"payment_method": row["id"], "behaviour": behaviour}


def card_declined(decline: Decline, **more: Any) -> ApiError:
    """The 402 of a decline."""
    return ApiError(
        402,
        "card_error",
        decline.message,
        code=decline.code,
        param=decline.param,
        decline_code=decline.decline_code,
        advice_code=decline.advice,
        network_decline_code=decline.network_code,
        **more,
    )


def read_billing(args: Args) -> Json:
    """The `billing_details` parameter, every field null where it is absent."""
    given = args.table("billing_details") or Args({})
    address = given.table("address") or Args({})
    details: Json = {name: given.text(name) for name in ("email", "name", "phone")}
    return {"address": {name: address.text(name) for name in _ADDRESS}, **details, "tax_id": None}


def _year(year: int) -> int:
    return 2000 + year if 0 < year < 100 else year


def _from_name(account: Account, card: TestCard) -> Json:
    year = datetime.fromtimestamp(account.now, UTC).year + _TOKEN_EXPIRY_YEARS
    return _new(account, card, card_object(card, 12, year, cvc_given=False))


def _new(account: Account, card: TestCard, face: Json) -> Json:
    row: Json = {
        "id": account.new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": read_billing(Args({})),
        "card": face,
        "created": account.now,
        "customer": None,
        "livemode": False,
        "metadata": {},
        "type": "card",
    }
    account.cards[row["id"]] = card
    return account.payment_methods.add(row)
