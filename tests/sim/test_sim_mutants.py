"""The simulator bites: every planted bug is caught within the seeds that CI runs, and is the only thing that is."""

import pytest

from tests.sim.judge import Failure
from tests.sim.mutants.planted import MUTANTS
from tests.sim.run import run_seed
from tests.sim.test_sim_seeds import SEEDS


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_bug_is_caught_by_a_seed_that_passes_without_it(name: str) -> None:
    with MUTANTS[name]():
        caught = next((seed for seed in SEEDS if _finds_something(seed)), None)
    assert caught is not None, f"{name} lives through {len(SEEDS)} seeds"
    run_seed(caught)


def _finds_something(seed: int) -> bool:
    try:
        run_seed(seed)
    except Failure as failure:
        return str(failure).endswith(f"make sim SEED={seed}")  # it says how to see it again
    return False
