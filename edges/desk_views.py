"""What the people at a practice's desk look at, as JSON: what waits for them, and the reviews that clients asked for.

Shapes are those of `edges/answers.py`, which only the type checker reads here.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from billing.account import Books
from billing.carc import sentence
from billing.claim import ClaimResult
from billing.hold_decision import HoldDecision
from billing.hold_reasons import HOLD_REASONS
from billing.invoice import Invoice
from billing.money import Cents
from billing.review import Review, ReviewStatus
from billing.standing import Choice
from edges.instants import instant

if TYPE_CHECKING:
    from billing.claim_state import Hold
    from edges import answers

CHOICES: "Final[Mapping[Choice, answers.Choice]]" = {
    Choice.RELEASED: "release",
    Choice.REJECTED: "reject",
    Choice.REMATCHED: "rematch",
}
"""What was decided about a hold -> the call that does so."""


ENDS: "Final[Mapping[ReviewStatus, answers.ReviewEnd]]" = {
    ReviewStatus.UPHELD: "uphold",
    ReviewStatus.CORRECTED: "correct",
    ReviewStatus.VOIDED: "voided",
    ReviewStatus.WRITTEN_OFF: "written_off",
    ReviewStatus.NOTHING_OWED: "nothing_owed",
}
"""How a review ended -> what staff decided, or what became of its invoice."""


def review(one: Review, invoice: Invoice) -> "answers.Review":
    """A request to look into an invoice, how that stands by now, and what became of the request (INV-7)."""
    return {
        "review_id": one.review_id,
        "invoice_id": one.invoice_id,
        "client_id": one.client,
        "status": one.status,
        "asked_by": one.asked_by,
        "opened_at": instant(one.opened_at),
        "invoice_amount": one.amount,
        "quoted_amount": one.quoted,
        "reason": one.reason,
        "call_reference": one.call_reference or None,
        "open_amount": invoice.open_amount,
        "paused_since": instant(invoice.paused_at) if one.is_open and invoice.paused_at else None,
        "decision": _decision(one),
    }


def reviews(books: Books) -> "list[answers.Review]":
    """Every review of a client's invoices, the oldest first."""
    invoices = {one.invoice_id: one for one in books.invoices}
    return [review(one, invoices[one.invoice_id]) for one in books.reviews]


def _decision(one: Review) -> "answers.ReviewDecision | None":
    if one.decided_at is None:
        return None
    return {
        "decision": ENDS[one.status],
        "amount": one.asked_since,
        "reason": one.decided_reason,
        "call_reference": one.decided_reference or None,
        "decided_at": instant(one.decided_at),
        "decided_by": one.decided_by or None,
    }


def hold(one: "Hold", result: ClaimResult | None, invoice_ids: Sequence[str]) -> "answers.Hold":
    """What waits for a person: what was seen, why it waits, what to do. `invoice_ids`: what stands still until then."""
    reason = HOLD_REASONS[one.reason]
    return {
        "hold_id": one.hold_id,
        "claim_id": one.claim_id or None,
        "payer_claim_id": one.payer_claim_id or None,
        "session_id": one.session_id or None,
        "client_id": one.client or None,
        "reason": one.reason,
        "why": reason.why,
        "what_to_do": reason.what_to_do,
        "held_at": instant(one.held_at),
        "patient_responsibility": one.patient_responsibility,
        "seen": seen(result) if result else None,
        "invoice_ids": list(invoice_ids),
    }


def seen(result: ClaimResult) -> "answers.Seen":
    """What the payer sent, each adjustment with our own sentence for its reason."""
    totals: dict[tuple[str, str], Cents] = {}
    for one in result.all_adjustments:
        totals[one.group, one.code] = totals.get((one.group, one.code), 0) + one.amount
    return {
        "status": result.status,
        "payer_id": result.payer_id,
        "payer_name": result.payer_name,
        "adjudicated_on": result.adjudicated_on.isoformat() if result.adjudicated_on else None,
        "charged": result.charged,
        "paid": result.paid,
        "patient_responsibility": result.patient_responsibility,
        "stated_responsibility": result.stated_responsibility,
        "adjustments": [
            {"group": group, "code": code, "amount": amount, "sentence": sentence(group, code)}
            for (group, code), amount in totals.items()
        ],
    }


def decided_hold(
    decision: HoldDecision, result: ClaimResult | None, now: str, invoice_ids: Sequence[str]
) -> "answers.DecidedHold":
    """What was decided about a hold, and where its result stands since."""
    return {
        "hold_id": decision.hold_id,
        "claim_id": decision.claim_id or None,
        "payer_claim_id": decision.payer_claim_id or None,
        "session_id": decision.session_id or None,
        "client_id": decision.client or None,
        "reason": decision.why_held,
        "seen": seen(result) if result else None,
        "decision": CHOICES[decision.choice],
        "decided_at": instant(decision.at),
        "decided_by": decision.by,
        "decision_reason": decision.reason,
        "patient_amount": decision.amount,
        "rematched_to": decision.to or None,
        "now": now,
        "invoice_ids": list(invoice_ids),
    }
