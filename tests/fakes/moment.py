"""Something that happens between two calls of a step's ports: another request, or the end of the process.

A test goes through every such moment:

    for moment in every_moment(happens):
        run(store=moment.watch(store), cards=moment.watch(cards))
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

MOST_CALLS = 60


@dataclass
class Moment:
    """Before the port call of number `at`, `happens` happens, once. `calls`: how many there were by now."""

    at: int
    happens: Callable[[], None]
    calls: int = 0

    def watch(self, port: Any) -> Any:
        """The port, whose calls count."""
        return _Watched(self, port)

    def call(self) -> None:
        """One more call is about to be made."""
        self.calls += 1
        if self.calls == self.at:
            self.happens()

    @property
    def came(self) -> bool:
        return self.calls >= self.at


@dataclass(frozen=True)
class _Watched:
    moment: Moment
    port: Any

    def __getattr__(self, name: str) -> Any:
        behind = getattr(self.port, name)

        def call(*arguments: Any, **named: Any) -> Any:
            self.moment.call()
            return behind(*arguments, **named)

        return call


def every_moment(happens: Callable[[], None]) -> Iterator[Moment]:
    """One moment per port call that the step makes; ends when a whole run passed without it."""
    for at in range(1, MOST_CALLS):
        moment = Moment(at, happens)
        yield moment
        if not moment.came:
            assert at > 1, "no port call was seen"
            return
    raise AssertionError(f"more than {MOST_CALLS} port calls")
