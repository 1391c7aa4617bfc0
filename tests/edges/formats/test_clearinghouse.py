"""A clearinghouse's report is the 835 it was made from: the same claims, the same results, the same mistakes."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.claim import Adjustment, ClaimResult, ClaimStatus
from billing.transaction import ProviderAdjustment
from edges.formats.claim_json import NotAClaimResult, parse_batch
from edges.formats.envelope import Envelope
from edges.formats.rejected import Rejected
from edges.formats.x12_835 import read_835
from edges.formats.x12_claim import STATUSES
from edges.strict_json import NotJson
from tests.edges.formats import x12_example
from tests.edges.formats.report_example import CLAIM, LINE, report, transaction


def read(told: object, warnings: list[str] | None = None) -> list[ClaimResult | Rejected]:
    return list(parse_batch(json.dumps(told, default=str).encode(), warnings))


def only(told: object) -> ClaimResult:
    """The one claim of a report, read without a warning."""
    warnings: list[str] = []
    (result,) = read(told, warnings)
    assert isinstance(result, ClaimResult), result
    assert warnings == []
    return result


def with_claim(**fields: Any) -> dict[str, Any]:
    return report(transaction({**CLAIM, **fields}))


def with_info(**fields: Any) -> dict[str, Any]:
    return with_claim(claimPaymentInfo={**CLAIM["claimPaymentInfo"], **fields})


def with_line(**fields: Any) -> dict[str, Any]:
    return with_claim(serviceLines=[{**LINE, **fields}])


def with_payment(**fields: Any) -> dict[str, Any]:
    return with_line(servicePaymentInformation={**LINE["servicePaymentInformation"], **fields})


def test_the_report_of_an_835_is_that_835():
    assert only(report()) == next(read_835(x12_example.document()))


def test_nothing_about_a_patient_and_no_text_of_x12s_is_kept():
    """LAW-1: neither the name nor the sentences that these APIs put beside each code."""
    assert not [word for word in ("SAMPLE", "MBR0001", "somebody") if word in repr(only(report()))]


@pytest.mark.parametrize(("raw", "status"), STATUSES.items())
def test_every_status_has_its_name(raw: str, status: ClaimStatus):
    assert only(with_info(claimStatusCode=raw)).status is status


def test_numbers_are_taken_exactly_where_a_sender_writes_them_as_numbers():
    text = json.dumps(with_info(totalClaimChargeAmount=0)).replace(
        '"totalClaimChargeAmount": 0', '"totalClaimChargeAmount": 150.10'
    )
    (result,) = parse_batch(text.encode())
    assert isinstance(result, ClaimResult)
    assert result.charged == 15010


def test_an_adjustment_holds_up_to_six_reasons_with_gaps():
    six = {
        "claimAdjustmentGroupCode": "PR",
        "adjustmentReasonCode1": "1",
        "adjustmentAmount1": "1",
        "adjustmentQuantity1": "9",
    }
    six |= {f"adjustmentReasonCode{n}": str(n) for n in (2, 3, 5, 6)} | {
        f"adjustmentAmount{n}": f"{n}.0" for n in (2, 3, 5, 6)
    }
    (line,) = only(with_line(serviceAdjustments=[six])).lines
    assert [(one.code, one.amount) for one in line.adjustments] == [
        ("1", 100),
        ("2", 200),
        ("3", 300),
        ("5", 500),
        ("6", 600),
    ]


def test_adjustments_of_the_claim_and_what_it_replaces_are_the_claims():
    result = only(
        with_claim(
            claimAdjustments=[
                {"claimAdjustmentGroupCode": "CO", "adjustmentReasonCode1": "45", "adjustmentAmount1": "5"}
            ],
            otherClaimRelatedIdentification={"originalReferenceNumber": "2026000001"},
        )
    )
    assert result.adjustments == (Adjustment("CO", "45", 500),)
    assert result.original_payer_claim_id == "2026000001"


def test_a_line_has_its_modifiers_its_first_day_and_its_units():
    told = with_payment(adjudicatedProcedureModifierCodes=["95", "HO"], unitsOfServicePaidCount="2.0")
    line = told["transactions"][0]["detailInfo"][0]["paymentInfo"][0]["serviceLines"][0]
    line["serviceStartDate"] = line.pop("serviceDate")
    (read_line,) = only(told).lines
    assert (read_line.modifiers, read_line.units, str(read_line.service_date)) == (("95", "HO"), "2", "2026-10-30")


@pytest.mark.parametrize(
    "fields",
    [
        {"meta": {"applicationMode": "test"}},
        {"meta": {"applicationMode": "sandbox"}},
        {"meta": {"applicationMode": ["production"]}},
        {"meta": {"interchangeUsageIndicator": "T"}},
        {"interchangeUsageIndicator": "T"},
        {"transactions": [transaction(interchangeUsageIndicator="I")]},
    ],
)
def test_whatever_is_not_for_production_is_a_test(fields: dict[str, Any]):
    assert only(report(**fields)).test


@pytest.mark.parametrize("fields", [{}, {"meta": {}}, {"meta": None}, {"interchangeUsageIndicator": "P"}])
def test_what_is_for_production_is_none(fields: dict[str, Any]):
    assert not only(report(**fields)).test


def test_several_payments_are_read_with_their_own_payers_and_ordinals():
    other = transaction(CLAIM, CLAIM, payer={"name": "Älter Plan", "payerIdentificationNumber": "OTHER"})
    other["financialInformation"]["totalActualProviderPaymentAmount"] = "85"
    first, second, third = read(report(transaction(), other), warnings := [])
    assert warnings == []
    assert isinstance(first, ClaimResult)
    assert isinstance(second, ClaimResult)
    assert isinstance(third, ClaimResult)
    assert (second.payer_name, second.payer_ids) == ("Älter Plan", ("OTHER", "1512345678"))
    assert [one.ordinal for one in (first, second, third)] == [0, 0, 1]


def test_money_between_payer_and_provider_is_no_patients_and_counts_in_the_payment():
    """PLB: an adjustment of the provider's lowers the payment, and no claim of the report."""
    plb = [
        {"providerIdentifier": "1", "adjustments": [{"adjustmentReasonCode": "L6", "providerAdjustmentAmount": "-2.5"}]}
    ]
    paid = {"totalActualProviderPaymentAmount": "45"}
    assert only(report(transaction(providerAdjustments=plb, financialInformation=paid))).patient_responsibility == 6250
    read(report(transaction(providerAdjustments=plb)), warnings := [])
    assert warnings == ["transaction 0001: BPR02 is not the sum of its claims less PLB"]


