"""Where each cent of a claim went, service by service, in words a patient understands (INV-6).

Of every line: billed = plan discount + insurance paid + deductible + coinsurance + copay + not covered, and
you owe = deductible + coinsurance + copay + not covered. Summed over the lines, you owe is the patient responsibility
to the cent. Both hold whenever the claim result balances (one that does not is held before a patient sees it); the
second holds always.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Final

from billing.carc import OTHER_INSURANCE, sentence
from billing.claim import Adjustment, ClaimResult, Group, ServiceLine, SubmittedClaim
from billing.money import dollars


class Bucket(StrEnum):
    """The columns an adjustment can fall into."""

    PLAN_DISCOUNT = "plan_discount"
    INSURANCE_PAID = "insurance_paid"
    DEDUCTIBLE = "deductible"
    COINSURANCE = "coinsurance"
    COPAY = "copay"
    NOT_COVERED = "not_covered"


PATIENT_BUCKETS: Final[dict[str, Bucket]] = {
    "1": Bucket.DEDUCTIBLE,
    "66": Bucket.DEDUCTIBLE,
    "247": Bucket.DEDUCTIBLE,
    "2": Bucket.COINSURANCE,
    "248": Bucket.COINSURANCE,
    "3": Bucket.COPAY,
}
"""The PR reasons with a column of their own; every other PR reason is something the plan does not cover."""


OURS: Final = ""
"""The group of a reason that no payer gave: our own word about a bill that rests on no claim result."""


@dataclass(frozen=True)
class Reason:
    """One adjustment, or the part of it that falls on this line: `amount` cents in column `bucket`, and why."""

    group: str
    code: str
    amount: int
    sentence: str
    bucket: str


@dataclass(frozen=True)
class ExplainedLine:
    """One service as the patient reads it; amounts in cents. `procedure` is "" for what belongs to no one service."""

    procedure: str
    service_date: date | None
    billed: int
    plan_discount: int
    insurance_paid: int
    deductible: int
    coinsurance: int
    copay: int
    not_covered: int
    you_owe: int
    reasons: tuple[Reason, ...]


def explain(
    result: ClaimResult, submitted: SubmittedClaim | None, earlier: Sequence[ClaimResult] = ()
) -> tuple[ExplainedLine, ...]:
    """One line per service, or one for the whole claim when the payer decided it as a whole.

    An adjustment of the whole claim comes out of what the plan paid for its services, in their order. Where the
    services do not add up to the claim's charge, a last line without a procedure carries the rest of the claim.
    `earlier`: what the payers before this one decided of the claim; says who paid what of the part that is theirs.
    """
    lines = _lines_of(result, submitted)
    repeated = [reason for line in lines for reason in line.reasons if _is_other_insurance(reason)]
    if len(repeated) != 1 or not (sentence := _what_earlier_payers_did(earlier, repeated[0].amount)):
        return lines
    told = {repeated[0]: replace(repeated[0], sentence=sentence)}
    return tuple(replace(line, reasons=tuple(told.get(one, one) for one in line.reasons)) for line in lines)


def _is_other_insurance(reason: Reason) -> bool:
    return reason.group != Group.PR and reason.code == OTHER_INSURANCE


def _what_earlier_payers_did(earlier: Sequence[ClaimResult], amount: int) -> str:
    """What of `amount` they paid and what they took off; "" where they decided another amount (X12 RFI 2143)."""
    paid = sum(one.paid for one in earlier)
    off = sum(
        each.amount
        for one in earlier
        for each in one.all_adjustments
        if each.group != Group.PR and each.code != OTHER_INSURANCE
    )
    if not earlier or paid + off != amount or paid < 0 or off < 0:
        return ""
    if not off:
        return "Your other insurance paid this."
    return f"Your other insurance paid {dollars(paid)} and took {dollars(off)} off the price."


def _lines_of(result: ClaimResult, submitted: SubmittedClaim | None) -> tuple[ExplainedLine, ...]:
    if not result.lines:
        whole = _claim_line(result, submitted)
        return (_explained(whole, whole.paid, whole.adjustments),)
    lines = tuple(_dated(line, submitted) for line in result.lines)
    rest = _rest_of_claim(result)
    if rest is not None:
        return tuple(_explained(line, line.paid, line.adjustments) for line in (*lines, rest))
    return tuple(_with_claim_adjustments(lines, result.adjustments))


def _claim_line(result: ClaimResult, submitted: SubmittedClaim | None) -> ServiceLine:
    """The claim as if it were one service; named after the only service that was submitted, if there was only one."""
    only = submitted.lines[0] if submitted and len(submitted.lines) == 1 else None
    service_date = only.service_date if only else None
    if service_date is None and submitted:
        service_date = submitted.service_date
    procedure = only.procedure if only else ""
    return ServiceLine(procedure, (), service_date, "", result.charged, result.paid, result.adjustments, "")


def _dated(line: ServiceLine, submitted: SubmittedClaim | None) -> ServiceLine:
    """A payer need not repeat the date of a service; the claim as submitted has it."""
    if line.service_date is None and submitted is not None:
        return replace(line, service_date=submitted.service_date)
    return line


def _rest_of_claim(result: ClaimResult) -> ServiceLine | None:
    """What the claim has beyond its services, or None when the services are all of its charge."""
    charged = result.charged - sum(line.charged for line in result.lines)
    if charged == 0:
        return None
    paid = result.paid - sum(line.paid for line in result.lines)
    return ServiceLine("", (), None, "", charged, paid, result.adjustments, "")


def _with_claim_adjustments(
    lines: tuple[ServiceLine, ...], claim_adjustments: tuple[Adjustment, ...]
) -> Iterator[ExplainedLine]:
    """Each line with its share of the claim's adjustments: as much as the plan paid there, the last takes the rest."""
    waiting = list(claim_adjustments)
    for number, line in enumerate(lines, start=1):
        paid, shares = line.paid, []
        while waiting:
            adjustment = waiting.pop(0)
            is_last = number == len(lines)
            amount = adjustment.amount if is_last else min(adjustment.amount, max(paid, 0))
            if amount:
                shares.append(Adjustment(adjustment.group, adjustment.code, amount))
                paid -= amount
            if amount != adjustment.amount:
                waiting.insert(0, Adjustment(adjustment.group, adjustment.code, adjustment.amount - amount))
                break
        yield _explained(line, paid, (*line.adjustments, *shares))


