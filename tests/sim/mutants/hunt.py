"""Looking for the seed that finds a planted bug."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tests.sim.mutants.planted import MOST_SEEDS, Mutant, mutants
from tests.sim.run import live


@dataclass(frozen=True)
class Catch:
    """`seed`: the life that found it, 0 for none · `lives`: how many were lived for that · `finding`: what was said ·
    `others`: findings on the way that were not what the bug should be known by."""

    seed: int
    lives: int
    finding: str
    others: tuple[str, ...] = ()


def hunt(mutant: Mutant, seeds: Iterable[int] = range(1, MOST_SEEDS + 1)) -> Catch:
    """Live these lives with the bug planted, until one finds it for the right reason."""
    lives, others = 0, []
    with mutant.plant():
        for seed in seeds:
            lives += 1
            _, finding = live(seed)
            if re.search(mutant.found, finding):
                return Catch(seed, lives, finding, tuple(others))
            if finding:
                others.append(f"{seed}: {finding}")
    return Catch(0, lives, "", tuple(others))


def hunt_named(name: str, most: int) -> Catch:
    """Hunt that bug from the first seed on. A seed that finds something without it too has found another bug."""
    catch = hunt(mutants()[name], range(1, most + 1))
    if catch.seed and live(catch.seed)[1]:
        return Catch(0, catch.lives, "found without the bug too: " + catch.finding)
    return catch
