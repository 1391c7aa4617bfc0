"""A running local copy: its parts, and what can be asked of it. The console answers from here, whatever the form."""

import asyncio
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from billing.account import Books
from billing.autopay import terms_of
from billing.claim_state import ReceivedResult, Submission
from billing.facts import Fact
from billing.ids import practice_key
from billing.money import dollars
from billing.policy import Practice
from billing.ports import Record, Refused
from billing.reconciliation import RECONCILIATION_KEY
from edges import desk_views
from edges.card_gateway import StripeCards, stripe_client
from edges.views import client_account
from functions.serve_client.forms import ORDINARY_CARD, Form, enrolment
from functions.serve_client.hosted import start_setup
from functions.serve_practice import reviews
from functions.serve_practice.flow import show_account
from functions.serve_practice.holds import open_holds
from infra.local import bounce
from infra.local.alarms import Alarm, judge
from infra.local.clock import Clock, Time
from infra.local.cloud import DEAD_LETTERS, Cloud
from infra.local.mailbox import Mail, read_mailbox
from infra.local.quiet import Quiet

if TYPE_CHECKING:
    from infra.local.stripe.server import StripeServer

STRIPE_KEY = "sk_test_embedded"


@dataclass(frozen=True)
class Person:
    """A client of the demo practice, for whoever wants to play one."""

    client_id: str
    name: str
    phone: str
    story: str


class NoSuchMail(Exception):
    """The mailbox has no mail of that id."""


class CardRefused(Exception):
    """The hosted page did not take the card; the message is what it says."""


