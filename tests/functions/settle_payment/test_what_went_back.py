"""Stripe tells that money went back: the webhook says where to look, and what is true is read again (PAY-12)."""

from billing.facts import FactKind
from billing.ports import Insert
from billing.refund import RefundCause, RefundState
from tests.billing.examples import announced
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
