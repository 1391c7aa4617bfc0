"""Staff record money from outside and send money back: once per key, never beside a charge (INV-10, PAY-12)."""

from contextlib import suppress
from copy import deepcopy
from dataclasses import replace

import pytest

from billing.account import Account
from billing.facts import FactKind
from billing.invoice import Status
from billing.ledger import Book
from billing.outside_payment import PaidBy
from billing.plan import InstalmentStatus, PlanStatus
from billing.policy import OutsidePayments
from billing.ports import Refused, Update
from billing.staff_action import Deed
from functions.change_invoice.flow import Done
from tests.billing.examples import BY_HAND, ENROLLED, NOW, PRACTICE
from tests.fakes.cards import Crash
from tests.fakes.moment import every_moment
from tests.fakes.story import Story, visa_details
from tests.functions.change_invoice.staff import BILL, VOID, ask, billed, deeds, of_kind, refused, request, sound

CASH = replace(VOID, deed=Deed.OUTSIDE_PAYMENT, amount=62_50, reason="Cash at the desk", method=PaidBy.CASH)
RECORDING = replace(PRACTICE, version=2, policy=replace(PRACTICE.policy, outside_payments=OutsidePayments.RECORDED))


def recording(account: Account = BY_HAND) -> Story:
    """As `billed`, at a practice that records payments from outside."""
    story = billed(account)
    story.store.commit(Update(RECORDING))
    return story


def test_inv_10_a_practice_records_nothing_unless_it_says_so() -> None:
    assert refused(billed(), CASH) == "outside_payments_refused"


def test_inv_10_a_recorded_payment_stops_charge_and_reminders_at_once() -> None:
    """AUTO-5, INV-9: while a charge is announced; the receipt says who recorded it."""
    for account in (BY_HAND, ENROLLED):
        story = recording(account)
        done = ask(story, CASH)
        assert (done.invoice.status, done.invoice.charge_at, done.action.amount) == (Status.PAID, None, 62_50)
        story.forward(days=90)
        assert story.taken == 0
        assert story.mails == ["charge_notice" if account is ENROLLED else "invoice", "receipt"]
        assert (story.letters[-1].card, story.letters[-1].recorded) == ("Cash", True)
        assert story.alerts == []
        assert story.store.next_due() is None
        assert sound(story)


def test_inv_10_of_a_part_paid_outside_only_the_rest_is_charged() -> None:
    story = recording(ENROLLED)
    ask(story, replace(CASH, amount=20_00))
    assert (story.invoice.status, story.invoice.open_amount) == (Status.SCHEDULED, 42_50)
    assert (story.letters[-1].left, story.letters[-1].announced) == (42_50, True)
    story.forward(days=3)
    assert story.taken == 42_50
    assert story.invoice.status is Status.PAID
    assert sound(story)


def test_inv_10_no_more_than_is_owed_is_recorded() -> None:
    story = recording()
    assert refused(story, replace(CASH, amount=62_51)) == "more_than_owed"
    ask(story, replace(CASH, amount=20_00))
    assert refused(story, replace(CASH, idempotency_key="key-2")) == "more_than_owed"


def test_inv_10_a_page_that_is_open_is_closed_first_and_what_was_paid_there_counts() -> None:
    story = recording()
    session = story.open_page(BILL)
    assert ask(story, CASH).invoice.status is Status.PAID
    assert story.cards.pages[session].state == "expired"
    story = recording()
    session = story.open_page(BILL)
    story.cards.pay_on_page(session, visa_details())
    with pytest.raises(Refused) as refusal:
        ask(story, CASH)
    assert (refusal.value.code, story.invoice.paid, story.taken) == ("more_than_owed", 62_50, 62_50)


