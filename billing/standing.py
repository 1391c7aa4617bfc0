"""What all results of one claim mean together: which are taken back, which one answers it, what the patient owes.

Payers correct themselves by a reversal and a new result, in either order, days apart, in different files; several
payers answer one after the other. So a new result is never judged alone: the whole claim is judged again, from the set
of its results. Where the payers contradict nobody, the order in which they arrived leaves no trace:

    a reversal and the result it is the exact negative of take each other away
    a result that says it replaces another one displaces that
    what is left answers, the last payer in the chain before the others (X12 RFI 2548)

Only two results that contradict each other depend on the order: the first stands, the other waits for a person.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from billing.claim import FORWARDED, ClaimResult, ClaimStatus, SubmittedClaim
from billing.gates import (
    OTHER_PAYER_PENDING,
    Case,
    Gate,
    first_failed,
    is_duplicate_denial,
    is_settled,
    takes_back,
)
from billing.money import Cents


class Choice(StrEnum):
    """What a person may decide about a held result (DESK-5)."""

    RELEASED = "released"
    REJECTED = "rejected"
    REMATCHED = "rematched"


@dataclass(frozen=True)
class Decision:
    """A person's word about a result. `amount`: of a released one, what the patient owes where it is not the PR of the
    result, in cents. `to`: of a rematched one, the claim id that it is about."""

    result: str
    choice: Choice
    amount: Cents | None = None
    to: str = ""


@dataclass(frozen=True)
class Seen:
    """A result of the claim, what a person decided about it, and whether the payment that brought it said something
    else about this claim in another file (claims.md 4.8, ring b). `decided`: which of the decisions about the claim it
    was, counted from 1 on."""

    result: ClaimResult
    decision: Decision | None = None
    contradicts_file: bool = False
    decided: int = 0

    @property
    def key(self) -> str:
        return self.result.result_key()

    @property
    def choice(self) -> Choice | None:
        return self.decision.choice if self.decision else None


class Part(StrEnum):
    """What a result does in its claim: it `answers` (alone or in the chain of payers), it only waits for another payer,
    it says nothing about money, it was taken back (as original, or displaced by a newer one) or takes back, it is held,
    or a person put it elsewhere."""

    ANSWERS = "answers"
    WAITS = "waits"
    NO_EFFECT = "no_effect"
    TAKEN_BACK = "taken_back"
    TAKES_BACK = "takes_back"
    HELD = "held"
    REJECTED = "rejected"
    REMATCHED = "rematched"


@dataclass(frozen=True)
class Judged:
    """One result's part in its claim. `reason`: the gate that holds it, or ""."""

    result: ClaimResult
    part: Part
    reason: str = ""


@dataclass(frozen=True)
class Standing:
    """The whole claim. `judged`: every result, in the order given · `answer`: the result that decides, None where none
    does · `owed`: the patient's share in cents, None where nobody can say yet · `awaited`: the place in the chain of
    the payer that is to answer next, 0 where none is or its time is over · `settled`: nothing is owed and nothing can
    follow (INV-1)."""

    judged: tuple[Judged, ...]
    answer: ClaimResult | None
    owed: Cents | None
    awaited: int
    settled: bool

    @property
    def earlier_payers(self) -> tuple[ClaimResult, ...]:
        """What stands of the payers before the one that decides: their share of the price, not of the debt."""
        answers = (one.result for one in self.judged if one.part is Part.ANSWERS)
        return tuple(one for one in answers if self.answer is not None and one != self.answer)


@dataclass(frozen=True)
class Rules:
    """What else the judgement depends on. `waited_for`: the place in the chain of the payer whose time to answer is
    over (LAW-4), 0 while none's is · `held_back`: results that cannot take effect now, whatever the gates say ·
    `of_programme`: an employee-assistance programme is to pay, so a share that is left to the client waits for a person
    (INV-5) · `answered`: a payer's answer was billed before; where it stands no more and another payer is to decide,
    nothing is owed until then."""

    accept_test_files: bool = False
    bill_reviewable: bool = False
    waited_for: int = 0
    held_back: Collection[str] = ()
    of_programme: bool = False
    answered: bool = False


MOST_TOGETHER: Final = 30
"""Results of one claim that are judged together: what one commit can hold of holds and facts. Real claims have a
handful; whatever comes beyond waits for a person, who may release or reject it."""


