"""What happens to one practice in some weeks, drawn from the seed: clients of all sorts, claims and what payers decide
about them, staff who make plans, cards that stop working.

The generator tells the auditor what it did, in cents, at the moment it decides to do it.
"""

import functools
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any
from unittest.mock import patch

from billing import receipt
from billing.account import Account, Contact
from billing.claim import ClaimResult, SubmittedClaim, SubmittedLine
from billing.claim_state import Submission
from billing.notice import NoticeKind
from billing.period import local_date
from billing.policy import AmountSource, AutopayDelay, OutsidePayments, Overpayment, Policy, Practice, Provider
from billing.ports import Insert
from billing.reconciliation import armed
from functions.read_claims import flow as read_claims
from functions.receive_mail_events.report import Trouble
from functions.serve_practice.flow import submit_claim
from tests.sim.accounted import judge_accounted
from tests.sim.agenda import Thing
from tests.sim.auditor import Auditor
from tests.sim.bank import RELUCTANT_CARDS, Bank
from tests.sim.care import Care, session_of
from tests.sim.chaos import Weather
from tests.sim.claims import PAYER, PROCEDURE, STORIES, Story, owes
from tests.sim.desk import Desk, Stray
from tests.sim.forms import form_of
from tests.sim.mailbox import Mail
from tests.sim.people import Habits, Person
from tests.sim.processor import Processor, sent
from tests.sim.reckoning import Word
from tests.sim.staff import Staff
from tests.sim.world import World

PRACTICE = "riverbend"
NIGHTS_IN_ONE_LIFE_OF = 8
"""A life with nightly reconciliation costs twice as much as one without: one in so many has it."""
CLIENT = re.compile(r"\bclient_\d+(?=#|\b)")
NAME, MAIL, PHONE, MEMBER = "Name Of", "@mail.example", "+12025550143", "MBR-"
"""What every name, address, number and membership has in it: none of it may leave for Stripe."""
CLIENTS = ("client_1", "client_10", "client_2")
"""The first is the beginning of the second: a key that ended without its delimiter would mix them up."""
STARTS = (date(2026, 2, 27), date(2026, 6, 10), date(2026, 10, 22))
"""The first and last lie days before a change of daylight saving time."""
ZONES = ("America/Los_Angeles", "America/New_York", "America/Phoenix")
TROUBLED_CARDS = (
    "ok",
    "insufficient_funds",
    "insufficient_funds",
    "expired_card",
    "lost_card",
    "authentication_required",
    "generic_decline",
    "revocation_of_authorization",
)


