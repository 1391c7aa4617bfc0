"""How automatic charges follow each other and what they rely on, judged from rows and from Stripe's objects: the part
of the auditor that knows AUTO-1, AUTO-6, AUTO-7 and PLAN-5.

Each rule is stated here a second time and simpler, never by asking the code that decided.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from billing.facts import Fact, FactKind
from billing.invariants import AccountRows
from billing.invoice import Invoice
from billing.notice import NoticeKind
from billing.payment import Attempt, AttemptKind
from billing.period import whole_minute
from billing.plan import InstalmentStatus
from billing.policy import Practice

SENT_WITHIN = timedelta(hours=20)
SKEW = timedelta(minutes=5)
HARD = frozenset({"lost_card", "stolen_card", "expired_card", "revocation_of_authorization", "do_not_try_again"})
"""Decline codes after which the networks forbid another try."""
WEEK = timedelta(days=7)


def judge_tries(rows: AccountRows, intents: Iterable[dict[str, Any]], practice: Practice) -> Iterator[str]:
    """What is wrong with the automatic charges of one client. `intents`: theirs at Stripe, oldest first."""
    intents = list(intents)
    charges = sorted((a for a in rows.books.attempts if a.channel is AttemptKind.AUTOPAY), key=lambda a: a.number)
    yield from _sent_while_young(rows, intents)
    yield from _no_try_after_a_hard_decline(rows, intents)
    yield from _retries_keep_their_days(rows, charges, practice)
    yield from _as_agreed(rows, charges)
    yield from _plans_keep_their_weeks(rows)


def _sent_while_young(rows: AccountRows, intents: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Nobody sends a charge 20 hours after it was written: its key is about to be forgotten."""
    for intent in intents:
        attempt = rows.books.attempt(int(intent["metadata"]["attempt"]))
        if attempt is not None and "consent" in intent["metadata"]:
            age = _at(intent) - attempt.started_at
            if age > SENT_WITHIN + SKEW:
                yield f"{intent['id']} was sent {age} after it was written"


def _no_try_after_a_hard_decline(rows: AccountRows, intents: Sequence[dict[str, Any]]) -> Iterator[str]:
    """AUTO-7: a lost, expired or withdrawn card is not charged for the same bill again."""
    refused: dict[tuple[str, str], str] = {}
    for intent in intents:
        attempt = rows.books.attempt(int(intent["metadata"]["attempt"]))
        if attempt is None or "consent" not in intent["metadata"]:
            continue
        bill = attempt.parts[0].invoice_id  # a few cents that go along have no tries of their own (INV-11)
        if code := refused.get((bill, attempt.card_id)):
            yield f"{intent['id']} charges {bill}, tried again after {code}"
        error = intent.get("last_payment_error") or {}
        said = error.get("decline_code") or error.get("code") or ""
        if said in HARD:
            refused[bill, attempt.card_id] = said


def _retries_keep_their_days(rows: AccountRows, charges: Sequence[Attempt], practice: Practice) -> Iterator[str]:
    """AUTO-7: tries are `retry_days` after the first one with that card, and none is earlier than was promised. A few
    cents that go along with a charge, named after its bill, have no tries of their own (INV-11)."""
    failed = {int(f.data["attempt"]): f for f in rows.facts if f.kind == FactKind.PAYMENT_FAILED}
    for invoice in rows.books.invoices:
        tries = [a for a in charges if a.parts[0].invoice_id == invoice.invoice_id]
        first, before, number = None, None, 0
        for this, following in pairwise([*tries, None]):
            assert this is not None
            if first is None or this.card_id != first.card_id or _anew(rows, invoice, before, this):
                first, number = this, 0
            before = this
            number += 1
            fact = failed.get(this.number)
            retry_at = datetime.fromisoformat(str(fact.data["retry_at"])) if fact and "retry_at" in fact.data else None
            if fact is None or retry_at is None:
                continue
            days = practice.policy.retry_days[number - 1 : number]
            promised = {whole_minute(first.started_at + timedelta(days=d)) for d in days}
            late = whole_minute(fact.at + timedelta(minutes=1))
            if retry_at not in {max(p, late) for p in promised}:
                yield f"{this.attempt_id}, try {number}, promises a try at {retry_at}, first was {first.started_at}"
            if following is None or following.card_id != this.card_id or _anew(rows, invoice, this, following):
                continue
            if following.started_at < retry_at:
                yield f"{following.attempt_id} at {following.started_at} is before its time, {retry_at}"


def _anew(rows: AccountRows, invoice: Invoice, one: Attempt | None, next_one: Attempt) -> bool:
    """Whether the charge was announced anew between two tries: because the bill grew, or a review of it ended."""
    return one is not None and any(
        one.started_at - SKEW < fact.at < next_one.started_at
        for fact in rows.facts
        if fact.kind in (FactKind.INVOICE_CORRECTED, FactKind.INVOICE_RESUMED)
        and fact.data["invoice_id"] == invoice.invoice_id
    )


def _as_agreed(rows: AccountRows, charges: Sequence[Attempt]) -> Iterator[str]:
    """AUTO-1, AUTO-6: the card of the consent, and no bill from before autopay unless the client ticked it."""
    joined = {str(f.data["invoice_id"]) for f in rows.facts if f.kind == FactKind.INVOICE_JOINED_AUTOPAY}
    for attempt in charges:
        consent = rows.consents.get(attempt.consent_id)
        if consent is not None and consent.card_id != attempt.card_id:
            yield f"{attempt.attempt_id} charges {attempt.card_id}; consent {consent.consent_id} names another card"
    announced = [(p.at, p.invoice_ids, p.notice_id) for p in rows.postings if p.notice is NoticeKind.CHARGE_NOTICE]
    charged = [(a.started_at, tuple(p.invoice_id for p in a.parts), a.attempt_id) for a in charges]
    for at, invoice_ids, what in [*announced, *charged]:
        since = _on_since(rows.facts, at)
        for invoice_id in set(invoice_ids) - joined:
            invoice = rows.books.invoice(invoice_id)
            if invoice is not None and since is not None and invoice.issued_at < since:
                yield f"{what} takes {invoice_id} of {invoice.issued_at}, from before autopay was on at {since}"


def _on_since(facts: Iterable[Fact], at: datetime) -> datetime | None:
    """Since when autopay had been on without a break; None where it was not."""
    since = None
    for fact in sorted((f for f in facts if f.at <= at), key=lambda f: f.version):
        if fact.kind == FactKind.AUTOPAY_ENROLLED:
            since = since or fact.at
        elif fact.kind == FactKind.AUTOPAY_ENDED:
            since = None
    return since


def _plans_keep_their_weeks(rows: AccountRows) -> Iterator[str]:
    """PLAN-5: whatever was late, instalments stay whole weeks apart."""
    for plan in rows.books.plans:
        days = [i.issue_on for i in plan.instalments if i.status is not InstalmentStatus.SKIPPED]
        for one, other in pairwise(days):
            if other <= one or (other - one) % WEEK:
                yield f"{plan.plan_id} has instalments on {one} and {other}, which are not weeks apart"


def _at(intent: dict[str, Any]) -> datetime:
    return datetime.fromtimestamp(intent["created"], UTC)
