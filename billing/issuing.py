"""What a judged claim result becomes: an invoice, nothing owed, a wait for another payer, or a hold (INV-1, LAW-4).

Every commit that a claim result causes writes that claim's state, guarded by its version, so two results of one claim
cannot both issue.
"""

from dataclasses import replace
from datetime import date, datetime, timedelta

from billing.claim import ClaimResult, SubmittedClaim
from billing.claim_state import ClaimState, Hold, ReceivedResult, Verdict
from billing.draft import noted
from billing.dunning import back_to_reminders, past_due_from
from billing.explain import explain
from billing.facts import Fact, FactKind
from billing.gates import Judgement, Now, is_duplicate_denial
from billing.ids import digest, invoice_id
from billing.invoice import Invoice, Source
from billing.invoice_lines import InvoiceLines
from billing.ledger import invoice_issued
from billing.policy import Practice
from billing.ports import Insert, Update, Write
from billing.reviewing import question

WAIT_FOR_OTHER_PAYER = timedelta(days=45)
"""How long a claim may wait for another payer's answer before a person looks (LAW-4)."""


def with_verdict(state: ClaimState | None, practice: str, claim_id: str, verdict: Verdict) -> ClaimState:
    """The claim's state with this verdict given (again); a new state starts at version 1."""
    if state is None:
        return ClaimState(practice, claim_id, version=1, verdicts=(verdict,))
    kept = tuple(verdict if v.result == verdict.result else v for v in state.verdicts)
    if state.verdict(verdict.result) is None:
        kept = (*kept, verdict)
    return replace(state, verdicts=kept, version=state.version + 1)


def with_answer(state: ClaimState | None, practice: str, submitted: SubmittedClaim, verdict: Verdict) -> ClaimState:
    """The claim's state with the verdict that answers it: what waited for this payer ends as this does (LAW-4)."""
    new = with_verdict(state, practice, submitted.claim_id, verdict)
    ended = tuple(
        replace(v, now=verdict.now, invoice_id=verdict.invoice_id, amount=verdict.amount) if v.now == Now.PENDING else v
        for v in new.verdicts
    )
    return replace(new, client=submitted.client_id, verdicts=ended, pending_until=None)


def state_write(state: ClaimState) -> Write:
    """A state's first version is inserted, later ones updated."""
    return Insert(state) if state.version == 1 else Update(state)


def claim_fact(
    kind: FactKind, state: ClaimState, client: str, result: str, now: datetime, data: dict[str, str | int]
) -> Fact:
    """A fact about a claim, in its client's timeline (the practice's own where no client is known)."""
    return Fact(
        practice=state.practice,
        client=client,
        item=f"CLAIM#{state.claim_id}",
        version=state.version,
        kind=kind,
        at=now,
        actor="payer",
        cause=result,
        data=data,
    )


def issue(
    received: ReceivedResult,
    submitted: SubmittedClaim,
    state: ClaimState | None,
    judgement: Judgement,
    practice: Practice,
    now: datetime,
) -> tuple[Write, ...]:
    """The invoice for exactly the patient responsibility of the result (INV-1), its explanation (INV-6), its ledger
    postings and the claim's new state, as one commit. It ages from now (INV-8) and is reminded of (INV-9)."""
    result, key = received.result, received.result.result_key()
    blank = Invoice(
        practice=practice.practice,
        client=submitted.client_id,
        invoice_id=invoice_id(practice.practice, submitted.client_id, Source.CLAIM, submitted.claim_id),
        version=1,
        source=Source.CLAIM,
        source_id=submitted.claim_id,
        ordinal=0,
        amount=judgement.patient_responsibility,
        issued_at=now,
        service_date=first_service(result, submitted),
        provider=submitted.provider_id,
        past_due_at=past_due_from(now, practice),
    )
    invoice = back_to_reminders(blank, practice, now)
    verdict = Verdict(key, "accepted", "", "invoiced", invoice.invoice_id, invoice.amount)
    new_state = with_answer(state, practice.practice, submitted, verdict)
    fact = Fact(
        practice=practice.practice,
        client=submitted.client_id,
        item=invoice.key.sk,
        version=1,
        kind=FactKind.INVOICE_ISSUED,
        at=now,
        actor="payer",
        cause=key,
        data={"invoice_id": invoice.invoice_id, "amount": invoice.amount, "claim_id": submitted.claim_id},
        entries=invoice_issued(invoice.invoice_id, invoice.amount),
    )
    lines = InvoiceLines(invoice.practice, invoice.client, invoice.invoice_id, explain(result, submitted))
    return (state_write(new_state), Insert(invoice), Insert(lines), Insert(fact))


