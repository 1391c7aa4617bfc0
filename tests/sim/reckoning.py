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
from itertools import combinations
from typing import Any

from billing.account import Books
from billing.invariants import StripePayment, StripeRefund
from billing.invoice import Source
from billing.money import Cents
from billing.refund import RefundCause, RefundState
from billing.staff_action import Deed

SMALLEST = 50
"""Stripe charges nothing below 50 cents (INV-11)."""
Did = tuple[Deed, str, str, int]
"""A change that staff were told is done: what, the client, the invoice, the cents it is about."""
CARE = frozenset({Source.CLAIM, Source.ESTIMATE, Source.SESSION})
"""What is billed for care; the others are parts of a plan."""


@dataclass(frozen=True)
class Word:
    """What payers say of one claim. `amounts`: what they may have left to the client in the end, in cents ·
    `meanwhile`: what else they may have said on the way there."""

    amounts: frozenset[Cents]
    meanwhile: frozenset[Cents] = frozenset()


@dataclass(frozen=True)
class Client:
    """One client at the end. `words`: by claim · `orders`: what staff did about them · `taken`, `back`, `disputes`:
    Stripe's own objects · `keeps_credit`: what was paid too much stays with the practice."""

    words: Mapping[str, Word]
    orders: tuple[Did, ...]
    taken: tuple[StripePayment, ...]
    back: tuple[StripeRefund, ...]
    disputes: tuple[Mapping[str, Any], ...]
    keeps_credit: bool = False

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

    @property
    def bank_decides(self) -> bool:
        """Some bank is still deciding."""
        return any(dispute["status"] not in ("won", "lost") for dispute in self.disputes)


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
    yield from _credit_is_where_it_belongs(books, client)


def _credit_is_where_it_belongs(books: Books, client: Client) -> Iterator[str]:
    """INV-3: what was paid too much goes back to the card that paid, or stays with the practice, as it chose. What was
    never at Stripe, and what a bank, a card or Stripe itself refused to take back, stays, and staff are told."""
    credit = books.account.credit
    if client.keeps_credit:
        if any(refund.cause is RefundCause.CORRECTED for refund in books.refunds):
            yield "was sent money back that the practice wanted to keep as credit"
        return
    refused = sum(refund.amount for refund in client.back if refund.failed) + sum(
        refund.amount for refund in books.refunds if refund.state is RefundState.FAILED and not refund.stripe_id
    )
    outside = client.did(Deed.OUTSIDE_PAYMENT).total()
    if credit > outside + refused and not client.disputes:
        yield f"has credit of {credit}, and nothing of it could not go back to a card"


def _billed(books: Books) -> Counter[str]:
    """By claim, what its bills ask for together."""
    billed: Counter[str] = Counter()
    for invoice in books.invoices:
        if invoice.source in CARE:
            billed[about(invoice.source_id)] += 0 if invoice.void else invoice.amount + invoice.corrected
    return billed


def about(source_id: str) -> str:
    """An estimate is of its claim, or of the session that the claim is about: never billed beside it (INV-2)."""
    return source_id.removeprefix("claim/").removeprefix("session_")


def _out_of_credit(books: Books) -> Cents:
    """What went back of money that nobody owed."""
    gone = (refund for refund in books.refunds if refund.state is not RefundState.FAILED)
    return sum(refund.out_of_credit for refund in gone)


def _claims_ask_for_the_last_word(books: Books, client: Client, billed: Counter[str]) -> Iterator[str]:
    """INV-1, INV-3: each claim's bills ask for what its payers said last; for nothing where staff voided one since.
    While a bank decides about a payment, a later word waits for a person (PAY-13)."""
    for claim, word in client.words.items():
        may_be = word.amounts | (word.meanwhile if client.bank_decides else frozenset())
        voided = [client.did(Deed.VOID)[i.invoice_id] for i in books.invoices if i.void and about(i.source_id) == claim]
        asked = {billed[claim] + sum(some) for n in range(len(voided) + 1) for some in combinations(voided, n)}
        if asked.isdisjoint(may_be):
            yield f"claim {claim} was billed {billed[claim]}, it may be {sorted(may_be)}"
    strange = {claim: amount for claim, amount in billed.items() if amount and claim not in client.words}
    if strange:
        yield f"invoices of claims that nobody decided: {strange}"


def _write_offs_are_staffs(books: Books, client: Client) -> Iterator[str]:
    """Nobody but staff forgives, and it stays forgiven, unless less was owed or a bank gave back what it had kept. What
    no card can take alone is let go in the end (INV-11)."""
    forgiven = client.did(Deed.WRITE_OFF)
    for invoice in books.invoices:
        by_staff, by_books = forgiven[invoice.invoice_id], invoice.written_off
        if 0 < by_books - by_staff < SMALLEST:
            by_books = by_staff
        if by_books > by_staff or (client.firm and by_books != by_staff):
            yield f"{invoice.invoice_id} says that {by_books} were written off, staff wrote off {by_staff}"
