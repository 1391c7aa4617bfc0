"""Stripe as a card gateway: billing.ports.CardGateway on the official SDK.

What is sent: opaque ids, amounts, a card's handle. No name, mail, phone, and nothing that says what was bought (LAW-1).
Every call that makes something carries an idempotency key made from the attempt, so that whoever sends it again, the
SDK's own retry or a redelivered message, makes it once.

| Stripe says | charge answers |
|---|---|
| succeeded | POSTED |
| 402 card error | FAILED, `declined` or `authentication_required`, with Stripe's decline code |
| 400, 404 | FAILED, `refused_by_processor`, with Stripe's error code |
| 429, 409 (key in use) | TryAgain: this request did nothing |
| 5xx, time-out, cut connection, unreadable answer, `processing` | UNKNOWN: look it up, never send it blind |
| 401, 403, same key with other parameters | the SDK's error: a mistake of ours |

A refund answers the same way: POSTED, PENDING, FAILED with Stripe's error code, or UNKNOWN.

`import stripe` costs 0.4 s: only functions that move money import this module, and late.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import stripe

from billing.ids import refund_stripe_key, stripe_key
from billing.payment import RANK, Attempt, AttemptKind, AttemptState, Evidence
from billing.ports import Checkout, Owner, TakenBack, TryAgain
from billing.refund import Refund, RefundEvidence, RefundState
from edges import deadline
from edges.stripe_answers import of_decline, of_dispute, of_intent, of_refund, of_session

if TYPE_CHECKING:
    from stripe.params import PaymentIntentCreateParams, RefundCreateParams
    from stripe.params.checkout import SessionCreateParams

API_VERSION: Final = "2026-10-28.endive"
"""The API version whose answers this module reads; raised together with the SDK, after its change log was read."""
CONNECT_SECONDS: Final = 2
TIMEOUT_SECONDS: Final = 20
LEAST_SECONDS: Final = 7
"""A request is given less than its 20 s where the invocation has less left, and not begun with less than this."""
RETRIES: Final = 1
"""Of the SDK, with the same key: after a reset, a time-out, a 409 or a 5xx; never after a 429."""
CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far Stripe's clock may be behind ours when an attempt is looked for among those created since it started."""
OPENING_TAKES: Final = timedelta(minutes=2)
"""Stripe wants a page to expire 30 minutes after *it* opens it, so the expiry we ask for is that much later than the
attempt's; made from the attempt, because a repetition must carry the same parameters."""
PRODUCT_NAME: Final = "Your balance"
"""What the hosted page says is paid for: nothing about health (LAW-1)."""


def stripe_client(key: str, base: str, http_client: stripe.HTTPClient | None = None) -> stripe.StripeClient:
    """The SDK with what we pin. `base`: another address of the API, or "" for Stripe's own."""
    return stripe.StripeClient(
        key,
        stripe_version=API_VERSION,
        max_network_retries=RETRIES,
        base_addresses={"api": base} if base else None,
        http_client=http_client or InTime(),
    )


class InTime(stripe.RequestsClient):
    """The SDK's own client, no request of which outlasts the invocation (edges/deadline.py)."""

    def request(self, *asked: Any, **named: Any) -> Any:
        """One try. Raises TryAgain when there is no time left for it."""
        takes = deadline.take(CONNECT_SECONDS + TIMEOUT_SECONDS, LEAST_SECONDS)
        self._timeout = (CONNECT_SECONDS, takes - CONNECT_SECONDS)
        return super().request(*asked, **named)


