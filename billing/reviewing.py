"""While somebody looks into an invoice: nothing is charged, reminded of or aged (INV-7).

Several causes may question one invoice at once: claim results on hold, the client's own request. It goes on when the
last of them is decided, later by exactly the time it stood still. A charge that was announced is announced anew, with a
notice and a period of its own; the old moment never comes back.
"""

from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta

from billing.account import Account, Books
from billing.adjusting import refuse_disputed, refuse_in_progress
from billing.autopay import minimum_notice
from billing.correcting import Why, correct
from billing.draft import Draft
from billing.dunning import back_to_reminders
from billing.explain import ExplainedLine
from billing.facts import FactKind
from billing.invoice import Invoice, Source
from billing.money import Cents
from billing.period import local_date, local_instant, whole_minute
from billing.plan import CHARGE_AFTER_ISSUE, PlanStatus
from billing.policy import Practice
from billing.ports import Refused
from billing.review import AskedBy, Review, ReviewStatus, review_id
from billing.review_ending import begin, end

RULE = "INV-7"


def question(invoice: Invoice, cause: str, now: datetime) -> Invoice:
    """The invoice with one more cause (the id of a hold or a review) to look into it. Does not raise the version."""
    if cause in invoice.reviews:
        return invoice
    return replace(
        invoice,
        reviews=(*invoice.reviews, cause),
        paused_at=invoice.paused_at or now,
        charge_paused=invoice.charge_paused or invoice.charge_at is not None,
        charge_at=None,
    )


def resume(books: Books, invoice: Invoice, cause: str, practice: Practice, now: datetime) -> Invoice:
    """The invoice without this cause. With the last one it goes on: reminders on the days that are left, the payment
    window longer by the pause, and the charge of a plan's instalment at a new moment (its reminder says which); any
    other charge only when a new notice is accepted. Does not raise the version."""
    left = tuple(c for c in invoice.reviews if c != cause)
    if left or not invoice.in_review:
        return replace(invoice, reviews=left)
    window_ends = invoice.past_due_at
    if window_ends is not None and invoice.paused_at is not None:
        window_ends = _later(window_ends, now - invoice.paused_at, practice)
    going_on = replace(invoice, reviews=(), paused_at=None, charge_paused=False, past_due_at=window_ends)
    if invoice.charge_paused:
        going_on = replace(going_on, tries=0, first_tried_at=None)
    going_on = back_to_reminders(going_on, practice, now)
    if invoice.charge_paused and _is_charged_as_instalment(books, invoice):
        moment = whole_minute(now + max(CHARGE_AFTER_ISSUE, minimum_notice(practice)))
        going_on = replace(going_on, charge_at=moment, remind_at=None)
    return going_on


def end_review(draft: Draft, invoice: Invoice, cause: str, practice: Practice) -> Invoice:
    """`resume` within a draft, with the fact that has the next letter where this was the last cause."""
    if cause not in invoice.reviews:
        return invoice
    announce = announces_again(draft.books.account, invoice)
    after = resume(draft.books, invoice, cause, practice, draft.now)
    draft.change(after)
    if not after.in_review:
        data: dict[str, str | int] = {"invoice_id": invoice.invoice_id, "announce": int(announce)}
        draft.fact(FactKind.INVOICE_RESUMED, after, data)
    return after


def announces_again(account: Account, paused: Invoice) -> bool:
    """Whether autopay asks for it again: its charge was announced, or would have been but for the pause. One that the
    client stopped, or that had failed for good, stays stopped (LAW-7); nor does autopay that is turned on after this
    ask for it unless they tick it (AUTO-1)."""
    joined = account.enrolled_at is None or paused.issued_at >= account.enrolled_at
    return account.autopay and (paused.charge_paused or (joined and not paused.notice_id))


