"""Turn claim results into invoices, nothing owed, waits or holds; and let invoices age.

ClaimResultReceived -> judge it           ClaimSubmitted -> judge again what waited for this claim
SessionCompleted    -> bill it (sessions.py)
pending (wake)      -> hold what waited 45 days           past_due (wake) -> the payment window has ended
"""

from dataclasses import dataclass, replace
from datetime import datetime

from billing.account import Books
from billing.claim import SubmittedClaim
from billing.claim_state import ClaimState, Hold, ReceivedResult, Submission, Verdict
from billing.facts import FactKind, Message, WakeKind
from billing.gates import Earlier, Gate, Judgement, Now, judge
from billing.ids import Key, claim_pk, holds_pk, practice_key
from billing.invoice import Invoice
from billing.issuing import age, hold, hold_id, issue, nothing_owed, wait
from billing.policy import Practice
from billing.ports import Delete, Store, Write
from billing.session import Session
from functions.issue_invoice import sessions

OTHER_PAYER_PENDING = "other_payer_pending"
"""The hold of a claim whose other payer did not answer in 45 days (LAW-4)."""


def run(message: Message, *, store: Store, now: datetime) -> None:
    """Look at what the message names and write what follows from it; a repeat finds it done."""
    match message.kind, store.get(message.key):
        case FactKind.CLAIM_RESULT_RECEIVED, ReceivedResult() as received:
            claim = Claim.read(store, received.practice, received.result.claim_id)
            if claim.verdict(received) is None:
                store.commit(*_decide(store, claim, received, now))
        case FactKind.CLAIM_SUBMITTED, Submission() as submission:
            _judge_again(store, submission, now)
        case FactKind.SESSION_COMPLETED, Session() as session:
            sessions.bill(store, session, now)
        case WakeKind.PENDING, ClaimState() as state:
            _stop_waiting(store, state, now)
        case WakeKind.PAST_DUE, Invoice() as invoice:
            writes = age(invoice, now)
            if writes:
                store.commit(*writes)
        case _, row:
            raise AssertionError(f"{message.kind} names {message.key}, where there is {type(row).__name__}")


@dataclass(frozen=True)
class Claim:
    """One consistent read of everything known about a claim id, and its practice."""

    practice: Practice
    submitted: SubmittedClaim | None
    state: ClaimState | None
    results: tuple[ReceivedResult, ...]

    @classmethod
    def read(cls, store: Store, practice_id: str, claim_id: str) -> "Claim":
        practice = store.get(practice_key(practice_id))
        assert isinstance(practice, Practice), f"no practice {practice_id}"
        rows = store.partition(claim_pk(practice_id, claim_id))
        return cls(
            practice,
            next((r.claim for r in rows if isinstance(r, Submission)), None),
            next((r for r in rows if isinstance(r, ClaimState)), None),
            tuple(r for r in rows if isinstance(r, ReceivedResult)),
        )

    def verdict(self, received: ReceivedResult) -> Verdict | None:
        return self.state.verdict(received.result.result_key()) if self.state else None

    def received(self, result: str) -> ReceivedResult:
        return next(r for r in self.results if r.result.result_key() == result)

    def before(self, received: ReceivedResult) -> tuple[Earlier, ...]:
        """The claim's other results that have a verdict, in the order these were given."""
        own = received.result.result_key()
        verdicts = self.state.verdicts if self.state else ()
        return tuple(Earlier(self.received(v.result).result, v.outcome, v.now) for v in verdicts if v.result != own)


def _decide(
    store: Store, claim: Claim, received: ReceivedResult, now: datetime, held: Hold | None = None
) -> tuple[Write, ...]:
    """Judge one result -> the commit of what it becomes. `held`: the hold it leaves, when it is judged again."""
    practice, submitted, state = claim.practice, claim.submitted, claim.state
    judgement = judge(
        received.result,
        submitted=submitted,
        earlier=claim.before(received),
        accept_test_files=practice.policy.accept_test_files,
        bill_reviewable=practice.policy.bill_reviewable,
    )
    if submitted is None or judgement.now == Now.HELD:
        client = submitted.client_id if submitted else ""
        questioned = _invoices_in_question(store, claim, judgement)
        return hold(received, client, state, judgement.reason, practice, now, questioned, before=held)
    resolved = (Delete(held),) if held else ()
    if judgement.now == Now.PENDING:
        return (*wait(received, submitted, state, practice, now), *resolved)
    if judgement.now == Now.NOTHING_OWED:
        return (*nothing_owed(received, submitted, state, judgement, practice, now), *resolved)
    return (*issue(received, submitted, state, judgement, practice, now), *resolved)


def _invoices_in_question(store: Store, claim: Claim, judgement: Judgement) -> tuple[Invoice, ...]:
    """The invoices that earlier results of this claim issued."""
    if not judgement.invoiced_claim_in_question or claim.submitted is None or claim.state is None:
        return ()
    books = Books.expect(store, claim.practice.practice, claim.submitted.client_id)
    issued = {v.invoice_id for v in claim.state.verdicts if v.invoice_id}
    return tuple(i for i in books.invoices if i.invoice_id in issued)


def _judge_again(store: Store, submission: Submission, now: datetime) -> None:
    """Results that came before their claim waited as `unmatched_claim`: judge each again, one commit each."""
    practice, claim_id = submission.practice, submission.claim.claim_id
    for result in _unmatched(Claim.read(store, practice, claim_id)):
        held = store.get(Key(holds_pk(practice), f"HOLD#{hold_id(practice, result)}#"))
        claim = Claim.read(store, practice, claim_id)
        if result not in _unmatched(claim):
            continue  # a second delivery of this message was faster
        assert isinstance(held, Hold), f"result {result} is held but has no hold"
        store.commit(*_decide(store, claim, claim.received(result), now, held=held))


def _unmatched(claim: Claim) -> tuple[str, ...]:
    verdicts = claim.state.verdicts if claim.state else ()
    return tuple(v.result for v in verdicts if v.reason == Gate.UNMATCHED_CLAIM)


def _stop_waiting(store: Store, state: ClaimState, now: datetime) -> None:
    """The other payer did not answer in time: a person looks, at one result after the other (LAW-4)."""
    if state.pending_until is None or state.pending_until > now:
        return
    claim = Claim.read(store, state.practice, state.claim_id)
    waiting, *others = [v for v in state.verdicts if v.now == Now.PENDING]
    looked_at = replace(state, pending_until=state.pending_until if others else None)
    received = claim.received(waiting.result)
    store.commit(*hold(received, state.client, looked_at, OTHER_PAYER_PENDING, claim.practice, now))
