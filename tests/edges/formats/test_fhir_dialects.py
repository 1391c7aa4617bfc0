"""FHIR R4 as payers write it: several guides, Bundles with what they refer to, figures that contradict each other."""

import json

import pytest

from billing.claim import Adjustment, ClaimResult
from edges.formats.claim_json import NotAClaimResult
from edges.formats.fhir import parse
from edges.strict_json import NotJson
from tests.billing.claim_examples import SUBMITTED
from tests.edges.formats.test_fhir import CARIN, COMPONENTS, OWES_62_50, Json, eob, figure, judged, one, reason

ACCOUNT_NUMBER = {
    "category": {"coding": [{"code": "patientaccountnumber"}]},
    "valueString": "KB7Q2M9X41",
}
PLAN = {
    "resourceType": "Organization",
    "id": "plan",
    "identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": "1112223334"}, {"value": "87726"}],
}


def without(resource: Json, *fields: str) -> Json:
    return {field: value for field, value in resource.items() if field not in fields}


def bundled(*resources: Json, **entry: object) -> ClaimResult:
    entries = [{"fullUrl": f"urn:uuid:{n}", "resource": one, **entry} for n, one in enumerate(resources)]
    (result,) = parse(json.dumps({"resourceType": "Bundle", "type": "searchset", "entry": entries}).encode())
    assert isinstance(result, ClaimResult)
    return result


# ------------------------------------------------------------------------------------------- which claim, which payer


def test_a_carin_eob_names_the_claim_by_the_patient_account_number() -> None:
    """CPCDS: what the provider sent as CLM01 comes back there; `claim` is empty, or the payer's own address."""
    anonymous = without(OWES_62_50, "claim") | {"supportingInfo": [ACCOUNT_NUMBER]}
    assert one(anonymous).claim_id == "KB7Q2M9X41"
    assert one(anonymous | {"claim": {"reference": "Claim/their-row-17"}}).claim_id == "KB7Q2M9X41"
    assert one(anonymous | {"claim": {"identifier": {"value": "KB-OTHER"}}}).claim_id == "KB-OTHER"


def test_a_reference_to_a_version_of_a_claim_names_that_claim() -> None:
    assert one(OWES_62_50 | {"claim": {"reference": "Claim/KB7Q2M9X41/_history/2"}}).claim_id == "KB7Q2M9X41"


@pytest.mark.parametrize("reference", ["Claim/c1", "urn:uuid:0", "https://payer.example/fhir/Claim/c1"])
def test_a_claim_that_comes_in_the_same_bundle_names_itself(reference: str) -> None:
    claim = {"resourceType": "Claim", "id": "c1", "identifier": [{"value": "KB7Q2M9X41"}]}
    assert bundled(claim, OWES_62_50 | {"claim": {"reference": reference}}).claim_id == "KB7Q2M9X41"


def test_a_contained_insurer_may_have_several_identifiers() -> None:
    contained = OWES_62_50 | {"contained": [PLAN], "insurer": {"reference": "#plan"}}
    assert one(contained).payer_ids == ("1112223334", "87726")
    assert judged(contained).now == "to_bill"


def test_an_insurer_that_comes_in_the_same_bundle_is_known_by_its_identifiers() -> None:
    """The reference stays first: the same decision posted alone is the same result."""
    pointing = OWES_62_50 | {"insurer": {"reference": "Organization/plan"}}
    result = bundled(PLAN, pointing)
    assert result.payer_ids == ("plan", "1112223334", "87726")
    assert result.result_key() == one(pointing).result_key()


def test_an_entry_that_deletes_a_decision_is_none() -> None:
    with pytest.raises(NotAClaimResult):
        bundled(OWES_62_50, request={"method": "DELETE", "url": "ExplanationOfBenefit/1"})
    assert bundled(OWES_62_50, request={"method": "POST", "url": "ExplanationOfBenefit"}).charged == 150_00


# --------------------------------------------------------------------------------- figures that contradict each other


