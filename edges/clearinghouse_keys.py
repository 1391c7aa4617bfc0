"""Which practice has a clearinghouse, and with what key: one secret that holds `{"practice": "key", …}`.

A key each, never one for all: with one key for two practices, whoever may post webhooks for the one could have the
reports of the other fetched into their own.
"""

import json
from collections.abc import Mapping

from botocore.exceptions import ClientError

from edges import aws


class UnreadableKeys(Exception):
    """The secret was filled with something else: docs/operations.md says with what."""


def read_keys(secret_id: str) -> Mapping[str, str]:
    """Practice -> what its `Authorization` header says; {} for a secret that nobody filled. Raises UnreadableKeys."""
    try:
        text = aws.secret(secret_id)
    except ClientError as error:
        if aws.code_of(error) != "ResourceNotFoundException":
            raise
        return {}
    try:
        keys = json.loads(text)
    except ValueError:
        raise UnreadableKeys("the secret of the clearinghouse's keys is no JSON") from None
    if not isinstance(keys, dict) or not all(isinstance(key, str) and _fits(key) for key in keys.values()):
        raise UnreadableKeys("the secret of the clearinghouse's keys is not a JSON object of practice and key")
    return keys


def _fits(key: str) -> bool:
    """Whether a header can hold it."""
    return bool(key) and key.isascii() and key.isprintable()
