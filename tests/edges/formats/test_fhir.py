"""FHIR R4 decisions become claim results, and only what reconciles to the cent can be billed."""

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.claim import Adjustment, ClaimResult, ClaimStatus
from edges.formats.claim_json import NotAClaimResult
from edges.formats.fhir import parse
from edges.formats.rejected import Rejected
from edges.strict_json import NotJson
from tests.billing.claim_examples import SUBMITTED, SUBMITTED_WITH_SECONDARY
from tests.billing.judging import Earlier, Judgement, judge

Json = dict[str, Any]
HL7 = "http://terminology.hl7.org/CodeSystem/adjudication"
CARIN = "http://hl7.org/fhir/us/carin-bb/CodeSystem/C4BBAdjudication"
DISCRIMINATOR = "http://hl7.org/fhir/us/carin-bb/CodeSystem/C4BBAdjudicationDiscriminator"
GROUPS = "https://x12.org/codes/claim-adjustment-group-codes"
REASONS = "https://x12.org/codes/claim-adjustment-reason-codes"


def figure(word: str, value: float, system: str = HL7) -> Json:
    return {"category": {"coding": [{"system": system, "code": word}]}, "amount": {"value": value, "currency": "USD"}}


def reason(group: str, code: str, value: float) -> Json:
    why = {"coding": [{"system": GROUPS, "code": group}, {"system": REASONS, "code": code}]}
    return figure("adjustmentreason", value, DISCRIMINATOR) | {"reason": why}


def eob(*figures: Json, total: tuple[Json, ...] = (), **changes: Any) -> Json:
    """The claim of $150.00 as one service with these figures."""
    item = {
        "sequence": 1,
        "productOrService": {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "90834"}]},
        "servicedDate": "2026-10-30",
        "adjudication": list(figures),
    }
    return {
        "resourceType": "ExplanationOfBenefit",
        "status": "active",
        "use": "claim",
        "outcome": "complete",
        "created": "2026-11-20T09:00:00-05:00",
        "identifier": [{"value": "internal"}, {"type": {"coding": [{"code": "uc"}]}, "value": "2026000123"}],
        "claim": {"identifier": {"value": "KB7Q2M9X41"}},
        "patient": {"display": "Jane Sample", "reference": "Patient/jane"},
        "insurer": {"identifier": {"value": "87726"}, "display": "Example Health Plan"},
        "item": [item] if figures else [],
        "total": list(total),
    } | changes


COMPONENTS = (figure("submitted", 150.00), figure("eligible", 105.0), figure("benefit", 42.5))
OWES_62_50 = eob(*COMPONENTS, figure("deductible", 40), figure("copay", 22.50))


def one(resource: Json) -> ClaimResult:
    (result,) = parse(json.dumps(resource).encode())
    assert isinstance(result, ClaimResult)
    return result


def judged(resource: Json, **changes: Any) -> Judgement:
    asked = {"submitted": SUBMITTED, "earlier": (), "accept_test_files": False, "bill_reviewable": False} | changes
    return judge(one(resource), **asked)


def test_an_eob_that_reconciles_is_billed_its_deductible_and_copay() -> None:
    result = one(OWES_62_50)
    assert result.balances()
    assert (result.claim_id, result.payer_claim_id, result.payer_ids) == ("KB7Q2M9X41", "2026000123", ("87726",))
    assert (result.status, result.currency) == (ClaimStatus.PROCESSED_PRIMARY, "usd")
    (line,) = result.lines
    assert (line.procedure, str(line.service_date), line.charged, line.paid) == ("90834", "2026-10-30", 150_00, 42_50)
    assert set(line.adjustments) == {
        Adjustment("CO", "45", 45_00),
        Adjustment("PR", "1", 40_00),
        Adjustment("PR", "3", 22_50),
    }
    verdict = judged(OWES_62_50)
    assert (verdict.now, verdict.patient_responsibility) == ("to_bill", 62_50)


def test_nothing_about_the_patient_is_kept() -> None:
    assert "jane" not in repr(one(OWES_62_50)).lower()


def test_adjustments_with_their_groups_are_taken_as_an_835_would_bring_them() -> None:
    """LAW-3: the group decides, not the reason."""
    resource = eob(*COMPONENTS, reason("CO", "45", 45), reason("PR", "1", 40), reason("PR", "3", 22.5))
    assert judged(resource).patient_responsibility == 62_50
    contractual = eob(*COMPONENTS, reason("CO", "45", 45), reason("CO", "1", 62.5))
    assert judged(contractual).reason == "contractual_patient_code"


