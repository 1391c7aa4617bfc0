"""The mails about what staff changed: an invoice is not owed any more."""

from collections.abc import Iterable

from billing.desk import Desk, Written
from billing.facts import Fact, FactKind
from billing.money import dollars
from billing.notice import NoticeKind


def no_longer_owed(fact: Fact, desk: Desk) -> Iterable[Written]:
    """The client hears it only of what they were once told to pay (DESK-3). Why is staff's own note, told to nobody."""
    amount, invoice_id = int(fact.data["amount"]), str(fact.data["invoice_id"])
    if not amount or invoice_id not in desk.told:
        return ()
    voided = fact.kind == FactKind.INVOICE_VOIDED
    letter = desk.to_client(
        NoticeKind.NO_LONGER_OWED,
        amount=amount,
        reason=f"cancelled your bill of {dollars(amount)}" if voided else f"no longer asks you for {dollars(amount)}",
        announced=bool(fact.data["announced"]),
    )
    return [(letter, ())]
