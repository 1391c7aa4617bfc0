"""From claim results to invoices, nothing owed, waits and holds: once each, in whatever order things arrive."""

from dataclasses import replace
from datetime import timedelta

import pytest

from billing.claim import Adjustment, ClaimResult, ClaimStatus
from billing.claim_state import ReceivedResult
from billing.facts import FactKind, Message
from billing.invoice_lines import InvoiceLines
from billing.ports import Conflict, Insert, Write
from functions.issue_invoice import flow as issue_invoice
from tests.billing.claim_examples import (
    COPAY,
    DEDUCTIBLE,
    DISCOUNT,
    DUPLICATE_DENIAL,
    OWES_62_50,
    SUBMITTED,
    SUBMITTED_WITH_SECONDARY,
    decided,
)
from tests.billing.examples import BY_HAND, NOW, practice
from tests.fakes.store import MemoryStore
from tests.fakes.story import Story

CLAIM = SUBMITTED.claim_id
FORWARDED = replace(OWES_62_50, status=ClaimStatus.PROCESSED_PRIMARY_FORWARDED, raw_status="19")
SECONDARY_LEAVES_22_50 = replace(
    decided(DISCOUNT, Adjustment("OA", "23", 8250), COPAY),
    status=ClaimStatus.PROCESSED_SECONDARY,
    raw_status="2",
    payer_ids=("77777",),
    payer_claim_id="S-1",
)


def now_of(story: Story, result: ClaimResult) -> str:
    """Where that result stands."""
    verdict = story.claim_state(CLAIM).verdict(result.result_key())
    assert verdict is not None
    return verdict.now


def test_a_result_issues_one_invoice_for_exactly_the_patients_share() -> None:
    """INV-1, LAW-3: $62.50 of PR adjustments, and not one cent of the discount."""
    story = Story(BY_HAND)
    story.submit(SUBMITTED)
    story.receive(OWES_62_50)
    assert story.invoice.amount == story.books.balance == 6250
    assert now_of(story, OWES_62_50) == "invoiced"


def test_every_message_twice_still_makes_one_invoice() -> None:
    """INV-1"""
    story = Story(BY_HAND, copies=2)
    story.submit(SUBMITTED)
    story.receive(OWES_62_50)
    assert story.invoice.amount == 6250
    assert story.mails == ["invoice"]


def test_the_invoice_explains_each_cent() -> None:
    """INV-6"""
    story = Story(BY_HAND)
    story.submit(SUBMITTED)
    story.receive(OWES_62_50)
    (lines,) = [row for row in story.store.rows() if isinstance(row, InvoiceLines)]
    (line,) = lines.lines
    assert (line.billed, line.plan_discount, line.insurance_paid) == (15000, 4500, 4250)
    assert (line.deductible, line.copay, line.you_owe) == (4000, 2250, 6250)
    assert sum(reason.amount for reason in line.reasons) == 15000 - 4250


def test_nothing_owed_issues_nothing_and_says_so_when_that_is_final() -> None:
    """INV-1"""
    story = Story()
    story.submit(SUBMITTED)
    paid_in_full = decided(DISCOUNT)
    story.receive(paid_in_full)
    assert story.books.invoices == ()
    assert story.mails == ["nothing_owed"]


def test_the_due_amount_is_not_announced_as_nothing_while_another_result_may_follow() -> None:
    """INV-1: an unpaid claim in dispute is no good news."""
    story = Story()
    story.submit(SUBMITTED)
    story.receive(decided(Adjustment("CO", "16", 15000)))
    assert story.mails == []


def test_a_result_that_came_before_its_claim_is_judged_when_the_claim_comes() -> None:
    story = Story(BY_HAND)
    story.receive(OWES_62_50)
    assert [hold.reason for hold in story.holds] == ["unmatched_claim"]
    story.submit(SUBMITTED)
    assert story.invoice.amount == 6250
    assert story.holds == []
    assert story.mails == ["invoice"]


