"""What every implementation of the table agrees on: the limits of a commit, and how the due index is written.

Apart from edges/store.py so that the in-memory table of the tests and the simulator shares it without an AWS SDK.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

from billing.facts import IN_TURN
from billing.ids import Key

MAX_WRITES: Final = 100
"""DynamoDB's limit for one transaction. At most 40 invoices go into one commit (design), so nothing comes near it."""


def shard_of(pk: str, due_at: str, shards: int) -> int:
    """Which shard of the due index an entry is in: stable, and even over many partitions. What is woken in turn has the
    first half of the shards to itself, so that a crowd of it holds up nothing else. `shards`: an even number."""
    assert shards % 2 == 0, f"{shards} shards have no halves"
    half = shards // 2
    place = _spread(pk) % half
    return place if due_at.split("#", 1)[1] in IN_TURN else half + place


@lru_cache(maxsize=65_536)
def _spread(pk: str) -> int:
    return int.from_bytes(hashlib.sha256(pk.encode()).digest()[:4], "big")


def due_until(until: datetime) -> str:
    """The upper bound of what is due at `until`: entries read `instant#kind`, and `$` is the sign after `#`."""
    return f"{until:%Y-%m-%dT%H:%M:%SZ}$"


def leased(due_at: str, until: datetime) -> str:
    """An entry of the due index moved to `until`, its kind kept."""
    _, kind = due_at.split("#", 1)
    return f"{until:%Y-%m-%dT%H:%M:%SZ}#{kind}"


def check_commit(keys: Sequence[Key]) -> None:
    """Assert what DynamoDB would refuse without saying where it came from: nothing, too much, one row twice."""
    assert keys, "a commit of nothing: the flow decided to change nothing and should have returned"
    assert len(keys) <= MAX_WRITES, f"{len(keys)} writes in one commit, at most {MAX_WRITES}: split the work"
    assert len(set(keys)) == len(keys), f"one row twice in a commit: {sorted(k for k in keys if keys.count(k) > 1)}"
