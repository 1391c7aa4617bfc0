"""One life from its seed to its end, and many of them on all cores."""

import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from billing.invoice import Invoice
from tests.sim.judge import TOLD_LINES, Failure
from tests.sim.workload import Workload

CHUNK = 20
"""Seeds that one process takes at a time."""


@dataclass(frozen=True)
class Ran:
    """What one life took: steps of the system, simulated days, mails accepted, tries to take money at Stripe.
    `invoices`: issued, and concluded: nothing about them is under way or will ever wake. `met`: the trouble there was.
    `digest`: of everything that happened. `found`: what broke, "" for nothing."""

    seed: int
    steps: int
    days: int
    mails: int
    charges: int
    invoices: int
    digest: str
    met: Counter[str] = field(default_factory=Counter)
    found: str = ""


def run_seed(seed: int) -> Ran:
    """Live one life. Raises Failure, whose text tells the story and how to see it again."""
    workload = Workload(seed, keep=TOLD_LINES)
    workload.run()
    return _ran(seed, workload)


def live(seed: int) -> tuple[Workload, str]:
    """Live one life and keep its whole story -> it, and what was found ("" for nothing)."""
    workload = Workload(seed)
    try:
        workload.run()
    except Failure as failure:
        return workload, str(failure).split("\n\n")[-2]
    return workload, ""


def run_many(seeds: range, processes: int) -> Iterator[tuple[list[Ran], float]]:
    """Live many lives -> in the order of their seeds, a chunk at a time, with the seconds of processor it took."""
    chunks = [seeds[at : at + CHUNK] for at in range(0, len(seeds), CHUNK)]
    if processes == 1:
        yield from map(_chunk, chunks)
        return
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(_chunk, chunks)


def _chunk(seeds: range) -> tuple[list[Ran], float]:
    began = time.process_time()
    ran = [_run_or_tell(seed) for seed in seeds]
    return ran, time.process_time() - began


def _run_or_tell(seed: int) -> Ran:
    workload = Workload(seed, keep=TOLD_LINES)
    try:
        workload.run()
    except Failure as failure:
        return _ran(seed, workload, str(failure))
    return _ran(seed, workload)


def _ran(seed: int, workload: Workload, found: str = "") -> Ran:
    world = workload.world
    invoices = [row for row in world.store.rows() if isinstance(row, Invoice)]
    concluded = sum(invoice.due is None and not invoice.open_attempt for invoice in invoices)
    assert found or concluded == len(invoices), f"seed {seed}: an invoice still waits at the end"
    return Ran(
        seed=seed,
        steps=world.steps,
        days=(world.now - world.start).days,
        mails=len(world.mailbox.mails),
        charges=sum(1 for _ in world.stripe.intents()),
        invoices=concluded,
        digest=world.trace.digest(),
        met=world.met,
        found=found,
    )
