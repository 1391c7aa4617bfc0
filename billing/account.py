"""A client's account: one row for what decisions rely on (autopay, consent, cap, card, credit, plan), and the rows
around it. The balance is never stored: it is the sum of what is open (design: Data).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from billing.dispute import Dispute
from billing.ids import Key, account_key, account_pk, contact_key, facts_pk, segment
from billing.invoice import Invoice
from billing.money import Cents
from billing.payment import Attempt, Card
from billing.plan import Plan
from billing.ports import Store
from billing.refund import Refund, RefundState
from billing.review import Review
from billing.row import Asleep


@dataclass(frozen=True)
class Contact(Asleep):
    """Who the client is and how to reach them. Apart from the books: erasing a person keeps those."""

    TYPE: ClassVar[str] = "contact"

    practice: str
    client: str
    version: int
    name: str
    email: str
    phone: str
    state: str = ""
    portal_eligible: bool = True
    mail_bounces: bool = False

    @property
    def key(self) -> Key:
        return contact_key(self.practice, self.client)


@dataclass(frozen=True)
class Account(Asleep):
    """What a charge decision relies on. `cap`: the client's limit per charge in cents, None where they chose none and
    the practice's default holds (AUTO-2). `link_epoch`: raising it revokes every pay link. `turned_off_at`: when the
    client last turned autopay off; nothing they agreed to before counts after it (LAW-7). `enrolled_at`: since when
    autopay is on; what was issued before is charged only if the client ticked it (AUTO-1). `agreed_at`: when they gave
    the consent in force, `agreed_cap`: the most that one charge could take without a click by then, their own limit or
    the practice's (LAW-6)."""

    TYPE: ClassVar[str] = "account"

    practice: str
    client: str
    version: int
    provider: str = ""
    autopay: bool = False
    consent_id: str = ""
    cap: Cents | None = None
    default_card: str = ""
    stripe_customer: str = ""
    credit: Cents = 0
    active_plan: str = ""
    failed_charges: int = 0
    link_epoch: int = 0
    turned_off_at: datetime | None = None
    enrolled_at: datetime | None = None
    agreed_at: datetime | None = None
    agreed_cap: Cents | None = None

    @property
    def key(self) -> Key:
        return account_key(self.practice, self.client)


@dataclass(frozen=True)
class PhoneTries(Asleep):
    """Failed phone checks of one account (PAY-2)."""

    TYPE: ClassVar[str] = "phone_tries"

    practice: str
    client: str
    version: int
    failed_at: tuple[datetime, ...] = ()
    locked_until: datetime | None = None

    @property
    def key(self) -> Key:
        return Key(account_pk(self.practice, self.client), "PHONE#")


@dataclass(frozen=True)
class LinkSession(Asleep):
    """A browser that passed the phone check of a pay link: kept by the hash of its id, for 30 minutes (PAY-1).
    `expires` is epoch seconds, when the table forgets it."""

    TYPE: ClassVar[str] = "link_session"

    practice: str
    client: str
    session_hash: str
    expires_at: datetime
    link_epoch: int
    expires: int
    version: int = 1

    @property
    def key(self) -> Key:
        return Key(f"S#{segment(self.practice)}#{self.session_hash}#", "SESSION#")


@dataclass(frozen=True)
class Consent(Asleep):
    """A client's recorded agreement to automatic payments (AUTO-1): which text, when, from where, within what cap."""

    TYPE: ClassVar[str] = "consent"

    practice: str
    client: str
    consent_id: str
    text_version: str
    text_hash: str
    agreed_at: datetime
    ip: str
    cap: Cents | None
    card_id: str
    not_fsa: bool
    version: int = 1

    @property
    def key(self) -> Key:
        return Key(facts_pk(self.practice, self.client), f"CONSENT#{segment(self.consent_id)}#")


