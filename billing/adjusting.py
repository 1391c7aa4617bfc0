"""What staff change about what an invoice asks for: void it, or write it off (DESK-3).

Each decision goes into a draft and raises Refused where it may not be. A payment on its way is the last reason to say
no: it is the one that closing open attempts may remove (the flow does that, then asks again).
"""

from dataclasses import replace

from billing.account import Books
from billing.draft import Draft
from billing.facts import FactKind
from billing.invoice import Invoice
from billing.ledger import voided, written_off
from billing.money import Cents
from billing.plan import PlanStatus
from billing.planning import PAYMENT_IN_PROGRESS
from billing.ports import Refused
from billing.review import ReviewStatus
from billing.review_ending import end_with

RULE = "DESK-3"


def void(draft: Draft, invoice: Invoice) -> Cents:
    """The invoice should never have been -> the cents that are owed no more. Only where nothing was paid or moved."""
    if invoice.void:
        raise _no("already_void", "This invoice is void already.")
    refuse_disputed(invoice, RULE)
    if invoice.moved:
        raise _no("moved_to_plan", "This invoice is part of a payment plan: what is owed is owed there.")
    if invoice.paid or invoice.credited:
        raise _no("already_paid", "Something was paid on this invoice: refund it instead.")
    if invoice.written_off:
        raise _no("nothing_open", "This invoice was written off: nothing is asked for any more.")
    _refuse_in_plan(draft.books, invoice)
    refuse_in_progress(invoice, RULE)
    amount = invoice.open_amount
    changed = replace(asked_for_no_more(invoice), void=True)
    draft.change(changed)
    told = _told(invoice) | end_with(draft, changed, ReviewStatus.VOIDED)
    draft.fact(FactKind.INVOICE_VOIDED, changed, told, voided(invoice.invoice_id, amount))
    return amount


def write_off(draft: Draft, invoice: Invoice) -> Cents:
    """What is open is not asked for any more -> how much that was."""
    refuse_disputed(invoice, RULE)
    if not invoice.open_amount:
        raise _no("nothing_open", "Nothing of this invoice is open.")
    _refuse_in_plan(draft.books, invoice)
    refuse_in_progress(invoice, RULE)
    amount = invoice.open_amount
    changed = replace(asked_for_no_more(invoice), written_off=invoice.written_off + amount)
    draft.change(changed)
    told = _told(invoice) | end_with(draft, changed, ReviewStatus.WRITTEN_OFF)
    draft.fact(FactKind.INVOICE_WRITTEN_OFF, changed, told, written_off(invoice.invoice_id, amount))
    return amount


def _told(before: Invoice) -> dict[str, str | int]:
    """What the fact says, of the invoice as it was before. `announced`: whether a charge of it was."""
    announced = int(before.charge_at is not None)
    return {"invoice_id": before.invoice_id, "amount": before.open_amount, "announced": announced}


def asked_for_no_more(invoice: Invoice) -> Invoice:
    """No charge, no reminder, no ageing."""
    return replace(invoice, charge_at=None, remind_at=None, past_due_at=None)


def refuse_disputed(invoice: Invoice, rule: str) -> None:
    """Raise Refused while a bank decides about a payment of this invoice (PAY-13)."""
    if invoice.disputed:
        sentence = "The client's bank is looking into a payment of this invoice: wait for its decision."
        raise Refused("disputed", sentence, rule=rule)


def refuse_in_progress(invoice: Invoice, rule: str) -> None:
    """Raise Refused while a payment of this invoice may be on its way."""
    if invoice.open_attempt:
        sentence = "A payment is on its way right now: try again in a few minutes."
        raise Refused(PAYMENT_IN_PROGRESS, sentence, rule=rule)


def _refuse_in_plan(books: Books, invoice: Invoice) -> None:
    plan = books.plan(invoice.plan_id)
    if plan is not None and plan.status is PlanStatus.ACTIVE:
        sentence = f"This is an instalment of an active payment plan: end {plan.plan_id} first, then it is one invoice."
        raise _no("in_plan", sentence)


def _no(code: str, detail: str) -> Refused:
    return Refused(code, detail, rule=RULE)
