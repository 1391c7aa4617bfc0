"""What a client owes in the end, reckoned from the payers' last words, Stripe's objects and what staff did: the part of
the auditor that counts money.

    what payers left to the client − what was written off − what the client paid, net of what went back = what they owe

It knows nothing of how a correction is posted. Only one thing makes room: a refund that staff or somebody in Stripe's
dashboard gave. It makes nothing owed again (PAY-12), unless a later decision says that this money was never owed: then
it counts as returned (INV-3). How much of each, our books say; here is said between what bounds.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from billing.account import Books
from billing.invariants import StripePayment, StripeRefund
from billing.invoice import Source
from billing.money import Cents
from billing.refund import RefundState
from billing.staff_action import Deed

Did = tuple[Deed, str, str, int]
"""A change that staff were told is done: what, the client, the invoice, the cents it is about."""
CLAIMS = frozenset({Source.CLAIM, Source.ESTIMATE})


@dataclass(frozen=True)
class Word:
    """What payers say of one claim. `amounts`: what they may have left to the client in the end, in cents ·
    `meanwhile`: what else they may have said on the way there."""

    amounts: frozenset[Cents]
    meanwhile: frozenset[Cents] = frozenset()


@dataclass(frozen=True)
class Client:
    """One client at the end. `words`: by claim · `orders`: what staff did about them · `taken`, `back`, `disputes`:
    Stripe's own objects."""

    words: Mapping[str, Word]
    orders: tuple[Did, ...]
    taken: tuple[StripePayment, ...]
    back: tuple[StripeRefund, ...]
    disputes: tuple[Mapping[str, Any], ...]

    def did(self, deed: Deed) -> Counter[str]:
        """By invoice, the cents that staff did this about."""
        done: Counter[str] = Counter()
        for what, _, invoice, amount in self.orders:
            if what is deed:
                done[invoice] += amount
        return done

    @property
    def firm(self) -> bool:
        """Nobody ever took a word back: no payer, no bank."""
        return not self.disputes and not any(word.meanwhile for word in self.words.values())


def wrong_with(books: Books, client: Client) -> Iterator[str]:
    """What our books say otherwise than the reckoning does."""
    billed = _billed(books)
    yield from _claims_ask_for_the_last_word(books, client, billed)
    yield from _write_offs_are_staffs(books, client)
    paid = sum(payment.amount for payment in client.taken) + client.did(Deed.OUTSIDE_PAYMENT).total()
    back = sum(refund.amount for refund in client.back if not refund.failed)
    lost = sum(row["amount"] for row in client.disputes if row["status"] == "lost")
    booked = sum(invoice.refunded for invoice in books.invoices) + _out_of_credit(books)
    if back != booked:
        yield f"was refunded {back}; our books say {booked}"
    written_off = sum(invoice.written_off for invoice in books.invoices)
    given = sum(invoice.refunded for invoice in books.invoices) + sum(one.written_off for one in books.disputes)
    owes = sum(billed.values()) - written_off - (paid - back - lost) - given
    if owes != books.balance - books.account.credit:
        yield f"owes {owes}; our books say {books.balance} and credit {books.account.credit}"
    by_somebody = client.did(Deed.REFUND).total() + sum(r.amount for r in client.back if not r.refund_id)
    if given > by_somebody + lost or (client.firm and given != back):
        yield f"was given {given} of what they owed; staff and the dashboard gave {by_somebody}, {back} went back"


def _billed(books: Books) -> Counter[str]:
    """By claim, what its bills ask for together."""
    billed: Counter[str] = Counter()
    for invoice in books.invoices:
        if invoice.source in CLAIMS:
            billed[invoice.source_id] += 0 if invoice.void else invoice.amount + invoice.corrected
    return billed


def _out_of_credit(books: Books) -> Cents:
    """What went back of money that nobody owed."""
    gone = (refund for refund in books.refunds if refund.state is not RefundState.FAILED)
    return sum(refund.out_of_credit for refund in gone)


def _claims_ask_for_the_last_word(books: Books, client: Client, billed: Counter[str]) -> Iterator[str]:
    """INV-1, INV-3: each claim's bills ask for what its payers said last; for nothing where staff voided one since.
    While a bank decides about a payment, a later word waits for a person (PAY-13)."""
    voided = {i.source_id for i in books.invoices if i.invoice_id in client.did(Deed.VOID)}
    for claim, word in client.words.items():
        may_be = word.amounts | (word.meanwhile if client.disputes else frozenset())
        if billed[claim] not in may_be and (billed[claim] or claim not in voided):
            yield f"claim {claim} was billed {billed[claim]}, it may be {sorted(may_be)}"
    strange = {claim: amount for claim, amount in billed.items() if amount and claim not in client.words}
    if strange:
        yield f"invoices of claims that nobody decided: {strange}"


def _write_offs_are_staffs(books: Books, client: Client) -> Iterator[str]:
    """Nobody but staff forgives, and it stays forgiven, unless less was owed or a bank gave back what it had kept."""
    forgiven = client.did(Deed.WRITE_OFF)
    for invoice in books.invoices:
        by_staff, by_books = forgiven[invoice.invoice_id], invoice.written_off
        if by_books > by_staff or (client.firm and by_books != by_staff):
            yield f"{invoice.invoice_id} says that {by_books} were written off, staff wrote off {by_staff}"