def test_all_results_that_waited_for_a_claim_are_judged_again() -> None:
    story = Story(BY_HAND)
    story.receive(OWES_62_50)
    story.receive(DUPLICATE_DENIAL)
    story.submit(SUBMITTED)
    assert story.invoice.amount == 6250
    assert (now_of(story, OWES_62_50), now_of(story, DUPLICATE_DENIAL)) == ("invoiced", "nothing_owed")
    assert story.holds == []


def test_a_second_result_puts_the_invoice_in_review_and_its_charge_does_not_happen() -> None:
    """INV-7's pause, claims.md: charge and reminders stop until a person has decided."""
    story = Story()
    story.submit(SUBMITTED)
    story.receive(OWES_62_50)
    story.forward(hours=24)
    story.receive(replace(decided(DISCOUNT, COPAY), payer_claim_id="2026000999"))
    assert story.invoice.status == "in_review"
    story.forward(days=61)
    assert story.taken == 0
    assert story.mails == ["charge_notice"]
    assert [hold.reason for hold in story.holds] == ["needs_review"]
    assert story.store.next_due() is None


def test_a_result_held_by_a_gate_is_a_hold_with_what_a_person_needs() -> None:
    """LAW-3: a deductible under CO is held, never guessed."""
    story = Story()
    story.submit(SUBMITTED)
    story.receive(decided(Adjustment("CO", "1", 4000)))
    (hold,) = story.holds
    assert (hold.reason, hold.claim_id, hold.client) == ("contractual_patient_code", CLAIM, "ana")
    assert story.mails == []


def test_while_another_payer_is_pending_nothing_is_billed_and_after_45_days_a_person_looks() -> None:
    """LAW-4"""
    story = Story()
    story.submit(SUBMITTED)
    story.receive(FORWARDED)
    assert now_of(story, FORWARDED) == "pending"
    story.forward(days=44)
    assert story.holds == []
    story.forward(days=1)
    assert [hold.reason for hold in story.holds] == ["other_payer_pending"]
    assert (story.books.invoices, story.mails) == ((), [])
    assert story.store.next_due() is None


def test_the_answer_of_the_other_payer_is_billed_and_ends_the_wait() -> None:
    """LAW-4, INV-1: the patient's share is that of the last payer in the chain."""
    story = Story(BY_HAND)
    story.submit(SUBMITTED_WITH_SECONDARY)
    story.receive(OWES_62_50)
    assert now_of(story, OWES_62_50) == "pending"
    story.forward(days=10)
    story.receive(SECONDARY_LEAVES_22_50)
    assert story.invoice.amount == 2250
    assert (now_of(story, OWES_62_50), now_of(story, SECONDARY_LEAVES_22_50)) == ("invoiced", "invoiced")
    story.forward(days=60)
    assert story.holds == []


def test_the_other_payer_may_leave_nothing() -> None:
    """LAW-4, INV-1"""
    story = Story(BY_HAND)
    story.submit(SUBMITTED_WITH_SECONDARY)
    story.receive(OWES_62_50)
    story.receive(
        replace(
            SECONDARY_LEAVES_22_50,
            lines=decided(DISCOUNT, Adjustment("OA", "23", 10500)).lines,
            paid=0,
            stated_responsibility=0,
        )
    )
    assert story.books.invoices == ()
    assert story.mails == ["nothing_owed"]
    story.forward(days=60)
    assert story.holds == []


def test_a_denial_as_duplicate_does_not_end_the_wait_for_the_other_payer() -> None:
    """LAW-4: OA-18 has no effect on money."""
    story = Story()
    story.submit(SUBMITTED_WITH_SECONDARY)
    story.receive(OWES_62_50)
    story.receive(DUPLICATE_DENIAL)
    assert now_of(story, OWES_62_50) == "pending"
    story.forward(days=46)
    assert [hold.reason for hold in story.holds] == ["other_payer_pending"]


