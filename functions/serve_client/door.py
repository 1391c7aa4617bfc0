"""Who is at the door of a pay link, and what an answer is.

A link alone shows nothing (PAY-1, PAY-2): it leads to the phone check, and a browser that passed it holds a session of
30 minutes, an opaque random id in a cookie of which only the hash is stored. Raising the account's link epoch ends
links and sessions at once.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from billing.account import Account, LinkSession, PhoneTries
from billing.ids import account_key
from billing.ports import Store
from functions.serve_client.phone_check import is_locked

SESSION_LASTS = timedelta(minutes=30)


@dataclass(frozen=True)
class Visit:
    """One request to a pay link whose signature and age were checked.

    `base`: the path of the link's page, "/pay/…" · `origin`: this copy's public address, for return addresses ·
    `session_id`: of the cookie, "" where there is none · `ip`: where the request came from.
    """

    practice: str
    client: str
    link_epoch: int
    base: str
    origin: str
    now: datetime
    session_id: str = ""
    ip: str = ""


@dataclass(frozen=True)
class Page:
    """An answer to look at: a template and what it is about."""

    name: str
    known: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True)
class SeeOther:
    """An answer that sends the browser on; `session_id` becomes its cookie."""

    location: str
    session_id: str = ""


Answer = Page | SeeOther


def session_hash(session_id: str) -> str:
    """What is stored of a session: 256 random bits need no salt, only a one-way function."""
    return hashlib.sha256(session_id.encode()).hexdigest()


def csrf_token(session_id: str) -> str:
    """What a form of that session carries. Only a page shown to the session can know it."""
    return hmac.new(session_id.encode(), b"form", hashlib.sha256).hexdigest()


def new_session(visit: Visit, session_id: str) -> LinkSession:
    """The row of a browser that just passed the phone check."""
    expires_at = visit.now + SESSION_LASTS
    return LinkSession(
        practice=visit.practice,
        client=visit.client,
        session_hash=session_hash(session_id),
        expires_at=expires_at,
        link_epoch=visit.link_epoch,
        expires=int(expires_at.timestamp()),
    )


def turned_away(store: Store, visit: Visit) -> Page | None:
    """The page for whoever may not come in (yet), None for a browser with a session.

    410 for a revoked link, 429 while the phone check is locked, else the question for the phone number.
    """
    session_key = new_session(visit, visit.session_id).key
    tries_key = PhoneTries(visit.practice, visit.client, 1).key
    account, tries, session = store.get_many([account_key(visit.practice, visit.client), tries_key, session_key])
    if not isinstance(account, Account):
        return Page("unknown_link", status=404)
    if account.link_epoch != visit.link_epoch:
        return Page("expired_link", status=410)
    if visit.session_id and isinstance(session, LinkSession) and _opens(session, visit):
        return None
    if isinstance(tries, PhoneTries) and is_locked(tries, visit.now):
        return Page("locked", status=429)
    return Page("phone", {"action": f"{visit.base}/phone", "wrong": False, "then": ""})


def _opens(session: LinkSession, visit: Visit) -> bool:
    """Whether the session is of this account and link, and not over (the table forgets late)."""
    same = (session.practice, session.client, session.link_epoch) == (visit.practice, visit.client, visit.link_epoch)
    return same and visit.now < session.expires_at


def is_our_form(visit: Visit, given: str) -> bool:
    """Whether the form was shown to this session by us."""
    return hmac.compare_digest(given.encode(), csrf_token(visit.session_id).encode())
