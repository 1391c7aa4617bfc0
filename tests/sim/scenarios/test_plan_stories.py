"""Payment plans and open pages, told in time."""

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest

from billing.invoice import Source, Status
from billing.notice import NoticeKind
from billing.plan import PlanStatus
from billing.planning import Agreement
from functions.create_plan.flow import create
from tests.sim.scenarios.stage import Stage
from tests.sim.workload import PRACTICE


def _plan(stage: Stage, client: str, weeks: int, start_on: date) -> None:
    now = stage.world.now

    def act(ports: dict[str, Any]) -> None:
        create(ports["store"], ports["cards"], PRACTICE, client, weeks, start_on, Agreement(), now)

    assert stage.does("staff", act) == "done"
    stage.forward(seconds=10)


def test_250_dollars_over_four_weeks_are_four_charges_of_62_50() -> None:
    # PLAN-4, PLAN-5
    stage = Stage()
    stage.client("client_with_a_plan", autopay=True)
    first = stage.owes("client_with_a_plan", 150_00, "claim_1")
    stage.owes("client_with_a_plan", 100_00, "claim_2")
    _plan(stage, "client_with_a_plan", 4, date(2026, 11, 18))
    (schedule,) = stage.mails("client_with_a_plan", NoticeKind.PLAN_SCHEDULE)
    assert [item.amount for item in schedule.letter.items] == [62_50] * 4
    assert stage.invoice("client_with_a_plan", first.invoice_id).status is Status.MOVED_TO_PLAN
    assert stage.books("client_with_a_plan").balance == 250_00

    stage.forward(weeks=5)
    assert stage.taken("client_with_a_plan") == [62_50] * 4
    tried = stage.tried("client_with_a_plan")
    assert [round((later - at) / timedelta(weeks=1), 3) for at, later in pairwise(tried)] == [1, 1, 1]
    for invoice in stage.books("client_with_a_plan").invoices:
        if invoice.source is Source.PLAN:
            assert tried[invoice.ordinal] - invoice.issued_at < timedelta(hours=24)
    (plan,) = stage.books("client_with_a_plan").plans
    assert plan.status is PlanStatus.COMPLETED
    assert stage.books("client_with_a_plan").balance == 0
    stage.ends_well()


def test_a_plan_closes_the_payment_page_that_is_open_in_another_tab() -> None:
    # PLAN-4: a page left open would collect what the plan collects again
    stage = Stage()
    person = stage.client("client_with_a_tab_open", autopay=True)
    invoice = stage.owes("client_with_a_tab_open", 250_00)
    session = stage.opens(person, invoice.invoice_id)
    _plan(stage, "client_with_a_tab_open", 4, date(2026, 11, 18))
    assert stage.submits_page(session) == "closed"
    stage.ends_well()
    assert stage.taken("client_with_a_tab_open") == [62_50] * 4


def test_a_page_paid_a_moment_before_the_plan_leaves_nothing_to_split() -> None:
    # PLAN-2
    stage = Stage()
    person = stage.client("client_who_just_paid", autopay=True)
    invoice = stage.owes("client_who_just_paid", 250_00)
    session = stage.opens(person, invoice.invoice_id)
    stage.world.stripe.embedded.complete_checkout(session, number="4242424242424242")
    with pytest.raises(AssertionError, match="no_balance"):
        _plan(stage, "client_who_just_paid", 4, date(2026, 11, 18))
    stage.ends_well()
    assert stage.taken("client_who_just_paid") == [250_00]


def test_of_two_tabs_one_pays_and_the_other_is_closed() -> None:
    # Invariant 4: at most one open attempt per invoice
    stage = Stage()
    person = stage.client("client_with_two_tabs")
    invoice = stage.owes("client_with_two_tabs", 62_50)
    first = stage.opens(person, invoice.invoice_id)
    second = stage.opens(person, invoice.invoice_id)
    assert stage.submits_page(first) == "closed"
    assert stage.submits_page(second) == "complete"
    stage.ends_well()
    assert stage.taken("client_with_two_tabs") == [62_50]


def test_two_failed_instalments_break_the_plan_and_the_rest_is_one_invoice() -> None:
    # PLAN-7
    stage = Stage(retry_days=(1,))
    person = stage.client("client_whose_plan_breaks", autopay=True)
    stage.owes("client_whose_plan_breaks", 250_00)
    _plan(stage, "client_whose_plan_breaks", 4, date(2026, 11, 18))
    stage.forward(days=4)
    assert stage.taken("client_whose_plan_breaks") == [62_50]
    person.card_becomes("insufficient_funds")
    stage.forward(weeks=4)
    books = stage.books("client_whose_plan_breaks")
    assert books.plans[0].status is PlanStatus.BROKEN
    (rest,) = [i for i in books.invoices if i.open_amount]
    assert (rest.source, rest.open_amount) == (Source.PLAN_REMAINDER, 187_50)
    assert stage.mails("client_whose_plan_breaks", NoticeKind.PLAN_BROKEN)
    stage.ends_well()
