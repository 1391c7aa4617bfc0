"""What a bill rests on, as mails and pages say it."""

from enum import StrEnum

from billing.invoice import Invoice, Source


class Basis(StrEnum):
    """The health plan's decision, an estimate before it (INV-2), the client's own agreement to pay, or the provider's
    word (INV-4)."""

    DECIDED = "decided"
    ESTIMATED = "estimated"
    SELF_PAY = "self_pay"
    BY_HAND = "by_hand"


def basis_of(invoice: Invoice) -> Basis:
    """What this bill rests on by now: an estimate ends as a decision."""
    if invoice.estimated:
        return Basis.ESTIMATED
    return {Source.SESSION: Basis.SELF_PAY, Source.BY_HAND: Basis.BY_HAND}.get(invoice.source, Basis.DECIDED)
