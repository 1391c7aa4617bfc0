"""What a judged claim becomes: an invoice, a correction of one, nothing owed, a wait for another payer, or holds
(INV-1, INV-3, LAW-4).

One commit for whatever a new result, a person's decision or the passing of time changes about a claim. It writes the
claim's state, guarded by its version, so two results of one claim cannot both bill; and it posts the difference between
what the claim asks of the patient now and what was billed for it before, never more.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from billing.claim import ClaimResult, ClaimStatus, SubmittedClaim
from billing.claim_file import ClaimFile, hold_id
from billing.claim_state import ClaimState, Hold, ReceivedResult, Verdict
from billing.correcting import OTHERWISE, Why, apply_credit, ask_for_nothing_yet, correct
from billing.draft import Draft, noted
from billing.dunning import new_invoice
from billing.explain import ExplainedLine, explain
from billing.facts import Fact, FactKind
from billing.gates import OTHER_PAYER_PENDING, Now, Outcome, is_an_answer
from billing.invoice import Invoice, Source
from billing.invoice_lines import InvoiceLines, summing_to
from billing.ledger import invoice_issued
from billing.policy import Overpayment
from billing.ports import Delete, Insert, Refused, Update, Write
from billing.reviewing import announces_again, end_review, question, resume
from billing.standing import Decision, Judged, Part, Rules, Seen, Standing, replaced_decision, stand

WAIT_FOR_OTHER_PAYER = timedelta(days=45)
"""How long a claim may wait for another payer's answer before a person looks (LAW-4)."""

MOST_NEW = 20
"""Results that get their first verdict in one commit; with `MOST_TOGETHER` it bounds what that commit writes."""

REJECTED_BY_STAFF = "rejected_by_staff"

NOW_OF = {
    Part.WAITS: Now.PENDING,
    Part.NO_EFFECT: Now.NOTHING_OWED,
    Part.TAKEN_BACK: Now.ADJUSTED,
    Part.TAKES_BACK: Now.ADJUSTED,
    Part.HELD: Now.HELD,
    Part.REJECTED: Now.REJECTED,
    Part.REMATCHED: Now.REMATCHED,
}
"""Where a result stands by what it does in its claim; of one that answers, the amount decides."""


@dataclass(frozen=True)
class Trigger:
    """Why a claim is judged again: `actor` and `cause` go into the facts · `decision`: a person's · `waited`: the time
    for another payer's answer is over · `ends`: the id of a review that is decided by it."""

    actor: str
    cause: str
    decision: Decision | None = None
    waited: bool = False
    ends: str = ""


def judge_again(file: ClaimFile, trigger: Trigger, now: datetime) -> tuple[Write, ...]:
    """Everything that follows from what is known about a claim by now, as one commit; () where nothing changed.

    Where a correction cannot be posted because a bank decides about a payment (PAY-13), the results that nobody has
    judged yet are held instead. Raises Refused where it is a person's decision that cannot take effect now.
    """
    try:
        return _commit_of(file, trigger, (), now)
    except Refused:
        judged = {v.result for v in file.state.verdicts if v.now != Now.HELD} if file.state else set()
        new = [r.result.result_key() for r in file.results if r.result.result_key() not in judged]
        if trigger.decision is not None or not new:
            raise
        return _commit_of(file, trigger, new, now)


def _commit_of(file: ClaimFile, trigger: Trigger, held_back: Sequence[str], now: datetime) -> tuple[Write, ...]:
    before = file.state or ClaimState(file.practice.practice, file.claim_id, version=0)
    file = _with_few_new(file, before, trigger)
    decisions = before.decisions
    if trigger.decision is not None:
        decisions = replaced_decision(decisions, trigger.decision)
    by_result = {one.result: one for one in decisions}
    order = {result: number for number, result in enumerate(by_result, start=1)}
    seen = [
        Seen(r.result, by_result.get(key), _contradicts_its_payment(r, file), order.get(key, 0))
        for r in file.results
        for key in [r.result.result_key()]
    ]
    policy = file.practice.policy
    waited_for = before.awaited if trigger.waited else before.waited_for
    of_programme, answered = before.of_programme, bool(before.answer)
    rules = Rules(policy.accept_test_files, policy.bill_reviewable, waited_for, held_back, of_programme, answered)
    standing = stand(seen, file.submitted, rules)
    work = _Work(file, trigger, before, standing, by_result, now)
    work.post()
    after = replace(
        before,
        client=file.submitted.client_id if file.submitted else "",
        verdicts=tuple(work.verdict(judged) for judged in standing.judged),
        decisions=decisions,
        awaited=standing.awaited,
        pending_until=_until(before, standing, now),
        waited_for=waited_for if any(judged.reason == OTHER_PAYER_PENDING for judged in standing.judged) else 0,
        answer=standing.answer.result_key() if standing.answer else before.answer if standing.owed is None else "",
        invoices=work.invoices,
        billed=work.billed if standing.owed is None else standing.owed,
    )
    if after == before:
        return ()
    after = replace(after, version=before.version + 1)
    return (
        Insert(after) if after.version == 1 else Update(after),
        *work.holds(after),
        *(work.draft.writes() if work.draft else ()),
        *(Insert(fact) for fact in work.facts(after)),
    )


