"""What a completed session, or a claim that was just submitted, becomes: an invoice for the session's rate where the
client pays themself (INV-4), an estimate where the practice bills before the payer decides (INV-2).
"""

from datetime import datetime

from billing.account import Books
from billing.claim_state import ClaimState, Submission, claim_state_key
from billing.eligibility import Eligibility, eligibility_key
from billing.estimating import Known, estimate_claim, estimate_session
from billing.ids import Key, claim_pk, practice_key
from billing.policy import Practice
from billing.ports import Store, Write
from billing.session import BilledSession, PaidBy, Session, billed_session_key
from billing.session_billing import bill_self_pay


def bill(store: Store, session: Session, now: datetime) -> None:
    """Write what the session costs its client; a repeat finds it done. One of a programme was decided when it came."""
    practice, check, found = store.get_many(
        [
            practice_key(session.practice),
            eligibility_key(session.practice, session.client),
            billed_session_key(session.practice, session.session_id),
        ]
    )
    assert isinstance(practice, Practice), f"no practice {session.practice}"
    billed = found if isinstance(found, BilledSession) else None
    writes: tuple[Write, ...] = ()
    match session.paid_by:
        case PaidBy.SELF_PAY:
            books = Books.expect(store, session.practice, session.client)
            writes = bill_self_pay(session, billed, books, practice, now)
        case PaidBy.INSURANCE if billed is not None and billed.claim_id:
            submission = store.get(Key(claim_pk(session.practice, billed.claim_id), "SUBMITTED#"))
            assert isinstance(submission, Submission), f"{session.key} is on a claim that nobody submitted"
            estimate(store, submission, now)
        case PaidBy.INSURANCE:
            known = check if isinstance(check, Eligibility) else None
            writes = estimate_session(session, billed, known, practice, now)
    if writes:
        store.commit(*writes)


def estimate(store: Store, submission: Submission, now: datetime) -> None:
    """Estimate what of a submitted claim nothing bills yet, while no payer has answered it."""
    claim = submission.claim
    practice, check, state = store.get_many(
        [
            practice_key(submission.practice),
            eligibility_key(submission.practice, claim.client_id),
            claim_state_key(submission.practice, claim.claim_id),
        ]
    )
    assert isinstance(practice, Practice), f"no practice {submission.practice}"
    assert isinstance(state, ClaimState), f"{claim.claim_id} was submitted without a state"
    if isinstance(check, Eligibility):
        known = Known.read(store, submission.practice, claim)
        writes = estimate_claim(claim, state, known, check, practice, now)
        if writes:
            store.commit(*writes)
