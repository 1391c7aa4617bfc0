"""A clearinghouse's report of one claim, the one of x12_example.py, built so that a test can change what
it is about.
"""

from copy import deepcopy
from typing import Any, Final

LINE: Final[dict[str, Any]] = {
    "lineItemControlNumber": "KB7Q2M9X41L1",
    "serviceDate": "20261030",
    "servicePaymentInformation": {
        "productOrServiceIDQualifier": "HC",
        "adjudicatedProcedureCode": "90834",
        "lineItemChargeAmount": "150",
        "lineItemProviderPaymentAmount": "42.5",
        "unitsOfServicePaidCount": "1",
    },
    "serviceAdjustments": [
        {"claimAdjustmentGroupCode": "CO", "adjustmentReasonCode1": "45", "adjustmentAmount1": "45"},
        {
            "claimAdjustmentGroupCode": "PR",
            "claimAdjustmentGroupCodeValue": "a text of somebody else's",
            "adjustmentReasonCode1": "1",
            "adjustmentReason1": "a text of somebody else's",
            "adjustmentAmount1": "40",
            "adjustmentReasonCode2": "3",
            "adjustmentAmount2": "22.5",
        },
    ],
}
CLAIM: Final[dict[str, Any]] = {
    "claimPaymentInfo": {
        "patientControlNumber": "KB7Q2M9X41",
        "claimStatusCode": "1",
        "totalClaimChargeAmount": "150",
        "claimPaymentAmount": "42.5",
        "patientResponsibilityAmount": "62.5",
        "claimFilingIndicatorCode": "12",
        "payerClaimControlNumber": "2026000123",
    },
    "patientName": {"lastName": "SAMPLE", "firstName": "PAT", "memberId": "MBR0001"},
    "claimStatementPeriodStart": "20261030",
    "serviceLines": [LINE],
}
TRANSACTION: Final[dict[str, Any]] = {
    "controlNumber": "0001",
    "paymentAndRemitReassociationDetails": {
        "traceTypeCode": "1",
        "checkOrEFTTraceNumber": "TRACE1",
        "originatingCompanyIdentifier": "1512345678",
    },
    "productionDate": "20261120",
    "financialInformation": {
        "totalActualProviderPaymentAmount": "42.5",
        "creditOrDebitFlagCode": "C",
        "checkIssueOrEFTEffectiveDate": "20261121",
    },
    "payer": {
        "name": "EXAMPLE HEALTH PLAN",
        "centersForMedicareAndMedicaidServicesPlanId": "87726",
        "payerIdentificationNumber": "87727",
    },
    "payee": {"name": "RIVERBEND COUNSELING", "npi": "1234567893"},
}
META: Final[dict[str, Any]] = {"applicationMode": "production", "senderId": "STEDI"}


def transaction(*claims: Any, **fields: Any) -> dict[str, Any]:
    """One payment of these claims, of the example without any."""
    told = {**TRANSACTION, "detailInfo": [{"assignedNumber": "1", "paymentInfo": list(claims) or [CLAIM]}], **fields}
    return deepcopy(told)


def report(*transactions: Any, **fields: Any) -> dict[str, Any]:
    """The whole report; without transactions, of the one claim."""
    return {"meta": META, "transactions": list(transactions) or [transaction()], **fields}
