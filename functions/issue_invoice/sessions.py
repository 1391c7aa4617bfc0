"""What a completed session, or a claim that was just submitted, becomes: an invoice for the session's rate where the
client pays themself (INV-4), an estimate where the practice bills before the payer decides (INV-2).
"""

from datetime import datetime

from billing import eap
from billing.account import Books
from billing.claim_file import ClaimFile
from billing.claim_state import ClaimState, Submission, claim_state_key
from billing.eligibility import Eligibility, eligibility_key
from billing.estimating import Known, estimate_claim, estimate_session, programme_pays, session_ids
from billing.ids import Key, claim_pk, practice_key
from billing.policy import Practice
from billing.ports import Store, Write
from billing.session import (
    AuthorisationUse,
    BilledSession,
    PaidBy,
    Session,
    authorisation_use_key,
    billed_session_key,
    session_key,
)
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
            estimate(store, _submission(store, session, billed), now)
        case PaidBy.INSURANCE:
            known = check if isinstance(check, Eligibility) else None
            writes = estimate_session(session, billed, known, practice, now)
        case PaidBy.EAP if billed is not None and billed.estimated and _is_covered(store, session):
            claim = _submission(store, session, billed).claim
            state = store.get(claim_state_key(session.practice, claim.claim_id))
            assert isinstance(state, ClaimState), f"{claim.claim_id} was submitted without a state"
            books = Books.expect(store, session.practice, session.client)
            writes = programme_pays(session, claim, state, books, practice, now)
    if writes:
        store.commit(*writes)


def tell_again(store: Store, file: ClaimFile, now: datetime) -> None:
    """What programmes pay of a claim that nobody has answered, as if its sessions were told just now."""
    named = session_ids(file.submitted) if file.submitted else ()
    for row in store.get_many([session_key(file.practice.practice, one) for one in named]):
        if isinstance(row, Session) and row.paid_by is PaidBy.EAP:
            bill(store, row, now)


def _submission(store: Store, session: Session, billed: BilledSession) -> Submission:
    submission = store.get(Key(claim_pk(session.practice, billed.claim_id), "SUBMITTED#"))
    assert isinstance(submission, Submission), f"{session.key} is on a claim that nobody submitted"
    return submission


def _is_covered(store: Store, session: Session) -> bool:
    assert session.eap is not None, f"{session.key} is of no programme"
    of = authorisation_use_key(session.practice, session.client, session.eap.programme, session.eap.number)
    use = store.get(of)
    return eap.covered(session, use if isinstance(use, AuthorisationUse) else None)


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
