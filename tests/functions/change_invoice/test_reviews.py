"""A client's plan quoted another amount: the bill stands still until staff have decided (INV-7, DESK-4)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from billing.facts import FactKind
from billing.invoice import Status
from billing.ports import Refused
from billing.review import AskedBy, ReviewStatus
from billing.reviewing import Asked, Decision
from billing.staff_action import Deed
from functions.change_invoice.review_decision import decide
from functions.change_invoice.reviews import Reviewed, ask
from tests.billing.claim_examples import OWES_62_50, REVERSAL_OF_IT
from tests.billing.examples import BY_HAND, ENROLLED
from tests.fakes.story import Story
from tests.functions.care import Care
from tests.functions.change_invoice.staff import BILL, VOID, billed, deeds, of_kind, request, sound

TOLD_40 = Asked(AskedBy.CLIENT, "They said 40 on the phone", 4000, "REF-77")
STANDS = Decision(None, "The plan confirmed the deductible", "REF-91")


def asks(story: Story, asked: Asked = TOLD_40) -> Reviewed:
    done = ask(story.store, lambda: story.cards, "riverbend", "ana", BILL, asked, story.now)
    story.settle()
    return done


def decides(story: Story, review_id: str, decision: Decision = STANDS) -> Reviewed:
    done = decide(story.store, "riverbend", review_id, decision, story.now)
    story.settle()
    return done


def refused(story: Story, asked: Asked = TOLD_40) -> str:
    commits = story.store.commits
    with pytest.raises(Refused) as refusal:
        asks(story, asked)
    assert story.store.commits == commits
    return refusal.value.code


def test_inv_7_a_review_stops_charge_reminders_and_ageing_and_tells_client_and_staff() -> None:
    story = billed(ENROLLED)
    assert story.invoice.status is Status.SCHEDULED
    done = asks(story)
    assert (done.new, done.review.status, done.review.quoted) == (True, ReviewStatus.OPEN, 4000)
    assert (story.invoice.status, story.invoice.due) == (Status.IN_REVIEW, None)
    assert (story.mails, len(story.alerts)) == (["charge_notice", "review_opened"], 2)
    assert story.letters[-1].announced
    story.forward(days=90)
    assert (story.taken, story.invoice.past_due) == (0, False)
    assert (story.mails, len(story.alerts)) == (["charge_notice", "review_opened"], 2)
    assert sound(story)


def test_inv_7_asking_again_is_the_same_review() -> None:
    story = billed()
    first, again = asks(story), asks(story, replace(TOLD_40, quoted=3000))
    assert again.review == first.review
    assert (first.new, again.new) == (True, False)
    assert of_kind(story, FactKind.REVIEW_REQUESTED) == 1


def test_inv_7_upheld_it_goes_on_with_a_new_notice_and_a_longer_window() -> None:
    story = billed(ENROLLED)
    window_ends = story.invoice.past_due_at
    assert window_ends is not None
    review = asks(story).review
    story.forward(days=10)
    done = decides(story, review.review_id)
    assert (done.new, done.review.status, done.review.decided_reference) == (True, ReviewStatus.UPHELD, "REF-91")
    assert story.mails == ["charge_notice", "review_opened", "review_upheld", "charge_notice"]
    assert story.invoice.status is Status.SCHEDULED
    assert story.invoice.charge_at == story.now + timedelta(hours=48)
    assert story.invoice.past_due_at == window_ends + timedelta(days=10)
    assert [(deed.deed, deed.reason) for deed in deeds(story.store)] == [(Deed.UPHOLD, STANDS.reason)]
    story.forward(hours=48)
    assert (story.invoice.status, story.taken) == (Status.PAID, 62_50)
    assert sound(story)


def test_inv_7_the_same_decision_again_answers_the_same_another_one_is_refused() -> None:
    story = billed()
    review = asks(story).review
    first, again = decides(story, review.review_id), decides(story, review.review_id)
    assert again.review == first.review
    assert not again.new
    assert of_kind(story, FactKind.REVIEW_DECIDED) == 1
    with pytest.raises(Refused) as refusal:
        decides(story, review.review_id, Decision(4000, "Other"))
    assert refusal.value.code == "already_decided"


def test_inv_7_staff_may_look_into_a_bill_again() -> None:
    story = billed()
    first = asks(story).review
    decides(story, first.review_id)
    second = asks(story, replace(TOLD_40, by=AskedBy.STAFF)).review
    assert second.review_id != first.review_id
    assert story.invoice.reviews == (second.review_id,)


def test_inv_7_a_payment_page_left_open_is_closed_first() -> None:
    story = billed()
    session = story.open_page(BILL)
    asks(story)
    assert story.cards.pages[session].state == "expired"
    assert story.invoice.status is Status.IN_REVIEW


def test_inv_7_no_review_while_a_payment_is_on_its_way() -> None:
    story = billed(ENROLLED)
    story.cards.fault = "drop"
    story.forward(hours=48)
    assert story.invoice.status is Status.PROCESSING
    assert refused(story) == "payment_in_progress"


def test_inv_7_a_void_bill_has_nothing_to_look_into() -> None:
    story = billed(BY_HAND)
    request(story, VOID)
    assert refused(story) == "void"


@pytest.mark.parametrize("invoice_id", ["inv_nothing", BILL.replace("ana", "carla")])
def test_inv_7_an_unknown_bill_is_not_found(invoice_id: str) -> None:
    story = billed()
    with pytest.raises(Refused) as refusal:
        ask(story.store, lambda: story.cards, "riverbend", "ana", invoice_id, TOLD_40, story.now)
    assert refusal.value.status == 404


@pytest.mark.parametrize("review_id", ["rev_nothing", "rev_" + "0" * 20 + "_ana", "rev_" + "0" * 20 + "_nobody"])
def test_inv_7_an_unknown_review_is_not_found(review_id: str) -> None:
    story = billed()
    with pytest.raises(Refused) as refusal:
        decide(story.store, "riverbend", review_id, STANDS, story.now)
    assert refusal.value.status == 404


# ---------------------------------------------------------------------------------------------------- another amount


def corrected(story: Story, amount: int) -> Reviewed:
    """Staff found that the plan is right about another amount."""
    return decides(story, asks(story).review.review_id, Decision(amount, "The plan processed it wrongly", "REF-91"))


def test_inv_7_a_corrected_amount_is_less_by_the_difference_and_one_mail_says_so() -> None:
    """INV-3"""
    story = billed()
    done = corrected(story, 4000)
    assert (done.review.status, done.review.asked_since) == (ReviewStatus.CORRECTED, 4000)
    assert (story.invoice.total, story.invoice.open_amount, story.invoice.status) == (4000, 4000, Status.OPEN)
    assert story.mails == ["invoice", "review_opened", "invoice_changed"]
    assert [(deed.deed, deed.amount) for deed in deeds(story.store)] == [(Deed.CORRECT, 4000)]
    assert sound(story)


def test_inv_7_a_charge_that_was_announced_is_announced_anew_for_the_corrected_amount() -> None:
    """AUTO-3: with a notice period of its own."""
    story = billed(ENROLLED)
    corrected(story, 4000)
    assert story.mails == ["charge_notice", "review_opened", "charge_notice"]
    assert (story.letters[-1].amount, story.letters[-1].change[:11]) == (4000, "your bill i")
    assert story.invoice.charge_at == story.now + timedelta(hours=48)
    story.forward(hours=48)
    assert (story.taken, story.invoice.status) == (4000, Status.PAID)
    assert sound(story)


def test_inv_7_nothing_may_be_left_to_pay() -> None:
    story = billed(ENROLLED)
    corrected(story, 0)
    story.forward(days=90)
    assert (story.invoice.open_amount, story.taken) == (0, 0)
    assert sound(story)


def test_inv_7_what_was_paid_too_much_goes_back_to_the_card() -> None:
    """INV-3, PAY-12"""
    story = billed()
    story.pay(BILL)
    corrected(story, 4000)
    assert [refund.amount for refund in story.books.refunds] == [2250]
    assert story.invoice.total == 4000
    assert "invoice_changed" in story.mails
    assert sound(story)


def test_inv_7_staff_may_find_that_it_is_more() -> None:
    story = billed()
    corrected(story, 8000)
    assert (story.invoice.open_amount, story.invoice.status) == (8000, Status.OPEN)
    assert sound(story)


def test_inv_3_what_the_payer_says_later_is_held_against_the_corrected_amount() -> None:
    """The payer takes its decision back: only the $40.00 that the bill asks for are given up."""
    story = billed()
    corrected(story, 4000)
    story.receive(REVERSAL_OF_IT)
    assert (story.invoice.total, story.invoice.open_amount) == (0, 0)
    assert sound(story)


def test_inv_7_another_claim_of_the_same_client_changes_nothing_about_a_corrected_bill() -> None:
    """A result that is held, or comes again, does not bring the old amount back."""
    story = billed()
    corrected(story, 4000)
    story.receive(replace(OWES_62_50, payer_claim_id="2026000777"))
    assert story.invoice.total == 4000
    assert sound(story)


@pytest.mark.parametrize(
    ("amount", "code"), [(6250, "same_amount"), (15001, "more_than_charged")], ids=["no change", "above the charge"]
)
def test_inv_7_an_amount_that_cannot_be_is_refused_and_the_review_stays_open(amount: int, code: str) -> None:
    story = billed()
    review = asks(story).review
    commits = story.store.commits
    with pytest.raises(Refused) as refusal:
        decides(story, review.review_id, Decision(amount, "Other"))
    assert (refusal.value.code, story.store.commits) == (code, commits)
    assert story.books.reviews[0].is_open


def test_inv_7_a_bill_that_no_payer_stands_behind_is_corrected_too() -> None:
    """INV-4"""
    care = Care(BY_HAND)
    made = {"client_id": "ana", "amount": 100_00, "description": "Missed session"}
    bill = care.call("POST", "/v1/invoices", made, idempotency_key="one").body["invoice_id"]
    review = ask(care.store, lambda: care.cards, "riverbend", "ana", bill, TOLD_40, care.now).review
    decides(care, review.review_id, Decision(60_00, "Agreed with the provider"))
    (shown,) = care.account["invoices"]
    assert (shown["amount"], shown["open_amount"]) == (60_00, 60_00)
    assert sum(line["you_owe"] for line in shown["lines"]) == 60_00
    assert care.mails[-1] == "invoice_changed"
    assert sound(care)