def test_a_correction_by_the_same_payer_while_another_is_pending_needs_a_person() -> None:
    """LAW-4: only the other payer's answer ends the wait."""
    story = Story()
    story.submit(SUBMITTED_WITH_SECONDARY)
    story.receive(OWES_62_50)
    story.receive(replace(decided(DISCOUNT, DEDUCTIBLE), payer_claim_id="2026000999"))
    assert [hold.reason for hold in story.holds] == ["needs_review"]
    story.forward(days=46)
    assert sorted(hold.reason for hold in story.holds) == ["needs_review", "other_payer_pending"]


def test_two_payers_that_both_forwarded_are_both_looked_at_after_45_days() -> None:
    """LAW-4"""
    story = Story()
    story.submit(SUBMITTED_WITH_SECONDARY)
    story.receive(FORWARDED)
    second = replace(SECONDARY_LEAVES_22_50, status=ClaimStatus.PROCESSED_SECONDARY_FORWARDED, raw_status="20")
    story.receive(second)
    assert now_of(story, second) == "pending"
    story.forward(days=46)
    assert [hold.reason for hold in story.holds] == ["other_payer_pending"] * 2
    assert story.store.next_due() is None


def test_a_test_file_bills_only_where_the_practice_accepts_them() -> None:
    rehearsal = replace(OWES_62_50, test=True)
    for accepts, invoices in ((False, 0), (True, 1)):
        story = Story(BY_HAND, practice(accept_test_files=accepts))
        story.submit(SUBMITTED)
        story.receive(rehearsal)
        assert len(story.books.invoices) == invoices


def test_an_unpaid_invoice_ages_once() -> None:
    """INV-8"""
    story = Story(BY_HAND, copies=2)
    story.submit(SUBMITTED)
    story.receive(OWES_62_50)
    story.forward(days=90)
    assert [f.kind for f in story.facts].count(FactKind.INVOICE_PAST_DUE) == 1
    assert story.invoice.status == "past_due"


def test_of_two_workers_judging_one_result_one_wins_and_the_other_reads_again() -> None:
    """INV-1: the claim's state is the guard."""
    story = Story(BY_HAND)
    story.submit(SUBMITTED)
    received = ReceivedResult("riverbend", OWES_62_50, "receipt_1", NOW)
    story.store.commit(Insert(received))
    message = Message(FactKind.CLAIM_RESULT_RECEIVED, received.key)

    class Raced(MemoryStore):
        def commit(self, *writes: Write) -> None:
            issue_invoice.run(message, store=story.store, now=NOW)
            story.store.commit(*writes)

    raced = Raced()
    raced.__dict__.update({k: v for k, v in story.store.__dict__.items() if k != "commit"})
    with pytest.raises(Conflict):
        issue_invoice.run(message, store=raced, now=NOW + timedelta(seconds=1))
    assert story.invoice.amount == 6250


@pytest.mark.parametrize("submitted_first", [True, False])
def test_sixty_answers_to_one_claim_are_each_accounted_for(submitted_first: bool) -> None:
    """claims.md: nothing is dropped, however much a file says of one claim; one answer is billed."""
    story = Story(BY_HAND)
    results = [replace(decided(DISCOUNT, COPAY), payer_claim_id=f"2026{number:06d}") for number in range(60)]
    if submitted_first:
        story.submit(SUBMITTED)
    for first in range(0, 60, 20):
        rows = (ReceivedResult("riverbend", one, "receipt_1", story.now) for one in results[first : first + 20])
        story.store.commit(*(Insert(row) for row in rows))
    story.settle()
    if not submitted_first:
        assert len(story.holds) == 60
        story.submit(SUBMITTED)
    assert story.dead == []
    assert (story.books.balance, len(story.holds)) == (2250, 59)
    assert len(story.claim_state(CLAIM).verdicts) == 60
