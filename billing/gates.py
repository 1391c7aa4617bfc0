"""Whether a claim result may be billed: the gates every result passes, in a fixed order, before a patient hears of it.

The first gate that fails names the hold. A held result is never guessed and never dropped: a person looks at it, and
the other results of its file go on. What the other results of the same claim say about it is worked out in
`billing/standing.py`; the gates read that, what the payer sent and what was submitted.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from billing.carc import CARCS, Action
from billing.claim import ClaimResult, ClaimStatus, Group, SubmittedClaim

KNOWN_GROUPS: Final = frozenset(group.value for group in Group)


class Outcome(StrEnum):
    """What was decided about a result."""

    ACCEPTED = "accepted"
    HELD = "held"
    REJECTED = "rejected"


class Gate(StrEnum):
    """Why a result is held, in the order the gates are asked."""

    NOT_BILLABLE_STATUS = "not_billable_status"
    REVERSAL_WITHOUT_ORIGINAL = "reversal_without_original"
    OUT_OF_BALANCE = "out_of_balance"
    RESPONSIBILITY_MISMATCH = "responsibility_mismatch"
    CONTRACTUAL_PATIENT_CODE = "contractual_patient_code"
    UNKNOWN_CODE = "unknown_code"
    TEST_FILE = "test_file"
    UNMATCHED_CLAIM = "unmatched_claim"
    CONFLICT = "conflict"
    CHARGE_DIFFERS = "charge_differs"
    NEEDS_REVIEW = "needs_review"


OTHER_PAYER_PENDING: Final = "other_payer_pending"
"""The hold of a claim whose other payer did not answer in 45 days (LAW-4): a matter of time, not of a gate."""


class Now(StrEnum):
    """Where a result stands. `adjusted`: it changed what was billed before, or was itself taken back; `rejected`: a
    person put it aside; `rematched`: a person said which claim it is about, and it stands there."""

    INVOICED = "invoiced"
    ADJUSTED = "adjusted"
    NOTHING_OWED = "nothing_owed"
    PENDING = "pending"
    HELD = "held"
    REJECTED = "rejected"
    REMATCHED = "rematched"


@dataclass(frozen=True)
class Case:
    """Everything the gates may look at for one result.

    `submitted`: the claim of that id as it was sent to the payer, or None · `has_original`: of a reversal, whether
    there is exactly what it takes back · `contradicted`: the payer said something else under the same name, and has
    not taken that back · `answered`: another result already stands as this payer's answer · `accept_test_files`,
    `bill_reviewable`: the practice's choices.
    """

    result: ClaimResult
    submitted: SubmittedClaim | None
    has_original: bool
    contradicted: bool
    answered: bool
    accept_test_files: bool
    bill_reviewable: bool


def first_failed(case: Case) -> Gate | None:
    """The gate that holds this result, or None where it passes them all (INV-1, LAW-3)."""
    return next((gate for gate, fails in GATES if fails(case)), None)


def is_duplicate_denial(result: ClaimResult) -> bool:
    """Whether the payer only says it has this claim already (reason 18): recorded, without any effect on money. The
    group is OA by the book and CO in many real files; under PR it would be the patient's, and a person looks."""
    adjustments = result.all_adjustments
    return (
        result.paid == 0
        and bool(adjustments)
        and all(adjustment.code == "18" and adjustment.group != Group.PR for adjustment in adjustments)
    )


def _status_is_not_billable(case: Case) -> bool:
    return case.result.status in (ClaimStatus.PREDETERMINATION, ClaimStatus.NOT_OURS, ClaimStatus.UNKNOWN)


def _reversal_has_no_original(case: Case) -> bool:
    return case.result.status is ClaimStatus.REVERSAL and not case.has_original


def _is_out_of_balance(case: Case) -> bool:
    return not case.result.balances()


def _stated_responsibility_differs(case: Case) -> bool:
    """CLP05 must be the sum of the PR adjustments, except on reversals (X12 RFI 2548)."""
    stated = case.result.stated_responsibility
    if stated is None or case.result.status is ClaimStatus.REVERSAL:
        return False
    return stated != case.result.patient_responsibility


def _patient_code_is_contractual(case: Case) -> bool:
    """Deductible, coinsurance and copay are the patient's by meaning; under CO one of the two is wrong (LAW-3)."""
    return any(
        adjustment.group == Group.CO and adjustment.code in ("1", "2", "3")
        for adjustment in case.result.all_adjustments
    )


def _code_is_unknown(case: Case) -> bool:
    """An unknown reason matters only where the patient would pay for it; an unknown group matters always."""
    return any(
        adjustment.group not in KNOWN_GROUPS or (adjustment.group == Group.PR and adjustment.code not in CARCS)
        for adjustment in case.result.all_adjustments
    )