def _later(window_ends: datetime, pause: timedelta, practice: Practice) -> datetime:
    """The first instant of a day again, in the practice's zone: a part of a day counts as one (INV-8)."""
    days = -(-pause // timedelta(days=1))
    day = local_date(window_ends, practice.time_zone) + timedelta(days=days)
    return local_instant(day, time(0, 0), practice.time_zone)


def _is_charged_as_instalment(books: Books, invoice: Invoice) -> bool:
    plan = books.plan(invoice.plan_id)
    enrolled = books.account.autopay and books.default_card is not None
    return plan is not None and plan.status is PlanStatus.ACTIVE and enrolled and invoice.open_amount > 0


# ---------------------------------------------------------------------------------------------------- the request


@dataclass(frozen=True)
class Asked:
    """What somebody asks to look into: the amount the plan quoted in cents, None where they do not know it."""

    by: AskedBy
    reason: str = ""
    quoted: Cents | None = None
    call_reference: str = ""


def request_review(draft: Draft, invoice: Invoice, asked: Asked) -> Review:
    """Open a review and pause the invoice; where one is open already, that one, with nothing changed.

    Raises Refused: a void invoice, a part of a plan, a payment that a bank decides about; last, one that is on its way,
    which closing open attempts may remove.
    """
    before = draft.books.reviews_of(invoice.invoice_id)
    for review in before:
        if review.is_open:
            return review
    if invoice.void:
        raise Refused("void", "This invoice was cancelled: nothing is owed for it.", rule=RULE)
    if invoice.source in (Source.PLAN, Source.PLAN_REMAINDER):
        raise Refused("plan", "This is a part of a payment plan: ask about the bill that it came from.", rule=RULE)
    refuse_disputed(invoice, RULE)
    refuse_in_progress(invoice, RULE)
    account = draft.books.account
    review = Review(
        practice=account.practice,
        client=account.client,
        review_id=review_id(account.practice, account.client, invoice.invoice_id, len(before)),
        version=1,
        invoice_id=invoice.invoice_id,
        opened_at=draft.now,
        asked_by=asked.by,
        amount=invoice.total,
        quoted=asked.quoted,
        reason=asked.reason,
        call_reference=asked.call_reference,
    )
    paused = question(invoice, review.review_id, draft.now)
    begin(draft, review)
    draft.change(paused)
    draft.fact(FactKind.INVOICE_PUT_IN_REVIEW, paused, {"invoice_id": invoice.invoice_id})
    told: dict[str, str | int] = {
        "review_id": review.review_id,
        "invoice_id": invoice.invoice_id,
        "amount": invoice.open_amount or invoice.total,
        "open": invoice.open_amount,
        "announced": int(invoice.charge_at is not None),
    }
    draft.fact(FactKind.REVIEW_REQUESTED, review, told)
    return review


# ---------------------------------------------------------------------------------------------------- the decision


@dataclass(frozen=True)
class Decision:
    """What staff decided. `amount`: what the invoice asks for from now on, in cents; None where it stays · `by`: the
    name of their API key."""

    amount: Cents | None
    reason: str
    call_reference: str = ""
    by: str = ""


def uphold(draft: Draft, review: Review, decision: Decision, practice: Practice) -> None:
    """The amount stands: the invoice goes on, and the client is told (INV-7)."""
    invoice = reviewed_invoice(draft.books, review)
    record_decision(draft, review, decision)
    end_review(draft, invoice, review.review_id, practice)


def refuse_correction(invoice: Invoice, amount: Cents) -> None:
    """Raise Refused where the amount of this invoice cannot become that."""
    if amount == invoice.total:
        raise Refused("same_amount", "That is what the invoice asks for: uphold it.", rule=RULE)


def correct_estimate_or_own(
    draft: Draft, review: Review, decision: Decision, lines: tuple[ExplainedLine, ...], practice: Practice
) -> None:
    """Another amount for an invoice that no claim result stands behind: only the difference moves, and one mail says so
    (INV-3). `lines`: its explanation so far. An estimate stays one: its claim's result corrects it again.

    Raises Refused `not_decided_yet` where more is asked of an estimate that was paid: that is billed with the result.
    """
    invoice = reviewed_invoice(draft.books, review)
    assert decision.amount is not None, "a correction names the amount"
    announced = announces_again(draft.books.account, invoice)
    draft.change(resume(draft.books, invoice, review.review_id, practice, draft.now))
    changed = correct(
        draft, [invoice.invoice_id], decision.amount, practice, Why.REVIEW, lines, announced_before=announced
    )
    if invoice.estimated:
        if any(one.invoice_id != invoice.invoice_id for one in changed):
            sentence = "This is an estimate, and paid: what comes on top is billed when the plan has decided."
            raise Refused("not_decided_yet", sentence, rule=RULE)
        draft.change(replace(reviewed_invoice(draft.books, review), estimated=True))
    record_decision(draft, review, decision)


def reviewed_invoice(books: Books, review: Review) -> Invoice:
    invoice = books.invoice(review.invoice_id)
    assert invoice is not None, f"{review.review_id} is about {review.invoice_id}, which is not there"
    return invoice


def record_decision(draft: Draft, review: Review, decision: Decision) -> None:
    """The review as it is decided, and the fact; what becomes of its invoice is the caller's."""
    amount = reviewed_invoice(draft.books, review).total if decision.amount is None else decision.amount
    decided = replace(
        review,
        status=_status(decision),
        asked_since=amount,
        decided_reason=decision.reason,
        decided_reference=decision.call_reference,
        decided_by=decision.by,
    )
    end(draft, review, decided)


def _status(decision: Decision) -> ReviewStatus:
    return ReviewStatus.UPHELD if decision.amount is None else ReviewStatus.CORRECTED


def decided_before(review: Review, decision: Decision) -> bool:
    """Whether this very decision was taken. Raises Refused `already_decided` where another one was."""
    if review.is_open:
        return False
    if review.status is not _status(decision) or decision.amount not in (None, review.asked_since):
        detail = f"This review was decided before: {review.status.replace('_', ' ')}."
        raise Refused("already_decided", detail, rule=RULE)
    return True
