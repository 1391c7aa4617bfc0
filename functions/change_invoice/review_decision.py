"""Decide what comes of a review (INV-7): the amount stands, or becomes another one and only the difference moves.

    account read -> the claim behind the bill, where there is one -> one commit: what follows, the review, the deed

Decided again the same way, it is decided; another way, it is refused. Apart from the asking, which clients may do too.
"""

from datetime import datetime

from billing.account import Books
from billing.claim_file import ClaimFile, claims_behind
from billing.draft import Draft
from billing.explain import ExplainedLine
from billing.ids import practice_key
from billing.invoice import Invoice
from billing.invoice_lines import InvoiceLines, invoice_lines_key
from billing.issuing import Trigger, judge_again
from billing.policy import Practice
from billing.ports import Conflict, Insert, Refused, Store, TryAgain, Write
from billing.review import Review, client_of_review
from billing.reviewing import (
    RULE,
    Decision,
    correct_estimate_or_own,
    decided_before,
    record_decision,
    refuse_correction,
    reviewed_invoice,
    uphold,
)
from billing.staff_action import Deed, StaffAction
from billing.standing import Choice
from billing.standing import Decision as Released
from functions.change_invoice.reviews import TRIES, Reviewed


def decide(store: Store, practice_id: str, review_id: str, decision: Decision, now: datetime) -> Reviewed:
    """Uphold the amount, or correct it by the difference; what was decided so before is shown. Raises Refused: 404 for
    an unknown review, 409 with the reason's code, `already_decided` among them; TryAgain."""
    client = client_of_review(review_id)
    if client is None:
        raise _unknown_review()
    for _ in range(TRIES):
        books = Books.read(store, practice_id, client)
        review = books.review(review_id) if books else None
        if books is None or review is None:
            raise _unknown_review()
        if decided_before(review, decision):
            return Reviewed(books, review, new=False)
        practice = store.get(practice_key(practice_id))
        assert isinstance(practice, Practice), f"no practice {practice_id}"
        draft = Draft(books, now, "staff", review_id)
        try:
            store.commit(
                *_what_follows(store, draft, review, decision, practice), Insert(_deed(books, review, decision, now))
            )
        except Conflict:
            continue
        books = Books.expect(store, practice_id, client)
        decided = books.review(review_id)
        assert decided is not None, f"{review_id} vanished"
        return Reviewed(books, decided, new=True)
    raise TryAgain("the account changes too fast")


def _what_follows(
    store: Store, draft: Draft, review: Review, decision: Decision, practice: Practice
) -> tuple[Write, ...]:
    """Everything that the decision changes. What stands behind a claim's bill is its results: there the correction is a
    person's word about the one that decides, so that whatever the payer says next is held against it (INV-3)."""
    if decision.amount is None:
        uphold(draft, review, decision, practice)
        return draft.writes()
    invoice = reviewed_invoice(draft.books, review)
    refuse_correction(invoice, decision.amount)
    file = _claim_of(store, invoice)
    if file is None or file.state is None or not file.state.answer:
        correct_estimate_or_own(draft, review, decision, _lines(store, invoice), practice)
        return draft.writes()
    owed = file.state.billed + decision.amount - invoice.total
    answer = next(r.result for r in file.results if r.result.result_key() == file.state.answer)
    if not 0 <= owed <= max(answer.charged, file.state.billed):
        detail = f"That is more than the {answer.charged} cents charged."
        raise Refused("more_than_charged", detail, rule=RULE)
    word = Released(file.state.answer, Choice.RELEASED, owed)
    writes = judge_again(file, Trigger("staff", review.review_id, word, ends=review.review_id), draft.now)
    record_decision(draft, review, decision)
    return (*writes, *draft.writes())


def _claim_of(store: Store, invoice: Invoice) -> ClaimFile | None:
    """The claim whose results an invoice follows, where there is one that bills it."""
    claim_id = claims_behind(store, invoice.practice, [invoice]).get(invoice.invoice_id)
    if not claim_id:
        return None
    file = ClaimFile.read(store, invoice.practice, claim_id)
    return file if file.state and invoice.invoice_id in file.state.invoices else None


def _lines(store: Store, invoice: Invoice) -> tuple[ExplainedLine, ...]:
    key = invoice_lines_key(invoice.practice, invoice.client, invoice.invoice_id, invoice.explained)
    lines = store.get(key)
    return lines.lines if isinstance(lines, InvoiceLines) else ()


def _deed(books: Books, review: Review, decision: Decision, now: datetime) -> StaffAction:
    """Who asks later finds what was decided, and why."""
    return StaffAction(
        practice=review.practice,
        client=review.client,
        action_id="act_" + review.review_id,
        deed=Deed.UPHOLD if decision.amount is None else Deed.CORRECT,
        invoice_id=review.invoice_id,
        amount=reviewed_invoice(books, review).total if decision.amount is None else decision.amount,
        reason=decision.reason,
        at=now,
        made=(review.review_id,),
        by=decision.by,
    )


def _unknown_review() -> Refused:
    return Refused("unknown_review", "There is no review of this id.", status=404)
