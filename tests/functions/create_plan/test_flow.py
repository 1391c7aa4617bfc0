"""A plan from the first request to its end, told in time."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from billing.account import Account, Books
from billing.autopay import end_autopay
from billing.facts import FactKind
from billing.invoice import Invoice
from billing.plan import InstalmentStatus, PlanStatus
from billing.planning import Agreement
from billing.ports import Conflict, Insert, Refused, TryAgain, Write
from functions.create_plan import flow as create_plan
from tests.billing.claim_examples import OWES_62_50, SUBMITTED
from tests.billing.examples import BY_HAND, CONTACT, ENROLLED, NOW, PRACTICE, announced, invoice
from tests.fakes.cards import FakeCards
from tests.fakes.store import MemoryStore
from tests.fakes.story import Story, visa_details

TODAY = date(2026, 11, 20)


def owing(*amounts: int) -> Story:
    """Ana, with autopay, and open invoices of these amounts."""
    story = Story()
    for number, amount in enumerate(amounts):
        one = announced(amount, f"inv_{number}", charge_at=NOW + timedelta(hours=3))
        story.store.commit(Insert(replace(one, issued_at=NOW - timedelta(days=number))))
    return story


def instalments(story: Story) -> list[Invoice]:
    return [i for i in story.books.invoices if i.plan_id]


def test_250_dollars_over_four_weeks_is_four_times_62_50_charged_weekly() -> None:
    """PLAN-1, PLAN-4, PLAN-5, PLAN-3: from the request to the last receipt."""
    story = owing(15000, 10000)
    plan = story.plan(4, TODAY + timedelta(days=3))
    assert [i.amount for i in plan.instalments] == [6250] * 4
    assert {i.status for i in story.books.invoices} == {"moved_to_plan"}
    assert story.mails == ["plan_schedule"]
    assert story.books.balance == 25000
    story.forward(days=40)
    assert story.cards.taken == [(f"pay_{a.attempt_id[4:20]}_{a.number}", 6250) for a in story.books.attempts]
    assert [a.started_at for a in story.books.attempts] == [
        datetime(2026, 11, 24, 5, 0, tzinfo=UTC) + timedelta(weeks=week) for week in range(4)
    ]
    assert story.mails == ["plan_schedule", *["instalment", "receipt"] * 4]
    (ended,) = story.books.plans
    assert ended.status is PlanStatus.COMPLETED
    assert (story.books.balance, story.books.account.active_plan) == (0, "")
    assert story.store.next_due() is None


def test_each_instalment_is_charged_at_the_moment_the_schedule_named() -> None:
    """PLAN-3, PLAN-5: the schedule mailed at consent is the notice of every instalment."""
    story = owing(25000)
    story.plan(2, TODAY)
    (schedule,) = story.letters
    story.forward(days=20)
    assert [item.on for item in schedule.items] == [a.started_at for a in story.books.attempts]
    assert [item.amount for item in schedule.items] == [12500, 12500]


def test_pending_charges_and_reminders_of_moved_invoices_are_gone() -> None:
    """PLAN-4"""
    story = owing(25000)
    story.plan(4, TODAY + timedelta(days=14))
    story.forward(days=13)
    assert story.taken == 0
    assert story.mails == ["plan_schedule"]


def test_a_later_invoice_is_not_part_of_the_plan() -> None:
    """PLAN-6"""
    story = owing(25000)
    story.plan(4, TODAY + timedelta(days=14))
    story.submit(SUBMITTED)
    story.receive(OWES_62_50)
    story.forward(days=3)
    assert story.taken == 6250
    assert story.books.plans[0].status is PlanStatus.ACTIVE


def test_every_message_twice_makes_the_same_plan() -> None:
    story = owing(25000)
    story.copies = 2
    story.plan(4, TODAY)
    story.forward(days=40)
    assert story.taken == 25000
    assert [i.amount for i in instalments(story)] == [6250] * 4


def test_two_instalments_that_never_went_through_break_the_plan() -> None:
    """PLAN-7: the remainder is one invoice, client and staff are told, and nothing is charged by itself."""
    story = owing(25000)
    story.plan(4, TODAY)
    story.cards.cards["pm_visa"] = "lost_card"
    story.forward(days=8)
    (plan,) = story.books.plans
    assert plan.status is PlanStatus.BROKEN
    (remainder,) = [i for i in story.books.invoices if i.open_amount]
    assert remainder.amount == story.books.balance == 25000
    assert [mail for mail in story.mails if mail != "reminder"] == [
        "plan_schedule",
        "instalment",
        "charge_failed",
        "instalment",
        "plan_broken",
    ]
    assert len(story.alerts) == 2
    assert story.books.account.active_plan == ""
    story.forward(days=90)
    assert story.taken == 0
    assert [i.status for i in story.books.invoices if i.open_amount] == ["past_due"]


def test_a_failed_instalment_that_is_paid_by_hand_lets_the_plan_complete() -> None:
    """PLAN-7, AUTO-8"""
    story = owing(25000)
    story.plan(2, TODAY)
    story.cards.cards["pm_visa"] = "lost_card"
    story.forward(hours=13)
    story.cards.cards["pm_visa"] = "ok"
    (failed,) = instalments(story)
    assert story.books.plans[0].instalments[0].status is InstalmentStatus.FAILED
    story.pay(failed.invoice_id)
    story.forward(days=10)
    assert story.books.plans[0].status is PlanStatus.COMPLETED
    assert story.taken == 25000


def test_a_failed_instalment_becomes_past_due_like_any_invoice() -> None:
    """INV-8: one failed instalment does not break a plan, and must not be forgotten either."""
    story = owing(25000)
    story.plan(2, TODAY)
    story.cards.cards["pm_visa"] = "lost_card"
    story.forward(hours=13)
    story.cards.cards["pm_visa"] = "ok"
    story.forward(days=61)
    assert [i.status for i in instalments(story)] == ["past_due", "paid"]


def test_a_plan_whose_client_turned_autopay_off_asks_instead_of_charging() -> None:
    """LAW-7: no mail may announce a charge that cannot happen."""
    story = owing(25000)
    story.plan(2, TODAY)
    story.store.commit(*end_autopay(story.books, PRACTICE, "client", "client", story.now))
    story.settle()
    story.forward(days=8)
    assert story.taken == 0
    assert story.mails[:2] == ["plan_schedule", "autopay_off"]
    assert set(story.mails[2:]) == {"reminder"}
    assert {i.status for i in instalments(story)} == {"open"}
    assert story.books.balance == 25000


def test_an_instalment_without_any_accepted_notice_is_not_charged_and_not_looked_at_for_ever() -> None:
    """AUTO-3: no charge without an accepted notice; PLAN-5: the schedule is one, the reminder at issue is another."""
    story = owing(25000)
    story.mailer.refused.add(CONTACT.email)
    story.plan(2, TODAY)
    story.forward(days=1)
    assert story.taken == 0
    assert [f.data["reason"] for f in story.facts if f.kind == FactKind.CHARGE_CANCELLED] == ["no_notice"]
    assert {i.status for i in instalments(story)} == {"open"}


def test_the_reminder_at_issue_stands_in_for_a_schedule_that_was_refused() -> None:
    """AUTO-3, PLAN-5"""
    story = owing(25000)
    story.mailer.refused.add(CONTACT.email)
    story.plan(2, TODAY + timedelta(days=1))
    story.mailer.refused.clear()
    story.forward(days=2)
    assert story.taken == 12500
    assert story.mails == ["instalment", "receipt"]


# -------------------------------------------------------------------------------------------- attempts on their way


def create(store: MemoryStore, cards: FakeCards, weeks: int = 4) -> Books:
    return create_plan.create(store, cards, "riverbend", "ana", weeks, TODAY, Agreement(), NOW).books


def test_an_open_payment_page_is_closed_before_its_invoice_moves() -> None:
    """PLAN-4: after open payment attempts were closed."""
    story = owing(25000)
    session = story.open_page("inv_0")
    story.plan(4, TODAY)
    assert story.cards.pages[session].state == "expired"
    assert story.books.plans[0].total == 25000


def test_what_was_paid_on_the_page_a_moment_ago_is_not_planned() -> None:
    """PLAN-4: closing finds the payment, settles it, and the plan is decided anew."""
    story = owing(15000, 10000)
    story.cards.pay_on_page(story.open_page("inv_0"), visa_details())
    story.plan(4, TODAY)
    assert story.books.plans[0].total == 10000
    assert story.mails == ["receipt", "plan_schedule"] or story.mails == ["plan_schedule", "receipt"]


def test_a_payment_being_processed_refuses_the_plan_by_its_rule() -> None:
    """PLAN-2"""
    story = owing(25000)
    story.cards.pay_on_page(story.open_page("inv_0"), visa_details(), processing=True)
    with pytest.raises(Refused) as refusal:
        create(story.store, story.cards)
    assert (refusal.value.rule, refusal.value.code, refusal.value.status) == ("PLAN-2", "payment_in_progress", 409)


@pytest.mark.parametrize(
    "account", [BY_HAND, replace(ENROLLED, active_plan="plan_1")], ids=["no autopay", "has a plan"]
)
def test_a_refused_plan_closes_nobodys_payment_page(account: Account) -> None:
    """PLAN-2: the client may be typing their card number."""
    story = Story(account)
    story.store.commit(Insert(invoice(25000)))
    session = story.open_page("inv_session")
    with pytest.raises(Refused):
        create(story.store, story.cards)
    assert story.cards.pages[session].state == "open"


def test_an_unknown_client_is_404() -> None:
    story = Story()
    with pytest.raises(Refused) as refusal:
        create_plan.create(story.store, story.cards, "riverbend", "nobody", 4, TODAY, Agreement(), NOW)
    assert refusal.value.status == 404


class AlwaysRaced(MemoryStore):
    """Another writer is always first."""

    def commit(self, *writes: Write) -> None:
        raise Conflict("another writer was first")


def test_a_lost_race_is_decided_anew_and_gives_up_after_a_few_tries() -> None:
    story = owing(25000)
    raced = AlwaysRaced()
    raced.__dict__.update(story.store.__dict__)
    with pytest.raises(TryAgain):
        create(raced, story.cards)
