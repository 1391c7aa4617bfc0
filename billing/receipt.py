"""How many claims of a body became what, for whoever asks about a file of 100,000 of them.

A short body is counted when somebody asks. Of a long one each slice has a row with its counts beside it, so that asking
reads some hundred small rows; what can still change, because it is not judged, held, or waits for another payer, is
looked at again, and only that.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar, Final

from billing.claim_state import ClaimState, Slice, StoredBody, Verdict
from billing.facts import WakeKind
from billing.ids import Key, receipt_pk
from billing.invoice import due_text

COUNTED_BYTES: Final = 1_000_000
"""Bodies larger than this have counts beside their slices: of less, some thousand claims can be read in one go."""
COUNTED_AGAIN_AFTER: Final = timedelta(minutes=5)

Verdicts = Mapping[tuple[str, str], Verdict]
"""What was decided, by claim id and result."""


@dataclass(frozen=True)
class SliceCount:
    """What the claims of one slice became, as it was when somebody looked (`at`).

    `claims`: in it · `bytes_read`: how far the body was read with it · `open`: places in the slice whose outcome may
    still change, the `unjudged` among them · `waiting`: it is the body's last, and somewhere in the body a result has
    no outcome yet.
    """

    TYPE: ClassVar[str] = "slice_count"

    practice: str
    receipt_id: str
    number: int
    at: datetime
    claims: int
    bytes_read: int
    version: int = 1
    last: bool = False
    accepted: int = 0
    held: int = 0
    duplicate: int = 0
    rejected: int = 0
    unjudged: int = 0
    open: tuple[int, ...] = ()
    waiting: bool = False

    @property
    def key(self) -> Key:
        return Key(receipt_pk(self.receipt_id), f"COUNT#{self.number:06d}#")

    @property
    def due(self) -> str | None:
        return due_text(self.at + COUNTED_AGAIN_AFTER, WakeKind.COUNT) if self.waiting else None


def counted(body: StoredBody) -> bool:
    """Whether its slices have their counts beside them."""
    return body.size > COUNTED_BYTES


def verdicts_in(states: Iterable[object]) -> dict[tuple[str, str], Verdict]:
    """What those claims' states say of their results."""
    found = (state for state in states if isinstance(state, ClaimState))
    return {(state.claim_id, verdict.result): verdict for state in found for verdict in state.verdicts}


def where_they_stand(verdicts: Verdicts) -> Verdicts:
    """Each result's verdict; of one that staff said is about another claim, the verdict there, none while there is
    none (DESK-5)."""
    stand: dict[tuple[str, str], Verdict] = {}
    for key, verdict in verdicts.items():
        last: Verdict | None = verdict
        while last is not None and last.to_claim:
            last = verdicts.get((last.to_claim, last.to_result))
        if last is not None:
            stand[key] = last
    return stand


def count_slice(read: Slice, verdicts: Verdicts, now: datetime, bytes_read: int = 0) -> SliceCount:
    """The slice's counts. Every claim is one of accepted, held, duplicate, rejected or not judged yet."""
    outcomes = {"accepted": 0, "held": 0, "rejected": 0}
    duplicate = unjudged = 0
    still_open: list[int] = []
    for place, element in enumerate(read.elements):
        verdict = verdicts.get((element.claim_id, element.result))
        if not element.result:
            outcomes["rejected"] += 1
        elif element.duplicate:
            duplicate += 1
        elif verdict is None:
            unjudged += 1
            still_open.append(place)
        else:
            outcomes[verdict.outcome] += 1
            if verdict.outcome == "held" or verdict.now == "pending":
                still_open.append(place)
    return SliceCount(
        read.practice, read.receipt_id, read.number, now, len(read.elements), bytes_read, last=read.last, **outcomes,
        duplicate=duplicate, unjudged=unjudged, open=tuple(still_open), waiting=read.last,
    )  # fmt: skip


def looked_at_again(before: SliceCount, read: Slice, verdicts: Verdicts, now: datetime) -> SliceCount:
    """The same slice counted anew, from the verdicts on what was open."""
    open_before = set(before.open)
    part = replace(read, elements=tuple(e for place, e in enumerate(read.elements) if place in open_before))
    fresh = count_slice(part, verdicts, now)
    settled = len(read.elements) - len(part.elements) - before.duplicate - before.rejected
    places = sorted(open_before)
    return replace(
        before,
        version=before.version + 1,
        at=now,
        accepted=settled + fresh.accepted,
        held=fresh.held,
        rejected=before.rejected + fresh.rejected,
        unjudged=fresh.unjudged,
        open=tuple(places[place] for place in fresh.open),
    )
