"""Money that the practice took itself, in cash or by check, recorded by staff: from then on an ordinary payment, with a
receipt, that no card can get back (INV-10).
"""

from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from billing.adjusting import asked_for_no_more, refuse_disputed, refuse_in_progress
from billing.draft import Draft
from billing.facts import FactKind
from billing.invoice import Invoice
from billing.ledger import paid_outside
from billing.money import Cents, dollars
from billing.payment import Attempt, AttemptKind, AttemptState, Part
from billing.period import local_date
from billing.plan_progress import instalment_paid
from billing.policy import OutsidePayments, Practice
from billing.ports import Refused

RULE = "INV-10"


class PaidBy(StrEnum):
    """How the money came."""

    CASH = "cash"
    CHECK = "check"
    OTHER = "other"


SHOWN = {PaidBy.CASH: "Cash", PaidBy.CHECK: "Check", PaidBy.OTHER: ""}
"""As receipts and pages name it, where a card would stand."""


@dataclass(frozen=True)
class Outside:
    """What staff say of the money. `received_on`: the practice's day, None for today."""

    amount: Cents
    paid_by: PaidBy
    received_on: date | None


def record_outside(draft: Draft, invoice: Invoice, told: Outside, practice: Practice) -> Attempt:
    """Book the money on this invoice -> its payment. Nothing more is asked for, or charged, once nothing is open.

    Raises Refused: 422 for a day to come; `outside_payments_refused` by the practice's policy; `more_than_owed`;
    `disputed`; `payment_in_progress` last, as the other changes of staff do.
    """
    if practice.policy.outside_payments is OutsidePayments.REFUSED:
        sentence = "This practice records no payments from outside: its policy outside_payments says so."
        raise Refused("outside_payments_refused", sentence, rule=RULE)
    today = local_date(draft.now, practice.time_zone)
    if told.received_on is not None and told.received_on > today:
        raise Refused("invalid", f"must be no later than today, {today}", rule=RULE, status=422)
    refuse_disputed(invoice, RULE)
    if told.amount > invoice.open_amount:
        sentence = f"Of this invoice {dollars(invoice.open_amount)} is open: record no more than that."
        raise Refused("more_than_owed", sentence, rule=RULE)
    refuse_in_progress(invoice, RULE)
    payment = Attempt(
        practice=invoice.practice,
        client=invoice.client,
        number=draft.books.next_attempt_number,
        version=1,
        channel=AttemptKind.OUTSIDE,
        parts=(Part(invoice.invoice_id, told.amount),),
        customer="",
        payment_method="",
        card_id="",
        card_shown=SHOWN[told.paid_by],
        started_at=draft.now,
        state=AttemptState.POSTED,
        posted_at=draft.now,
    )
    draft.insert(payment)
    paid = replace(invoice, paid=invoice.paid + told.amount)
    draft.change(paid if paid.open_amount else asked_for_no_more(paid))
    data: dict[str, str | int] = {
        "attempt": payment.number,
        "amount": told.amount,
        "excess": 0,
        "payment_id": payment.attempt_id,
        "received_on": (told.received_on or today).isoformat(),
    }
    draft.fact(FactKind.PAYMENT_POSTED, payment, data, paid_outside(invoice.invoice_id, told.amount))
    instalment_paid(draft, invoice.invoice_id)
    return payment
