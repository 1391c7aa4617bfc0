"""What a dispute does to the books: invoices frozen while the client's bank decides, its decision booked (PAY-13).

Stripe's own word, read again, decides; never the order of webhooks. The money follows what the bank really withdrew and
gave back. What it keeps is owed again by the invoices that the payment had paid, and is never charged again by itself.
"""

from dataclasses import replace

from billing.account import Books
from billing.dispute import Dispute, DisputeEvidence, DisputeState
from billing.draft import Draft
from billing.dunning import back_to_reminders, past_due_from
from billing.facts import FactKind
from billing.invoice import Invoice
from billing.ledger import Entry, dispute_lost, dispute_moved, written_off
from billing.money import Cents
from billing.payment import Attempt, Part
from billing.plan_progress import instalment_failed, instalment_paid
from billing.policy import Practice


def settle_dispute(draft: Draft, payment: Attempt, evidence: DisputeEvidence, practice: Practice) -> None:
    """What Stripe says of one dispute of this payment changes; nothing where it is known already."""
    before = draft.books.dispute(evidence.dispute_id)
    known = before or Dispute(
        practice=payment.practice,
        client=payment.client,
        dispute_id=evidence.dispute_id,
        version=1,
        payment=payment.number,
        amount=evidence.amount,
        opened_at=draft.now,
        reason=evidence.reason,
    )
    dispute = replace(
        known,
        state=evidence.state,
        amount=evidence.amount,
        withdrawn=evidence.withdrawn,
        closed_at=None if evidence.state is DisputeState.OPEN else known.closed_at or draft.now,
    )
    if dispute == before:
        return
    if before is None:
        draft.insert(dispute)
    else:
        draft.change(dispute)
    moved = dispute_moved(dispute.withdrawn - known.withdrawn)
    decided: tuple[Entry, ...] = ()
    kept = dispute.kept - known.kept
    if kept > 0:
        decided = _owed_again(draft, dispute, payment, kept, practice)
    elif kept < 0:
        decided = _owed_no_more(draft, dispute, -kept)
    _tell(draft, before, dispute.dispute_id, moved, decided)
    _freeze_or_free(draft, payment, practice)


def _tell(
    draft: Draft, before: Dispute | None, dispute_id: str, moved: tuple[Entry, ...], decided: tuple[Entry, ...]
) -> None:
    """One fact for each thing that happened; what the decision booked goes with the last of them."""
    dispute = draft.books.dispute(dispute_id)
    assert dispute is not None, f"dispute {dispute_id} was not written"
    was_open = before is None or before.is_open
    told: list[tuple[FactKind, tuple[Entry, ...]]] = []
    if before is None or (dispute.is_open and not was_open):
        told.append((FactKind.DISPUTE_OPENED, ()))
    if moved:
        told.append((FactKind.DISPUTE_FUNDS_MOVED, moved))
    if not dispute.is_open and (before is None or dispute.state is not before.state):
        told.append((FactKind.DISPUTE_CLOSED, ()))
    data: dict[str, str | int] = {
        "dispute_id": dispute.dispute_id,
        "attempt": dispute.payment,
        "amount": dispute.amount,
        "withdrawn": dispute.withdrawn,
        "state": dispute.state,
        "reason": dispute.reason,
    }
    for kind, entries in told:
        draft.fact(kind, dispute, data, entries + (decided if kind is told[-1][0] else ()))


# ---------------------------------------------------------------------------------------------------- freezing


def _freeze_or_free(draft: Draft, payment: Attempt, practice: Practice) -> None:
    """While one of its payments is disputed, nobody asks for money for an invoice; afterwards it is as any other."""
    for part in payment.paid_parts:
        invoice = _invoice(draft.books, part.invoice_id)
        frozen = any(draft.books.is_disputed(a) for a in draft.books.attempts if _pays(a, invoice))
        if frozen and not invoice.disputed:
            stopped = replace(invoice, disputed=True, charge_at=None)
            if invoice.charge_at is None:
                draft.change(stopped)
            else:
                draft.call_off(stopped, "disputed")
        elif invoice.disputed and not frozen:
            draft.change(_due_again(replace(invoice, disputed=False), practice, draft))


def _pays(attempt: Attempt, invoice: Invoice) -> bool:
    return any(part.invoice_id == invoice.invoice_id for part in attempt.paid_parts)


def _due_again(invoice: Invoice, practice: Practice, draft: Draft) -> Invoice:
    """What is open is asked for on the days that are left of its reminders, and ages as ever; no charge is announced:
    whoever disputed one pays by their own click (INV-8, INV-9)."""
    if not invoice.open_amount:
        return invoice
    window_ends = None if invoice.past_due else past_due_from(invoice.issued_at, practice)
    return replace(back_to_reminders(invoice, practice, draft.now), past_due_at=window_ends)


def _invoice(books: Books, invoice_id: str) -> Invoice:
    invoice = books.invoice(invoice_id)
    assert invoice is not None, f"{books.account.client} disputes a payment of {invoice_id}, which does not exist"
    return invoice


