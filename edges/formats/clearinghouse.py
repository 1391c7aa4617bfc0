"""Read claim results from a clearinghouse's 835 report: the JSON that Change Healthcare (Optum) calls Convert Reports,
and Stedi its 835 ERA report.

Such a report is an 835 whose elements have names instead of places. So it is put back into places here, and read by the
reader of 835 files: limits, statuses, balancing, ordinals and what is held to be an amount are the same by being the
same code. Only fields that decide about money are looked at; names of people, and the texts of X12's that these APIs
add to each code, are never read (LAW-1, docs/claims.md).

Whatever stands where it should not, say an object in place of an amount, becomes an element that no 835 could have:
then the claim it belongs to is rejected, and its neighbours go on. Amounts come as strings, and are exact as such.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from billing.claim import ClaimResult
from edges.formats.envelope import Envelope
from edges.formats.rejected import Rejected
from edges.formats.x12_835 import read_segments

COMPONENT: Final = "\x1f"
"""Between the parts of a composite; stands in no text that is taken."""
UNREADABLE: Final = "\0"
"""What is no text: neither an amount nor a date nor an identifier."""
PAIRS: Final = 6
"""Reasons with their amounts in one adjustment, numbered, as a CAS segment has them."""

_PAYER_IDS: Final = (
    ("2U", "payerIdentificationNumber"),
    ("EO", "submitterIdentificationNumber"),
    ("HI", "healthIndustryNumber"),
    ("NF", "nationalAssociationOfInsuranceCommissionersCode"),
)
_CLAIM: Final = (
    "patientControlNumber",
    "claimStatusCode",
    "totalClaimChargeAmount",
    "claimPaymentAmount",
    "patientResponsibilityAmount",
    "claimFilingIndicatorCode",
    "payerClaimControlNumber",
)
"""CLP01 to CLP07 by name."""
_NAMES: Final = {
    **{f"CLP{number:02d}": name for number, name in enumerate(_CLAIM, start=1)},
    "CLP": "claimPaymentInfo",
    "SVC01": "adjudicatedProcedureCode",
    "SVC02": "lineItemChargeAmount",
    "SVC03": "lineItemProviderPaymentAmount",
    "SVC": "serviceLines",
    "CAS": "adjustments",
}
"""What the reader's errors call a place -> what the sender calls it."""


def read_report(
    report: Mapping[str, Any], warnings: list[str] | None = None, envelope: Envelope | None = None
) -> Iterator[ClaimResult | Rejected]:
    """Every claim of a report that was read with decimals as they are written, in order; nothing in it raises. What is
    wrong about the payment as a whole is added to `warnings`; `envelope` follows the reading."""
    for claim in read_segments(_segments(report), warnings, envelope):
        yield claim if isinstance(claim, ClaimResult) else replace(claim, errors=tuple(map(_by_name, claim.errors)))


def _by_name(error: str) -> str:
    """ "line 2 SVC03: not an amount" in the words of the report."""
    where, colon, what = error.partition(":")
    line, space, place = where.rpartition(" ")
    return f"{line}{space}{_NAMES.get(place, place)}{colon}{what}"


# ------------------------------------------------------------------------------------------- back into segments


def _segments(report: Mapping[str, Any]) -> Iterator[list[str]]:
    for transaction in _list(report.get("transactions")):
        given = transaction if isinstance(transaction, dict) else {"detailInfo": UNREADABLE}
        usage = "T" if _is_test(report, given) else "P"
        yield ["ISA", *[""] * 14, usage, COMPONENT]
        count = 0
        for segment in _transaction(given):
            yield segment
            count += 1
        yield ["SE", str(count + 1), _text(given, "controlNumber")]


def _is_test(report: Mapping[str, Any], transaction: Mapping[str, Any]) -> bool:
    """Whether anything says that this is not for production; what is said in words nobody knows counts as that."""
    mode = _text(_object(report.get("meta")), "applicationMode").lower()
    usages = {_text(_object(one), "interchangeUsageIndicator").upper() for one in (report, report.get("meta"))}
    usages.add(_text(transaction, "interchangeUsageIndicator").upper())
    return mode not in ("", "production") or not usages <= {"", "P"}


