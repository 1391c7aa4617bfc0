"""Payment intents: one charge and its tries. docs.stripe.com/api/payment_intents

Only what Kindbill asks for: US dollars, cards, captured at once. The trying itself is in `attempts`.
"""

from infra.local.stripe import payment_methods
from infra.local.stripe.account import Account
from infra.local.stripe.attempts import attempt, next_action, unexpected
from infra.local.stripe.customers import existing
from infra.local.stripe.errors import Json, bad_param, refused
from infra.local.stripe.expand import as_list
from infra.local.stripe.params import Args
from infra.local.stripe.shelf import read_page

MINIMUM_CENTS = 50  # docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
_OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
_FUTURE = ("off_session", "on_session")
_REASONS = ("duplicate", "fraudulent", "requested_by_customer", "abandoned")
_TEXTS = {"description": 1000, "receipt_email": 800, "statement_descriptor": 22, "statement_descriptor_suffix": 22}


def create(account: Account, args: Args) -> Json:
    """POST /v1/payment_intents, with `confirm=true` in one call with the charge."""
    fields = _read_fields(args)
    if "amount" not in fields:
        raise bad_param("Missing required param: amount.", "amount", "parameter_missing")
    currency = args.required("currency").lower()
    confirm_now, off_session = args.flag("confirm"), _read_off_session(args)
    args.choice("capture_method", "automatic", "automatic_async")
    args.choice("confirmation_method", "automatic")
    read_automatic(args)
    return_url = args.text("return_url")
    args.done()
    ensure_currency(currency)
    if off_session and not confirm_now:
        raise refused("You cannot set `off_session` without `confirm=true`.", param="off_session")
    method_id = fields.pop("payment_method", None)
    _ensure_parties(account, fields.get("customer"), None)
    method = payment_methods.resolve(account, method_id, "payment_method") if method_id else None
    if method is not None:
        _ensure_parties(account, fields.get("customer"), method)
    row = new_intent(account, {**fields, "currency": currency})
    if method is not None:
        row["payment_method"] = method["id"]
        row["status"] = "requires_confirmation"
    if not confirm_now:
        return row
    return _confirm(account, row, method, off_session=off_session, return_url=return_url)


def new_intent(account: Account, fields: Json) -> Json:
    """An intent with those fields, announced."""
    number = account.new_id("pi")
    row: Json = {
        "id": number,
        "object": "payment_intent",
        "allowed_payment_method_types": None,
        "amount": 0,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": f"{number}_secret_test",
        "confirmation_method": "automatic",
        "created": account.now,
        "currency": "usd",
        "customer": None,
        "description": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
        **fields,
    }
    account.payment_intents.add(row)
    account.emit("payment_intent.created", row)
    return row


def retrieve(account: Account, args: Args, intent_id: str) -> Json:
    """GET /v1/payment_intents/{id}"""
    args.done()
    return account.payment_intents.find(intent_id)


def update(account: Account, args: Args, intent_id: str) -> Json:
    """POST /v1/payment_intents/{id}; once it succeeded, metadata and description only."""
    row = account.payment_intents.find(intent_id)
    fields = _read_fields(args, row["metadata"])
    args.done()
    if row["status"] not in _OPEN:
        for name in fields.keys() - {"metadata", "description"}:
            raise unexpected(
                row,
                f"This PaymentIntent's {name} could not be updated because it has a status of {row['status']}. You may "
                f"only update the {name} of a PaymentIntent with one of the following statuses: {', '.join(_OPEN)}.",
            )
    method_id = fields.pop("payment_method", None)
    customer = fields.pop("customer", row["customer"])
    _ensure_parties(account, customer, None)
    if method_id is not None:
        method = payment_methods.resolve(account, method_id, "payment_method")
        _ensure_parties(account, customer, method)
        row.update(payment_method=method["id"], status="requires_confirmation", next_action=None)
    if customer != row["customer"]:
        account.payment_intents.move(row, "customer", customer)
    row.update(fields)
    return row


def confirm(account: Account, args: Args, intent_id: str) -> Json:
    """POST /v1/payment_intents/{id}/confirm"""
    row = account.payment_intents.find(intent_id)
    method_id, off_session = args.text("payment_method"), _read_off_session(args)
    future, receipt = args.choice("setup_future_usage", *_FUTURE), args.text("receipt_email")
    return_url = args.text("return_url")
    args.done()
    if row["status"] not in _OPEN:
        sentence = f"You cannot confirm this PaymentIntent because it has a status of {row['status']}."
        raise unexpected(row, sentence)
    method_id = method_id or row["payment_method"]
    method = payment_methods.resolve(account, method_id, "payment_method") if method_id else None
    if method is not None:
        _ensure_parties(account, row["customer"], method)
    row["setup_future_usage"] = future or row["setup_future_usage"]
    row["receipt_email"] = receipt or row["receipt_email"]
    return _confirm(account, row, method, off_session=off_session, return_url=return_url)


