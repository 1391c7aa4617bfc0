"""Read claim results from FHIR R4: an ExplanationOfBenefit or a ClaimResponse, alone or in a Bundle.

FHIR has no field that says what the patient owes, and no rule that the figures add up. So nothing is computed from what
is missing: deductible, coinsurance, copay and PR adjustments are taken as they stand, the plan's discount is what the
allowed amount leaves of the charge, and the gates hold whatever then does not reconcile to the cent (docs/claims.md).

| FHIR | here |
|---|---|
| `adjustmentreason` with X12 group and reason | that adjustment, as an 835 would bring it |
| `deductible`, `coinsurance`, `copay` | PR-1, PR-2, PR-3 |
| `noncovered` | PR-96 where `memberliability` counts it in, CO-96 where it does not, else a group nobody knows: held |
| `submitted` less `eligible`, or `discount` | CO-45 |
| `priorpayerpaid` | OA-23, and the claim was processed as secondary |
| `memberliability` | what the patient share must equal, as CLP05 in an 835 |
| `paidtopatient` | PR-100: the provider has not got it |
| any of these said twice, in line and total or as word and reason | the same amount, or it is held |
| `paidbypatient` | nothing: money that was paid is no debt |
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final

from pydantic import ValidationError

from billing.claim import Adjustment, ClaimResult, ClaimStatus, ServiceLine
from edges import strict_json
from edges.formats.claim_json import FieldError, NotAClaimResult, field_errors
from edges.formats.fhir_figures import Figures, contradicted_by
from edges.formats.fhir_names import Known, claim_id, is_replaced, known_of, original, payer_claim_id, payer_ids
from edges.formats.rejected import Rejected
from edges.formats.x12_values import is_identifier, name
from edges.inbound.fhir import Decision, Item

READ: Final = ("ExplanationOfBenefit", "ClaimResponse")
MOST_RESULTS: Final = 500
_BY_PRECEDENCE: Final = {
    1: ClaimStatus.PROCESSED_PRIMARY,
    2: ClaimStatus.PROCESSED_SECONDARY,
    3: ClaimStatus.PROCESSED_TERTIARY,
}


def parse(text: bytes) -> tuple[ClaimResult | Rejected, ...]:
    """The results of a body, in order. One resource alone raises NotAClaimResult for its errors; in a Bundle a broken
    one becomes `Rejected` and the others go on, and what is neither of the two resources is context, not a claim.

    Raises strict_json.NotJson for what is not JSON.
    """
    body = strict_json.loads(text, decimal=True)
    if not isinstance(body, dict):
        raise _refused("body", "must be a FHIR resource")
    if body.get("resourceType") != "Bundle":
        return (_read(body, {}),)
    entries = body.get("entry")
    if not isinstance(entries, list):
        raise _refused("entry", "must be a list of entries with claim results")
    known = known_of([entry for entry in entries if isinstance(entry, dict)])
    resources = [entry.get("resource") for entry in entries if isinstance(entry, dict) and not _deletes(entry)]
    decisions = [one for one in resources if isinstance(one, dict) and one.get("resourceType") in READ]
    if not 1 <= len(decisions) <= MOST_RESULTS:
        raise _refused("entry", f"must hold 1 to {MOST_RESULTS} of {' and '.join(READ)}")
    return tuple(_read_or_reject(one, known) for one in decisions)


def _deletes(entry: Mapping[str, Any]) -> bool:
    request = entry.get("request")
    return isinstance(request, dict) and request.get("method") == "DELETE"


def _refused(loc: str, msg: str) -> NotAClaimResult:
    return NotAClaimResult([FieldError(loc=loc, msg=msg)])


def _read_or_reject(resource: object, known: Known) -> ClaimResult | Rejected:
    try:
        return _read(resource, known)
    except NotAClaimResult as refused:
        return Rejected("", "", tuple(f"{error['loc']}: {error['msg']}" for error in refused.errors))


def _read(resource: object, known: Known) -> ClaimResult:
    """One decision, with what came in the same Bundle. Raises NotAClaimResult."""
    try:
        given = Decision.model_validate(resource)
    except ValidationError as error:
        raise NotAClaimResult(field_errors(error)) from None
    about = claim_id(given, known)
    if not about:
        field = "claim" if given.kind == "ExplanationOfBenefit" else "request"
        raise _refused(field, "must name the claim by the id it was submitted with, as identifier or reference")
    whole = Figures.of([*given.total, *given.adjudication], "total")
    lines = [Figures.of(item.adjudication, f"item.{n}") for n, item in enumerate(given.item)]
    lines += [Figures.of(item.adjudication, f"addItem.{n}") for n, item in enumerate(given.added)]
    status, replaced = _status(given, whole, lines), original(given)
    currencies = {c for figures in (whole, *lines) for c in figures.currencies}
    if len(currencies) > 1:
        raise _refused("body", "amounts are in several currencies")
    result = ClaimResult(
        claim_id=about,
        payer_claim_id=payer_claim_id(given),
        payer_ids=payer_ids(given, known),
        payer_name=name(given.insurer.display),
        status=status,
        raw_status=f"{given.status} {given.use} {given.outcome or ''}".strip(),
        adjudicated_on=_day(given.created),
        currency=min(currencies, default="usd"),
        charged=whole.cents("submitted") or 0,
        paid=whole.paid or 0,
        stated_responsibility=whole.cents("memberliability"),
        adjustments=(),
        lines=(),
        original_payer_claim_id=replaced,
        test=any(one.code == "HTEST" for one in given.meta.security),
        ordinal=0,
        supersedes=bool(replaced) and status is not ClaimStatus.REVERSAL,
    )
    result = _with_money(result, [*given.item, *given.added], lines, whole)
    return _negated(result) if given.status in ("cancelled", "entered-in-error") else result


# ------------------------------------------------------------------------------------------------- money


def _with_money(result: ClaimResult, items: Sequence[Item], lines: list[Figures], whole: Figures) -> ClaimResult:
    """The decision's money, by line where every line tells its own, else as one adjustment of the whole claim."""
    stated = result.stated_responsibility
    if not _by_line(lines):
        told = replace(result, adjustments=whole.adjustments(stated))
        return _with_stated(told, stated, contradicted_by(whole, told.adjustments))
    liabilities = [one.cents("memberliability") for one in lines]
    read = tuple(
        _line(item, figures, liability if liability is not None else _only(stated, lines))
        for item, figures, liability in zip(items, lines, liabilities, strict=True)
    )
    if stated is None and all(one is not None for one in liabilities):
        stated = sum(one for one in liabilities if one is not None)
    told = replace(
        result,
        lines=read,
        charged=sum(line.charged for line in read) if whole.cents("submitted") is None else result.charged,
        paid=sum(line.paid for line in read) if whole.paid is None else result.paid,
    )
    each = (contradicted_by(one, line.adjustments) for one, line in zip(lines, read, strict=True))
    apart = contradicted_by(whole, told.all_adjustments)
    return _with_stated(told, stated, apart or next((cents for cents in each if cents), 0))