def _is_a_rehearsal(case: Case) -> bool:
    return case.result.test and not case.accept_test_files


def _claim_is_not_ours(case: Case) -> bool:
    return case.submitted is None


def _contradicts_an_earlier_one(case: Case) -> bool:
    return case.contradicted


def _is_not_what_was_submitted(case: Case) -> bool:
    result, submitted = case.result, case.submitted
    assert submitted is not None, "unmatched_claim is asked before charge_differs"
    charged = -result.charged if result.status is ClaimStatus.REVERSAL else result.charged
    return (
        charged != submitted.charged
        or set(submitted.payers).isdisjoint(result.payer_ids)
        or result.currency.lower() != submitted.currency.lower()
    )


def _needs_a_person(case: Case) -> bool:
    """What no rule decides: a second answer, an impossible share, a reason we do not bill unasked."""
    result = case.result
    if is_duplicate_denial(result) or result.status is ClaimStatus.REVERSAL:
        return False
    if case.answered or not 0 <= result.patient_responsibility <= result.charged:
        return True
    billable = {Action.BILL, Action.BILL_REVIEW} if case.bill_reviewable else {Action.BILL}
    return any(
        CARCS[adjustment.code].action not in billable
        for adjustment in result.all_adjustments
        if adjustment.group == Group.PR
    )


GATES: Final[tuple[tuple[Gate, Callable[[Case], bool]], ...]] = (
    (Gate.NOT_BILLABLE_STATUS, _status_is_not_billable),
    (Gate.REVERSAL_WITHOUT_ORIGINAL, _reversal_has_no_original),
    (Gate.OUT_OF_BALANCE, _is_out_of_balance),
    (Gate.RESPONSIBILITY_MISMATCH, _stated_responsibility_differs),
    (Gate.CONTRACTUAL_PATIENT_CODE, _patient_code_is_contractual),
    (Gate.UNKNOWN_CODE, _code_is_unknown),
    (Gate.TEST_FILE, _is_a_rehearsal),
    (Gate.UNMATCHED_CLAIM, _claim_is_not_ours),
    (Gate.CONFLICT, _contradicts_an_earlier_one),
    (Gate.CHARGE_DIFFERS, _is_not_what_was_submitted),
    (Gate.NEEDS_REVIEW, _needs_a_person),
)
"""Each gate with the question whose yes holds the result. The order is a promise: the first one names the hold."""


def takes_back(reversal: ClaimResult, original: ClaimResult) -> bool:
    """Whether `reversal` is exactly minus `original`, in amounts and per code, for the same payer and its claim id."""
    return (
        original.status is not ClaimStatus.REVERSAL
        and original.payer_claim_id in (reversal.payer_claim_id, reversal.original_payer_claim_id)
        and (not set(reversal.payer_ids).isdisjoint(original.payer_ids) or reversal.payer_ids == original.payer_ids)
        and (reversal.charged, reversal.paid) == (-original.charged, -original.paid)
        and _by_code(reversal, -1) == _by_code(original, 1)
    )


def _by_code(result: ClaimResult, sign: int) -> dict[tuple[str, str], int]:
    totals: Counter[tuple[str, str]] = Counter()
    for adjustment in result.all_adjustments:
        totals[adjustment.group, adjustment.code] += sign * adjustment.amount
    return {code: amount for code, amount in totals.items() if amount}


def is_an_answer(result: ClaimResult, accept_test_files: bool) -> bool:
    """Whether a result says anything about what is owed: a rehearsal or a preview of benefits does not, and puts no
    invoice in question."""
    return result.status is not ClaimStatus.PREDETERMINATION and (accept_test_files or not result.test)


FOLLOW_UP: Final = frozenset({Action.REVIEW, Action.HOLD, Action.HOLD_CONTACT, Action.REFUND_CHECK})
"""What someone will act on: another result may follow."""


def is_settled(result: ClaimResult) -> bool:
    """INV-1: nothing is owed and nothing can follow, because the payer paid or the rest is purely contractual."""
    adjustments = result.all_adjustments
    if any(action in FOLLOW_UP for action in _actions(result)):
        return False
    contractual = bool(adjustments) and all(
        adjustment.group == Group.CO or (adjustment.group, adjustment.code) == (Group.OA, "23")
        for adjustment in adjustments
    )
    return result.paid > 0 or contractual


def _actions(result: ClaimResult) -> Iterator[Action]:
    codes: Iterable[str] = (adjustment.code for adjustment in result.all_adjustments)
    return (CARCS[code].action for code in codes if code in CARCS)
