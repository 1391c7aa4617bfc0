"""Bodies too large for a row, in the bucket: billing.ports.Blobs on S3."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from edges.aws import passing_faults

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PIECE_BYTES: Final = 1 << 20
"""What is asked for at a time: each piece is a request of its own, so that whoever reads a large body slowly holds no
connection open, and a request that fails is tried again from there."""


class S3Blobs:
    """One bucket. A name that holds nothing is a bug (a row never names a body before it is stored): S3's own error."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, name: str, body: bytes) -> None:
        """Store a body under a name; again is the same."""
        with passing_faults():
            self._client.put_object(Bucket=self._bucket, Key=name, Body=body)

    def get(self, name: str) -> bytes:
        """The body under that name."""
        with passing_faults():
            return self._client.get_object(Bucket=self._bucket, Key=name)["Body"].read()

    def pieces(self, name: str) -> Iterator[bytes]:
        """The same in pieces of about a megabyte, each fetched when it is asked for."""
        start, size = 0, 1
        while start < size:
            wanted = f"bytes={start}-{start + PIECE_BYTES - 1}"
            with passing_faults():
                answer = self._client.get_object(Bucket=self._bucket, Key=name, Range=wanted)
                piece = answer["Body"].read()
            size = int(answer["ContentRange"].rpartition("/")[2])
            start += len(piece)
            yield piece
