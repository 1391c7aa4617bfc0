"""The bucket in memory: the same promises as edges/blobs.py."""

from collections.abc import Iterator

PIECE_BYTES = 1000


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

    def pieces(self, name: str) -> Iterator[bytes]:
        """The same in pieces."""
        body = self.bodies[name]
        return (body[start : start + PIECE_BYTES] for start in range(0, len(body), PIECE_BYTES))
