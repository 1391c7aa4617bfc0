"""Files that come by themselves, in memory: the same promises as edges/uploads.py."""

import hashlib
from collections.abc import Iterator
from urllib.parse import urlsplit

from billing.ports import Address, Arrived, TryAgain
from tests.fakes.blobs import PIECE_BYTES, MemoryBlobs


class Refusal(Exception):
    """What S3 would answer."""


class MemoryUploads:
    """What came, by name; what is kept of it goes where bodies are kept."""

    def __init__(self, blobs: MemoryBlobs) -> None:
        self.blobs = blobs
        self.files: dict[str, bytes] = {}
        self.sizes: dict[str, int] = {}

    def address(self, name: str, content_type: str, size: int, seconds: int) -> Address:
        """An address that nobody but `put` knows what to do with."""
        assert seconds > 0
        self.sizes[name] = size
        headers = {"content-type": content_type, "if-none-match": "*"} | ({"content-length": str(size)} if size else {})
        return Address(f"https://bucket.example/{name}", headers)

    def put(self, url: str, body: bytes) -> str:
        """What a sender does -> the upload's name. Raises Refusal where a file lies there, or its size is another."""
        name = urlsplit(url).path[1:]
        if name in self.files or self.sizes[name] not in (0, len(body)):
            raise Refusal(name)
        self.files[name] = body
        return name

    def find(self, name: str) -> Arrived | None:
        """The file that came under that name, or None."""
        body = self.files.get(name)
        return None if body is None else Arrived(name, len(body), hashlib.sha256(body).hexdigest())

    def pieces(self, arrived: Arrived) -> Iterator[bytes]:
        """Its content."""
        for start in range(0, arrived.size, PIECE_BYTES):
            yield self._as_found(arrived)[start : start + PIECE_BYTES]

    def keep(self, arrived: Arrived, blob: str) -> None:
        """Copy it to where bodies are kept."""
        self.blobs.put(blob, self._as_found(arrived))

    def _as_found(self, arrived: Arrived) -> bytes:
        if self.find(arrived.name) != arrived:
            raise TryAgain("another file lies there by now")
        return self.files[arrived.name]