class Copy:
    """Everything of one running copy, deployed. `people` is empty in a copy without demo data."""

    def __init__(self, base_url: str, cloud: Cloud, clock: Clock, stripe: "StripeServer", quiet: Quiet) -> None:
        self.base_url = base_url
        self.cloud = cloud
        self.clock = clock
        self.stripe = stripe
        self.quiet = quiet
        self.time = Time(clock, cloud, stripe, quiet)
        self.store = cloud.store()
        self.practice = ""
        self.keys: dict[str, str] = {}
        self.people: tuple[Person, ...] = ()

    def practice_row(self) -> Practice | None:
        """The practice, once it is set up."""
        row = self.store.get(practice_key(self.practice))
        return row if isinstance(row, Practice) else None

    # ---- facts ----

    def records(self) -> list[Record]:
        """Every row that is a fact, oldest first."""
        self.quiet.tail.read()
        return list(self.quiet.tail.facts)

    def facts(self, client_id: str = "") -> list[dict[str, Any]]:
        """Facts as the console shows them, newest first; only that client's if one is named."""
        shown = [_shown(record) for record in reversed(self.records())]
        return [fact for fact in shown if not client_id or fact["client_id"] == client_id]

    def demo(self) -> dict[str, Any]:
        """The practice, its people, and their claims that no payer has answered yet."""
        records = self.records()
        answered = {r.result.claim_id for r in records if isinstance(r, ReceivedResult)}
        claims = [r.claim for r in records if isinstance(r, Submission) and r.claim.claim_id not in answered]
        return {
            "practice_id": self.practice,
            "clients": [
                {
                    "client_id": person.client_id,
                    "name": person.name,
                    "phone": person.phone,
                    "story": person.story,
                    "open_claims": [
                        {"claim_id": c.claim_id, "charged": c.charged, "payer_id": c.payer_id}
                        for c in claims
                        if c.client_id == person.client_id
                    ],
                }
                for person in self.people
            ],
        }

    def waiting(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The holds and the reviews that wait for a person, as the practice's calls show them."""
        held = open_holds(self.store, self.practice)
        asked = reviews.listed(self.store, self.practice, is_open=True)
        return (
            [dict(desk_views.hold(one.hold, one.result, one.invoice_ids)) for one in held.waiting],
            [dict(desk_views.review(one.review, one.invoice)) for one in asked.found],
        )

    # ---- mail ----

    def mails(self, client_id: str = "") -> list[Mail]:
        """The mailbox, newest first; only that client's mails if one is named."""
        facts = [record for record in self.records() if isinstance(record, Fact)]
        return [m for m in read_mailbox(self.cloud, facts) if not client_id or m.client_id == client_id]

    def mail(self, mail_id: str) -> Mail:
        """Raises NoSuchMail."""
        for mail in self.mails():
            if mail.id == mail_id:
                return mail
        raise NoSuchMail(f"there is no mail {mail_id}")

    async def bounce(self, mail_id: str) -> Mail:
        """Report that mail as bounced and wait until the report was taken. Raises NoSuchMail."""
        mail = await asyncio.to_thread(self.mail, mail_id)
        await asyncio.to_thread(bounce.report, self.cloud, mail)
        return mail

    # ---- cards ----

    async def save_card(self, client_id: str, number: str, *, autopay: bool, cap: int | None) -> None:
        """Save a test card, and enrol it if asked, by what the pay page runs and the hosted page does.

        Raises Refused (unknown client), functions.serve_client.forms.Unfit, CardRefused, NotQuiet.
        """
        session_id = await asyncio.to_thread(self._open_setup, client_id, autopay, cap)
        outcome = self.stripe.stripe.complete_checkout(session_id, number=number)
        self.stripe.pump()
        if outcome.status != "complete":
            raise CardRefused((outcome.error or {}).get("message", "The card was not taken."))
        await self.quiet.settle()

    def account(self, client_id: str) -> Any:
        """The client's account as the API shows it. Raises Refused."""
        shown = show_account(self.store, self.practice, client_id, self.clock.now)
        return client_account(shown.books, shown.lines, shown.time_zone, can_book=shown.can_book)

    def _open_setup(self, client_id: str, autopay: bool, cap: int | None) -> str:
        books = Books.read(self.store, self.practice, client_id)
        practice = self.practice_row()
        if books is None or practice is None:
            raise Refused("unknown_client", f"There is no client {client_id}.", status=404)
        terms, limit = terms_of(practice.policy).version, dollars(cap) if cap else ""
        typed = {"terms": [terms], "card_kind": [ORDINARY_CARD], "cap": [limit]}
        agreed = enrolment(
            Form(typed | ({"autopay": ["on"]} if autopay else {})), books, practice, "127.0.0.1", self.clock.now
        )
        cards = StripeCards(stripe_client(STRIPE_KEY, f"{self.base_url}/_local/stripe"))
        page = f"{self.base_url}/_local"
        attempt = start_setup(self.store, cards, self.practice, client_id, agreed, self.clock.now, page, page)
        return attempt.session_id

    # ---- queues ----

    def queues(self) -> dict[str, dict[str, int]]:
        """Verb -> its queue's counts, dead letters included."""
        dead = self.cloud.dead_letters()
        work = self.cloud.work()
        counts: dict[str, dict[str, int]] = {}
        for verb in DEAD_LETTERS:
            depth = work.get(verb)
            counts[verb] = {
                "waiting": depth.waiting if depth else 0,
                "in_flight": depth.in_flight if depth else 0,
                "delayed": depth.delayed if depth else 0,
                "dead_letters": dead[verb].total,
            }
        return counts

    def alarms(self) -> list[Alarm]:
        """The template's alarms, judged now; those that ring first."""
        return judge(self.cloud, self.store.get(RECONCILIATION_KEY), self.clock.now)

    def dead_letters(self) -> list[dict[str, Any]]:
        """Every message that was given up, as it is; looking does not hide them."""
        queues = self.cloud.look_into_queues()
        return [
            {"queue": verb, "message_id": m["MessageId"], "body": m["Body"], "received": m["ReceiveCount"]}
            for verb in DEAD_LETTERS
            for m in queues.get(self.cloud.dead_letters_url(verb).rsplit("/", 1)[-1], [])
        ]


def _shown(record: Record) -> dict[str, Any]:
    """A fact as JSON: what kind, when, about whom, and what it says. Rows that are facts by themselves say where they
    are."""
    if isinstance(record, Fact):
        return {
            "kind": record.kind,
            "at": record.at.isoformat(),
            "client_id": record.client,
            "practice_id": record.practice,
            "item": record.item,
            "version": record.version,
            "actor": record.actor,
            "cause": record.cause,
            "data": dict(record.data),
            "entries": [{"book": e.book, "item": e.item, "amount": e.amount} for e in record.entries],
        }
    at = next((v for f in fields(record) if isinstance(v := getattr(record, f.name), datetime)), None)  # type: ignore[arg-type]
    claim = getattr(record, "claim", None)
    return {
        "kind": getattr(record, "kind", ""),
        "at": at.isoformat() if at else "",
        "client_id": getattr(record, "client", "") or getattr(claim, "client_id", ""),
        "practice_id": getattr(record, "practice", ""),
        "item": record.key.sk,
        "version": record.version,
        "actor": "",
        "cause": record.key.pk,
        "data": {},
        "entries": [],
    }
