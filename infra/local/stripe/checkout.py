"""Checkout sessions: the hosted page's state. docs.stripe.com/api/checkout/sessions

A payment session has no intent until somebody submits the page; a setup session has its intent from the start. A
decline leaves the session open. It ends once: complete, or expired by a call or at `expires_at` on the simulated
clock.
"""

from infra.local.stripe import setup_intents
from infra.local.stripe.account import Account
from infra.local.stripe.checkout_params import read_common, read_intent_data, read_item, read_payment, read_setup_data
from infra.local.stripe.customers import existing, new_customer
from infra.local.stripe.errors import Json, bad_param, refused
from infra.local.stripe.expand import as_list
from infra.local.stripe.intents import cancel_intent, ensure_minimum
from infra.local.stripe.params import Args
from infra.local.stripe.shelf import read_page

EXPIRE = "expire_session"


def create(account: Account, args: Args) -> Json:
    """POST /v1/checkout/sessions, mode `payment` or `setup`, on the hosted page."""
    mode = args.choice("mode", "payment", "setup")
    if mode is None:
        raise bad_param("Missing required param: mode.", "mode", "parameter_missing")
    fields = read_common(account, args)
    if mode == "payment":
        fields.update(read_payment(args))
        intent_data = read_intent_data(args)
        items = [read_item(item) for item in args.tables("line_items")]
    else:
        items = []
        intent_data = read_setup_data(args)
        if fields["currency"] is None and fields["allowed_payment_method_types"] is None:
            raise bad_param("You must specify `currency` in setup mode.", "currency")
    args.done()
    if fields["customer"] is not None:
        existing(account, fields["customer"], "customer")
    session_id = account.new_id("cs_test")
    if mode == "payment":
        _add_total(account, fields, items)
    else:
        setup = setup_intents.new_setup(account, fields["customer"], **intent_data)
        fields.update(setup_intent=setup["id"], payment_status="no_payment_required")
    row = _session(account, session_id, mode, fields)
    account.sessions.add(row)
    account.line_items[session_id], account.intent_data[session_id] = items, intent_data
    account.wake(row["expires_at"], EXPIRE, session_id)
    return row


def retrieve(account: Account, args: Args, session_id: str) -> Json:
    """GET /v1/checkout/sessions/{id}"""
    args.done()
    return account.sessions.find(session_id)


def update(account: Account, args: Args, session_id: str) -> Json:
    """POST /v1/checkout/sessions/{id}: metadata."""
    row = account.sessions.find(session_id)
    metadata = args.metadata(row["metadata"])
    args.done()
    row["metadata"] = metadata
    return row


def list_all(account: Account, args: Args) -> Json:
    """GET /v1/checkout/sessions, by `customer`, `payment_intent` and `status`."""
    page = read_page(args)
    customer, intent, status = args.text("customer"), args.text("payment_intent"), args.text("status")
    args.done()
    rows, more = account.sessions.page(page, customer=customer, payment_intent=intent, status=status)
    return as_list(rows, more=more, url="/v1/checkout/sessions")


def list_line_items(account: Account, args: Args, session_id: str) -> Json:
    """GET /v1/checkout/sessions/{id}/line_items"""
    page = read_page(args)
    args.done()
    account.sessions.find(session_id)
    items = account.line_items[session_id]
    url = f"/v1/checkout/sessions/{session_id}/line_items"
    return as_list(items[: page.limit], more=len(items) > page.limit, url=url)


def expire(account: Account, args: Args, session_id: str) -> Json:
    """POST /v1/checkout/sessions/{id}/expire. Errors: 400 when it is complete or expired already."""
    args.done()
    row = account.sessions.find(session_id)
    if row["status"] != "open":
        raise refused(
            'Only Checkout Sessions with a status in ["open"] can be expired. This Session has a status of '
            f"{row['status']}."
        )
    expire_session(account, session_id)
    return row


