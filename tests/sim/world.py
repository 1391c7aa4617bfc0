"""One simulated copy of Kindbill: the production flows on an in-memory table, queues as template.yaml wires them, the
embedded Stripe, a mail service, people, a clock, and trouble.

Everything that will happen stands on one agenda, ordered by time. `step` takes the next thing, lets it happen at its
instant, relays the facts it wrote (ROUTES) and checks the accounts it touched. There are no threads: a concurrent
writer is another thing from the agenda that runs, whole, inside a port call of the first (at most two deep).

What happens is drawn from `Random(seed)` and from nothing else: the same seed tells the same story to the letter.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from billing.facts import Message
from billing.notice import Letter, Posting
from billing.period import whole_minute
from billing.ports import DueItem, Refused, Store, TryAgain, Update
from billing.reconciliation import RECONCILIATION_KEY, Reconciliation, asked_for
from functions.publish_facts.flow import routed
from functions.receive_mail_events import flow as mail_events
from functions.receive_mail_events.report import Report
from functions.receive_mail_events.report import Trouble as MailTrouble
from functions.receive_stripe import flow as inbox
from functions.wake_due import flow as wake
from infra.local.stripe import Delivery
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.uploads import MemoryUploads
from tests.sim.agenda import Agenda, Thing
from tests.sim.chaos import CALM, SKEW, Crash, Door, Trouble, Weather
from tests.sim.judge import Failure, Judge, WatchedStore
from tests.sim.mailbox import Mail, Mailbox
from tests.sim.stripe_side import StripeSide
from tests.sim.trace import Trace
from tests.sim.wiring import Queue, run_step, wiring

QUIET = frozenset(
    {
        "issue_invoice", "send_email", "receive_stripe", "receive_mail", "wake_due", "read_claims", "fetch_report",
        "payer", "practice",
    }
)  # fmt: skip
"""Steps that never talk to Stripe."""
FOR_EVER = datetime.max.replace(tzinfo=UTC)
DEEPEST = 2
"""How many writers may be inside each other's port calls."""
WHOLE_WORLD_EVERY = 200
"""Steps between two checks of everything; touched accounts are checked after each step."""


