"""Asking for what is owed, gently: reminders on fixed days after issue, and the day an invoice becomes past due
(INV-8, INV-9); and how an invoice begins, with both. Pure dates from the anchor; nothing here knows what was sent.
"""

from dataclasses import replace
from datetime import date, datetime, time, timedelta

from billing.ids import invoice_id
from billing.invoice import Invoice, Source
from billing.money import Cents
from billing.period import local_date, local_instant, morning
from billing.policy import Practice


def new_invoice(
    practice: Practice,
    client: str,
    source: Source,
    source_id: str,
    amount: Cents,
    *,
    service_date: date,
    provider: str,
    now: datetime,
    ordinal: int = 0,
) -> Invoice:
    """An invoice as it begins: named after what it is for, ageing from now (INV-8) and reminded of (INV-9)."""
    blank = Invoice(
        practice=practice.practice,
        client=client,
        invoice_id=invoice_id(practice.practice, client, source, source_id, ordinal),
        version=1,
        source=source,
        source_id=source_id,
        ordinal=ordinal,
        amount=amount,
        issued_at=now,
        service_date=service_date,
        provider=provider,
        past_due_at=past_due_from(now, practice),
    )
    return back_to_reminders(blank, practice, now)


def next_reminder(issued_at: datetime, practice: Practice, after: datetime) -> datetime | None:
    """The first reminder later than `after`: 09:00 on one of `reminder_days` after issue; None after the last."""
    day = local_date(issued_at, practice.time_zone)
    mornings = (morning(day + timedelta(days=d), practice.time_zone) for d in sorted(practice.policy.reminder_days))
    return next((m for m in mornings if m > after), None)


def past_due_from(issued_at: datetime, practice: Practice) -> datetime:
    """When the payment window has ended: the first instant of the day `payment_window_days` after issue (INV-8)."""
    day = local_date(issued_at, practice.time_zone) + timedelta(days=practice.policy.payment_window_days)
    return local_instant(day, time(0, 0), practice.time_zone)


def back_to_reminders(invoice: Invoice, practice: Practice, now: datetime) -> Invoice:
    """The invoice with no charge announced any more: the next reminder still to come takes over (AUTO-8).

    One too small to be paid alone has none: it waits for the client's next bill (INV-11). Does not raise the version:
    the caller folds it into its own change.
    """
    asked_for = invoice.open_amount > 0 and not invoice.is_small
    remind_at = next_reminder(invoice.issued_at, practice, now) if asked_for else None
    return replace(invoice, charge_at=None, remind_at=remind_at)
