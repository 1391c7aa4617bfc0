"""A claim result: what the patient's share is, whether it balances, and when two of them are the same."""

from dataclasses import replace
from datetime import date

import pytest

from billing.claim import Adjustment, ClaimResult, ClaimStatus
from tests.billing.claim_examples import COPAY, DEDUCTIBLE, DISCOUNT, OWES_62_50, decided, service


def test_only_patient_responsibility_is_the_patients_whatever_else_was_adjusted():
    """LAW-3: CO, PI, OA are never billed."""
    result = decided(
        DISCOUNT,
        COPAY,
        Adjustment("PI", "216", 1000),
        Adjustment("OA", "23", 500),
    )
    assert result.patient_responsibility == 2250


def test_the_patients_share_is_summed_over_claim_and_lines():
    result = decided(COPAY, adjustments=(DEDUCTIBLE,))
    assert result.patient_responsibility == 6250
    assert result.all_adjustments == (DEDUCTIBLE, COPAY)


def test_a_claim_balances_when_every_cent_is_accounted_for():
    assert OWES_62_50.balances()


def test_a_claim_is_out_of_balance_when_its_total_is():
    assert not replace(OWES_62_50, paid=OWES_62_50.paid + 1).balances()


def test_a_claim_is_out_of_balance_when_a_line_is_even_if_the_total_is_not():
    one_cent_moved = (service(DISCOUNT, paid=10501), service(DISCOUNT, paid=10499))
    result = decided(charged=30000, paid=21000, lines=one_cent_moved)
    assert not result.balances()


def test_a_claim_without_lines_balances_on_its_own_adjustments():
    assert decided(lines=(), adjustments=(DISCOUNT, COPAY), paid=8250).balances()


def test_a_negative_adjustment_raises_the_payment():
    """OA-94: the plan paid above the charge."""
    assert decided(Adjustment("OA", "23", 14000), Adjustment("OA", "94", -900), paid=1900).balances()


@pytest.mark.parametrize(
    "same",
    [
        replace(OWES_62_50, ordinal=4),
        replace(OWES_62_50, adjudicated_on=date(2026, 12, 1)),
        replace(OWES_62_50, payer_name="Example Health Plan, Inc."),
        replace(OWES_62_50, payer_ids=("87726",)),
        replace(OWES_62_50, raw_status="01"),
        decided(COPAY, DISCOUNT, DEDUCTIBLE),
    ],
    ids=["ordinal", "date of the file", "payer's spelling", "further payer ids", "raw status", "order"],
)
def test_the_same_decision_has_the_same_digest_however_it_travelled(same: ClaimResult):
    assert same.digest() == OWES_62_50.digest()


@pytest.mark.parametrize(
    "other",
    [
        decided(DISCOUNT, DEDUCTIBLE, Adjustment("PR", "3", 2251)),
        decided(DISCOUNT, DEDUCTIBLE, Adjustment("PR", "2", 2250)),
        decided(DISCOUNT, DEDUCTIBLE, Adjustment("CO", "3", 2250)),
        replace(OWES_62_50, currency="eur"),
        replace(OWES_62_50, stated_responsibility=None),
        replace(OWES_62_50, status=ClaimStatus.DENIED),
        replace(OWES_62_50, lines=(), adjustments=(DISCOUNT, DEDUCTIBLE, COPAY)),
        replace(OWES_62_50, lines=(replace(OWES_62_50.lines[0], procedure="90837"),)),
        replace(OWES_62_50, lines=(replace(OWES_62_50.lines[0], service_date=None),)),
        replace(OWES_62_50, supersedes=True),
    ],
    ids=[
        "amount",
        "code",
        "group",
        "currency",
        "stated share",
        "status",
        "no lines",
        "procedure",
        "no date",
        "supersedes",
    ],
)
def test_another_decision_has_another_digest(other: ClaimResult):
    assert other.digest() != OWES_62_50.digest()


def test_the_name_of_a_decision_never_changes():
    """Rows are kept under it: results that were stored before a field was added must still be found."""
    assert OWES_62_50.result_key().startswith("8eec829c")


@pytest.mark.parametrize(
    "changes",
    [
        {"payer_ids": ("77777",)},
        {"payer_claim_id": "2026000124"},
        {"claim_id": "KB7Q2M9X42"},
        {"status": ClaimStatus.DENIED},
        {"ordinal": 1},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_who_decided_about_what_is_part_of_a_results_name(changes: dict[str, object]):
    other = replace(OWES_62_50, **changes)
    assert other.result_key() != OWES_62_50.result_key()
    assert other.same_claim_key() != OWES_62_50.same_claim_key()


def test_two_contents_under_one_name_share_the_claim_key_only():
    other = decided(DISCOUNT, COPAY)
    assert other.same_claim_key() == OWES_62_50.same_claim_key()
    assert other.result_key() != OWES_62_50.result_key()


def test_a_rehearsal_is_not_taken_for_the_real_decision():
    assert replace(OWES_62_50, test=True).result_key() != OWES_62_50.result_key()


def test_the_parts_of_a_name_cannot_run_into_each_other():
    left = replace(OWES_62_50, payer_claim_id="12", claim_id="3")
    right = replace(OWES_62_50, payer_claim_id="1", claim_id="23")
    assert left.same_claim_key() != right.same_claim_key()


def test_a_result_without_any_payer_id_has_a_blank_one():
    assert replace(OWES_62_50, payer_ids=()).payer_id == ""
