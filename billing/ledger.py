"""Double entry: every movement of money is a set of entries that sums to zero, written with the fact that caused it
and never changed. A mistake is another set of entries that says why.

Debits are positive, credits negative. `item` says which invoice or plan a receivable belongs to, so the open amount of
each can be recomputed from the entries alone; worked examples stand in docs/money.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from billing.money import Cents


class Book(StrEnum):
    """The accounts of the books."""

    RECEIVABLE = "receivable"
    PATIENT_RESPONSIBILITY = "patient_responsibility"
    CLEARING = "clearing"
    CREDIT = "credit"
    REFUNDS = "refunds"
    WRITE_OFF = "write_off"
    DISPUTED = "disputed"
    OUTSIDE = "outside"


@dataclass(frozen=True)
class Entry:
    """`amount` cents on `book` for `item` (an invoice id, a plan id, or "" where it belongs to the account)."""

    book: Book
    item: str
    amount: Cents


def balanced(*entries: Entry) -> tuple[Entry, ...]:
    """The entries without the empty ones; asserts that they sum to zero (invariant 1)."""
    total = sum(e.amount for e in entries)
    assert total == 0, f"entries do not balance: {entries} sum to {total}"
    return tuple(e for e in entries if e.amount)


def invoice_issued(invoice_id: str, amount: Cents) -> tuple[Entry, ...]:
    """The client owes what the payer left: receivable against patient responsibility."""
    return balanced(Entry(Book.RECEIVABLE, invoice_id, amount), Entry(Book.PATIENT_RESPONSIBILITY, invoice_id, -amount))


def payment_posted(applied: Iterable[tuple[str, Cents]], excess: Cents) -> tuple[Entry, ...]:
    """Money arrived at Stripe: it settles receivables; what exceeds them is the client's credit, never ours."""
    applied = tuple(applied)
    total = sum(amount for _, amount in applied) + excess
    return balanced(
        Entry(Book.CLEARING, "", total),
        *(Entry(Book.RECEIVABLE, item, -amount) for item, amount in applied),
        Entry(Book.CREDIT, "", -excess),
    )


def receivable_moved(source: Iterable[tuple[str, Cents]], target: str) -> tuple[Entry, ...]:
    """What was owed under several items is owed under one: invoices into a plan, a plan's share into an instalment."""
    source = tuple(source)
    return balanced(
        *(Entry(Book.RECEIVABLE, item, -amount) for item, amount in source),
        Entry(Book.RECEIVABLE, target, sum(amount for _, amount in source)),
    )


def refund_started(parts: Iterable[tuple[str, Cents]], out_of_credit: Cents) -> tuple[Entry, ...]:
    """Money is set aside to go back: what an invoice's share takes is no longer the practice's, what the credit's share
    takes is no longer the client's to spend."""
    parts = tuple(parts)
    total = sum(amount for _, amount in parts) + out_of_credit
    return balanced(
        *(Entry(Book.PATIENT_RESPONSIBILITY, item, amount) for item, amount in parts),
        Entry(Book.CREDIT, "", out_of_credit),
        Entry(Book.REFUNDS, "", -total),
    )


def refund_posted(amount: Cents) -> tuple[Entry, ...]:
    """What was set aside has left Stripe."""
    return balanced(Entry(Book.REFUNDS, "", amount), Entry(Book.CLEARING, "", -amount))


def refund_failed(parts: Iterable[tuple[str, Cents]], out_of_credit: Cents, *, posted: bool) -> tuple[Entry, ...]:
    """`refund_started` undone; where the money had left, it is at Stripe again."""
    started = refund_started(parts, out_of_credit)
    return tuple(
        Entry(Book.CLEARING if posted and e.book is Book.REFUNDS else e.book, e.item, -e.amount) for e in started
    )


def voided(invoice_id: str, amount: Cents) -> tuple[Entry, ...]:
    """The invoice should never have been: its issuing, taken back."""
    return balanced(Entry(Book.RECEIVABLE, invoice_id, -amount), Entry(Book.PATIENT_RESPONSIBILITY, invoice_id, amount))


def corrected_down(invoice_id: str, taken: Iterable[Entry]) -> tuple[Entry, ...]:
    """Less was owed than was billed: patient responsibility gives back what `taken` takes out of receivables, credit
    and write-offs."""
    taken = tuple(taken)
    total = sum(entry.amount for entry in taken)
    return balanced(*taken, Entry(Book.PATIENT_RESPONSIBILITY, invoice_id, -total))


def credit_applied(invoice_id: str, amount: Cents) -> tuple[Entry, ...]:
    """The client's credit pays what is open."""
    return balanced(Entry(Book.CREDIT, "", amount), Entry(Book.RECEIVABLE, invoice_id, -amount))


def written_off(invoice_id: str, amount: Cents) -> tuple[Entry, ...]:
    """It was owed, and is not asked for any more."""
    return balanced(Entry(Book.WRITE_OFF, invoice_id, amount), Entry(Book.RECEIVABLE, invoice_id, -amount))


def dispute_moved(withdrawn: Cents) -> tuple[Entry, ...]:
    """The bank took that much of a disputed payment out of our money at Stripe (negative: gave it back)."""
    return balanced(Entry(Book.DISPUTED, "", withdrawn), Entry(Book.CLEARING, "", -withdrawn))


def dispute_lost(reopened: Iterable[tuple[str, Cents]], out_of_credit: Cents, written_off: Cents) -> tuple[Entry, ...]:
    """What the bank keeps is owed again by what the payment had paid; what none of it can take was the client's credit,
    or nobody owes it. All negative: it gave that back after all."""
    reopened = tuple(reopened)
    total = sum(amount for _, amount in reopened) + out_of_credit + written_off
    return balanced(
        *(Entry(Book.RECEIVABLE, item, amount) for item, amount in reopened),
        Entry(Book.CREDIT, "", out_of_credit),
        Entry(Book.WRITE_OFF, "", written_off),
        Entry(Book.DISPUTED, "", -total),
    )


def paid_outside(invoice_id: str, amount: Cents) -> tuple[Entry, ...]:
    """The practice took the money itself; it never was at Stripe."""
    return balanced(Entry(Book.OUTSIDE, "", amount), Entry(Book.RECEIVABLE, invoice_id, -amount))
