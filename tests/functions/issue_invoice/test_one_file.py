"""Several results of one claim in one file: which one stands, and what becomes of a bill that the others question."""

from dataclasses import replace

import pytest

from billing.claim import Adjustment, ClaimResult, ClaimStatus
from billing.claim_state import ReceivedResult
from billing.facts import FactKind
from billing.invoice import Status
from billing.ports import Insert
from billing.standing import Choice
from functions.serve_practice.holds import Word, decide
from tests.billing.claim_examples import DISCOUNT, OWES_62_50, REVERSAL_OF_IT, SUBMITTED, decided
from tests.billing.examples import ENROLLED
from tests.fakes.story import Story

NOT_EXACTLY_IT = replace(REVERSAL_OF_IT, paid=REVERSAL_OF_IT.paid - 100)


def in_one_file(*results: ClaimResult) -> Story:
    """Ana's claim, and a file with these results in this order."""
    story = Story(ENROLLED)
    story.submit(SUBMITTED)
    file(story, *results)
    return story


def file(story: Story, *results: ClaimResult) -> None:
    rows = (ReceivedResult("riverbend", one, "receipt_9", story.now, place=n) for n, one in enumerate(results))
    story.store.commit(*map(Insert, rows))
    story.settle()


def decides(story: Story, choice: Choice) -> None:
    """Staff decide about every hold alike."""
    for hold in story.holds:
        decide(story.store, "riverbend", Word(hold.hold_id, choice, "asked the payer", "desk"), story.now)
        story.settle()


@pytest.mark.parametrize("cents", range(1000, 1010))
def test_of_two_answers_in_one_file_the_first_stands(cents: int) -> None:
    """As it would from two files: never the one whose name happens to sort first."""
    other = decided(DISCOUNT, Adjustment("PR", "3", cents), payer_claim_id=f"2026{cents}")
    assert in_one_file(OWES_62_50, other).invoice.total == 6250
    assert in_one_file(other, OWES_62_50).invoice.total == cents


def test_inv_7_a_bill_that_its_own_file_contradicts_stands_still_from_the_start() -> None:
    """INV-7, LAW-3: nine results share both numbers; one is billed, eight wait, and nobody is asked to pay."""
    nine = [replace(decided(DISCOUNT, Adjustment("PR", "3", 1500 + n)), ordinal=n) for n in range(9)]
    story = in_one_file(*nine)
    assert (len(story.holds), story.invoice.status, story.mails) == (8, Status.IN_REVIEW, [])
    story.forward(days=10)
    assert (story.taken, story.mails) == (0, [])
    decides(story, Choice.REJECTED)
    assert (story.invoice.status, story.invoice.open_amount) == (Status.SCHEDULED, 1500)
    assert story.mails == ["charge_notice"]
    story.forward(days=3)
    assert (story.taken, story.dead) == (1500, [])


def test_inv_7_what_is_released_in_its_place_is_the_only_amount_ana_ever_hears() -> None:
    other = replace(decided(DISCOUNT, Adjustment("PR", "3", 2000)), ordinal=1)
    story = in_one_file(OWES_62_50, other)
    decides(story, Choice.RELEASED)
    assert (story.invoice.total, story.invoice.status) == (2000, Status.SCHEDULED)
    assert story.mails == ["charge_notice"]
    assert (story.letters[-1].amount, story.letters[-1].change) == (2000, "")


@pytest.mark.parametrize("together", [True, False])
def test_inv_7_a_reversal_that_is_not_exactly_its_original_stops_the_bill_in_either_order(together: bool) -> None:
    """The payer took something back: whichever came first, nobody pays before it is known what."""
    story = in_one_file(NOT_EXACTLY_IT, *([OWES_62_50] if together else []))
    if not together:
        story.receive(OWES_62_50)
    assert (story.invoice.status, story.mails, len(story.holds)) == (Status.IN_REVIEW, [], 1)
    decides(story, Choice.REJECTED)
    assert (story.invoice.status, story.mails) == (Status.SCHEDULED, ["charge_notice"])


def test_a_result_that_was_held_before_does_not_stop_the_payers_corrected_one() -> None:
    """Staff ask for a corrected result; when it comes it is billed at once."""
    wrong = replace(OWES_62_50, paid=OWES_62_50.paid - 1)
    story = in_one_file(wrong)
    story.receive(replace(OWES_62_50, payer_claim_id="2026000777"))
    assert (story.invoice.status, len(story.holds)) == (Status.SCHEDULED, 1)
    assert not [f for f in story.facts if f.kind == FactKind.INVOICE_PUT_IN_REVIEW]


@pytest.mark.parametrize(("first", "then", "owed"), [("19", "1", 6250), ("1", "19", 0)])
def test_a_reversal_takes_back_what_came_before_it_though_the_new_decision_has_the_same_amounts(
    first: str, then: str, owed: int
) -> None:
    """LAW-4: forwarded, taken back and decided, all dated on one day; or the other way round."""
    status = {"1": ClaimStatus.PROCESSED_PRIMARY, "19": ClaimStatus.PROCESSED_PRIMARY_FORWARDED}
    story = in_one_file(replace(OWES_62_50, status=status[first], raw_status=first))
    file(story, REVERSAL_OF_IT, replace(OWES_62_50, status=status[then], raw_status=then))
    assert (story.books.balance, story.holds) == (owed, [])
    assert bool(story.claim_state(SUBMITTED.claim_id).awaited) is (then == "19")