def first_service(result: ClaimResult, submitted: SubmittedClaim) -> date:
    """The session's day: as the payer says it, else as it was submitted."""
    return min((line.service_date for line in result.lines if line.service_date), default=submitted.service_date)


def nothing_owed(
    received: ReceivedResult,
    submitted: SubmittedClaim,
    state: ClaimState | None,
    judgement: Judgement,
    practice: Practice,
    now: datetime,
) -> tuple[Write, ...]:
    """Patient responsibility 0: no invoice; the client is told only where that is final (INV-1)."""
    key = received.result.result_key()
    verdict = Verdict(key, "accepted", "", "nothing_owed")
    if is_duplicate_denial(received.result):  # it says nothing about money, and answers nobody's question
        new_state = replace(
            with_verdict(state, practice.practice, submitted.claim_id, verdict), client=submitted.client_id
        )
    else:
        new_state = with_answer(state, practice.practice, submitted, verdict)
    data: dict[str, str | int] = {
        "claim_id": submitted.claim_id,
        "announce": 1 if judgement.may_announce_nothing_owed else 0,
    }
    fact = claim_fact(FactKind.NOTHING_OWED, new_state, submitted.client_id, key, now, data)
    return (state_write(new_state), Insert(fact))


def wait(
    received: ReceivedResult, submitted: SubmittedClaim, state: ClaimState | None, practice: Practice, now: datetime
) -> tuple[Write, ...]:
    """Another payer is still to answer: nothing is billed, and 45 days later a person looks (LAW-4)."""
    key = received.result.result_key()
    verdict = Verdict(key, "accepted", "", "pending")
    new_state = replace(
        with_verdict(state, practice.practice, submitted.claim_id, verdict),
        client=submitted.client_id,
        pending_until=now + WAIT_FOR_OTHER_PAYER,
    )
    fact = claim_fact(
        FactKind.CLAIM_PENDING, new_state, submitted.client_id, key, now, {"claim_id": submitted.claim_id}
    )
    return (state_write(new_state), Insert(fact))


def hold_id(practice: str, result: str) -> str:
    return "hold_" + digest(practice, result)


def hold(
    received: ReceivedResult,
    client: str,
    state: ClaimState | None,
    reason: str,
    practice: Practice,
    now: datetime,
    in_question: tuple[Invoice, ...] = (),
    before: Hold | None = None,
) -> tuple[Write, ...]:
    """A person must look at this result (DESK-5). An invoice it puts in question goes into review: its charge and its
    reminders stop. `before`: the hold it had, when it was judged again and is held for another reason."""
    result, key = received.result, received.result.result_key()
    verdict = Verdict(key, "held", reason, "held")
    new_state = with_verdict(state, practice.practice, result.claim_id, verdict)
    row = Hold(
        practice=practice.practice,
        hold_id=hold_id(practice.practice, key),
        claim_id=result.claim_id,
        payer_claim_id=result.payer_claim_id,
        result=key,
        reason=reason,
        held_at=now,
        patient_responsibility=result.patient_responsibility,
        client=client,
        version=before.version + 1 if before else 1,
    )
    data: dict[str, str | int] = {"claim_id": result.claim_id, "reason": reason}
    fact = claim_fact(FactKind.CLAIM_HELD, new_state, client, key, now, data)
    writes: list[Write] = [state_write(new_state), Update(row) if before else Insert(row), Insert(fact)]
    for invoice in in_question:
        writes += put_in_review(invoice, row.hold_id, now)
    return tuple(writes)


def put_in_review(invoice: Invoice, cause: str, now: datetime) -> tuple[Write, ...]:
    """Stop charging, reminding and ageing until a person has decided. `cause`: the hold's id."""
    paused = question(invoice, cause, now)
    return noted(paused, FactKind.INVOICE_PUT_IN_REVIEW, now, "payer", cause, {})


def age(invoice: Invoice, now: datetime) -> tuple[Write, ...]:
    """The payment window has ended (INV-8); () where it has not, or nothing is owed."""
    if invoice.past_due_at is None or invoice.past_due_at > now or not invoice.payable:
        return ()
    aged = replace(invoice, past_due=True, past_due_at=None)
    owed = {"amount": invoice.open_amount}
    return noted(aged, FactKind.INVOICE_PAST_DUE, now, "system", invoice.invoice_id, owed)
