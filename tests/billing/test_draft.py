"""A change in the making: each row once, one version up, with the facts that say what happened."""

from dataclasses import replace

import pytest

from billing.draft import MOST_WRITES, Draft
from billing.facts import FactKind
from billing.plan import Plan, schedule
from billing.ports import Check, Insert, Update
from tests.billing.examples import ENROLLED, NOW, VISA, books, facts, invoice


def draft(*rows: object) -> Draft:
    return Draft(books(*rows), NOW, "system", "cause_1")  # type: ignore[arg-type]


def test_a_row_changed_twice_is_written_once_one_version_up() -> None:
    made = draft(invoice(6250, version=7))
    made.change(replace(made.books.invoices[0], paid=1000))
    made.change(replace(made.books.invoices[0], paid=6250))
    (write,) = made.writes()
    assert isinstance(write, Update)
    assert write.record == replace(invoice(6250), version=8, paid=6250)


def test_later_decisions_see_earlier_ones() -> None:
    made = draft(invoice(6250))
    made.change(replace(made.books.invoices[0], paid=6250))
    assert made.books.balance == 0
    made.change(replace(made.books.account, credit=5))
    assert made.books.account.credit == 5


def test_a_new_row_that_changes_again_is_inserted_at_version_1() -> None:
    plan = Plan("riverbend", "ana", "plan_1", 1, 2, NOW, (), schedule(200, 2, NOW.date()))
    made = draft()
    made.insert(plan)
    made.change(replace(plan, weeks=4))
    assert made.writes() == (Insert(replace(plan, weeks=4)),)
    assert made.books.plans == (replace(plan, weeks=4),)


def test_a_fact_carries_the_version_its_item_reached() -> None:
    made = draft(invoice(6250, version=7))
    made.change(replace(made.books.invoices[0], past_due=True))
    made.fact(FactKind.INVOICE_PAST_DUE, made.books.invoices[0], {"invoice_id": "inv_session"})
    (fact,) = facts(made.writes())
    assert (fact.version, fact.item, fact.cause) == (8, invoice(1).key.sk, "cause_1")


def test_a_fact_about_a_row_that_is_not_written_is_a_mistake() -> None:
    made = draft(invoice(6250))
    with pytest.raises(KeyError):
        made.fact(FactKind.INVOICE_PAST_DUE, made.books.invoices[0], {})


def test_what_a_decision_relied_on_is_checked_unless_it_is_written_anyway() -> None:
    made = draft()
    made.rely_on(ENROLLED)
    made.rely_on(VISA)
    made.change(replace(made.books.account, credit=1))
    checks = [w for w in made.writes() if isinstance(w, Check)]
    assert checks == [Check(VISA)]


def test_a_new_row_starts_at_version_1() -> None:
    with pytest.raises(AssertionError, match="starts at version 1"):
        draft().insert(invoice(6250, version=2))


def test_more_than_a_commit_takes_is_a_mistake_and_the_room_left_is_known() -> None:
    made = draft()
    for number in range(MOST_WRITES):
        assert made.room == MOST_WRITES - number
        made.insert(invoice(6250, f"inv_{number}"))
    assert made.room == 0
    made.insert(invoice(6250, "one too many"))
    with pytest.raises(AssertionError, match="do not fit one commit"):
        made.writes()
