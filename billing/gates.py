"""Whether a claim result may be billed: the gates every result passes, in a fixed order, before a patient hears of it.

The first gate that fails names the hold. A held result is never guessed and never dropped: a person looks at it, and
the other results of its file go on. The gates read only what the payer sent, what was submitted, and what was judged
before, so the same result always meets the same judgement.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from billing.carc import CARCS, Action
from billing.claim import FORWARDED, ClaimResult, ClaimStatus, Group, SubmittedClaim

KNOWN_GROUPS: Final = frozenset(group.value for group in Group)


class Outcome(StrEnum):
    """What the gates say of a result."""

    ACCEPTED = "accepted"
    HELD = "held"
    DUPLICATE = "duplicate"


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


class Now(StrEnum):
    """What a result that was just judged asks for."""

    TO_BILL = "to_bill"
    NOTHING_OWED = "nothing_owed"
    PENDING = "pending"
    HELD = "held"


@dataclass(frozen=True)
class Earlier:
    """A result of the same claim id that was judged before: its outcome then and its state now (`invoiced`, …)."""

    result: ClaimResult
    outcome: str
    now: str


@dataclass(frozen=True)
class Judgement:
    """What to do with a result.

    `reason` is the gate that failed, or "". `now` is a `Now`; of a duplicate it is the state of the result it repeats.
    `patient_responsibility` in cents is what an invoice is for when `now` is `to_bill`. `may_announce_nothing_owed`:
    the client may be told so (INV-1). `invoiced_claim_in_question`: the claim has an invoice that this result
    contradicts; its charge and reminders must stop until a person has looked.
    """

    outcome: str
    reason: str
    now: str
    patient_responsibility: int
    may_announce_nothing_owed: bool
    invoiced_claim_in_question: bool


@dataclass(frozen=True)
class Case:
    """Everything the gates may look at for one result."""

    result: ClaimResult
    submitted: SubmittedClaim | None
    earlier: tuple[Earlier, ...]
    accept_test_files: bool
    bill_reviewable: bool


def judge(
    result: ClaimResult,
    *,
    submitted: SubmittedClaim | None,
    earlier: Sequence[Earlier],
    accept_test_files: bool,
    bill_reviewable: bool,
) -> Judgement:
    """Decide what becomes of `result` (INV-1, LAW-3, LAW-4).

    `submitted` is the claim of that id as it was sent to the payer, or None. `earlier` are the results of that id
    judged before, oldest first, without this one. `bill_reviewable` is the practice's choice to bill the reasons our
    table marks `bill_review`.
    """
    key = result.result_key()
    repeated = next((seen for seen in earlier if seen.result.result_key() == key), None)
    owed = result.patient_responsibility
    if repeated is not None:
        return Judgement(Outcome.DUPLICATE, "", repeated.now, owed, False, False)
    case = Case(result, submitted, tuple(earlier), accept_test_files, bill_reviewable)
    failed = next((gate for gate, fails in GATES if fails(case)), None)
    if failed is not None:
        return Judgement(Outcome.HELD, failed, Now.HELD, owed, False, _questions_an_invoice(case))
    if _another_payer_is_pending(case):
        return Judgement(Outcome.ACCEPTED, "", Now.PENDING, owed, False, False)
    if owed > 0:
        return Judgement(Outcome.ACCEPTED, "", Now.TO_BILL, owed, False, False)
    return Judgement(Outcome.ACCEPTED, "", Now.NOTHING_OWED, 0, _is_settled(result), False)


def is_duplicate_denial(result: ClaimResult) -> bool:
    """Whether the payer only says it has this claim already (OA-18): recorded, without any effect on money."""
    adjustments = result.all_adjustments
    return (
        result.paid == 0
        and bool(adjustments)
        and all((adjustment.group, adjustment.code) == (Group.OA, "18") for adjustment in adjustments)
    )


def _status_is_not_billable(case: Case) -> bool:
    return case.result.status in (ClaimStatus.PREDETERMINATION, ClaimStatus.NOT_OURS, ClaimStatus.UNKNOWN)


def _reversal_has_no_original(case: Case) -> bool:
    if case.result.status is not ClaimStatus.REVERSAL:
        return False
    return not any(_takes_back(case.result, seen.result) for seen in case.earlier)


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
    """Same payer, claims and status, other content, and no reversal came in between."""
    key = case.result.same_claim_key()
    contradicted = False
    for seen in case.earlier:
        if seen.result.same_claim_key() == key:
            contradicted = True
        elif seen.result.status is ClaimStatus.REVERSAL and seen.result.payer_claim_id == case.result.payer_claim_id:
            contradicted = False
    return contradicted


def _is_not_what_was_submitted(case: Case) -> bool:
    result, submitted = case.result, case.submitted
    assert submitted is not None, "unmatched_claim is asked before charge_differs"
    charged = -result.charged if result.status is ClaimStatus.REVERSAL else result.charged
    payers = {submitted.payer_id, submitted.secondary_payer_id} - {""}
    return (
        charged != submitted.charged
        or payers.isdisjoint(result.payer_ids)
        or result.currency.lower() != submitted.currency.lower()
    )


def _needs_a_person(case: Case) -> bool:
    """What no rule decides: reversals, a second answer, an impossible share, a reason we do not bill unasked.

    A reversal may arrive before what it takes back, from another file or another worker: whatever follows a reversal
    waits for a person too, or the outcome would depend on the order.
    """
    result = case.result
    if is_duplicate_denial(result):
        return False
    if result.status is ClaimStatus.REVERSAL:
        return True
    if any(_counts(seen) and not _waits_for(seen, result) for seen in case.earlier):
        return True
    if any(seen.result.status is ClaimStatus.REVERSAL and seen.result.test == result.test for seen in case.earlier):
        return True
    if not 0 <= result.patient_responsibility <= result.charged:
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


def _counts(seen: Earlier) -> bool:
    """Whether an earlier result stands as this claim's answer: accepted, or billed by a person who released it."""
    answered = seen.outcome == Outcome.ACCEPTED or seen.now in ("invoiced", "adjusted", "nothing_owed")
    return answered and not is_duplicate_denial(seen.result)


def _waits_for(seen: Earlier, result: ClaimResult) -> bool:
    """Whether the earlier result only waits for another payer, and this is another payer's answer (LAW-4)."""
    return seen.now == Now.PENDING and set(seen.result.payer_ids).isdisjoint(result.payer_ids)


def _takes_back(reversal: ClaimResult, original: ClaimResult) -> bool:
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


def _questions_an_invoice(case: Case) -> bool:
    """A held second answer stops an invoice's charge; a rehearsal or a preview of benefits is no answer at all."""
    if _is_a_rehearsal(case) or case.result.status is ClaimStatus.PREDETERMINATION:
        return False
    return any(seen.now in ("invoiced", "adjusted") for seen in case.earlier)


def _another_payer_is_pending(case: Case) -> bool:
    """LAW-4: the claim was forwarded, or the second payer on file has not answered and this is not its answer."""
    result, submitted = case.result, case.submitted
    if is_duplicate_denial(result):
        return False
    if result.status in FORWARDED:
        return True
    if result.status in (ClaimStatus.PROCESSED_SECONDARY, ClaimStatus.PROCESSED_TERTIARY):
        return False
    second = submitted.secondary_payer_id if submitted else ""
    return bool(second) and second not in result.payer_ids


FOLLOW_UP: Final = frozenset({Action.REVIEW, Action.HOLD, Action.HOLD_CONTACT, Action.REFUND_CHECK})
"""What someone will act on: another result may follow."""


def _is_settled(result: ClaimResult) -> bool:
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