# ---------------------------------------------------------------------------------------------------- the decision


def _owed_again(draft: Draft, dispute: Dispute, payment: Attempt, kept: Cents, practice: Practice) -> tuple[Entry, ...]:
    """The bank keeps that much: the payment's invoices are open again, the oldest first; what none of them can take was
    the client's credit as far as there is any, and the rest nobody owes."""
    reopened = _reopened(draft, dispute, payment, kept, practice)
    left = kept - sum(part.amount for part in reopened)
    account = draft.books.account
    out_of_credit = min(left, max(0, account.credit))
    if out_of_credit:
        draft.change(replace(account, credit=account.credit - out_of_credit))
    unowed = left - out_of_credit
    if unowed:
        now = draft.books.dispute(dispute.dispute_id) or dispute
        draft.change(replace(now, written_off=now.written_off + unowed))
    return dispute_lost(_pairs(reopened), out_of_credit, unowed)


def _reopened(draft: Draft, dispute: Dispute, payment: Attempt, most: Cents, practice: Practice) -> tuple[Part, ...]:
    """Make up to `most` cents of this payment owed again, never more than an invoice still has of it."""
    left = draft.books.left_of(payment)
    parts: list[Part] = []
    for invoice in draft.books.invoices:
        has = min(left.get(invoice.invoice_id, 0), invoice.paid - invoice.refunded - invoice.disputed_back)
        take = min(most, max(0, has))
        if take:
            most -= take
            parts.append(Part(invoice.invoice_id, take))
            owed = replace(invoice, disputed_back=invoice.disputed_back + take)
            draft.change(_due_again(owed, practice, draft))
    now = draft.books.dispute(dispute.dispute_id) or dispute
    draft.change(replace(now, reopened=_sum(now.reopened, parts)))
    for part in parts:
        instalment_failed(draft, part.invoice_id, practice)
    return tuple(parts)


def share_again(draft: Draft, payment: Attempt, freed: Cents, practice: Practice) -> tuple[Entry, ...]:
    """A refund of this payment failed, and `freed` cents of credit are the client's again: what a lost dispute found
    gone, and wrote off, is owed again after all, and then comes out of that credit, which the bank gave them."""
    entries: tuple[Entry, ...] = ()
    for dispute in draft.books.disputes:
        if dispute.payment == payment.number and dispute.written_off:
            reopened = _reopened(draft, dispute, payment, dispute.written_off, practice)
            share = sum(part.amount for part in reopened)
            account = draft.books.account
            out_of_credit = min(dispute.written_off - share, freed, max(0, account.credit))
            if out_of_credit:
                freed -= out_of_credit
                draft.change(replace(account, credit=account.credit - out_of_credit))
            now = draft.books.dispute(dispute.dispute_id) or dispute
            draft.change(replace(now, written_off=now.written_off - share - out_of_credit))
            entries += dispute_lost(_pairs(reopened), out_of_credit, -share - out_of_credit)
    return entries


def _owed_no_more(draft: Draft, dispute: Dispute, given_back: Cents) -> tuple[Entry, ...]:
    """The bank gives back what it had kept: undone is what nobody owed, then what was owed again, also where it was
    written off since; what was paid a second time meanwhile is the client's credit."""
    unowed = min(given_back, dispute.written_off)
    left = given_back - unowed
    closed: list[Part] = []
    entries: tuple[Entry, ...] = ()
    for part in dispute.reopened:
        invoice = _invoice(draft.books, part.invoice_id)
        again = min(invoice.written_off, max(0, min(left, part.amount) - invoice.open_amount))
        invoice = replace(invoice, written_off=invoice.written_off - again)
        entries += written_off(invoice.invoice_id, -again)
        take = min(left, part.amount, invoice.open_amount)
        if take:
            left -= take
            closed.append(Part(part.invoice_id, -take))
            owed = replace(invoice, disputed_back=invoice.disputed_back - take)
            quiet = owed if owed.open_amount else replace(owed, charge_at=None, remind_at=None, past_due_at=None)
            draft.change(quiet)
            instalment_paid(draft, part.invoice_id)
    if left:
        account = draft.books.account
        draft.change(replace(account, credit=account.credit + left))
    reopened = _sum(dispute.reopened, closed)
    draft.change(replace(dispute, reopened=reopened, written_off=dispute.written_off - unowed))
    return entries + dispute_lost(_pairs(closed), -left, -unowed)


def _pairs(parts: "tuple[Part, ...] | list[Part]") -> list[tuple[str, Cents]]:
    return [(part.invoice_id, part.amount) for part in parts]


def _sum(parts: tuple[Part, ...], more: list[Part]) -> tuple[Part, ...]:
    """The same shares, one per invoice."""
    total: dict[str, Cents] = {}
    for part in (*parts, *more):
        total[part.invoice_id] = total.get(part.invoice_id, 0) + part.amount
    return tuple(Part(invoice_id, amount) for invoice_id, amount in total.items() if amount)
