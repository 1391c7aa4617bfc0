"""INV-6: each cent of a claim is traced to its adjustment, in plain words, and the columns add up."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from billing.carc import CARCS
from billing.claim import Adjustment, ClaimResult
from billing.explain import Bucket, ExplainedLine, bucket_of, explain
from tests.billing.claim_examples import (
    COPAY,
    DEDUCTIBLE,
    DISCOUNT,
    OWES_62_50,
    SESSION_DAY,
    SUBMITTED,
    balanced_results,
    decided,
    service,
)


def columns(line: ExplainedLine) -> dict[str, int]:
    """The amounts of a line that are not zero."""
    names = (
        "billed",
        "plan_discount",
        "insurance_paid",
        "deductible",
        "coinsurance",
        "copay",
        "not_covered",
        "you_owe",
    )
    return {name: getattr(line, name) for name in names if getattr(line, name)}


def test_a_service_shows_what_was_billed_taken_off_paid_and_left():
    """INV-6"""
    (line,) = explain(OWES_62_50, SUBMITTED)
    assert (line.procedure, line.service_date) == ("90834", SESSION_DAY)
    assert columns(line) == {
        "billed": 15000,
        "plan_discount": 4500,
        "insurance_paid": 4250,
        "deductible": 4000,
        "copay": 2250,
        "you_owe": 6250,
    }


def test_every_amount_comes_with_its_reason_in_plain_words():
    """INV-6"""
    (line,) = explain(OWES_62_50, SUBMITTED)
    assert [(reason.group, reason.code, reason.amount, reason.bucket) for reason in line.reasons] == [
        ("CO", "45", 4500, "plan_discount"),
        ("PR", "1", 4000, "deductible"),
        ("PR", "3", 2250, "copay"),
    ]
    assert line.reasons[2].sentence == CARCS["3"].sentence


def test_what_another_insurance_did_is_shown_as_paid_by_insurance():
    """INV-6, OA-23"""
    (line,) = explain(decided(Adjustment("OA", "23", 12000), Adjustment("PR", "2", 1000)), SUBMITTED)
    assert columns(line) == {"billed": 15000, "insurance_paid": 14000, "coinsurance": 1000, "you_owe": 1000}


FIRST = decided(DISCOUNT, Adjustment("PR", "2", 3000), payer_ids=("87726",))
"""The first payer took $45.00 off and paid $75.00: the second repeats $120.00 as OA-23."""


def test_what_the_first_payer_did_is_told_by_what_it_paid_and_what_it_took_off():
    """INV-6, OA-23"""
    second = decided(Adjustment("OA", "23", 12000), Adjustment("PR", "3", 1000), payer_ids=("77777",))
    (line,) = explain(second, SUBMITTED, [FIRST])
    assert line.reasons[0].sentence == "Your other insurance paid $75.00 and took $45.00 off the price."
    assert columns(line) == columns(explain(second, SUBMITTED)[0])
    (line,) = explain(second, SUBMITTED, [decided(Adjustment("PR", "2", 3000))])
    assert line.reasons[0].sentence == "Your other insurance paid this."


def test_what_does_not_agree_with_the_first_payers_own_word_gets_the_neutral_sentence():
    """INV-6: nobody is told a figure that two payers tell differently."""
    second = decided(Adjustment("OA", "23", 12001), Adjustment("PR", "3", 1000))
    (line,) = explain(second, SUBMITTED, [FIRST])
    assert line.reasons[0].sentence == CARCS["23"].sentence


def test_a_patient_reason_without_a_column_is_not_covered():
    """INV-6"""
    (line,) = explain(decided(Adjustment("PR", "96", 15000)), SUBMITTED)
    assert columns(line) == {"billed": 15000, "not_covered": 15000, "you_owe": 15000}


def test_a_claim_decided_as_a_whole_is_one_line_named_after_its_only_service():
    """INV-6"""
    whole = decided(lines=(), adjustments=(DISCOUNT, COPAY), paid=8250)
    (line,) = explain(whole, SUBMITTED)
    assert (line.procedure, line.service_date, line.you_owe) == ("90834", SESSION_DAY, 2250)


def test_a_claim_decided_as_a_whole_has_no_procedure_when_several_were_submitted():
    """INV-6"""
    several = replace(SUBMITTED, lines=(*SUBMITTED.lines, *SUBMITTED.lines))
    (line,) = explain(decided(lines=(), adjustments=(COPAY,), paid=12750), several)
    assert (line.procedure, line.service_date) == ("", SESSION_DAY)


def test_an_adjustment_of_the_whole_claim_comes_out_of_what_was_paid_for_its_services():
    """INV-6: lines say $100.00 paid each, and the claim takes $120.00 back from them."""
    lines = (service(Adjustment("PR", "1", 5000)), service(Adjustment("PR", "3", 5000)))
    result = decided(charged=30000, lines=lines, adjustments=(Adjustment("CO", "45", 12000),), paid=8000)
    first, second = explain(result, SUBMITTED)
    assert columns(first) == {"billed": 15000, "plan_discount": 10000, "deductible": 5000, "you_owe": 5000}
    assert columns(second) == {
        "billed": 15000,
        "plan_discount": 2000,
        "insurance_paid": 8000,
        "copay": 5000,
        "you_owe": 5000,
    }


def test_services_that_are_not_the_whole_charge_leave_a_last_line_for_the_rest():
    """INV-6"""
    result = decided(charged=20000, lines=(service(COPAY),), adjustments=(DEDUCTIBLE,), paid=13750)
    service_line, rest = explain(result, SUBMITTED)
    assert columns(service_line) == {"billed": 15000, "insurance_paid": 12750, "copay": 2250, "you_owe": 2250}
    assert rest.procedure == ""
    assert columns(rest) == {"billed": 5000, "insurance_paid": 1000, "deductible": 4000, "you_owe": 4000}


def test_a_service_the_payer_did_not_date_takes_the_date_that_was_submitted():
    (line,) = explain(decided(lines=(service(COPAY, service_date=None),), paid=12750), SUBMITTED)
    assert line.service_date == SESSION_DAY
    (undated,) = explain(decided(lines=(service(COPAY, service_date=None),), paid=12750), None)
    assert undated.service_date is None


def test_only_patient_reasons_ever_fall_into_a_column_the_patient_owes():
    """LAW-3"""
    owed = {Bucket.DEDUCTIBLE, Bucket.COINSURANCE, Bucket.COPAY, Bucket.NOT_COVERED}
    for code in (*CARCS, "999"):
        assert bucket_of("PR", code) in owed
        assert not owed & {bucket_of(group, code) for group in ("CO", "OA", "PI", "CR")}


@given(balanced_results())
def test_every_cent_is_traced_whatever_the_payer_adjusted_where(result: ClaimResult):
    """INV-6: each line adds up, and the lines add up to the claim."""
    assert result.balances()
    lines = explain(result, SUBMITTED)
    for line in lines:
        owed = line.deductible + line.coinsurance + line.copay + line.not_covered
        assert line.you_owe == owed
        assert line.billed == line.plan_discount + line.insurance_paid + owed
    assert sum(line.you_owe for line in lines) == result.patient_responsibility
    assert sum(line.billed for line in lines) == result.charged
    by_others = (each for each in result.all_adjustments if each.code == "23" and each.group != "PR")
    elsewhere = sum(each.amount for each in by_others)
    assert sum(line.insurance_paid for line in lines) == result.paid + elsewhere
    explained = sum(reason.amount for line in lines for reason in line.reasons)
    assert explained == sum(adjustment.amount for adjustment in result.all_adjustments)


@given(balanced_results(), st.integers(min_value=-5_000, max_value=5_000))
def test_what_is_owed_is_exact_even_for_a_claim_that_does_not_balance(result: ClaimResult, off: int):
    """INV-6: a person may release a claim that was held as out of balance."""
    lines = explain(replace(result, paid=result.paid + off), None)
    assert sum(line.you_owe for line in lines) == result.patient_responsibility
