"""Reading what a Checkout session is asked to be. docs.stripe.com/api/checkout/sessions/create"""

from datetime import timedelta

from infra.local.stripe.account import Account
from infra.local.stripe.errors import Json, bad_param
from infra.local.stripe.intents import ensure_currency, read_types
from infra.local.stripe.params import Args
from infra.local.stripe.payment_methods import REDISPLAY

LIFE = timedelta(hours=24)
LIFE_MIN = timedelta(minutes=30)
_SWITCH = ("enabled", "disabled")


def read_common(account: Account, args: Args) -> Json:
    """What both modes share, as fields of the session."""
    currency = args.text("currency")
    if currency is not None:
        ensure_currency(currency.lower())
    args.choice("ui_mode", "hosted", "hosted_page")
    custom_text = args.table("custom_text") or Args({})
    submit = custom_text.table("submit") or Args({})
    message = submit.text("message", longest=1200)
    return {
        "allowed_payment_method_types": read_types(args),
        "cancel_url": args.text("cancel_url"),
        "client_reference_id": args.text("client_reference_id", longest=200),
        "currency": currency,
        "custom_text": {"after_submit": None, "submit": {"message": message} if message else None},
        "customer": args.text("customer"),
        "customer_email": args.text("customer_email", longest=800),
        "expires_at": _read_expiry(account, args),
        "locale": args.text("locale"),
        "metadata": args.metadata(),
        "success_url": args.required("success_url"),
    }


def _read_expiry(account: Account, args: Args) -> int:
    expires_at = args.whole("expires_at")
    if expires_at is None:
        return account.now + int(LIFE.total_seconds())
    if expires_at < account.now + LIFE_MIN.total_seconds():
        sentence = "The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation."
        raise bad_param(sentence, "expires_at")
    if expires_at > account.now + LIFE.total_seconds():
        sentence = "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation."
        raise bad_param(sentence, "expires_at")
    return expires_at


def read_payment(args: Args) -> Json:
    """What only a payment session has, as fields of the session."""
    saved = args.table("saved_payment_method_options")
    options: Json | None = None
    if saved is not None:
        shown = saved.texts("allow_redisplay_filters")
        if not set(shown) <= set(REDISPLAY):
            raise bad_param(f"Must be of {', '.join(REDISPLAY)}", "saved_payment_method_options")
        options = {
            "allow_redisplay_filters": shown or ["always"],
            "payment_method_remove": saved.choice("payment_method_remove", *_SWITCH) or "disabled",
            "payment_method_save": saved.choice("payment_method_save", *_SWITCH) or "disabled",
        }
    return {
        "customer_creation": args.choice("customer_creation", "always", "if_required") or "if_required",
        "saved_payment_method_options": options,
        "submit_type": args.choice("submit_type", "auto", "pay"),
    }


def read_intent_data(args: Args) -> Json:
    """What a payment session's intent will be made with."""
    given = args.table("payment_intent_data") or Args({})
    return {
        "description": given.text("description", longest=1000),
        "metadata": given.metadata(),
        "receipt_email": given.text("receipt_email"),
        "setup_future_usage": given.choice("setup_future_usage", "off_session", "on_session"),
        "statement_descriptor": given.text("statement_descriptor", longest=22),
        "statement_descriptor_suffix": given.text("statement_descriptor_suffix", longest=22),
    }


def read_setup_data(args: Args) -> Json:
    """What a setup session's intent is made with."""
    given = args.table("setup_intent_data") or Args({})
    return {"description": given.text("description", longest=1000), "metadata": given.metadata()}


def read_item(item: Args) -> Json:
    """A line item; its ids are given when the session is made."""
    price = item.table("price_data")
    if price is None:
        raise bad_param("The embedded Stripe needs `price_data` in every line item.", item.name("price_data"))
    ensure_currency(price.required("currency").lower())
    product = price.table("product_data") or Args({})
    name, unit = product.required("name"), price.whole("unit_amount", least=0) or 0
    quantity = item.whole("quantity", least=1) or 1
    return {
        "object": "item",
        "amount_discount": 0,
        "amount_subtotal": unit * quantity,
        "amount_tax": 0,
        "amount_total": unit * quantity,
        "currency": "usd",
        "description": name,
        "metadata": {},
        "price": {
            "object": "price",
            "active": False,
            "currency": "usd",
            "type": "one_time",
            "unit_amount": unit,
            "product_description": product.text("description"),
        },
        "quantity": quantity,
    }
