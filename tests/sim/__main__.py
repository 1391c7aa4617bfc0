"""`make sim SEEDS=5000`: live that many lives. `make sim SEED=42`: live one and print its story.

The simulator runs the production flows with everything that can go wrong, and stops at the first invariant that does
not hold. How it is built, from the outside in:

    run.py          one life, or many on all cores     workload.py   clients, claims, staff, cards of one life
    world.py        clock, queues, delivery, relay     people.py     what a client does with a mail and a browser
    agenda.py       what will happen                   judge.py      asks billing/invariants.py after every step
    trace.py        what happened, hashed and counted  auditor.py    judges charges, mails, reviews at the end, with
    reckoning.py    what a client owes, independently                tries.py: retries; told.py: mails about changes
    chaos.py        how often and where things break   mailbox.py    the mail service
    wiring.py       queues and flows, template.yaml    staff.py      what staff do; desk.py: holds and reviews
    care.py         sessions, eligibility, estimates   bank.py       disputes, the dashboard
    processor.py    what payers send, and again        claims.py     what they say; forms.py: how files look
    arrivals.py     posted, uploaded, or fetched       accounted.py  claims in = claims accounted for
    stripe_side.py  the embedded Stripe, webhooks
    scenarios/      told by hand, and what was found   mutants/      planted bugs that must be caught
    year.py         a thousand clients for a year

To make it see more: give people a new habit, the weather a new kind of trouble, the judge a new question.
"""

import argparse
import os
import sys
import time
from collections import Counter
from hashlib import blake2b

from tests.sim import year
from tests.sim.run import Ran, live, run_many


def main() -> int:
    """Run what the arguments ask for; 1 where something was found."""
    parser = argparse.ArgumentParser(prog="make sim")
    parser.add_argument("--seeds", type=int, default=300, help="how many lives")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--seed", type=int, help="live one life and print its story")
    parser.add_argument("--year", action="store_true", help="live a year of a thousand clients and watch the memory")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="at once; all cores unless told")
    wanted = parser.parse_args()
    if wanted.year:
        return year.main()
    if wanted.seed is not None:
        workload, found = live(wanted.seed)
        print(workload.world.story())
        print(f"\n{workload.weather}\n\n{found or 'nothing found'}\ntrace {workload.world.trace.digest()}")
        return 1 if found else 0
    return _many(range(wanted.first, wanted.first + wanted.seeds), wanted.processes)


def _many(seeds: range, processes: int) -> int:
    began, processor = time.monotonic(), 0.0
    lives: list[Ran] = []
    for chunk, seconds in run_many(seeds, processes):
        processor += seconds
        lives += chunk
        for ran in chunk:
            if ran.found:
                print(f"{ran.found}\n", file=sys.stderr, flush=True)
    took = time.monotonic() - began
    invoices = sum(ran.invoices for ran in lives)
    met = sum((ran.met for ran in lives), Counter[str]())
    print(
        f"{len(lives)} seeds in {took:.1f} s, {processor:.1f} s of processor: {invoices} invoice lives, all concluded, "
        f"{invoices / processor:.0f} a second and core with every check on\n"
        f"{sum(r.steps for r in lives)} steps, {sum(r.days for r in lives)} simulated days, "
        f"{sum(r.mails for r in lives)} mails, {sum(r.charges for r in lives)} tries to take money\n"
        f"met: {', '.join(f'{what} {times}' for what, times in sorted(met.items()))}\n"
        f"trace {blake2b(''.join(ran.digest for ran in lives).encode(), digest_size=8).hexdigest()}"
    )
    failed = [ran.seed for ran in lives if ran.found]
    if failed:
        print("found something: " + " ".join(f"make sim SEED={seed};" for seed in failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
