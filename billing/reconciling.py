"""What a night's reconciliation makes of what it reads: Stripe's objects against our books, and mails that a fact has
and nobody sent. Pure decisions; who reads and who writes stands in functions/reconcile.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from billing.account import Books
from billing.desk import Desk
from billing.dispute import DisputeEvidence
from billing.facts import ROUTES, Fact, FactKind
from billing.invariants import AccountRows, Broken
from billing.letters import letters_for
from billing.notice import NoticeKind, Posting
from billing.payment import Attempt, AttemptState
from billing.ports import TakenBack
from billing.refund import RefundEvidence, RefundState
from billing.statement import TheirPayment

OVERLAP: Final = timedelta(days=3)
"""A payment is looked for again so long after it was made: it may have been finished later than it was begun."""
REFUNDS_CHANGE_FOR: Final = timedelta(days=35)
"""A bank may return a refund for a month after Stripe called it done (docs.stripe.com/refunds#failed-refunds)."""
DISPUTES_LAST: Final = timedelta(days=120)
"""The bank decides within 75 days of the answer, which may take 21 (docs.stripe.com/disputes/how-disputes-work)."""
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


def judge_return(books: Books, theirs: RefundEvidence | DisputeEvidence) -> Broken | None:
    """8, one refund or dispute: do our books say of it what Stripe does? A refund that failed before we heard of it
    went nowhere."""
    if isinstance(theirs, DisputeEvidence):
        dispute = books.dispute(theirs.dispute_id)
        if dispute is None:
            return Broken(8, theirs.dispute_id, f"Stripe has a dispute of {theirs.amount}, which we had not booked")
        if (dispute.state, dispute.withdrawn) != (theirs.state, theirs.withdrawn):
            here, there = f"{dispute.state}, {dispute.withdrawn} withdrawn", f"{theirs.state}, {theirs.withdrawn}"
            return Broken(8, theirs.dispute_id, f"the dispute is {here} here, {there} at Stripe")
        return None
    refund = books.refund(theirs.refund_id) or next((r for r in books.refunds if r.stripe_id == theirs.stripe_id), None)
    if refund is None:
        if theirs.state is RefundState.FAILED:
            return None
        return Broken(8, theirs.stripe_id, f"Stripe paid {theirs.amount} back, which we had not booked")
    if (refund.state, refund.amount) != (theirs.state, theirs.amount):
        here, there = f"{refund.state}, {refund.amount}", f"{theirs.state}, {theirs.amount}"
        return Broken(8, theirs.stripe_id, f"the refund is {here} here, {there} at Stripe")
    return None


def missing_returns(books: Books, intent_id: str, taken: TakenBack) -> Iterator[Broken]:
    """8, the other way: what we booked as gone back of a payment is what Stripe lists of it."""
    refunds = {r.stripe_id: r.amount for r in taken.refunds}
    for refund in books.refunds:
        gone = refund.intent_id == intent_id and refund.state is RefundState.POSTED
        if gone and refunds.get(refund.stripe_id) != refund.amount:
            yield Broken(8, refund.key.sk, f"we booked {refund.amount} as paid back, Stripe does not list it")
    disputes = {d.dispute_id for d in taken.disputes}
    numbers = {a.number for a in books.attempts if a.intent_id == intent_id}
    for dispute in books.disputes:
        if dispute.payment in numbers and dispute.dispute_id not in disputes:
            yield Broken(8, dispute.key.sk, f"we booked a dispute of {dispute.amount}, Stripe does not list it")
