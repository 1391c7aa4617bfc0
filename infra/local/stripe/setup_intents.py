"""Setup intents: a card is proved and saved without a charge. docs.stripe.com/api/setup_intents"""

from infra.local.stripe import payment_methods
from infra.local.stripe.account import Account
from infra.local.stripe.cards import Decline
from infra.local.stripe.customers import existing
from infra.local.stripe.errors import ApiError, Json, refused
from infra.local.stripe.expand import as_list
from infra.local.stripe.intents import read_automatic, read_types
from infra.local.stripe.params import Args
from infra.local.stripe.shelf import read_page

_OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
AUTHENTICATION_FAILED = Decline(
    "setup_intent_authentication_failure",
    "authentication_failed",
    "The latest attempt to set up the payment method has failed because authentication failed.",
)


def create(account: Account, args: Args) -> Json:
    """POST /v1/setup_intents, optionally confirmed at once."""
    customer, method_id = args.text("customer"), args.text("payment_method")
    description, metadata = args.text("description"), args.metadata()
    usage = args.choice("usage", "off_session", "on_session") or "off_session"
    confirm_now = args.flag("confirm")
    types = read_types(args)
    read_automatic(args)
    args.text("return_url")
    args.done()
    if customer is not None:
        existing(account, customer, "customer")
    method = payment_methods.resolve(account, method_id, "payment_method") if method_id else None
    row = new_setup(account, customer, description, metadata, usage)
    row["allowed_payment_method_types"] = types
    if method is not None:
        row.update(payment_method=method["id"], status="requires_confirmation")
    return _confirm(account, row, method) if confirm_now else row


def new_setup(
    account: Account, customer: str | None, description: str | None, metadata: Json, usage: str = "off_session"
) -> Json:
    """A setup intent, announced."""
    number = account.new_id("seti")
    row: Json = {
        "id": number,
        "object": "setup_intent",
        "allowed_payment_method_types": None,
        "application": None,
        "automatic_payment_methods": None,
        "cancellation_reason": None,
        "client_secret": f"{number}_secret_test",
        "created": account.now,
        "customer": customer,
        "description": description,
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": False,
        "mandate": None,
        "metadata": metadata,
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "single_use_mandate": None,
        "status": "requires_payment_method",
        "usage": usage,
    }
    account.setup_intents.add(row)
    account.emit("setup_intent.created", row)
    return row


def retrieve(account: Account, args: Args, setup_id: str) -> Json:
    """GET /v1/setup_intents/{id}"""
    args.done()
    return account.setup_intents.find(setup_id)


def update(account: Account, args: Args, setup_id: str) -> Json:
    """POST /v1/setup_intents/{id}: metadata and description."""
    row = account.setup_intents.find(setup_id)
    metadata = args.metadata(row["metadata"])
    description = args.text("description") if args.has("description") else row["description"]
    args.done()
    row.update(metadata=metadata, description=description)
    return row


def confirm(account: Account, args: Args, setup_id: str) -> Json:
    """POST /v1/setup_intents/{id}/confirm"""
    row = account.setup_intents.find(setup_id)
    method_id = args.text("payment_method") or row["payment_method"]
    args.text("return_url")
    args.done()
    return _confirm(account, row, payment_methods.resolve(account, method_id, "payment_method") if method_id else None)


def cancel(account: Account, args: Args, setup_id: str) -> Json:
    """POST /v1/setup_intents/{id}/cancel"""
    row = account.setup_intents.find(setup_id)
    reason = args.choice("cancellation_reason", "abandoned", "duplicate", "requested_by_customer")
    args.done()
    return cancel_setup(account, row, reason)


def cancel_setup(account: Account, row: Json, reason: str | None) -> Json:
    """Cancels, whoever asks."""
    _ensure_open(row, "cancel")
    row.update(status="canceled", cancellation_reason=reason, next_action=None)
    account.emit("setup_intent.canceled", row)
    return row


def list_all(account: Account, args: Args) -> Json:
    """GET /v1/setup_intents, by `customer` and `payment_method`."""
    page, customer, method = read_page(args), args.text("customer"), args.text("payment_method")
    args.done()
    rows, more = account.setup_intents.page(page, customer=customer, payment_method=method)
    return as_list(rows, more=more, url="/v1/setup_intents")


def attempt(account: Account, row: Json, method: Json, *, authenticated: bool = False) -> Json:
    """One try: the intent succeeds, waits for its cardholder, or a decline is raised (402, intent inside)."""
    payment_methods.ensure_usable(account, method)
    row["next_action"] = None
    if payment_methods.needs_authentication(account, method["id"], off_session=False) and not authenticated:
        row.update(status="requires_action", payment_method=method["id"])
        row["next_action"] = {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
        account.emit("setup_intent.requires_action", row)
        return row
    decline = payment_methods.decline_of(account, method["id"], "save")
    if decline is not None:
        raise _declined(account, row, method, decline)
    row.update(status="succeeded", payment_method=method["id"], last_setup_error=None)
    if row["customer"] is not None:
        payment_methods.attach_to(account, method, row["customer"])
    if row["usage"] == "off_session":
        account.set_up.add(method["id"])
    account.emit("setup_intent.succeeded", row)
    return row


def authenticate(account: Account, row: Json, *, passed: bool) -> Json:
    """The cardholder proved it (or failed to) for an intent in `requires_action`. Errors: 402 on failure or decline."""
    method = account.payment_methods.find(row["payment_method"])
    if passed:
        return attempt(account, row, method, authenticated=True)
    raise _declined(account, row, method, AUTHENTICATION_FAILED)


def _confirm(account: Account, row: Json, method: Json | None) -> Json:
    _ensure_open(row, "confirm")
    if method is None:
        raise refused(
            "You cannot confirm this SetupIntent because it's missing a payment method.",
            code="setup_intent_unexpected_state",
            setup_intent=row,
        )
    return attempt(account, row, method)


def _declined(account: Account, row: Json, method: Json, decline: Decline) -> ApiError:
    refusal = payment_methods.card_declined(decline, payment_method=method)
    row.update(status="requires_payment_method", payment_method=None, next_action=None)
    row["last_setup_error"] = dict(refusal.error)
    account.emit("setup_intent.setup_failed", row)
    refusal.error["setup_intent"] = row
    return refusal


def _ensure_open(row: Json, verb: str) -> None:
    if row["status"] not in _OPEN:
        raise refused(
            f"You cannot {verb} this SetupIntent because it has a status of {row['status']}.",
            code="setup_intent_unexpected_state",
            setup_intent=row,
        )
