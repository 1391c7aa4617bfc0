"""API keys: 256 random bits in a recognisable coat, of which only a hash is ever stored."""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from billing.ids import api_key_hash
from billing.policy import ApiKey
from billing.ports import Insert, Store, Update

SCOPES: Final = ("claims", "practice", "support")


class NoSuchKey(Exception):
    """Nobody has this key."""


def new_key(store: Store, practice: str, scopes: Sequence[str]) -> str:
    """Make a key for a practice and return it; it cannot be shown again. Raises ValueError for an unknown scope."""
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise ValueError(f"a key has one or more of the scopes {', '.join(SCOPES)}; not {', '.join(unknown) or 'none'}")
    secret = f"kb_live_{secrets.token_urlsafe(32)}"
    store.commit(Insert(ApiKey(api_key_hash(secret), practice, tuple(scopes))))
    return secret


def revoke_key(store: Store, key: str) -> ApiKey:
    """Revoke a key, given itself or its hash; the next call with it is 401. Raises NoSuchKey."""
    key_hash = api_key_hash(key) if key.startswith("kb_") else key
    row = store.get(ApiKey(key_hash, "", ()).key)
    if not isinstance(row, ApiKey):
        raise NoSuchKey("there is no such key; give the whole key, or its hash")
    if not row.revoked:
        row = replace(row, revoked=True, version=row.version + 1)
        store.commit(Update(row))
    return row
