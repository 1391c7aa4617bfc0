"""Clients with a browser: they open the pay page from a mail, pay or walk away, use two tabs, agree, stop, turn off.

Everything a person does on our side goes through the pay page's production flow, phone check included; what they do on
Stripe's page happens at the embedded Stripe, without any of our code.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from billing.account import Account, Books
from billing.autopay import CONSENT_VERSION
from billing.ids import account_key
from billing.notice import Letter, NoticeKind
from billing.payment import Card
from billing.ports import Refused
from billing.review import Review
from functions.serve_client import flow as pay_page
from functions.serve_client import questions
from functions.serve_client.door import Page, SeeOther, Visit, csrf_token
from functions.serve_client.forms import Form
from tests.sim.agenda import Thing
from tests.sim.auditor import Auditor
from tests.sim.mailbox import Mail
from tests.sim.world import World

ALL = "all"
GOOD_CARD = "4242424242424242"
OTHER_CARDS = ("5555555555554444", "378282246310005", "6011111111111117")
HEALTH_CARD = "4000777000000005"
"""It tells Stripe that it belongs to a health savings account: it can pay, and never be enrolled (PAY-6)."""
WORDS = "They told me that H2019HQ is covered"
"""What a client writes into a form, care included: it may stand in no mail and nowhere else outside (LAW-1)."""
MAY_BE_QUESTIONED = (NoticeKind.INVOICE, NoticeKind.CHARGE_NOTICE, NoticeKind.APPROVAL_REQUEST, NoticeKind.REMINDER)
PERSISTENCE = 3
"""How often a person presses a button again that showed an error."""


@dataclass(frozen=True)
class Habits:
    """What this person tends to do with a mail; rates between 0 and 1."""

    pays: float = 0.0
    enrols: float = 0.0
    two_tabs: float = 0.0
    walks_away: float = 0.0
    pays_before_charge: float = 0.0
    stops: float = 0.0
    turns_off: float = 0.0
    mistypes: float = 0.0
    asks_for_plan: float = 0.0
    swaps_card: float = 0.0
    has_health_card: float = 0.0
    questions: float = 0.0


@dataclass
class Person:
    """A client. `card`: the number they type; `cap`: what they write as their limit, in dollars; `tabs`: the hosted
    pages they were sent to, and when they agreed to autopay on the way, if they did."""

    world: World
    auditor: Auditor
    rng: Random
    practice: str
    client: str
    phone: str
    email: str
    habits: Habits = Habits()
    card: str = GOOD_CARD
    cap: str = ""
    on_page: "Callable[[Person], None]" = lambda _person: None
    on_question: Callable[[Review], None] = lambda _review: None
    tabs: list[tuple[str, datetime | None]] = field(default_factory=list)

    # ---- what a mail makes them do ----

    def reads(self, mail: Mail) -> None:
        """Decide what to do about a mail, and when."""
        letter, rng = mail.letter, self.rng
        invoice_ids = self.world.posting(letter, mail.notice_id).invoice_ids
        wanted = invoice_ids[0] if len(invoice_ids) == 1 and rng.random() < 0.5 else ALL
        soon = self.world.now + timedelta(days=3) * rng.random() ** 2 + timedelta(seconds=30)
        if letter.kind in MAY_BE_QUESTIONED and invoice_ids and rng.random() < self.habits.questions:
            moment = letter.moment if letter.moment and rng.random() < 0.3 else soon
            self.later(moment, f"questions {invoice_ids[0]}", lambda ports: self.questions(ports, invoice_ids[0]))
        elif letter.kind is NoticeKind.CHARGE_NOTICE:
            self._about_a_charge(letter, invoice_ids[0], soon)
        elif letter.kind is NoticeKind.AUTOPAY_ON:
            if rng.random() < self.habits.turns_off:
                self.later(soon, "turns autopay off", self.turn_off)
        elif invoice_ids and letter.kind is not NoticeKind.RECEIPT and rng.random() < self.habits.pays:
            enrol = rng.random() < self.habits.enrols
            self.later(soon, f"wants to pay {wanted}", lambda ports: self.pay(ports, wanted, enrol=enrol))

    def _about_a_charge(self, letter: Letter, invoice_id: str, soon: datetime) -> None:
        assert letter.moment is not None
        what, habits = self.rng.random(), self.habits
        minutes_before = letter.moment - timedelta(minutes=20 * self.rng.random() - 2)
        if self.rng.random() < 0.3:
            minutes_before = letter.moment - timedelta(seconds=1) * self.rng.choice((-1, 0.1, 1, 2))
        if what < habits.pays_before_charge:
            self.later(minutes_before, f"pays {invoice_id} before its charge", lambda p: self.pay(p, invoice_id))
        elif what < habits.pays_before_charge + habits.stops:
            when = self.rng.choice((soon, minutes_before))
            self.later(when, f"stops the charge of {invoice_id}", lambda ports: self.stop(ports, invoice_id))
        elif what < habits.pays_before_charge + habits.stops + habits.turns_off:
            self.later(self.rng.choice((soon, minutes_before)), "turns autopay off", self.turn_off)
        elif self.rng.random() < habits.swaps_card:
            self.later(self.rng.choice((soon, minutes_before)), "takes another card", self.swap_card)

    def later(self, when: datetime, what: str, act: Any) -> None:
        """Do it then, and press the button again where the page showed an error."""
        tries = iter(range(PERSISTENCE))

        def again(_thing: Thing, _outcome: str) -> datetime | None:
            return self.world.now + timedelta(minutes=1) if next(tries, None) is not None else None

        self.world.at(when, Thing(self.client, what, act, again))

    # ---- on our page ----

    def _at_the_door(self) -> Visit:
        account = self.world.store.get(account_key(self.practice, self.client))
        assert isinstance(account, Account)
        epoch, now = account.link_epoch, self.world.clock
        return Visit(self.practice, self.client, epoch, "/pay/link", "http://pay.example", now, ip="192.0.2.1")

    def visit(self, ports: dict[str, Any]) -> tuple[Visit, Form]:
        """Through the phone check, with a fresh session: who comes, and a form with its token."""
        at_the_door = self._at_the_door()
        answer = pay_page.check_phone(
            ports["store"], at_the_door, Form({"phone": [self.phone]}), f"{self.rng.getrandbits(256):064x}"
        )
        if isinstance(answer, Page) and answer.name == "locked":
            raise Refused("locked", "Somebody else tried too many numbers.", status=answer.status)
        assert isinstance(answer, SeeOther), f"{self.client} knows their own number, and got {answer}"
        inside = Visit(**{**vars(at_the_door), "session_id": answer.session_id})
        return inside, Form({"csrf": [csrf_token(answer.session_id)]})

    def pay(self, ports: dict[str, Any], wanted: str, *, enrol: bool = False) -> str:
        """Press Pay: one invoice or all. The hosted page that opens is a tab."""
        visit, form = self.visit(ports)
        fields = {**form.fields, "invoice": [wanted], **(self._agreement(wanted) if enrol else {})}
        answer = pay_page.pay(ports["store"], ports["cards"], visit, Form(fields))
        if self.rng.random() < self.habits.two_tabs:
            soon = self.world.now + timedelta(minutes=3) * self.rng.random()
            self.later(soon, f"wants to pay {wanted} in another tab", lambda p: self.pay(p, wanted))
        return self._looks_at(answer, enrol=enrol)

    def enrol(self, ports: dict[str, Any]) -> str:
        """Save a card for automatic payments, without paying."""
        visit, form = self.visit(ports)
        agreed = {**form.fields, **self._agreement("")}
        if self.rng.random() < self.habits.has_health_card:
            return self._admits_a_health_card(ports, visit, agreed)
        return self._looks_at(pay_page.set_up(ports["store"], ports["cards"], visit, Form(agreed)), enrol=True)

    def _admits_a_health_card(self, ports: dict[str, Any], visit: Visit, agreed: Mapping[str, Sequence[str]]) -> str:
        """Say that the card is an FSA or HSA card: the form comes back with what to do (PAY-6)."""
        answer = pay_page.set_up(ports["store"], ports["cards"], visit, Form({**agreed, "card_kind": ["health"]}))
        if not isinstance(answer, Page):
            self.world.judge.fail(f"{self.client} declared a health card, and may enrol it: {answer}")
        return "is told that a health card cannot be enrolled"

    def swap_card(self, ports: dict[str, Any]) -> str:
        """Enrol another card in place of the one on file; some take their health card and say nothing."""
        self.card = HEALTH_CARD if self.rng.random() < self.habits.has_health_card else self.rng.choice(OTHER_CARDS)
        return self.enrol(ports)

    def is_guessed_by_a_stranger(self, ports: dict[str, Any]) -> str:
        """Somebody who has the link tries numbers: five are looked at, then none, not even the right one (PAY-2)."""
        visit = self._at_the_door()
        looked_at = 0
        for guess in range(8):
            number = Form({"phone": [f"+1202555020{guess}"]})
            answer = pay_page.check_phone(ports["store"], visit, number, f"{self.rng.getrandbits(256):064x}")
            if isinstance(answer, SeeOther):
                self.world.judge.fail(f"a wrong number opens the page of {self.client}")
            looked_at += answer.status == 403
        if looked_at > 5:
            self.world.judge.fail(f"a stranger had {looked_at} guesses at the number of {self.client}")
        self.world.met["stranger guesses"] += 1
        return "locked out"

    def stop(self, ports: dict[str, Any], invoice_id: str) -> str:
        """Stop one announced charge."""
        visit, form = self.visit(ports)
        pay_page.stop(ports["store"], ports["cards"], visit, Form({**form.fields, "invoice": [invoice_id]}))
        self.auditor.stopped[invoice_id].append(self.world.now)
        return "stopped"

    def questions(self, ports: dict[str, Any], invoice_id: str) -> str:
        """Say on the page that the plan told another amount (INV-7); sometimes the form is sent twice."""
        visit, form = self.visit(ports)
        quoted, words = self.rng.choice(("40.00", "$1,000", "0")), self.rng.choice(("", WORDS))
        fields = {"invoice": [invoice_id], "quoted_amount": [quoted], "call_reference": ["REF-0"], "words": [words]}
        sent = Form({**form.fields, **fields})
        answer = questions.send(ports["store"], lambda: ports["cards"], visit, sent)
        if not isinstance(answer, SeeOther):
            return "is asked to mend the form"
        if self.rng.random() < self.habits.two_tabs:
            soon = self.world.now + timedelta(seconds=2) * self.rng.random()
            self.later(soon, f"questions {invoice_id} again", lambda p: self.questions(p, invoice_id))
        opened = [review for review in self._books().reviews_of(invoice_id) if review.is_open]
        if not opened:
            return "has nothing to question"
        self.auditor.in_review(opened[0].review_id, invoice_id)
        self.world.met["client: questions a bill"] += 1
        self.on_question(opened[0])
        return "is told that it is looked into"

    def turn_off(self, ports: dict[str, Any]) -> str:
        """Turn automatic payments off."""
        visit, form = self.visit(ports)
        pay_page.turn_autopay_off(ports["store"], visit, form)
        self.auditor.turned_off[self.client].append(self.world.now)
        self.auditor.steady.discard(self.client)
        return "off"

    def _agreement(self, wanted: str) -> dict[str, list[str]]:
        join = [wanted] if wanted not in ("", ALL) and self.rng.random() < 0.5 else []
        return {
            "autopay": ["on"],
            "card_kind": ["ordinary"],
            "terms": [CONSENT_VERSION],
            "cap": [self.cap],
            "join": join,
        }

    # ---- on Stripe's page ----

    def _looks_at(self, answer: object, *, enrol: bool) -> str:
        assert isinstance(answer, SeeOther), f"{self.client} expected a hosted page, and got {answer}"
        session, rng = answer.location.rpartition("/")[2], self.rng
        agreed_at = self.world.now if enrol else None
        self.tabs.append((session, agreed_at))
        self.on_page(self)
        if rng.random() < self.habits.walks_away:
            return "walks away from the open page"
        if enrol and rng.random() < self.habits.turns_off:
            self.later(self.world.now + timedelta(seconds=10), "turns autopay off in another tab", self.turn_off)
        pays_at = self.world.now + timedelta(seconds=20) + timedelta(minutes=40) * rng.random() ** 4
        if rng.random() < self.habits.mistypes:
            self.world.at(pays_at, self.submits(session, "4000000000000002", None))
            pays_at += timedelta(minutes=1)
        self.world.at(pays_at, self.submits(session, self.card, agreed_at))
        return "on Stripe's page"

    def submits(self, session: str, number: str, agreed_at: datetime | None) -> Thing:
        """Press Stripe's button in that tab. What was agreed to on our form counts from then, if the page is finished:
        a no in between is the later word (LAW-7)."""

        def submit(_ports: dict[str, Any]) -> str:
            outcome = self.world.stripe.embedded.complete_checkout(session, number=number)
            if outcome.status == "complete" and agreed_at is not None and number != HEALTH_CARD:
                self.auditor.agreed[self.client].append(agreed_at)
            return outcome.status

        return Thing(self.client, f"submits Stripe's page {session}", submit)

    def right_now(self) -> Thing:
        """What this person might do at any moment, whatever else is going on."""
        invoices = [i.invoice_id for i in self._books().invoices if i.open_amount]
        wanted = self.rng.choice([ALL, *invoices])
        what = self.rng.random()
        if self.tabs and what < 0.3:
            session, agreed_at = self.tabs[-1]
            return self.submits(session, self.card, agreed_at)
        if what < 0.6:
            return Thing(self.client, f"pays {wanted} at this moment", lambda ports: self.pay(ports, wanted))
        if what < 0.8 and wanted != ALL:
            return Thing(self.client, f"stops {wanted} at this moment", lambda ports: self.stop(ports, wanted))
        if what < 0.9 and wanted != ALL:
            return Thing(self.client, f"questions {wanted} at this moment", lambda ports: self.questions(ports, wanted))
        return Thing(self.client, "turns autopay off at this moment", self.turn_off)

    def _books(self) -> Books:
        return Books.expect(self.world.store, self.practice, self.client)

    def card_becomes(self, behaviour: str) -> None:
        """From now on the default card's issuer answers like this."""
        store = self.world.store
        account = store.get(account_key(self.practice, self.client))
        assert isinstance(account, Account)
        rows = store.partition(account.key.pk, "CARD#")
        for card in rows:
            if isinstance(card, Card) and card.card_id == account.default_card:
                self.world.stripe.embedded.set_card(card.payment_method, behaviour)
