"""Amounts that no card can pay alone (INV-11): an open amount under 50 cents waits for the client's next charge, which
takes it along, or is let go 60 days after it was issued.

Taken along is what the notice of that charge said: a small amount is tied to the charge by the notice's id, and what
came after the notice waits for the next one.
"""

from dataclasses import replace
from datetime import datetime

from billing.account import Books
from billing.autopay import cap_of
from billing.draft import Draft
from billing.facts import FactKind
from billing.good_faith import far_above_estimate
from billing.invoice import Invoice
from billing.ledger import written_off
from billing.money import Cents
from billing.plan_progress import instalment_paid
from billing.policy import Practice
from billing.ports import Write

MOST_TAKEN_ALONG = 20
"""More of them wait for the charge after: it all is one commit."""
TOO_SMALL = "too_small"
"""Why it was written off, as its fact says."""


def free_to_go_along(books: Books, invoice: Invoice, practice: Practice, moment: datetime) -> tuple[Invoice, ...]:
    """The small amounts that a charge of `invoice` at `moment`, about to be announced, can take along: nothing stands
    in the way of charging them, no other charge has them, and all together are within the client's limit (AUTO-2)."""
    going: list[Invoice] = []
    room = cap_of(books, practice) - invoice.open_amount
    for small in books.invoices:
        may = small.is_small and small.invoice_id != invoice.invoice_id and _chargeable(books, small)
        since = books.account.enrolled_at
        agreed = since is None or small.issued_at >= since  # what was open before is charged only if ticked (AUTO-1)
        stays = taken_by(books, small) is None and small.let_go_at > moment
        if may and agreed and stays and small.open_amount <= room and len(going) < MOST_TAKEN_ALONG:
            going.append(small)
            room -= small.open_amount
    return tuple(going)


def go_along(books: Books, invoice: Invoice, practice: Practice) -> tuple[Invoice, ...]:
    """The small amounts that the charge of `invoice` takes along now: announced with it, and still as they were."""
    tied = tied_to(books, invoice)
    together = invoice.open_amount + sum(one.open_amount for one in tied)
    return tied if together <= cap_of(books, practice) else ()


def tied_to(books: Books, invoice: Invoice) -> tuple[Invoice, ...]:
    """The small amounts that were announced with the charge of `invoice`, and may be charged."""
    tied = (one for one in books.invoices if _is_tied(one, invoice))
    return tuple(one for one in tied if one.is_small and _chargeable(books, one))


def taken_by(books: Books, small: Invoice) -> Invoice | None:
    """The announced charge (or the one on its way) that takes this small amount along; None where none does."""
    coming = (one for one in books.invoices if one.charge_at is not None or one.open_attempt)
    return next((one for one in coming if _is_tied(small, one)), None)


def _is_tied(small: Invoice, invoice: Invoice) -> bool:
    same_notice = small.notice_id == invoice.notice_id != ""
    return same_notice and small.notice_at is not None and small.invoice_id != invoice.invoice_id


def _chargeable(books: Books, small: Invoice) -> bool:
    stopped = small.open_attempt or small.charged_by_click_only or small.plan_id or far_above_estimate(books, small)
    return small.payable and not stopped


def let_go(books: Books, invoice: Invoice, now: datetime) -> tuple[Write, ...]:
    """Write a small amount off that no charge came for in 60 days; () where it is not that, or not yet."""
    if not invoice.is_small or not invoice.payable or invoice.open_attempt or invoice.let_go_at > now:
        return ()
    amount: Cents = invoice.open_amount
    draft = Draft(books, now, "system", invoice.invoice_id)
    gone = replace(invoice, written_off=invoice.written_off + amount, charge_at=None, remind_at=None, past_due_at=None)
    draft.change(gone)
    data: dict[str, str | int] = {"invoice_id": invoice.invoice_id, "amount": amount, "reason": TOO_SMALL}
    draft.fact(FactKind.INVOICE_WRITTEN_OFF, gone, data, written_off(invoice.invoice_id, amount))
    instalment_paid(draft, invoice.invoice_id)
    return draft.writes()
