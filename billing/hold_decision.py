"""What a person decided about a hold, kept when the hold is gone: the same decision again answers the same (DESK-5)."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from billing.claim import ClaimResult, ClaimStatus, SubmittedClaim
from billing.ids import Key, holds_pk, segment
from billing.money import Cents
from billing.ports import Refused
from billing.row import Asleep
from billing.standing import Choice

RULE = "DESK-5"


@dataclass(frozen=True)
class HoldDecision(Asleep):
    """The last word about one hold. `amount`: cents that the patient owes, where staff named them · `to`: of a
    rematched one, the claim · `by`: the API key's name · `reason`: free text, which stands here and in the staff's deed
    only (LAW-1)."""

    TYPE: ClassVar[str] = "hold_decision"

    practice: str
    hold_id: str
    version: int
    choice: Choice
    reason: str
    at: datetime
    by: str = ""
    amount: Cents | None = None
    to: str = ""
    claim_id: str = ""
    payer_claim_id: str = ""
    result: str = ""
    session_id: str = ""
    client: str = ""
    why_held: str = ""
    held_at: datetime | None = None

    @property
    def key(self) -> Key:
        return hold_decision_key(self.practice, self.hold_id)


def hold_decision_key(practice: str, hold_id: str) -> Key:
    return Key(holds_pk(practice), f"DECIDED#{segment(hold_id)}#")


def patient_share(result: ClaimResult, submitted: SubmittedClaim | None, amount: Cents | None) -> Cents | None:
    """What a released result bills: the amount named, None for the PR of the result itself, else the share it states
    where that is another.

    Raises Refused where nothing can be billed: no claim of that id, a preview of benefits, a reversal; or where the
    amount is impossible (more than was charged), or the result's own is and none was named.
    """
    if submitted is None:
        raise no("unmatched_claim", "We have no claim of this id: submit it, or rematch the result to another one.")
    if result.status is ClaimStatus.PREDETERMINATION:
        raise no("never_billed", "A preview of benefits is never billed: reject it.")
    if result.status is ClaimStatus.REVERSAL:
        raise no("nothing_to_bill", "A reversal bills nothing. It waits for its original; or reject it.")
    stated = result.patient_responsibility if result.stated_responsibility is None else result.stated_responsibility
    owed = stated if amount is None else amount
    if not 0 <= owed <= max(result.charged, 0):
        if amount is None:
            raise no("amount_needed", "The share that the payer states is impossible: name patient_amount.")
        raise no("more_than_charged", f"patient_amount is more than the {result.charged} cents charged.")
    return None if owed == result.patient_responsibility else owed


def no(code: str, detail: str) -> Refused:
    return Refused(code, detail, rule=RULE)