class StripeCards:
    """billing.ports.CardGateway over the SDK's client."""

    def __init__(self, client: stripe.StripeClient) -> None:
        self._stripe = client.v1

    def ensure_customer(self, practice: str, client: str) -> str:
        """The id of a customer made for this account (idempotent for a day)."""
        with asking():
            customer = self._stripe.customers.create(
                {"metadata": {"practice": practice, "client": client}},
                {"idempotency_key": stripe_key(practice, client, 0, "customer")},
            )
        return customer.id

    def charge(self, attempt: Attempt) -> Evidence:
        """Create and confirm one off-session charge with the attempt's own key (LAW-2)."""
        asked: PaymentIntentCreateParams = {
            "amount": attempt.amount,
            "currency": "usd",
            "customer": attempt.customer,
            "payment_method": attempt.payment_method,
            "allowed_payment_method_types": ["card"],
            "off_session": True,
            "confirm": True,
            "metadata": _metadata(attempt),
            "expand": ["latest_charge"],
        }
        try:
            intent = self._stripe.payment_intents.create(asked, {"idempotency_key": _key(attempt, "charge")})
        except stripe.CardError as declined:
            return of_decline(declined)
        except stripe.InvalidRequestError as refused:
            return Evidence(AttemptState.FAILED, reason="refused_by_processor", decline=refused.code or "")
        except stripe.StripeError as error:
            if _did_nothing(error):
                raise TryAgain(f"Stripe asks to wait: {error.http_status}") from error
            if _is_unanswered(error):
                return Evidence(AttemptState.UNKNOWN, reason="no_answer")
            raise
        return of_intent(intent)

    def find_charge(self, attempt: Attempt) -> Evidence | None:
        """Look the attempt up among its customer's intents since it started; None where the full list lacks it."""
        with asking():
            intents = self._stripe.payment_intents.list(
                {
                    "customer": attempt.customer,
                    "created": {"gte": int((attempt.started_at - CLOCK_SKEW).timestamp())},
                    "limit": 100,
                    "expand": ["data.latest_charge"],
                }
            )
            ours = [i for i in intents.auto_paging_iter() if _attempt_id(i) == attempt.attempt_id]
        return max(map(of_intent, ours), key=lambda evidence: RANK[evidence.state], default=None)

    def open_checkout(self, attempt: Attempt, return_url: str, cancel_url: str) -> Checkout:
        """Open the hosted page for the attempt: to pay, or, where it only saves a card, to set it up."""
        assert attempt.expires_at is not None, f"{attempt.attempt_id}: a hosted page has an end"
        asked: SessionCreateParams = {
            "customer": attempt.customer,
            "client_reference_id": attempt.attempt_id,
            "metadata": _metadata(attempt),
            "allowed_payment_method_types": ["card"],
            "success_url": return_url,
            "cancel_url": cancel_url,
            "expires_at": int((attempt.expires_at + OPENING_TAKES).timestamp()),
        }
        if attempt.channel is AttemptKind.SETUP:
            asked["mode"] = "setup"
            asked["currency"] = "usd"
            asked["setup_intent_data"] = {"metadata": _metadata(attempt)}
        else:
            asked.update(_payment_page(attempt))
        with asking():
            session = self._stripe.checkout.sessions.create(asked, {"idempotency_key": _key(attempt, "checkout")})
        assert session.url, f"{attempt.attempt_id}: Stripe opened a page without an address"
        return Checkout(session.id, session.url)

    def read_checkout(self, attempt: Attempt) -> Evidence:
        """What became of the attempt's hosted page."""
        assert attempt.session_id, f"{attempt.attempt_id} has no page to read"
        with asking():
            session = self._stripe.checkout.sessions.retrieve(
                attempt.session_id,
                {
                    "expand": [
                        "payment_intent.latest_charge",
                        "payment_intent.payment_method",
                        "setup_intent.payment_method",
                    ]
                },
            )
        return of_session(session)

    def close_checkout(self, attempt: Attempt) -> Evidence:
        """Expire the hosted page if it is still open, then tell what became of it."""
        assert attempt.session_id, f"{attempt.attempt_id} has no page to close"
        try:
            with asking():
                return of_session(self._stripe.checkout.sessions.expire(attempt.session_id))
        except stripe.InvalidRequestError:  # no longer open, or a payment on it is being processed: see which
            return self.read_checkout(attempt)

    def refund(self, refund: Refund) -> RefundEvidence:
        """Send money back to the card that paid, with the refund's own key (PAY-12)."""
        asked: RefundCreateParams = {
            "payment_intent": refund.intent_id,
            "amount": refund.amount,
            "metadata": {
                "practice": refund.practice,
                "client": refund.client,
                "attempt": str(refund.payment),
                "refund_id": refund.refund_id,
            },
        }
        key = refund_stripe_key(refund.refund_id)
        try:
            return of_refund(self._stripe.refunds.create(asked, {"idempotency_key": key}))
        except stripe.InvalidRequestError as refused:
            return RefundEvidence(RefundState.FAILED, refund.refund_id, reason=refused.code or "refused_by_processor")
        except stripe.StripeError as error:
            if _did_nothing(error):
                raise TryAgain(f"Stripe asks to wait: {error.http_status}") from error
            if _is_unanswered(error):
                return RefundEvidence(RefundState.UNKNOWN, refund.refund_id, reason="no_answer")
            raise

    def find_refund(self, refund: Refund) -> RefundEvidence | None:
        """Look the refund up among all of its payment's; None where the full list lacks it."""
        known = (
            r
            for r in self._refunds_of(refund.intent_id)
            if refund.refund_id == r.refund_id or refund.stripe_id == r.stripe_id
        )
        return next(known, None)

    def taken_back(self, intent_id: str) -> TakenBack:
        """Everything that Stripe knows to have gone back of a payment, whoever asked for it, oldest first."""
        refunds = self._refunds_of(intent_id)
        with asking():
            disputes = self._stripe.disputes.list({"payment_intent": intent_id, "limit": 100})
            known = [of_dispute(dispute) for dispute in disputes.auto_paging_iter()]
        return TakenBack(tuple(refunds), tuple(reversed(known)))

    def _refunds_of(self, intent_id: str) -> list[RefundEvidence]:
        """Every refund of a payment, oldest first."""
        with asking():
            refunds = self._stripe.refunds.list({"payment_intent": intent_id, "limit": 100})
            known = [of_refund(refund) for refund in refunds.auto_paging_iter()]
        return known[::-1]

    def owner_of(self, intent_id: str) -> Owner | None:
        """Whose payment it is, by our own metadata; None where it is none of ours."""
        try:
            with asking():
                intent = self._stripe.payment_intents.retrieve(intent_id)
        except stripe.InvalidRequestError as unknown:
            if unknown.http_status == 404:
                return None
            raise
        return owner_in(intent.metadata)


