"""What S3 tells the queue when a file came, as the message that it means: look at this upload."""

import json
from typing import Any
from urllib.parse import unquote_plus

from billing.facts import Message, WakeKind
from billing.upload import upload_key
from edges.sqs import read_body
from edges.uploads import FOLDER


def read_message(body: str) -> tuple[Message, ...]:
    """The messages of a queue's record: one of ours, or one for each file that S3 tells of; none where S3 only tries
    the queue. Raises ValueError where it is none of these."""
    try:
        told = json.loads(body)
    except ValueError as e:
        raise ValueError("a message is JSON") from e
    if not isinstance(told, dict) or not ("Records" in told or told.get("Event") == "s3:TestEvent"):
        return (read_body(body),)
    return tuple(_of(record) for record in told.get("Records", ()))


def _of(record: Any) -> Message:
    try:
        name = unquote_plus(record["s3"]["object"]["key"])
    except (KeyError, TypeError) as e:
        raise ValueError("S3 tells of an object by its key") from e
    return Message(WakeKind.UPLOAD, upload_key(name.removeprefix(FOLDER)))