def test_an_adjustment_without_a_group_is_held() -> None:
    resource = eob(*COMPONENTS, reason("CO", "45", 45), reason("", "1", 62.5))
    assert judged(resource).reason == "unknown_code"


def test_law_3_a_charge_minus_its_benefit_is_never_what_the_patient_owes() -> None:
    """HL7's own examples give no more than this."""
    held = judged(eob(figure("submitted", 150), figure("benefit", 87.5)))
    assert (held.outcome, held.reason) == ("held", "out_of_balance")


def test_a_stated_liability_must_equal_the_parts() -> None:
    agrees = (figure("memberliability", 62.5, CARIN),)
    assert judged(OWES_62_50 | {"total": list(agrees)}).now == "to_bill"
    differs = (figure("memberliability", 0, CARIN),)
    assert judged(OWES_62_50 | {"total": list(differs)}).reason == "responsibility_mismatch"


@pytest.mark.parametrize(
    ("liability", "gate"),
    [(82.50, "needs_review"), (62.50, ""), (None, "unknown_code"), (70.00, "responsibility_mismatch")],
)
def test_what_is_not_covered_is_whose_the_stated_liability_says(liability: float | None, gate: str) -> None:
    """Counted in: the member's, and a person looks before it is billed (PR-96). Counted out: nobody's. Else: held."""
    figures = (
        figure("submitted", 150),
        figure("eligible", 105),
        figure("benefit", 42.5),
        figure("deductible", 40),
        figure("copay", 22.5),
        figure("noncovered", 20),
    )
    total = () if liability is None else (figure("memberliability", liability, CARIN),)
    judgement = judged(eob(*figures, total=total))
    assert judgement.reason == gate
    if not gate:
        assert (judgement.now, judgement.patient_responsibility) == ("to_bill", 62_50)


def test_what_the_patient_paid_already_is_no_debt() -> None:
    paid = eob(*COMPONENTS, figure("deductible", 40), figure("copay", 22.5), figure("paidbypatient", 20, CARIN))
    assert one(paid).patient_responsibility == 62_50


def test_totals_count_where_the_lines_tell_nothing() -> None:
    total = (*COMPONENTS, figure("coinsurance", 62.5))
    resource = eob(total=total)
    result = one(resource)
    assert (result.lines, result.charged, result.paid) == ((), 150_00, 42_50)
    assert judged(resource).patient_responsibility == 62_50


def test_a_figure_said_twice_with_different_amounts_says_nothing() -> None:
    resource = eob(*COMPONENTS, figure("deductible", 40), figure("deductible", 41), figure("copay", 22.5))
    assert judged(resource).reason == "out_of_balance"
    again = eob(*COMPONENTS, figure("deductible", 40), figure("deductible", 40), figure("copay", 22.5))
    assert judged(again).now == "to_bill"


@pytest.mark.parametrize(
    ("changes", "gate"),
    [
        ({"use": "preauthorization"}, "not_billable_status"),
        ({"use": "predetermination"}, "not_billable_status"),
        ({"outcome": "partial"}, "not_billable_status"),
        ({"outcome": "queued"}, "not_billable_status"),
        ({"outcome": "error"}, "not_billable_status"),
        ({"outcome": None}, "not_billable_status"),
        ({"status": "draft"}, "not_billable_status"),
        ({"status": "cancelled"}, "reversal_without_original"),
        ({"status": "entered-in-error"}, "reversal_without_original"),
        ({"meta": {"security": [{"code": "HTEST"}]}}, "test_file"),
        ({"claim": {"reference": "Claim/other"}}, "charge_differs"),
        ({"insurer": {"display": "somebody"}}, "charge_differs"),
    ],
)
def test_what_is_no_final_decision_about_our_claim_is_held(changes: Json, gate: str) -> None:
    submitted = None if gate == "unmatched_claim" else SUBMITTED
    if "claim" in changes:
        gate, submitted = "unmatched_claim", None
    assert judged(OWES_62_50 | changes, submitted=submitted).reason == gate


