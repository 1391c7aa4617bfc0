"""What a completed session becomes: an invoice for its rate where the client pays themself (INV-4)."""

from datetime import datetime

from billing.account import Books
from billing.ids import practice_key
from billing.policy import Practice
from billing.ports import Store
from billing.session import BilledSession, PaidBy, Session, billed_session_key
from billing.session_billing import bill_self_pay


def bill(store: Store, session: Session, now: datetime) -> None:
    """Write what the session costs its client; a repeat finds it done. One of a programme was decided when it came."""
    if session.paid_by is PaidBy.SELF_PAY:
        _bill_self_pay(store, session, now)


def _bill_self_pay(store: Store, session: Session, now: datetime) -> None:
    practice, billed = store.get_many(
        [practice_key(session.practice), billed_session_key(session.practice, session.session_id)]
    )
    assert isinstance(practice, Practice), f"no practice {session.practice}"
    books = Books.expect(store, session.practice, session.client)
    known = billed if isinstance(billed, BilledSession) else None
    writes = bill_self_pay(session, known, books, practice, now)
    if writes:
        store.commit(*writes)
