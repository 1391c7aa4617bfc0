"""How claim results look as files, which the production reader reads: an 835, our JSON, a clearinghouse's report."""

import json
from collections.abc import Iterable, Sequence
from random import Random
from typing import Any, Literal

from billing.claim import Adjustment, ClaimResult, ClaimStatus
from edges.formats.x12_claim import STATUSES
from tests.edges.formats import report_example
from tests.edges.formats.x12_example import document, transaction

Form = Literal["835", "json", "report", "read"]
"""A payer keeps to one form: an 835 states the patient's responsibility beside its reasons, JSON does not; a
clearinghouse's `report` is an 835 in other words; `read`: as the reader of documents leaves it, which alone can say
that a decision replaces another one."""
PAYMENTS: tuple[Form, Form] = ("835", "report")
"""What names the payment that it is about."""
_RAW = {status: raw for raw, status in STATUSES.items()}


def form_of(results: Sequence[ClaimResult], rng: Random, *, paid: bool) -> Form:
    """How a claim's decisions travel. What JSON cannot say (a stated sum, a status nobody knows; `paid`: by which
    payment) is an 835, or a report."""
    if any(result.supersedes for result in results):
        return "read"
    sayable = not paid and all(
        r.status is not ClaimStatus.UNKNOWN and r.stated_responsibility in (r.patient_responsibility, 0)
        for r in results
    )
    dice = rng.random()
    return "json" if sayable and dice < 0.25 else "report" if dice > 0.85 else "835"


def body_of(form: Form, results: Sequence[ClaimResult], number: int, file: int, *, broken: bool) -> bytes:
    """The file of that number, about the payments of that number, sometimes with a claim in it that nobody can read."""
    if form == "835":
        return _835(results, number, file, broken)
    return _report(results, number, file, broken) if form == "report" else _json(results, broken)


# ---------------------------------------------------------------------------------------------------- as an 835


def _835(results: Iterable[ClaimResult], number: int, file: int, broken: bool) -> bytes:
    """One interchange, numbered as the file, of the payments of that number."""
    segments = []
    for place, group in enumerate(_payments(results)):
        claims = [segment for result in group for segment in _claim(result)]
        if broken and place == 0:
            claims += ["CLP*BROKEN*1*a lot*42.5*62.5*12*2026*11*1"]
        payer = (f"N1*PR*EXAMPLE HEALTH PLAN*XV*{group[0].payer_id}",)
        paid = _dollars(sum(result.paid for result in group))
        made = transaction(*claims, control=f"{number:04d}{place:02d}", payment=paid, payer=payer)
        segments += [f"TRN*1*TRACE{number}*9{group[0].payer_id}" if s.startswith("TRN*") else s for s in made]
    isa = "ISA*00*          *00*          *ZZ*EXAMPLEPLAN    *ZZ*RIVERBEND      *261120*1200*^*00501*"
    return document(*segments, isa=f"{isa}{file:09d}*0*P*:")


def _payments(results: Iterable[ClaimResult]) -> list[list[ClaimResult]]:
    """Each payer is a transaction, and so is each second decision about the same claim: within one transaction the
    reader would count it."""
    groups: list[list[ClaimResult]] = []
    for result in results:
        fits = (g for g in groups if g[0].payer_ids == result.payer_ids and not any(_alike(result, o) for o in g))
        group = next(fits, None)
        if group is None:
            groups.append([result])
        else:
            group.append(result)
    return groups


def _alike(one: ClaimResult, other: ClaimResult) -> bool:
    return (one.claim_id, one.payer_claim_id, one.status) == (other.claim_id, other.payer_claim_id, other.status)