def cancel(account: Account, args: Args, intent_id: str) -> Json:
    """POST /v1/payment_intents/{id}/cancel. Errors: 400 once it succeeded, or when a Checkout session owns it."""
    row = account.payment_intents.find(intent_id)
    reason = args.choice("cancellation_reason", *_REASONS)
    args.done()
    if account.sessions.newest("payment_intent", intent_id):
        raise unexpected(
            row, "You cannot cancel this PaymentIntent because a Checkout Session made it. Expire the session instead."
        )
    return cancel_intent(account, row, reason)


def cancel_intent(account: Account, row: Json, reason: str | None) -> Json:
    """Cancels, whoever asks."""
    if row["status"] not in _OPEN:
        raise unexpected(
            row,
            f"You cannot cancel this PaymentIntent because it has a status of {row['status']}. Only a PaymentIntent "
            f"with one of the following statuses may be canceled: {', '.join(_OPEN)}.",
        )
    row.update(status="canceled", canceled_at=account.now, cancellation_reason=reason, next_action=None)
    account.emit("payment_intent.canceled", row)
    return row


def list_all(account: Account, args: Args) -> Json:
    """GET /v1/payment_intents, by `customer`."""
    page, customer = read_page(args), args.text("customer")
    args.done()
    rows, more = account.payment_intents.page(page, customer=customer)
    return as_list(rows, more=more, url="/v1/payment_intents")


def ensure_minimum(cents: int, what: str = "Amount must be at least") -> None:
    """Errors: 400 `amount_too_small` below Stripe's minimum."""
    if cents < MINIMUM_CENTS:
        raise bad_param(f"{what} $0.50 usd", "amount", "amount_too_small")


def ensure_currency(currency: str) -> None:
    """Errors: 400 for anything but US dollars, the only currency the emulator knows."""
    if currency != "usd":
        raise bad_param(f"Invalid currency: {currency}. The embedded Stripe knows usd only.", "currency")


def _confirm(account: Account, row: Json, method: Json | None, *, off_session: bool, return_url: str | None) -> Json:
    if method is None:
        raise unexpected(
            row,
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the "
            "PaymentIntent with a payment method and then confirm it again, or confirm it again directly with one.",
        )
    attempt(account, row, method, off_session=off_session)
    if row["status"] == "requires_action" and return_url is not None:
        row["next_action"] = next_action(return_url)
    return row


def _ensure_parties(account: Account, customer: str | None, method: Json | None) -> None:
    if customer is not None:
        existing(account, customer, "customer")
    if method is None or method["customer"] in (None, customer):
        return
    if customer is None:
        raise refused(
            f"The provided PaymentMethod ({method['id']}) was attached to a Customer; include the Customer in the "
            "request to use it.",
            code="payment_method_customer_decline",
            param="payment_method",
        )
    payment_methods.of_customer(account, method["id"], customer, "payment_method")


def _read_fields(args: Args, metadata: Json | None = None) -> Json:
    """What create and update share; only what was sent."""
    fields: Json = {}
    amount = args.amount()
    if amount is not None:
        ensure_minimum(amount)
        fields["amount"] = amount
    for name, longest in _TEXTS.items():
        if args.has(name):
            fields[name] = args.text(name, longest=longest)
    for name in ("customer", "payment_method"):
        if args.has(name):
            fields[name] = args.text(name)
    if args.has("setup_future_usage"):
        fields["setup_future_usage"] = args.choice("setup_future_usage", *_FUTURE)
    types = read_types(args)
    if types:
        fields["allowed_payment_method_types"] = types
    if args.has("metadata"):
        fields["metadata"] = args.metadata(metadata)
    return fields


def read_types(args: Args) -> list[str] | None:
    """The allowed payment method types, under the parameter's present name or the one older API versions know.

    Errors: 400 for a type the emulator does not know.
    """
    types = args.texts("allowed_payment_method_types") + args.texts("payment_method_types")
    if any(kind != "card" for kind in types):
        raise refused("The embedded Stripe knows cards only.", param="allowed_payment_method_types")
    return types or None


def read_automatic(args: Args) -> None:
    """`automatic_payment_methods` changes nothing where cards are all there is; it is only checked for its form."""
    automatic = args.table("automatic_payment_methods")
    if automatic is not None:
        automatic.flag("enabled")
        automatic.choice("allow_redirects", "always", "never")


def _read_off_session(args: Args) -> bool:
    return args.choice("off_session", "true", "false", "one_off", "recurring") not in (None, "false")
