"""The bucket in memory: the same promises as edges/blobs.py."""


class MemoryBlobs:
    """Bodies by name."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}

    def put(self, name: str, body: bytes) -> None:
        """Store a body under a name."""
        self.bodies[name] = body

    def get(self, name: str) -> bytes:
        """The body under that name."""
        return self.bodies[name]
