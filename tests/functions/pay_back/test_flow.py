"""A refund is sent once, whatever fails in between, and what became of it is learned (PAY-12)."""

from dataclasses import replace

import pytest

from billing.correcting import Why, correct
from billing.dispute import DisputeState
from billing.draft import Draft
from billing.facts import FactKind, Message, WakeKind
from billing.ports import Insert, Update
from billing.refund import Refund, RefundCause, RefundState
from tests.billing.examples import ENROLLED, PRACTICE, announced, invoice
from tests.fakes.story import Story
from tests.functions.change_invoice.staff import BILL, billed, sound


def paid_by_card(amount: int = 6250) -> Story:
    """Ana's announced charge has happened."""
    story = Story()
    story.store.commit(Insert(announced(amount, "inv_a")))
    story.wake()
    assert story.books.balance == 0
    return story


def intent_of(story: Story) -> str:
    return story.books.attempts[0].intent_id


def test_pay_12_a_refund_that_staff_start_reaches_stripe_and_is_booked() -> None:
    story = paid_by_card()
    story.refund("inv_a", 2000)
    (sent,) = story.cards.refunds[intent_of(story)]
    (refund,) = story.books.refunds
    assert (sent.amount, sent.refund_id, sent.stripe_id) == (2000, refund.refund_id, refund.stripe_id)
    assert (refund.state, story.invoice.refunded, story.invoice.status) == (RefundState.POSTED, 2000, "paid")
    assert [f.kind for f in story.facts][-2:] == [FactKind.REFUND_STARTED, FactKind.REFUND_POSTED]


def test_pay_12_every_message_twice_sends_the_money_back_once() -> None:
    story = paid_by_card()
    story.copies = 2
    story.refund("inv_a")
    assert len(story.cards.refunds[intent_of(story)]) == 1
    assert [f.kind for f in story.facts].count(FactKind.REFUND_POSTED) == 1


@pytest.mark.parametrize("fault", ["crash_before", "crash_after", "429"])
def test_pay_12_a_step_that_dies_or_must_wait_sends_the_same_refund_again(fault: str) -> None:
    story = paid_by_card()
    story.cards.fault = fault
    story.refund("inv_a")
    assert len(story.cards.refunds_asked) == 2
    assert len(story.cards.refunds[intent_of(story)]) == 1
    assert story.books.refunds[0].state is RefundState.POSTED


def test_pay_12_a_lost_answer_is_looked_up_not_repeated() -> None:
    story = paid_by_card()
    story.cards.fault = "lost_response"
    story.refund("inv_a")
    assert story.books.refunds[0].state is RefundState.UNKNOWN
    story.forward(minutes=5)
    assert story.books.refunds[0].state is RefundState.POSTED
    assert len(story.cards.refunds_asked) == 1


def test_pay_12_a_refund_that_never_arrived_has_failed_after_24_hours_not_before() -> None:
    story = paid_by_card()
    story.cards.fault = "drop"
    story.refund("inv_a")
    story.forward(hours=23, minutes=59)
    assert (story.books.refunds[0].state, story.invoice.refunded) == (RefundState.UNKNOWN, 6250)
    story.forward(days=2)
    refund = story.books.refunds[0]
    assert (refund.state, refund.reason, story.invoice.refunded) == (RefundState.FAILED, "never_reached", 0)
    assert story.store.next_due() is None


def test_pay_12_a_refund_whose_message_was_lost_is_sent_by_its_own_wake() -> None:
    story = paid_by_card()
    story.start_refund("inv_a")
    story._relayed = len(story.store.stream)
    story.forward(minutes=5)
    assert story.books.refunds[0].state is RefundState.POSTED


def test_pay_12_nobody_sends_a_refund_older_than_20_hours() -> None:
    """Stripe forgets keys after 24: what was sent and not heard of would be sent a second time."""
    story = paid_by_card()
    story.start_refund("inv_a")
    story._relayed = len(story.store.stream)
    (fact,) = [f for f in story.facts if f.kind == FactKind.REFUND_STARTED]
    story.now = story.now.replace(day=story.now.day + 1)
    story.deliver("pay_back", Message(fact.kind, fact.key))
    story.deliver("pay_back", Message(WakeKind.PAY_BACK, story.books.refunds[0].key))
    assert story.cards.refunds_asked == []
    assert story.books.refunds[0].reason == "never_reached"


def by_cause(story: Story, cause: RefundCause) -> list[tuple[str, int, str]]:
    """Refunds of that cause: state, cents, why it failed; in the order in which they came to be."""
    return [(r.state, r.amount, r.reason) for r in sorted(story.books.refunds, key=order) if r.cause is cause]


def order(refund: Refund) -> tuple[bool, str]:
    return (refund.state is not RefundState.FAILED, refund.refund_id)


def paid_bill() -> Story:
    """Ana's bill of $62.50 was charged, as its notice said."""
    story = billed(ENROLLED)
    story.forward(hours=49)
    assert story.taken == 6250
    return story


def overpaid_and_released(story: Story, cents: int) -> None:
    """A later decision says that so much of the bill was never owed; the messages that follow are held back."""
    draft = Draft(story.books, story.now, "payer", "claim")
    correct(draft, [BILL], 6250 - cents, PRACTICE, Why.CORRECTION)
    story.store.commit(*draft.writes())


