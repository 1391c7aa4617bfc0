"""Claims judged by hand: one result after others, or the whole file of a claim of Ana's."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from billing.account import Books
from billing.claim import ClaimResult, SubmittedClaim
from billing.claim_file import ClaimFile
from billing.claim_state import ClaimState, Hold, ReceivedResult
from billing.gates import is_an_answer
from billing.standing import Choice, Decision, Part, Rules, Seen, stand
from tests.billing.claim_examples import SUBMITTED, SUBMITTED_WITH_SECONDARY
from tests.billing.examples import BY_HAND, PRACTICE, books
from tests.billing.examples import NOW as TODAY

CLAIM = replace(SUBMITTED, client_id="ana")
TWO_PAYERS = replace(SUBMITTED_WITH_SECONDARY, client_id="ana")


@dataclass(frozen=True)
class Earlier:
    """A result of the same claim that came before, its outcome then and where it stood. One that was held and billed
    all the same was released by a person."""

    result: ClaimResult
    outcome: str
    now: str


@dataclass(frozen=True)
class Judgement:
    """What became of the last result, in the words of a receipt; `owed` in cents by its own adjustments."""

    outcome: str
    reason: str
    now: str
    patient_responsibility: int
    may_announce_nothing_owed: bool
    invoiced_claim_in_question: bool


NOW = {
    Part.WAITS: "pending",
    Part.NO_EFFECT: "nothing_owed",
    Part.TAKES_BACK: "adjusted",
    Part.TAKEN_BACK: "adjusted",
    Part.HELD: "held",
}


def judge(
    result: ClaimResult,
    *,
    submitted: SubmittedClaim | None,
    earlier: Sequence[Earlier] = (),
    accept_test_files: bool = False,
    bill_reviewable: bool = False,
) -> Judgement:
    """What `result` becomes when it arrives after `earlier`. One that is there already is a duplicate: the reader says
    so, and judging sees each result once."""
    repeated = next((one for one in earlier if one.result.result_key() == result.result_key()), None)
    if repeated is not None:
        return Judgement("duplicate", "", repeated.now, result.patient_responsibility, False, False)
    standing = stand([*map(_seen, earlier), Seen(result)], submitted, Rules(accept_test_files, bill_reviewable))
    last = standing.judged[-1]
    held = last.part is Part.HELD
    now = NOW.get(last.part) or ("to_bill" if standing.owed else "nothing_owed")
    billed = any(one.now in ("invoiced", "adjusted") for one in earlier)
    return Judgement(
        "held" if held else "accepted",
        last.reason,
        now,
        result.patient_responsibility,
        standing.settled,
        held and billed and is_an_answer(result, accept_test_files),
    )


def _seen(one: Earlier) -> Seen:
    released = one.outcome == "held" and one.now != "held"
    return Seen(one.result, Decision(one.result.result_key(), Choice.RELEASED) if released else None)


def file_of(
    *results: ClaimResult,
    submitted: SubmittedClaim | None = CLAIM,
    state: ClaimState | None = None,
    account: Books | None = None,
    holds: tuple[Hold, ...] = (),
) -> ClaimFile:
    received = tuple(ReceivedResult("riverbend", result, "receipt_1", TODAY) for result in results)
    at = (account or books(account=BY_HAND)) if submitted else None
    return ClaimFile(PRACTICE, CLAIM.claim_id, submitted, state, received, at, {hold.result: hold for hold in holds})
