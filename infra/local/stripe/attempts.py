"""Trying to take the money of a payment intent: what the issuer may answer, and what each answer leaves behind.

Off session, a card that needs its holder is declined with `authentication_required` and the intent waits for another
payment method; on session it waits in `requires_action`. docs.stripe.com/payments/paymentintents/lifecycle
"""

from infra.local.stripe import payment_methods
from infra.local.stripe.account import Account
from infra.local.stripe.cards import DECLINES, Decline
from infra.local.stripe.charges import charge_card
from infra.local.stripe.disputes import open_dispute
from infra.local.stripe.errors import ApiError, Json, refused

AUTHENTICATION_FAILED = Decline(
    "payment_intent_authentication_failure",
    "authentication_failed",
    "We are unable to authenticate your payment method. Please choose a different payment method and try again.",
)


def attempt(account: Account, row: Json, method: Json, *, off_session: bool, authenticated: bool = False) -> Json:
    """One try: the intent succeeds, waits for its cardholder, or a decline is raised (402, intent inside)."""
    payment_methods.ensure_usable(account, method)
    row["next_action"] = None
    needed = payment_methods.needs_authentication(account, method["id"], off_session=off_session)
    if needed and not authenticated:
        if off_session:
            raise _declined(account, row, method, DECLINES["authentication_required"])
        row.update(status="requires_action", payment_method=method["id"], next_action=next_action(None))
        account.emit("payment_intent.requires_action", row)
        return row
    decline = payment_methods.decline_of(account, method["id"], "charge")
    if decline is not None:
        raise _declined(account, row, method, decline)
    row.update(status="succeeded", payment_method=method["id"], amount_received=row["amount"], last_payment_error=None)
    row["latest_charge"] = charge_card(account, row, method, None)["id"]
    account.emit("payment_intent.succeeded", row)
    _keep_card(account, row, method)
    disputed = account.cards[method["id"]].disputed
    if disputed is not None and method["id"] not in account.behaviours:
        open_dispute(account, row["latest_charge"], disputed)
    return row


def authenticate(account: Account, row: Json, *, passed: bool) -> Json:
    """The cardholder proved it (or failed to) for an intent in `requires_action`. Errors: 402 on failure or decline."""
    if row["status"] != "requires_action":
        raise unexpected(row, f"This PaymentIntent has a status of {row['status']}: there is nothing to authenticate.")
    method = account.payment_methods.find(row["payment_method"])
    if passed:
        return attempt(account, row, method, off_session=False, authenticated=True)
    raise _declined(account, row, method, AUTHENTICATION_FAILED, charged=False)


def next_action(return_url: str | None) -> Json:
    """What a client would do to have the cardholder prove it; nobody here does, the hosted page asks by itself."""
    if return_url is None:
        return {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
    return {"type": "redirect_to_url", "redirect_to_url": {"return_url": return_url, "url": None}}


def _declined(account: Account, row: Json, method: Json, decline: Decline, *, charged: bool = True) -> ApiError:
    """Books the failed try and makes the 402 that tells it."""
    charge_id: str | None = None
    row["status"] = "requires_payment_method"
    row["payment_method"] = row["next_action"] = None
    if charged:
        charge_id = row["latest_charge"] = charge_card(account, row, method, decline)["id"]
    refusal = payment_methods.card_declined(decline, charge=charge_id, payment_method=method)
    row["last_payment_error"] = dict(refusal.error)
    account.emit("payment_intent.payment_failed", row)
    refusal.error["payment_intent"] = row
    return refusal


def _keep_card(account: Account, row: Json, method: Json) -> None:
    """What a payment leaves behind on its card: saved for later when that was agreed, used up when nobody owns it."""
    if row["setup_future_usage"] is not None and row["customer"] is not None:
        payment_methods.attach_to(account, method, row["customer"])
        if row["setup_future_usage"] == "off_session":
            account.set_up.add(method["id"])
    elif method["customer"] is None:
        account.used_up.add(method["id"])


def unexpected(row: Json, sentence: str) -> ApiError:
    """The 400 of a step that the intent's status does not allow, the intent inside."""
    return refused(sentence, code="payment_intent_unexpected_state", payment_intent=row)
