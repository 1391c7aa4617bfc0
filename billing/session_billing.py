"""From a session, or from the provider's own hand, to an invoice: self-pay (INV-4), out of pocket, and what bills a
session only once.

Every commit that issues for a session writes its `BilledSession`: neither two deliveries nor two reasons bill it twice.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from billing.account import Books
from billing.autopay import NoCharge
from billing.draft import noted
from billing.dunning import back_to_reminders, new_invoice
from billing.explain import OURS, Bucket, ExplainedLine, Reason
from billing.facts import Fact, FactKind
from billing.good_faith import far_above_estimate
from billing.invoice import Invoice, Source
from billing.invoice_lines import InvoiceLines
from billing.ledger import invoice_issued
from billing.money import Cents
from billing.policy import Practice
from billing.ports import Insert, Refused, Update, Write
from billing.session import BilledSession, PaidBy, Session

NOT_COVERED: Final = "Your employee-assistance programme does not pay for this session: you pay for it yourself."
PAYS_THEMSELF: Final = "No health plan is asked to pay for this session: you pay for it yourself."

MOST_STOPPED: Final = 40
"""Announced charges that one commit stops; what is left finds the same reason when it is due."""


@dataclass(frozen=True)
class NewInvoice:
    """What an invoice is made from: whose, for what (`source`, `source_id`), how much, and why. `cause`: the id of what
    led to it · `data`: what its fact says beside id and amount."""

    client: str
    source: Source
    source_id: str
    amount: Cents
    service_date: date
    provider: str
    lines: tuple[ExplainedLine, ...]
    actor: str
    cause: str
    data: tuple[tuple[str, str], ...] = ()
    good_faith_estimate: Cents | None = None
    estimated: bool = False


def issued(new: NewInvoice, practice: Practice, now: datetime) -> tuple[Invoice, tuple[Write, ...]]:
    """The invoice, with its explanation and its postings, as writes of a commit. It ages from now (INV-8) and is
    reminded of (INV-9)."""
    blank = new_invoice(
        practice,
        new.client,
        new.source,
        new.source_id,
        new.amount,
        service_date=new.service_date,
        provider=new.provider,
        now=now,
    )
    invoice = replace(blank, good_faith_estimate=new.good_faith_estimate, estimated=new.estimated)
    fact = Fact(
        practice=invoice.practice,
        client=invoice.client,
        item=invoice.key.sk,
        version=1,
        kind=FactKind.INVOICE_ISSUED,
        at=now,
        actor=new.actor,
        cause=new.cause,
        data={"invoice_id": invoice.invoice_id, "amount": invoice.amount, "source": invoice.source, **dict(new.data)},
        entries=invoice_issued(invoice.invoice_id, invoice.amount),
    )
    lines = InvoiceLines(invoice.practice, invoice.client, invoice.invoice_id, new.lines)
    return invoice, (Insert(invoice), Insert(lines), Insert(fact))


def own_line(procedure: str, on: date | None, amount: Cents, why: str) -> ExplainedLine:
    """The explanation of what nobody but the client pays: all that is billed is owed, and one sentence says why."""
    reason = Reason(OURS, "", amount, why, Bucket.NOT_COVERED)
    return ExplainedLine(procedure, on, amount, 0, 0, 0, 0, 0, amount, amount, (reason,))


def bill_self_pay(
    session: Session, billed: BilledSession | None, books: Books, practice: Practice, now: datetime
) -> tuple[Write, ...]:
    """The invoice for the session's rate (INV-4); () where it costs nothing, or is billed already.

    Where it brings the client's self-pay invoices $400 above what they were told, charges that were announced for the
    others do not happen (LAW-5); the new one's mail says so.
    """
    if session.paid_by is not PaidBy.SELF_PAY or not session.rate or (billed and billed.invoice_id):
        return ()
    on = session.day(practice.time_zone)
    new = NewInvoice(
        client=session.client,
        source=Source.SESSION,
        source_id=session.session_id,
        amount=session.rate,
        service_date=on,
        provider=session.provider,
        lines=(own_line(session.procedure, on, session.rate, PAYS_THEMSELF),),
        actor="practice",
        cause=session.session_id,
        data=(("session_id", session.session_id),),
        good_faith_estimate=session.good_faith_estimate,
    )
    invoice, writes = issued(new, practice, now)
    now_billed = bills(billed, session.practice, session.session_id, invoice)
    return (*writes, now_billed, *_stopped(invoice, books, practice, now))


def bill_uncovered(
    session: Session, billed: BilledSession | None, amount: Cents | None, practice: Practice, now: datetime
) -> tuple[Write, ...]:
    """The invoice for a session that its employee-assistance programme does not pay for, once a person has decided that
    the client does (INV-5): its rate, or the amount they name; () where that is nothing. Raises Refused where another
    invoice asks for the session already, or the amount is above its rate."""
    owed = session.rate if amount is None else amount
    if owed > session.rate:
        raise Refused(
            "more_than_charged", f"patient_amount is more than the rate of {session.rate} cents.", rule="INV-5"
        )
    if billed is not None and billed.invoice_id:
        raise Refused("already_billed", f"Invoice {billed.invoice_id} asks for this session already.", rule="INV-5")
    if not owed:
        return ()
    on = session.day(practice.time_zone)
    new = NewInvoice(
        client=session.client,
        source=Source.SESSION,
        source_id=session.session_id,
        amount=owed,
        service_date=on,
        provider=session.provider,
        lines=(own_line(session.procedure, on, owed, NOT_COVERED),),
        actor="staff",
        cause=session.session_id,
        data=(("session_id", session.session_id),),
        good_faith_estimate=session.good_faith_estimate,
    )
    invoice, writes = issued(new, practice, now)
    return (*writes, bills(billed, session.practice, session.session_id, invoice))


def bills(
    billed: BilledSession | None, practice: str, session_id: str, invoice: Invoice, claim_id: str = ""
) -> Insert | Update:
    """That this invoice asks for the session."""
    known = billed or BilledSession(practice, session_id, 0)
    row = replace(
        known,
        version=known.version + 1,
        claim_id=claim_id or known.claim_id,
        invoice_id=invoice.invoice_id,
        amount=invoice.amount,
        estimated=invoice.estimated,
    )
    return Insert(row) if row.version == 1 else Update(row)


def _stopped(invoice: Invoice, books: Books, practice: Practice, now: datetime) -> Iterable[Write]:
    """The announced charges that this invoice makes impossible."""
    known = replace(books, invoices=(*books.invoices, invoice))
    if not far_above_estimate(known, invoice):
        return ()
    others = [i for i in books.invoices if i.charge_at is not None and far_above_estimate(known, i)]
    writes: list[Write] = []
    for other in [i for i in others if not i.open_attempt][:MOST_STOPPED]:
        stopped = back_to_reminders(other, practice, now)
        data: dict[str, str | int] = {"reason": NoCharge.ABOVE_GOOD_FAITH_ESTIMATE, "amount": other.open_amount}
        writes += noted(stopped, FactKind.CHARGE_CANCELLED, now, "system", invoice.invoice_id, data)
    return writes