def _transaction(given: Mapping[str, Any]) -> Iterator[list[str]]:
    payment, payer = _object(given.get("financialInformation")), _object(given.get("payer"))
    trace = _object(given.get("paymentAndRemitReassociationDetails"))
    currency = _text(_object(given.get("foreignCurrencyInformation")), "currencyCode")
    paid_on = _text(payment, "checkIssueOrEFTEffectiveDate")
    yield ["ST", "835", _text(given, "controlNumber")]
    yield ["BPR", "", _text(payment, "totalActualProviderPaymentAmount"), *[""] * 13, paid_on]
    yield ["TRN", "", _text(trace, "checkOrEFTTraceNumber"), _text(trace, "originatingCompanyIdentifier")]
    if currency:
        yield ["CUR", "PR", currency]
    yield ["DTM", "405", _text(given, "productionDate")]
    yield ["N1", "PR", _text(payer, "name"), "XV", _text(payer, "centersForMedicareAndMedicaidServicesPlanId")]
    for qualifier, name in _PAYER_IDS:
        yield ["REF", qualifier, _text(payer, name)]
    yield ["N1", "PE"]
    for detail in _list(given.get("detailInfo")):
        yield ["LX"]
        for claim in _list(detail.get("paymentInfo") if isinstance(detail, dict) else UNREADABLE):
            yield from _claim(_object(claim))
    for provider in _list(given.get("providerAdjustments")):
        for one in map(_object, _list(_object(provider).get("adjustments"))):
            yield ["PLB", "", "", _text(one, "adjustmentReasonCode"), _text(one, "providerAdjustmentAmount")]


def _claim(given: Mapping[str, Any]) -> Iterator[list[str]]:
    info = _object(given.get("claimPaymentInfo"))
    claim = [_text(info, name) for name in _CLAIM]
    claim[2] = claim[2] or UNREADABLE  # nobody decides about a charge of nothing: it is not there
    yield ["CLP", *claim]
    yield from _adjustments(given.get("claimAdjustments"))
    yield ["REF", "F8", _text(_object(given.get("otherClaimRelatedIdentification")), "originalReferenceNumber")]
    yield ["DTM", "232", _text(given, "claimStatementPeriodStart")]
    for line in _list(given.get("serviceLines")):
        yield from _line(_object(line))


def _line(given: Mapping[str, Any]) -> Iterator[list[str]]:
    info = _object(given.get("servicePaymentInformation"))
    code = _text(info, "adjudicatedProcedureCode") or _text(info, "nationalUniformBillingCommitteeRevenueCode")
    modifiers = [_as_text(one) for one in _list(info.get("adjudicatedProcedureModifierCodes"))]
    yield [
        "SVC",
        COMPONENT.join(["", code, *modifiers]),
        _text(info, "lineItemChargeAmount") or UNREADABLE,
        _text(info, "lineItemProviderPaymentAmount"),
        "",
        _text(info, "unitsOfServicePaidCount"),
    ]
    yield ["DTM", "472", _text(given, "serviceDate") or _text(given, "serviceStartDate")]
    yield from _adjustments(given.get("serviceAdjustments"))
    yield ["REF", "6R", _text(given, "lineItemControlNumber")]


def _adjustments(given: object) -> Iterator[list[str]]:
    for one in _list(given):
        adjustment = _object(one) or {"adjustmentReasonCode1": UNREADABLE}
        pairs = [
            [_text(adjustment, f"adjustmentReasonCode{n}"), _text(adjustment, f"adjustmentAmount{n}"), ""]
            for n in range(1, PAIRS + 1)
        ]
        yield ["CAS", _text(adjustment, "claimAdjustmentGroupCode"), *(part for pair in pairs for part in pair)]


# ------------------------------------------------------------------------------------------------ what is what


def _object(value: object) -> Mapping[str, Any]:
    """An object; of anything else there is nothing to read, and what is then missing is an error where it matters."""
    return value if isinstance(value, dict) else {}


def _list(value: object) -> Sequence[object]:
    """The elements of a list, none where it is left out; anything else is one element that nothing can be read of."""
    if value is None:
        return ()
    return value if isinstance(value, list) else (UNREADABLE,)


def _text(given: Mapping[str, Any], name: str) -> str:
    """The text under that name, "" where there is none."""
    return _as_text(given.get(name))


def _as_text(value: object) -> str:
    """A text as the reader of 835 files has it, each byte one character. Some senders write numbers as numbers."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return UNREADABLE
    text = str(value).replace(COMPONENT, UNREADABLE)
    return text if text.isascii() else text.encode("utf-8", errors="replace").decode("latin-1")
