"""The gates before billing: what is billed, what is held and under which name, and what stops an invoice."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

import pytest

from billing.claim import FORWARDED, Adjustment, ClaimResult, ClaimStatus, SubmittedClaim
from billing.gates import GATES, Gate
from billing.standing import Rules, Seen, stand
from tests.billing.claim_examples import (
    COPAY,
    DEDUCTIBLE,
    DISCOUNT,
    DUPLICATE_DENIAL,
    OWES_62_50,
    REVERSAL_OF_IT,
    SUBMITTED,
    SUBMITTED_TO_THREE,
    SUBMITTED_WITH_SECONDARY,
    decided,
)
from tests.billing.judging import Earlier, Judgement, judge

INVOICED = Earlier(OWES_62_50, "accepted", "invoiced")
NOT_COVERED = decided(Adjustment("PR", "96", 15000))


def judged(
    result: ClaimResult,
    *,
    submitted: SubmittedClaim | None = SUBMITTED,
    earlier: Sequence[Earlier] = (),
    accept_test_files: bool = False,
    bill_reviewable: bool = False,
) -> Judgement:
    return judge(
        result,
        submitted=submitted,
        earlier=earlier,
        accept_test_files=accept_test_files,
        bill_reviewable=bill_reviewable,
    )


# --- what is billed


def test_a_result_that_passes_every_gate_bills_exactly_the_patients_share():
    """INV-1"""
    assert judged(OWES_62_50) == Judgement("accepted", "", "to_bill", 6250, False, False)


def test_nothing_owed_issues_nothing_and_the_client_may_be_told_when_the_plan_paid():
    """INV-1"""
    assert judged(decided(DISCOUNT)) == Judgement("accepted", "", "nothing_owed", 0, True, False)


def test_a_purely_contractual_zero_may_be_announced_though_the_plan_paid_nothing():
    """INV-1"""
    judgement = judged(decided(Adjustment("CO", "45", 15000)))
    assert (judgement.now, judgement.may_announce_nothing_owed) == ("nothing_owed", True)


@pytest.mark.parametrize("code", ["16", "252", "50"])
def test_a_denial_that_someone_will_act_on_is_never_announced_as_nothing_owed(code: str):
    """INV-1: another result may follow."""
    judgement = judged(decided(Adjustment("CO", code, 15000), status=ClaimStatus.DENIED))
    assert (judgement.outcome, judgement.now, judgement.may_announce_nothing_owed) == (
        "accepted",
        "nothing_owed",
        False,
    )


def test_a_part_still_in_dispute_keeps_a_paid_claim_from_being_announced():
    """INV-1"""
    assert not judged(decided(DISCOUNT, Adjustment("CO", "16", 1000))).may_announce_nothing_owed


def test_an_unpaid_claim_that_is_not_contractual_is_not_announced():
    """INV-1"""
    assert not judged(decided(Adjustment("OA", "209", 15000))).may_announce_nothing_owed


def test_a_denial_is_judged_by_its_adjustments_like_any_other():
    result = decided(DISCOUNT, Adjustment("PR", "1", 10500), status=ClaimStatus.DENIED)
    assert judged(result).now == "to_bill"
    assert judged(result).patient_responsibility == 10500


def test_an_unknown_reason_outside_the_patients_share_does_not_hold_a_claim():
    assert judged(decided(Adjustment("CO", "999", 4500), COPAY)).now == "to_bill"


def test_json_states_no_responsibility_and_is_exempt_from_that_gate():
    assert judged(replace(OWES_62_50, stated_responsibility=None)).outcome == "accepted"


# --- what is held, and under which name


@pytest.mark.parametrize("status", [ClaimStatus.PREDETERMINATION, ClaimStatus.NOT_OURS, ClaimStatus.UNKNOWN])
def test_a_status_that_is_no_decision_is_held(status: ClaimStatus):
    assert judged(replace(OWES_62_50, status=status)).reason == "not_billable_status"


def test_a_reversal_of_nothing_is_held():
    assert judged(REVERSAL_OF_IT).reason == "reversal_without_original"


@pytest.mark.parametrize(
    "original",
    [
        decided(DISCOUNT, DEDUCTIBLE),
        decided(DISCOUNT, DEDUCTIBLE, Adjustment("PR", "2", 2250)),
        replace(OWES_62_50, payer_claim_id="another"),
        replace(OWES_62_50, payer_ids=("77777",)),
    ],
    ids=["amounts", "codes", "payer claim id", "payer"],
)
def test_a_reversal_must_be_exactly_minus_its_original(original: ClaimResult):
    earlier = [Earlier(original, "accepted", "invoiced")]
    assert judged(REVERSAL_OF_IT, earlier=earlier).reason == "reversal_without_original"


def test_a_reversal_finds_its_original_by_the_payers_reference_to_it():
    renumbered = replace(REVERSAL_OF_IT, payer_claim_id="2026000777", original_payer_claim_id="2026000123")
    assert judged(renumbered, earlier=[INVOICED]).now == "adjusted"


def test_a_reversal_is_exempt_from_the_stated_responsibility():
    stated = replace(REVERSAL_OF_IT, stated_responsibility=6250)
    assert judged(stated, earlier=[INVOICED]).now == "adjusted"


def test_a_claim_that_does_not_balance_is_held():
    assert judged(replace(OWES_62_50, paid=4251)).reason == "out_of_balance"


@pytest.mark.parametrize("stated", [0, 6249, -6250])
def test_a_stated_responsibility_that_is_not_the_sum_of_pr_is_held(stated: int):
    assert judged(replace(OWES_62_50, stated_responsibility=stated)).reason == "responsibility_mismatch"


@pytest.mark.parametrize("code", ["1", "2", "3"])
def test_a_patients_reason_under_a_contractual_group_is_held_not_guessed(code: str):
    """LAW-3"""
    assert judged(decided(Adjustment("CO", code, 4000), COPAY)).reason == "contractual_patient_code"


@pytest.mark.parametrize("adjustment", [Adjustment("CR", "45", 4500), Adjustment("PR", "303", 4500)])
def test_an_unknown_group_or_an_unknown_patient_reason_is_held(adjustment: Adjustment):
    assert judged(decided(adjustment, COPAY)).reason == "unknown_code"


def test_a_test_file_is_held_unless_the_practice_accepts_them():
    rehearsal = replace(OWES_62_50, test=True)
    assert judged(rehearsal).reason == "test_file"
    assert judged(rehearsal, accept_test_files=True).outcome == "accepted"


def test_a_claim_nobody_submitted_is_held():
    assert judged(OWES_62_50, submitted=None).reason == "unmatched_claim"


def test_other_content_under_the_same_keys_is_a_conflict():
    other = decided(DISCOUNT, COPAY)
    assert judged(other, earlier=[INVOICED]).reason == "conflict"


def test_after_a_reversal_other_content_is_a_correction_not_a_conflict():
    reversed_meanwhile = [INVOICED, Earlier(REVERSAL_OF_IT, "held", "held")]
    assert judged(decided(DISCOUNT, COPAY), earlier=reversed_meanwhile).now == "to_bill"


@pytest.mark.parametrize(
    "other",
    [
        decided(DISCOUNT, COPAY, charged=15001),
        replace(OWES_62_50, payer_ids=("99999",)),
        replace(OWES_62_50, payer_ids=()),
        replace(OWES_62_50, currency="cad"),
    ],
    ids=["charge", "payer", "no payer", "currency"],
)
def test_what_was_not_submitted_like_this_is_held(other: ClaimResult):
    assert judged(other).reason == "charge_differs"


@pytest.mark.parametrize("payer_ids", [("X", "87726"), ("77777",)])
def test_any_id_of_either_payer_matches_the_submitted_claim(payer_ids: tuple[str, ...]):
    assert judged(replace(OWES_62_50, payer_ids=payer_ids), submitted=SUBMITTED_WITH_SECONDARY).outcome == "accepted"


@pytest.mark.parametrize("code", ["96", "19", "227", "45"], ids=["bill_review", "review", "hold_contact", "write_off"])
def test_a_patient_reason_we_do_not_bill_unasked_needs_a_person(code: str):
    assert judged(decided(Adjustment("PR", code, 15000))).reason == "needs_review"


def test_a_practice_may_choose_to_bill_what_is_marked_for_review_of_billing():
    assert judged(NOT_COVERED, bill_reviewable=True).now == "to_bill"
    assert judged(decided(Adjustment("PR", "45", 15000)), bill_reviewable=True).reason == "needs_review"


@pytest.mark.parametrize(
    "adjustments",
    [
        (Adjustment("PR", "1", -100),),
        (Adjustment("PR", "1", 15001), Adjustment("OA", "94", -1)),
    ],
    ids=["below zero", "above the charge"],
)
def test_an_impossible_share_needs_a_person(adjustments: tuple[Adjustment, ...]):
    assert judged(decided(*adjustments)).reason == "needs_review"


def test_a_second_answer_of_one_payer_is_held_and_stops_the_invoice():
    second = decided(DISCOUNT, COPAY, payer_claim_id="2026000124")
    judgement = judged(second, earlier=[INVOICED], submitted=SUBMITTED_WITH_SECONDARY)
    assert judgement.reason == "needs_review"
    assert judgement.invoiced_claim_in_question


def test_a_result_that_comes_after_its_reversal_is_taken_back_at_once():
    reversal_first = [Earlier(REVERSAL_OF_IT, "held", "held")]
    assert judged(OWES_62_50, earlier=reversal_first).now == "adjusted"


def test_the_rehearsal_of_a_reversal_takes_nothing_back():
    rehearsed = [Earlier(replace(REVERSAL_OF_IT, test=True), "held", "held")]
    assert judged(OWES_62_50, earlier=rehearsed).now == "to_bill"


def test_a_second_result_of_a_claim_that_was_only_held_is_judged_on_its_own():
    waiting = [Earlier(replace(NOT_COVERED, payer_claim_id="2026000001"), "held", "held")]
    assert judged(OWES_62_50, earlier=waiting).now == "to_bill"


def test_a_result_that_a_person_released_counts_as_the_claims_answer():
    released = [Earlier(replace(NOT_COVERED, payer_claim_id="2026000001"), "held", "invoiced")]
    assert judged(OWES_62_50, earlier=released).reason == "needs_review"


def test_a_second_result_of_a_claim_without_invoice_stops_nothing():
    judgement = judged(OWES_62_50, earlier=[Earlier(decided(DISCOUNT, payer_claim_id="1"), "accepted", "nothing_owed")])
    assert judgement.reason == "needs_review"
    assert not judgement.invoiced_claim_in_question


@pytest.mark.parametrize(
    "no_answer",
    [replace(NOT_COVERED, test=True), replace(NOT_COVERED, status=ClaimStatus.PREDETERMINATION)],
    ids=["rehearsal", "preview of benefits"],
)
def test_what_is_no_decision_does_not_stop_an_invoice(no_answer: ClaimResult):
    judgement = judged(no_answer, earlier=[INVOICED])
    assert judgement.outcome == "held"
    assert not judgement.invoiced_claim_in_question


# --- repetitions


def test_the_real_result_after_its_rehearsal_is_no_duplicate():
    rehearsed = [Earlier(replace(OWES_62_50, test=True), "held", "held")]
    assert judged(OWES_62_50, earlier=rehearsed).now == "to_bill"


def test_a_duplicate_denial_is_recorded_without_touching_the_invoice():
    """OA-18: the payer only says that it has the claim already."""
    expected = Judgement("accepted", "", "nothing_owed", 0, False, False)
    assert judged(DUPLICATE_DENIAL, earlier=[INVOICED]) == expected
    assert judged(DUPLICATE_DENIAL, submitted=SUBMITTED_WITH_SECONDARY) == expected


@pytest.mark.parametrize("group", ["OA", "CO", "PI"])
def test_a_duplicate_denial_is_one_under_whatever_group_a_payer_sends_it(group: str):
    """Reason 18 is OA by the book; many payers send it as CO. Before its original it must not stand in its way."""
    denial = decided(Adjustment(group, "18", 15000), payer_claim_id="2026000200", status=ClaimStatus.DENIED)
    assert judged(denial).now == "nothing_owed"
    assert judged(OWES_62_50, earlier=[Earlier(denial, "accepted", "nothing_owed")]).now == "to_bill"


def test_a_duplicate_that_a_payer_leaves_to_the_patient_waits_for_a_person():
    """LAW-3: PR-18 would bill a service twice."""
    assert judged(decided(Adjustment("PR", "18", 15000))).reason == "needs_review"


def test_a_duplicate_denial_does_not_count_as_the_claims_answer():
    assert judged(OWES_62_50, earlier=[Earlier(DUPLICATE_DENIAL, "accepted", "nothing_owed")]).now == "to_bill"


# --- other payers


@pytest.mark.parametrize("status", sorted(FORWARDED))
def test_a_forwarded_claim_waits_for_the_next_payer(status: ClaimStatus):
    """LAW-4"""
    assert judged(replace(OWES_62_50, status=status)) == Judgement("accepted", "", "pending", 6250, False, False)


@pytest.mark.parametrize("status", [ClaimStatus.PROCESSED_PRIMARY, ClaimStatus.DENIED])
def test_a_claim_with_a_second_payer_on_file_waits_for_it(status: ClaimStatus):
    """LAW-4"""
    assert judged(replace(OWES_62_50, status=status), submitted=SUBMITTED_WITH_SECONDARY).now == "pending"


def test_zero_owed_is_not_announced_while_the_second_payer_is_pending():
    """LAW-4, INV-1"""
    judgement = judged(decided(DISCOUNT), submitted=SUBMITTED_WITH_SECONDARY)
    assert (judgement.now, judgement.may_announce_nothing_owed) == ("pending", False)


@pytest.mark.parametrize(
    "answer",
    [
        replace(OWES_62_50, status=ClaimStatus.PROCESSED_SECONDARY, payer_ids=("77777",)),
        replace(OWES_62_50, payer_ids=("77777",)),
    ],
    ids=["as secondary", "by its id"],
)
def test_the_second_payers_own_answer_does_not_wait_for_itself(answer: ClaimResult):
    """LAW-4"""
    assert judged(answer, submitted=SUBMITTED_WITH_SECONDARY).now == "to_bill"


SECONDS = decided(
    Adjustment("OA", "23", 8750),
    COPAY,
    status=ClaimStatus.PROCESSED_SECONDARY,
    payer_ids=("77777",),
    payer_claim_id="B",
)
THIRDS = decided(
    Adjustment("OA", "23", 14000),
    Adjustment("PR", "2", 1000),
    status=ClaimStatus.PROCESSED_TERTIARY,
    payer_ids=("66666",),
    payer_claim_id="C",
)


def test_law_4_each_payer_on_file_is_waited_for_until_the_last_has_answered():
    waiting = [Earlier(OWES_62_50, "accepted", "pending"), Earlier(SECONDS, "accepted", "pending")]
    assert judged(OWES_62_50, submitted=SUBMITTED_TO_THREE).now == "pending"
    assert judged(SECONDS, earlier=waiting[:1], submitted=SUBMITTED_TO_THREE).now == "pending"
    assert judged(THIRDS, earlier=waiting, submitted=SUBMITTED_TO_THREE).now == "to_bill"


@pytest.mark.parametrize("order", list(permutations((OWES_62_50, SECONDS, THIRDS))))
def test_law_4_of_three_payers_the_last_in_the_chain_says_what_is_owed_whoever_answers_first(
    order: tuple[ClaimResult, ...],
):
    standing = stand([Seen(result) for result in order], SUBMITTED_TO_THREE, Rules())
    assert (standing.answer, standing.owed) == (THIRDS, 1000)
    assert set(standing.earlier_payers) == {OWES_62_50, SECONDS}


def test_a_third_payer_that_calls_itself_primary_answers_in_its_place_on_file():
    standing = stand([Seen(replace(THIRDS, status=ClaimStatus.PROCESSED_PRIMARY))], SUBMITTED_TO_THREE, Rules())
    assert (standing.owed, standing.awaited) == (1000, 0)


def test_a_payer_that_is_on_file_twice_says_itself_which_of_the_two_it_answers_as():
    """One insurer covers both parents of a child."""
    submitted = replace(SUBMITTED, secondary_payer_id=SUBMITTED.payer_id)
    second = replace(SECONDS, payer_ids=OWES_62_50.payer_ids)
    assert stand([Seen(OWES_62_50)], submitted, Rules()).awaited == 2
    assert stand([Seen(OWES_62_50), Seen(second)], submitted, Rules()).owed == 2250


# --- the order of the gates


FAILS: dict[Gate, dict[str, object]] = {
    Gate.NOT_BILLABLE_STATUS: {"status": ClaimStatus.PREDETERMINATION},
    Gate.OUT_OF_BALANCE: {"paid": 1},
    Gate.RESPONSIBILITY_MISMATCH: {"stated_responsibility": 1},
    Gate.TEST_FILE: {"test": True},
    Gate.CHARGE_DIFFERS: {"currency": "eur"},
}


def test_every_gate_is_asked_once_and_in_the_promised_order():
    assert [gate for gate, _ in GATES] == list(Gate)


@pytest.mark.parametrize("first", FAILS)
def test_the_first_gate_that_fails_names_the_hold(first: Gate):
    later = list(FAILS)[list(FAILS).index(first) :]
    changes = {field: value for gate in later for field, value in FAILS[gate].items()}
    assert judged(replace(OWES_62_50, **changes)).reason == first


def test_the_second_payers_answer_after_the_first_waited_for_it_is_billed():
    """LAW-4: the patient's share is that of the last payer in the chain."""
    waiting = Earlier(OWES_62_50, "accepted", "pending")
    answer = decided(DISCOUNT, COPAY, status=ClaimStatus.PROCESSED_SECONDARY, payer_ids=("77777",))
    assert judged(answer, earlier=[waiting], submitted=SUBMITTED_WITH_SECONDARY).now == "to_bill"
