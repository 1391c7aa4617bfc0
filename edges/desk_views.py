"""What the people at a practice's desk look at, as JSON: the reviews that clients asked for.

Shapes are those of `edges/answers.py`, which only the type checker reads here.
"""

from typing import TYPE_CHECKING

from billing.review import Review
from edges.instants import instant

if TYPE_CHECKING:
    from edges import answers


def review(one: Review) -> "answers.Review":
    """A request to look into an invoice, and what became of it (INV-7)."""
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
        "decision": _decision(one),
    }


def _decision(one: Review) -> "answers.ReviewDecision | None":
    if one.decided_at is None:
        return None
    return {
        "decision": "uphold" if one.corrected is None else "correct",
        "amount": one.amount if one.corrected is None else one.corrected,
        "reason": one.decided_reason,
        "call_reference": one.decided_reference or None,
        "decided_at": instant(one.decided_at),
    }
