"""One life from its seed to its end."""

from dataclasses import dataclass

from tests.sim.judge import Failure
from tests.sim.workload import Workload


@dataclass(frozen=True)
class Ran:
    """What one life took: steps of the system, simulated days, mails accepted, tries to take money at Stripe."""

    seed: int
    steps: int
    days: int
    mails: int
    charges: int


def run_seed(seed: int) -> Ran:
    """Live one life. Raises Failure, whose text tells the story and how to see it again."""
    workload = Workload(seed)
    workload.run()
    world = workload.world
    days = (world.now - world.start).days
    return Ran(seed, world.steps, days, len(world.mailbox.mails), sum(1 for _ in world.stripe.intents()))


def live(seed: int) -> tuple[Workload, str]:
    """Live one life -> it, and what was found ("" for nothing)."""
    workload = Workload(seed)
    try:
        workload.run()
    except Failure as failure:
        return workload, str(failure).split("\n\n")[-2]
    return workload, ""
