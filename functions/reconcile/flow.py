"""Every night: our books against themselves, against Stripe's objects, and against what should have been done by now.

    reconcile (wake) -> slice 1 -> slice 2 -> ... -> done, due again tomorrow night
    check_receipt (wake) -> one body whose night was missed

A run reads what was touched, never what is stored: Stripe's payments of the last days, the refunds and disputes that
may still change, and their accounts; whoever has work due until tomorrow, every body that came and its claims, and
whatever was found broken before. Each slice is one
commit on the run's row, guarded by its version and carrying the message for the next: one run at a time, and a crash
costs a slice. Repairs are what other steps would have done, by their own code; a slice done twice does nothing twice.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from billing.claim_state import StoredBody
from billing.facts import ROUTES, FactKind, Message, WakeKind
from billing.ids import Key
from billing.invoice import due_text
from billing.ports import CardGateway, Insert, Store, Update
from billing.reconciliation import (
    FINDINGS_KEPT,
    FINDINGS_PK,
    RECONCILIATION_KEY,
    Cursor,
    DoneSlice,
    Finding,
    Phase,
    Reconciliation,
    done_slice,
    ended,
    started,
    went_on,
)
from billing.reconciling import DISPUTES_LAST, OVERLAP, REFUNDS_CHANGE_FOR, STILL_UNDER_WAY
from billing.statement import ReturnsPage, Statement
from functions.reconcile.bodies import lost_messages
from functions.reconcile.night import Night, Send
from functions.reconcile.work import PAGE, work

SLICE: Final = 60
"""How much a slice may do: an account counts two (books and facts), everything else one. Some seconds of work."""
AGAIN_AFTER: Final = timedelta(hours=4)
"""When a body that misses something is looked at again, where no night does it."""


def run(
    message: Message, *, store: Store, cards: CardGateway, statement: Statement, send: Send, shards: int, now: datetime
) -> Reconciliation | None:
    """Do the slice that the message leads to -> the row where that was the last slice of a run, else None.

    Raises TryAgain where Stripe or the table ask to wait, or another delivery of the same slice was faster.
    """
    match message.kind, store.get(message.key):
        case WakeKind.RECONCILE, Reconciliation() as row:
            if row.wake_at > now:
                return None
        case FactKind.RECONCILE_SLICE_DONE, DoneSlice() as done:
            found = store.get(RECONCILIATION_KEY)
            assert isinstance(found, Reconciliation), "a slice was done, so its run is stored"
            if found.started_at is None or (found.number, found.step) != (done.run, done.step):
                return None
            row = found
        case WakeKind.CHECK_RECEIPT, StoredBody() as body:
            lost = lost_messages(store, body.key)
            send((verb, one) for one in lost for verb in ROUTES[one.kind])
            store.set_due(body.key, due_text(now + AGAIN_AFTER, WakeKind.CHECK_RECEIPT) if lost else None)
            return None
        case _, stored:
            raise AssertionError(f"{message.kind} names {message.key}, where there is {type(stored).__name__}")
    return _slice(row if row.started_at else started(row, now), store, cards, statement, send, shards, now)


def _slice(
    row: Reconciliation,
    store: Store,
    cards: CardGateway,
    statement: Statement,
    send: Send,
    shards: int,
    now: datetime,
) -> Reconciliation | None:
    assert row.started_at is not None, "only a run has slices"
    night = Night(store, cards, statement, send, row.number, row.started_at, row.since, now, row.counts)
    cursor = row.cursor
    while cursor.phase is not Phase.DONE and night.spent < SLICE:
        cursor = _step(night, cursor, shards)
    if cursor.phase is not Phase.DONE:
        going = went_on(row, cursor, night.counts, now)
        store.commit(Update(going), Insert(done_slice(going)))
        return None
    over = ended(row, replace(night.counts, findings=_resolve_what_is_gone(night)), now)
    store.commit(Update(over))
    return over


def _step(night: Night, cursor: Cursor, shards: int) -> Cursor:
    """The next page of the phase -> where what follows begins."""
    match cursor.phase:
        case Phase.FINDINGS:
            return _findings(night, cursor)
        case Phase.PAYMENTS:
            page = night.statement.payments(night.since - OVERLAP, cursor.after, PAGE)
            for theirs in page.payments:
                if theirs.created <= night.run - STILL_UNDER_WAY:
                    night.payment(theirs)
            night.met(page.listed)
            return _next(cursor, page.after, Phase.REFUNDS)
        case Phase.REFUNDS:
            refunds = night.statement.refunds(night.since - REFUNDS_CHANGE_FOR, cursor.after, PAGE)
            return _went_back(night, cursor, refunds, Phase.DISPUTES)
        case Phase.DISPUTES:
            disputes = night.statement.disputes(night.since - DISPUTES_LAST, cursor.after, PAGE)
            return _went_back(night, cursor, disputes, Phase.WORK)
        case Phase.WORK:
            return work(night, cursor, shards, SLICE)
        case Phase.DONE:
            raise AssertionError("nothing follows the end of a run")


def _went_back(night: Night, cursor: Cursor, page: ReturnsPage, then: Phase) -> Cursor:
    for theirs in page.returns:
        if theirs.created <= night.run - STILL_UNDER_WAY:
            night.went_back(theirs)
    night.met(len(page.returns))
    return _next(cursor, page.after, then)


def _next(cursor: Cursor, after: str, then: Phase) -> Cursor:
    return replace(cursor, after=after) if after else Cursor(then)


def _findings(night: Night, cursor: Cursor) -> Cursor:
    """Look again at what was found before: what is still so is found again."""
    waiting = [f for f in _open_findings(night.store) if f.finding_id > cursor.after][:PAGE]
    for finding in waiting:
        night.look_again(Key(finding.at_pk, finding.at_sk))
    return _next(cursor, waiting[-1].finding_id if len(waiting) == PAGE else "", Phase.PAYMENTS)


def _open_findings(store: Store) -> Iterator[Finding]:
    return (f for f in store.partition(FINDINGS_PK) if isinstance(f, Finding) and f.resolved_at is None)


def _resolve_what_is_gone(night: Night) -> int:
    """Close the findings that this run did not meet again -> how many are open."""
    still = 0
    for finding in _open_findings(night.store):
        if finding.run == night.number:
            still += 1
            continue
        expires = int((night.now + FINDINGS_KEPT).timestamp())
        gone = replace(finding, version=finding.version + 1, resolved_at=night.now, expires=expires)
        night.store.commit(Update(gone))
    return still
