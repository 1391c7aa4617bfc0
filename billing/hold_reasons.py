"""Why a claim result or a session waits for a person, and what that person does, in a sentence each (DESK-5).

The only place these sentences stand: the API shows them, and the table in docs/operations.md is held to them by a test.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from billing.eap import NotCovered
from billing.gates import OTHER_PAYER_PENDING, Gate


@dataclass(frozen=True)
class HoldReason:
    """One reason in words."""

    why: str
    what_to_do: str


HOLD_REASONS: Final[Mapping[str, HoldReason]] = {
    Gate.NOT_BILLABLE_STATUS: HoldReason(
        "The payer has not decided this claim: this is a preview of benefits, or the claim went elsewhere.",
        "Wait for the payer's decision and reject this one. A preview is never billed.",
    ),
    Gate.REVERSAL_WITHOUT_ORIGINAL: HoldReason(
        "The payer takes back a decision that we do not have, or not with these amounts.",
        "Ask the payer for the original and for what stands now. Once the original is here they cancel each other by "
        "themselves; reject the reversal where it was a mistake.",
    ),
    Gate.OUT_OF_BALANCE: HoldReason(
        "Charge, adjustments and payment do not add up.",
        "Ask the payer for a corrected result and reject this one; or release it with the amount it confirms.",
    ),
    Gate.RESPONSIBILITY_MISMATCH: HoldReason(
        "The payer states another patient share than its own adjustments add up to.",
        "Ask the payer which of the two is right, then release it with that amount.",
    ),
    Gate.CONTRACTUAL_PATIENT_CODE: HoldReason(
        "A deductible, coinsurance or copay is marked as contractual, so that nobody would owe it.",
        "Ask the payer who owes it. Release it with the patient's amount, or reject it and wait for the correction.",
    ),
    Gate.UNKNOWN_CODE: HoldReason(
        "The result uses a group or a reason that we do not know, and a patient might pay for it.",
        "Ask the payer what it means, then release it with what the patient owes, or reject it.",
    ),
    Gate.TEST_FILE: HoldReason(
        "This came in a test file, which nobody is billed for.",
        "Reject it and ask for the production file, or let the practice accept test files.",
    ),
    Gate.UNMATCHED_CLAIM: HoldReason(
        "We have no claim of this id.",
        "Submit the claim, and the result is judged by itself; or name the claim that it is about (rematch).",
    ),
    Gate.CONFLICT: HoldReason(
        "The payer decided the same claim twice, differently, without taking the first decision back.",
        "Ask the payer which one stands: release this one to put it in the other's place, or reject it.",
    ),
    Gate.CHARGE_DIFFERS: HoldReason(
        "Charge, payer or currency are not those of the claim as it was submitted.",
        "Compare the two. Name the claim it is really about (rematch), release it where it is right after all, or "
        "reject it.",
    ),
    Gate.NEEDS_REVIEW: HoldReason(
        "No rule decides whether the patient owes this amount.",
        "Check the reasons with the payer, then release it, with another amount where that is right, or reject it.",
    ),
    NotCovered.USED_UP: HoldReason(
        "The employee-assistance programme covers no more sessions of this authorisation.",
        "Ask the programme for more. Release it to bill the client for the session, or reject it to bill nobody.",
    ),
    NotCovered.EXPIRED: HoldReason(
        "The session took place after the last day of its authorisation.",
        "Ask the programme to extend it. Release it to bill the client for the session, or reject it to bill nobody.",
    ),
    OTHER_PAYER_PENDING: HoldReason(
        "The other payer has not answered for 45 days.",
        "Ask it for its decision. Release this one to bill what the first payer left, or reject it.",
    ),
}
