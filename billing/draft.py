"""A change in the making: what a decision alters, collected so that each row is written once, one version up, with the
facts that say what happened. The caller commits `writes()` as one transaction.

Why it exists: a posted payment may touch an invoice, its plan, the account and the attempt, some of them for two
reasons. Deciding on a moving picture (`books` follows each change) and writing each row once keeps both right.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from billing.account import Account, Books, Consent
from billing.disclosure import Disclosure
from billing.dispute import Dispute
from billing.facts import Fact, FactKind
from billing.ids import Key
from billing.invoice import Invoice
from billing.invoice_lines import InvoiceLines
from billing.ledger import Entry
from billing.payment import Attempt, Card
from billing.plan import Plan
from billing.ports import Check, Insert, Update, Write
from billing.refund import Refund
from billing.review import ListedReview, Review

Row = Account | Invoice | Attempt | Card | Plan | Refund | Dispute | Review | ListedReview

MOST_WRITES = 100
"""What one transaction of the table takes."""


@dataclass
class Draft:
    """Changes to one account at `now`, by `actor`, because of `cause` (an id)."""

    books: Books
    now: datetime
    actor: str
    cause: str

    def __post_init__(self) -> None:
        self._versions: dict[Key, int] = {}
        self._rows: dict[Key, Row] = {}
        self._fresh: dict[Key, Row | Consent | InvoiceLines | Disclosure] = {}
        self._facts: list[Fact] = []
        self._checks: dict[Key, Row] = {}

    def change(self, row: Row) -> None:
        """Take the row's new content; its version is raised once, however often it changes here."""
        key = row.key
        if key in self._fresh:
            self._fresh[key] = row
        else:
            stored = self._versions.setdefault(key, row.version)
            row = replace(row, version=stored + 1)
            self._rows[key] = row
        self._follow(row)

    def insert(self, row: Row | Consent | InvoiceLines | Disclosure) -> None:
        """A row that does not exist yet, at version 1."""
        assert row.version == 1, f"a new row starts at version 1, not {row.version}"
        self._fresh[row.key] = row
        if not isinstance(row, Consent | InvoiceLines | Disclosure):
            self._follow(row)

    def rely_on(self, row: Row) -> None:
        """The decision holds only while this row stays as it is."""
        self._checks[row.key] = row

    def fact(self, kind: str, about: Row, data: Mapping[str, str | int], entries: Sequence[Entry] = ()) -> None:
        """Something happened to `about`, which must be changed or inserted here: the fact carries its new version."""
        key = about.key
        version = self._rows[key].version if key in self._rows else self._fresh[key].version
        account = self.books.account
        self._facts.append(
            Fact(
                practice=account.practice,
                client=account.client,
                item=key.sk,
                version=version,
                kind=kind,
                at=self.now,
                actor=self.actor,
                cause=self.cause,
                data=data,
                entries=tuple(entries),
            )
        )

    def call_off(self, invoice: Invoice, reason: str) -> None:
        """The announced charge of the invoice, changed to this, does not happen; the fact says why (AUTO-9)."""
        self.change(invoice)
        data: dict[str, str | int] = {"reason": reason, "amount": invoice.open_amount}
        self.fact(FactKind.CHARGE_CANCELLED, invoice, {"invoice_id": invoice.invoice_id} | data)

    @property
    def room(self) -> int:
        """How many more writes fit this commit."""
        return MOST_WRITES - len(self.writes())

    def writes(self) -> tuple[Write, ...]:
        """Everything, as one commit."""
        checks = (Check(row) for key, row in self._checks.items() if key not in self._rows and key not in self._fresh)
        writes: tuple[Write, ...] = (
            *(Insert(row) for row in self._fresh.values()),
            *(Update(row) for row in self._rows.values()),
            *checks,
            *(Insert(fact) for fact in self._facts),
        )
        assert len(writes) <= MOST_WRITES, f"{len(writes)} writes do not fit one commit"
        return writes

    def _follow(self, row: Row) -> None:
        books = self.books
        match row:
            case Account():
                self.books = replace(books, account=row)
            case Invoice():
                others = tuple(i for i in books.invoices if i.invoice_id != row.invoice_id)
                ordered = tuple(sorted((*others, row), key=lambda i: (i.issued_at, i.invoice_id)))
                self.books = replace(books, invoices=ordered)
            case Attempt():
                others_a = tuple(a for a in books.attempts if a.number != row.number)
                self.books = replace(books, attempts=(*others_a, row))
            case Card():
                others_c = tuple(c for c in books.cards if c.card_id != row.card_id)
                self.books = replace(books, cards=(*others_c, row))
            case Plan():
                others_p = tuple(p for p in books.plans if p.plan_id != row.plan_id)
                self.books = replace(books, plans=(*others_p, row))
            case Refund():
                others_r = tuple(r for r in books.refunds if r.refund_id != row.refund_id)
                self.books = replace(books, refunds=(*others_r, row))
            case Dispute():
                others_d = tuple(d for d in books.disputes if d.dispute_id != row.dispute_id)
                self.books = replace(books, disputes=(*others_d, row))
            case Review():
                others_w = tuple(r for r in books.reviews if r.review_id != row.review_id)
                self.books = replace(books, reviews=(*others_w, row))
            case ListedReview():
                pass  # a list for people: nothing is decided from it


def noted(
    invoice: Invoice, kind: FactKind, now: datetime, actor: str, cause: str, data: Mapping[str, str | int]
) -> tuple[Write, ...]:
    """The invoice as changed, one version up, and the fact that says why: the commonest commit there is."""
    changed = replace(invoice, version=invoice.version + 1)
    fact = Fact(
        practice=invoice.practice,
        client=invoice.client,
        item=changed.key.sk,
        version=changed.version,
        kind=kind,
        at=now,
        actor=actor,
        cause=cause,
        data={"invoice_id": invoice.invoice_id, **data},
    )
    return (Update(changed), Insert(fact))
