"""What a call of a practice's systems is made of: the request, the answer, and the row of the table that joins them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from billing.ports import Store
from edges.inbound.fields import Request as Body


@dataclass(frozen=True)
class Call:
    """One request that may do what it asks. `params` are the parts of the path; the practice is the key's own, and
    `key_id` is what people call that key, `sender` its hash · `idempotency_key`: "" where none was sent, or the route
    takes none."""

    practice: str
    params: Mapping[str, str]
    store: Store
    now: datetime
    key_id: str = ""
    sender: str = ""
    idempotency_key: str = ""
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What the call shows."""

    status: int
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Route:
    """`scopes`: an API key with any of them may call; none: no key is asked for. `refuses`: statuses of Refused ·
    `keyed`: an `Idempotency-Key` may come with it · `query`: what may follow the question mark, and what it means."""

    method: str
    path: str
    summary: str
    act: Callable[..., Answer]
    scopes: tuple[str, ...]
    answers: Mapping[int, Any]
    takes: type[Body] | None = None
    refuses: tuple[int, ...] = field(default=())
    keyed: bool = False
    query: Mapping[str, str] = field(default_factory=dict)