def test_a_cancelled_eob_takes_back_exactly_what_it_said() -> None:
    original, back = one(OWES_62_50), one(OWES_62_50 | {"status": "cancelled"})
    assert (back.charged, back.paid, back.patient_responsibility) == (-150_00, -42_50, -62_50)
    earlier = (Earlier(original, "accepted", "invoiced"),)
    held = judge(back, submitted=SUBMITTED, earlier=earlier, accept_test_files=False, bill_reviewable=False)
    assert (held.outcome, held.now) == ("accepted", "adjusted")


def test_a_replacing_eob_names_what_it_replaces() -> None:
    prior = {"relationship": {"coding": [{"code": "prior"}]}, "reference": {"value": "2026000122"}}
    assert one(OWES_62_50 | {"related": [prior]}).original_payer_claim_id == "2026000122"
    other = prior | {"relationship": {"coding": [{"code": "associated"}]}}
    assert one(OWES_62_50 | {"related": [other]}).original_payer_claim_id == ""


@pytest.mark.parametrize("code", ["prior", "replaces"])
@pytest.mark.parametrize(
    "named", [{"reference": {"value": "2026000122"}}, {"claim": {"identifier": {"value": "2026000122"}}}]
)
def test_a_replacing_eob_stands_in_place_of_what_it_replaces(code: str, named: Json) -> None:
    """FHIR has no negative document for it: the one that replaces says so itself."""
    other = {"relationship": {"coding": [{"code": "associated"}]}, "reference": {"value": "2025000009"}}
    result = one(OWES_62_50 | {"related": [other, {"relationship": {"coding": [{"code": code}]}} | named]})
    assert (result.supersedes, result.original_payer_claim_id) == (True, "2026000122")
    assert result.result_key() != one(OWES_62_50).result_key()


@pytest.mark.parametrize(
    "related",
    [
        [],
        [{"relationship": {"coding": [{"code": "associated"}]}, "reference": {"value": "2026000122"}}],
        [{"relationship": {"coding": [{"code": "prior"}]}}],
        [{"relationship": {"coding": [{"code": "prior"}]}, "claim": {"reference": "Claim/resource-of-theirs"}}],
    ],
    ids=["nothing", "only associated", "unnamed", "only where its resource lies"],
)
def test_an_eob_that_does_not_say_which_decision_it_replaces_replaces_none(related: list[Json]) -> None:
    assert not one(OWES_62_50 | {"related": related}).supersedes


@pytest.mark.parametrize("status", ["cancelled", "entered-in-error"])
def test_a_cancelled_eob_reverses_and_does_not_replace(status: str) -> None:
    prior = {"relationship": {"coding": [{"code": "prior"}]}, "reference": {"value": "2026000122"}}
    result = one(OWES_62_50 | {"status": status, "related": [prior]})
    assert (result.status, result.supersedes) == (ClaimStatus.REVERSAL, False)


def test_an_eob_that_was_replaced_is_not_billed() -> None:
    """CARIN's `replacedby`: still active, but another decision stands in its place."""
    newer = {"relationship": {"coding": [{"code": "replacedby"}]}, "reference": {"value": "2026000124"}}
    held = judged(OWES_62_50 | {"related": [newer]})
    assert (held.outcome, held.reason) == ("held", "not_billable_status")


def test_law_4_a_second_payer_on_file_who_has_not_answered_is_waited_for() -> None:
    assert judged(OWES_62_50, submitted=SUBMITTED_WITH_SECONDARY).now == "pending"


def test_the_second_payers_decision_counts_what_the_first_paid() -> None:
    figures = (
        figure("submitted", 150),
        figure("eligible", 105),
        figure("benefit", 20),
        figure("copay", 22.5),
        figure("priorpayerpaid", 62.5, CARIN),
    )
    result = one(eob(*figures))
    assert (result.status, result.balances()) == (ClaimStatus.PROCESSED_SECONDARY, True)
    assert Adjustment("OA", "23", 62_50) in result.all_adjustments
    assert judged(eob(*figures)).patient_responsibility == 22_50


def test_a_claim_response_is_read_by_its_request() -> None:
    response = OWES_62_50 | {
        "resourceType": "ClaimResponse",
        "request": {"reference": "https://a.example/Claim/KB7Q2M9X41"},
    }
    del response["claim"]
    assert judged(response).patient_responsibility == 62_50


