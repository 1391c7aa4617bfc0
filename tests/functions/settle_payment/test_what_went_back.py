"""Stripe tells that money went back: the webhook says where to look, what is true is read again (PAY-12, PAY-13)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from billing.dispute import DisputeState
from billing.facts import FactKind
from billing.ports import Insert, Update
from billing.refund import RefundCause, RefundState
from tests.billing.examples import BY_HAND, announced, invoice
from tests.fakes.story import Story


def paid_by_card() -> Story:
    """Ana's announced charge of $62.50 has happened."""
    story = Story()
    story.store.commit(Insert(announced(6250, "inv_a")))
    story.wake()
    return story


def intent_of(story: Story) -> str:
    return story.books.attempts[0].intent_id


def test_pay_12_a_refund_whose_own_answer_was_lost_is_settled_by_its_webhook() -> None:
    story = paid_by_card()
    story.cards.fault = "lost_response"
    story.refund("inv_a")
    story.webhook("charge.refunded", 1)
    assert story.books.refunds[0].state is RefundState.POSTED
    assert story.store.next_due() is None


def test_pay_12_a_refund_that_the_bank_returned_days_later_is_undone() -> None:
    story = paid_by_card()
    story.refund("inv_a")
    story.forward(days=5)
    story.cards.decide_refund("re_1", RefundState.FAILED, "lost_or_stolen_card")
    story.webhook("refund.failed", 1)
    assert (story.books.refunds[0].state, story.invoice.refunded) == (RefundState.FAILED, 0)
    assert story.facts[-1].data["posted"] == 1
    story.refund("inv_a", request="req_2")
    assert [r.state for r in story.books.refunds].count(RefundState.POSTED) == 1


def test_pay_12_a_refund_of_the_dashboard_is_found_by_its_payment() -> None:
    """It carries none of our metadata: the payment intent it names does."""
    story = paid_by_card()
    story.cards.add_refund(intent_of(story), 2000)
    for number in range(3):
        story.webhook("refund.updated", intent=intent_of(story), event_id=f"evt_{number}")
    (refund,) = story.books.refunds
    assert (refund.cause, refund.state, story.invoice.refunded) == (RefundCause.AT_STRIPE, RefundState.POSTED, 2000)
    assert story.cards.refunds_asked == [], "what Stripe has already is not sent"


def test_pay_12_a_pending_refund_of_the_dashboard_is_looked_up_by_stripes_id() -> None:
    story = paid_by_card()
    story.cards.refund_state = RefundState.PENDING
    story.cards.add_refund(intent_of(story), 2000)
    story.webhook("charge.refunded", 1)
    story.cards.decide_refund("re_1", RefundState.POSTED)
    story.forward(minutes=5)
    assert story.books.refunds[0].state is RefundState.POSTED


def test_a_refund_of_somebody_elses_payment_is_none_of_ours() -> None:
    story = paid_by_card()
    story.cards.add_refund("pi_other", 2000)
    story.webhook("refund.updated", intent="pi_other")
    assert story.books.refunds == ()
    assert not story.dead


def test_news_of_a_refund_before_news_of_its_payment_settles_the_payment_first() -> None:
    story = Story()
    story.store.commit(Insert(announced(6250, "inv_a")))
    story.cards.fault = "lost_response"
    story.wake()
    story.cards.add_refund(f"pi_{story.books.attempts[0].attempt_id}", 6250)
    story.webhook("charge.refunded", 1)
    booked = {f.kind for f in story.facts if f.entries}
    assert booked == {FactKind.PAYMENT_POSTED, FactKind.REFUND_STARTED, FactKind.REFUND_POSTED}
    assert story.invoice.status == "refunded"


def test_a_refund_of_a_charge_that_is_not_known_to_have_happened_waits() -> None:
    story = Story()
    story.store.commit(Insert(announced(6250, "inv_a")))
    story.cards.fault = "drop"
    story.wake()
    story.webhook("charge.refunded", 1)
    assert story.books.refunds == ()
    assert not story.dead


# ------------------------------------------------------------------------------------------------------- disputes


def test_pay_13_a_dispute_freezes_and_a_lost_one_is_owed_again_without_a_charge() -> None:
    story = paid_by_card()
    dispute = story.cards.open_dispute(intent_of(story))
    story.webhook("charge.dispute.created", intent=intent_of(story))
    assert story.invoice.status == "disputed"
    story.cards.decide_dispute(dispute, DisputeState.LOST)
    story.webhook("charge.dispute.closed", intent=intent_of(story))
    assert (story.invoice.status, story.books.balance) == ("open", 6250)
    story.forward(days=70)
    assert story.taken == 6250, "autopay is on, and nothing was charged again"
    assert "reminder" in story.mails
    assert story.invoice.past_due


