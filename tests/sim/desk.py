"""The desk: staff decide what is on hold and look into bills that are questioned, by their own lights.

What they were told is done is what the auditor writes down; a decision of theirs is a word about the claim like a
payer's, and the last one.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from billing.account import Books
from billing.claim_state import Hold
from billing.ids import holds_pk
from billing.invoice import Source
from billing.review import AskedBy, Review
from billing.reviewing import Asked, Decision
from billing.standing import Choice
from functions.change_invoice import reviews
from functions.change_invoice.review_decision import decide as decide_review
from functions.serve_practice import holds
from tests.sim.agenda import Thing
from tests.sim.auditor import Auditor
from tests.sim.processor import Sent
from tests.sim.reckoning import about
from tests.sim.world import World

WAITS = ("needs_review", "conflict")
"""Why a result is held while a bank decides about a payment of its bill."""
UPHELD = Decision(None, "the plan confirmed it", "REF-2")


@dataclass(frozen=True)
class Stray:
    """A result that names a claim it is not about. `client`, `claim`: what it is about, and what it says is `owed` ·
    `named`: the claim it names, where there is such a claim, whose client's it is."""

    client: str
    claim: str
    owed: int
    says: Sent
    named: str = ""
    clients: str = ""


@dataclass
class Desk:
    """`open_to`: by result or session on hold, whose claim or session it is about and what is owed if staff put it
    aside; what is not in it waits for its payer, and staff leave it alone. `strays`: by result, of those that name
    another claim · `moved`: by claim, the decisions that staff moved to it."""

    world: World
    auditor: Auditor
    rng: Random
    practice: str
    open_to: dict[str, tuple[str, str, int | None]] = field(default_factory=dict)
    strays: dict[str, Stray] = field(default_factory=dict)
    moved: defaultdict[str, set[Sent]] = field(default_factory=lambda: defaultdict(set))
    _taken_over: set[str] = field(default_factory=set)

    # ---- what is on hold ----

    def decides_a_hold(self) -> Thing | None:
        """One of those that staff may decide as they like; None where nothing waits."""
        known = self.open_to.keys() | self.strays.keys()
        waiting = [hold for hold in self._holds() if (hold.result or hold.session_id) in known]
        if not waiting:
            return None
        hold = self.rng.choice(waiting)
        if self.rng.random() < 0.3:  # at two desks at once, or the same button twice
            other = self._some_decision(hold)
            soon = timedelta(seconds=3) if self.rng.random() < 0.7 else timedelta(days=3)
            self.world.at(self.world.now + soon * self.rng.random(), other)
        return self._some_decision(hold)

    def _some_decision(self, hold: Hold) -> Thing:
        stray, rng = self.strays.get(hold.result), self.rng
        if rng.random() < (0.7 if stray else 0.1):
            return self._decides(hold, Choice.REMATCHED, None, stray.claim if stray else hold.claim_id)
        if rng.random() < 0.5:
            return self._decides(hold, Choice.REJECTED, None)
        most = hold.patient_responsibility if hold.session_id else 150_00
        return self._decides(hold, Choice.RELEASED, rng.choice((0, 50, 25_00, most)))

    def _decides(self, hold: Hold, choice: Choice, amount: int | None, to: str = "") -> Thing:
        word = holds.Word(hold.hold_id, choice, "called the plan", "desk", amount, to)

        def act(ports: dict[str, Any]) -> str:
            decided = holds.decide(ports["store"], self.practice, word, self.world.clock)
            self._was_told(hold, word, decided.decision.at)
            self.world.met[f"staff: hold {choice}"] += 1
            return decided.now

        return self._until_done(f"{choice} {hold.hold_id}, held as {hold.reason}, for {amount} {to}".rstrip(), act)

    def _was_told(self, hold: Hold, word: holds.Word, at: datetime) -> None:
        """What they decided was done then: that is the last word about the claim that it is about."""
        choice, amount = word.choice, word.amount
        stray = self.strays.get(hold.result)
        if stray is not None:
            if choice is Choice.REMATCHED:
                self.moved[stray.claim].add(stray.says)
                self.auditor.hears_of_staff(stray.claim, stray.client, stray.owed, at)
            elif choice is Choice.RELEASED and amount is not None:
                self._taken_over.add(stray.named)
                self.auditor.hears_of_staff(stray.named, stray.clients, amount, at)
            return
        client, claim, otherwise = self.open_to.get(hold.result or hold.session_id, ("", "", None))
        owed = otherwise if amount is None else amount
        if owed is not None and (choice is Choice.REJECTED or amount is not None):
            self.auditor.hears_of_staff(claim, client, owed, at)

    def clears_what_waited_for_a_bank(self) -> bool:
        """Release what was held only because a bank was deciding (PAY-13) -> whether there was any."""
        waiting = [hold for hold in self._holds() if hold.reason in WAITS]
        of_claim = Counter(hold.claim_id for hold in waiting)  # of two answers, one would stand but for the bank
        known = self.open_to.keys() | self.strays.keys()
        over = [hold for hold in waiting if hold.result not in known or of_claim[hold.claim_id] > 1]
        over = [hold for hold in over if hold.claim_id not in self._taken_over]
        for hold in over:
            if not any(dispute.is_open for dispute in self._books(hold.client).disputes):
                self.world.at(self.world.now, self._decides(hold, Choice.RELEASED, None))
        return bool(over)

    def _holds(self) -> list[Hold]:
        rows = self.world.store.partition(holds_pk(self.practice), "HOLD#")
        return [row for row in rows if isinstance(row, Hold)]

    # ---- what is questioned ----

    def questions(self, client: str) -> Thing | None:
        """Staff look into a bill because the client says so on the phone (INV-7)."""
        invoices = self._books(client).invoices
        if not invoices:
            return None
        invoice = self.rng.choice([i for i in invoices if i.open_amount] or invoices)
        asked = Asked(AskedBy.STAFF, "says another amount", self.rng.choice((None, 10_00)), "REF-1")

        def act(ports: dict[str, Any]) -> str:
            cards = lambda: ports["cards"]  # noqa: E731
            done = reviews.ask(
                ports["store"], cards, self.practice, client, invoice.invoice_id, asked, self.world.clock
            )
            self.auditor.in_review(done.review.review_id, invoice.invoice_id)
            self.world.met["staff: a bill is looked into"] += 1
            self.is_asked(done.review)
            return "looked into"

        return self._until_done(f"looks into {invoice.invoice_id}", act)

    def is_asked(self, review: Review) -> None:
        """Somebody will look into it, sooner or later; and again whoever is asked a second time."""
        self.world.at(self.world.now + timedelta(days=12) * self.rng.random() ** 2, self._answers(review))

    def answers_what_is_open(self) -> None:
        """Every review that is open is decided."""
        for client in self.auditor.claims:
            for review in self._books(client).reviews:
                if review.is_open:
                    self.world.at(self.world.now, self._answers(review))

    def _answers(self, review: Review) -> Thing:
        """The amount stands, or, where no payer will say more about it, it is another one from now on."""
        decision, claim = UPHELD, ""
        invoice = self._books(review.client).invoice(review.invoice_id)
        assert invoice is not None
        word = self.auditor.claims[review.client].get(about(invoice.source_id))
        firm = word is not None and not word.meanwhile and invoice.source is not Source.ESTIMATE
        if firm and not invoice.ordinal and self.rng.random() < 0.5:
            amount = self.rng.choice((0, invoice.total // 2, invoice.total + 10_00))
            decision, claim = replace(UPHELD, amount=amount), about(invoice.source_id)

        def act(ports: dict[str, Any]) -> str:
            self.auditor.review_ends(review.review_id)
            done = decide_review(ports["store"], self.practice, review.review_id, decision, self.world.clock)
            if decision.amount is not None:
                assert done.review.decided_at is not None
                self.auditor.hears_of_staff(claim, review.client, decision.amount, done.review.decided_at)
            self.world.met["staff: a bill is corrected" if claim else "staff: a bill is upheld"] += 1
            return "corrected" if claim else "upheld"

        return self._until_done(f"decides {review.review_id}: {decision.amount}", act)

    # ----

    def _books(self, client: str) -> Books:
        return Books.expect(self.world.store, self.practice, client)

    def _until_done(self, what: str, act: Callable[[dict[str, Any]], object]) -> Thing:
        again: Callable[[Thing, str], datetime] = lambda _thing, _outcome: self.world.now + timedelta(minutes=3)  # noqa: E731
        return Thing("staff", what, act, again)