@dataclass(frozen=True)
class Books:
    """One consistent read of an account: everything a decision about its money is made from."""

    account: Account
    cards: tuple[Card, ...]
    invoices: tuple[Invoice, ...]
    attempts: tuple[Attempt, ...]
    plans: tuple[Plan, ...]
    refunds: tuple[Refund, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    reviews: tuple[Review, ...] = ()

    @classmethod
    def of(cls, rows: Iterable[object]) -> "Books | None":
        """Sort the rows of an account's partition; None where there is no account row."""
        account: Account | None = None
        cards: list[Card] = []
        invoices: list[Invoice] = []
        attempts: list[Attempt] = []
        plans: list[Plan] = []
        refunds: list[Refund] = []
        disputes: list[Dispute] = []
        reviews: list[Review] = []
        for row in rows:
            match row:
                case Account():
                    account = row
                case Card():
                    cards.append(row)
                case Invoice():
                    invoices.append(row)
                case Attempt():
                    attempts.append(row)
                case Plan():
                    plans.append(row)
                case Refund():
                    refunds.append(row)
                case Dispute():
                    disputes.append(row)
                case Review():
                    reviews.append(row)
                case _:
                    pass  # phone tries share the partition and decide nothing about money
        if account is None:
            return None
        return cls(
            account,
            tuple(cards),
            tuple(sorted(invoices, key=lambda i: (i.issued_at, i.invoice_id))),
            tuple(attempts),
            tuple(plans),
            tuple(refunds),
            tuple(disputes),
            tuple(sorted(reviews, key=lambda r: (r.opened_at, r.review_id))),
        )

    @classmethod
    def read(cls, store: Store, practice: str, client: str) -> "Books | None":
        """One consistent read of the account; None for a client we do not know."""
        return cls.of(store.partition(account_pk(practice, client)))

    @classmethod
    def expect(cls, store: Store, practice: str, client: str) -> "Books":
        """As `read`, where the client must exist because one of their own rows led here."""
        books = cls.read(store, practice, client)
        assert books is not None, f"{practice} has rows of client {client} but no account"
        return books

    @property
    def balance(self) -> Cents:
        """Open amounts plus instalments not yet issued (contract.md)."""
        return sum(i.open_amount for i in self.invoices) + sum(p.not_yet_issued for p in self.plans)

    def invoice(self, invoice_id: str) -> Invoice | None:
        return next((i for i in self.invoices if i.invoice_id == invoice_id), None)

    def attempt(self, number: int) -> Attempt | None:
        return next((a for a in self.attempts if a.number == number), None)

    def card(self, card_id: str) -> Card | None:
        return next((c for c in self.cards if c.card_id == card_id), None)

    def plan(self, plan_id: str) -> Plan | None:
        return next((p for p in self.plans if p.plan_id == plan_id), None)

    def refund(self, refund_id: str) -> Refund | None:
        return next((r for r in self.refunds if r.refund_id == refund_id), None)

    def dispute(self, dispute_id: str) -> Dispute | None:
        return next((d for d in self.disputes if d.dispute_id == dispute_id), None)

    def review(self, review_id: str) -> Review | None:
        return next((r for r in self.reviews if r.review_id == review_id), None)

    def reviews_of(self, invoice_id: str) -> tuple[Review, ...]:
        """Every review of an invoice, the oldest first; at most one of them is open (INV-7)."""
        return tuple(r for r in self.reviews if r.invoice_id == invoice_id)

    def left_of(self, payment: Attempt) -> dict[str, Cents]:
        """What each invoice still has of a payment, in cents: what neither went back (or is on its way) nor was made
        owed again by a lost dispute."""
        left = {part.invoice_id: part.amount for part in payment.paid_parts}
        gone = [r.parts for r in self.refunds if r.payment == payment.number and r.state is not RefundState.FAILED]
        gone += [d.reopened for d in self.disputes if d.payment == payment.number]
        for part in (part for parts in gone for part in parts):
            left[part.invoice_id] = left.get(part.invoice_id, 0) - part.amount
        return {invoice_id: max(0, amount) for invoice_id, amount in left.items()}

    def is_disputed(self, payment: Attempt) -> bool:
        """Whether the client's bank is deciding about this payment: nobody touches it meanwhile (PAY-13)."""
        return any(d.is_open for d in self.disputes if d.payment == payment.number)

    def refunded_of(self, payment: Attempt) -> Cents:
        """What of a payment went back, or is on its way back."""
        ours = (r for r in self.refunds if r.payment == payment.number)
        return sum(r.amount for r in ours if r.state is not RefundState.FAILED)

    @property
    def default_card(self) -> Card | None:
        return self.card(self.account.default_card)

    @property
    def next_attempt_number(self) -> int:
        return 1 + max((a.number for a in self.attempts), default=0)
