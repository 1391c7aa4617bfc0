"""What happened in a simulated world: lines for people, one hash of everything, and counts of the trouble it met.

The hash takes in every step with its instant and outcome, and the key and version of every row that was written: two
runs of one seed that differ anywhere differ here. The lines are kept for the story only; a run of many lives keeps the
last few.
"""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b


@dataclass(slots=True)
class Line:
    """At what instant, how deep inside other steps, who did what, and how it ended."""

    at: datetime
    depth: int
    actor: str
    label: str
    outcome: str


class Trace:
    """`met`: how often each kind of trouble happened. `keep`: how many lines to keep, None for all."""

    def __init__(self, keep: int | None) -> None:
        self.lines: deque[Line] = deque(maxlen=keep)
        self.met: Counter[str] = Counter()
        self._hash = blake2b(digest_size=8)

    def begins(self, at: datetime, depth: int, actor: str, label: str) -> Line:
        """A step begins; how it ended is told with `ends`."""
        line = Line(at, depth, actor, label, "…")
        self.lines.append(line)
        self._hash.update(f"{at}|{depth}|{actor}|{label}\n".encode())
        return line

    def ends(self, line: Line, outcome: str) -> None:
        """How that step ended."""
        line.outcome = outcome
        self._hash.update(f"{outcome}\n".encode())

    def tells(self, at: datetime, depth: int, actor: str, label: str, outcome: str = "") -> None:
        """Something that is no step: a mail arrived, a webhook was lost."""
        self.ends(self.begins(at, depth, actor, label), outcome)

    def wrote(self, what: str, pk: str, sk: str, version: int) -> None:
        """A row was written."""
        self._hash.update(f"{what}|{pk}|{sk}|{version}\n".encode())

    def digest(self) -> str:
        """Sixteen hex digits that stand for everything up to now."""
        return self._hash.hexdigest()

    def story(self, last: int = 0) -> str:
        """The lines for people; all that are kept, or the last few."""
        lines = list(self.lines)
        return told(lines[-last:] if last else lines)


def told(lines: Iterable[Line]) -> str:
    """The lines for people."""
    return "\n".join(
        f"{one.at:%m-%d %H:%M:%S}  {'    ' * one.depth}{one.actor:14} {one.label}"
        + (f"  -> {one.outcome}" if one.outcome else "")
        for one in lines
    )