def stand(seen: Sequence[Seen], submitted: SubmittedClaim | None, rules: Rules) -> Standing:
    """Judge every result of a claim (INV-1, LAW-3, LAW-4). `seen`: in the order they were received, none twice;
    `submitted`: the claim as it was sent to the payer, or None."""
    beyond = [one for one in seen[MOST_TOGETHER:] if one.choice is None]
    parts = {one.key: Judged(one.result, Part.HELD, Gate.NEEDS_REVIEW) for one in beyond}
    parts |= {one.key: Judged(one.result, Part.REJECTED) for one in seen if one.choice is Choice.REJECTED}
    parts |= {one.key: Judged(one.result, Part.REMATCHED) for one in seen if one.choice is Choice.REMATCHED}
    in_play = [one for one in seen if one.key not in parts]
    parts |= _taken_back(in_play, submitted, rules)
    left = [one for one in in_play if one.key not in parts]
    live: list[Seen] = []
    for judged, one in _judged_singly(left, _replaced(in_play, submitted, rules), submitted, rules):
        parts[one.key] = judged
        if judged.part is Part.ANSWERS:
            live.append(one)
    displaced = _displaced(live, submitted)
    parts |= {one.key: Judged(one.result, Part.TAKEN_BACK) for one in displaced}
    live = [one for one in live if one not in displaced]
    awaited = _awaited(live, submitted)
    waited = 0 < awaited <= rules.waited_for
    if awaited:
        part, reason = (Part.HELD, OTHER_PAYER_PENDING) if waited else (Part.WAITS, "")
        parts |= {one.key: Judged(one.result, part, reason) for one in live}
    judged_all = tuple(parts[one.key] for one in seen)
    if awaited or not live:
        gone = rules.answered if awaited else _all_taken_back(judged_all)
        owed = 0 if gone and not any(one.part is Part.HELD for one in judged_all) else None
        return Standing(judged_all, None, owed, 0 if waited else awaited, settled=False)
    answer = max(live, key=lambda one: _rank(one.result, submitted))
    owed = answer.result.patient_responsibility
    if answer.decision is not None and answer.decision.amount is not None:
        owed = answer.decision.amount
    return Standing(judged_all, answer.result, owed, awaited=0, settled=not owed and is_settled(answer.result))


def _all_taken_back(judged: Iterable[Judged]) -> bool:
    """Whether the payers took back whatever they said."""
    return any(one.part is Part.TAKES_BACK for one in judged)


# ---------------------------------------------------------------------------------------------------- taking back


def _taken_back(seen: Sequence[Seen], submitted: SubmittedClaim | None, rules: Rules) -> dict[str, Judged]:
    """Each reversal, with what it takes back or with why it is held."""
    parts: dict[str, Judged] = {}
    for one in sorted((s for s in seen if _reverses(s)), key=lambda s: s.key):
        originals = [s for s in seen if s.key not in parts and _is_original(one, s)]
        original = min(originals, key=lambda s: _preference(one.result, s.result), default=None)
        gate = first_failed(_case(one, submitted, rules, has_original=original is not None))
        if one.key in rules.held_back:
            gate = gate or Gate.NEEDS_REVIEW
        if original is None or gate is not None:
            parts[one.key] = Judged(one.result, Part.HELD, gate or Gate.REVERSAL_WITHOUT_ORIGINAL)
        else:
            parts[one.key] = Judged(one.result, Part.TAKES_BACK)
            parts[original.key] = Judged(original.result, Part.TAKEN_BACK)
    return parts


def _reverses(seen: Seen) -> bool:
    return seen.result.status is ClaimStatus.REVERSAL


def _is_original(reversal: Seen, seen: Seen) -> bool:
    return seen.result.test == reversal.result.test and takes_back(reversal.result, seen.result)


def _preference(reversal: ClaimResult, original: ClaimResult) -> tuple[bool, date]:
    """Of several results that a reversal may mean (all of the same amounts): the one of its own number, the oldest; of
    one day the first that came, because a payer takes back before it decides anew (X12 RFI 791)."""
    other_number = original.payer_claim_id != reversal.payer_claim_id
    return (other_number, original.adjudicated_on or date.min)


# ---------------------------------------------------------------------------------------------------- one by one