def test_pay_13_a_dispute_that_is_won_ends_as_if_it_had_not_been() -> None:
    story = paid_by_card()
    dispute = story.cards.open_dispute(intent_of(story))
    story.webhook("charge.dispute.created", intent=intent_of(story))
    story.cards.decide_dispute(dispute, DisputeState.WON)
    story.webhook("charge.dispute.funds_reinstated", intent=intent_of(story))
    assert (story.invoice.status, story.books.disputes[0].state) == ("paid", DisputeState.WON)
    assert story.store.next_due() is None


@pytest.mark.parametrize("late", ["charge.dispute.created", "charge.dispute.updated", "charge.dispute.closed"])
def test_pay_13_webhooks_late_twice_and_out_of_order_book_once(late: str) -> None:
    """What is true at Stripe now decides, not what an old event said."""
    story = paid_by_card()
    story.copies = 2
    dispute = story.cards.open_dispute(intent_of(story))
    story.cards.decide_dispute(dispute, DisputeState.LOST)
    for number in range(3):
        story.webhook(late, intent=intent_of(story), event_id=f"evt_{number}")
    assert story.books.balance == 6250
    assert [f.kind for f in story.facts].count(FactKind.DISPUTE_CLOSED) == 1


def test_pay_13_a_dispute_heard_of_before_its_payment_settles_the_payment_first() -> None:
    """Stripe's test card 4000 0000 0000 0259 is disputed in the moment it pays."""
    story = Story()
    story.store.commit(Insert(announced(6250, "inv_a")))
    story.cards.fault = "lost_response"
    story.wake()
    intent = f"pi_{story.books.attempts[0].attempt_id}"
    story.cards.open_dispute(intent)
    story.webhook("charge.dispute.created", intent=intent)
    assert (story.invoice.status, story.invoice.paid) == ("disputed", 6250)


def test_pay_13_a_refund_that_is_on_its_way_when_the_dispute_opens_is_left_to_stripe() -> None:
    """Stripe refuses it; the bank decides about all of the money."""
    story = paid_by_card()
    story.start_refund("inv_a", 2000)
    dispute = story.cards.open_dispute(intent_of(story))
    story.cards.decide_dispute(dispute, DisputeState.LOST)
    story.webhook("charge.dispute.closed", intent=intent_of(story))
    assert (story.books.refunds[0].state, story.books.refunds[0].reason) == (RefundState.FAILED, "charge_disputed")
    assert story.books.balance == 6250
    assert story.books.disputes[0].written_off == 0


def test_pay_12_more_than_fits_one_commit_is_booked_in_several() -> None:
    """Somebody sent one payment back in 60 parts; a commit has at most 100 writes."""
    story = paid_by_card()
    for _ in range(60):
        story.cards.add_refund(intent_of(story), 100)
    story.webhook("charge.refunded", 1)
    assert (len(story.books.refunds), story.invoice.refunded) == (60, 60_00)
    assert {r.state for r in story.books.refunds} == {RefundState.POSTED}


def test_pay_13_a_payment_of_forty_invoices_is_frozen_and_owed_again_as_one() -> None:
    """As many as one payment takes (design: The commit), each with a charge announced of its rest."""
    story = Story(BY_HAND)
    bills = [invoice(5000 + n, f"inv_{n:02}") for n in range(40)]
    story.store.commit(*(Insert(bill) for bill in bills))
    story.pay(*(bill.invoice_id for bill in bills))
    for bill in story.books.invoices:
        rest = replace(
            bill, amount=bill.amount + 900, charge_at=story.now + timedelta(days=9), version=bill.version + 1
        )
        story.store.commit(Update(rest))
    dispute = story.cards.open_dispute(intent_of(story))
    story.webhook("charge.dispute.created", intent=intent_of(story))
    assert {i.status for i in story.books.invoices} == {"disputed"}
    story.cards.decide_dispute(dispute, DisputeState.LOST)
    story.webhook("charge.dispute.closed", intent=intent_of(story))
    assert story.books.balance == sum(bill.amount + 900 for bill in bills)
    assert not story.dead
