"""Claim results that wait for a person: shown with what was seen, and decided (DESK-5).

    hold read -> claim read whole -> judged again with the person's word -> one commit: what follows, the deed, the word

A hold is gone once it is decided; the decision stays under its id, so that the same one again answers the same and
another one is refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from billing.claim import ClaimResult, ClaimStatus
from billing.claim_file import ClaimFile
from billing.claim_state import ClaimState, Hold, ReceivedResult, Submission, claim_state_key, result_key
from billing.facts import Fact, FactKind
from billing.gates import Gate, Now
from billing.hold_decision import RULE, HoldDecision, hold_decision_key, no, patient_share
from billing.ids import Key, claim_pk, digest, holds_pk, invoice_key, practice_key, segment
from billing.invoice import Invoice
from billing.issuing import Trigger, judge_again
from billing.money import Cents
from billing.policy import Practice
from billing.ports import Conflict, Delete, Insert, Refused, Store, TryAgain, Update, Write
from billing.session import BilledSession, Session, billed_session_key, session_key
from billing.session_billing import bill_uncovered
from billing.staff_action import Deed, StaffAction
from billing.standing import Choice, Decision

TRIES: Final = 4
"""A person waits for the answer: a lost race is tried again in place this often."""

DEEDS: Final = {Choice.RELEASED: Deed.RELEASE, Choice.REJECTED: Deed.REJECT, Choice.REMATCHED: Deed.REMATCH}


@dataclass(frozen=True)
class Waiting:
    """A hold as a person looks at it: the result that was seen, and the invoices that stand still because of it."""

    hold: Hold
    result: ClaimResult | None
    invoice_ids: tuple[str, ...]


@dataclass(frozen=True)
class Holds:
    """Some of the open holds, the oldest first; `more`: where the next ones begin, "" at the end."""

    waiting: tuple[Waiting, ...]
    more: str


@dataclass(frozen=True)
class Word:
    """What a person decides about a hold, and why. `by`: the name of their API key."""

    hold_id: str
    choice: Choice
    reason: str
    by: str
    amount: Cents | None = None
    to: str = ""


@dataclass(frozen=True)
class Decided:
    """A decision, and where the result stands `now`, with what bills its claim."""

    decision: HoldDecision
    result: ClaimResult | None
    now: str
    invoice_ids: tuple[str, ...]


# ---------------------------------------------------------------------------------------------------- looking


def open_holds(store: Store, practice: str, after: str = "", most: int = 100) -> Holds:
    """Every claim result and session of the practice that waits for a person, `most` at a time; `after`: the `more` of
    the page before."""
    rows = [row for row in store.partition(holds_pk(practice), "HOLD#") if isinstance(row, Hold)]
    ordered = [row for row in sorted(rows, key=_place) if _place(row) > after]
    page = ordered[:most]
    return Holds(_looked_up(store, practice, page), _place(page[-1]) if len(ordered) > most else "")


def _place(hold: Hold) -> str:
    """Where a hold stands in the list, as text that sorts as it."""
    return f"{hold.held_at:%Y%m%dT%H%M%S%f}-{hold.hold_id}"


def _looked_up(store: Store, practice: str, page: Sequence[Hold]) -> tuple[Waiting, ...]:
    results: dict[str, ClaimResult] = {}
    invoices: dict[str, list[str]] = {}
    rows = store.get_many([key for hold in page for key in _rows_of(practice, hold)])
    billing = {row.claim_id: row.invoices for row in rows if isinstance(row, ClaimState)}
    results = {row.result.result_key(): row.result for row in rows if isinstance(row, ReceivedResult)}
    keys = [invoice_key(practice, hold.client, one) for hold in page for one in billing.get(hold.claim_id, ())]
    for row in store.get_many(keys):
        if isinstance(row, Invoice):
            for cause in row.reviews:
                invoices.setdefault(cause, []).append(row.invoice_id)
    return tuple(
        Waiting(hold, results.get(hold.result), tuple(dict.fromkeys(invoices.get(hold.hold_id, ())))) for hold in page
    )


def _rows_of(practice: str, hold: Hold) -> tuple[Key, ...]:
    if not hold.claim_id:
        return ()
    return (result_key(practice, hold.claim_id, hold.result), claim_state_key(practice, hold.claim_id))


# ---------------------------------------------------------------------------------------------------- deciding


def decide(store: Store, practice: str, word: Word, now: datetime) -> Decided:
    """Do what a person decided about a hold, or show what the same decision did before.

    Raises Refused: 404 for an unknown hold or claim, 409 where it cannot be, or was decided differently; TryAgain.
    """
    for _ in range(TRIES):
        hold, before = store.get_many([_hold_key(practice, word.hold_id), hold_decision_key(practice, word.hold_id)])
        assert before is None or isinstance(before, HoldDecision)
        if not isinstance(hold, Hold):
            return _decided_before(store, before, word)
        decision = _decision(hold, before, word, now)
        try:
            store.commit(*_what_follows(store, hold, decision, now), *_kept(decision, before))
        except Conflict:
            continue
        return _shown(store, decision)
    raise TryAgain("the claim changes too fast")


def _hold_key(practice: str, hold_id: str) -> Key:
    return Key(holds_pk(practice), f"HOLD#{segment(hold_id)}#")


def _decided_before(store: Store, before: HoldDecision | None, word: Word) -> Decided:
    if before is None:
        raise Refused("unknown_hold", "There is no hold of this id.", status=404)
    if (before.choice, before.to) != (word.choice, word.to) or before.amount != word.amount:
        raise no("already_decided", f"This was decided before: it is {before.choice}.")
    return _shown(store, before)


def _decision(hold: Hold, before: HoldDecision | None, word: Word, now: datetime) -> HoldDecision:
    return HoldDecision(
        practice=hold.practice,
        hold_id=hold.hold_id,
        version=before.version + 1 if before else 1,
        choice=word.choice,
        reason=word.reason,
        at=now,
        by=word.by,
        amount=word.amount,
        to=word.to,
        claim_id=hold.claim_id,
        payer_claim_id=hold.payer_claim_id,
        result=hold.result,
        session_id=hold.session_id,
        client=hold.client,
        why_held=hold.reason,
        held_at=hold.held_at,
    )


def _kept(decision: HoldDecision, before: HoldDecision | None) -> tuple[Write, ...]:
    """The word itself, the deed for whoever asks later, and the fact that it was done."""
    action = StaffAction(
        practice=decision.practice,
        client=decision.client,
        action_id="act_" + digest(decision.hold_id, str(decision.version)),
        deed=DEEDS[decision.choice],
        invoice_id="",
        amount=decision.amount or 0,
        reason=decision.reason,
        at=decision.at,
        made=(decision.hold_id,),
        by=decision.by,
    )
    fact = Fact(
        practice=decision.practice,
        client=decision.client,
        item=decision.key.sk,
        version=decision.version,
        kind=FactKind.HOLD_DECIDED,
        at=decision.at,
        actor="staff",
        cause=action.action_id,
        data={
            "hold_id": decision.hold_id,
            "claim_id": decision.claim_id,
            "session_id": decision.session_id,
            "why_held": decision.why_held,
            "choice": decision.choice,
            "by": decision.by,
        },
    )
    return (Update(decision) if before else Insert(decision), Insert(action), Insert(fact))


def _what_follows(store: Store, hold: Hold, decision: HoldDecision, now: datetime) -> tuple[Write, ...]:
    """The claim judged again with this word in it; or the session billed or let go. Raises Refused where that changes
    nothing."""
    if hold.session_id:
        return (Delete(hold), *_session_decided(store, hold, decision, now))
    file = ClaimFile.read(store, hold.practice, hold.claim_id)
    received = next(r for r in file.results if r.result.result_key() == hold.result)
    copied: tuple[Write, ...] = ()
    amount: Cents | None = None
    if decision.choice is Choice.RELEASED and not _takes_back_at_last(hold, received.result, decision):
        amount = patient_share(received.result, file.submitted, decision.amount)
    elif decision.choice is Choice.REMATCHED:
        copied = _at_its_claim(store, hold, received, decision.to)
    trigger = Trigger("staff", hold.hold_id, Decision(hold.result, decision.choice, amount, decision.to))
    writes = judge_again(file, trigger, now)
    after = next((write.record for write in writes if isinstance(write.record, ClaimState)), None)
    if after is None:
        raise Conflict(f"{hold.hold_id} was decided while its claim was read")
    verdict = after.verdict(hold.result)
    if verdict is None or verdict.now == Now.HELD:
        raise no("still_held", "This takes no effect: the result would be held again.")
    return (*writes, *copied)


def _takes_back_at_last(hold: Hold, result: ClaimResult, decision: HoldDecision) -> bool:
    """A reversal that has its original, and only waited for a bank to decide about a payment (PAY-13), takes effect."""
    return result.status is ClaimStatus.REVERSAL and hold.reason == Gate.NEEDS_REVIEW and decision.amount is None


def _session_decided(store: Store, hold: Hold, decision: HoldDecision, now: datetime) -> tuple[Write, ...]:
    """A session that its programme does not cover is the client's to pay, or nobody's (INV-5)."""
    if decision.choice is Choice.REMATCHED:
        raise no("no_claim", "A session is about no claim: release or reject it.")
    session, billed, practice = store.get_many(
        [
            session_key(hold.practice, hold.session_id),
            billed_session_key(hold.practice, hold.session_id),
            practice_key(hold.practice),
        ]
    )
    assert isinstance(session, Session), f"{hold.hold_id} is about a session that is not there"
    assert isinstance(practice, Practice), f"no practice {hold.practice}"
    assert billed is None or isinstance(billed, BilledSession)
    if decision.choice is Choice.REJECTED:
        return ()
    return bill_uncovered(session, billed, decision.amount, practice, now)


def _at_its_claim(store: Store, hold: Hold, received: ReceivedResult, claim_id: str) -> tuple[Write, ...]:
    """The result as if it had named that claim: it is judged there like any other. () where it is there already."""
    if claim_id == hold.claim_id:
        raise no("same_claim", "That is the claim the result names: release or reject it.")
    if not any(isinstance(row, Submission) for row in store.partition(claim_pk(hold.practice, claim_id), "SUBMITTED#")):
        raise Refused("unknown_claim", "There is no claim of this id: submit it first.", rule=RULE, status=404)
    there = replace(received, result=replace(received.result, claim_id=claim_id))
    if store.get(there.key) is not None:
        raise no("already_there", "That claim has this very result already: reject this one.")
    return (Insert(there),)


def _shown(store: Store, decision: HoldDecision) -> Decided:
    if decision.session_id:
        billed = store.get(billed_session_key(decision.practice, decision.session_id))
        invoice_ids = (billed.invoice_id,) if isinstance(billed, BilledSession) and billed.invoice_id else ()
        nothing = Now.REJECTED if decision.choice is Choice.REJECTED else Now.NOTHING_OWED
        return Decided(decision, None, Now.INVOICED if invoice_ids else nothing, invoice_ids)
    received, state = store.get_many(
        [
            result_key(decision.practice, decision.claim_id, decision.result),
            claim_state_key(decision.practice, decision.claim_id),
        ]
    )
    assert isinstance(received, ReceivedResult), f"{decision.hold_id} was about a result that is not there"
    assert isinstance(state, ClaimState), f"{decision.claim_id} was decided about and has no state"
    verdict = state.verdict(decision.result)
    assert verdict is not None, f"{decision.hold_id} was decided, and its result is not judged"
    return Decided(decision, received.result, verdict.now, state.invoices)
