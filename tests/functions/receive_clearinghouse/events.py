"""What a clearinghouse tells, as Stedi writes it."""

from copy import deepcopy
from typing import Any, Final

TRANSACTION: Final = "71716ec5-0e96-462f-bb77-869941bb27ab"
DETAIL: Final[dict[str, Any]] = {
    "transactionId": TRANSACTION,
    "direction": "INBOUND",
    "mode": "production",
    "fileExecutionId": "95236a56-a020-4522-8fef-bcffcec0ec1d",
    "x12": {"metadata": {"transaction": {"controlNumber": "0001", "transactionSetIdentifier": "835"}}},
}


def event(kind: str = "transaction.processed.v2", **detail: Any) -> dict[str, Any]:
    """One event, with something else in its detail."""
    told = {"version": "0", "id": "8a9fc08a", "detail-type": kind, "source": "stedi.core", "detail": DETAIL | detail}
    return {"event": deepcopy(told)}