def _key(attempt: Attempt, call: str) -> str:
    return stripe_key(attempt.practice, attempt.client, attempt.number, call)


def _metadata(attempt: Attempt) -> dict[str, str]:
    """How an object at Stripe is known as ours, by webhooks and by the look-up."""
    known = {
        "practice": attempt.practice,
        "client": attempt.client,
        "attempt": str(attempt.number),
        "attempt_id": attempt.attempt_id,
    }
    return known | ({"consent": attempt.consent_id} if attempt.consent_id else {})


def owner_in(metadata: Any) -> Owner | None:
    """Whose an object is, by the metadata we gave it; None where it has none of ours."""
    practice, client, attempt = (getattr(metadata, name, "") for name in ("practice", "client", "attempt"))
    return Owner(practice, client, int(attempt)) if practice and client and attempt.isdecimal() else None


def _attempt_id(intent: stripe.PaymentIntent) -> str:
    """Whose intent it is; "" where it is none of ours."""
    return getattr(intent.metadata, "attempt_id", "")


def _payment_page(attempt: Attempt) -> "SessionCreateParams":
    page: SessionCreateParams = {
        "mode": "payment",
        "submit_type": "pay",
        "line_items": [
            {
                "price_data": {
                    "currency": "usd",
                    "unit_amount": attempt.amount,
                    "product_data": {"name": PRODUCT_NAME},
                },
                "quantity": 1,
            }
        ],
        "payment_intent_data": {"metadata": _metadata(attempt)},
        # All of the account's saved cards are the client's own to choose from (PAY-9), however they came to be saved.
        "saved_payment_method_options": {"allow_redisplay_filters": ["always", "limited", "unspecified"]},
    }
    if attempt.save_card:
        page["payment_intent_data"]["setup_future_usage"] = "off_session"
    return page


def _did_nothing(error: stripe.StripeError) -> bool:
    """Stripe turned this request away: too many, or another one with its key is running."""
    return isinstance(error, stripe.RateLimitError) or error.http_status == 409


def _is_unanswered(error: stripe.StripeError) -> bool:
    """Nobody knows whether Stripe did it: no answer, an answer cut short, or a fault on its side."""
    return isinstance(error, stripe.APIConnectionError | stripe.APIError)


@contextmanager
def asking() -> Iterator[None]:
    """For calls that move no money, or that may be repeated by their key: not knowing is TryAgain."""
    try:
        yield
    except stripe.StripeError as error:
        if _did_nothing(error) or _is_unanswered(error):
            raise TryAgain(
                f"Stripe did not answer: {type(error).__name__} {error.http_status or ''}".strip()
            ) from error
        raise
