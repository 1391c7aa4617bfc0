"""A story in time over the real flows: a table in memory, a clock that moves when told, and the loop between them.

    table write -> stream -> ROUTES -> a message -> the verb's flow -> table write          (and what is due, wakes)

What a flow raises is treated as its queue would: TryAgain is delivered again, a crash is delivered again, anything
else is the test's failure. `copies`: how often every message arrives.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from billing.account import Account, Books
from billing.autopay import CONSENT_HASH, CONSENT_VERSION
from billing.claim import ClaimResult, SubmittedClaim
from billing.claim_state import ClaimState, Hold, ReceivedResult, Submission, claim_state_key
from billing.draft import Draft
from billing.facts import ROUTES, Fact, Message
from billing.ids import claim_pk, facts_pk, holds_pk
from billing.invoice import Invoice
from billing.notice import Letter
from billing.payment import CardDetails, Enrolment
from billing.plan import Plan
from billing.planning import Agreement
from billing.policy import Practice
from billing.ports import Insert, TryAgain, Update
from billing.reconciliation import FINDINGS_PK, RECONCILIATION_KEY, Finding, Reconciliation
from billing.refunding import refund_invoice
from billing.stripe_event import StripeEvent
from functions.charge_autopay import flow as charge_autopay
from functions.create_plan import flow as create_plan
from functions.ingest_claims import flow as ingest_claims
from functions.issue_invoice import flow as issue_invoice
from functions.pay_back import flow as pay_back
from functions.read_claims import flow as read_claims
from functions.reconcile import flow as reconcile
from functions.send_email import flow as send_email
from functions.serve_client import hosted
from functions.serve_practice import flow as serve_practice
from functions.settle_payment import flow as settle_payment
from tests.billing.examples import CONTACT, ENROLLED, NOW, PRACTICE, PROVIDER, VISA
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.cards import Crash, FakeCards
from tests.fakes.mailer import FakeMailer
from tests.fakes.statement import FakeStatement
from tests.fakes.store import MemoryStore

LEASE = timedelta(minutes=5)
DELIVERIES = 6
"""After this many failed deliveries a message is dead."""
MOST_STEPS = 2_000
"""A story that needs more steps than this goes round in circles."""


class Story:
    """Ana at Riverbend. `dead`: messages that never succeeded. `loses`: kinds whose messages never arrive."""

    def __init__(self, account: Account = ENROLLED, practice: Practice = PRACTICE, copies: int = 1) -> None:
        self.now = NOW
        self.store = MemoryStore()
        self.cards = FakeCards()
        self.mailer = FakeMailer()
        self.statement = FakeStatement(self.cards)
        self.blobs = MemoryBlobs()
        self.loses: set[str] = set()
        self.copies = copies
        self.dead: list[tuple[str, Message]] = []
        self._relayed = 0
        self._webhooks = 0
        self._waiting: deque[tuple[str, Message, int]] = deque()
        cards = (Insert(VISA),) if account.default_card == VISA.card_id else ()
        self.store.commit(Insert(practice), Insert(PROVIDER), Insert(CONTACT), Insert(account), *cards)

    # ------------------------------------------------------------------------------------------- what people do

    def submit(self, claim: SubmittedClaim) -> None:
        """The practice submits a claim."""
        serve_practice.submit_claim(self.store, Submission("riverbend", replace(claim, client_id="ana"), self.now))
        self.settle()

    def receive(self, result: ClaimResult) -> None:
        """A payer's answer arrives."""
        self.store.commit(Insert(ReceivedResult("riverbend", result, "receipt_1", self.now)))
        self.settle()

    def post(self, body: bytes) -> None:
        """A body of claim results is posted, as JSON."""
        delivery = ingest_claims.Delivery("riverbend", "key", "application/json", body)
        ingest_claims.keep(delivery, store=self.store, blobs=self.blobs, now=self.now)
        self.settle()

    def open_page(self, *invoice_ids: str) -> str:
        """Ana opens the hosted page for these invoices -> its session."""
        attempt = hosted.start_payment(
            self.store,
            self.cards,
            "riverbend",
            "ana",
            lambda books: tuple(i for i in books.invoices if i.invoice_id in invoice_ids),
            None,
            self.now,
            "https://pay.example/done",
            "https://pay.example/back",
        )
        return attempt.session_id

    def pay(self, *invoice_ids: str) -> None:
        """Ana pays these invoices on the hosted page; the webhook of it is lost, the look-up finds it."""
        session = self.open_page(*invoice_ids)
        self.cards.pay_on_page(session, visa_details())
        self.hear(max(a.number for a in self.books.attempts))

    def enrol(self, *join: str, cap: int | None = None, **details: Any) -> None:
        """Ana saves a card on the hosted page and agrees to automatic payments."""
        agreed = Enrolment(CONSENT_VERSION, CONSENT_HASH, self.now, "192.0.2.7", cap, not_fsa=True, join=join)
        attempt = hosted.start_setup(
            self.store, self.cards, "riverbend", "ana", agreed, self.now, "https://x.example/d", "https://x.example/b"
        )
        self.cards.pay_on_page(attempt.session_id, replace(visa_details(), **details))
        self.hear(attempt.number)

    def hear(self, number: int) -> None:
        """Stripe's word about an attempt reaches us."""
        attempt = self.books.attempt(number)
        assert attempt is not None
        settle_payment.settle_attempt(self.store, self.cards, self.books, attempt, self.now)
        self.settle()

    def plan(self, weeks: int, start_on: date) -> Plan:
        """Staff make a payment plan."""
        agreement = Agreement(self.now, "by phone", "Sam")
        create_plan.create(self.store, self.cards, "riverbend", "ana", weeks, start_on, agreement, self.now)
        self.settle()
        return self.books.plans[-1]

    def refund(self, invoice_id: str, amount: int | None = None, request: str = "req_1") -> None:
        """Staff send money back."""
        self.start_refund(invoice_id, amount, request)
        self.settle()

    def start_refund(self, invoice_id: str, amount: int | None = None, request: str = "req_1") -> None:
        """Staff have asked for it; nobody has sent it yet."""
        books = self.books
        invoice = books.invoice(invoice_id)
        assert invoice is not None
        draft = Draft(books, self.now, "staff", request)
        refund_invoice(draft, invoice, amount, request)
        self.store.commit(*draft.writes())

    def webhook(self, event_type: str, number: int = 0, intent: str = "", event_id: str = "") -> None:
        """Stripe's webhook about that attempt, or about that payment where the object has none of our metadata."""
        self._webhooks += 1
        event = StripeEvent(
            event_id or f"evt_{self._webhooks}",
            event_type,
            intent,
            "riverbend" if number else "",
            "ana" if number else "",
            number,
            self.now,
            0,
        )
        self.store.commit(Insert(event))
        self.settle()

    def change(self, row: Account | Invoice | Practice) -> None:
        """Something is changed by a part of the product that this story does not tell about."""
        self.store.commit(Update(replace(row, version=row.version + 1)))

    # ------------------------------------------------------------------------------------------- how time passes

    def settle(self) -> None:
        """Relay the stream and deliver until nothing is on its way."""
        for _ in range(MOST_STEPS):
            self._relay()
            if not self._waiting:
                return
            verb, message, tries = self._waiting.popleft()
            try:
                self.deliver(verb, message)
            except (TryAgain, Crash):
                if tries + 1 < DELIVERIES:
                    self._waiting.append((verb, message, tries + 1))
                else:
                    self.dead.append((verb, message))
        raise AssertionError(f"never quiet: {self._waiting[0]}")

    def _relay(self) -> None:
        fresh = self.store.stream[self._relayed :]
        self._relayed = len(self.store.stream)
        for row in fresh:
            kind = str(getattr(row, "kind", ""))
            self.send((verb, Message(kind, row.key)) for verb in ROUTES[kind])

    def send(self, messages: Iterable[tuple[str, Message]]) -> int:
        """As a queue does, except for what is lost."""
        arriving = [one for one in messages if one[1].kind not in self.loses]
        self._waiting.extend((verb, message, 0) for verb, message in arriving for _ in range(self.copies))
        return len(arriving)

    def deliver(self, verb: str, message: Message) -> None:
        """One delivery of one message to its verb."""
        match verb:
            case "issue_invoice":
                issue_invoice.run(message, store=self.store, now=self.now)
            case "charge_autopay":
                charge_autopay.run(message, store=self.store, cards=self.cards, now=self.now)
            case "create_plan":
                create_plan.run(message, store=self.store, now=self.now)
            case "send_email":
                send_email.run(message, store=self.store, mailer=self.mailer, now=self.now)
            case "settle_payment":
                settle_payment.run(message, store=self.store, cards=self.cards, now=self.now)
            case "pay_back":
                pay_back.run(message, store=self.store, cards=self.cards, now=self.now)
            case "read_claims":
                read_claims.run(message, store=self.store, blobs=self.blobs, now=self.now)
            case "reconcile":
                reconcile.run(
                    message,
                    store=self.store,
                    cards=self.cards,
                    statement=self.statement,
                    send=self.send,
                    shards=self.store.shards,
                    now=self.now,
                )
            case _:
                raise AssertionError(f"{verb} has no part in this story")

    def wake(self) -> None:
        """As wake_due does: what is due is leased and sent."""
        for shard in range(self.store.shards):
            for item in self.store.due(shard, self.now, 100):
                assert self.store.lease(item, self.now + LEASE)
                kind = item.due_at.rpartition("#")[2]
                self.send((verb, Message(kind, item.key)) for verb in ROUTES[kind])
        self.settle()

    def forward(self, **span: float) -> None:
        """Let this much time pass, stepping from due instant to due instant."""
        self.until(self.now + timedelta(**span))

    def until(self, moment: datetime) -> None:
        """Step from due instant to due instant up to `moment`, and stop there."""
        for _ in range(MOST_STEPS):
            upcoming = self.store.next_due()
            at = datetime.fromisoformat(upcoming.partition("#")[0].replace("Z", "+00:00")) if upcoming else None
            if at is None or at > moment:
                self.now = moment
                return
            self.now = max(self.now, at)
            self.wake()
        raise AssertionError(f"something stays due for ever: {self.store.next_due()}")

    # ------------------------------------------------------------------------------------------- what is seen

    @property
    def books(self) -> Books:
        return Books.expect(self.store, "riverbend", "ana")

    @property
    def invoice(self) -> Invoice:
        """The only invoice there is."""
        (only,) = self.books.invoices
        return only

    @property
    def facts(self) -> list[Fact]:
        """Ana's facts, oldest first."""
        rows = self.store.partition(facts_pk("riverbend", "ana"), "FACT#")
        return sorted((r for r in rows if isinstance(r, Fact)), key=lambda f: f.at)

    @property
    def mails(self) -> list[str]:
        """The kinds of the mails Ana got, in order."""
        return [letter.kind for letter in self.letters]

    @property
    def letters(self) -> list[Letter]:
        return [letter for letter in self.mailer.sent if letter.to == CONTACT.email]

    @property
    def alerts(self) -> list[Letter]:
        """What staff got."""
        return [letter for letter in self.mailer.sent if letter.to != CONTACT.email]

    @property
    def taken(self) -> int:
        """All money that moved at Stripe, in cents."""
        return sum(amount for _, amount in self.cards.taken)

    @property
    def reconciliation(self) -> Reconciliation:
        """The nightly run's row."""
        row = self.store.get(RECONCILIATION_KEY)
        assert isinstance(row, Reconciliation)
        return row

    @property
    def findings(self) -> list[Finding]:
        """What the nights found, resolved or not."""
        return [r for r in self.store.partition(FINDINGS_PK) if isinstance(r, Finding)]

    @property
    def holds(self) -> list[Hold]:
        return [r for r in self.store.partition(holds_pk("riverbend")) if isinstance(r, Hold)]

    def claim_state(self, claim_id: str) -> ClaimState:
        state = self.store.get(claim_state_key("riverbend", claim_id))
        assert isinstance(state, ClaimState)
        return state

    def claim_rows(self, claim_id: str) -> list[object]:
        return list(self.store.partition(claim_pk("riverbend", claim_id)))


def visa_details() -> CardDetails:
    """The card Ana types into the hosted page."""
    return CardDetails("pm_new", "visa", "1881", 12, 2030, "credit")
