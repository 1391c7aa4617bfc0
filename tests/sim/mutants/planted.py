"""Planted bugs: each a context manager that breaks one guard of the production code at run time.

Each is a mistake that a careful change could make, named for what an incident report would call it. The simulator must
find every one of them, and for the right reason; a guard whose removal nobody notices is a guard that nobody tests.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

MOST_SEEDS = 500
"""A bug that lives through this many seeds has found a blind spot of the simulator."""


@dataclass(frozen=True)
class Mutant:
    """A bug to plant. `incident`: what its class is called · `found`: what a right finding says, as a regular
    expression · `seed`: the first that found it when it was last looked for; only where the search begins."""

    name: str
    story: str
    incident: str
    found: str
    seed: int
    plant: Callable[[], AbstractContextManager[None]]


_planted: dict[str, Mutant] = {}


def planted(
    incident: str, *, found: str, seed: int = 1
) -> Callable[[Callable[[], Iterator[None]]], Callable[[], AbstractContextManager[None]]]:
    """Register a generator that breaks something, yields, and mends it; its docstring tells the story."""

    def register(plant: Callable[[], Iterator[None]]) -> Callable[[], AbstractContextManager[None]]:
        name, story = plant.__name__, plant.__doc__
        assert story, f"{name} does not say what goes wrong"
        assert name not in _planted, f"two planted bugs are called {name}"
        manager = contextmanager(plant)
        _planted[name] = Mutant(name, story, incident, found, seed, manager)
        return manager

    return register


def mutants() -> Mapping[str, Mutant]:
    """Every planted bug by its name."""
    from tests.sim.mutants import (  # noqa: F401
        agreements,
        charges,
        claims,
        corrections,
        desks,
        machinery,
        mails,
        money_back,
        plans,
        stripe,
    )

    return _planted
