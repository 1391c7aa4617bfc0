"""A payer's decisions, written as the 835 or the JSON that would tell them."""

import json
import zlib
from dataclasses import dataclass, replace
from typing import Any

Json = Any

PAYER = {"id": "87726", "name": "Example Health Plan"}
STATUS_CODES = {"processed_primary": "1", "denied": "4", "reversal": "22", "predetermination": "25"}


@dataclass(frozen=True)
class Decision:
    """One claim, decided: `share` is the client's (as deductible), `discount` the plan's; the plan pays the rest.

    `adjustments`: (group, code, cents) in place of those two.
    """

    claim_id: str
    charged: int
    share: int
    discount: int = 45_00
    payer_claim_id: str = ""
    status: str = "processed_primary"
    adjustments: tuple[tuple[str, str, int], ...] | None = None
    procedure: str = "90834"
    service_date: str = "2026-10-30"

    @property
    def reasons(self) -> tuple[tuple[str, str, int], ...]:
        if self.adjustments is not None:
            return self.adjustments
        return tuple(one for one in (("CO", "45", self.discount), ("PR", "1", self.share)) if one[2])

    @property
    def paid(self) -> int:
        return self.charged - sum(amount for _, _, amount in self.reasons)

    @property
    def responsibility(self) -> int:
        return sum(amount for group, _, amount in self.reasons if group == "PR")

    @property
    def control(self) -> str:
        """What the payer calls the claim."""
        return self.payer_claim_id or f"P-{self.claim_id}"

    def taken_back(self) -> "Decision":
        """Its exact negative (claims.md 4.5)."""
        negated = tuple((group, code, -amount) for group, code, amount in self.reasons)
        return replace(self, charged=-self.charged, adjustments=negated, status="reversal")


def as_835(*decisions: Decision, control: int = 1, usage: str = "P") -> str:
    """A whole file. `control` numbers its envelopes; `usage` T is a test file. Its payment's number is made of what it
    decides: another payment has another (claims.md 4.8)."""
    trace = f"TRACE{control:06d}{zlib.crc32(repr(decisions).encode()):08x}"
    body = [
        f"ST*835*{control:04d}",
        f"BPR*I*{_money(sum(one.paid for one in decisions))}*C*ACH*CCP*01*999999992*DA*123456*1512345678**01*999988880"
        "*DA*98765*20261120",
        f"TRN*1*{trace}*1512345678",
        "DTM*405*20261120",
        f"N1*PR*{PAYER['name'].upper()}*XV*{PAYER['id']}",
        "N1*PE*RIVERBEND COUNSELING*XX*1234567893",
        "REF*TJ*123456789",
        "LX*1",
        *(segment for one in decisions for segment in _claim(one)),
    ]
    segments = [
        f"ISA*00*          *00*          *ZZ*EXAMPLEPLAN    *ZZ*RIVERBEND      *261120*1200*^*00501*{control:09d}*0"
        f"*{usage}*:",
        f"GS*HP*EXAMPLEPLAN*RIVERBEND*20261120*1200*{control}*X*005010X221A1",
        *body,
        f"SE*{len(body) + 1}*{control:04d}",
        f"GE*1*{control}",
        f"IEA*1*{control:09d}",
    ]
    return "".join(f"{segment}~\n" for segment in segments)


def as_fhir(claim_id: str, **figures: float) -> str:
    """An ExplanationOfBenefit of one service, decided with these figures, in dollars."""
    adjudication = [
        {"category": {"coding": [{"code": word}]}, "amount": {"value": amount, "currency": "USD"}}
        for word, amount in figures.items()
    ]
    return json.dumps(
        {
            "resourceType": "ExplanationOfBenefit",
            "status": "active",
            "use": "claim",
            "outcome": "complete",
            "identifier": [{"value": f"P-{claim_id}"}],
            "claim": {"identifier": {"value": claim_id}},
            "insurer": {"identifier": {"value": PAYER["id"]}},
            "item": [{"sequence": 1, "servicedDate": "2026-10-30", "adjudication": adjudication}],
        }
    )


def _claim(one: Decision) -> list[str]:
    code, day = STATUS_CODES[one.status], one.service_date.replace("-", "")
    charged, paid = _money(one.charged), _money(one.paid)
    reasons = [f"CAS*{group}*{reason}*{_money(amount)}" for group, reason, amount in one.reasons]
    return [
        f"CLP*{one.claim_id}*{code}*{charged}*{paid}*{_money(one.responsibility)}*12*{one.control}*11*1",
        "NM1*QC*1*SAMPLE*PAT****MI*MBR0001",
        f"DTM*232*{day}",
        f"SVC*HC:{one.procedure}*{charged}*{paid}**1",
        f"DTM*472*{day}",
        *reasons,
    ]


def as_json(one: Decision) -> dict[str, Any]:
    """One result of contract.md's JSON body."""
    adjustments = [{"group": group, "code": code, "amount": amount} for group, code, amount in one.reasons]
    line = {"procedure": one.procedure, "service_date": one.service_date, "charged": one.charged, "paid": one.paid}
    return {
        "claim_id": one.claim_id,
        "payer": PAYER,
        "payer_claim_id": one.control,
        "status": one.status,
        "adjudicated_on": "2026-11-20",
        "currency": "usd",
        "charged": one.charged,
        "paid": one.paid,
        "adjustments": [],
        "lines": [line | {"adjustments": adjustments}],
    }


def as_report(*decisions: Decision) -> Json:
    """The same as a clearinghouse's report."""
    claims = [
        {
            "claimPaymentInfo": {
                "patientControlNumber": one.claim_id,
                "claimStatusCode": STATUS_CODES[one.status],
                "totalClaimChargeAmount": _money(one.charged),
                "claimPaymentAmount": _money(one.paid),
                "patientResponsibilityAmount": _money(one.responsibility),
                "payerClaimControlNumber": one.control,
            },
            "serviceLines": [
                {
                    "serviceDate": one.service_date.replace("-", ""),
                    "servicePaymentInformation": {
                        "adjudicatedProcedureCode": one.procedure,
                        "lineItemChargeAmount": _money(one.charged),
                        "lineItemProviderPaymentAmount": _money(one.paid),
                    },
                    "serviceAdjustments": [
                        {
                            "claimAdjustmentGroupCode": group,
                            "adjustmentReasonCode1": code,
                            "adjustmentAmount1": _money(amount),
                        }
                        for group, code, amount in one.reasons
                    ],
                }
            ],
        }
        for one in decisions
    ]
    payment = {
        "controlNumber": "0001",
        "productionDate": "20261120",
        "financialInformation": {"totalActualProviderPaymentAmount": _money(sum(one.paid for one in decisions))},
        "payer": {"name": PAYER["name"].upper(), "payerIdentificationNumber": PAYER["id"]},
        "detailInfo": [{"assignedNumber": "1", "paymentInfo": claims}],
    }
    return {"meta": {"applicationMode": "production"}, "transactions": [payment]}


def as_batch(*decisions: Decision) -> str:
    """The JSON body of several."""
    return json.dumps({"results": [as_json(one) for one in decisions]})


def _money(cents: int) -> str:
    """6250 -> "62.5", as an 835 writes it."""
    sign, whole = "-" if cents < 0 else "", abs(cents)
    return sign + f"{whole // 100}.{whole % 100:02d}".rstrip("0").rstrip(".")
