"""Planted bugs about payment plans."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

from billing import plan as plans
from billing import plan_progress, planning
from billing.account import Books
from billing.draft import Draft
from billing.plan import InstalmentStatus, Plan
from billing.policy import Practice
from billing.ports import CardGateway, Store
from functions.create_plan import flow as create_plan
from tests.sim.mutants.charges import TWICE
from tests.sim.mutants.planted import planted


@planted("a payment finished in a tab after the plan began", found=TWICE + "|invariant 4 |crashed", seed=7)
def a_plan_beside_an_open_page() -> Iterator[None]:
    """The plan takes the invoices without closing the payment page that is open on them in another tab."""

    def forget_the_page(store: Store, cards: CardGateway, books: Books, invoices: object, now: datetime) -> Books:
        return replace(books, invoices=tuple(replace(i, open_attempt=0) for i in books.invoices))

    with patch.object(create_plan, "close_open_attempts", forget_the_page):
        yield


@planted("instalments that do not sum", found="invariant [25] |crashed", seed=3)
def instalments_rounded_one_by_one() -> Iterator[None]:
    """Each instalment is the total divided and rounded: four times 62.53 is not 250.10."""
    with patch.object(plans, "split_evenly", lambda total, parts: (round(total / parts),) * parts):
        yield


@planted("a bill in a plan and beside it", found="invariant [2] |crashed|the auditor, .*owes", seed=1)
def a_plan_that_leaves_its_bills_open() -> Iterator[None]:
    """The plan is made, and the bills it covers are still asked for."""
    with patch.object(planning, "moved_away", lambda invoice: replace(invoice, charge_at=None)):
        yield


@planted("the rest of a broken plan forgotten", found="invariant [25] |crashed|the auditor, .*owes", seed=30)
def a_broken_plan_forgets_what_was_not_yet_issued() -> Iterator[None]:
    """What is left of a broken plan counts the instalments that were issued, and not those still to come."""
    real = plan_progress._break_plan

    def forget(draft: Draft, plan: Plan, practice: Practice) -> None:
        gone = tuple(replace(i, amount=0) if not i.invoice_id else i for i in plan.instalments)
        real(draft, replace(plan, instalments=gone), practice)

    with patch.object(plan_progress, "_break_plan", forget):
        yield


@planted("a schedule that moves with every delay", found="weeks apart", seed=68)
def instalments_a_week_after_the_last() -> Iterator[None]:
    """Each instalment is issued a week after the one before was: a gap of three days moves all that follow."""
    real = planning.issue_instalment

    def from_now(books: Books, plan: Plan, practice: Practice, now: datetime) -> Any:
        late = now - plan.next_issue_at if plan.next_issue_at else timedelta(0)
        to_come = [i for i in plan.instalments if i.status is InstalmentStatus.PLANNED][1:]
        moved = tuple(replace(i, issue_on=i.issue_on + late) if i in to_come else i for i in plan.instalments)
        return real(books, replace(plan, instalments=moved), practice, now)

    with patch.object(create_plan, "issue_instalment", from_now):
        yield
