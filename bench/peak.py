"""A hundred thousand charges due in one minute against Stripe's 25 requests a second, in simulated time.

The production sweep gives the turns and the production charge flow takes them, on the table in memory and a Stripe that
refuses what is above its limit: a bucket of 25 tokens that fills by 25 a second. Workers, receives and waits are those
of template.yaml and edges/sqs.py; how long calls take is assumed.
"""

import gc
import heapq
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

from billing.account import Account
from billing.facts import Message
from billing.invoice import Invoice, Source
from billing.payment import Attempt, Card, Evidence
from billing.policy import Practice
from billing.ports import DueItem, Insert, Store, TryAgain
from edges.sqs import AT_ONCE, wait_seconds
from functions.charge_autopay import flow as charge_autopay
from functions.wake_due import flow as wake_due
from tests.fakes.cards import FakeCards
from tests.fakes.store import MemoryStore
from tests.sim.wiring import wiring

STRIPE_PER_SECOND: Final = 25
NOON: Final = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
FIRST_SWEEP: Final = 5.0
"""Seconds after the charges fell due. The schedule runs once a minute, at some second of it."""
TABLE_CALL: Final = 0.008
QUEUE_CALL: Final = 0.015
SEEN_WITHIN: Final = 0.3
CHARGE_TAKES: Final = (0.4, 1.1)
REFUSAL_TAKES: Final = 0.1
SWEEP_MAY_TAKE: Final = 50.0
AMOUNT: Final = 62_50


@dataclass
class Bucket(FakeCards):
    """Stripe, with its limit. `requests` of these were `refused`."""

    at: float = 0.0
    tokens: float = STRIPE_PER_SECOND
    filled_at: float = 0.0
    requests: int = 0
    refused: int = 0

    def charge(self, attempt: Attempt) -> Evidence:
        """Take a token, or be refused."""
        self.requests += 1
        self.tokens = min(STRIPE_PER_SECOND, self.tokens + (self.at - self.filled_at) * STRIPE_PER_SECOND)
        self.filled_at = self.at
        if self.tokens < 1:
            self.refused += 1
            raise TryAgain("429")
        self.tokens -= 1
        return super().charge(attempt)


@dataclass
class Stopwatch:
    """How long a sweep has taken by now."""

    spent: float = 0.0

    def left(self) -> float:
        """Seconds until its time is out."""
        return SWEEP_MAY_TAKE - self.spent


class SweptStore(MemoryStore):
    """The table, each call of a sweep taking its time."""

    def __init__(self, shards: int) -> None:
        super().__init__(shards)
        self.watch = Stopwatch()

    def due(self, shard: int, until: datetime, limit: int, after: DueItem | None = None) -> list[DueItem]:
        self.watch.spent += TABLE_CALL
        return super().due(shard, until, limit, after)

    def lease(self, item: DueItem, until: datetime) -> bool:
        self.watch.spent += TABLE_CALL
        return super().lease(item, until)


@dataclass(order=True)
class Waiting:
    """A message in the queue."""

    seen_at: float
    number: int
    message: Message = field(compare=False)
    received: int = field(default=0, compare=False)


class Peak:
    """So many charges, due at one instant."""

    def __init__(self, charges: int) -> None:
        self.charges = charges
        self.rng = Random(charges)  # noqa: S311 - a simulation
        self.store = SweptStore(wiring().shards)
        self.stripe = Bucket()
        self.queue: list[Waiting] = []
        self.sent = self.dead = 0
        self.now = FIRST_SWEEP
        self.store.commit(
            Insert(Practice("prac_1", 1, "Riverbend", "America/Los_Angeles", "+12025550143", "a@b.example"))
        )
        for number in range(charges):
            self.store.commit(*map(Insert, _announced(f"cli_{number}")))

    def run(self) -> dict[str, float]:
        """Live until every charge is done."""
        queue = wiring().queues["charge_autopay"]
        free = [0.0] * queue.at_once
        sweep_at = self.now
        ended = 0.0
        while len(self.stripe.taken) < self.charges:
            begins = max(free[0], self.queue[0].seen_at) if self.queue else sweep_at
            if sweep_at <= begins:
                self._sweep(sweep_at)
                sweep_at += 60
                continue
            waiting = heapq.heappop(self.queue)
            ends = self._work(waiting, begins, queue.receives)
            ended = max(ended, ends)
            heapq.heapreplace(free, ends)
        per_invoice = Counter(attempt for attempt, _ in self.stripe.taken)
        return {
            "charges": self.charges,
            "seconds": round(ended),
            "times_ideal": round(ended / (self.charges / STRIPE_PER_SECOND), 3),
            "refused_percent": round(100 * self.stripe.refused / self.stripe.requests, 3),
            "charged_twice": sum(count > 1 for count in per_invoice.values()),
            "given_up": self.dead,
            "messages_per_charge": round(self.sent / self.charges, 3),
        }

    def _sweep(self, at: float) -> None:
        self.now, self.store.watch = at, Stopwatch()
        now = NOON + timedelta(seconds=int(at))
        wake_due.run(
            store=self.store, send=self._send, shards=self.store.shards, seconds_left=self.store.watch.left, now=now
        )

    def _send(self, messages: Iterable[tuple[str, Message]], delay_seconds: int = 0) -> int:
        sent = [message for _, message in messages]
        for place, message in enumerate(sent):
            if place % AT_ONCE == 0:
                self.store.watch.spent += QUEUE_CALL
            self._queue(Waiting(self.now + self.store.watch.spent + delay_seconds, 0, message))
        return len(sent)

    def _queue(self, waiting: Waiting) -> None:
        self.sent += 1
        seen_at = waiting.seen_at + self.rng.uniform(0, SEEN_WITHIN)
        heapq.heappush(self.queue, replace(waiting, seen_at=seen_at, number=self.sent))

    def _work(self, waiting: Waiting, at: float, receives: int) -> float:
        """Deliver a message -> when its worker is free again."""
        self.stripe.at = at
        asked = self.stripe.requests
        store: Store = self.store
        try:
            charge_autopay.run(waiting.message, store=store, cards=self.stripe, now=NOON + timedelta(seconds=at))
        except TryAgain:
            ends, received = at + REFUSAL_TAKES, waiting.received + 1
            if received < receives:
                self._queue(Waiting(ends + wait_seconds(received), 0, waiting.message, received))
            else:
                self.dead += 1
            return ends
        return at + (self.rng.uniform(*CHARGE_TAKES) if self.stripe.requests > asked else 2 * TABLE_CALL)


def _announced(client: str) -> tuple[Account, Card, Invoice]:
    """An account with autopay whose charge was announced two days ago for now."""
    noticed = NOON - timedelta(hours=48)
    account = Account(
        "prac_1", client, 1, "prov_1", autopay=True, stripe_customer=f"cus_{client}", default_card="card_1",
        consent_id="consent_1", enrolled_at=noticed,
    )  # fmt: skip
    card = Card("prac_1", client, "card_1", 1, "pm_1", "visa", "4242", 12, 2030, "credit")
    invoice = Invoice(
        "prac_1", client, f"inv_{client}", 1, Source.CLAIM, client, 0, AMOUNT, noticed, noticed.date(),
        notice_at=noticed, charge_at=NOON, card_id="card_1",
    )  # fmt: skip
    return account, card, invoice


def peak(charges: int) -> dict[str, float]:
    """The figures of one peak."""
    gc.disable()
    try:
        return Peak(charges).run()
    finally:
        gc.enable()