def expire_session(account: Account, session_id: str) -> None:
    """Ends an open session; nothing can be paid with it any more."""
    row = account.sessions.find(session_id)
    row.update(status="expired", url=None)
    intent = account.payment_intents.get(row["payment_intent"])
    if intent is not None:
        cancel_intent(account, intent, "expired")
    setup = account.setup_intents.get(row["setup_intent"])
    if setup is not None:
        setup_intents.cancel_setup(account, setup, "abandoned")
    account.emit("checkout.session.expired", row)


def is_open(account: Account, session_id: str) -> bool:
    """Whether its expiry still means something."""
    row = account.sessions.get(session_id)
    return row is not None and row["status"] == "open"


def complete_session(account: Account, row: Json) -> None:
    """The page's last step: the payment or the set-up succeeded."""
    customer = account.customers.get(row["customer"])
    row.update(
        status="complete",
        url=None,
        payment_status="paid" if row["mode"] == "payment" else "no_payment_required",
        customer_details={
            "address": None,
            "business_name": None,
            "email": customer["email"] if customer else row["customer_email"],
            "individual_name": None,
            "name": customer["name"] if customer else None,
            "phone": customer["phone"] if customer else None,
            "tax_exempt": "none",
            "tax_ids": [],
        },
    )
    account.emit("checkout.session.completed", row)


def ensure_customer(account: Account, row: Json) -> None:
    """Makes the customer a payment session needs for what it saves, where none was given."""
    wanted = row["customer_creation"] == "always" or account.intent_data[row["id"]].get("setup_future_usage")
    if row["customer"] is None and row["mode"] == "payment" and wanted:
        account.sessions.move(row, "customer", new_customer(account, {"email": row["customer_email"]})["id"])


def saved_cards(account: Account, row: Json) -> list[Json]:
    """The customer's cards that the page offers: those `allow_redisplay_filters` names (default: always)."""
    if row["customer"] is None or row["mode"] != "payment":
        return []
    shown = (row["saved_payment_method_options"] or {}).get("allow_redisplay_filters") or ["always"]
    cards = account.payment_methods.newest("customer", row["customer"])
    default = account.customers.find(row["customer"])["invoice_settings"]["default_payment_method"]
    offered = [card for card in cards if card["allow_redisplay"] in shown]
    return sorted(offered, key=lambda card: bool(card["id"] != default))


def _add_total(account: Account, fields: Json, items: list[Json]) -> None:
    if not items:
        raise bad_param("You must specify `line_items` in payment mode.", "line_items", "parameter_missing")
    total = sum(item["amount_total"] for item in items)
    ensure_minimum(total, "The Checkout Session's total amount due must add up to at least")
    for item in items:
        item["id"] = account.new_id("li")
        item["price"]["id"] = account.new_id("price")
    fields.update(amount_subtotal=total, amount_total=total, currency="usd", payment_status="unpaid")
    fields["total_details"] = {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0}


def _session(account: Account, session_id: str, mode: str, fields: Json) -> Json:
    return {
        "id": session_id,
        "object": "checkout.session",
        "after_expiration": None,
        "allow_promotion_codes": None,
        "amount_subtotal": None,
        "amount_total": None,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "billing_address_collection": None,
        "client_secret": None,
        "consent": None,
        "consent_collection": None,
        "created": account.now,
        "custom_fields": [],
        "customer_creation": None,
        "customer_details": None,
        "invoice": None,
        "invoice_creation": None,
        "livemode": False,
        "mode": mode,
        "payment_intent": None,
        "payment_link": None,
        "payment_method_collection": "if_required",
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "phone_number_collection": {"enabled": False},
        "recovered_from": None,
        "saved_payment_method_options": None,
        "setup_intent": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "shipping_options": [],
        "status": "open",
        "submit_type": None,
        "subscription": None,
        "total_details": None,
        "ui_mode": "hosted_page",
        "url": f"{account.platform.public_url}/checkout/{session_id}",
        **fields,
    }
