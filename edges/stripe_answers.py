"""What Stripe's answers mean: a payment intent, a Checkout session or a decline as evidence about an attempt, a refund
or a dispute as evidence about itself.

Only reading: what is asked, and with which key, stands in edges/card_gateway.py.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import stripe

from billing.dispute import DisputeEvidence, DisputeState
from billing.payment import AttemptState, CardDetails, Evidence
from billing.refund import RefundEvidence, RefundState

if TYPE_CHECKING:
    from stripe.checkout import Session

HEALTH_ACCOUNT_WORDS: Final = ("FSA", "HSA", "HRA", "HEALTH SAVINGS", "HEALTH REIMBURSEMENT", "FLEXIBLE SPENDING")
"""How a card says of itself that it spends a health account's money (PAY-6)."""

REFUND_STATES: Final = {
    "succeeded": RefundState.POSTED,
    "failed": RefundState.FAILED,
    "canceled": RefundState.FAILED,
}
"""Stripe's refund status -> what it proves; any other (`pending`, `requires_action`) is still to be decided.
docs.stripe.com/api/refunds/object#refund_object-status"""
DISPUTE_STATES: Final = {
    "won": DisputeState.WON,
    "warning_closed": DisputeState.WON,
    "prevented": DisputeState.WON,
    "lost": DisputeState.LOST,
}
"""Stripe's dispute status -> the decision; any other is none yet. An inquiry that was closed took no money.
docs.stripe.com/api/disputes/object#dispute_object-status"""


def of_intent(intent: stripe.PaymentIntent) -> Evidence:
    """The evidence in a payment intent whose latest charge is expanded."""
    charge = intent.latest_charge if isinstance(intent.latest_charge, stripe.Charge) else None
    method = intent.payment_method
    if intent.status == "succeeded":
        return Evidence(
            AttemptState.POSTED,
            amount=intent.amount_received,
            intent_id=intent.id,
            charge_id=charge.id if charge else "",
            card=_card_of_intent(method, charge),
            reusable=intent.setup_future_usage == "off_session" and _is_kept(method),
        )
    if intent.status in ("processing", "requires_capture"):
        return Evidence(AttemptState.UNKNOWN, intent_id=intent.id, reason="processing")
    if intent.status == "requires_action":
        return _failed(intent.id, "authentication_required", "authentication_required")
    error = intent.last_payment_error
    if error is not None:
        code = error.decline_code or error.code or ""
        return _failed(intent.id, _reason(error.code, error.decline_code), code)
    # Created but not confirmed, or called off: without our confirmation it never takes money.
    return _failed(intent.id, "refused_by_processor", intent.cancellation_reason or intent.status)


def of_session(session: "Session") -> Evidence:
    """The evidence in a Checkout session. Open, or complete with the money still on its way, is STARTED."""
    if session.status == "expired":
        return Evidence(AttemptState.FAILED, session_id=session.id, reason="expired")
    intent, setup = session.payment_intent, session.setup_intent
    if session.status == "complete" and isinstance(intent, stripe.PaymentIntent) and session.payment_status == "paid":
        return replace(of_intent(intent), session_id=session.id)
    if session.status == "complete" and isinstance(setup, stripe.SetupIntent) and setup.status == "succeeded":
        method = setup.payment_method
        return Evidence(
            AttemptState.POSTED,
            intent_id=setup.id,
            session_id=session.id,
            card=_card_of_method(method) if isinstance(method, stripe.PaymentMethod) else None,
            reusable=setup.usage == "off_session",
        )
    return Evidence(AttemptState.STARTED, session_id=session.id)


def of_decline(error: stripe.CardError) -> Evidence:
    """A 402: the intent is in the error."""
    details = error.error
    decline = details.decline_code if details else None
    intent = details.payment_intent if details else None
    return _failed(intent.id if intent else "", _reason(error.code, decline), decline or error.code or "")


def of_refund(refund: stripe.Refund) -> RefundEvidence:
    """The evidence in a refund, with our id where it is one of ours."""
    return RefundEvidence(
        state=REFUND_STATES.get(refund.status or "", RefundState.PENDING),
        refund_id=getattr(refund.metadata, "refund_id", ""),
        stripe_id=refund.id,
        amount=refund.amount,
        reason=getattr(refund, "failure_reason", None) or "",
    )


def of_dispute(dispute: stripe.Dispute) -> DisputeEvidence:
    """The evidence in a dispute. What was withdrawn is told by its balance transactions; Stripe's fee is apart."""
    return DisputeEvidence(
        dispute_id=dispute.id,
        state=DISPUTE_STATES.get(dispute.status, DisputeState.OPEN),
        amount=dispute.amount,
        withdrawn=-sum(moved.amount for moved in dispute.balance_transactions),
        reason=dispute.reason,
    )


def _reason(code: str | None, decline_code: str | None) -> str:
    return "authentication_required" if "authentication_required" in (code, decline_code) else "declined"


def _failed(intent_id: str, reason: str, decline: str) -> Evidence:
    return Evidence(AttemptState.FAILED, intent_id=intent_id, reason=reason, decline=decline)


def _card_of_intent(method: "str | stripe.PaymentMethod | None", charge: stripe.Charge | None) -> CardDetails | None:
    """The card that paid: as its payment method describes it where the answer has that, else as the charge does."""
    if isinstance(method, stripe.PaymentMethod):
        return _card_of_method(method)
    details = charge.payment_method_details if charge else None
    if method is None or details is None or details.card is None:
        return None
    return _card(method, details.card)


def _card_of_method(method: stripe.PaymentMethod) -> CardDetails | None:
    return _card(method.id, method.card) if method.card is not None else None


def _card(payment_method: str, face: Any) -> CardDetails:
    """A card as a charge or a payment method describes it. PAY-6: what it says of itself as a health account counts,
    though it seldom says anything: the client's declaration stays the rule."""
    product = f"{getattr(face, 'description', None) or ''} {getattr(face, 'issuer', None) or ''}".upper()
    return CardDetails(
        payment_method=payment_method,
        brand=face.brand or "card",
        last4=face.last4 or "",
        exp_month=face.exp_month,
        exp_year=face.exp_year,
        funding=face.funding or "unknown",
        fingerprint=getattr(face, "fingerprint", None) or "",
        fsa=any(words in product for words in HEALTH_ACCOUNT_WORDS),
    )


def _is_kept(method: "str | stripe.PaymentMethod | None") -> bool:
    """Whether the card is attached to a customer, as far as the answer tells; an unexpanded one does not."""
    return isinstance(method, stripe.PaymentMethod) and method.customer is not None
