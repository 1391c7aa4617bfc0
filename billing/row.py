"""What rows of the table have in common. A row is a frozen dataclass that knows its key, its version and when it wants
to be woken (`billing.ports.Record`); most never do.
"""


class Asleep:
    """A row that never wants to be woken."""

    __slots__ = ()

    @property
    def due(self) -> None:
        """No wake, ever."""
        return None
