"""`make sim YEAR=1`: one practice, a thousand clients, a year of claims in light weather: does it stay fast, and small?

What is stored grows with the year, and must: rows, Stripe's objects, the mails that were sent, the auditor's notes. All
else must not. So at each month's end the process forks, the child throws everything stored away and counts the blocks
of memory that Python still holds: what the running system needs beside its records. The parent goes on unmeasured.
"""

import gc
import os
import struct
import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from billing.invoice import Invoice
from tests.sim.chaos import Weather
from tests.sim.judge import TOLD_LINES
from tests.sim.workload import Workload

SEED = 1
CLIENTS = 1_000
MONTHS = 12
CLAIMS = (4, 10)
"""How many claims a client has in the year, at least and at most."""
LIGHT = Weather(
    crash=0.02,
    throttle=0.01,
    meet=0.03,
    stripe=0.03,
    mail=0.02,
    duplicate=0.03,
    delay=0.01,
    webhook_lost=0.01,
    webhook_late=0.05,
    skew=0.5,
    processor=0.05,
)
WHOLE_EVERY = 20_000
"""Steps between two checks of everything: what is touched is checked after each step all the same."""
MONTH = timedelta(days=365) / MONTHS
MAY_GROW = 1.15
"""The last month's memory beside the records, against the largest of the first three."""


@dataclass(frozen=True)
class Month:
    """What one month took. `beside`: blocks of memory that are no records."""

    steps: int
    seconds: float
    invoices: int
    rows: int
    resident_mb: float
    beside: int


def live_a_year(clients: int = CLIENTS) -> list[Month]:
    """Live it, month by month, and conclude it with every check there is."""
    workload = Workload(SEED, LIGHT, keep=TOLD_LINES, days=365, whole_every=WHOLE_EVERY)
    world, rng = workload.world, workload.rng
    people = [workload.client(f"client_{number}") for number in range(clients)]
    claims = [rng.randint(*CLAIMS) for _ in people]
    months: list[Month] = []
    print("month     steps  steps/s  invoices     rows  resident MB  blocks beside the records")
    for month in range(MONTHS):
        began, steps = time.process_time(), world.steps
        ends = world.start + MONTH * (month + 1)
        for person, count in zip(people, claims, strict=True):
            for number in range(count * month // MONTHS, count * (month + 1) // MONTHS):
                arrives = world.now + (ends - world.now) * rng.random()
                workload.claim(person, f"{person.client}_claim_{number}", arrives)
        # Stripe shows an event for thirty days: what was lost is told again within them.
        world.stripe_tells_everything_again()
        world.run_until(ends)
        months.append(_month(workload, world.steps - steps, time.process_time() - began))
        told = months[-1]
        print(
            f"{month + 1:5} {told.steps:9} {told.steps / told.seconds:8.0f} {told.invoices:9} {told.rows:8} "
            f"{told.resident_mb:12.0f} {told.beside:10}",
            flush=True,
        )
    workload.conclude(most_steps=200_000)
    return months


def grew(months: list[Month]) -> str:
    """What is wrong with the year's memory; "" where nothing is."""
    first, last = max(month.beside for month in months[:3]), months[-1].beside
    return f"{last} blocks beside the records at the end, {first} in the beginning" if last > first * MAY_GROW else ""


def main() -> int:
    """Live the year and say what it took; 1 where memory grew."""
    began = time.process_time()
    months = live_a_year()
    took = time.process_time() - began
    wrong = grew(months)
    print(f"a year of {CLIENTS} clients, {months[-1].invoices} invoices: {took:.0f} s of one core, every check on")
    print(wrong or "memory beside the records stayed flat")
    return 1 if wrong else 0


def _month(workload: Workload, steps: int, seconds: float) -> Month:
    rows = workload.world.store.rows()
    invoices = sum(isinstance(row, Invoice) for row in rows)
    count = len(rows)
    del rows
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return Month(steps, seconds, invoices, count, pages * os.sysconf("SC_PAGE_SIZE") / 2**20, _beside(workload))


def _forget(workload: Workload) -> None:
    """Empty whatever keeps records; nothing runs after this."""
    world = workload.world
    world.sendings.clear()
    for person in workload.people.values():
        person.tabs.clear()
    stripe, said = (world.stripe.embedded, world.stripe), (workload.auditor, workload.desk, workload.processor)
    for keeper in (world.store, world.blobs, world.uploads, world.reports, world.mailbox, *stripe, *said, world.judge):
        vars(keeper).clear()


def _beside(workload: Workload) -> int:
    """How many blocks of memory are left where every record is thrown away: asked of a copy of this process."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        _forget(workload)
        gc.collect()
        os.write(writes, struct.pack("q", sys.getallocatedblocks()))
        os._exit(0)
    os.close(writes)
    with os.fdopen(reads, "rb") as answer:
        (blocks,) = struct.unpack("q", answer.read())
    os.waitpid(child, 0)
    return int(blocks)