def test_the_same_payment_is_known_as_such_in_either_form():
    """claims.md 4.8, ring b: its name, its totals and what is the provider's, by reason."""
    plb = {"adjustmentReasonCode": "WO", "providerAdjustmentIdentifier": "2025", "providerAdjustmentAmount": "2.5"}
    told = transaction(
        providerAdjustments=[{"providerIdentifier": "1234567893", "adjustments": [plb]}],
        financialInformation={"totalActualProviderPaymentAmount": "40", "checkIssueOrEFTEffectiveDate": "20261121"},
    )
    segments = x12_example.transaction(payment="40")
    segments[-1:] = ["PLB*1234567893*20261231*WO:2025*2.5", f"SE*{len(segments) + 1}*0001"]
    in_json, in_835 = Envelope(), Envelope()
    list(parse_batch(json.dumps(report(told)).encode(), [], in_json))
    list(read_835(x12_example.document(*segments), [], in_835))
    assert in_json == in_835
    assert in_json.transaction
    assert in_json.waiting[0].adjustments == (ProviderAdjustment("WO", 250),)


@pytest.mark.parametrize(
    ("told", "error"),
    [
        (with_info(totalClaimChargeAmount="150.005"), "totalClaimChargeAmount: not an amount in dollars and cents"),
        (with_info(totalClaimChargeAmount=None), "totalClaimChargeAmount: not"),
        (with_info(claimPaymentAmount={"value": "1"}), "claimPaymentAmount: not an amount"),
        (with_info(claimPaymentAmount=True), "claimPaymentAmount: not an amount"),
        (with_info(claimPaymentAmount="1e3"), "claimPaymentAmount: not an amount"),
        (with_info(patientControlNumber="K\x1fB"), "patientControlNumber: missing, or not 1 to 38"),
        (with_info(payerClaimControlNumber="9" * 51), "payerClaimControlNumber: not up to 50"),
        (with_claim(claimPaymentInfo=None), "patientControlNumber: missing"),
        (with_claim(claimAdjustments="CO"), "adjustments: not an adjustment"),
        (with_claim(serviceLines="none"), "line 1 lineItemChargeAmount: not an amount"),
        (with_payment(lineItemProviderPaymentAmount="x"), "line 1 lineItemProviderPaymentAmount: not an amount"),
        (with_payment(adjudicatedProcedureCode="90\x1f834"), "line 1 adjudicatedProcedureCode: not a procedure"),
        (with_line(serviceAdjustments=[["CO"]]), "line 1 adjustments: not an adjustment"),
        (report(transaction("claim")), "patientControlNumber: missing"),
        (report(transaction(detailInfo="claims")), "patientControlNumber: missing"),
        (report(transaction(detailInfo=["claims"])), "patientControlNumber: missing"),
        (report("transaction"), "patientControlNumber: missing"),
    ],
)
def test_a_broken_claim_costs_only_itself_and_says_where(told: dict[str, Any], error: str):
    told["transactions"].append(transaction())
    broken, good = read(told)
    assert isinstance(good, ClaimResult)
    assert isinstance(broken, Rejected)
    assert any(one.startswith(error) for one in broken.errors), broken.errors


