"""Turn claim results into invoices, corrections of them, nothing owed, waits or holds; and let invoices age.

ClaimResultReceived -> judge its claim            ClaimSubmitted -> judge what waited for this claim, or estimate it
SessionCompleted    -> bill it, or estimate it (sessions.py)
DisputeClosed       -> what waited for the bank takes effect
pending (wake)      -> hold what waited 45 days    past_due (wake) -> the payment window has ended
"""

from datetime import datetime

from billing.account import Books
from billing.claim_file import ClaimFile
from billing.claim_state import ClaimState, ReceivedResult, Submission
from billing.facts import Fact, FactKind, Message, WakeKind
from billing.invoice import Invoice, Source
from billing.issuing import Trigger, age, judge_again
from billing.ports import Store, Write
from billing.session import Session
from functions.issue_invoice import sessions

OF_A_CLAIM = (Source.CLAIM, Source.ESTIMATE)
"""Invoices whose source is the claim that they bill. An estimate may be a session's: what waits about such a one, a
person releases."""


def run(message: Message, *, store: Store, now: datetime) -> None:
    """Look at what the message names and write what follows from it; a repeat finds it done."""
    writes: tuple[Write, ...]
    match message.kind, store.get(message.key):
        case FactKind.CLAIM_RESULT_RECEIVED, ReceivedResult() as received:
            file = ClaimFile.read(store, received.practice, received.result.claim_id)
            writes = judge_again(file, Trigger("payer", received.result.result_key()), now)
        case FactKind.CLAIM_SUBMITTED, Submission() as submission:
            file = ClaimFile.read(store, submission.practice, submission.claim.claim_id)
            if not file.results:
                sessions.estimate(store, submission, now)
                return
            writes = judge_again(file, Trigger("payer", submission.claim.claim_id), now)
        case FactKind.SESSION_COMPLETED, Session() as session:
            sessions.bill(store, session, now)
            return
        case FactKind.DISPUTE_CLOSED, Fact() as fact:
            _go_on_after(store, fact, now)
            return
        case WakeKind.PENDING, ClaimState() as state:
            if state.pending_until is None or state.pending_until > now:
                return
            file = ClaimFile.read(store, state.practice, state.claim_id)
            writes = judge_again(file, Trigger("system", state.claim_id, waited=True), now)
        case WakeKind.PAST_DUE, Invoice() as invoice:
            writes = age(invoice, now)
        case _, row:
            raise AssertionError(f"{message.kind} names {message.key}, where there is {type(row).__name__}")
    if writes:
        store.commit(*writes)


def _go_on_after(store: Store, fact: Fact, now: datetime) -> None:
    """The bank has decided (PAY-13): what payers decided about the payment's claims meanwhile takes effect."""
    books = Books.expect(store, fact.practice, fact.client)
    payment = books.attempt(int(fact.data["attempt"]))
    paid_for = {part.invoice_id for part in payment.parts} if payment else set()
    plans = {i.plan_id for i in books.invoices if i.invoice_id in paid_for} - {""}
    paid_for |= {part.invoice_id for plan in books.plans if plan.plan_id in plans for part in plan.covers}
    claims = {i.source_id for i in books.invoices if i.invoice_id in paid_for and i.source in OF_A_CLAIM}
    for claim_id in sorted(claims):
        file = ClaimFile.read(store, fact.practice, claim_id)
        writes = judge_again(file, Trigger("system", str(fact.data["dispute_id"])), now) if file.results else ()
        if writes:
            store.commit(*writes)
