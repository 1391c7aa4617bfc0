"""A calm world for one story: a practice, people, a clock moved by hand, and trouble only where it is asked for.

A story reads in time: what arrives, how far the clock goes, what is seen then. Every invariant is asked after every
step, as in a seed's life.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from billing.account import Account, Books, Contact
from billing.claim import Adjustment, ClaimResult, SubmittedClaim
from billing.claim_state import ReceivedResult, Submission
from billing.invoice import Invoice
from billing.notice import NoticeKind
from billing.policy import Policy, Practice, Provider
from billing.ports import Conflict, Insert
from functions.serve_practice.flow import submit_claim
from tests.billing.claim_examples import decided
from tests.sim.agenda import Thing
from tests.sim.auditor import Auditor
from tests.sim.chaos import CALM, Crash
from tests.sim.claims import PAYER
from tests.sim.mailbox import Mail
from tests.sim.people import Person
from tests.sim.workload import PRACTICE
from tests.sim.world import World

MONDAY_MORNING = datetime(2026, 11, 16, 17, 0, tzinfo=UTC)
"""09:00 in the practice's zone, with no change of daylight saving time near."""
LOS_ANGELES = "America/Los_Angeles"


class Stage:
    """`now` is where the clock stands. Clients are named by what makes them different."""

    def __init__(self, **policy: Any) -> None:
        self.world = World(None, MONDAY_MORNING, CALM)
        self.auditor = Auditor(self.world, PRACTICE)
        practice = Practice(
            practice=PRACTICE,
            version=1,
            name="Riverbend Therapy",
            time_zone=LOS_ANGELES,
            phone="+12025550100",
            email="desk@riverbend.example",
            policy=Policy(**policy),
        )
        provider = Provider(PRACTICE, "provider_1", 1, "Dr. Rivera", "rivera@riverbend.example")
        self.world.store.commit(Insert(practice), Insert(provider))

    # ---- who there is ----

    def client(self, client: str, *, autopay: bool = False, cap: str = "", card: str = "4242424242424242") -> Person:
        """A client, with a card enrolled through the pay page where `autopay`."""
        email, phone = f"{client}@mail.example", "+12025550143"
        self.world.store.commit(
            Insert(Contact(PRACTICE, client, 1, "A Person", email, phone, "CA")),
            Insert(Account(PRACTICE, client, 1, "provider_1")),
        )
        person = Person(self.world, self.auditor, Random(1), PRACTICE, client, phone, email, cap=cap, card=card)
        if autopay:
            self.does(person.client, person.enrol)
            self.forward(minutes=45)
            assert self.books(client).account.autopay, f"{client} could not enrol:\n{self.world.story()}"
        return person

    # ---- what happens ----

    def owes(self, client: str, cents: int, claim_id: str = "claim_1") -> Invoice:
        """The payer leaves `cents` to the client -> the invoice that comes of it."""
        self.submits(client, claim_id)
        self.decides(claim_id, cents)
        self.forward(seconds=10)
        return next(i for i in self.books(client).invoices if i.source_id == claim_id)

    def submits(self, client: str, claim_id: str, second_payer: str = "") -> None:
        """The practice tells us of a claim it sent."""
        day = date(2026, 10, 30)
        claim = SubmittedClaim(claim_id, client, "provider_1", PAYER, "MBR1", 900_00, day, second_payer, ())
        submission = Submission(PRACTICE, claim, self.world.now)
        self.does("practice", lambda ports: submit_claim(ports["store"], submission) and None)

    def decides(self, claim_id: str, cents: int, **changes: Any) -> None:
        """A claim result arrives; the same one twice is stored once."""
        self.arrives(result(claim_id, cents, **changes))

    def arrives(self, decided: ClaimResult) -> None:
        """This claim result arrives."""
        received = ReceivedResult(PRACTICE, decided, "receipt_1", self.world.now)

        def file(ports: dict[str, Any]) -> str:
            try:
                ports["store"].commit(Insert(received))
            except Conflict:
                return "seen before"
            return "new"

        self.does("payer", file)

    def does(self, actor: str, act: Callable[[dict[str, Any]], object]) -> str:
        """Someone does something now -> how it ended: `done`, `crash`, `again: …`, `refused: …`, or what `act` says."""
        outcomes: list[str] = []
        self.world.at(self.world.now, Thing(actor, "acts", act, then=outcomes.append))
        self.forward(seconds=0)
        return outcomes[0]

    def pays(self, person: Person, wanted: str) -> None:
        """They press Pay and pay on Stripe's page within a minute."""
        assert self.submits_page(self.opens(person, wanted), person.card) == "complete"
        self.forward(minutes=1)

    def opens(self, person: Person, wanted: str) -> str:
        """They press Pay and leave the hosted page open -> its session."""
        before = {a.number for a in self.books(person.client).attempts}
        habits, person.habits = person.habits, type(person.habits)(walks_away=1.0)
        self.does(person.client, lambda ports: person.pay(ports, wanted))
        person.habits = habits
        opened = [a for a in self.books(person.client).attempts if a.number not in before]
        assert len(opened) == 1, self.world.story()
        return opened[0].session_id

    def submits_page(self, session: str, card: str = "4242424242424242") -> str:
        """They type a card on that page -> what the page says: complete, declined or closed."""
        said = self.world.stripe.embedded.complete_checkout(session, number=card).status
        self.forward(seconds=10)
        return said

    def forward(self, **far: float) -> None:
        """Move the clock, everything on the way included."""
        self.world.run_until(self.world.now + timedelta(**far))

    def until(self, when: datetime) -> None:
        """Move the clock to that instant."""
        self.world.run_until(when)

    def next_time(self, moment: str, happens: Callable[[], None]) -> None:
        """Once, at the next such port call: "before cards.charge", "after store.commit"."""
        self.world.directions[moment] = happens

    def crash(self) -> None:
        """The process ends."""
        raise Crash

    def stripe_fails(self, kind: str, times: int = 3) -> Callable[[], None]:
        """For `next_time("before cards.…")`: Stripe's next requests end like this (the SDK tries three times)."""
        return lambda: self.world.stripe.arm(kind, times)

    # ---- what is seen ----

    def books(self, client: str) -> Books:
        """The account as it is."""
        return Books.expect(self.world.store, PRACTICE, client)

    def invoice(self, client: str, invoice_id: str) -> Invoice:
        """One invoice as it is."""
        found = self.books(client).invoice(invoice_id)
        assert found is not None
        return found

    def mails(self, client: str, *kinds: NoticeKind) -> list[Mail]:
        """The mails about this client, oldest first; of these kinds, or of all."""
        return [
            m for m in self.world.mailbox.mails if m.letter.client == client and (not kinds or m.letter.kind in kinds)
        ]

    def taken(self, client: str) -> list[int]:
        """The amounts that Stripe took from this client, oldest first."""
        return [payment.amount for payment in self.world.stripe.payments(PRACTICE, client)]

    def tried(self, client: str) -> list[datetime]:
        """When Stripe was asked for this client's money, successful or not."""
        return [
            datetime.fromtimestamp(intent["created"], UTC)
            for intent in self.world.stripe.intents()
            if intent["metadata"].get("client") == client
        ]

    def ends_well(self) -> None:
        """All work ends; our books, Stripe's and the invariants agree."""
        self.world.conclude()
        assert not self.world.dead, "a message reached the dead letters"


def result(claim_id: str, cents: int, **changes: Any) -> ClaimResult:
    """A payer's decision that leaves `cents` of $900.00 to the patient."""
    adjustments = (Adjustment("CO", "45", 100_00), Adjustment("PR", "1", cents))
    named = {"payer_claim_id": f"P-{claim_id}", **changes}
    return decided(*adjustments, charged=900_00, claim_id=claim_id, **named)