def test_inv_10_an_instalment_paid_outside_is_paid_and_its_plan_goes_on() -> None:
    """PLAN-4"""
    story = recording(ENROLLED)
    story.plan(2, NOW.date())
    story.forward(minutes=1)
    (instalment,) = (i for i in story.books.invoices if i.plan_id)
    ask(story, replace(CASH, invoice_id=instalment.invoice_id, amount=instalment.amount))
    assert story.books.plans[0].instalments[0].status is InstalmentStatus.PAID
    story.forward(days=10)
    assert story.taken == 62_50 - instalment.amount
    assert story.books.plans[0].status is PlanStatus.COMPLETED
    assert sound(story)


def test_inv_10_the_books_know_money_from_outside_from_money_at_stripe() -> None:
    story = recording()
    ask(story, CASH)
    (posted,) = (fact for fact in story.facts if fact.kind == FactKind.PAYMENT_POSTED)
    assert [(e.book, e.item, e.amount) for e in posted.entries] == [
        (Book.OUTSIDE, "", 62_50),
        (Book.RECEIVABLE, BILL, -62_50),
    ]
    assert posted.actor == "staff"


def test_pay_12_what_was_paid_outside_does_not_go_back_by_card() -> None:
    story = recording()
    ask(story, CASH)
    assert refused(story, replace(VOID, deed=Deed.REFUND, idempotency_key="key-2")) == "paid_outside"


def test_pay_12_a_refund_is_started_once_whoever_asks_at_once() -> None:
    begun = billed()
    begun.pay(BILL)
    order = replace(VOID, deed=Deed.REFUND, amount=20_00)
    story, others = begun, list[Done]()

    def meets() -> None:
        others.append(request(story, order))

    for moment in every_moment(meets):
        others.clear()
        story = deepcopy(begun)
        mine = request(story, order, moment)
        if others:
            assert mine.new != others[0].new
            assert mine.action == others[0].action
        (refund,) = story.books.refunds
        assert (mine.action.made, refund.amount, story.invoice.refunded) == ((refund.refund_id,), 20_00, 20_00)
        assert sound(story)


def test_pay_12_two_refunds_at_once_never_send_more_than_was_paid() -> None:
    begun = billed()
    begun.pay(BILL)
    order = replace(VOID, deed=Deed.REFUND, amount=40_00)
    story, codes = begun, set[str]()

    def meets() -> None:
        request(story, replace(order, idempotency_key="key-2"))

    for moment in every_moment(meets):
        story = deepcopy(begun)
        try:
            request(story, order, moment)
        except Refused as refusal:
            codes.add(refusal.code)
        else:
            if moment.came:
                with pytest.raises(Refused) as later:
                    request(story, replace(order, idempotency_key="key-3"))
                codes.add(later.value.code)
        assert sum(refund.amount for refund in story.books.refunds) == story.invoice.refunded == 40_00
    assert codes == {"more_than_paid"}


def test_inv_10_a_process_that_ends_anywhere_books_the_money_once() -> None:
    begun = recording(ENROLLED)
    begun.open_page(BILL)

    def ends() -> None:
        raise Crash

    for moment in every_moment(ends):
        story = deepcopy(begun)
        with suppress(Crash):
            request(story, CASH, moment)
        story.settle()
        assert ask(story, CASH).invoice.status is Status.PAID
        assert (of_kind(story, FactKind.PAYMENT_POSTED), len(deeds(story.store))) == (1, 1)
        assert story.mails == ["charge_notice", "receipt"]
        assert sound(story)


def test_inv_10_a_charge_that_starts_meanwhile_is_never_taken_beside_the_cash() -> None:
    """AUTO-5: never both."""
    begun = recording(ENROLLED)
    assert begun.invoice.charge_at is not None
    begun.now = begun.invoice.charge_at
    story, outcomes = begun, set[tuple[int, int]]()

    def charges() -> None:
        story.wake()

    for moment in every_moment(charges):
        story = deepcopy(begun)
        with suppress(Refused):
            request(story, CASH, moment)
        story.settle()
        assert (story.invoice.status, story.invoice.paid) == (Status.PAID, 62_50)
        outcomes.add((story.taken, len(deeds(story.store))))
    assert outcomes == {(62_50, 0), (0, 1)}