def _claim(result: ClaimResult) -> list[str]:
    raw = _RAW.get(result.status, "99")
    stated = _dollars(result.stated_responsibility or 0)
    segments = [
        f"CLP*{result.claim_id}*{raw}*{_dollars(result.charged)}*{_dollars(result.paid)}*{stated}*12"
        f"*{result.payer_claim_id}*11*1"
    ]
    for line in result.lines:
        segments.append(f"SVC*HC:{line.procedure}*{_dollars(line.charged)}*{_dollars(line.paid)}**{line.units}")
        if line.service_date:
            segments.append(f"DTM*472*{line.service_date:%Y%m%d}")
        segments += [f"CAS*{a.group}*{a.code}*{_dollars(a.amount)}" for a in line.adjustments]
    return segments


def _dollars(cents: int) -> str:
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02d}"


# ---------------------------------------------------------------------------------------------------- as JSON


def _json(results: Iterable[ClaimResult], broken: bool) -> bytes:
    elements: list[dict[str, Any]] = [_element(result) for result in results]
    if broken:
        elements.append({**elements[0], "charged": "a lot"})
    return json.dumps(elements[0] if len(elements) == 1 else {"results": elements}).encode()


def _element(result: ClaimResult) -> dict[str, Any]:
    return {
        "claim_id": result.claim_id,
        "payer": {"id": result.payer_id, "name": result.payer_name},
        "payer_claim_id": result.payer_claim_id,
        "status": result.status.value,
        "currency": "usd",
        "charged": result.charged,
        "paid": result.paid,
        "adjustments": [],
        "lines": [
            {
                "procedure": line.procedure,
                "service_date": line.service_date.isoformat() if line.service_date else None,
                "charged": line.charged,
                "paid": line.paid,
                "adjustments": _adjustments(line.adjustments),
            }
            for line in result.lines
        ],
    }


def _adjustments(given: Iterable[Adjustment]) -> list[dict[str, Any]]:
    return [{"group": one.group, "code": one.code, "amount": one.amount} for one in given]


# ------------------------------------------------------------------------------------------ as a report


def _report(results: Iterable[ClaimResult], number: int, file: int, broken: bool) -> bytes:
    told = []
    for place, group in enumerate(_payments(results)):
        claims = [_paid(result) for result in group]
        if broken and place == 0:
            claims.append({"claimPaymentInfo": {"patientControlNumber": "BROKEN", "totalClaimChargeAmount": "a lot"}})
        paid = {"totalActualProviderPaymentAmount": _dollars(sum(result.paid for result in group))}
        payment = {
            "controlNumber": f"{number:04d}{place:02d}",
            "payer": {"name": "EXAMPLE", "centersForMedicareAndMedicaidServicesPlanId": group[0].payer_id},
            "paymentAndRemitReassociationDetails": {"checkOrEFTTraceNumber": f"TRACE{number}"},
            "financialInformation": {**report_example.TRANSACTION["financialInformation"], **paid},
        }
        told.append(report_example.transaction(*claims, **payment))
    return json.dumps(report_example.report(*told, reportId=file)).encode()


def _paid(result: ClaimResult) -> dict[str, Any]:
    info = {
        "patientControlNumber": result.claim_id,
        "claimStatusCode": _RAW.get(result.status, "99"),
        "totalClaimChargeAmount": _dollars(result.charged),
        "claimPaymentAmount": _dollars(result.paid),
        "patientResponsibilityAmount": _dollars(result.stated_responsibility or 0),
        "payerClaimControlNumber": result.payer_claim_id,
    }
    lines = []
    for line in result.lines:
        service = {
            "adjudicatedProcedureCode": line.procedure,
            "lineItemChargeAmount": _dollars(line.charged),
            "lineItemProviderPaymentAmount": _dollars(line.paid),
            "unitsOfServicePaidCount": line.units,
        }
        names = ("claimAdjustmentGroupCode", "adjustmentReasonCode1", "adjustmentAmount1")
        taken_off = [dict(zip(names, (a.group, a.code, _dollars(a.amount)), strict=True)) for a in line.adjustments]
        day = f"{line.service_date:%Y%m%d}" if line.service_date else ""
        lines.append({"serviceDate": day, "servicePaymentInformation": service, "serviceAdjustments": taken_off})
    return {"claimPaymentInfo": info, "serviceLines": lines}
