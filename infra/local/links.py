"""What staff can do about pay links in the wrong hands: end one client's, or change what all are signed with."""

import secrets
from dataclasses import replace
from datetime import datetime

from billing.account import Account, PhoneTries
from billing.facts import Fact, FactKind
from billing.ids import account_key
from billing.ports import Insert, Store, Update, Write
from infra.local.cloud import Cloud


class NoSuchClient(Exception):
    """The practice has no client of this id."""


def revoke_links(store: Store, practice: str, client: str, now: datetime) -> Account:
    """End every pay link of a client, and every browser that came in by one; their next mail has a new link.

    A lock of the phone check goes with them: whoever guessed has no link any more, and the client should get in.
    Raises NoSuchClient.
    """
    account, tries = store.get_many([account_key(practice, client), PhoneTries(practice, client, 1).key])
    if not isinstance(account, Account):
        raise NoSuchClient(f"{practice} has no client {client}")
    revoked = replace(account, link_epoch=account.link_epoch + 1, version=account.version + 1)
    fact = Fact(
        practice=practice,
        client=client,
        item=revoked.key.sk,
        version=revoked.version,
        kind=FactKind.LINKS_REVOKED,
        at=now,
        actor="staff",
        cause="kindbill links revoke",
        data={"link_epoch": revoked.link_epoch},
    )
    unlocked: tuple[Write, ...] = ()
    if isinstance(tries, PhoneTries):
        unlocked = (Update(replace(tries, failed_at=(), locked_until=None, version=tries.version + 1)),)
    store.commit(Update(revoked), Insert(fact), *unlocked)
    return revoked


def rotate_secret(cloud: Cloud) -> None:
    """Sign links with a new secret from now on; those signed with the one before stay good. Done twice, every link
    ever sent is dead. Functions notice within a minute (edges/aws.py)."""
    cloud.put_secret("LinkSecretId", secrets.token_urlsafe(48))