def _with_stated(result: ClaimResult, stated: int | None, apart: int) -> ClaimResult:
    """What the share must equal. Where two places say it differently, by `apart` cents, no share equals both."""
    return replace(result, stated_responsibility=result.patient_responsibility + apart if apart else stated)


def _by_line(lines: Sequence[Figures]) -> bool:
    """Whether there are lines and each tells its own money."""
    return bool(lines) and all(one.is_complete for one in lines)


def _only(stated: int | None, lines: Sequence[object]) -> int | None:
    """The whole claim's stated share is that of its line, where there is only one."""
    return stated if len(lines) == 1 else None


def _line(item: Item, figures: Figures, liability: int | None) -> ServiceLine:
    codes = [code for code in item.product.codes() if is_identifier(code, 48)]
    modifiers = [code for concept in item.modifier for code in concept.codes()[:1] if is_identifier(code, 8)]
    return ServiceLine(
        procedure=codes[0] if codes else "",
        modifiers=tuple(modifiers[:4]),
        service_date=_day(item.on or (item.during.start if item.during else None)),
        units="1",
        charged=figures.cents("submitted") or 0,
        paid=figures.paid or 0,
        adjustments=figures.adjustments(liability),
        line_ref="",
    )


def _negated(result: ClaimResult) -> ClaimResult:
    """A cancelled decision takes back exactly what it said (X12's reversal: every amount negated)."""
    lines = tuple(
        replace(line, charged=-line.charged, paid=-line.paid, adjustments=_minus(line.adjustments))
        for line in result.lines
    )
    return replace(
        result,
        charged=-result.charged,
        paid=-result.paid,
        stated_responsibility=None,
        adjustments=_minus(result.adjustments),
        lines=lines,
    )


def _minus(adjustments: tuple[Adjustment, ...]) -> tuple[Adjustment, ...]:
    return tuple(replace(one, amount=-one.amount) for one in adjustments)


# ------------------------------------------------------------------------------------- who decided about what


def _status(given: Decision, whole: Figures, lines: Sequence[Figures]) -> ClaimStatus:
    """What kind of decision it is. Not complete, a draft, or without what was charged and paid, it is none yet."""
    if given.use != "claim":
        return ClaimStatus.PREDETERMINATION
    if given.status in ("cancelled", "entered-in-error"):
        return ClaimStatus.REVERSAL
    if given.status != "active" or given.outcome != "complete" or is_replaced(given):
        return ClaimStatus.UNKNOWN
    if not whole.is_complete and not _by_line(lines):
        return ClaimStatus.UNKNOWN
    if given.precedence is not None:
        return _BY_PRECEDENCE.get(given.precedence, ClaimStatus.PROCESSED_TERTIARY)
    another_paid = any(one.cents("priorpayerpaid") for one in (whole, *lines))
    return ClaimStatus.PROCESSED_SECONDARY if another_paid else ClaimStatus.PROCESSED_PRIMARY


def _day(text: str | None) -> date | None:
    """The day of a FHIR dateTime, None where it names only a month or a year, or none there is."""
    try:
        return date.fromisoformat(text[:10]) if text and len(text) >= 10 else None
    except ValueError:
        return None
