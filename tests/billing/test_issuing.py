"""What a judged claim result becomes, in one commit guarded by the claim's state (INV-1, INV-6, INV-8, LAW-4)."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from billing.claim_state import ClaimState, Hold, ReceivedResult, Verdict
from billing.facts import FactKind
from billing.gates import Judgement
from billing.invoice import Invoice
from billing.invoice_lines import InvoiceLines
from billing.issuing import age, first_service, hold, issue, nothing_owed, put_in_review, wait, with_verdict
from billing.ports import Insert, Update
from tests.billing.claim_examples import DUPLICATE_DENIAL, OWES_62_50, SESSION_DAY, SUBMITTED
from tests.billing.examples import NOW, PRACTICE, announced, facts, invoice, kinds

RECEIVED = ReceivedResult("riverbend", OWES_62_50, "receipt_1", NOW)
KEY = OWES_62_50.result_key()
OWED = Judgement("accepted", "", "to_bill", 6250, False, False)
NOTHING = Judgement("accepted", "", "nothing_owed", 0, True, False)
SEEN = ClaimState("riverbend", SUBMITTED.claim_id, 3, "ana")
WAITING = replace(SEEN, verdicts=(Verdict("first", "accepted", "", "pending"),), pending_until=NOW + timedelta(days=30))


def state_of(writes: tuple[Any, ...]) -> ClaimState:
    (state,) = [w.record for w in writes if isinstance(w.record, ClaimState)]
    return state


def test_an_issued_invoice_ages_and_is_reminded_of_from_now() -> None:
    """INV-1, INV-8, INV-9"""
    writes = issue(RECEIVED, SUBMITTED, None, OWED, PRACTICE, NOW)
    (bill,) = [w.record for w in writes if isinstance(w.record, Invoice)]
    assert (bill.amount, bill.source_id, bill.service_date) == (6250, SUBMITTED.claim_id, SESSION_DAY)
    assert bill.due == "2026-11-23T17:00:00Z#remind"
    assert f"{bill.past_due_at:%Y-%m-%d}" == "2027-01-19"
    assert bill.charge_at is None


def test_invoice_explanation_fact_and_claim_state_are_one_commit() -> None:
    """INV-6: the explanation is written with the invoice, and two results of one claim cannot both issue."""
    first = issue(RECEIVED, SUBMITTED, None, OWED, PRACTICE, NOW)
    later = issue(RECEIVED, SUBMITTED, SEEN, OWED, PRACTICE, NOW)
    assert [type(w.record).__name__ for w in first] == ["ClaimState", "Invoice", "InvoiceLines", "Fact"]
    assert isinstance(first[0], Insert)
    assert isinstance(later[0], Update)
    assert (state_of(first).version, state_of(later).version) == (1, 4)
    (lines,) = [w.record for w in first if isinstance(w.record, InvoiceLines)]
    assert sum(line.you_owe for line in lines.lines) == 6250


def test_the_facts_of_a_claim_hold_ids_codes_and_cents_only() -> None:
    """LAW-1: nothing about a person or their health."""
    told = [
        *facts(issue(RECEIVED, SUBMITTED, None, OWED, PRACTICE, NOW)),
        *facts(nothing_owed(RECEIVED, SUBMITTED, None, NOTHING, PRACTICE, NOW)),
        *facts(hold(RECEIVED, "ana", None, "conflict", PRACTICE, NOW, (invoice(6250),))),
        *facts(wait(RECEIVED, SUBMITTED, None, PRACTICE, NOW)),
    ]
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
    state = state_of(wait(RECEIVED, SUBMITTED, None, PRACTICE, NOW))
    assert state.pending_until == NOW + timedelta(days=45)
    assert state.due == "2027-01-04T17:00:00Z#pending"


def test_the_answer_ends_the_wait_and_what_waited_ends_as_it_does() -> None:
    """LAW-4"""
    billed = state_of(issue(RECEIVED, SUBMITTED, WAITING, OWED, PRACTICE, NOW))
    clear = state_of(nothing_owed(RECEIVED, SUBMITTED, WAITING, NOTHING, PRACTICE, NOW))
    assert [v.now for v in billed.verdicts] == ["invoiced", "invoiced"]
    assert len({v.invoice_id for v in billed.verdicts}) == 1
    assert [v.now for v in clear.verdicts] == ["nothing_owed", "nothing_owed"]
    assert billed.due is clear.due is None


def test_a_denial_as_duplicate_or_a_hold_ends_no_wait() -> None:
    """LAW-4"""
    again = replace(RECEIVED, result=DUPLICATE_DENIAL)
    for writes in (
        nothing_owed(again, SUBMITTED, WAITING, NOTHING, PRACTICE, NOW),
        hold(RECEIVED, "ana", WAITING, "conflict", PRACTICE, NOW),
    ):
        state = state_of(writes)
        assert state.verdicts[0].now == "pending"
        assert state.due is not None


def test_a_hold_puts_the_invoice_it_questions_in_review() -> None:
    """INV-7: its charge stops; reminders stop by being in review."""
    writes = hold(RECEIVED, "ana", SEEN, "needs_review", PRACTICE, NOW, (announced(6250),))
    assert kinds(writes) == [FactKind.CLAIM_HELD, FactKind.INVOICE_PUT_IN_REVIEW]
    (paused,) = [w.record for w in writes if isinstance(w.record, Invoice)]
    assert (paused.in_review, paused.charge_at, paused.due) == (True, None, None)


def test_a_result_held_again_keeps_its_hold() -> None:
    first = hold(RECEIVED, "", None, "unmatched_claim", PRACTICE, NOW)
    (row,) = [w.record for w in first if isinstance(w.record, Hold)]
    again = hold(RECEIVED, "ana", state_of(first), "charge_differs", PRACTICE, NOW, before=row)
    (kept,) = [w for w in again if isinstance(w.record, Hold)]
    assert isinstance(kept, Update)
    assert (kept.record.key, kept.record.version) == (row.key, 2)
    assert [v.reason for v in state_of(again).verdicts] == ["charge_differs"]


def test_a_verdict_given_again_replaces_the_first() -> None:
    state = with_verdict(None, "riverbend", "claim_1", Verdict("r1", "held", "unmatched_claim", "held"))
    state = with_verdict(state, "riverbend", "claim_1", Verdict("r2", "accepted", "", "nothing_owed"))
    state = with_verdict(state, "riverbend", "claim_1", Verdict("r1", "accepted", "", "invoiced", "inv_1", 6250))
    assert [(v.result, v.now) for v in state.verdicts] == [("r1", "invoiced"), ("r2", "nothing_owed")]
    assert state.version == 3


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


def test_a_review_says_what_caused_it() -> None:
    (_, fact) = put_in_review(announced(6250), KEY, NOW)
    assert fact.record.cause == KEY  # type: ignore[attr-defined]
