"""INV-6: the parts that picture, table and mail are made of add up to the full price, and each says what it is."""

from dataclasses import replace

import pytest
from hypothesis import given

from billing.claim import Adjustment, ClaimResult
from billing.explain import OURS, ExplainedLine, Reason, explain
from billing.where_it_went import LABELS, SHARES, Kind, Share, WhereItWent, where_it_went
from tests.billing.claim_examples import (
    COPAY,
    DEDUCTIBLE,
    DISCOUNT,
    OWES_62_50,
    SUBMITTED,
    balanced_results,
    decided,
)


def went(*adjustments: Adjustment, **changes: object) -> WhereItWent:
    """Where the $150.00 of a session went whose payer adjusted that."""
    return where_it_went(explain(decided(*adjustments, **changes), SUBMITTED))


def parts(where: WhereItWent) -> list[tuple[str, int]]:
    return [(part.label, part.amount) for part in where.parts]


def test_inv_6_a_session_with_a_copay() -> None:
    where = went(DISCOUNT, COPAY)
    assert (where.billed, where.you_owe) == (15000, 2250)
    assert parts(where) == [("Your plan's discount", 4500), ("Your plan paid", 8250), ("Copay", 2250)]
    assert where.slices == where.parts


def test_inv_6_a_session_with_deductible_and_coinsurance() -> None:
    where = went(DISCOUNT, DEDUCTIBLE, Adjustment("PR", "2", 1300))
    assert parts(where) == [
        ("Your plan's discount", 4500),
        ("Your plan paid", 5200),
        ("Deductible", 4000),
        ("Coinsurance", 1300),
    ]
    assert where.you_owe == 5300
    assert [part.shown for part in where.parts] == [-4500, -5200, 4000, 1300]


def test_inv_6_a_session_the_plan_does_not_cover() -> None:
    """PR-96, released by a person: all of it is the client's, and there is nobody else to show."""
    where = went(Adjustment("PR", "96", 15000))
    assert parts(where) == [("Not covered", 15000)]
    assert where.parts[0].sentences == ("Your plan does not cover this service or charge.",)
    assert not where.somebody_else_had_a_part


def test_inv_6_what_another_insurance_settled_stands_apart_from_what_this_one_did() -> None:
    """OA-23: the second payer repeats what the first did; neither its discount nor its payment."""
    where = went(Adjustment("OA", "23", 12000), COPAY)
    assert parts(where) == [("Settled by your other insurance", 12000), ("Your plan paid", 750), ("Copay", 2250)]
    assert [part.share for part in where.parts] == [Share.OTHER, Share.PLAN, Share.YOU]


def test_inv_6_a_payment_above_the_charge_is_said_to_be_one() -> None:
    """OA-94: negative; the picture shows what the plan's share of the price is."""
    where = went(Adjustment("OA", "94", -900))
    assert parts(where) == [("Your plan paid", 15900), ("Paid above the full price", -900)]
    assert [(part.kind, part.amount) for part in where.slices] == [(Kind.PLAN_PAID, 15000)]


def test_inv_6_the_federal_cut_is_nobodys_discount_and_not_the_clients() -> None:
    """CO-253, sequestration."""
    where = went(DISCOUNT, Adjustment("CO", "253", 170), COPAY)
    assert parts(where)[:2] == [("Your plan's discount", 4500), ("Taken off, not yours to pay", 170)]
    assert where.parts[1].sentences == (
        "Federal budget rules cut this payment slightly. The cut cannot be charged to you.",
    )


def test_inv_6_a_capitated_zero_is_covered_not_discounted() -> None:
    """CO-24: nothing is paid for this claim, because the plan pays a fixed amount anyway."""
    where = went(Adjustment("CO", "24", 12750), COPAY)
    assert parts(where) == [("Covered by your plan's fixed payment", 12750), ("Copay", 2250)]
    assert where.parts[0].share is Share.PLAN


@pytest.mark.parametrize("group", ["OA", "PI"])
def test_inv_6_what_is_not_contractual_is_not_called_an_agreed_discount(group: str) -> None:
    where = went(Adjustment(group, "45", 4500), COPAY)
    assert parts(where)[0] == ("Taken off, not yours to pay", 4500)
    assert where.parts[0].sentences == ("Your plan gave reason 45. You do not owe this amount.",)


def test_inv_6_a_denial_that_is_not_the_clients_leaves_nothing_to_them() -> None:
    where = went(Adjustment("CO", "29", 15000))
    assert parts(where) == [("Taken off, not yours to pay", 15000)]
    assert where.you_owe == 0


