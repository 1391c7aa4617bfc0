"""The hosted page as a person sees it: plain HTML, no script, and every refusal in words that say what to do."""

import re
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from infra.local.stripe import checkout
from infra.local.stripe.account import Account
from infra.local.stripe.cards import CardEntry
from infra.local.stripe.checkout_page import success_url
from infra.local.stripe.errors import Json
from infra.local.stripe.params import dollars

TEMPLATES = Path(__file__).parent / "templates"
BRANDS = {"visa": "Visa", "mastercard": "Mastercard", "amex": "American Express", "discover": "Discover"}
_pages = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)

_SENTENCES = {
    "incorrect_number": "This card number is not right. Please check its digits.",
    "invalid_expiry_month": "This expiration date is in the past or not a date. It stands on the card as month / year.",
    "invalid_expiry_year": "This expiration date is in the past or not a date. It stands on the card as month / year.",
    "invalid_cvc": "This security code is not right. It is the three digits on the back, four in front on Amex.",
    "incorrect_cvc": "This security code does not match the card. Please check it and try again.",
    "expired_card": "This card has expired. Please use another card.",
    "insufficient_funds": "This card does not have enough money available. Please use another card.",
    "processing_error": "Something went wrong while the card was processed. Please try again in a moment.",
    "authentication_failed": "Your bank could not confirm that it is you. Please try again or use another card.",
    "test_mode_live_card": "This is test mode: please use one of the test cards below, never a real one.",
}
_DECLINED = "Your bank declined this card. Please use another card, or ask your bank why."
_FIELDS = {"number": "number", "exp_month": "expiration", "exp_year": "expiration", "cvc": "cvc"}


def checkout_page(account: Account, session: Json, *, error: Json | None = None, typed: Json | None = None) -> str:
    """The open session's page; `error` is Stripe's error of the last try, `typed` what stood in the form."""
    saved = [_describe(card) for card in checkout.saved_cards(account, session)]
    options = session["saved_payment_method_options"] or {}
    field = _FIELDS.get((error or {}).get("param", ""))
    return _pages.get_template("checkout.html").render(
        business=account.platform.business_name,
        session=session,
        items=[
            (item["description"], item["quantity"], dollars(item["amount_total"]))
            for item in account.line_items[session["id"]]
        ],
        total=None if session["amount_total"] is None else dollars(session["amount_total"]),
        button="Save card" if session["mode"] == "setup" else f"Pay {dollars(session['amount_total'])}",
        message=(session["custom_text"]["submit"] or {}).get("message"),
        saved=saved,
        chosen=(typed or {}).get("payment_method") or (saved[0][0] if saved else None),
        offers_save=options.get("payment_method_save") == "enabled",
        error=None if error is None else sentence_of(error),
        error_field=field,
        expiration=(typed or {}).get("expiration", ""),
        save=bool((typed or {}).get("save")),
    )


def authenticate_page(account: Account, session: Json) -> str:
    """What the card's bank would show to make sure it is its holder."""
    total = None if session["amount_total"] is None else dollars(session["amount_total"])
    return _pages.get_template("authenticate.html").render(business=account.platform.business_name, total=total)


def ended_page(account: Account, session: Json) -> str:
    """What an old link of a session that is over shows."""
    return _pages.get_template("ended.html").render(
        business=account.platform.business_name, session=session, success_url=success_url(session)
    )


def unknown_page() -> str:
    """What a link that leads nowhere shows."""
    return _pages.get_template("ended.html").render(business="the practice", session=None)


def sentence_of(error: Json) -> str:
    """Stripe's error in plain words."""
    for code in (error.get("decline_code"), error.get("code")):
        if code in _SENTENCES:
            return _SENTENCES[code]
    return _DECLINED if error.get("type") == "card_error" else str(error["message"])


def read_entry(typed: Json) -> CardEntry:
    """The card somebody typed; an expiration that is none becomes month 0, which the card check refuses."""
    digits = re.sub(r"\D", "", typed.get("expiration", ""))
    year_digits = {3: 2, 4: 2, 5: 4, 6: 4}.get(len(digits), 0)
    month, year = 0, 0
    if year_digits:
        month, year = int(digits[:-year_digits]), int(digits[-year_digits:])
    return CardEntry(typed.get("number", ""), month, 2000 + year if year < 100 else year, typed.get("cvc", ""))


def security_headers(session: Json | None) -> dict[str, str]:
    """No script, nothing from elsewhere; the form may lead only here and to where the session ends."""
    after = ""
    if session is not None:
        parts = urlsplit(session["success_url"])
        after = f" {parts.scheme}://{parts.netloc}"
    return {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action 'self'{after}",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }


def _describe(method: Json) -> tuple[str, str, str]:
    card = method["card"]
    brand = BRANDS.get(card["brand"], card["brand"])
    return method["id"], f"{brand} ending in {card['last4']}", f"{card['exp_month']:02d}/{card['exp_year'] % 100:02d}"