def test_a_reason_without_an_amount_is_one_of_nothing_as_in_an_835():
    told = with_claim(claimAdjustments=[{"claimAdjustmentGroupCode": "PR", "adjustmentReasonCode1": "1"}])
    assert only(told).adjustments == (Adjustment("PR", "1", 0),)


def test_an_error_never_repeats_what_was_sent():
    (broken,) = read(with_info(patientControlNumber="PAT SAMPLE" * 9, totalClaimChargeAmount="PAT SAMPLE"))
    assert "SAMPLE" not in repr(broken)


@pytest.mark.parametrize("told", [{"transactions": []}, {"transactions": {}}, {"transactions": None}])
def test_a_report_without_payments_is_no_claim_result(told: object):
    with pytest.raises(NotAClaimResult) as refused:
        read(told)
    assert refused.value.errors[0]["loc"] == "transactions"


def test_a_payment_that_holds_no_claim_is_read_to_its_end():
    assert read(report(transaction(detailInfo=None))) == []


# ------------------------------------------------------------------ the same content in both, whatever it is

AMOUNTS = st.integers(-99_999, 9_999_999)
CODES = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=1, max_size=5)
IDS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-. ", min_size=0, max_size=20)
DAYS = st.dates().map(lambda day: f"{day:%Y%m%d}")


def dollars(cents: int) -> str:
    return str(Decimal(cents).scaleb(-2))


ADJUSTMENTS = st.lists(
    st.tuples(
        st.sampled_from(["CO", "PR", "OA", "PI", "XX"]), st.lists(st.tuples(CODES, AMOUNTS), min_size=1, max_size=6)
    ),
    max_size=3,
)
LINES = st.fixed_dictionaries(
    {
        "code": CODES,
        "modifiers": st.lists(CODES, max_size=4),
        "charged": AMOUNTS,
        "paid": AMOUNTS,
        "units": st.sampled_from(["", "1", "2", "0.5"]),
        "day": st.one_of(st.just(""), DAYS),
        "ref": IDS,
        "adjustments": ADJUSTMENTS,
    }
)
CLAIMS = st.fixed_dictionaries(
    {
        "id": IDS,
        "status": st.sampled_from([*STATUSES, "5", "31", ""]),
        "charged": AMOUNTS,
        "paid": AMOUNTS,
        "share": st.one_of(st.just(None), AMOUNTS),
        "payer_id": IDS,
        "original": IDS,
        "day": st.one_of(st.just(""), DAYS),
        "adjustments": ADJUSTMENTS,
        "lines": st.lists(LINES, max_size=3),
    }
)


