"""While somebody looks into an invoice: nothing is charged, reminded of or aged (INV-7).

Several causes may question one invoice at once: claim results on hold, the client's own request. It goes on when the
last of them is decided, later by exactly the time it stood still. A charge that was announced is announced anew, with a
notice and a period of its own; the old moment never comes back.
"""

from dataclasses import replace
from datetime import datetime, time, timedelta

from billing.account import Account, Books
from billing.autopay import minimum_notice
from billing.draft import Draft
from billing.dunning import back_to_reminders
from billing.facts import FactKind
from billing.invoice import Invoice
from billing.period import local_date, local_instant, whole_minute
from billing.plan import CHARGE_AFTER_ISSUE, PlanStatus
from billing.policy import Practice


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
    client stopped, or that had failed for good, stays stopped (LAW-7)."""
    joined = account.enrolled_at is None or paused.issued_at >= account.enrolled_at
    return paused.charge_paused or (joined and not paused.notice_id)


def _later(window_ends: datetime, pause: timedelta, practice: Practice) -> datetime:
    """The first instant of a day again, in the practice's zone: a part of a day counts as one (INV-8)."""
    days = -(-pause // timedelta(days=1))
    day = local_date(window_ends, practice.time_zone) + timedelta(days=days)
    return local_instant(day, time(0, 0), practice.time_zone)


def _is_charged_as_instalment(books: Books, invoice: Invoice) -> bool:
    plan = books.plan(invoice.plan_id)
    enrolled = books.account.autopay and books.default_card is not None
    return plan is not None and plan.status is PlanStatus.ACTIVE and enrolled and invoice.open_amount > 0