@dataclass
class World:
    """`now`: the simulated instant. `trace`: what happened. `dead`: how many messages ran out of receives.
    `seed`: None in a named scenario. `keep`: how many lines of the trace; None for all. `whole_every`: steps
    between two checks of everything."""

    seed: int | None
    start: datetime
    weather: Weather = CALM
    on_mail: Callable[[Mail], None] = lambda _mail: None
    on_meeting: "Callable[[Thing], Thing | None]" = lambda _busy: None
    keep: int | None = None
    whole_every: int = WHOLE_WORLD_EVERY

    def __post_init__(self) -> None:
        self.now = self.start
        self.rng = Random(f"chaos {self.seed}")
        self.steps = 0
        self.dead = 0
        self.trace = Trace(self.keep)
        self.met = self.trace.met
        self.calm = self.weather == CALM
        self.directions: dict[str, Callable[[], None]] = {}
        self.judge = Judge(self)
        self.store = WatchedStore(wiring().shards, self.judge, self.trace)
        self.stripe = StripeSide(lambda: self.now, self.judge.leaves_for_stripe, self.met)
        self.mailbox = Mailbox(lambda: self.now, self._inspect, self._arrived)
        self.blobs = MemoryBlobs()
        self.uploads = MemoryUploads(self.blobs)
        self.reports: object = None
        self._agenda = Agenda()
        self._skew = timedelta(0)
        self._last_night = False
        self._next_due = ("", self.start)
        self._sweep_from = self.start
        self._began: list[int] = []
        self.sendings: Counter[str] = Counter()

    @property
    def clock(self) -> datetime:
        """What the clock of the function that runs now says; nobody's is quite right."""
        return self.now + self._skew

    # ---- the agenda ----

    def at(self, when: datetime, thing: Thing) -> None:
        """Put something on the agenda."""
        self._agenda.put(max(when, self.now), thing)

    def step(self, by: datetime = FOR_EVER) -> bool:
        """Let the next thing happen; False where nothing is left to do by then."""
        thing = self._next(by)
        if thing is None:
            return False
        self.steps += 1
        self.stripe.release()
        self._do(thing, depth=0)
        self.judge.check_touched()
        if self.steps % self.whole_every == 0:
            self.judge.check_everything(concluded=False)
        return True

    def run_until(self, when: datetime) -> None:
        """Let everything happen up to and including that instant, and move the clock there."""
        while self.step(by=when):
            pass
        self.now = max(self.now, when)
        self.stripe.embedded.advance()

    def _next(self, by: datetime) -> Thing | None:
        while True:
            sweep_at, stripe_at = self._sweep_at(), self.stripe.embedded.next_due()
            moments = (sweep_at, stripe_at, self._agenda.first_at())
            first = min((at for at in moments if at is not None), default=None)
            if first is None or first > by:
                return None
            self.now = max(self.now, first)
            if first == stripe_at:
                self.stripe.embedded.advance()
                self._collect()
            elif first == sweep_at:
                return self._sweeping()
            else:
                thing = self._agenda.take_first()
                if thing.hidden_until <= self.now:
                    return thing
                self.at(thing.hidden_until, thing)

    def _do(self, thing: Thing, depth: int) -> str:
        """Run one thing in its trouble; whatever it wrote is relayed, whatever became of it."""
        meet = (lambda: self._meet(thing, depth + 1)) if depth < DEEPEST else None
        trouble = Trouble(
            self.rng,
            self.weather,
            meet,
            self.stripe.arm,
            self.directions,
            self.met,
            about_money=thing.actor not in QUIET,
        )
        directed = self.seed is None  # a story told by hand may direct any call, also one of this very run
        doors: dict[str, Any] = {
            "store": Door.where_needed("store", self.store, trouble, directed=directed),
            "cards": Door("cards", self.stripe.cards, trouble),
            "mailer": Door.where_needed("mailer", self.mailbox, trouble, directed=directed),
            "blobs": Door.where_needed("blobs", self.blobs, trouble, directed=directed),
            "uploads": Door.where_needed("uploads", self.uploads, trouble, directed=directed),
            "reports": Door.where_needed("reports", self.reports, trouble, directed=directed),
            "statement": Door("cards", self.stripe.statement, trouble),
            "send": self.send,
            "shards": wiring().shards,
        }
        outside, self._skew = self._skew, self._drawn_skew()
        line = self.trace.begins(self.now, depth, thing.actor, thing.label)
        self._began.append(self.store.commits)
        try:
            outcome = _outcome(thing.act(doors))
        except Crash:
            outcome = "crash"
        except TryAgain as why:
            outcome = f"again: {why}"
        except Refused as why:
            outcome = f"refused: {why.code}"
        except Failure:
            raise
        except Exception as bug:  # noqa: BLE001 - what no rule foresees is what we are looking for
            self.judge.fail(f"{thing.actor} crashed on {thing.label}: {type(bug).__name__}: {bug}", bug)
        finally:
            self._skew = outside
            self._began.pop()
            self.stripe.disarm()
        self.trace.ends(line, outcome)
        again_at = thing.failed(thing, outcome) if outcome == "crash" or outcome.startswith("again") else None
        if again_at is not None:
            self.at(again_at, thing)
        if outcome == "crash" and self.rng.random() < 0.6:
            self._meanwhile(thing)
        thing.then(outcome)
        self._relay()
        self._collect()
        return outcome

    def _drawn_skew(self) -> timedelta:
        if self.rng.random() >= self.weather.skew:
            return timedelta(0)
        self.met["skewed clock"] += 1
        return SKEW * (2 * self.rng.random() - 1)

    def _meet(self, busy: Thing, depth: int) -> None:
        """A concurrent writer: the same message delivered twice, somebody who acts on the same account at this very
        moment, or something else that is due about now."""
        dice = self.rng.random()
        other = self.on_meeting(busy) if dice < 0.5 else None
        if other is None and busy.queue and dice < 0.7:
            other = Thing(busy.actor, busy.label, busy.act)
        other = other or self._agenda.take_near(self.rng, busy.queue)
        if other is not None:
            self._do(other, depth)

    def _meanwhile(self, crashed: Thing) -> None:
        """Before a crashed step comes again, somebody acts on the half-done."""
        somebody = self.on_meeting(crashed)
        if somebody is not None:
            self.at(self.now + timedelta(minutes=10) * self.rng.random(), somebody)

    # ---- messages ----

    def _relay(self) -> None:
        """What publish_facts does: a message for each verb that the new facts' kinds are routed to."""
        fresh, self.store.stream = self.store.stream, []
        self.send(routed(Message(str(row.kind), row.key) for row in fresh))  # type: ignore[attr-defined]  # facts all

    def send(self, messages: Iterable[tuple[str, Message]], delay_seconds: int = 0) -> int:
        """Queue messages, to be seen after a delay; each may come late, twice, or both."""
        sent = 0
        leaves = self.now + timedelta(seconds=delay_seconds)
        for verb, message in messages:
            for _ in range(self._copies("message twice")):
                self.at(leaves + self._on_its_way(), self._delivery(wiring().queues[verb], message))
            sent += 1
        return sent

    def _copies(self, what: str) -> int:
        """At least once: mostly one, sometimes two."""
        if self.rng.random() >= self.weather.duplicate:
            return 1
        self.met[what] += 1
        return 2

    def _on_its_way(self) -> timedelta:
        if self.rng.random() < self.weather.delay:
            self.met["message late"] += 1
            return self.rng.choice((timedelta(minutes=1), timedelta(hours=1), timedelta(days=2))) * self.rng.random()
        return timedelta(seconds=self.rng.random() * 3)

    def _delivery(self, queue: Queue, message: Message) -> Thing:
        label = f"{message.kind} {message.key.pk}{message.key.sk}"
        act = lambda ports: run_step(queue.verb, message, ports, self.clock)  # noqa: E731
        return Thing(queue.verb, label, act, lambda thing, outcome: self._redelivery(queue, thing, outcome), queue.verb)

    def _redelivery(self, queue: Queue, thing: Thing, outcome: str) -> datetime:
        """When the message is seen again; after its last receive it waits in the dead letters for a person."""
        thing.receives += 1
        # Batch-mates that crash use up the receives of a message that did nothing wrong.
        poisoned = outcome == "crash" and not self.calm and self.rng.random() < 0.3
        if thing.receives >= queue.receives or poisoned:
            thing.receives = 0
            self.dead += 1
            self.met["dead letter"] += 1
            return self.now + (timedelta(minutes=1) if self.calm else self._until_redriven())
        if outcome != "crash":
            return self.now + timedelta(seconds=min(2 ** (thing.receives - 1), 60))
        # The whole invocation ended: the other records of its batch stay hidden as long.
        mates = list(self._agenda.of_queue(thing.queue, self.now + timedelta(seconds=1)))
        for mate in mates[: self.rng.randrange(queue.batch)]:
            mate.receives = min(mate.receives + 1, queue.receives - 1)
            mate.hidden_until = self.now + queue.visibility
        return self.now + queue.visibility

    def _until_redriven(self) -> timedelta:
        """A person looks at dead letters the next day, or some time in three days."""
        hours = 19 + 8 * self.rng.random() if self.rng.random() < 0.5 else 1 + 71 * self.rng.random()
        return timedelta(hours=hours)

    # ---- the clock that wakes ----

    def _sweep_at(self) -> datetime | None:
        due = self.store.next_due() if not self._last_night else self._due_but_for_the_next_night()
        if due is None:
            return None
        if due != self._next_due[0]:
            self._next_due = (due, datetime.fromisoformat(due.partition("#")[0]))
        return whole_minute(max(self._next_due[1], self._sweep_from))

    def _due_but_for_the_next_night(self) -> str | None:
        """A night comes after every other: where nothing else will ever be due, the work is done."""
        resting = self.nights.started_at is None
        due = (item for shard in range(self.store.shards) for item in self._due(shard))
        return min((i.due_at for i in due if not (resting and i.key == RECONCILIATION_KEY)), default=None)

    @property
    def nights(self) -> Reconciliation:
        """How far the nightly reconciliation is."""
        row = self.store.get(RECONCILIATION_KEY)
        assert isinstance(row, Reconciliation)
        return row

    def _sweeping(self) -> Thing:
        gap = timedelta(0)
        if self.rng.random() < self.weather.gap:
            gap = timedelta(days=3) * self.rng.random()
            self.met["schedule stops"] += 1
        self._sweep_from = self.now + timedelta(minutes=1) + gap
        label = f"looks for what is due, then misses {gap}" if gap else "looks for what is due"
        return Thing("wake_due", label, lambda ports: self._sweep(ports["store"]))

    def _sweep(self, store: Store) -> str:
        send = lambda messages, delay=0: self.send(self.judge.woken(messages), delay)  # noqa: E731
        swept = wake.run(store=store, send=send, shards=wiring().shards, seconds_left=lambda: 60.0, now=self.clock)
        return f"woke {swept.woken}"

    # ---- Stripe's word ----

    def _collect(self) -> None:
        """Put the webhooks that left Stripe on their way."""
        for delivery in self.stripe.deliveries():
            if self.rng.random() < self.weather.webhook_lost:
                self.trace.tells(self.now, 0, "stripe", f"{delivery.event_type} is lost")
                self.met["webhook lost"] += 1
                continue
            for _ in range(self._copies("webhook twice")):
                after = timedelta(seconds=self.rng.random() * 5)
                if self.rng.random() < self.weather.webhook_late:
                    after = timedelta(hours=30) * self.rng.random() ** 3
                    self.met["webhook late"] += 1
                self.at(self.now + after, self._webhook(delivery))

    def stripe_tells_everything_again(self) -> str:
        """Every event there ever was is delivered once more, newest first."""
        self.met["webhooks reversed"] += 1
        self._collect()
        self.stripe.embedded.resend_webhooks(reverse=True)
        again = self.stripe.deliveries()
        for place, delivery in enumerate(again):
            self.at(self.now + timedelta(seconds=0.1) * place, self._webhook(delivery))
        return f"{len(again)} events"

    def _webhook(self, delivery: Delivery) -> Thing:
        retry = lambda _thing, _outcome: self.now + timedelta(minutes=10)  # noqa: E731
        act = lambda ports: self._keep_webhook(ports["store"], delivery)  # noqa: E731
        return Thing("receive_stripe", f"{delivery.event_type} {delivery.event_id}", act, retry)

    def _keep_webhook(self, store: Store, delivery: Delivery) -> str:
        return str(inbox.run(delivery.body.encode(), store=store, now=self.clock).outcome)

    # ---- mails ----

    def _inspect(self, notice_id: str, letter: Letter) -> None:
        posting = self.posting(letter, notice_id)
        self.sendings[notice_id] += 1
        if self.sendings[notice_id] > posting.version:
            self.judge.fail(f"{letter.kind} {notice_id} is sent a time more than was written down")
        # The mail service has no idempotency key: after a crash a mail that was sent is sent once more, as it was.
        repeated = self.sendings[notice_id] > 1 and notice_id in self.mailbox.accepted
        self.judge.leaves_by_mail(posting, letter, self._began[-1], repeated=repeated)

    def _arrived(self, mail: Mail) -> None:
        who = f"{mail.letter.kind} to {mail.letter.to}"
        self.trace.tells(self.now, 1, "mail", f"{who} about {mail.letter.amount}", f"mail {mail.number}")
        self.on_mail(mail)

    def comes_back(self, mail: Mail, trouble: MailTrouble, after: timedelta) -> None:
        """That mail bounces (or is complained about) some time after it was accepted."""
        letter = mail.letter
        report = Report(
            trouble, letter.practice, letter.client, mail.notice_id, f"message-{mail.number}", frozenset({letter.to})
        )

        def note(ports: dict[str, Any]) -> str:
            return "noted" if mail_events.run(report, store=ports["store"], now=self.clock) else "nothing new"

        again = lambda _thing, _outcome: self.now + timedelta(minutes=1)  # noqa: E731
        self.at(self.now + after, Thing("receive_mail", f"{trouble} of mail {mail.number}", note, again))

    def posting(self, letter: Letter, notice_id: str) -> Posting:
        """The row that was written before the mail service heard of the letter."""
        blank = Posting(letter.practice, letter.client, notice_id, 1, letter.kind, self.now)
        row = self.store.get(blank.key)
        if not isinstance(row, Posting):
            self.judge.fail(f"a {letter.kind} mail is sent before its sending was written down")
        return row

    # ---- the end ----

    def conclude(self, most_steps: int = 5_000) -> None:
        """Faults stop, dead letters come back, the clock runs: all work must end, and everything must agree."""
        self.weather, self.calm, self._sweep_from = CALM, True, self.now
        self._last_night = self.has_nights
        self._work_to_the_end(most_steps)
        if self.has_nights:
            # What no webhook told, this night hears of; the next has nothing left to find.
            self._one_more_night()
            self._work_to_the_end(most_steps)
        self.judge.check_everything(concluded=True)
        if self.has_nights:
            self._one_more_night()
            self.judge.check_findings(self.nights)

    def _one_more_night(self) -> None:
        self.store.commit(Update(asked_for(self.nights, self.now)))
        self._last_night = False
        while self.nights.started_at or self.nights.wake_at <= self.now:
            self.step()
        self._last_night = True

    @property
    def has_nights(self) -> bool:
        """Whether the books are reconciled in this life."""
        return isinstance(self.store.get(RECONCILIATION_KEY), Reconciliation)

    def _work_to_the_end(self, most_steps: int) -> None:
        ends_at = self.steps + most_steps
        while self.step():
            if self.steps > ends_at:
                due = [f"{i.key.pk}{i.key.sk} {i.due_at}" for s in range(self.store.shards) for i in self._due(s)]
                self.judge.fail("the work does not end; due are " + ", ".join(due))

    def _due(self, shard: int) -> list[DueItem]:
        return self.store.due(shard, self.now + timedelta(days=400), 20)

    def story(self, last: int = 0) -> str:
        """The trace for people: time, actor, message, outcome; all of it, or its last lines."""
        return self.trace.story(last)


def _outcome(answer: object) -> str:
    return answer if isinstance(answer, str) else "done"
