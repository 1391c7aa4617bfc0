"""The mails about an invoice that somebody asked to look into: that it is, and that its amount stands (INV-7).

An amount that was corrected has the mail of every correction (INV-3). What the client wrote and what staff noted are
free text, and stay out of mails (LAW-1).
"""

from collections.abc import Iterable

from billing.desk import Desk, Written, staff
from billing.facts import Fact
from billing.money import dollars
from billing.notice import NoticeKind
from billing.review import ReviewStatus

NOTHING_LEFT_TO_CHECK = "We were checking the amount of this bill for you. That is over: you need not do anything."


def review_over(fact: Fact) -> str:
    """What a mail about an invoice adds where a review of it ended with it; "" where none did."""
    return NOTHING_LEFT_TO_CHECK if "review_id" in fact.data else ""


def review_requested(fact: Fact, desk: Desk) -> Iterable[Written]:
    """The client reads what happens now, staff what to do."""
    review = desk.books.review(str(fact.data["review_id"]))
    assert review is not None, f"{fact.kind} names {fact.data['review_id']}, which does not exist"
    amount = int(fact.data["amount"])
    letter = desk.to_client(
        NoticeKind.REVIEW_OPENED,
        amount=amount,
        announced=bool(fact.data["announced"]),
        left=int(fact.data["open"]),
    )
    quoted = dollars(review.quoted) if review.quoted is not None else "another amount"
    reason = f"Client {fact.client} says that their health plan quoted {quoted}, not {dollars(amount)}."
    what_to_do = (
        "The bill is not charged, reminded of or past due until you decide. Ask the plan, note the reference of that "
        f"call, then uphold or correct the amount. The review is {review.review_id}, of invoice {review.invoice_id}."
    )
    return [(letter, ()), *staff(desk, reason, what_to_do)]


def review_decided(fact: Fact, desk: Desk) -> Iterable[Written]:
    """That the amount stands, and what happens next; a charge that is planned again has a notice of its own. Of any
    other end the mail about the invoice tells."""
    if fact.data["status"] != ReviewStatus.UPHELD:
        return ()
    invoice = desk.books.invoice(str(fact.data["invoice_id"]))
    left = invoice.open_amount if invoice is not None and invoice.payable else 0
    return [(desk.to_client(NoticeKind.REVIEW_UPHELD, amount=int(fact.data["amount"]), left=left), ())]
