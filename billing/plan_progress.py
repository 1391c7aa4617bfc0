"""What a payment, a failed charge or a lost dispute of one instalment does to its plan: the last payment completes it,
the second failure breaks it into one invoice (PLAN-7).
"""

from dataclasses import replace

from billing.draft import Draft
from billing.dunning import new_invoice
from billing.facts import FactKind
from billing.invoice import Invoice, Source
from billing.ledger import Entry, receivable_moved
from billing.plan import BROKEN_AFTER_FAILED, Instalment, InstalmentStatus, Plan, PlanStatus
from billing.policy import Practice


def instalment_paid(draft: Draft, paid_id: str) -> None:
    """Tell the plan; the last one completes it."""
    invoice = draft.books.invoice(paid_id)
    plan = draft.books.plan(invoice.plan_id) if invoice else None
    if invoice is None or plan is None or invoice.open_amount:
        return
    plan = _with_instalment(plan, paid_id, InstalmentStatus.PAID)
    done = plan.status is PlanStatus.ACTIVE and all(
        i.status in (InstalmentStatus.PAID, InstalmentStatus.SKIPPED) for i in plan.instalments
    )
    if done:
        plan = replace(plan, status=PlanStatus.COMPLETED)
    draft.change(plan)
    if done:
        draft.change(replace(draft.books.account, active_plan=""))
        draft.fact(FactKind.PLAN_COMPLETED, plan, {"plan_id": plan.plan_id, "amount": plan.total})


def instalment_failed(draft: Draft, failed_id: str, practice: Practice) -> None:
    """Tell an active plan that this instalment will not be paid by itself; the second one breaks the plan."""
    invoice = draft.books.invoice(failed_id)
    plan = draft.books.plan(invoice.plan_id) if invoice else None
    if plan is None or plan.status is not PlanStatus.ACTIVE:
        return
    plan = _with_instalment(plan, failed_id, InstalmentStatus.FAILED)
    failed = sum(1 for i in plan.instalments if i.status is InstalmentStatus.FAILED)
    draft.change(plan)
    if failed >= BROKEN_AFTER_FAILED:
        _break_plan(draft, plan, practice)


def _break_plan(draft: Draft, plan: Plan, practice: Practice) -> None:
    """The plan ends and what is left of it becomes one invoice, due normally (PLAN-7).

    An instalment whose payment is on its way right now stays its own invoice.
    """
    broken = replace(plan, status=PlanStatus.BROKEN)
    invoice, moved = into_one_invoice(draft, plan, broken, practice)
    data: dict[str, str | int] = {"plan_id": plan.plan_id, "invoice_id": invoice.invoice_id, "amount": invoice.amount}
    draft.fact(FactKind.PLAN_BROKEN, broken, data, moved)


def into_one_invoice(draft: Draft, plan: Plan, over: Plan, practice: Practice) -> tuple[Invoice, tuple[Entry, ...]]:
    """An active plan becomes `over`, and what is left of it one invoice -> that, and the entries for the caller's
    fact."""
    now = draft.now
    moved: list[tuple[str, int]] = []
    for instalment in plan.instalments:
        invoice = draft.books.invoice(instalment.invoice_id)
        if invoice is not None and invoice.open_amount and not invoice.open_attempt:
            moved.append((invoice.invoice_id, invoice.open_amount))
            draft.change(moved_away(invoice))
    if plan.not_yet_issued:
        moved.append((plan.plan_id, plan.not_yet_issued))
    draft.change(replace(over, next_issue_at=None))
    draft.change(replace(draft.books.account, active_plan=""))
    new = new_invoice(
        practice,
        plan.client,
        Source.PLAN_REMAINDER,
        plan.plan_id,
        sum(amount for _, amount in moved),
        service_date=now.date(),
        provider=draft.books.account.provider,
        now=now,
    )
    draft.insert(new)
    return new, receivable_moved(moved, new.invoice_id)


def moved_away(invoice: Invoice) -> Invoice:
    """The invoice with all that is open moved to a plan (or from a broken plan into its remainder)."""
    return replace(invoice, moved=invoice.moved + invoice.open_amount, charge_at=None, remind_at=None, past_due_at=None)


def _with_instalment(plan: Plan, invoice: str, status: InstalmentStatus) -> Plan:
    def settled(i: Instalment) -> Instalment:
        return replace(i, status=status) if i.invoice_id == invoice else i

    return replace(plan, instalments=tuple(settled(i) for i in plan.instalments))
