"""The receipt of a posted or uploaded body, as contract.md shows it: how far it was read, and what became of each claim
in it.

Apart from the other views because the ingress answers with it, and starts fast.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, cast

from billing.claim_state import ReadElement, Slice, StoredBody, Verdict, body_key, slice_key
from billing.gates import Outcome
from billing.ids import receipt_pk
from billing.ports import Address, Store
from billing.receipt import SliceCount, Verdicts, count_slice, counted
from billing.transaction import Transaction
from billing.upload import ADDRESS_LASTS, Upload, upload_key
from edges import deadline
from edges.counting import counts_of, look_again, verdicts_on

if TYPE_CHECKING:
    from edges import answers

PAGE_SLICES: Final = 10
"""Slices whose claims one answer lists, up to 2,000: of the largest some megabytes, and a function may answer six."""
KEPT_SECONDS: Final = 12.0
KEPT_FROM_SECOND_LOOKS: Final = 22.0
"""Of the time to answer in: an answer about a long body counts what has no outcome yet until so much is left, and what
had one, but may have another by now, until so much is."""


@dataclass(frozen=True)
class _Known:
    """Everything a receipt is made from. `shown`: the slices of the page · `more`: there are slices after them."""

    counts: Sequence[SliceCount]
    shown: Sequence[Slice]
    verdicts: Verdicts
    more: bool
    warnings: tuple[str, ...]


def read_receipt(
    store: Store, practice: str, receipt_id: str, now: datetime, page: int = 0
) -> "answers.Receipt | None":
    """The receipt of that id, or None where this practice has none. `page`: which part of a long list of results."""
    upload, body = store.get_many([upload_key(receipt_id), body_key(receipt_id)])
    if isinstance(upload, Upload):
        if upload.practice != practice:
            return None
        if not upload.body:
            return _without_body(upload)
        body = store.get(body_key(upload.body))
    if not isinstance(body, StoredBody) or body.practice != practice:
        return None
    known = _long(store, body, page, now) if counted(body) else _short(store, body, page, now)
    # Bytes that were seen before are the first receipt's, whatever way they came.
    own_name = upload.receipt_id if isinstance(upload, Upload) and upload.first else body.receipt_id
    return _receipt(body, own_name, known, page)


def new_receipt(body: StoredBody) -> "answers.Receipt":
    """Of a body that was stored a moment ago."""
    return _receipt(body, body.receipt_id, _Known((), (), {}, more=False, warnings=()), 0)


def upload_address(upload: Upload, address: Address, most_bytes: int) -> "answers.UploadAddress":
    """Where a file may be put, once, and the receipt that waits for it."""
    return {
        "receipt_id": upload.receipt_id,
        "status_url": f"/v1/receipts/{upload.receipt_id}",
        "state": "waiting",
        "method": "PUT",
        "upload_url": address.url,
        "headers": dict(address.headers),
        "expires_at": (upload.at + ADDRESS_LASTS).isoformat(),
        "max_bytes": most_bytes,
    }


def _short(store: Store, body: StoredBody, page: int, now: datetime) -> _Known:
    """All of it, read and counted now."""
    slices = [row for row in store.partition(receipt_pk(body.receipt_id), "SLICE#") if isinstance(row, Slice)]
    verdicts = verdicts_on(store, slices)
    first, end = page * PAGE_SLICES, (page + 1) * PAGE_SLICES
    return _Known(
        [count_slice(one, verdicts, now) for one in slices],
        slices[first:end],
        verdicts,
        len(slices) > end,
        tuple(warning for one in slices for warning in one.warnings),
    )


def _long(store: Store, body: StoredBody, page: int, now: datetime) -> _Known:
    """Its counts, and of its claims the page only."""
    counts = look_again(store, counts_of(store, body.receipt_id), now, _has_time)
    first, end = page * PAGE_SLICES, (page + 1) * PAGE_SLICES
    numbers = [one.number for one in counts]
    wanted = dict.fromkeys([*numbers[first:end], *numbers[-1:]])  # the last one has the warnings
    read = [row for row in store.get_many([slice_key(body.receipt_id, n) for n in wanted]) if isinstance(row, Slice)]
    shown = [one for one in read if first <= one.number < end]
    warnings = tuple(warning for one in read for warning in one.warnings)
    return _Known(counts, shown, verdicts_on(store, shown), len(counts) > end, warnings)


def _has_time(one: SliceCount) -> bool:
    return deadline.seconds_left() > (KEPT_SECONDS if one.unjudged else KEPT_FROM_SECOND_LOOKS)


def _receipt(body: StoredBody, receipt_id: str, known: _Known, page: int) -> "answers.Receipt":
    """`done` once the last slice is read and every result that it brought has a verdict."""
    counts = known.counts
    read_to_the_end = bool(counts) and counts[-1].last
    rows = (_row(e, known.verdicts.get((e.claim_id, e.result))) for one in known.shown for e in one.elements)
    shown: answers.Receipt = {
        "receipt_id": receipt_id,
        "sha256": body.sha256,
        "status_url": f"/v1/receipts/{receipt_id}",
        "state": "done" if read_to_the_end and not any(one.unjudged for one in counts) else "processing",
        "claims": sum(one.claims for one in counts),
        "accepted": sum(one.accepted for one in counts),
        "held": sum(one.held for one in counts),
        "duplicate": sum(one.duplicate for one in counts),
        "rejected": sum(one.rejected for one in counts),
        "results": [row for row in rows if row is not None],
    }
    if known.more:
        shown["next"] = f"/v1/receipts/{receipt_id}?page={page + 1}"
    if counted(body):
        shown["bytes"] = body.size
        shown["bytes_read"] = body.size if read_to_the_end else max((one.bytes_read for one in counts), default=0)
    transactions = [_transaction(one) for read in known.shown for one in read.transactions]
    if transactions:
        shown["transactions"] = transactions
    if known.warnings:
        shown["warnings"] = list(known.warnings)
    return shown


def _without_body(upload: Upload) -> "answers.Receipt":
    """An upload that did not come, or of which nothing was kept."""
    shown: answers.Receipt = {
        "receipt_id": upload.receipt_id,
        "sha256": None,
        "status_url": f"/v1/receipts/{upload.receipt_id}",
        "state": "done" if upload.fault else "waiting",
        "claims": 0,
        "accepted": 0,
        "held": 0,
        "duplicate": 0,
        "rejected": 0,
        "results": [],
    }
    if upload.size:
        shown["bytes"] = upload.size
        shown["bytes_read"] = 0
    if upload.fault:
        shown["reason"] = cast("answers.UploadReason", upload.fault)
        shown["warnings"] = [upload.detail]
    else:
        shown["expires_at"] = (upload.at + ADDRESS_LASTS).isoformat()
    return shown


def _row(element: ReadElement, verdict: Verdict | None) -> "answers.ReceiptRow | None":
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
    if verdict.outcome != Outcome.REJECTED:
        row["now"] = cast("answers.Now", verdict.now)
    if verdict.invoice_id:
        row["invoice_id"], row["amount"] = verdict.invoice_id, verdict.amount
    return row


def _transaction(one: Transaction) -> "answers.Transaction":
    return {
        "control": one.control,
        "trace": one.trace,
        "claims": one.claims,
        "claims_paid": one.claims_paid,
        "paid": one.paid,
        "adjusted": one.adjusted,
        "provider_adjustments": [{"reason": a.reason, "amount": a.amount} for a in one.adjustments],
        "balances": one.balances,
    }