def as_segments(claim: dict[str, Any]) -> list[str]:
    """The claim as an 835 writes it."""
    share = "" if claim["share"] is None else dollars(claim["share"])
    head = [
        claim["id"],
        claim["status"],
        dollars(claim["charged"]),
        dollars(claim["paid"]),
        share,
        "12",
        claim["payer_id"],
    ]
    segments = ["CLP*" + "*".join(head), *(_cas(one) for one in claim["adjustments"])]
    segments += [f"REF*F8*{claim['original']}", f"DTM*232*{claim['day']}"]
    for line in claim["lines"]:
        procedure = ":".join(["HC", line["code"], *line["modifiers"]])
        segments.append(f"SVC*{procedure}*{dollars(line['charged'])}*{dollars(line['paid'])}**{line['units']}")
        segments += [f"DTM*472*{line['day']}", *(_cas(one) for one in line["adjustments"]), f"REF*6R*{line['ref']}"]
    return segments


def _cas(adjustment: tuple[str, list[tuple[str, int]]]) -> str:
    group, pairs = adjustment
    return f"CAS*{group}*" + "*".join(f"{code}*{dollars(amount)}*" for code, amount in pairs)


def as_payment_info(claim: dict[str, Any]) -> dict[str, Any]:
    """The same claim as a clearinghouse's report writes it, which leaves out what is empty."""
    info = {
        "patientControlNumber": claim["id"],
        "claimStatusCode": claim["status"],
        "totalClaimChargeAmount": dollars(claim["charged"]),
        "claimPaymentAmount": dollars(claim["paid"]),
        "patientResponsibilityAmount": "" if claim["share"] is None else dollars(claim["share"]),
        "payerClaimControlNumber": claim["payer_id"],
    }
    lines = [
        {
            "lineItemControlNumber": line["ref"],
            "serviceDate": line["day"],
            "servicePaymentInformation": {
                "adjudicatedProcedureCode": line["code"],
                "adjudicatedProcedureModifierCodes": line["modifiers"],
                "lineItemChargeAmount": dollars(line["charged"]),
                "lineItemProviderPaymentAmount": dollars(line["paid"]),
                "unitsOfServicePaidCount": line["units"],
            },
            "serviceAdjustments": [_numbered(one) for one in line["adjustments"]],
        }
        for line in claim["lines"]
    ]
    return {
        "claimPaymentInfo": {name: text for name, text in info.items() if text},
        "claimAdjustments": [_numbered(one) for one in claim["adjustments"]],
        "otherClaimRelatedIdentification": {"originalReferenceNumber": claim["original"]},
        "claimStatementPeriodStart": claim["day"],
        "serviceLines": lines,
    }


def _numbered(adjustment: tuple[str, list[tuple[str, int]]]) -> dict[str, str]:
    group, pairs = adjustment
    told = {"claimAdjustmentGroupCode": group}
    for number, (code, amount) in enumerate(pairs, start=1):
        told |= {f"adjustmentReasonCode{number}": code, f"adjustmentAmount{number}": dollars(amount)}
    return told


@given(st.lists(CLAIMS, min_size=1, max_size=4))
def test_an_835_and_the_report_of_it_give_the_same_results(claims: list[dict[str, Any]]):
    """Digest, keys and ordinals included, so that either is known as a duplicate of the other."""
    segments = [segment for claim in claims for segment in as_segments(claim)]
    from_835 = list(read_835(x12_example.document(*x12_example.transaction(*segments)), in_835 := []))
    from_json = read(report(transaction(*map(as_payment_info, claims))), in_json := [])
    assert in_835 == in_json
    for one, other in zip(from_835, from_json, strict=True):
        if isinstance(one, ClaimResult):
            assert one == other
            assert isinstance(other, ClaimResult)
            assert one.digest() == other.digest()
        else:
            assert isinstance(other, Rejected)
            assert (one.claim_id, one.payer_claim_id) == (other.claim_id, other.payer_claim_id)
            assert [error.partition(": ")[2] for error in one.errors] == [e.partition(": ")[2] for e in other.errors]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*CLAIM, *LINE, "detailInfo", "paymentInfo", "payer", "claimPaymentAmount"]), inner
        )
    ),
    max_leaves=12,
)


@given(st.lists(JSON, min_size=1, max_size=2), JSON)
def test_whatever_stands_where_nothing_makes_the_reader_raise(transactions: list[Any], meta: Any):
    try:
        found = read({"transactions": transactions, "meta": meta})
    except NotJson:
        return
    assert all(isinstance(one, ClaimResult) or one.errors for one in found)
