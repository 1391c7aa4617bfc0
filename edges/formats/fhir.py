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
| `paidbypatient` | nothing: money that was paid is no debt |
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Final

from pydantic import ValidationError

from billing.claim import Adjustment, ClaimResult, ClaimStatus, ServiceLine
from edges import strict_json
from edges.formats.claim_json import FieldError, NotAClaimResult, field_errors
from edges.formats.fhir_figures import Figures
from edges.formats.rejected import Rejected
from edges.formats.x12_values import identifier_or_blank, is_identifier, name
from edges.inbound.fhir import Decision, Item

READ: Final = ("ExplanationOfBenefit", "ClaimResponse")
MOST_RESULTS: Final = 500
REPLACES: Final = frozenset({"prior", "replaces"})
REPLACED: Final = frozenset({"replacedby"})
"""Relationships of `related`: HL7's `prior`, its document codes' `replaces`, CARIN's `replacedby`."""
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
        return (_read(body),)
    entries = body.get("entry")
    if not isinstance(entries, list):
        raise _refused("entry", "must be a list of entries with claim results")
    resources = [entry.get("resource") for entry in entries if isinstance(entry, dict)]
    decisions = [one for one in resources if isinstance(one, dict) and one.get("resourceType") in READ]
    if not 1 <= len(decisions) <= MOST_RESULTS:
        raise _refused("entry", f"must hold 1 to {MOST_RESULTS} of {' and '.join(READ)}")
    return tuple(_read_or_reject(one) for one in decisions)


def _refused(loc: str, msg: str) -> NotAClaimResult:
    return NotAClaimResult([FieldError(loc=loc, msg=msg)])


def _read_or_reject(resource: object) -> ClaimResult | Rejected:
    try:
        return _read(resource)
    except NotAClaimResult as refused:
        return Rejected("", "", tuple(f"{error['loc']}: {error['msg']}" for error in refused.errors))


def _read(resource: object) -> ClaimResult:
    """One decision. Raises NotAClaimResult."""
    try:
        given = Decision.model_validate(resource)
    except ValidationError as error:
        raise NotAClaimResult(field_errors(error)) from None
    claim_id = (given.claim if given.kind == "ExplanationOfBenefit" else given.request).named
    if not is_identifier(claim_id, 38):
        field = "claim" if given.kind == "ExplanationOfBenefit" else "request"
        raise _refused(field, "must name the claim by the id it was submitted with, as identifier or reference")
    whole = Figures.of([*given.total, *given.adjudication], "total")
    lines = [Figures.of(item.adjudication, f"item.{n}") for n, item in enumerate(given.item)]
    status, original = _status(given, whole, lines), _original(given)
    currencies = {c for figures in (whole, *lines) for c in figures.currencies}
    if len(currencies) > 1:
        raise _refused("body", "amounts are in several currencies")
    result = ClaimResult(
        claim_id=claim_id,
        payer_claim_id=_payer_claim_id(given),
        payer_ids=_payer_ids(given),
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
        original_payer_claim_id=original,
        test=any(one.code == "HTEST" for one in given.meta.security),
        ordinal=0,
        supersedes=bool(original) and status is not ClaimStatus.REVERSAL,
    )
    result = _with_money(result, given.item, lines, whole)
    return _negated(result) if given.status in ("cancelled", "entered-in-error") else result


# ------------------------------------------------------------------------------------------------- money


def _with_money(result: ClaimResult, items: Sequence[Item], lines: list[Figures], whole: Figures) -> ClaimResult:
    """The decision's money, by line where every line tells its own, else as one adjustment of the whole claim."""
    liabilities = [one.cents("memberliability") for one in lines]
    if not _by_line(lines):
        return replace(
            result,
            adjustments=whole.adjustments(result.stated_responsibility),
            lines=(),
        )
    read = tuple(
        _line(item, figures, liability if liability is not None else _only(result.stated_responsibility, lines))
        for item, figures, liability in zip(items, lines, liabilities, strict=True)
    )
    stated = result.stated_responsibility
    if stated is None and all(one is not None for one in liabilities):
        stated = sum(one for one in liabilities if one is not None)
    return replace(
        result,
        lines=read,
        stated_responsibility=stated,
        charged=sum(line.charged for line in read) if whole.cents("submitted") is None else result.charged,
        paid=sum(line.paid for line in read) if whole.paid is None else result.paid,
    )


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
    if given.status != "active" or given.outcome != "complete" or _is_replaced(given):
        return ClaimStatus.UNKNOWN
    if not whole.is_complete and not _by_line(lines):
        return ClaimStatus.UNKNOWN
    if given.precedence is not None:
        return _BY_PRECEDENCE.get(given.precedence, ClaimStatus.PROCESSED_TERTIARY)
    another_paid = any(one.cents("priorpayerpaid") for one in (whole, *lines))
    return ClaimStatus.PROCESSED_SECONDARY if another_paid else ClaimStatus.PROCESSED_PRIMARY


def _payer_claim_id(given: Decision) -> str:
    """The payer's own id of the claim: identifier type `uc` (unique claim id), else the first there is."""
    known = sorted(given.identifier, key=lambda one: "uc" not in one.type.codes())
    return next((one.value.strip() for one in known if is_identifier(one.value.strip(), 50)), "")


def _payer_ids(given: Decision) -> tuple[str, ...]:
    """What the payer is called: the insurer's identifier, also that of a contained one, and the end of its address."""
    insurer = given.insurer
    if insurer.reference.startswith("#"):
        there = [one for one in given.contained if one.get("id") == insurer.reference[1:]]
        identifiers = there[0].get("identifier") if there else None
        first = identifiers[0] if isinstance(identifiers, list) and identifiers else None
        value = first.get("value") if isinstance(first, dict) else None
        called = [value] if isinstance(value, str) else []
    else:
        called = [insurer.identifier.value, insurer.reference.rpartition("/")[2]]
    ids = [identifier_or_blank(one, 80) for one in called]
    return tuple(dict.fromkeys(one for one in ids if one))


def _original(given: Decision) -> str:
    """The payer's id of the decision that this one replaces, or "" where it replaces none, or none that is named."""
    named = (identifier_or_blank(one.named, 50) for one in given.related if REPLACES & set(one.relationship.codes()))
    return next((one for one in named if one), "")


def _is_replaced(given: Decision) -> bool:
    """Whether the payer says that another decision stands in place of this one."""
    return any(REPLACED & set(one.relationship.codes()) for one in given.related)


def _day(text: str | None) -> date | None:
    """The day of a FHIR dateTime, None where it names only a month or a year, or none there is."""
    try:
        return date.fromisoformat(text[:10]) if text and len(text) >= 10 else None
    except ValueError:
        return None
