"""The simulator bites: every planted bug is found, for the right reason, by a life that is sound without it.

`make sim MUTANTS=1` looks from the first seed on and prints the table of docs/reliability.md. Here the search begins
where that found it last, so that the whole set takes seconds; a change of the simulated world only makes it longer.
"""

from itertools import chain

import pytest

from tests.sim.mutants.hunt import hunt
from tests.sim.mutants.planted import MOST_SEEDS, mutants
from tests.sim.run import live


@pytest.mark.parametrize("name", mutants())
def test_a_planted_bug_is_found_for_the_right_reason_by_a_life_that_is_sound_without_it(name: str) -> None:
    mutant = mutants()[name]
    catch = hunt(mutant, chain([mutant.seed], range(1, MOST_SEEDS + 1)))
    assert catch.seed, f"{name} lives through {catch.lives} seeds; found on the way: {catch.others}"
    workload, finding = live(catch.seed)
    assert finding == "", f"seed {catch.seed} finds this without the bug too"
    assert workload.world.steps, "nothing happened"


def test_every_incident_class_that_we_fear_is_planted() -> None:
    assert len(mutants()) >= 24
