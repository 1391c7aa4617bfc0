"""AWS clients: made when first used, from one session, with pinned time-outs and retries.

botocore alone, without boto3's resources: importing less is what a cold start consists of. One session for all, since a
second one reads every service description again.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal, overload

from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004 - botocore's own name
from botocore.session import Session

from billing.ports import TryAgain
from edges import deadline

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sqs import SQSClient

CONNECT_SECONDS: Final = 2
READ_SECONDS: Final = 6
CONFIG: Final = Config(
    connect_timeout=CONNECT_SECONDS,
    read_timeout=READ_SECONDS,
    retries={"mode": "standard", "total_max_attempts": 3},
    # Path style works with every endpoint, a local one included; there are no bucket names to resolve.
    s3={"addressing_style": "path"},
)
"""Three tries, each begun only while it can end within the function's time-out; what fails longer is redelivered."""
SIGNED: Final = Config(signature_version="s3v4")
"""An address that S3 lets a file in at: the version before, which botocore would choose for it, signs no headers."""
LAST_CALL: Final = "ChangeMessageVisibilityBatch"
"""What a worker may still do when its time is over: tell the queue when to show failed records again."""

THROTTLES: Final = frozenset(
    {
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "ServiceUnavailable",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "ThrottlingError",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
"""Error codes that say *later*, whatever the HTTP status."""


@cache
def _session() -> Session:
    return Session()


@overload
def client(service: Literal["dynamodb"]) -> "DynamoDBClient": ...
@overload
def client(service: Literal["s3"]) -> "S3Client": ...
@overload
def client(service: Literal["secretsmanager"]) -> "SecretsManagerClient": ...
@overload
def client(service: Literal["sesv2"]) -> "SESV2Client": ...
@overload
def client(service: Literal["sqs"]) -> "SQSClient": ...
def client(service: str) -> Any:
    """The one low-level client of a service in this process. Region, keys and endpoint come from the environment."""
    return _client(service)


@cache
def _client(service: str) -> Any:
    made = _session().create_client(service, config=CONFIG.merge(SIGNED) if service == "s3" else CONFIG)
    made.meta.events.register("before-send", _in_time)
    return made


def _in_time(event_name: str, **_: Any) -> None:
    """Before each try of each call. Raises TryAgain when it could outlast the invocation."""
    takes = CONNECT_SECONDS + READ_SECONDS
    deadline.take(takes, takes, last=event_name.endswith(LAST_CALL))


SECRET_KEPT_SECONDS: Final = 60
"""How long a process goes on with a secret it has read: a rolled one is in use everywhere a minute later."""
CURRENT: Final = "AWSCURRENT"
PREVIOUS: Final = "AWSPREVIOUS"
"""What a secret was before it was last rolled."""

_kept: Final[dict[tuple[str, str], tuple[float, str]]] = {}


def secret(secret_id: str, version: str = CURRENT) -> str:
    """The text of a secret, "" where it has no such version. Read at most once a minute, by the wall clock, which goes
    on while a container is frozen; while it cannot be read, what it was is taken to hold."""
    read_at, text = _kept.get((secret_id, version), (None, ""))
    if read_at is not None and 0 <= time.time() - read_at < SECRET_KEPT_SECONDS:
        return text
    try:
        text = _read_secret(secret_id, version)
    except TryAgain:
        if read_at is None:
            raise
    _kept[secret_id, version] = (time.time(), text)
    return text


def forget_secrets() -> None:
    """Read each anew when it is next asked for."""
    _kept.clear()


def _read_secret(secret_id: str, version: str) -> str:
    try:
        with passing_faults():
            answer = client("secretsmanager").get_secret_value(SecretId=secret_id, VersionStage=version)
    except ClientError as error:
        if version == PREVIOUS and code_of(error) == "ResourceNotFoundException":
            return ""
        raise
    return answer["SecretString"]


def code_of(error: ClientError) -> str:
    """AWS's error code, or ""."""
    return error.response.get("Error", {}).get("Code", "")


def is_passing(error: Exception) -> bool:
    """Whether trying again later may help: a throttle, a fault on AWS's side, a connection that failed or hung."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or status == 429 or code_of(error) in THROTTLES
    return isinstance(error, ConnectionError | HTTPClientError)


@contextmanager
def passing_faults() -> Iterator[None]:
    """Turn what passes by itself into TryAgain; everything else stays what it is."""
    try:
        yield
    except (ClientError, ConnectionError, HTTPClientError) as error:
        if is_passing(error):
            code = code_of(error) if isinstance(error, ClientError) else type(error).__name__
            raise TryAgain(f"AWS: {code}") from error
        raise