def test_pay_12_what_stripe_refuses_is_undone_and_what_went_back_there_is_booked() -> None:
    """Somebody refunded it in the dashboard a moment before, and its webhook is still on its way."""
    story = paid_by_card()
    story.cards.add_refund(intent_of(story), 6250)
    story.refund("inv_a")
    assert by_cause(story, RefundCause.STAFF) == [("failed", 6250, "charge_already_refunded")]
    assert by_cause(story, RefundCause.AT_STRIPE) == [("posted", 6250, "")]
    assert (story.invoice.refunded, story.invoice.status) == (6250, "refunded")
    assert "Refund it once more only if" in story.alerts[-1].what_to_do
    story.webhook("charge.refunded", intent=intent_of(story))
    assert len(story.books.refunds) == 2


def test_pay_12_what_stripe_still_has_goes_back_instead() -> None:
    story = paid_by_card()
    story.cards.add_refund(intent_of(story), 5000)
    story.refund("inv_a", 2000)
    assert by_cause(story, RefundCause.STAFF) == [("failed", 2000, "charge_already_refunded"), ("posted", 1250, "")]
    assert (story.invoice.refunded, story.cards.left_of(intent_of(story))) == (6250, 0)
    assert any("$12.50 is on its way instead" in alert.what_to_do for alert in story.alerts)
    assert "refund_failed" not in story.mails


@pytest.mark.parametrize("heard_first", ["the webhook", "the refusal"])
@pytest.mark.parametrize(
    ("given", "gone"),
    [(1000, 5000), (3000, 4000), (4000, 4000), (6250, 6250)],
    ids=["room for both", "the rest of it goes back", "just that", "a gift beside it"],
)
def test_inv_3_a_refund_that_stripe_refuses_beside_one_of_the_dashboard_sends_no_cent_back_twice(
    heard_first: str, given: int, gone: int
) -> None:
    """PAY-12: $40.00 of $62.50 were never owed, and somebody sends money back at Stripe meanwhile. Whichever of the two
    we hear of first, the books end alike."""
    story = paid_bill()
    story.cards.add_refund(intent_of(story), given)
    overpaid_and_released(story, 4000)
    held = story._relayed
    story._relayed = len(story.store.stream)
    if heard_first == "the webhook":
        story.webhook("charge.refunded", intent=intent_of(story))
    story._relayed = held
    story.settle()
    story.webhook("charge.refunded", intent=intent_of(story))
    assert 6250 - story.cards.left_of(intent_of(story)) == gone
    assert sum(r.amount for r in story.books.refunds if r.state is RefundState.POSTED) == gone
    assert (story.invoice.paid, story.invoice.refunded) == (2250, gone - 4000)
    assert (story.books.account.credit, story.books.balance) == (0, 0)
    assert sound(story)


@pytest.mark.parametrize("heard_first", ["the webhook", "the refusal"])
@pytest.mark.parametrize(("taken", "owed", "credit"), [(6250, 2250, 0), (5000, 2250, 1250), (1000, 1000, 4000)])
def test_pay_13_what_a_bank_gave_the_client_does_not_go_back_as_well_and_what_cannot_stays_credit(
    heard_first: str, taken: int, owed: int, credit: int
) -> None:
    """INV-3: $40.00 of $62.50 were never owed, and the bank took some of the payment before they went back."""
    story = paid_bill()
    overpaid_and_released(story, 4000)
    held = story._relayed
    story._relayed = len(story.store.stream)
    story.cards.decide_dispute(story.cards.open_dispute(intent_of(story), taken), DisputeState.LOST)
    if heard_first == "the webhook":
        story.webhook("charge.dispute.closed", intent=intent_of(story))
    story._relayed = held
    story.settle()
    assert [refund.state for refund in story.books.refunds] == [RefundState.FAILED]
    assert (story.books.balance, story.books.account.credit) == (owed, credit)
    told = [(one.amount, one.credited) for one in story.letters if one.kind == "refund_failed"]
    assert told == ([(4000, credit)] if credit else [])
    cannot = [one for one in story.alerts if "cannot go back to the card" in one.what_to_do]
    assert len(cannot) == (2 if credit else 0)
    assert sound(story)


def test_pay_12_a_pending_refund_is_looked_up_until_the_bank_has_decided() -> None:
    story = paid_by_card()
    story.cards.refund_state = RefundState.PENDING
    story.refund("inv_a")
    story.forward(days=3)
    assert story.books.refunds[0].state is RefundState.PENDING
    story.cards.decide_refund("re_1", RefundState.POSTED)
    story.forward(days=1)
    assert story.books.refunds[0].state is RefundState.POSTED
    assert story.store.next_due() is None


def test_pay_12_money_that_arrives_for_less_than_is_owed_goes_back_by_itself() -> None:
    story = Story()
    story.store.commit(Insert(announced(6250, "inv_a")))
    story.cards.fault = "lost_response"
    story.wake()
    bill = story.invoice
    story.store.commit(Update(replace(bill, written_off=4250, version=bill.version + 1)))
    story.forward(minutes=5)
    assert [(r.amount, r.state) for r in story.books.refunds] == [(4250, RefundState.POSTED)]
    assert story.books.account.credit == 0
    assert story.cards.left_of(intent_of(story)) == 2000


def test_a_wake_that_comes_too_early_or_too_late_does_nothing() -> None:
    story = paid_by_card()
    story.start_refund("inv_a")
    key = story.books.refunds[0].key
    story.deliver("pay_back", Message(WakeKind.PAY_BACK, key))
    assert story.cards.refunds_asked == [], "its message is on its way"
    story.settle()
    story.deliver("pay_back", Message(WakeKind.PAY_BACK, key))
    assert len(story.cards.refunds_asked) == 1


def test_a_message_about_something_else_is_a_bug() -> None:
    story = Story()
    story.store.commit(Insert(invoice(6250, "inv_a")))
    with pytest.raises(AssertionError, match="where there is Invoice"):
        story.deliver("pay_back", Message(WakeKind.PAY_BACK, story.invoice.key))
