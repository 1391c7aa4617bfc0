"""Files that come to the bucket by themselves, by an address that S3 lets one file in at: billing.ports.Uploads.

What is signed into the address holds whoever has it: the name, the kind, the size where it was told, and that nothing
lies there yet. A file that came is read and copied as the one that was found: where another lies there by now, S3 says
so, and it is looked at anew.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from billing.ports import Address, Arrived, TryAgain
from edges.aws import code_of, passing_faults
from edges.blobs import PIECE_BYTES

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FOLDER: Final = "uploads/"
ABSENT: Final = frozenset({"404", "NoSuchKey", "403", "AccessDenied"})
"""To whoever may not list a bucket S3 does not say that something is not there: it denies it."""
REPLACED: Final = frozenset({"412", "PreconditionFailed"})


class S3Uploads:
    """One bucket; what comes lies below uploads/ until S3 forgets it."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def address(self, name: str, content_type: str, size: int, seconds: int) -> Address:
        """Made here, without a call: the right to it is this function's own."""
        signed: dict[str, Any] = {"ContentType": content_type, "IfNoneMatch": "*"}
        headers = {"content-type": content_type, "if-none-match": "*"}
        if size:
            signed["ContentLength"] = size
            headers["content-length"] = str(size)
        where = {"Bucket": self._bucket, "Key": FOLDER + name, **signed}
        url = self._client.generate_presigned_url("put_object", Params=where, ExpiresIn=seconds, HttpMethod="PUT")
        return Address(url, headers)

    def find(self, name: str) -> Arrived | None:
        """The file that came under that name, or None."""
        try:
            with passing_faults():
                found = self._client.head_object(Bucket=self._bucket, Key=FOLDER + name)
        except ClientError as error:
            if code_of(error) in ABSENT:
                return None
            raise
        return Arrived(name, int(found["ContentLength"]), found["ETag"])

    def pieces(self, arrived: Arrived) -> Iterator[bytes]:
        """Its content, a megabyte at a time."""
        for start in range(0, arrived.size, PIECE_BYTES):
            with _as_found():
                part = self._client.get_object(
                    Bucket=self._bucket,
                    Key=FOLDER + arrived.name,
                    Range=f"bytes={start}-{min(start + PIECE_BYTES, arrived.size) - 1}",
                    IfMatch=arrived.tag,
                )
                piece = part["Body"].read()
            yield piece

    def keep(self, arrived: Arrived, blob: str) -> None:
        """Copied inside S3."""
        with _as_found():
            self._client.copy_object(
                Bucket=self._bucket,
                Key=blob,
                CopySource={"Bucket": self._bucket, "Key": FOLDER + arrived.name},
                CopySourceIfMatch=arrived.tag,
            )


@contextmanager
def _as_found() -> Iterator[None]:
    try:
        with passing_faults():
            yield
    except ClientError as error:
        if code_of(error) in REPLACED:
            raise TryAgain("another file lies there by now") from error
        raise
