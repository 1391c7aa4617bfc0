"""The receipt of a posted body, as contract.md shows it: how far it was read, and what became of each claim in it.

Apart from the other views because the ingress answers with it, and starts fast.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, cast

from billing.claim_state import ClaimState, ReadElement, Slice, StoredBody, Verdict, claim_state_key
from billing.ids import receipt_pk
from billing.ports import Store

if TYPE_CHECKING:
    from edges import answers


def receipt(body: StoredBody, slices: Sequence[Slice], states: Iterable[ClaimState]) -> "answers.Receipt":
    """What became of a posted body, from what was read of it and the claims that this concerns.

    `done` once its last slice is read and every result that it brought has a verdict.
    """
    verdicts = {(state.claim_id, verdict.result): verdict for state in states for verdict in state.verdicts}
    elements = [element for one in slices for element in one.elements]
    rows = [_receipt_row(e, verdicts.get((e.claim_id, e.result))) for e in elements]
    known = [row for row in rows if row is not None]
    outcomes = [row["outcome"] for row in known]
    read_to_the_end = bool(slices) and slices[-1].last
    shown: answers.Receipt = {
        "receipt_id": body.receipt_id,
        "sha256": body.sha256,
        "status_url": f"/v1/receipts/{body.receipt_id}",
        "state": "done" if read_to_the_end and len(known) == len(elements) else "processing",
        "claims": len(elements),
        "accepted": outcomes.count("accepted"),
        "held": outcomes.count("held"),
        "duplicate": outcomes.count("duplicate"),
        "rejected": outcomes.count("rejected"),
        "results": known,
    }
    warnings = [warning for one in slices for warning in one.warnings]
    if warnings:
        shown["warnings"] = warnings
    return shown


def read_receipt(store: Store, practice: str, receipt_id: str) -> "answers.Receipt | None":
    """The receipt of that id, or None where this practice has none."""
    rows = store.partition(receipt_pk(receipt_id))
    body = next((row for row in rows if isinstance(row, StoredBody)), None)
    if body is None or body.practice != practice:
        return None
    slices = [row for row in rows if isinstance(row, Slice)]
    claims = {e.claim_id for one in slices for e in one.elements if e.result}
    states = store.get_many([claim_state_key(practice, claim) for claim in sorted(claims)]) if claims else []
    return receipt(body, slices, (state for state in states if isinstance(state, ClaimState)))


def _receipt_row(element: ReadElement, verdict: Verdict | None) -> "answers.ReceiptRow | None":
    """One row, or None while nobody has judged the result. A repeated result shows the state of the first."""
    row: answers.ReceiptRow = {
        "claim_id": element.claim_id,
        "payer_claim_id": element.payer_claim_id,
        "outcome": "duplicate",
        "reason": None,
        "now": None,
    }
    if not element.result:
        row["outcome"], row["reason"] = "rejected", "invalid"
        parts = (error.partition(": ") for error in element.errors)
        row["errors"] = [{"loc": where, "msg": what} for where, _, what in parts]
        return row
    if verdict is None:
        return row if element.duplicate else None
    if not element.duplicate:
        row["outcome"], row["reason"] = cast("answers.Outcome", verdict.outcome), verdict.reason or None
    row["now"] = cast("answers.Now", verdict.now)
    if verdict.invoice_id:
        row["invoice_id"], row["amount"] = verdict.invoice_id, verdict.amount
    return row