def _until(before: ClaimState, standing: Standing, now: datetime) -> datetime | None:
    """When waiting for another payer ends; each payer of the chain has the whole time (LAW-4)."""
    if not standing.awaited:
        return None
    same = standing.awaited == before.awaited
    return before.pending_until if same and before.pending_until else now + WAIT_FOR_OTHER_PAYER


def _with_few_new(file: ClaimFile, before: ClaimState, trigger: Trigger) -> ClaimFile:
    """The file as far as one commit can judge it: each result has a message of its own, so what is left out now is
    judged by that."""
    judged = {v.result for v in before.verdicts}
    new = [r for r in file.results if r.result.result_key() not in judged]
    if len(new) <= MOST_NEW:
        return file
    own = [r for r in new if r.result.result_key() == trigger.cause]
    later = {r.result.result_key() for r in new[MOST_NEW - len(own) :]} - {trigger.cause}
    return replace(file, results=tuple(r for r in file.results if r.result.result_key() not in later))


def _contradicts_its_payment(received: ReceivedResult, file: ClaimFile) -> bool:
    """Whether the same payment came before in other words *and said something about this claim* (claims.md 4.8, ring
    b). A claim that the first file did not have is no second posting: clearinghouses split files, and payers reuse
    numbers."""
    first = received.same_transaction_as
    return bool(first) and any(other.receipt_id == first for other in file.results)