class Workload:
    """A world with a practice in it. `people`: by client id. `keep`: how many lines of its trace; None for all.
    `days`: how long it lasts; drawn unless told."""

    def __init__(
        self, seed: int, weather: Weather | None = None, keep: int | None = None, days: int = 0, whole_every: int = 200
    ) -> None:
        self.rng = Random(f"workload {seed}")
        start = datetime.combine(self.rng.choice(STARTS), time(15, 0), UTC)
        self.weather = Weather.of(Random(f"weather {seed}")) if weather is None else weather
        self.world = World(seed, start, self.weather, keep=keep, whole_every=whole_every)
        self.world.judge.care_secrets |= {PROCEDURE, "F41.1", MEMBER}
        self.world.judge.personal_secrets |= {NAME, MAIL, PHONE, PHONE[2:]}
        self.world.on_mail = self._mail
        self.world.on_meeting = self._meets
        self.auditor = Auditor(self.world, PRACTICE)
        self.people: dict[str, Person] = {}
        self.bouncing: set[str] = set()
        self._plain: list[SubmittedClaim] = []
        self.processor = Processor(self.world, Random(f"processor {seed}"), PRACTICE)
        self.practice = self._practice()
        self.ends = start + timedelta(days=days or self.rng.randint(10, 35))
        self.bank = Bank(self.world, Random(f"bank {seed}"), PRACTICE)
        self.staff = Staff(self.world, self.auditor, Random(f"staff {seed}"), PRACTICE, self.practice.time_zone)
        self.desk = Desk(self.world, self.auditor, Random(f"desk {seed}"), PRACTICE)
        self.care = Care(self.world, Random(f"care {seed}"), PRACTICE, PAYER)

    def run(self) -> None:
        """Let it all happen, then let all work end, then compare the books. Files are read two claims at a time, and
        counted, as those of thousands are."""
        with patch.object(read_claims, "SLICE_CLAIMS", 2), patch.object(receipt, "COUNTED_BYTES", 1_500):
            self._live()

    def _live(self) -> None:
        rng, start = self.rng, self.world.start
        for number in range(rng.randint(1, 3)):
            person, arrives = self.client(CLIENTS[number]), start
            for claim in range(rng.randint(2, 12)):
                if not claim or rng.random() >= 0.3:  # else it is decided together with the one before
                    arrives = start + timedelta(hours=3) + (self.ends - start) * 0.7 * rng.random()
                self.claim(person, f"{person.client}_claim_{claim}", arrives)
            self.sessions(person)
        self._office()
        self.world.run_until(self.ends)
        self.conclude()

    def conclude(self, most_steps: int = 5_000) -> None:
        """Faults and people stop, all work ends, the books are compared."""
        if self.world.met["webhook lost"] and not self.world.has_nights:
            # Nothing but a night would tell of a dispute whose every webhook was lost.
            self.world.stripe_tells_everything_again()
        self.world.on_mail = lambda _mail: None
        self.world.on_meeting = lambda _busy: None
        self.desk.answers_what_is_open()
        self.world.conclude(most_steps)
        if self.desk.clears_what_waited_for_a_bank():
            self.world.conclude(most_steps)
        self.auditor.audit()
        for wrong in self.care.wrong_with(self.world.store.rows()):
            self.world.judge.fail(f"the auditor, about estimates: {wrong}")
        for wrong in judge_accounted(self.world.store, PRACTICE, self.processor, self.desk.moved, self.world.now):
            self.world.judge.fail(f"the auditor, about claims in and claims accounted for: {wrong}")

    def _mail(self, mail: Mail) -> None:
        if mail.letter.to in self.bouncing and self.rng.random() < 0.5:
            trouble = self.rng.choice((Trouble.BOUNCED, Trouble.COMPLAINT, Trouble.BOUNCED_FOR_NOW))
            self.world.comes_back(mail, trouble, timedelta(hours=30) * self.rng.random() ** 4)
        person = self.people.get(mail.letter.client)
        if person is not None and mail.letter.to == person.email:
            person.reads(mail)

        plans = person is not None and self.rng.random() < person.habits.asks_for_plan
        if plans and mail.letter.kind in (NoticeKind.CHARGE_NOTICE, NoticeKind.REMINDER, NoticeKind.APPROVAL_REQUEST):
            assert person is not None
            self.world.at(self.world.now + timedelta(days=2) * self.rng.random(), self.staff.plan(person.client))

    def _meets(self, busy: Thing) -> Thing | None:
        """Somebody acts on the account that is being worked on, or on their own, at this very moment."""
        named = CLIENT.search(busy.label)
        about = self.people.get(named[0] if named else busy.actor)
        if about is None or about.client in self.auditor.steady or self.world.calm:
            return None
        who = self.rng.random()
        if who < 0.15:
            decision = self.desk.decides_a_hold()
            if decision is not None:
                return decision
        if who < 0.1:
            return self.bank.right_now(about.client)
        return self.staff.right_now(about.client) if who < 0.4 else about.right_now()

    def _has_a_page_open(self, person: Person) -> None:
        """While the hosted page is open, the client asks for a plan on the phone."""
        if self.rng.random() < person.habits.asks_for_plan and not self.world.calm:
            soon = self.world.now + timedelta(minutes=5) * self.rng.random() ** 2
            self.world.at(soon, self.staff.plan(person.client))

    # ---- who there is ----

    def _practice(self) -> Practice:
        rng = self.rng
        policy = Policy(
            autopay_delay=rng.choice(list(AutopayDelay)),
            minimum_notice_hours=rng.choice((1, 4, 4, 12)),
            default_cap=rng.choice((200_00, 500_00)),
            retry_days=rng.choice(((1, 3, 7), (1, 3, 7), (2,))),
            outside_payments=rng.choice(list(OutsidePayments)),
            amount_source=rng.choice((AmountSource.ADJUDICATED, AmountSource.ADJUDICATED, AmountSource.ESTIMATE)),
            overpayment=rng.choice((Overpayment.REFUND, Overpayment.CREDIT)),
        )
        practice = Practice(
            PRACTICE, 1, "Riverbend Therapy", rng.choice(ZONES), "+12025550100", "desk@riverbend.example", policy=policy
        )
        provider = Provider(PRACTICE, "provider_1", 1, "Dr. Rivera", "rivera@riverbend.example")
        self.world.store.commit(Insert(practice), Insert(provider))
        if not (self.world.seed or 0) % NIGHTS_IN_ONE_LIFE_OF:
            self.world.store.commit(Insert(armed(self.world.start)))
        return practice

    def client(self, client: str) -> Person:
        """Somebody comes to the practice, with habits of their own."""
        rng, world = self.rng, self.world
        email = f"{client}{MAIL}"
        contact = Contact(PRACTICE, client, 1, f"{NAME} {client}", email, PHONE, "CA")
        account = Account(PRACTICE, client, 1, "provider_1")
        world.store.commit(Insert(contact), Insert(account))
        if rng.random() < 0.6:
            self.care.asks_the_plan(account, self.ends)
        enrolled = rng.random() < 0.75
        steady = enrolled and rng.random() < 0.4
        habits = Habits() if steady else _habits(rng)
        person = Person(world, self.auditor, Random(rng.random()), PRACTICE, client, PHONE, email, habits)
        self.people[client] = person
        person.on_page = self._has_a_page_open
        person.on_question = self.desk.is_asked
        if not steady and rng.random() < 0.15:
            person.card = rng.choice(RELUCTANT_CARDS)
        if enrolled:
            person.cap = rng.choice(("", "", "100.00"))
            person.later(world.now + timedelta(hours=rng.random()), "enrols in autopay", person.enrol)
        if steady:
            person.cap = "100000.00"
            self.auditor.steady.add(client)
        elif rng.random() < 0.3:
            rng.choice((world.mailbox.dead_addresses, self.bouncing)).add(email)
        if not steady:
            self._mishaps(person)
        return person

    def _mishaps(self, person: Person) -> None:
        rng = self.rng
        for behaviour in rng.sample(TROUBLED_CARDS, rng.choice((0, 0, 1, 2, 3))):
            change = functools.partial(_changes_card, person, behaviour)
            self._sometime(person.client, f"the card becomes {behaviour}", change)
        if rng.random() < 0.1:
            self._sometime(person.client, "turns autopay off", person.turn_off)
        if rng.random() < 0.1:
            self._sometime("stranger", "tries phone numbers", person.is_guessed_by_a_stranger)
        for _ in range(rng.choice((0, 0, 1, 2))):
            self._surprise(lambda: self.staff.deed(person.client))
        for _ in range(rng.choice((0, 0, 0, 1, 2))):
            self._surprise(lambda: self.bank.right_now(person.client))
        for _ in range(rng.choice((0, 0, 1, 2))):
            self._surprise(lambda: self.desk.questions(person.client))

    def _office(self) -> None:
        """What happens to the practice as a whole, and to Stripe's outbox."""
        rng, world = self.rng, self.world
        for _ in range(rng.choice((0, 0, 0, 1, 2))):
            self._surprise(self.staff.changes_its_mind)
        for _ in range(rng.choice((0, 1, 3, 6))):
            self._surprise(self.desk.decides_a_hold)
        if rng.random() < 0.1:
            self.auditor.steady.clear()
            off = world.start + (self.ends - world.start) * rng.random()
            world.at(off, self.staff.takes_payments_online(False))
            world.at(off + timedelta(days=3) * rng.random(), self.staff.takes_payments_online(True))
        if rng.random() < self.weather.webhook_reversed:
            self._sometime("stripe", "tells everything again", lambda _ports: world.stripe_tells_everything_again())

    def _surprise(self, thing: Callable[[], Thing | None]) -> None:
        """Something that is decided only when its moment has come."""

        def decide(_ports: dict[str, Any]) -> str:
            decided = thing()
            if decided is None:
                return "finds nothing"
            self.world.at(self.world.now, decided)
            return "decided"

        self._sometime("staff", "looks at the books", decide)

    def _sometime(self, actor: str, what: str, act: Callable[[dict[str, Any]], object]) -> None:
        days = (self.ends - self.world.start) * self.rng.random()
        self.world.at(self.world.start + days, Thing(actor, what, act))

    # ---- what payers decide ----

    def claim(self, person: Person, claim_id: str, arrives: datetime) -> None:
        """The practice sends a claim, and payers decide about it from `arrives` on."""
        rng, world = self.rng, self.world
        charged = rng.choice((150_00, 180_00, 900_00))
        owed = rng.choice((rng.randint(50, 120_00), rng.randint(50, 120_00), 62_50, 30, charged * 2 // 3))
        day = local_date(arrives, self.practice.time_zone) - timedelta(days=rng.randint(3, 40))
        drafted = SubmittedClaim(
            claim_id=claim_id,
            client_id=person.client,
            provider_id="provider_1",
            payer_id=PAYER,
            member_id=f"{MEMBER}{claim_id}",
            charged=charged,
            service_date=day,
            secondary_payer_id="",
            lines=(SubmittedLine(PROCEDURE, (), "1", day, charged, ("F41.1",), session_of(claim_id)),),
        )
        world.judge.care_secrets.add(f"{day:%Y-%m-}")
        steady = person.client in self.auditor.steady
        story = (owes if steady else rng.choice(STORIES))(rng, drafted, owed)
        estimates = self.practice.policy.amount_source is AmountSource.ESTIMATE
        expected = self.care.estimates(claim_id, person.client, charged) if estimates else frozenset()
        self.auditor.hears(claim_id, person.client, story.word(expected))
        for result, otherwise in story.open_to:
            self.desk.open_to[result.result_key()] = (person.client, claim_id, otherwise)
        if story.stray is not None:
            story = self._strays(story, story.stray)
        elif story.plain and not steady:
            self._plain.append(story.claim)
        submitted = arrives + timedelta(days=4) * (rng.random() - 0.8)
        self._submit(submitted, story.claim)
        if rng.random() < (0.7 if estimates else 0.1):
            self.care.insured(story.claim, max(world.start, submitted + timedelta(days=2) * (rng.random() - 0.7)))
        form = form_of(story.results, rng, paid=story.retold is not None)
        if story.retold is not None:
            self.processor.retells[story.results[0].result_key()] = story.retold
        for result in story.results:
            self.processor.decides(arrives, result, form)
            if not story.at_once:
                arrives += timedelta(days=3 if rng.random() < 0.8 else 12) * rng.random() ** 2

    def _strays(self, story: Story, stray: ClaimResult) -> Story:
        """The claim that the stray names: nobody's; or another one, whose charge differs, so that it is seen."""
        others = [claim for claim in self._plain if claim.charged != stray.charged]
        claim, owed, named, clients = story.claim, stray.patient_responsibility, "", ""
        if others and self.rng.random() < 0.5:
            other = self.rng.choice(others)
            named, clients = other.claim_id, other.client_id
            wrong = replace(stray, claim_id=named)
            story = replace(story, results=tuple(wrong if one is stray else one for one in story.results))
            stray = wrong
        self.desk.strays[stray.result_key()] = Stray(claim.client_id, claim.claim_id, owed, sent(stray), named, clients)
        return story

    def sessions(self, person: Person) -> None:
        """What no payer is asked about: sessions that the client pays for, and those of a programme."""
        rng, days = self.rng, (self.ends - self.world.start) * 0.7
        for number in range(rng.choice((0, 0, 0, 1, 2))):
            name, rate = f"{person.client}_paid_{number}", rng.choice((40, 90_00, 150_00))
            self.auditor.hears(name, person.client, Word(frozenset({rate})))
            self.care.self_paid(name, person.client, rate, self.world.start + days * rng.random())
        covered = rng.choice((0, 1, 2))
        for number in range(rng.choice((0, 0, 0, 0, 2, 3))):
            name = f"{person.client}_programme_{number}"
            self.auditor.hears(name, person.client, Word(frozenset({0})))
            self.desk.open_to[name] = (person.client, name, 0)
            self.care.of_a_programme(name, person.client, 90_00, covered, self.world.start + days * rng.random())

    def _submit(self, when: datetime, claim: SubmittedClaim) -> None:
        """The practice tells us of the claim, and tells again until we have it."""

        def submit(ports: dict[str, Any]) -> None:
            submit_claim(ports["store"], Submission(PRACTICE, claim, self.world.clock))

        again: Callable[[Thing, str], datetime] = lambda _thing, _outcome: self.world.now + timedelta(minutes=2)  # noqa: E731
        self.world.at(when, Thing("practice", f"submits {claim.claim_id}", submit, again))


def _changes_card(person: Person, behaviour: str, _ports: dict[str, Any]) -> None:
    person.card_becomes(behaviour)


def _habits(rng: Random) -> Habits:
    return Habits(
        pays=rng.random(),
        enrols=rng.random() * 0.5,
        two_tabs=rng.random() * 0.4,
        walks_away=rng.random() * 0.3,
        pays_before_charge=rng.random() * 0.5,
        stops=rng.random() * 0.2,
        turns_off=rng.random() * 0.2,
        mistypes=rng.random() * 0.3,
        asks_for_plan=rng.random() * 0.3,
        swaps_card=rng.random() * 0.3,
        has_health_card=rng.choice((0, 0, 0, 0.5)),
        questions=rng.random() * 0.15,
    )
