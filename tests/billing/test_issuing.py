"""What a claim becomes, in one commit guarded by the claim's state (INV-1, INV-6, INV-8, LAW-4)."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from billing.claim import Adjustment, ClaimResult, ClaimStatus
from billing.claim_file import hold_id
from billing.claim_state import ClaimState, Hold, Verdict
from billing.facts import FactKind
from billing.invoice import Invoice
from billing.invoice_lines import InvoiceLines
from billing.issuing import Trigger, age, first_service, judge_again
from billing.ports import Delete, Insert, Update, Write
from billing.standing import Choice, Decision
from tests.billing.claim_examples import (
    COPAY,
    DISCOUNT,
    DUPLICATE_DENIAL,
    OWES_62_50,
    SESSION_DAY,
    SUBMITTED,
    decided,
)
from tests.billing.examples import NOW, announced, books, facts, invoice, kinds
from tests.billing.judging import CLAIM, TWO_PAYERS, file_of

KEY = OWES_62_50.result_key()
SECOND = decided(DISCOUNT, COPAY, payer_claim_id="2026000124")


def judged(*results: ClaimResult, **known: Any) -> tuple[Write, ...]:
    return judge_again(file_of(*results, **known), Trigger("payer", KEY), NOW)


def state_of(writes: tuple[Write, ...]) -> ClaimState:
    (state,) = [w.record for w in writes if isinstance(w.record, ClaimState)]
    return state


def test_an_issued_invoice_ages_and_is_reminded_of_from_now() -> None:
    """INV-1, INV-8, INV-9"""
    (bill,) = [w.record for w in judged(OWES_62_50) if isinstance(w.record, Invoice)]
    assert (bill.amount, bill.source_id, bill.service_date) == (6250, CLAIM.claim_id, SESSION_DAY)
    assert bill.due == "2026-11-23T17:00:00Z#remind"
    assert f"{bill.past_due_at:%Y-%m-%d}" == "2027-01-19"
    assert bill.charge_at is None


def test_invoice_explanation_fact_and_claim_state_are_one_commit() -> None:
    """INV-6: the explanation is written with the invoice, and two results of one claim cannot both issue."""
    first = judged(OWES_62_50)
    later = judged(OWES_62_50, state=ClaimState("riverbend", CLAIM.claim_id, 3, "ana"))
    assert [type(w.record).__name__ for w in first] == ["ClaimState", "Invoice", "InvoiceLines", "Fact"]
    assert isinstance(first[0], Insert)
    assert isinstance(later[0], Update)
    assert (state_of(first).version, state_of(later).version) == (1, 4)
    (lines,) = [w.record for w in first if isinstance(w.record, InvoiceLines)]
    assert sum(line.you_owe for line in lines.lines) == 6250


def test_the_facts_of_a_claim_hold_ids_codes_and_cents_only() -> None:
    """LAW-1: nothing about a person or their health."""
    told = [
        *facts(judged(OWES_62_50)),
        *facts(judged(decided(DISCOUNT))),
        *facts(judged(OWES_62_50, SECOND)),
        *facts(judged(OWES_62_50, submitted=TWO_PAYERS)),
    ]
    assert {fact.kind for fact in told} == {
        FactKind.INVOICE_ISSUED,
        FactKind.INVOICE_PUT_IN_REVIEW,
        FactKind.NOTHING_OWED,
        FactKind.CLAIM_HELD,
        FactKind.CLAIM_PENDING,
    }
    words = " ".join(f"{value}" for fact in told for value in fact.data.values())
    for private in ("90834", "F41", "MBR0001", "EXAMPLE HEALTH PLAN", "2026-10-30", "Ana"):
        assert private not in words


def test_the_session_is_the_day_the_payer_says_else_the_one_submitted() -> None:
    without = replace(OWES_62_50, lines=tuple(replace(line, service_date=None) for line in OWES_62_50.lines))
    earlier = replace(
        OWES_62_50, lines=tuple(replace(line, service_date=date(2026, 10, 1)) for line in OWES_62_50.lines)
    )
    assert first_service(without, SUBMITTED) == SUBMITTED.service_date
    assert first_service(earlier, SUBMITTED) == date(2026, 10, 1)


def test_a_wait_ends_after_45_days() -> None:
    """LAW-4"""
    state = state_of(judged(OWES_62_50, submitted=TWO_PAYERS))
    assert state.pending_until == NOW + timedelta(days=45)
    assert state.due == "2027-01-04T17:00:00Z#pending"


SECOND_PAYERS = replace(
    decided(Adjustment("OA", "23", 8750), COPAY),
    status=ClaimStatus.PROCESSED_SECONDARY,
    payer_claim_id="OTHER00123",
    payer_ids=("77777",),
)
SILENCE = Trigger("system", CLAIM.claim_id, waited=True)


def test_law_4_each_payer_of_the_chain_has_45_days() -> None:
    """What a person must look at is a payer that is silent, not a chain that is long."""
    three = replace(TWO_PAYERS, tertiary_payer_id="66666")
    first = replace(state_of(judged(OWES_62_50, submitted=three)), pending_until=NOW - timedelta(days=1))
    writes = judge_again(file_of(OWES_62_50, submitted=three, state=first), SILENCE, NOW)
    given_up = state_of(writes)
    (hold,) = [write.record for write in writes if isinstance(write.record, Hold)]
    assert hold.reason == "other_payer_pending"
    for before, holds in ((first, ()), (given_up, (hold,))):
        state = state_of(judged(OWES_62_50, SECOND_PAYERS, submitted=three, state=before, holds=holds))
        assert {verdict.now for verdict in state.verdicts} == {"pending"}
        assert state.pending_until == NOW + timedelta(days=45)
    silent = replace(state, pending_until=NOW)
    silent = state_of(judge_again(file_of(OWES_62_50, SECOND_PAYERS, submitted=three, state=silent), SILENCE, NOW))
    assert {verdict.reason for verdict in silent.verdicts} == {"other_payer_pending"}


@pytest.mark.parametrize("again", [DUPLICATE_DENIAL, SECOND], ids=["a denial as duplicate", "a second answer, held"])
def test_what_answers_nothing_ends_no_wait(again: ClaimResult) -> None:
    """LAW-4"""
    waiting = state_of(judged(OWES_62_50, submitted=TWO_PAYERS))
    state = state_of(judged(OWES_62_50, again, submitted=TWO_PAYERS, state=waiting))
    assert state.verdicts[0].now == "pending"
    assert state.pending_until == waiting.pending_until


def test_a_hold_puts_the_invoice_it_questions_in_review() -> None:
    """INV-7: its charge stops; reminders stop by being in review."""
    billed = state_of(judged(OWES_62_50))
    bill = announced(6250, billed.invoices[0])
    writes = judged(OWES_62_50, SECOND, state=billed, account=books(bill))
    assert kinds(writes) == [FactKind.INVOICE_PUT_IN_REVIEW, FactKind.CLAIM_HELD]
    (paused,) = [w.record for w in writes if isinstance(w.record, Invoice)]
    assert (paused.in_review, paused.charge_at, paused.due) == (True, None, None)
    assert paused.reviews == (hold_id("riverbend", SECOND.result_key()),)


@pytest.mark.parametrize("last", [OWES_62_50, SECOND], ids=["the one that came first", "the one that came second"])
def test_of_two_answers_that_staff_release_the_one_released_last_stands(last: ClaimResult) -> None:
    """DESK-5: whatever order they came in."""
    (other,) = {OWES_62_50, SECOND} - {last}
    before = ClaimState(
        "riverbend", CLAIM.claim_id, 1, "ana", decisions=(Decision(other.result_key(), Choice.RELEASED),)
    )
    release = Trigger("staff", "hold_1", Decision(last.result_key(), Choice.RELEASED))
    assert state_of(judge_again(file_of(OWES_62_50, SECOND, state=before), release, NOW)).answer == last.result_key()


def test_a_result_held_again_keeps_its_hold() -> None:
    first = judged(OWES_62_50, submitted=None)
    (row,) = [w.record for w in first if isinstance(w.record, Hold)]
    other_claim = replace(CLAIM, charged=1)
    again = judged(OWES_62_50, submitted=other_claim, state=state_of(first), holds=(row,))
    (kept,) = [w for w in again if isinstance(w.record, Hold)]
    assert isinstance(kept, Update)
    assert (kept.record.key, kept.record.version, row.client) == (row.key, 2, "")
    assert [v.reason for v in state_of(again).verdicts] == ["charge_differs"]


def test_a_hold_goes_when_its_result_is_billed() -> None:
    first = judged(OWES_62_50, submitted=None)
    (row,) = [w.record for w in first if isinstance(w.record, Hold)]
    then = judged(OWES_62_50, state=state_of(first), holds=(row,))
    assert [w.record for w in then if isinstance(w, Delete)] == [row]
    assert state_of(then).verdicts == (Verdict(KEY, "accepted", "", "invoiced", state_of(then).invoices[0], 6250),)


def test_judging_what_is_judged_already_changes_nothing() -> None:
    billed = state_of(judged(OWES_62_50))
    held = judged(decided(Adjustment("CO", "1", 100)))
    (row,) = [w.record for w in held if isinstance(w.record, Hold)]
    bill = invoice(6250, billed.invoices[0])
    assert judged(OWES_62_50, state=billed, account=books(bill)) == ()
    assert judged(decided(Adjustment("CO", "1", 100)), state=state_of(held), holds=(row,)) == ()


@pytest.mark.parametrize(
    ("change", "ages"),
    [
        ({"past_due_at": NOW}, True),
        ({"past_due_at": NOW + timedelta(seconds=1)}, False),
        ({"past_due_at": None}, False),
        ({"past_due_at": NOW, "paid": 6250}, False),
        ({"past_due_at": NOW, "reviews": ("hold_1",)}, False),
    ],
    ids=["window ended", "not yet", "aged before", "paid", "in review"],
)
def test_an_invoice_ages_when_its_window_ended_and_something_is_asked_for(change: dict[str, Any], ages: bool) -> None:
    """INV-8, INV-7"""
    writes = age(invoice(6250, **change), NOW)
    assert kinds(writes) == ([FactKind.INVOICE_PAST_DUE] if ages else [])
    for write in writes:
        if isinstance(write.record, Invoice):
            assert (write.record.past_due, write.record.past_due_at) == (True, None)
