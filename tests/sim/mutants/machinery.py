"""Planted bugs about the machinery: the table's guards, its keys, the sweep that wakes, the relay."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

from billing.facts import Message
from billing.ports import DueItem, Insert, Record, Store, Update, Write
from edges import card_gateway
from functions.wake_due import flow as wake_due
from tests.fakes.store import MemoryStore
from tests.sim import world
from tests.sim.mutants.charges import TWICE
from tests.sim.mutants.planted import planted


@planted("a lost update", found="invariant [1-9] |crashed|the auditor", seed=63)
def updates_without_a_guard() -> Iterator[None]:
    """A row is replaced whatever its stored version: the last writer wins, the one before is forgotten."""
    real = MemoryStore.commit

    def blind(self: MemoryStore, *writes: Write) -> None:
        forced: list[Write] = []
        for write in writes:
            stored = self.get(write.record.key)
            if isinstance(write, Update) and stored is not None:
                record: Any = write.record
                write = Update(replace(record, version=stored.version + 1))
            elif isinstance(write, Update):
                write = Insert(write.record)
            forced.append(write)
        real(self, *forced)

    with patch.object(MemoryStore, "commit", blind):
        yield


@planted("a key prefix without its delimiter", found="invariant [1-9] |crashed|the auditor", seed=1)
def a_client_who_sees_the_next_ones_rows() -> Iterator[None]:
    """Keys lose their last delimiter: what is asked about client_1 is answered with client_10's rows too."""
    real = MemoryStore.partition

    def beginning_with(self: MemoryStore, pk: str, prefix: str = "") -> list[Record]:
        alike = sorted(other for other in self._partitions if other.startswith(pk.removesuffix("#")))
        return [row for other in alike for row in real(self, other, prefix)]

    with patch.object(MemoryStore, "partition", beginning_with):
        yield


class _LooksBack:
    """The due index as a sweep sees it that was written for a schedule which never misses."""

    def __init__(self, store: Store, since: str) -> None:
        self._store, self._since = store, since

    def __getattr__(self, method: str) -> Any:
        return getattr(self._store, method)

    def due(self, shard: int, until: datetime, limit: int, after: DueItem | None) -> list[DueItem]:
        """What became due since the last few sweeps."""
        return [item for item in self._store.due(shard, until, limit, after) if item.due_at >= self._since]


@planted("a due item lost after a gap", found="does not end|invariant 10 ", seed=1)
def a_sweep_that_looks_back_ten_minutes() -> Iterator[None]:
    """The sweep asks for what became due in the last ten minutes: what a gap or a late commit left is never woken."""
    real = wake_due.run

    def lately(*, store: Store, now: datetime, **rest: Any) -> wake_due.Swept:
        since = f"{now - timedelta(minutes=10):%Y-%m-%dT%H:%M:%SZ}"
        recent: Any = _LooksBack(store, since)
        return real(store=recent, now=now, **rest)

    with patch.object(wake_due, "run", lately):
        yield


@planted("a lease forgotten", found="woken without a lease", seed=1)
def a_sweep_without_leases() -> Iterator[None]:
    """What is due is sent every minute until somebody has handled it: a slow day fills the queues."""

    def send_them_all(page: Any, store: Store, send: wake_due.Send, *_: Any) -> Any:
        items = [item for item, _ in page]
        if items:
            send(wake_due.routed(items))
        return items

    with patch.object(wake_due, "_wake", send_them_all):
        yield


@planted("the relay loses the rest of a batch", found="invariant [68] |does not end|the auditor|crashed", seed=1)
def a_relay_that_sends_the_first_of_a_batch() -> Iterator[None]:
    """Of the facts that one commit wrote, one becomes a message."""
    real = world.routed

    def first_only(facts: Iterable[Message]) -> Iterator[tuple[str, Message]]:
        yield from real(list(facts)[:1])

    with patch.object(world, "routed", first_only):
        yield


@planted("an idempotency key that two clients share", found="crashed.*(Idempotency|idempotent)|" + TWICE, seed=1)
def a_stripe_key_that_two_clients_share() -> Iterator[None]:
    """The idempotency key is made of the attempt's number, which counts per account: two clients have a number 2."""
    with patch.object(card_gateway, "stripe_key", lambda _practice, _client, number, call: f"kb-{number}-{call}"):
        yield
