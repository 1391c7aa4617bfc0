"""One practice, one client with autopay, and invoices of recognisable amounts: what the tests of the rules start from.

Riverbend is in Los Angeles; `NOW` is Friday, 2026-11-20, 09:00 there. Ana has a Visa on file and autopay on.
"""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from billing.account import Account, Books, Contact
from billing.facts import Fact
from billing.invoice import Invoice, Source
from billing.ledger import Entry
from billing.payment import Attempt, AttemptKind, AttemptState, Card, Part
from billing.policy import Policy, Practice, Provider
from billing.ports import Check, Delete, Insert, Record, Update, Write

NOW = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)

PRACTICE = Practice(
    "riverbend", 1, "Riverbend Therapy", "America/Los_Angeles", "+13105550100", "desk@riverbend.example"
)
PROVIDER = Provider("riverbend", "dr_lee", 1, "Dr. Lee", "lee@riverbend.example")
CONTACT = Contact("riverbend", "ana", 1, "Ana Ruiz", "ana@mail.example", "+13105550111")
VISA = Card("riverbend", "ana", "card_visa", 1, "pm_visa", "visa", "4242", 12, 2030, "credit")
MASTERCARD = Card("riverbend", "ana", "card_mc", 1, "pm_mc", "mastercard", "4444", 12, 2030, "credit")
ENROLLED = Account(
    "riverbend",
    "ana",
    1,
    "dr_lee",
    autopay=True,
    consent_id="consent_1",
    default_card="card_visa",
    stripe_customer="cus_ana",
    agreed_at=NOW - timedelta(days=30),
)
BY_HAND = replace(ENROLLED, autopay=False, consent_id="", default_card="", agreed_at=None)


def practice(**policy: Any) -> Practice:
    """Riverbend with other policies."""
    return replace(PRACTICE, policy=replace(Policy(), **policy))


def invoice(amount: int, invoice_id: str = "inv_session", **changes: Any) -> Invoice:
    """An invoice of Ana's for `amount` cents, issued at NOW, nothing done about it."""
    blank = Invoice(
        practice="riverbend",
        client="ana",
        invoice_id=invoice_id,
        version=1,
        source=Source.CLAIM,
        source_id=f"claim_of_{invoice_id}",
        ordinal=0,
        amount=amount,
        issued_at=NOW,
        service_date=date(2026, 10, 30),
        provider="dr_lee",
    )
    return replace(blank, **changes)


def announced(amount: int, invoice_id: str = "inv_session", **changes: Any) -> Invoice:
    """An invoice whose charge was announced two days ago and is due now."""
    noticed = {
        "issued_at": NOW - timedelta(hours=48),
        "notice_id": "notice_1",
        "notice_at": NOW - timedelta(hours=48),
        "card_id": "card_visa",
        "charge_at": NOW,
    }
    return invoice(amount, invoice_id, **(noticed | changes))


def books(*rows: Record, account: Account = ENROLLED) -> Books:
    """Ana's account with these rows, and her Visa where autopay is on."""
    cards = (VISA,) if account.default_card == VISA.card_id else ()
    found = Books.of((account, *cards, *rows))
    assert found is not None
    return found


def after(before: Books, writes: tuple[Write, ...]) -> Books:
    """The account once these writes are in, every guard checked as the table would."""
    stored = (before.cards, before.invoices, before.attempts, before.plans, before.refunds, before.disputes)
    rows: dict[Any, Record] = {row.key: row for row in (before.account, *(row for kind in stored for row in kind))}
    keys = [w.record.key for w in writes]
    assert len(set(keys)) == len(keys), "one row twice in a commit"
    for write in writes:
        found_row = rows.get(write.record.key)
        match write:
            case Insert(record):
                assert found_row is None, f"{record.key} exists"
                rows[record.key] = record
            case Update(record):
                assert found_row is not None, f"{record.key} does not exist"
                assert found_row.version == record.version - 1, f"{record.key}: {found_row.version} -> {record.version}"
                rows[record.key] = record
            case Check(record):
                assert found_row is not None, f"{record.key} does not exist"
                assert found_row.version == record.version
            case Delete(record):
                del rows[record.key]
    found = Books.of(rows.values())
    assert found is not None
    return found


def paid(*bills: Invoice, number: int = 1, **changes: Any) -> tuple[Record, ...]:
    """These invoices, each paid whole by one card payment, and that payment."""
    parts = tuple(Part(bill.invoice_id, bill.open_amount) for bill in bills)
    payment = Attempt(
        practice="riverbend",
        client="ana",
        number=number,
        version=1,
        channel=AttemptKind.AUTOPAY,
        parts=parts,
        customer="cus_ana",
        payment_method="pm_visa",
        card_id="card_visa",
        started_at=NOW,
        state=AttemptState.POSTED,
        intent_id=f"pi_{number}",
        charge_id=f"ch_{number}",
        posted_at=NOW,
        card_shown="Visa ending 4242",
    )
    return (*(replace(bill, paid=bill.paid + bill.open_amount) for bill in bills), replace(payment, **changes))


def facts(writes: tuple[Write, ...]) -> list[Fact]:
    """The facts of a commit."""
    return [w.record for w in writes if isinstance(w.record, Fact)]


def kinds(writes: tuple[Write, ...]) -> list[str]:
    """The kinds of the facts of a commit."""
    return [fact.kind for fact in facts(writes)]


def entries(writes: tuple[Write, ...]) -> list[Entry]:
    """The ledger entries of a commit."""
    return [entry for fact in facts(writes) for entry in fact.entries]
