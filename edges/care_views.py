"""What a practice told of the care it gave, as contract.md shows it: sessions and eligibility checks."""

from typing import TYPE_CHECKING

from billing.eligibility import Eligibility
from billing.session import BilledSession, Session
from edges.instants import instant

if TYPE_CHECKING:
    from edges import answers


def session(told: Session, billed: BilledSession | None, covered: bool | None) -> "answers.Session":
    """A completed session, and what bills it."""
    granted = told.eap
    return {
        "session_id": told.session_id,
        "client_id": told.client,
        "provider_id": told.provider,
        "completed_at": instant(told.completed_at),
        "kind": told.paid_by,
        "rate": told.rate,
        "procedure": told.procedure or None,
        "diagnoses": list(told.diagnoses),
        "eap": {
            "programme": granted.programme,
            "authorisation": granted.number,
            "sessions_covered": granted.sessions_covered,
            "valid_until": granted.valid_until.isoformat(),
        }
        if granted
        else None,
        "good_faith_estimate": told.good_faith_estimate,
        "covered": covered,
        "claim_id": (billed.claim_id if billed else "") or None,
        "invoice_id": (billed.invoice_id if billed else "") or None,
    }


def eligibility(check: Eligibility) -> "answers.Eligibility":
    """The check in force."""
    return {
        "client_id": check.client,
        "payer_id": check.payer_id,
        "checked_at": instant(check.checked_at),
        "copay": check.copay,
        "coinsurance_bp": check.coinsurance_bp,
        "deductible_remaining": check.deductible_remaining,
        "out_of_pocket_remaining": check.out_of_pocket_remaining,
    }
