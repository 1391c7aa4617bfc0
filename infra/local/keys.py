"""API keys: 256 random bits in a recognisable coat, of which only a hash is ever stored.

A key is two rows: one that is found by the key's hash, and one of its practice, so that keys can be listed. A function
reads the first with every request: what is revoked here is refused by the next one.
"""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from billing.ids import Key, api_key_hash, practice_key
from billing.policy import ApiKey, IssuedKey
from billing.ports import Insert, Store, Update

SCOPES: Final = ("claims", "practice", "support")
PREFIX: Final = "kb_live_"


class NoSuchKey(Exception):
    """Nobody has this key."""


def new_key(store: Store, practice: str, scopes: Sequence[str], now: datetime) -> str:
    """Make a key for a practice and return it; it cannot be shown again. Raises ValueError for an unknown scope."""
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise ValueError(f"a key has one or more of the scopes {', '.join(SCOPES)}; not {', '.join(unknown) or 'none'}")
    secret = f"{PREFIX}{secrets.token_urlsafe(32)}"
    secret_hash, granted = api_key_hash(secret), tuple(dict.fromkeys(scopes))
    store.commit(Insert(ApiKey(secret_hash, practice, granted)), Insert(IssuedKey(practice, secret_hash, granted, now)))
    return secret


def list_keys(store: Store, practice: str) -> list[IssuedKey]:
    """Every key the practice was ever given, oldest first."""
    rows = store.partition(practice_key(practice).pk, "KEY#")
    return sorted((row for row in rows if isinstance(row, IssuedKey)), key=lambda one: (one.created_at, one.key_id))


def revoke_key(store: Store, key: str, practice: str, now: datetime) -> IssuedKey:
    """Revoke a key, given itself or its id (`list_keys`); the next call with it is 401. Raises NoSuchKey.

    A whole key says whose it is, so that one found somewhere is ended first and looked into later; an id is looked for
    among the keys of `practice`.
    """
    issued = _whole(store, key) if key.startswith(PREFIX) else _by_id(store, key, practice)
    row = store.get(_key(issued.secret_hash)) if issued else None
    if issued is None or not isinstance(row, ApiKey):
        raise NoSuchKey("there is no such key; give the whole key, or its id as `kindbill key list` shows it")
    if issued.revoked_at is None:
        issued = replace(issued, revoked_at=now, version=issued.version + 1)
        store.commit(Update(replace(row, revoked=True, version=row.version + 1)), Update(issued))
    return issued


def _whole(store: Store, key: str) -> IssuedKey | None:
    row = store.get(_key(api_key_hash(key)))
    return _by_id(store, row.secret_hash, row.practice) if isinstance(row, ApiKey) else None


def _by_id(store: Store, key_id: str, practice: str) -> IssuedKey | None:
    found = [one for one in list_keys(store, practice) if key_id in (one.key_id, one.secret_hash)]
    return found[0] if len(found) == 1 else None


def _key(secret_hash: str) -> Key:
    return ApiKey(secret_hash, "", ()).key
