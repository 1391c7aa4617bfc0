"""What payers decide about one claim, as stories: the decisions in the order they arrive, and what may be billed for
the claim in the end, in cents, worked out here and not asked of our rules.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from billing.claim import Adjustment, ClaimResult, ClaimStatus, SubmittedClaim
from tests.billing.claim_examples import decided
from tests.sim.reckoning import Word

PAYER = "87726"
SECOND_PAYER = "77777"
PROCEDURE = "H2019HQ"
"""No plain number: it is looked for in everything that leaves, and must not be met by chance."""


@dataclass(frozen=True)
class Story:
    """One claim. `results`: what arrives, in this order unless something delays it. `amounts`: what may be billed
    for it in the end, whatever the order; 0: nothing."""

    claim: SubmittedClaim
    results: tuple[ClaimResult, ...]
    amounts: tuple[int, ...]

    @property
    def word(self) -> Word:
        """What the auditor is told of it."""
        said = {0} | {result.patient_responsibility for result in self.results}
        changes = said - set(self.amounts) if len(self.results) > 1 else set()
        return Word(frozenset(self.amounts), frozenset(changes))


def _result(claim: SubmittedClaim, owed: int, **changes: Any) -> ClaimResult:
    discount = Adjustment("CO", "45", (claim.charged - owed) // 3)
    copay = min(owed, 20_00)
    shares = (Adjustment("PR", "3", copay), Adjustment("PR", "1", owed - copay))
    adjustments = (discount, *(share for share in shares if share.amount))
    made = decided(*adjustments, charged=claim.charged, claim_id=claim.claim_id, payer_claim_id=f"P{claim.claim_id}")
    lines = tuple(replace(line, procedure=PROCEDURE, service_date=claim.service_date) for line in made.lines)
    return replace(made, **{"lines": lines, **changes})


def _second_answer(claim: SubmittedClaim, owed: int) -> ClaimResult:
    return _result(
        claim,
        owed,
        status=ClaimStatus.PROCESSED_SECONDARY,
        payer_ids=(SECOND_PAYER,),
        payer_claim_id=f"S{claim.claim_id}",
    )


def _taken_back(result: ClaimResult) -> ClaimResult:
    lines = tuple(
        replace(
            line,
            charged=-line.charged,
            paid=-line.paid,
            adjustments=tuple(replace(a, amount=-a.amount) for a in line.adjustments),
        )
        for line in result.lines
    )
    return replace(
        result,
        status=ClaimStatus.REVERSAL,
        charged=-result.charged,
        paid=-result.paid,
        stated_responsibility=0,
        lines=lines,
    )


def owes(_rng: Random, claim: SubmittedClaim, owed: int) -> Story:
    """The plain one: the payer decides, the client owes."""
    return Story(claim, (_result(claim, owed),), (owed,))


def _nothing(_rng: Random, claim: SubmittedClaim, _owed: int) -> Story:
    return Story(claim, (_result(claim, 0),), (0,))


def _held(rng: Random, claim: SubmittedClaim, owed: int) -> Story:
    broken = rng.choice(({"stated_responsibility": owed + 1}, {"paid": 1}, {"status": ClaimStatus.UNKNOWN}))
    return Story(claim, (_result(claim, owed, **broken),), (0,))


def _second_payer(rng: Random, claim: SubmittedClaim, owed: int) -> Story:
    """LAW-4: another payer is on file, or the first one forwards the claim; only its answer is ever billed."""
    claim = replace(claim, secondary_payer_id=SECOND_PAYER)
    forwarded = rng.random() < 0.5
    first = _result(claim, owed, **({"status": ClaimStatus.PROCESSED_PRIMARY_FORWARDED} if forwarded else {}))
    left = rng.choice((0, max(50, owed // 3)))
    if rng.random() < 0.4:
        return Story(claim, (first,), (0,))
    return Story(claim, (first, _second_answer(claim, left)), (left,))


# Two results that were both there before their claim contradict each other at once: then nothing is billed.


def _answered_twice(_rng: Random, claim: SubmittedClaim, owed: int) -> Story:
    other = max(50, owed // 2)
    return Story(claim, (_result(claim, owed), _result(claim, other)), (0, owed, other))


def _reversed(_rng: Random, claim: SubmittedClaim, owed: int) -> Story:
    first = _result(claim, owed)
    return Story(claim, (first, _taken_back(first)), (0,))


def _corrected(_rng: Random, claim: SubmittedClaim, owed: int) -> Story:
    """Taken back and decided anew, often in one file."""
    first, other = _result(claim, owed), max(50, owed // 2)
    return Story(claim, (first, _taken_back(first), _result(claim, other)), (other,))


Teller = Callable[[Random, SubmittedClaim, int], Story]

STORIES: tuple[Teller, ...] = (
    *[owes] * 10, _nothing, _held, _second_payer, _second_payer, _answered_twice, _reversed, _corrected,
)  # fmt: skip
"""What claims come to: mostly an invoice."""
