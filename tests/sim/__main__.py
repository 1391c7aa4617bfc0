"""`make sim SEEDS=5000`: live that many lives. `make sim SEED=42`: live one and print its story.

The simulator runs the production flows with everything that can go wrong, and stops at the first invariant that does
not hold. How it is built, from the outside in:

    run.py          one life from its seed             workload.py   clients, claims, staff, cards of one life
    world.py        clock, queues, delivery, relay     people.py     what a client does with a mail and a browser
    agenda.py       what will happen, what has         judge.py      asks billing/invariants.py after every step
    chaos.py        how often and where things break   auditor.py    independent books; judges Stripe's charges
    wiring.py       queues and flows, template.yaml    mailbox.py    the mail service
    stripe_side.py  the embedded Stripe, webhooks      scenarios/    told by hand, and every bug a seed found
    mutants/        planted bugs that must be caught

To make it see more: give people a new habit, the weather a new kind of trouble, the judge a new question.
"""

import argparse
import sys
import time

from tests.sim.judge import Failure
from tests.sim.run import live, run_seed


def main() -> int:
    """Run what the arguments ask for; 1 where something was found."""
    parser = argparse.ArgumentParser(prog="make sim")
    parser.add_argument("--seeds", type=int, default=300, help="how many lives")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--seed", type=int, help="live one life and print its story")
    wanted = parser.parse_args()
    if wanted.seed is not None:
        workload, found = live(wanted.seed)
        print(workload.world.story())
        print(f"\n{workload.weather}\n\n{found or 'nothing found'}")
        return 1 if found else 0
    return _many(range(wanted.first, wanted.first + wanted.seeds))


def _many(seeds: range) -> int:
    began, steps, days, charges, failed = time.process_time(), 0, 0, 0, []
    for seed in seeds:
        try:
            ran = run_seed(seed)
        except Failure as failure:
            print(f"{failure}\n", file=sys.stderr)
            failed.append(seed)
            continue
        steps, days, charges = steps + ran.steps, days + ran.days, charges + ran.charges
    took = time.process_time() - began
    print(
        f"{len(seeds)} lives in {took:.1f} s of one core ({len(seeds) / took:.1f} lives/s): "
        f"{steps} steps, {days} simulated days, {charges} tries to take money"
    )
    if failed:
        print("found something: " + " ".join(f"make sim SEED={seed};" for seed in failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
