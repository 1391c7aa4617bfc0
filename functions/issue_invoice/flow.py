"""Turn claim results into invoices, corrections of them, nothing owed, waits or holds; and let invoices age.

ClaimResultReceived -> judge its claim            ClaimSubmitted -> judge what waited for this claim, or estimate it;
                                                                     with a second payer on file, ask for nothing yet
SessionCompleted    -> bill it, or estimate it (sessions.py)
DisputeClosed       -> what waited for the bank takes effect
pending (wake)      -> hold what waited 45 days    past_due (wake) -> the payment window has ended,
                                                  or nothing took a small amount along
"""

from datetime import datetime

from billing.account import Books
from billing.claim_file import ClaimFile, claims_behind
from billing.claim_state import ClaimState, ReceivedResult, Submission
from billing.correcting import waiting_for_the_bank
from billing.facts import Fact, FactKind, Message, WakeKind
from billing.invoice import Invoice
from billing.issuing import Trigger, age, judge_again
from billing.ports import Store, Write
from billing.session import Session
from billing.small_amounts import let_go
from functions.issue_invoice import sessions


def run(message: Message, *, store: Store, now: datetime) -> None:
    """Look at what the message names and write what follows from it; a repeat finds it done."""
    writes: tuple[Write, ...]
    match message.kind, store.get(message.key):
        case FactKind.CLAIM_RESULT_RECEIVED, ReceivedResult() as received:
            file = ClaimFile.read(store, received.practice, received.result.claim_id)
            writes = judge_again(file, Trigger("payer", received.result.result_key()), now)
        case FactKind.CLAIM_SUBMITTED, Submission() as submission:
            file = ClaimFile.read(store, submission.practice, submission.claim.claim_id)
            if not file.results and not submission.claim.secondary_payer_id:
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
            if invoice.is_small:
                writes = let_go(Books.expect(store, invoice.practice, invoice.client), invoice, now)
            else:
                writes = age(invoice, now)
        case _, row:
            raise AssertionError(f"{message.kind} names {message.key}, where there is {type(row).__name__}")
    if writes:
        store.commit(*writes)


def _go_on_after(store: Store, fact: Fact, now: datetime) -> None:
    """The bank has decided (PAY-13): what payers decided about the payment's claims meanwhile takes effect, and so does
    what was told of their sessions."""
    books = Books.expect(store, fact.practice, fact.client)
    payment = books.attempt(int(fact.data["attempt"]))
    waiting = waiting_for_the_bank(books, payment) if payment else ()
    claims = claims_behind(store, fact.practice, waiting).values()
    for claim_id in sorted(set(claims)):
        file = ClaimFile.read(store, fact.practice, claim_id)
        if not file.results:
            sessions.tell_again(store, file, now)
            continue
        writes = judge_again(file, Trigger("system", str(fact.data["dispute_id"])), now)
        if writes:
            store.commit(*writes)
