"""Bodies too large for a row, in the bucket: billing.ports.Blobs on S3."""

from typing import TYPE_CHECKING

from edges.aws import passing_faults

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


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