def _judged_singly(
    seen: Sequence[Seen], replaced: Collection[str], submitted: SubmittedClaim | None, rules: Rules
) -> Iterator[tuple[Judged, Seen]]:
    """Every result that nobody took back, through the gates, in order."""
    named: set[str] = set()
    ranks: set[int] = set()
    for one in seen:
        result = one.result
        if one.key in replaced:
            yield Judged(result, Part.TAKEN_BACK), one
            continue
        rank = _rank(result, submitted)
        contradicted = one.contradicts_file or result.same_claim_key() in named
        named.add(result.same_claim_key())
        case = _case(one, submitted, rules, contradicted=contradicted, answered=rank in ranks)
        gate = None if one.choice is Choice.RELEASED and submitted is not None else first_failed(case)
        if one.key in rules.held_back or _left_of_a_covered_session(one, rules):
            gate = gate or Gate.NEEDS_REVIEW
        if gate is not None:
            yield Judged(result, Part.HELD, gate), one
        elif is_duplicate_denial(result):
            yield Judged(result, Part.NO_EFFECT), one
        else:
            ranks.add(rank)
            yield Judged(result, Part.ANSWERS), one


def _left_of_a_covered_session(one: Seen, rules: Rules) -> bool:
    return rules.of_programme and one.choice is not Choice.RELEASED and one.result.patient_responsibility > 0


def _replaced(seen: Sequence[Seen], submitted: SubmittedClaim | None, rules: Rules) -> Collection[str]:
    """What a newer result says that it stands in place of, for good: taking the newer one back does not make the older
    one the payer's word again. Two that replace each other replace nothing."""
    newer = [one for one in seen if one.result.supersedes and first_failed(_case(one, submitted, rules)) is None]
    replaced = set()
    for one in seen:
        by = [new for new in newer if _replaces(new, one)]
        if any(not (one in newer and _replaces(one, new)) for new in by):
            replaced.add(one.key)
    return replaced


def _replaces(new: Seen, old: Seen) -> bool:
    return (
        new is not old
        and new.result.test == old.result.test
        and new.result.original_payer_claim_id == old.result.payer_claim_id
        and new.result.payer_claim_id != old.result.payer_claim_id
        and not set(new.result.payer_ids).isdisjoint(old.result.payer_ids)
    )


def _case(
    one: Seen,
    submitted: SubmittedClaim | None,
    rules: Rules,
    *,
    has_original: bool = False,
    contradicted: bool = False,
    answered: bool = False,
) -> Case:
    return Case(
        one.result,
        submitted,
        has_original,
        contradicted,
        answered,
        rules.accept_test_files,
        rules.bill_reviewable,
    )


# ---------------------------------------------------------------------------------------------------- several payers

RANKS = {
    ClaimStatus.PROCESSED_SECONDARY: 2,
    ClaimStatus.PROCESSED_SECONDARY_FORWARDED: 2,
    ClaimStatus.PROCESSED_TERTIARY: 3,
    ClaimStatus.PROCESSED_TERTIARY_FORWARDED: 3,
}
"""Where in the chain of payers a status stands; every other one is the first payer's."""


def _rank(result: ClaimResult, submitted: SubmittedClaim | None) -> int:
    """The payer's place in the chain: as it says itself, and never before where the submitted claim has it. One that is
    on file twice says itself which of the two it answers as."""
    payers = submitted.payers if submitted else ()
    on_file = next((place for place, payer in enumerate(payers, start=1) if payer in result.payer_ids), 1)
    return max(RANKS.get(result.status, 1), on_file)


def _displaced(live: Sequence[Seen], submitted: SubmittedClaim | None) -> list[Seen]:
    """What stands no more because a person released another answer of the same payer: the last released one counts."""
    by_decision = sorted((one for one in live if one.choice is Choice.RELEASED), key=lambda one: one.decided)
    released = {_rank(one.result, submitted): one for one in by_decision}
    return [one for one in live if released.get(_rank(one.result, submitted), one) is not one]


def _awaited(live: Sequence[Seen], submitted: SubmittedClaim | None) -> int:
    """LAW-4: the place in the chain of the payer that is to answer next, because the last answer was forwarded or a
    later payer on file has not answered; 0 where none is. A person who released the last answer decided not to wait."""
    if not live:
        return 0
    last = max(live, key=lambda one: _rank(one.result, submitted))
    if last.choice is Choice.RELEASED:
        return 0
    rank = _rank(last.result, submitted)
    on_file = len(submitted.payers) if submitted else 1
    return rank + 1 if last.result.status in FORWARDED or rank < on_file else 0


def replaced_decision(decisions: Iterable[Decision], new: Decision) -> tuple[Decision, ...]:
    """A person's decisions about a claim with one more; the last word about a result counts, and comes last."""
    return (*(one for one in decisions if one.result != new.result), new)
