"""What the mail about a changed bill says is true: what may be paid now, which charge was announced (INV-3)."""

from dataclasses import replace

from billing.account import Account
from billing.claim import Adjustment
from billing.review import AskedBy
from billing.reviewing import Asked, Decision
from functions.change_invoice.review_decision import decide as decide_review
from functions.change_invoice.reviews import ask
from tests.billing.claim_examples import DISCOUNT, OWES_62_50, REVERSAL_OF_IT, SUBMITTED, decided
from tests.billing.examples import ENROLLED
from tests.fakes.story import Story

LESS = replace(decided(DISCOUNT, Adjustment("PR", "3", 2250)), payer_claim_id="2026000900")
CRUMB = replace(decided(DISCOUNT, Adjustment("PR", "3", 30)), payer_claim_id="2026000900")
NO_AUTOPAY = Account("riverbend", "ana", version=1)


def billed(account: Account) -> Story:
    story = Story(account)
    story.submit(SUBMITTED)
    story.receive(OWES_62_50)
    return story


def asked_to_check(story: Story) -> str:
    invoice_id = story.invoice.invoice_id
    done = ask(story.store, lambda: story.cards, "riverbend", "ana", invoice_id, Asked(AskedBy.CLIENT), story.now)
    story.settle()
    return done.review.review_id


def corrected_to_nothing(story: Story) -> None:
    decide_review(story.store, "riverbend", asked_to_check(story), Decision(0, "the plan pays it all"), story.now)
    story.settle()


def test_inv_3_nobody_reads_of_an_announced_payment_that_never_was_announced() -> None:
    """Without autopay nothing was announced, so nothing of it is called off."""
    story = billed(NO_AUTOPAY)
    corrected_to_nothing(story)
    assert story.letters[-1].kind == "invoice_changed"
    assert not story.letters[-1].announced


def test_inv_3_an_announced_payment_that_is_called_off_is_told() -> None:
    story = billed(ENROLLED)
    corrected_to_nothing(story)
    assert story.letters[-1].kind == "invoice_changed"
    assert story.letters[-1].announced


def test_inv_11_a_bill_lowered_below_what_a_card_can_pay_is_not_asked_for() -> None:
    """INV-11, INV-3: no button that cannot work, and the announced charge is off."""
    story = billed(ENROLLED)
    story.receive(CRUMB)  # held, until its reversal is here
    story.receive(REVERSAL_OF_IT)
    letter = story.letters[-1]
    assert (letter.kind, letter.before, letter.after, letter.amount) == ("invoice_changed", 6250, 30, 0)
    assert letter.announced
    assert "It waits for your next bill" in letter.what_to_do


def test_inv_7_a_bill_that_changes_while_it_is_looked_into_is_not_asked_for() -> None:
    story = billed(NO_AUTOPAY)
    asked_to_check(story)
    story.receive(LESS)
    story.receive(REVERSAL_OF_IT)
    letter = story.letters[-1]
    assert story.invoice.in_review
    assert (letter.kind, letter.after, letter.amount) == ("invoice_changed", 2250, 0)
    assert "still looking into this bill" in letter.what_to_do
