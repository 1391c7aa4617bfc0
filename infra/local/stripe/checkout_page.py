"""What happens on the hosted page: a card is entered or chosen, its holder may have to prove it, and the session ends.

The page and the test control that replaces a browser both go through here.
"""

from dataclasses import dataclass
from typing import Literal

from infra.local.stripe import attempts, intents, payment_methods, setup_intents
from infra.local.stripe.account import Account
from infra.local.stripe.cards import CardEntry
from infra.local.stripe.checkout import complete_session, ensure_customer
from infra.local.stripe.errors import ApiError, Json

OutcomeStatus = Literal["complete", "declined", "requires_action", "closed"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a step on the page ended. `declined` and `requires_action` leave the session open; `closed` = it was over.

    `error` is Stripe's error object of a decline; `next_url` is where the browser goes after `complete`.
    """

    status: OutcomeStatus
    session: Json
    error: Json | None = None
    next_url: str | None = None

    def as_json(self) -> Json:
        """The answer of the test control."""
        error = None
        if self.error is not None:
            error = {name: self.error[name] for name in ("code", "decline_code", "message") if name in self.error}
        return {"outcome": self.status, "error": error, "next_url": self.next_url, "session": self.session}


def submit(account: Account, session: Json, card: CardEntry | str, *, save: bool = False) -> Outcome:
    """Pays or saves with the card entered, or the saved one with that id. `save` ticks "save for future payments"."""
    if session["status"] != "open":
        return _over(session)
    try:
        if isinstance(card, str):
            method = payment_methods.resolve(account, card)
            if method["customer"] is not None:
                payment_methods.of_customer(account, card, session["customer"])
        else:
            method = payment_methods.from_entry(account, card)
        _mark(session, account, method, save=save)
        if session["mode"] == "payment":
            row = attempts.attempt(account, _intent(account, session), method, off_session=False)
        else:
            row = setup_intents.attempt(account, account.setup_intents.find(session["setup_intent"]), method)
    except ApiError as refusal:
        return Outcome("declined", session, refusal.error)
    return _after(account, session, row)


def authenticate(account: Account, session: Json, *, passed: bool) -> Outcome:
    """The cardholder completed, or failed, the authentication the issuer asked for."""
    if session["status"] != "open":
        return _over(session)
    try:
        if session["mode"] == "payment":
            intent = account.payment_intents.find(session["payment_intent"] or "")
            row = attempts.authenticate(account, intent, passed=passed)
        else:
            setup = account.setup_intents.find(session["setup_intent"])
            row = setup_intents.authenticate(account, setup, passed=passed)
    except ApiError as refusal:
        return Outcome("declined", session, refusal.error)
    return _after(account, session, row)


def waits_for_authentication(account: Account, session: Json) -> bool:
    """Whether the issuer's page is what the browser should see."""
    row = account.payment_intents.get(session["payment_intent"]) or account.setup_intents.get(session["setup_intent"])
    return row is not None and row["status"] == "requires_action"


def last_error(account: Account, session: Json) -> Json | None:
    """Why the last try failed, None when it did not or there was none."""
    intent = account.payment_intents.get(session["payment_intent"])
    setup = account.setup_intents.get(session["setup_intent"])
    error: Json | None = intent["last_payment_error"] if intent else setup["last_setup_error"] if setup else None
    return error


def success_url(session: Json) -> str:
    """Where the browser goes when all is done, with the session's id filled in."""
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])


def _intent(account: Account, session: Json) -> Json:
    """The session's intent, made at the first submission."""
    intent = account.payment_intents.get(session["payment_intent"])
    if intent is None:
        ensure_customer(account, session)
        fields = {**account.intent_data[session["id"]], "amount": session["amount_total"]}
        intent = intents.new_intent(account, {**fields, "customer": session["customer"]})
        account.sessions.move(session, "payment_intent", intent["id"])
    return intent


def _mark(session: Json, account: Account, method: Json, *, save: bool) -> None:
    """How far the card may be shown again: ticked = always, saved for the business's own use = limited."""
    offered = (session["saved_payment_method_options"] or {}).get("payment_method_save") == "enabled"
    if save and offered:
        method["allow_redisplay"] = "always"
    elif method["customer"] is None and (
        session["mode"] == "setup" or account.intent_data[session["id"]]["setup_future_usage"]
    ):
        method["allow_redisplay"] = "limited"


def _after(account: Account, session: Json, row: Json) -> Outcome:
    if row["status"] == "requires_action":
        return Outcome("requires_action", session)
    method = account.payment_methods.find(row["payment_method"])
    if method["allow_redisplay"] == "always" and session["customer"] is not None:
        account.used_up.discard(method["id"])
        payment_methods.attach_to(account, method, session["customer"])
    complete_session(account, session)
    return Outcome("complete", session, next_url=success_url(session))


def _over(session: Json) -> Outcome:
    complete = session["status"] == "complete"
    return Outcome("closed", session, next_url=success_url(session) if complete else None)
