"""A practice with one client, whose pay link is opened: what the tests of the pay pages stand on."""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

from billing.account import Account, Books, Contact
from billing.claim import Adjustment, ClaimResult, ClaimStatus, ServiceLine
from billing.explain import explain
from billing.ids import practice_key
from billing.invoice import Invoice, Source
from billing.invoice_lines import InvoiceLines
from billing.payment import Attempt, Card, CardDetails
from billing.policy import Policy, Practice, Provider
from billing.ports import Checkout, Insert, Record, Update
from billing.settling import settle
from functions.serve_client.door import Visit, csrf_token, new_session
from functions.serve_client.forms import Form
from tests.fakes.cards import FakeCards
from tests.fakes.fence import FencedStore
from tests.fakes.store import MemoryStore

NOW = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
PRACTICE, CLIENT, PROVIDER = "prac_riverbend", "client_8841", "prov_chen"
PHONE = "+12025550143"
SESSION = "a-session-id-of-256-random-bits-in-43-characters"
BASE = "/pay/link"
ORIGIN = "https://pay.example.com"


@dataclass
class HostedPages(FakeCards):
    """Stripe in memory; `returns`: where each opened page sends the browser, paid or not."""

    returns: list[str] = field(default_factory=list)

    def open_checkout(self, attempt: Attempt, return_url: str, cancel_url: str) -> Checkout:
        self.returns += [return_url, cancel_url]
        return super().open_checkout(attempt, return_url, cancel_url)


def visa(**changes: object) -> CardDetails:
    details = CardDetails("pm_visa", "visa", "4242", 12, 2030, "credit")
    return replace(details, **changes)  # type: ignore[arg-type]


SAVED_VISA = Card(PRACTICE, CLIENT, "card_visa", 1, "pm_visa", "visa", "4242", 12, 2030, "credit")


@dataclass
class World:
    """`store` and `cards` are the ports; everything else are shorthands for what a story is about."""

    store: MemoryStore = field(default_factory=lambda: FencedStore("serve_client"))
    cards: HostedPages = field(default_factory=HostedPages)

    def put(self, *records: Record) -> None:
        self.store.commit(*(Insert(record) for record in records))

    def change(self, record: Record, **changes: object) -> None:
        stored = self.store.get(record.key)
        assert stored is not None
        changed: Record = replace(stored, version=stored.version + 1, **changes)  # type: ignore[type-var]
        self.store.commit(Update(changed))

    @property
    def books(self) -> Books:
        return Books.expect(self.store, PRACTICE, CLIENT)

    @property
    def account(self) -> Account:
        return self.books.account

    @property
    def practice(self) -> Practice:
        stored = self.store.get(practice_key(PRACTICE))
        assert isinstance(stored, Practice)
        return stored

    def bill(self, number: int, amount: int = 6250, on: date = date(2026, 10, 30), **changes: object) -> Invoice:
        """An open invoice of a claim, with its explanation, issued `number` days before now."""
        invoice = Invoice(
            practice=PRACTICE,
            client=CLIENT,
            invoice_id=f"inv_{number}",
            version=1,
            source=Source.CLAIM,
            source_id=f"claim_{number}",
            ordinal=0,
            amount=amount,
            issued_at=NOW - timedelta(days=number),
            service_date=on,
            provider=PROVIDER,
        )
        invoice = replace(invoice, **changes)  # type: ignore[arg-type]
        self.put(invoice)
        if invoice.source is Source.CLAIM:
            self.put(InvoiceLines(PRACTICE, CLIENT, invoice.invoice_id, explain(a_result(amount, on), None)))
        return invoice

    def attempt(self, number: int = 1) -> Attempt:
        attempt = self.books.attempt(number)
        assert attempt is not None
        return attempt

    def settle(self, number: int = 1) -> None:
        """Stripe's word about a hosted page reaches the books, as a webhook would bring it."""
        attempt = self.attempt(number)
        evidence = self.cards.read_checkout(attempt)
        self.store.commit(*settle(self.books, attempt, evidence, self.practice, NOW))

    def pays(self, number: int = 1, card: CardDetails | None = None) -> None:
        """The client finishes the hosted page, and we hear of it."""
        self.cards.pay_on_page(self.attempt(number).session_id, card or visa())
        self.settle(number)

    def signed_in(self) -> None:
        """A browser that passed the phone check a moment ago."""
        self.put(new_session(visit(""), SESSION))


def a_result(owed: int, on: date) -> ClaimResult:
    """A session of $150 of which `owed` is left: $22.50 of it copay where there is so much, the rest deductible."""
    charged = max(15000, owed)
    copay = min(2250, owed)
    discount = min(4500, charged - owed)
    adjustments = [Adjustment("PR", "3", copay)]
    if discount:
        adjustments.append(Adjustment("CO", "45", discount))
    if owed > copay:
        adjustments.append(Adjustment("PR", "1", owed - copay))
    paid = charged - discount - owed
    line = ServiceLine("90834", (), on, "1", charged, paid, tuple(adjustments), "")
    return ClaimResult(
        claim_id="claim",
        payer_claim_id="2026-1",
        payer_ids=("87726",),
        payer_name="Example Health Plan",
        status=ClaimStatus.PROCESSED_PRIMARY,
        raw_status="1",
        adjudicated_on=on,
        currency="usd",
        charged=charged,
        paid=paid,
        stated_responsibility=owed,
        adjustments=(),
        lines=(line,),
        original_payer_claim_id="",
        test=False,
        ordinal=0,
    )


def a_world(policy: Policy | None = None, **practice: object) -> World:
    """Riverbend Therapy, Dr. Maya Chen, and Ana Lima with nothing to pay."""
    world = World()
    riverbend = Practice(
        practice=PRACTICE,
        version=1,
        name="Riverbend Therapy",
        time_zone="America/Los_Angeles",
        phone="(202) 555-0143",
        email="desk@riverbend.example",
        policy=policy or Policy(),
    )
    world.put(
        replace(riverbend, **practice),  # type: ignore[arg-type]
        Provider(PRACTICE, PROVIDER, 1, "Dr. Maya Chen", "chen@riverbend.example"),
        Contact(PRACTICE, CLIENT, 1, "Ana Lima", "ana@example.com", PHONE),
        Account(PRACTICE, CLIENT, 1, provider=PROVIDER),
    )
    return world


def three_bills() -> World:
    """$250.00 in three invoices; the most recent session is that of inv_3, the last one issued inv_1."""
    world = a_world()
    world.bill(1, 6250, date(2026, 10, 23))
    world.bill(2, 12500, date(2026, 10, 16))
    world.bill(3, 6250, date(2026, 10, 30))
    world.signed_in()
    return world


def visit(session_id: str = SESSION, now: datetime = NOW, link_epoch: int = 0) -> Visit:
    return Visit(PRACTICE, CLIENT, link_epoch, BASE, ORIGIN, now, session_id, "203.0.113.7")


def form(session_id: str = SESSION, **fields: str | list[str]) -> Form:
    """A form of the page, with the session's token."""
    sent = {name: [value] if isinstance(value, str) else value for name, value in fields.items()}
    return Form({"csrf": [csrf_token(session_id)], **sent})
