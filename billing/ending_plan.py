"""Staff end a payment plan (DESK-4): what is left of it becomes one invoice, due like any other."""

from dataclasses import replace

from billing.account import Books
from billing.adjusting import refuse_in_progress
from billing.draft import Draft
from billing.facts import FactKind
from billing.invoice import Invoice
from billing.plan import InstalmentStatus, Plan, PlanStatus
from billing.plan_progress import into_one_invoice
from billing.policy import Practice
from billing.ports import Refused

RULE = "DESK-4"
TO_COME = (InstalmentStatus.PLANNED, InstalmentStatus.SCHEDULED)


def end_plan(draft: Draft, plan: Plan, practice: Practice) -> Invoice:
    """What was announced is not charged, and nothing more of the plan is issued -> the invoice of what is left.

    Raises Refused `plan_over` for one that is over; last, an instalment whose payment is on its way, which closing open
    attempts may remove.
    """
    if plan.status is not PlanStatus.ACTIVE:
        raise Refused("plan_over", f"This plan is over already: it is {plan.status}.", rule=RULE)
    instalments = instalments_of(draft.books, plan)
    for invoice in instalments:
        refuse_in_progress(invoice, RULE)
    announced = [invoice for invoice in instalments if invoice.charge_at is not None]
    for invoice in announced:
        draft.call_off(replace(invoice, charge_at=None), "plan_ended")
    parts = tuple(replace(i, status=InstalmentStatus.SKIPPED) if i.status in TO_COME else i for i in plan.instalments)
    ended = replace(plan, status=PlanStatus.ENDED, instalments=parts)
    left, moved = into_one_invoice(draft, plan, ended, practice)
    data: dict[str, str | int] = {
        "plan_id": plan.plan_id,
        "invoice_id": left.invoice_id,
        "amount": left.amount,
        "announced": int(bool(announced)),
    }
    draft.fact(FactKind.PLAN_ENDED, ended, data, moved)
    return left


def instalments_of(books: Books, plan: Plan) -> tuple[Invoice, ...]:
    """The plan's instalments that were issued."""
    return tuple(one for one in books.invoices if one.plan_id == plan.plan_id)
