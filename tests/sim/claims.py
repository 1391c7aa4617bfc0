"""What payers decide about one claim, as stories: the decisions in the order they arrive, and what may be billed for
the claim in the end, in cents, worked out here and not asked of our rules.

A payer's word is a chain: decided, and taken back or replaced, and decided anew. Its last link counts, in whatever
order the links arrive; of two payers, the second's (LAW-4).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from billing.claim import Adjustment, ClaimResult, ClaimStatus, SubmittedClaim
from tests.billing.claim_examples import decided, reversal_of
from tests.sim.reckoning import Word

PAYER = "87726"
SECOND_PAYER = "77777"
THIRD_PAYER = "66666"
PROCEDURE = "H2019HQ"
"""No plain number: it is looked for in everything that leaves, and must not be met by chance."""


@dataclass(frozen=True)
class Story:
    """One claim. `results`: what arrives, in this order unless something delays it · `amounts`: what may be billed for
    it in the end, whatever the order; 0: nothing · `at_once`: all of it in the same file, if nothing delays it ·
    `open_to`: results that staff may release or reject as they like, and what is owed if they reject it; None: what
    was owed before · `answered`: in the end the payers have said what is owed, so that no estimate stands ·
    `stray`: one of `results`, which names another claim; staff may say which it is about · `retold`: what the payer
    says in place of the first of `results` when it sends that payment again in other bytes."""

    claim: SubmittedClaim
    results: tuple[ClaimResult, ...]
    amounts: tuple[int, ...]
    at_once: bool = False
    open_to: tuple[tuple[ClaimResult, int | None], ...] = ()
    answered: bool = True
    stray: ClaimResult | None = None
    retold: ClaimResult | None = None

    @property
    def awaits(self) -> bool:
        """Another payer is to answer: of an estimate only what was paid before that was known stays (LAW-4)."""
        return bool(self.claim.secondary_payer_id)

    @property
    def plain(self) -> bool:
        """One decision, and the client owes it."""
        return len(self.results) == 1 and not self.open_to and self.amounts != (0,)

    def word(self, estimates: frozenset[int]) -> Word:
        """What the auditor is told of it. `estimates`: what it was perhaps billed for before."""
        said = {0} | {result.patient_responsibility for result in self.results if result.paid >= 0}
        changes = said - set(self.amounts) if len(self.results) > 1 else set()
        changes |= set(self.amounts) if self.retold else set()
        amounts = set(self.amounts)
        changes |= estimates
        if estimates and not self.answered:
            amounts |= set(range(max(estimates) + 1)) if self.awaits else estimates
        return Word(frozenset(amounts), frozenset(changes))


def _result(claim: SubmittedClaim, owed: int, *, discount: int | None = None, **changes: Any) -> ClaimResult:
    agreed = Adjustment("CO", "45", (claim.charged - owed) // 3 if discount is None else discount)
    copay = min(owed, 20_00)
    shares = (Adjustment("PR", "3", copay), Adjustment("PR", "1", owed - copay))
    adjustments = (agreed, *(share for share in shares if share.amount))
    made = decided(*adjustments, charged=claim.charged, claim_id=claim.claim_id, payer_claim_id=f"P{claim.claim_id}")
    lines = tuple(replace(line, procedure=PROCEDURE, service_date=claim.service_date) for line in made.lines)
    return replace(made, **{"lines": lines, **changes})


SECOND = {"status": ClaimStatus.PROCESSED_SECONDARY, "payer_ids": (SECOND_PAYER,)}
THIRD = {"status": ClaimStatus.PROCESSED_TERTIARY, "payer_ids": (THIRD_PAYER,)}
"""How the second and third payer's answers look."""


Words = Sequence[int | None]
"""What a payer leaves to the client by one decision after the other; None: it took the last one back."""