def test_a_total_that_contradicts_its_lines_is_held() -> None:
    """LAW-3: $22.50 on the line, $30.00 in the total: one of the two is wrong, and nobody here knows which."""
    for word, amount in (("copay", 30), ("deductible", 41), ("coinsurance", 1)):
        held = judged(OWES_62_50 | {"total": [figure(word, amount)]})
        assert held.reason == "responsibility_mismatch", word
    assert judged(OWES_62_50 | {"total": [figure("copay", 22.5)]}).now == "to_bill"


def test_a_stated_liability_does_not_hide_such_a_contradiction() -> None:
    total = [figure("memberliability", 62.5, CARIN), figure("copay", 30)]
    assert judged(OWES_62_50 | {"total": total}).reason == "responsibility_mismatch"


def test_a_word_that_contradicts_the_adjustment_of_its_reason_is_held() -> None:
    figures = (*COMPONENTS, reason("CO", "45", 45), reason("PR", "1", 40), reason("PR", "3", 22.5))
    assert judged(eob(*figures, figure("copay", 15))).reason == "responsibility_mismatch"
    assert judged(eob(*figures, figure("copay", 22.5), figure("deductible", 40))).now == "to_bill"
    of_the_claim = eob(adjudication=[*figures, figure("copay", 15)])
    assert judged(of_the_claim).reason == "responsibility_mismatch"


def test_what_was_paid_to_the_patient_is_theirs_to_pass_on() -> None:
    """As PR-100 in an 835: the provider has not got it (X12 RFI 1812)."""
    to_patient = eob(*COMPONENTS, figure("copay", 62.5), figure("paidtopatient", 42.5, CARIN))
    result = one(to_patient)
    assert (result.paid, result.balances()) == (0, True)
    assert Adjustment("PR", "100", 42_50) in result.all_adjustments
    assert judged(to_patient).patient_responsibility == 105_00
    stated = to_patient | {"total": [figure("memberliability", 62.5, CARIN)]}
    assert judged(stated).reason == "responsibility_mismatch"


def test_a_service_that_the_payer_added_counts() -> None:
    """`addItem`: unread, its copay would be lost, and the client told that nothing is owed."""
    paid_whole = eob(figure("submitted", 150), figure("eligible", 150), figure("benefit", 150))
    held = judged(paid_whole | {"addItem": [{"adjudication": [figure("copay", 15)]}]})
    assert (held.outcome, held.reason) == ("held", "not_billable_status")
    added = eob(figure("submitted", 100), figure("eligible", 75), figure("benefit", 75))
    rest = [figure("submitted", 50), figure("eligible", 30), figure("benefit", 10), figure("copay", 20)]
    assert judged(added | {"addItem": [{"adjudication": rest}]}).patient_responsibility == 20_00


def test_the_words_of_other_code_systems_are_no_figures() -> None:
    theirs = "https://payer.example/CodeSystem/buckets"
    assert judged(eob(*COMPONENTS, figure("copay", 62.5, theirs))).reason == "out_of_balance"
    assert judged(eob(*COMPONENTS, figure("copay", 62.5, ""))).now == "to_bill"


# ----------------------------------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize("number", ["150", "150.0", "150.000", "1.5e2", "15E1", "150." + "0" * 5000])
def test_a_number_is_an_amount_however_it_is_written(number: str) -> None:
    text = json.dumps(OWES_62_50).replace('"value": 150.0', f'"value": {number}')
    (result,) = parse(text.encode())
    assert isinstance(result, ClaimResult)
    assert result.charged == SUBMITTED.charged


@pytest.mark.parametrize("number", ["150.001", "150." + "0" * 60 + "1", "1e-7", "1e-999999999999999999", "1e999999"])
def test_what_is_no_amount_of_cents_is_refused(number: str) -> None:
    text = json.dumps(OWES_62_50).replace('"value": 150.0', f'"value": {number}')
    with pytest.raises(NotAClaimResult):
        parse(text.encode())


@pytest.mark.parametrize("number", ["0e99999999999999999999", "1e-99999999999999999999", "1e99999999999999999999"])
def test_a_number_out_of_all_proportion_is_unreadable_and_no_error_of_ours(number: str) -> None:
    """What Python's Decimal itself cannot hold was answered 500, which its sender repeats for ever."""
    text = json.dumps(OWES_62_50).replace('"value": 150.0', f'"value": {number}')
    with pytest.raises(NotJson):
        parse(text.encode())