@dataclass
class _Work:
    """One judgement on its way into a commit. `draft`: changes of the client's account, None where no claim of this id
    was submitted."""

    file: ClaimFile
    trigger: Trigger
    before: ClaimState
    standing: Standing
    decisions: Mapping[str, Decision]
    now: datetime

    def __post_init__(self) -> None:
        books = self.file.books
        self.draft = Draft(books, self.now, self.trigger.actor, self.trigger.cause) if books is not None else None
        self.invoices = self.before.invoices
        self.billed = self.before.billed
        self.keys = {judged.result.result_key(): judged for judged in self.standing.judged}
        self.held = {key for key, judged in self.keys.items() if judged.part is Part.HELD}

    # ------------------------------------------------------------------------------------------------- money

    def post(self) -> None:
        """Bill, or correct what was billed, and let reviews begin and end."""
        if self.draft is None:
            return
        owed, answer = self.standing.owed, self.standing.answer
        if owed is None and self._is_only_estimated_and_waits():
            self.billed -= ask_for_nothing_yet(self.draft, self.invoices, self.file.practice)
        announce = self._end_reviews()
        if owed is not None and self.invoices:
            is_new = answer is not None and answer.result_key() != self.before.answer
            if owed != self.before.billed or is_new:
                self._correct(owed, announce)
        elif owed and answer is not None:
            self._issue(answer, owed)
        self._begin_reviews()

    def _is_only_estimated_and_waits(self) -> bool:
        """No payer's answer was billed yet, and another payer is to answer: by what the first one said, or because it
        is on file (LAW-4)."""
        submitted = self.file.submitted
        return not self.before.answer and (
            bool(self.standing.awaited) or (submitted is not None and bool(submitted.secondary_payer_id))
        )

    def _issue(self, answer: ClaimResult, owed: int) -> None:
        """The invoice for exactly what the patient owes (INV-1), its explanation (INV-6) and its ledger postings. It
        ages from now (INV-8) and is reminded of (INV-9)."""
        draft, submitted, practice = self.draft, self.file.submitted, self.file.practice
        assert draft is not None
        assert submitted is not None
        invoice = new_invoice(
            practice,
            submitted.client_id,
            Source.CLAIM,
            submitted.claim_id,
            owed,
            service_date=first_service(answer, submitted),
            provider=submitted.provider_id,
            now=self.now,
        )
        draft.insert(invoice)
        explained = explain(answer, submitted, self.standing.earlier_payers)
        lines = summing_to(explained, owed, OTHERWISE[Why.RELEASED])
        draft.insert(InvoiceLines(invoice.practice, invoice.client, invoice.invoice_id, lines))
        data: dict[str, str | int] = {
            "invoice_id": invoice.invoice_id,
            "amount": invoice.amount,
            "claim_id": submitted.claim_id,
        }
        draft.fact(FactKind.INVOICE_ISSUED, invoice, data, invoice_issued(invoice.invoice_id, invoice.amount))
        self.invoices = (*self.invoices, invoice.invoice_id)
        if practice.policy.overpayment is Overpayment.CREDIT:
            apply_credit(draft)

    def _correct(self, owed: int, announce: bool) -> None:
        draft, submitted = self.draft, self.file.submitted
        assert draft is not None
        assert submitted is not None
        answer = self.standing.answer
        lines: tuple[ExplainedLine, ...] = (
            explain(answer, submitted, self.standing.earlier_payers) if answer is not None else ()
        )
        changed = correct(draft, self.invoices, owed, self.file.practice, self._why(), lines, announced_before=announce)
        new = (one.invoice_id for one in changed if one.invoice_id not in self.invoices)
        self.invoices = (*self.invoices, *new)

    def _why(self) -> Why:
        """What the client is told of why the amount is another one."""
        answer, decision = self.standing.answer, self.trigger.decision
        if answer is None:
            return Why.REVERSAL
        if decision is not None and decision.result == answer.result_key():
            return Why.RELEASED
        if not self.before.answer and not any(v.now == Now.ADJUSTED for v in self.before.verdicts):
            return Why.ADJUDICATED
        earlier = next((r.result for r in self.file.results if r.result.result_key() == self.before.answer), None)
        if earlier is not None and set(earlier.payer_ids).isdisjoint(answer.payer_ids):
            return Why.OTHER_PAYER
        return Why.CORRECTION

    # ------------------------------------------------------------------------------------------------- reviews

    def _end_reviews(self) -> bool:
        """What a hold or a review questioned goes on once that is over -> whether a correction in this commit must
        announce the charge anew: then one mail says both."""
        assert self.draft is not None
        over = [hold.hold_id for result, hold in self.file.holds.items() if result not in self.held]
        announce = False
        for cause in (*over, *((self.trigger.ends,) if self.trigger.ends else ())):
            for known in self.invoices:
                invoice = self.draft.books.invoice(known)
                if invoice is None or cause not in invoice.reviews:
                    continue
                if self.standing.owed in (None, self.before.billed):
                    end_review(self.draft, invoice, cause, self.file.practice)
                    continue
                announce = announce or announces_again(self.draft.books.account, invoice)
                self.draft.change(resume(self.draft.books, invoice, cause, self.file.practice, self.now))
        return announce

    def _begin_reviews(self) -> None:
        """A held second answer stops the charge of what was billed before, or is billed in this commit (INV-7)."""
        assert self.draft is not None
        causes = [hold_id(self.file.practice.practice, key) for key in self.keys if self._questions_a_bill(key)]
        for known in self.invoices if causes else ():
            invoice = self.draft.books.invoice(known)
            if invoice is not None and not invoice.void:
                for cause in causes:
                    invoice = question(invoice, cause, self.now)
                self.draft.change(invoice)
                self.draft.fact(FactKind.INVOICE_PUT_IN_REVIEW, invoice, {"invoice_id": known})

    def _questions_a_bill(self, key: str) -> bool:
        """Whether this result is held, and stops what the claim is billed: from now on, or, a reversal that came before
        there was anything to take back, as soon as it is billed."""
        judged, accepts = self.keys[key], self.file.practice.policy.accept_test_files
        if key not in self.held or judged.reason == OTHER_PAYER_PENDING or not is_an_answer(judged.result, accepts):
            return False
        newly_billed = bool(self.invoices) and not self.before.invoices
        takes_back = judged.result.status is ClaimStatus.REVERSAL
        return key not in self.file.holds or (newly_billed and takes_back)

    # ------------------------------------------------------------------------------------------------- the claim

    def verdict(self, judged: Judged) -> Verdict:
        """What is written down about this result."""
        key = judged.result.result_key()
        if judged.part is Part.ANSWERS:
            return self._answering(key)
        now = NOW_OF[judged.part]
        if judged.part is Part.REJECTED:
            return Verdict(key, Outcome.REJECTED, REJECTED_BY_STAFF, now)
        if judged.part is Part.HELD:
            return Verdict(key, Outcome.HELD, judged.reason, now)
        if judged.part is Part.REMATCHED:
            to = self.decisions[key].to
            there = replace(judged.result, claim_id=to).result_key()
            return Verdict(key, Outcome.ACCEPTED, "", now, to_claim=to, to_result=there)
        return Verdict(key, Outcome.ACCEPTED, "", now)

    def _answering(self, key: str) -> Verdict:
        """The last payer's answer, and those before it in the chain: they end as it does (LAW-4)."""
        owed = self.standing.owed or 0
        before = self.before.verdict(key)
        if not owed:
            return Verdict(key, Outcome.ACCEPTED, "", Now.ADJUSTED if self.invoices else Now.NOTHING_OWED)
        billed_otherwise = bool(self.before.invoices) and owed != self.before.billed
        first = before is not None and before.now == Now.INVOICED
        now = Now.INVOICED if first or not billed_otherwise else Now.ADJUSTED
        if before is not None and before.now == Now.ADJUSTED:
            now = Now.ADJUSTED
        return Verdict(key, Outcome.ACCEPTED, "", now, self.invoices[-1], owed)

    def holds(self, after: ClaimState) -> Iterator[Write]:
        """Each held result is a hold, and nothing else is (DESK-5)."""
        for received in self.file.results:
            key = received.result.result_key()
            before = self.file.holds.get(key)
            if key not in self.held:
                if before is not None:
                    yield Delete(before)
                continue
            row = self._hold(received, after)
            if before is None:
                yield Insert(row)
            elif (before.reason, before.client) != (row.reason, row.client):
                yield Update(replace(row, held_at=before.held_at, version=before.version + 1))

    def _hold(self, received: ReceivedResult, after: ClaimState) -> Hold:
        result, key = received.result, received.result.result_key()
        return Hold(
            practice=after.practice,
            hold_id=hold_id(after.practice, key),
            claim_id=after.claim_id,
            payer_claim_id=result.payer_claim_id,
            result=key,
            reason=self.keys[key].reason,
            held_at=self.now,
            patient_responsibility=result.patient_responsibility,
            client=after.client,
        )

    def facts(self, after: ClaimState) -> Iterator[Fact]:
        """One fact for each result that stands elsewhere than before. What was billed has its invoice's facts."""
        for verdict in after.verdicts:
            before = self.before.verdict(verdict.result)
            if before is not None and (before.now, before.reason) == (verdict.now, verdict.reason):
                continue
            data: dict[str, str | int] = {"claim_id": after.claim_id, "now": verdict.now}
            kind = FactKind.CLAIM_ANSWERED
            if verdict.now == Now.INVOICED:
                continue
            if verdict.now == Now.HELD:
                kind, data["reason"] = FactKind.CLAIM_HELD, verdict.reason
            elif verdict.now == Now.PENDING:
                kind = FactKind.CLAIM_PENDING
            elif verdict.now == Now.NOTHING_OWED:
                is_answer = verdict.result == after.answer
                kind, data["announce"] = FactKind.NOTHING_OWED, int(is_answer and self.standing.settled)
            yield self._fact(kind, after, verdict.result, data)

    def _fact(self, kind: FactKind, after: ClaimState, result: str, data: dict[str, str | int]) -> Fact:
        """A fact about a result, in its client's timeline (the practice's own where no client is known)."""
        return Fact(
            practice=after.practice,
            client=after.client,
            item=f"CLAIM#{after.claim_id}#{result}",
            version=after.version,
            kind=kind,
            at=self.now,
            actor=self.trigger.actor,
            cause=result,
            data=data,
        )


def first_service(result: ClaimResult, submitted: SubmittedClaim) -> date:
    """The session's day: as the payer says it, else as it was submitted."""
    return min((line.service_date for line in result.lines if line.service_date), default=submitted.service_date)


def age(invoice: Invoice, now: datetime) -> tuple[Write, ...]:
    """The payment window has ended (INV-8); () where it has not, or nothing is owed."""
    if invoice.past_due_at is None or invoice.past_due_at > now or not invoice.payable:
        return ()
    aged = replace(invoice, past_due=True, past_due_at=None)
    owed = {"amount": invoice.open_amount}
    return noted(aged, FactKind.INVOICE_PAST_DUE, now, "system", invoice.invoice_id, owed)
