"""The whole life of one autopay invoice, metered: claim result in, invoice, notice, 48 h, charge, receipt, webhook.

Production flows run on the real store over a real MiniStack and the embedded Stripe; only the queues are stood in for,
because what they cost follows from the number of messages: in batches of ten, a message is three tenths of a request
(send, receive, delete). Counts are exact and the same on every machine. Several lives share a body, its slice and its
night, as the claims of a payer's file do.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from bench.meter import Meter
from billing.account import Account, Books, Contact
from billing.autopay import CONSENT_HASH, CONSENT_VERSION
from billing.claim import SubmittedClaim, SubmittedLine
from billing.claim_state import ClaimState, Submission
from billing.facts import ROUTES, Message, WakeKind
from billing.ids import Key
from billing.notice import Letter
from billing.payment import Enrolment
from billing.policy import Practice
from billing.ports import Insert, Store, Update, Write
from billing.settling import start_setup
from billing.stripe_event import StripeEvent
from edges.card_gateway import StripeCards
from edges.store import DynamoStore
from functions.charge_autopay import flow as charge_autopay
from functions.create_plan import flow as create_plan
from functions.ingest_claims import flow as ingest_claims
from functions.issue_invoice import flow as issue_invoice
from functions.read_claims import flow as read_claims
from functions.reconcile.bodies import lost_messages
from functions.send_email import flow as send_email
from functions.settle_payment import flow as settle_payment
from functions.wake_due import flow as wake_due
from infra.local.stripe import EmbeddedStripe
from infra.local.stripe.sdk import in_process_client
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.cloud import LocalCloud

PRACTICE = "prac_1"
SHARDS = 4
SQS_REQUESTS_PER_MESSAGE = 0.3
RESULT = {
    "payer": {"id": "87726", "name": "Example Health Plan"},
    "payer_claim_id": "2026-000123",
    "status": "processed_primary",
    "adjudicated_on": "2026-11-20",
    "currency": "usd",
    "charged": 15000,
    "paid": 9000,
    "adjustments": [],
    "lines": [
        {
            "procedure": "90834",
            "service_date": "2026-10-30",
            "charged": 15000,
            "paid": 9000,
            "adjustments": [
                {"group": "CO", "code": "45", "amount": 4500},
                {"group": "PR", "code": "3", "amount": 1500},
            ],
        }
    ],
}


class RelayedStore(DynamoStore):
    """The production store, with the stream played in: what a commit inserted becomes messages."""

    def __init__(self, client: Any, table: str) -> None:
        super().__init__(client, table, SHARDS)
        self.messages: list[tuple[str, Message]] = []
        self.relayed = 0

    def commit(self, *writes: Write) -> None:
        super().commit(*writes)
        for write in writes:
            kind = getattr(write.record, "kind", "")
            if isinstance(write, Insert) and kind:
                self.relay(kind, write.record.key)

    def relay(self, kind: str, key: Key) -> None:
        """A message to each verb that looks at this kind."""
        self.messages += [(verb, Message(kind, key)) for verb in ROUTES[kind]]
        self.relayed += len(ROUTES[kind])


@dataclass
class CountingMailer:
    """Accepts every letter."""

    sent: list[Letter] = field(default_factory=list)

    def deliver(self, notice_id: str, letter: Letter) -> str:
        self.sent.append(letter)
        return f"ses-{notice_id}"


@dataclass
class Step:
    """What one part of the life cost."""

    name: str
    write_units: float = 0.0
    read_units: float = 0.0
    writes: float = 0


class Life:
    """One practice, `lives` clients with autopay, a submitted claim of each, on a fresh table."""

    def __init__(self, cloud: LocalCloud, lives: int = 1) -> None:
        self.claims = {f"cli_{n}": f"KB7Q2M9X4{n}" for n in range(1, lives + 1)}
        self.now = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
        self.stripe = EmbeddedStripe(now=lambda: self.now)
        self.stripe.listen("http://127.0.0.1/webhooks/stripe", "whsec_bench")
        self.cards = StripeCards(in_process_client(self.stripe))
        self.store = RelayedStore(cloud.client("dynamodb"), cloud.fresh_table())
        self.blobs, self.mailer = MemoryBlobs(), CountingMailer()
        self.steps: list[Step] = []
        self._set_up()

    def _set_up(self) -> None:
        self.store.commit(
            Insert(
                Practice(PRACTICE, 1, "Riverbend Therapy", "America/Los_Angeles", "+12025550143", "desk@example.org")
            )
        )
        for client, claim in self.claims.items():
            self._client(client, claim)
            self._enrol(client)
        self.store.messages.clear()
        self.store.relayed = 0
        self.stripe.take_deliveries()

    def _client(self, client: str, claim_id: str) -> None:
        session = date(2026, 10, 30)
        line = SubmittedLine("90834", (), "1", session, 15000, ("F411",), "s1")
        claim = SubmittedClaim(claim_id, client, "prov_1", "87726", "M1", 15000, session, "", (line,))
        customer = self.cards.ensure_customer(PRACTICE, client)
        self.store.commit(
            Insert(Account(PRACTICE, client, 1, "prov_1", stripe_customer=customer)),
            Insert(Contact(PRACTICE, client, 1, "Ana Ruiz", "ana@example.org", "+12025550111")),
            Insert(Submission(PRACTICE, claim, self.now)),
            Insert(ClaimState(PRACTICE, claim_id, 1, client)),
        )

    def _enrol(self, client: str) -> None:
        enrolment = Enrolment(CONSENT_VERSION, CONSENT_HASH, self.now, "127.0.0.1", None, not_fsa=True)
        attempt, writes = start_setup(Books.expect(self.store, PRACTICE, client), enrolment, self.now)
        self.store.commit(*writes)
        page = self.cards.open_checkout(attempt, "http://127.0.0.1/done", "http://127.0.0.1/back")
        opened = replace(attempt, session_id=page.session_id, session_url=page.url, version=2)
        self.store.commit(Update(opened))
        self.stripe.complete_checkout(page.session_id, number="4242424242424242")
        books = Books.expect(self.store, PRACTICE, client)
        settle_payment.settle_attempt(self.store, self.cards, books, opened, self.now)

    def run(self) -> list[Step]:
        """Live it, step by step."""
        self._metered("claim result in", self._ingest)
        self._metered("read", lambda: self._drain("read_claims"))
        self._metered("invoice issued", lambda: self._drain("issue_invoice"))
        self._metered("charge announced", lambda: self._drain("send_email"))
        self._metered("nothing lost, by night", self._night)
        self.now += timedelta(hours=48)
        self._metered("woken", self._wake)
        self._metered("charged", lambda: self._drain("charge_autopay"))
        self._metered("receipt", lambda: self._drain("send_email"))
        self._metered("webhook stored", self._webhook)
        self._metered("webhook settled", lambda: self._drain("settle_payment"))
        return self.steps

    def _metered(self, name: str, part: Callable[[], None]) -> None:
        with Meter() as meter:
            part()
        writes = meter.of(
            "dynamodb.PutItem", "dynamodb.UpdateItem", "dynamodb.DeleteItem", "dynamodb.TransactWriteItems"
        )
        self.steps.append(Step(name, meter.write_units, meter.read_units, writes))

    def _ingest(self) -> None:
        results = [{"claim_id": claim} | RESULT for claim in self.claims.values()]
        body = json.dumps(results[0] if len(results) == 1 else {"results": results}).encode()
        delivery = ingest_claims.Delivery(PRACTICE, "key", "application/json", body)
        ingest_claims.keep(delivery, store=self.store, blobs=self.blobs, now=self.now)

    def _night(self) -> None:
        """What the nightly reconciliation writes about a body of which nothing is missing."""
        for shard in range(SHARDS):
            for item in self.store.due(shard, self.now + timedelta(hours=26), 100):
                if item.due_at.endswith(WakeKind.CHECK_RECEIPT):
                    assert not lost_messages(self.store, item.key)
                    self.store.set_due(item.key, None)

    def _wake(self) -> None:
        """The sweep of the minute in which the charge falls due."""
        swept = wake_due.run(store=self.store, send=self._send, shards=SHARDS, seconds_left=lambda: 50.0, now=self.now)
        assert swept.woken == len(self.claims), f"woke {swept.woken}"

    def _send(self, messages: Iterable[tuple[str, Message]], delay_seconds: int = 0) -> int:
        assert delay_seconds <= 1, "so few charges have their turns within the second"
        sent = list(messages)
        self.store.messages += sent
        self.store.relayed += len(sent)
        return len(sent)

    def _webhook(self) -> None:
        """As receive_stripe does: store the event once. Only the types it listens to that carry our metadata."""
        for client in self.claims:
            attempt = max(Books.expect(self.store, PRACTICE, client).attempts, key=lambda a: a.number)
            kind = "payment_intent.succeeded"
            event = StripeEvent(f"evt_{client}", kind, attempt.intent_id, PRACTICE, client, attempt.number, self.now, 0)
            self.store.commit(Insert(event))

    def _drain(self, verb: str) -> None:
        """Deliver what waits for a verb, and what that makes for the same verb."""
        while mine := [m for v, m in self.store.messages if v == verb]:
            self.store.messages = [(v, m) for v, m in self.store.messages if v != verb]
            for message in mine:
                self._deliver(verb, message, self.store)

    def _deliver(self, verb: str, message: Message, store: Store) -> None:
        match verb:
            case "read_claims":
                read_claims.run(message, store=store, blobs=self.blobs, now=self.now)
            case "issue_invoice":
                issue_invoice.run(message, store=store, now=self.now)
            case "send_email":
                send_email.run(message, store=store, mailer=self.mailer, now=self.now)
            case "charge_autopay":
                charge_autopay.run(message, store=store, cards=self.cards, now=self.now)
            case "settle_payment":
                settle_payment.run(message, store=store, cards=self.cards, now=self.now)
            case "create_plan":
                create_plan.run(message, store=store, now=self.now)
            case _:
                raise AssertionError(f"no verb {verb}")