def test_inv_6_what_was_added_back_is_not_called_taken_off() -> None:
    where = went(DISCOUNT, Adjustment("CO", "253", -170), COPAY)
    assert parts(where)[:2] == [("Your plan's discount", 4500), ("Added back by your plan", -170)]
    assert [part.amount for part in where.slices] == [4330, 8420, 2250]


def test_inv_2_what_a_plan_is_expected_to_pay_is_not_called_paid() -> None:
    """An estimate: the reasons are ours, no payer has decided."""
    reasons = (
        Reason(OURS, "", 12750, "Your plan has not decided yet.", "insurance_paid"),
        Reason(OURS, "", 2250, "Your last eligibility check says this copay.", "copay"),
    )
    where = where_it_went([ExplainedLine("90834", None, 15000, 0, 12750, 0, 0, 2250, 0, 2250, reasons)])
    assert parts(where) == [("Expected from your plan", 12750), ("Copay", 2250)]
    assert where.slices == where.parts
    assert parts(where.in_totals) == [("Expected from your plan", 12750), ("Your part", 2250)]


def test_there_is_no_picture_where_the_parts_are_no_shares_of_a_whole() -> None:
    taken_back = ExplainedLine("90834", None, 10000, 0, -2000, 0, 0, 0, 12000, 12000, ())
    where = where_it_went([taken_back])
    assert parts(where) == [("Your plan took back", -2000), ("Not covered", 12000)]
    assert where.slices == ()
    assert where_it_went([]).slices == ()


def test_a_reason_given_twice_is_said_once() -> None:
    half = Adjustment("PR", "1", 2000)
    assert len(went(half, half).parts[-1].sentences) == 1


def test_several_services_are_one_bill() -> None:
    where = where_it_went([*explain(decided(DISCOUNT, COPAY), SUBMITTED), *explain(OWES_62_50, SUBMITTED)])
    assert parts(where) == [
        ("Your plan's discount", 9000),
        ("Your plan paid", 12500),
        ("Deductible", 4000),
        ("Copay", 4500),
    ]
    assert (where.billed, where.you_owe) == (30000, 8500)


def test_law_1_the_totals_for_a_mail_name_no_reason_and_no_kind_of_the_clients_part() -> None:
    totals = went(DISCOUNT, Adjustment("CO", "11", 1000), COPAY, DEDUCTIBLE).in_totals
    assert parts(totals) == [
        ("Your plan's discount", 4500),
        ("Taken off, not yours to pay", 1000),
        ("Your plan paid", 3250),
        ("Your part", 6250),
    ]
    assert not any(part.sentences for part in totals.parts)
    assert totals.slices == totals.parts


def test_every_kind_of_part_has_its_words_and_its_share() -> None:
    assert set(LABELS) == set(SHARES) == set(Kind)


@given(balanced_results())
def test_inv_6_the_parts_add_up_and_only_patient_reasons_are_the_clients(result: ClaimResult) -> None:
    lines = explain(result, SUBMITTED)
    for where in (where_it_went(lines), *(where_it_went([line]) for line in lines)):
        assert sum(part.amount for part in where.parts) == where.billed
        assert sum(part.amount for part in where.parts if part.yours) == where.you_owe
        assert where.billed + sum(part.shown for part in where.parts if not part.yours) == where.you_owe
        assert all(part.amount for part in where.parts)
        assert sum(part.amount for part in where.slices) in (where.billed, 0)
        assert all(part.amount > 0 for part in where.slices)
    whole = where_it_went(lines)
    assert (whole.billed, whole.you_owe) == (result.charged, result.patient_responsibility)


@given(balanced_results())
def test_inv_6_another_insurances_part_is_exactly_what_the_payer_repeats_of_it(result: ClaimResult) -> None:
    where = where_it_went(explain(result, SUBMITTED))
    repeated = sum(each.amount for each in result.all_adjustments if each.code == "23" and each.group != "PR")
    assert sum(part.amount for part in where.parts if part.kind is Kind.OTHER_INSURANCE) == repeated
    discount = sum(each.amount for each in result.all_adjustments if each.group == "CO" and each.code in ("45", "131"))
    assert sum(part.amount for part in where.parts if part.kind is Kind.DISCOUNT) == discount


@given(balanced_results())
def test_inv_6_what_the_client_owes_is_exact_even_where_a_claim_does_not_balance(result: ClaimResult) -> None:
    """A person may release a claim that was held as out of balance."""
    where = where_it_went(explain(replace(result, paid=result.paid + 1), SUBMITTED))
    assert where.you_owe == sum(part.amount for part in where.parts if part.yours) == result.patient_responsibility