def _chain(rng: Random, claim: SubmittedClaim, words: Words, letter: str, **of: Any) -> list[ClaimResult]:
    """One payer's word and what it becomes. Payers keep their number for a claim, or give each decision one of its own;
    a decision that replaces another says so, or a reversal comes first."""
    keeps_number = len(set(words)) == len(words) and rng.random() < 0.5
    results: list[ClaimResult] = []
    live: ClaimResult | None = None
    for place, owed in enumerate(words):
        number = f"{letter}{claim.claim_id}" + ("" if keeps_number else f"-{place}")
        replaces = live is not None and owed is not None and not keeps_number and rng.random() < 0.3
        if live is not None and not replaces:
            results.append(reversal_of(live))
        if owed is None:
            live = None
            continue
        named = {"supersedes": True, "original_payer_claim_id": live.payer_claim_id} if live and replaces else {}
        live = _result(claim, owed, **{**of, **named, "payer_claim_id": number})
        results.append(live)
    return results


def _words(rng: Random, claim: SubmittedClaim, owed: int) -> Words:
    """What a payer says one after the other: more, less, nothing, the same again, or nothing any more."""
    others = (max(50, owed // 2), max(50, owed // 3), min(claim.charged, owed + 40_00), owed, 0)
    changes = [rng.choice(others) for _ in range(rng.choice((1, 1, 1, 2, 2, 3)))]
    return (owed, *changes, None) if rng.random() < 0.2 else (owed, *changes)


def _arrive(rng: Random, claim: SubmittedClaim, results: list[ClaimResult], *amounts: int) -> Story:
    """In order or not, and sometimes with the payer's word that it knows this claim already (OA-18)."""
    if rng.random() < 0.15:
        known = Adjustment("OA", "18", claim.charged)
        denied = decided(known, charged=claim.charged, claim_id=claim.claim_id, payer_claim_id=f"D{claim.claim_id}")
        results.insert(rng.randint(0, len(results)), replace(denied, status=ClaimStatus.DENIED))
    if rng.random() < 0.4:
        rng.shuffle(results)
    return Story(claim, tuple(results), amounts, at_once=rng.random() < 0.4)


def owes(_rng: Random, claim: SubmittedClaim, owed: int) -> Story:
    """The plain one: the payer decides, the client owes."""
    return Story(claim, (_result(claim, owed),), (owed,))


def _nothing(_rng: Random, claim: SubmittedClaim, _owed: int) -> Story:
    return Story(claim, (_result(claim, 0),), (0,))


def _held(rng: Random, claim: SubmittedClaim, owed: int) -> Story:
    broken = rng.choice(({"stated_responsibility": owed + 1}, {"paid": 1}, {"status": ClaimStatus.UNKNOWN}))
    result = _result(claim, owed, **broken)
    return Story(claim, (result,), (0,), open_to=((result, None),), answered=False)


def _second_payer(rng: Random, claim: SubmittedClaim, owed: int) -> Story:
    """LAW-4: another payer is on file, or the first one forwards the claim; only its answer is ever billed. Both may
    correct themselves; what the second one takes back nobody owes until it has decided again."""
    claim = replace(claim, secondary_payer_id=SECOND_PAYER)
    forwarded = rng.random() < 0.5
    first = {"status": ClaimStatus.PROCESSED_PRIMARY_FORWARDED} if forwarded else {}
    says = [word for word in _words(rng, claim, owed) if word is not None] if rng.random() < 0.3 else [owed]
    results = _chain(rng, claim, says, "P", **first)
    if rng.random() < 0.3:
        return replace(_arrive(rng, claim, results, 0), answered=False)
    left = rng.choice((0, max(50, owed // 3)))
    answers = _words(rng, claim, left) if rng.random() < 0.4 else [left]
    told = _arrive(rng, claim, [*results, *_chain(rng, claim, answers, "S", **SECOND)], answers[-1] or 0)
    return replace(told, answered=answers[-1] is not None)


def _third_payer(rng: Random, claim: SubmittedClaim, owed: int) -> Story:
    """LAW-4 with a third payer on file, to which the second one forwards or not: nobody owes anything but what the
    third one leaves; where it says nothing, nothing. Each of them may correct itself."""
    claim = replace(claim, secondary_payer_id=SECOND_PAYER, tertiary_payer_id=THIRD_PAYER)
    forwarded = {"status": ClaimStatus.PROCESSED_SECONDARY_FORWARDED} if rng.random() < 0.5 else {}
    second = {**SECOND, **forwarded}
    left = max(50, owed // 2)
    says = [word for word in _words(rng, claim, left) if word is not None] if rng.random() < 0.3 else [left]
    results = [*_chain(rng, claim, [owed], "P"), *_chain(rng, claim, says, "S", **second)]
    if rng.random() < 0.3:
        return replace(_arrive(rng, claim, results, 0), answered=False)
    last = rng.choice((0, max(50, owed // 3)))
    answers = _words(rng, claim, last) if rng.random() < 0.4 else [last]
    told = _arrive(rng, claim, [*results, *_chain(rng, claim, answers, "T", **THIRD)], answers[-1] or 0)
    return replace(told, answered=answers[-1] is not None)


def _answered_twice(_rng: Random, claim: SubmittedClaim, owed: int) -> Story:
    """Two answers, and none takes the other back: the first stands, the other one waits for a person."""
    other = max(50, owed // 2) if owed != 50 else 0
    both = (_result(claim, owed), _result(claim, other))
    return Story(claim, both, (owed, other), open_to=((both[0], other), (both[1], owed)))


def _corrected(rng: Random, claim: SubmittedClaim, owed: int) -> Story:
    """Taken back and decided anew, once or several times; sometimes only taken back."""
    words = _words(rng, claim, owed) if rng.random() < 0.8 else [owed, None]
    return _arrive(rng, claim, _chain(rng, claim, words, "P"), words[-1] or 0)


def _reversed_in_other_amounts(_rng: Random, claim: SubmittedClaim, owed: int) -> Story:
    """A reversal that is not exactly minus what was decided takes nothing back (it waits for a person)."""
    first = _result(claim, owed)
    return Story(claim, (first, reversal_of(_result(claim, owed + 1))), (owed,))


def _misnamed(rng: Random, claim: SubmittedClaim, owed: int) -> Story:
    """The payer mixes up the claim's name: nobody has such a claim. Some notice, and send it again under its own."""
    right = _result(claim, owed)
    stray = replace(right, claim_id=f"{claim.claim_id}X")
    if rng.random() < 0.3:
        return Story(claim, (stray, right), (owed,), stray=stray)
    return Story(claim, (stray,), (0,), answered=False, stray=stray)


def _paid_again_in_other_words(_rng: Random, claim: SubmittedClaim, owed: int) -> Story:
    """Ring b of claims.md 4.8: decided and taken back; then the payment that brought the decision comes once more and
    says something else about the claim. Nobody posts a payment a second time unseen: it waits for a person, and until
    that has decided the bill may stand as it was (in review)."""
    first, otherwise = _result(claim, owed), 60 if owed <= 50 else max(50, owed // 2)
    retold = _result(claim, otherwise, discount=claim.charged - first.paid - otherwise)
    both = (first, reversal_of(first))
    return Story(claim, both, (0, owed), open_to=((retold, 0),), answered=False, retold=retold)


Teller = Callable[[Random, SubmittedClaim, int], Story]

STORIES: tuple[Teller, ...] = (
    *[owes] * 9, _nothing, _held, _second_payer, _second_payer, _answered_twice,
    _corrected, _corrected, _corrected, _reversed_in_other_amounts, _misnamed, _misnamed, _paid_again_in_other_words,
    _third_payer,
)  # fmt: skip
"""What claims come to: mostly an invoice."""
