"""What a night's reconciliation makes of what it reads: Stripe's objects against our books, and mails that a fact has
and nobody sent. Pure decisions; who reads and who writes stands in functions/reconcile.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from billing.account import Books
from billing.desk import Desk
from billing.facts import ROUTES, Fact, FactKind
from billing.invariants import AccountRows, Broken
from billing.letters import letters_for
from billing.notice import NoticeKind, Posting
from billing.payment import Attempt, AttemptState
from billing.statement import TheirPayment

OVERLAP: Final = timedelta(days=3)
"""A payment is looked for again so long after it was made: it may have been finished later than it was begun."""
STILL_UNDER_WAY: Final = timedelta(hours=1)
"""What happened less than this ago may still have its message on its way."""
AHEAD: Final = timedelta(hours=26)
"""Whoever has work due until the next night, and two hours more, is looked at tonight."""
OVERDUE_AFTER: Final = timedelta(hours=1)
"""Invariant 10's bound: work is looked at every minute, and a message that failed is back after five."""
CONCLUDED_AFTER: Final = timedelta(hours=48)
"""What was sent again for a whole night and is still not done needs a person."""
MAILS_LOOKED_BACK: Final = timedelta(days=7)
"""How old a fact may be whose mail is sent after all: later it would only puzzle its reader."""


@dataclass(frozen=True)
class Judged:
    """What is to be done about one of Stripe's objects: nothing, read it again and book it (`settle`: the number of the
    attempt), or show it to a person."""

    settle: int = 0
    broken: Broken | None = None


AGREED: Final = Judged()


def judge_payment(books: Books, theirs: TheirPayment) -> Judged:
    """8, one object: does our attempt say of this payment intent what Stripe does?"""
    attempt = books.attempt(theirs.attempt)
    if attempt is None:
        if not theirs.succeeded:
            return AGREED
        return _differs(theirs, f"Stripe took {theirs.amount} for attempt {theirs.attempt}, which was never written")
    posted = attempt.state is AttemptState.POSTED
    if not theirs.succeeded:
        if posted and attempt.intent_id == theirs.intent_id:
            return _differs(theirs, f"we booked {attempt.amount}, at Stripe it did not succeed")
        return AGREED
    if not posted:
        return Judged(settle=attempt.number)
    if attempt.intent_id != theirs.intent_id:
        return _differs(theirs, f"Stripe took {theirs.amount} a second time for attempt {attempt.number}")
    if attempt.amount != theirs.amount:
        return _differs(theirs, f"Stripe took {theirs.amount}, we booked {attempt.amount}")
    return AGREED


def _differs(theirs: TheirPayment, what: str) -> Judged:
    return Judged(broken=Broken(8, theirs.intent_id, what))


def unsent(rows: AccountRows, desk: Desk, run: datetime) -> Iterator[Fact]:
    """Facts that have a mail which nobody sent, nor was refused: their message was lost. What a letter says is decided
    now, so a fact of which nothing is left to say has none."""
    ended = {f.item for f in rows.facts if f.kind in (FactKind.NOTICE_SENT, FactKind.NOTICE_BOUNCED)}
    for fact in rows.facts:
        if not run - MAILS_LOOKED_BACK <= fact.at <= run - STILL_UNDER_WAY or "send_email" not in ROUTES[fact.kind]:
            continue
        if _told_otherwise(fact, rows.postings):
            continue
        letters = letters_for(fact, desk, run)
        blank = (Posting(fact.practice, fact.client, one.notice_id, 1, one.letter.kind, run) for one in letters)
        if any(posting.key.sk not in ended for posting in blank):
            yield fact


TELLS_OF_A_BILL: Final = frozenset({NoticeKind.INVOICE, NoticeKind.CHARGE_NOTICE, NoticeKind.APPROVAL_REQUEST})


def _told_otherwise(fact: Fact, postings: Iterable[Posting]) -> bool:
    """Whether a bill was told of, by another fact's mail: what was announced and tried is not announced anew."""
    if fact.kind not in (FactKind.INVOICE_ISSUED, FactKind.INVOICE_JOINED_AUTOPAY):
        return False
    bill = fact.data["invoice_id"]
    return any(p.notice in TELLS_OF_A_BILL and bill in p.invoice_ids and p.cause != fact.key.sk for p in postings)


def mails_overdue(facts: Iterable[Fact], run: datetime) -> Iterator[Broken]:
    """10: what was sent again and is still unsent needs a person."""
    for fact in facts:
        if fact.at < run - CONCLUDED_AFTER:
            yield Broken(10, fact.key.sk, f"its mail was never sent, since {fact.at:%Y-%m-%dT%H:%M:%SZ}")


def missing_at_stripe(ours: Iterable[Attempt], theirs: Iterable[TheirPayment]) -> Iterator[Broken]:
    """8, the other way: each payment that we booked is one of Stripe's, of the same amount. What Stripe has beyond is
    judged object by object (`judge_payment`)."""
    known = {payment.intent_id: payment for payment in theirs if payment.succeeded}
    for attempt in ours:
        payment = known.get(attempt.intent_id)
        if payment is None:
            yield Broken(8, attempt.attempt_id, f"we booked {attempt.amount}, Stripe has no such payment")
        elif (payment.attempt_id, payment.amount) != (attempt.attempt_id, attempt.amount):
            yield Broken(8, attempt.attempt_id, f"we booked {attempt.amount}, Stripe took {payment.amount}")
