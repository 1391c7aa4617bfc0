"""The simulated clock of a local copy. It stands still until it is told to go forward, and then it goes as time does:
from due instant to due instant, in order, letting everything come to rest before it moves on. One jump of four days
would charge on the fourth what was promised for the second.
"""

import asyncio
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from billing.ids import Key
from billing.period import whole_minute
from billing.ports import DueItem, Record
from edges.clock import CLOCK_SK
from functions.wake_due.flow import LEASE
from infra.local.cloud import DUE_SHARDS, Cloud, Crashed
from infra.local.quiet import Quiet

if TYPE_CHECKING:
    from infra.local.stripe.server import StripeServer

CLOCK_ITEM: Final = "CLOCK"
"""Partition key of the item that functions read the time from (template parameter ClockItem)."""
WAKES_BEFORE_STUCK: Final = 5
"""The last of them is twelve minutes after the first: whoever leaves work to another for ten has taken over by then."""
NEXT_SWEEP: Final = timedelta(minutes=1)
AT_ONCE: Final = 1000

_SPAN: Final = re.compile(r"(\d+)([dhms])")
_UNITS: Final = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


def read_span(text: str) -> timedelta:
    """A length of time as people write it: `48h`, `14d`, `47h59m`, `90s`. Raises ValueError."""
    parts = _SPAN.findall(text)
    if not parts or "".join(f"{n}{unit}" for n, unit in parts) != text:
        raise ValueError(f"{text!r} is no length of time; write 90s, 15m, 48h, 14d or a sum like 47h59m")
    try:
        return sum((timedelta(**{_UNITS[unit]: int(n)}) for n, unit in parts), timedelta())
    except OverflowError as e:
        raise ValueError(f"{text!r} is longer than time goes here") from e


def read_instant(text: str) -> datetime:
    """An ISO 8601 instant with its offset, in UTC. Raises ValueError."""
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"{text!r} has no offset; end it with Z or +00:00")
    return instant.astimezone(UTC)


class Stuck(Exception):
    """Time cannot go on: work that is due stays due although it was woken."""

    def __init__(self, now: datetime, stuck: list[str]) -> None:
        super().__init__("; ".join(stuck))
        self.now = now
        self.stuck = stuck


class Clock:
    """What time it is here. `now` is read by the embedded Stripe; functions read the same from the table."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    async def set(self, cloud: Cloud, at: datetime) -> None:
        """Make it `at`, for everyone."""
        row = {"pk": {"S": CLOCK_ITEM}, "sk": {"S": CLOCK_SK}, "now": {"S": at.isoformat()}}
        await asyncio.to_thread(cloud.dynamodb.put_item, TableName=cloud.table, Item=row)
        self.now = at


class Time:
    """Moves the clock, and everything that depends on it."""

    def __init__(self, clock: Clock, cloud: Cloud, stripe: "StripeServer", quiet: Quiet) -> None:
        self._clock = clock
        self._cloud = cloud
        self._stripe = stripe
        self._quiet = quiet
        self._store = cloud.store()
        self._one_at_a_time = asyncio.Lock()

    async def forward(self, until: datetime) -> None:
        """Let time pass until `until`. Raises ValueError for the past, Stuck, and NotQuiet from between two steps."""
        async with self._one_at_a_time:
            if until < self._clock.now:
                raise ValueError(f"it is {self._clock.now.isoformat()} already; time does not go back")
            await self._quiet.settle()
            wakes: dict[Key, int] = {}
            earliest = self._clock.now
            while (step := await self._next_step(earliest, until)) is not None or self._clock.now < until:
                if step is None:  # nothing more happens until then
                    await self._clock.set(self._cloud, until)
                    await self._quiet.settle()
                else:
                    earliest = await self._step(step, wakes)
            if stuck := await self._still_due(wakes):
                raise Stuck(until, stuck)

    async def _next_step(self, earliest: datetime, until: datetime) -> datetime | None:
        """The next instant at which anything happens; None when nothing does up to `until`. The schedule looks once a
        minute, so due work happens at the first whole minute at or after it, and not before `earliest`."""
        dues = [_instant(item.due_at) for item in await self._due(until, limit=1)]
        if (stripe := self._stripe.stripe.next_due()) is not None and stripe <= until:
            dues.append(stripe)
        if not dues or self._clock.now == until < earliest:
            return None
        return min(max(whole_minute(min(dues)), earliest), until)

    async def _step(self, at: datetime, wakes: dict[Key, int]) -> datetime:
        """Make it `at` and let everything that is due come to rest -> when the next sweep may be. `wakes`: rows that
        were woken for nothing so far, and how often; kept up to date."""
        await self._clock.set(self._cloud, at)
        self._stripe.pump()
        due = [item.key for item in await self._due(at, AT_ONCE)]
        before = await self._rows(due)
        again = at
        if due:
            # On AWS the next minute repeats a sweep that crashed; here the next step does, at the same instant.
            with suppress(Crashed):
                await asyncio.to_thread(self._cloud.invoke, "wake_due", {"source": "kindbill.local"})
                again = at + NEXT_SWEEP
        await self._quiet.settle()
        after = await self._rows(due)
        same = {
            key
            for key, was, row in zip(due, before, after, strict=True)
            if was is not None and row is not None and was.version == row.version and _is_due(row, at)
        }
        if same:  # a row that is written once is done with when its entry is gone
            same &= {item.key for item in await self._due(at + LEASE, AT_ONCE)}
        for key in due:
            if key in same:
                wakes[key] = wakes.get(key, 0) + 1
            else:
                wakes.pop(key, None)
        # A sweep may leave some of very many for its next run; only when none moved has time stopped.
        if due and len(same) == len(due) and max(wakes.values()) >= WAKES_BEFORE_STUCK:
            raise Stuck(at, await self._still_due(wakes))
        return again if wakes else at

    async def _still_due(self, wakes: dict[Key, int]) -> list[str]:
        """In words: which of these rows want to be looked at, though they were woken."""
        rows = await self._rows(list(wakes))
        now = self._clock.now
        return [f"{r.key.pk} {r.key.sk} due since {r.due}" for r in rows if r is not None and _is_due(r, now)]

    async def _due(self, until: datetime, limit: int) -> list[DueItem]:
        def shards() -> list[DueItem]:
            return [item for shard in range(DUE_SHARDS) for item in self._store.due(shard, until, limit)]

        return await asyncio.to_thread(shards)

    async def _rows(self, keys: list[Key]) -> list[Record | None]:
        return await asyncio.to_thread(self._store.get_many, keys) if keys else []


def _instant(due: str) -> datetime:
    return read_instant(due.split("#", 1)[0])


def _is_due(row: Record, at: datetime) -> bool:
    """Whether the row itself wants to be woken by now. Its index entry does not tell: a sweep moves that by a lease."""
    return row.due is not None and _instant(row.due) <= at