def _explained(line: ServiceLine, paid: int, adjustments: Iterable[Adjustment]) -> ExplainedLine:
    reasons = tuple(_reason(adjustment) for adjustment in adjustments)
    columns = dict.fromkeys(Bucket, 0)
    columns[Bucket.INSURANCE_PAID] = paid
    for reason in reasons:
        columns[Bucket(reason.bucket)] += reason.amount
    return ExplainedLine(
        procedure=line.procedure,
        service_date=line.service_date,
        billed=line.charged,
        plan_discount=columns[Bucket.PLAN_DISCOUNT],
        insurance_paid=columns[Bucket.INSURANCE_PAID],
        deductible=columns[Bucket.DEDUCTIBLE],
        coinsurance=columns[Bucket.COINSURANCE],
        copay=columns[Bucket.COPAY],
        not_covered=columns[Bucket.NOT_COVERED],
        you_owe=sum(reason.amount for reason in reasons if reason.group == Group.PR),
        reasons=reasons,
    )


def _reason(adjustment: Adjustment) -> Reason:
    group, code = adjustment.group, adjustment.code
    return Reason(group, code, adjustment.amount, sentence(group, code), bucket_of(group, code))


def bucket_of(group: str, code: str) -> Bucket:
    """The column of an adjustment. OA-23 is what another insurance did, under whichever group a payer repeats it; all
    else that is not PR is the plan's."""
    if group == Group.PR:
        return PATIENT_BUCKETS.get(code, Bucket.NOT_COVERED)
    if code == OTHER_INSURANCE:
        return Bucket.INSURANCE_PAID
    return Bucket.PLAN_DISCOUNT
