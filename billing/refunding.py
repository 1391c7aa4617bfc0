"""Starting a refund and settling it: money goes back to the card that paid, never more than that card paid (PAY-12).

A refund never makes anything owed again: what went back of an invoice is counted on it, its open amount stays. As with
charges, whoever hears of a refund (its own sending, a webhook, the look-up) settles it by the same ranked evidence, in
any order and any number of times.
"""

from dataclasses import replace

from billing.account import Books
from billing.draft import Draft
from billing.facts import FactKind
from billing.ids import attempt_id, refund_id
from billing.invoice import Invoice
from billing.ledger import refund_started
from billing.money import Cents
from billing.payment import Attempt, AttemptKind, AttemptState, Part, next_look_up
from billing.ports import Refused
from billing.refund import Refund, RefundCause

# ---------------------------------------------------------------------------------------------------- how much


def refundable(books: Books, invoice: Invoice) -> Cents:
    """The most that staff can send back of what was paid for this invoice, in cents."""
    return sum(left for _, left in _refundable(books, invoice))


def _refundable(books: Books, invoice: Invoice) -> list[tuple[Attempt, Cents]]:
    """The card payments of the invoice and what may go back of each, the newest payment first."""
    found = []
    for payment in _payments(books, invoice):
        left = books.left_of(payment)[invoice.invoice_id]
        if left and payment.channel is not AttemptKind.OUTSIDE and not is_disputed(books, payment):
            found.append((payment, left))
    return found


def _payments(books: Books, invoice: Invoice) -> list[Attempt]:
    """What paid the invoice, the newest first."""
    paid = (a for a in books.attempts if a.state is AttemptState.POSTED)
    ours = (a for a in paid if any(p.invoice_id == invoice.invoice_id for p in a.paid_parts))
    return sorted(ours, key=lambda a: a.number, reverse=True)


def is_disputed(books: Books, payment: Attempt) -> bool:
    """Whether the client's bank is deciding about this payment: nobody touches it meanwhile (PAY-13)."""
    return any(d.is_open for d in books.disputes if d.payment == payment.number)


# ---------------------------------------------------------------------------------------------------- starting


def refund_invoice(draft: Draft, invoice: Invoice, amount: Cents | None, request_id: str) -> tuple[Refund, ...]:
    """Start sending back `amount` cents (None: all that can be) of what cards paid for this invoice, the newest payment
    first: one refund for each payment it takes, all in this draft. `request_id` names the request for good.

    Raises Refused: `disputed` while a dispute of it is open, `paid_outside` where the money never was at Stripe,
    `more_than_paid` above what is left of the payments, `nothing_to_refund` where nothing is.
    """
    assert amount is None or amount > 0, f"a refund of {amount} cents"
    books = draft.books
    can = _refundable(books, invoice)
    most = sum(left for _, left in can)
    wanted = most if amount is None else amount
    if not wanted or wanted > most:
        raise _no(books, invoice, most)
    refunds = []
    for payment, left in can:
        take = min(left, wanted)
        if take:
            wanted -= take
            named = refund_id(invoice.practice, invoice.client, request_id, payment.attempt_id)
            parts = (Part(invoice.invoice_id, take),)
            refunds.append(start_refund(draft, payment, take, parts, RefundCause.STAFF, named))
    return tuple(refunds)


def _no(books: Books, invoice: Invoice, most: Cents) -> Refused:
    left = [(payment, books.left_of(payment)[invoice.invoice_id]) for payment in _payments(books, invoice)]
    if any(cents and is_disputed(books, payment) for payment, cents in left):
        return Refused("disputed", "The client's bank is deciding about this payment: wait for it.", rule="PAY-13")
    if any(cents and payment.channel is AttemptKind.OUTSIDE for payment, cents in left):
        sentence = "This was not paid by card: give the money back the way it came."
        return Refused("paid_outside", sentence, rule="PAY-12")
    if most:
        return Refused("more_than_paid", f"At most {most} cents of this can go back to the card.", rule="PAY-12")
    return Refused("nothing_to_refund", "No card payment of this invoice is left to refund.", rule="PAY-12")


def start_refund(
    draft: Draft, payment: Attempt, amount: Cents, parts: tuple[Part, ...], cause: RefundCause, named: str
) -> Refund:
    """Put a refund of this payment on disk and set its money aside: `parts` were invoices', the rest is credit's."""
    refund = Refund(
        practice=payment.practice,
        client=payment.client,
        refund_id=named,
        version=1,
        cause=cause,
        payment=payment.number,
        intent_id=payment.intent_id,
        amount=amount,
        parts=parts,
        started_at=draft.now,
        look_up_at=next_look_up(draft.now, 0),
    )
    draft.insert(refund)
    for part in parts:
        _count(draft, part, 1)
    _spend(draft, refund.out_of_credit)
    draft.fact(FactKind.REFUND_STARTED, refund, _about(refund), refund_started(_pairs(refund), refund.out_of_credit))
    return refund


def _count(draft: Draft, part: Part, sign: int) -> None:
    invoice = draft.books.invoice(part.invoice_id)
    assert invoice is not None, f"a refund of {part.invoice_id}, which does not exist"
    draft.change(replace(invoice, refunded=invoice.refunded + sign * part.amount))


def _spend(draft: Draft, cents: Cents) -> None:
    if cents:
        account = draft.books.account
        draft.change(replace(account, credit=account.credit - cents))


def _pairs(refund: Refund) -> list[tuple[str, Cents]]:
    return [(part.invoice_id, part.amount) for part in refund.parts]


def _about(refund: Refund) -> dict[str, str | int]:
    return {
        "refund_id": refund.refund_id,
        "attempt": refund.payment,
        "payment_id": attempt_id(refund.practice, refund.client, refund.payment),
        "amount": refund.amount,
        "cause": refund.cause,
    }