def test_a_contained_insurer_is_known_by_its_identifier() -> None:
    contained = [{"resourceType": "Organization", "id": "plan", "identifier": [{"value": "87726"}]}]
    assert one(OWES_62_50 | {"contained": contained, "insurer": {"reference": "#plan"}}).payer_ids == ("87726",)


@pytest.mark.parametrize(
    ("display", "shown"),
    [("Santé Plan", "Santé Plan"), ("Ana’s Plan ☂", "Ana’s Plan ☂"), ("A\nPlan", "APlan")],
    ids=["Latin-1", "beyond it", "control character"],
)
def test_an_insurer_may_be_called_whatever_people_can_read(display: str, shown: str) -> None:
    insurer = {"identifier": {"value": "87726"}, "display": display}
    assert one(OWES_62_50 | {"insurer": insurer}).payer_name == shown


def test_the_same_decision_again_is_the_same_result() -> None:
    again = deepcopy(OWES_62_50) | {"created": "2026-11-21", "id": "another"}
    assert one(again).result_key() == one(OWES_62_50).result_key()


def test_a_bundle_is_read_claim_by_claim_and_a_broken_one_costs_only_itself() -> None:
    broken = eob(figure("submitted", 0.001), figure("benefit", 0))
    others = [{"resourceType": "Patient", "name": [{"family": "Sample"}]}, {"resourceType": "Claim"}]
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": r} for r in (OWES_62_50, broken, *others)],
    }
    first, second = parse(json.dumps(bundle).encode())
    assert isinstance(first, ClaimResult)
    assert second == Rejected("", "", ("item.0: has an amount finer than a cent",))


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        (b"[]", "body"),
        (b'{"resourceType": "Patient"}', "resourceType"),
        (b'{"resourceType": "Bundle"}', "entry"),
        (b'{"resourceType": "Bundle", "entry": []}', "entry"),
        (b'{"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient"}}, 3]}', "entry"),
        (json.dumps(OWES_62_50 | {"claim": {"display": "hers"}}).encode(), "claim"),
        (json.dumps(eob(figure("submitted", 1e300), figure("benefit", 0))).encode(), "item.0"),
        (
            json.dumps(eob(figure("submitted", True), figure("benefit", 0))).encode(),
            "item.0.adjudication.0.amount.value",
        ),
        (
            json.dumps(
                OWES_62_50 | {"total": [figure("submitted", 150) | {"amount": {"value": 1, "currency": "EUR"}}]}
            ).encode(),
            "body",
        ),
    ],
)
def test_what_is_no_decision_is_refused_with_its_place(body: bytes, loc: str) -> None:
    with pytest.raises(NotAClaimResult) as refused:
        parse(body)
    assert loc in [error["loc"] for error in refused.value.errors]


def test_amounts_are_read_as_they_are_written() -> None:
    """148.44 is not 148.43999999999999772626324556767940521240234375."""
    text = json.dumps(eob(figure("submitted", 148.44), figure("eligible", 148.44), figure("benefit", 148.44)))
    assert one(json.loads(text)).charged == 148_44


@given(st.binary(max_size=200), st.integers(min_value=0), st.integers(min_value=1, max_value=40))
def test_mutated_bytes_are_refused_or_read_and_never_crash(noise: bytes, start: int, length: int) -> None:
    text = bytearray(json.dumps(OWES_62_50).encode())
    at = start % len(text)
    text[at : at + length] = noise
    try:
        results = parse(bytes(text))
    except (NotAClaimResult, NotJson):
        return
    for result in results:
        assert isinstance(result, ClaimResult | Rejected)


CENTS = st.integers(min_value=0, max_value=200_00)


@given(CENTS, CENTS, CENTS, CENTS, CENTS)
def test_what_is_billed_is_only_ever_the_stated_parts(
    charged: int, eligible: int, benefit: int, deductible: int, copay: int
) -> None:
    """LAW-3: whatever the figures are, a bill is for deductible and copay exactly, and only where all adds up."""
    words = {"submitted": charged, "eligible": eligible, "benefit": benefit, "deductible": deductible, "copay": copay}
    resource = eob(*(figure(word, amount / 100) for word, amount in words.items()))
    result = one(resource)
    judgement = judge(result, submitted=None, earlier=(), accept_test_files=False, bill_reviewable=False)
    assert result.patient_responsibility == deductible + copay
    reconciles = eligible == benefit + deductible + copay
    assert (judgement.reason != "out_of_balance") == reconciles
