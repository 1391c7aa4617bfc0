"""Everything known about one claim, read together: what a judgement about it is made from."""

from collections.abc import Iterable
from dataclasses import dataclass

from billing.account import Books
from billing.claim import SubmittedClaim
from billing.claim_state import ClaimState, Hold, ReceivedResult, Submission, Verdict
from billing.gates import Now
from billing.ids import Key, claim_pk, digest, holds_pk, practice_key, segment
from billing.invoice import Invoice, Source
from billing.policy import Practice
from billing.ports import Store
from billing.session import CLAIM_ESTIMATE, BilledSession, billed_session_key


@dataclass(frozen=True)
class ClaimFile:
    """`results`: in the order in which they were judged, then as they came · `books`: of the client whose claim it is;
    None while no claim of this id was submitted · `holds`: of this claim's results, by result."""

    practice: Practice
    claim_id: str
    submitted: SubmittedClaim | None
    state: ClaimState | None
    results: tuple[ReceivedResult, ...]
    books: Books | None
    holds: dict[str, Hold]

    @classmethod
    def read(cls, store: Store, practice_id: str, claim_id: str) -> "ClaimFile":
        """One consistent read of the claim, then of the account that it concerns."""
        practice = store.get(practice_key(practice_id))
        assert isinstance(practice, Practice), f"no practice {practice_id}"
        rows = store.partition(claim_pk(practice_id, claim_id))
        submitted = next((r.claim for r in rows if isinstance(r, Submission)), None)
        state = next((r for r in rows if isinstance(r, ClaimState)), None)
        verdicts = state.verdicts if state else ()
        held = [hold_key(practice_id, v.result) for v in verdicts if v.now == Now.HELD]
        holds = [row for row in store.get_many(held) if isinstance(row, Hold)] if held else []
        return cls(
            practice,
            claim_id,
            submitted,
            state,
            _in_order([r for r in rows if isinstance(r, ReceivedResult)], verdicts),
            Books.expect(store, practice_id, submitted.client_id) if submitted else None,
            {row.result: row for row in holds},
        )


def claims_behind(store: Store, practice: str, invoices: Iterable[Invoice]) -> dict[str, str]:
    """Of these invoices, those that a claim is behind -> its id, by invoice. An estimate that was a session's is on the
    claim that took it over (billing/estimating.py)."""
    found: dict[str, str] = {}
    sessions: dict[str, Key] = {}
    for invoice in invoices:
        if invoice.source is Source.CLAIM:
            found[invoice.invoice_id] = invoice.source_id
        elif invoice.source is Source.ESTIMATE and invoice.source_id.startswith(CLAIM_ESTIMATE):
            found[invoice.invoice_id] = invoice.source_id.removeprefix(CLAIM_ESTIMATE)
        elif invoice.source is Source.ESTIMATE:
            sessions[invoice.invoice_id] = billed_session_key(practice, invoice.source_id)
    rows = store.get_many(list(sessions.values())) if sessions else []
    for invoice_id, row in zip(sessions, rows, strict=True):
        if isinstance(row, BilledSession) and row.claim_id:
            found[invoice_id] = row.claim_id
    return found


def _in_order(results: list[ReceivedResult], verdicts: tuple[Verdict, ...]) -> tuple[ReceivedResult, ...]:
    """Judged ones in the order of their verdicts; new ones as they came, within a file as they stand in it."""
    place = {verdict.result: number for number, verdict in enumerate(verdicts)}
    return tuple(
        sorted(
            results,
            key=lambda r: (
                place.get(r.result.result_key(), len(place)),
                r.at,
                r.receipt_id,
                r.place,
                r.result.ordinal,
                r.result.result_key(),
            ),
        )
    )


def hold_id(practice: str, result: str) -> str:
    """A hold is named after the result that waits."""
    return "hold_" + digest(practice, result)


def hold_key(practice: str, result: str) -> Key:
    return Key(holds_pk(practice), f"HOLD#{segment(hold_id(practice, result))}#")
