"""Keys and ids. Ids come from content: the same thing arriving twice gets the same id, so a redelivery meets
*already done* instead of making a second one.

One table; `pk` groups what is read or written together (design: Data), every key starts with the practice, every
segment ends in a delimiter (`INVOICE#1#` must not match `INVOICE#10#`).
"""

import hashlib
import re
from functools import lru_cache
from typing import NamedTuple


class Key(NamedTuple):
    """The address of one row."""

    pk: str
    sk: str


def segment(text: str) -> str:
    """Make outside text safe inside a key: `#` is the delimiter, `%` the escape."""
    if "#" not in text and "%" not in text:
        return text  # nearly all; a key is made for each row that is looked at
    return text.replace("%", "%25").replace("#", "%23")


def digest(*parts: str, length: int = 20) -> str:
    """A short content id: hex SHA-256 over the parts, unambiguous in where one part ends."""
    joined = "\x1f".join(f"{len(p)}:{p}" for p in parts)
    return hashlib.sha256(joined.encode()).hexdigest()[:length]


@lru_cache(maxsize=1024)
def account_pk(practice: str, client: str) -> str:
    """Account row, cards, invoice heads, attempts and plans of one client."""
    return f"A#{segment(practice)}#{segment(client)}#"


@lru_cache(maxsize=1024)
def facts_pk(practice: str, client: str) -> str:
    """What is written once and read in detail: facts, notices, consents. `client` is "" for the practice's own."""
    return f"F#{segment(practice)}#{segment(client)}#"


@lru_cache(maxsize=1024)
def claim_pk(practice: str, claim_id: str) -> str:
    """The submitted claim, every result of it, and what is in force."""
    return f"C#{segment(practice)}#{segment(claim_id)}#"


def session_pk(practice: str, session_id: str) -> str:
    """A completed session, and what bills it."""
    return f"V#{segment(practice)}#{segment(session_id)}#"


def client_pk(practice: str, client: str) -> str:
    """The person behind an account, and what is known of their cover: erasing them leaves the books whole."""
    return f"N#{segment(practice)}#{segment(client)}#"


def practice_key(practice: str) -> Key:
    """The practice's own row, policies included."""
    return Key(f"P#{segment(practice)}#", "PRACTICE#")


def provider_key(practice: str, provider: str) -> Key:
    """One clinician."""
    return Key(f"P#{segment(practice)}#", f"PROVIDER#{segment(provider)}#")


def contact_key(practice: str, client: str) -> Key:
    """Name, mail and phone of a client: apart from the books, so that a person can be erased and the books kept."""
    return Key(client_pk(practice, client), "CONTACT#")


def account_key(practice: str, client: str) -> Key:
    """The account row."""
    return Key(account_pk(practice, client), "ACCOUNT#")


def invoice_key(practice: str, client: str, invoice_id: str) -> Key:
    """An invoice head."""
    return Key(account_pk(practice, client), f"INVOICE#{segment(invoice_id)}#")


def attempt_key(practice: str, client: str, number: int) -> Key:
    """A charge attempt; numbers run per account."""
    return Key(account_pk(practice, client), f"ATTEMPT#{number:06d}#")


def refund_key(practice: str, client: str, refund: str) -> Key:
    """A refund."""
    return Key(account_pk(practice, client), f"REFUND#{segment(refund)}#")


def dispute_key(practice: str, client: str, dispute: str) -> Key:
    """A dispute, under Stripe's id."""
    return Key(account_pk(practice, client), f"DISPUTE#{segment(dispute)}#")


def holds_pk(practice: str) -> str:
    """Every claim result that waits for a person."""
    return f"H#{segment(practice)}#"


def reviews_pk(practice: str) -> str:
    """Every review of the practice's invoices, as a list: what waits for a person, and what they decided."""
    return f"Q#{segment(practice)}#"


def receipt_pk(receipt_id: str) -> str:
    """A stored claim-results body and the slices read from it. A receipt id names its practice by its content."""
    return f"R#{receipt_id}#"


def api_key_hash(secret: str) -> str:
    """What is stored of an API key: 256 random bits need no salt or stretching, only a one-way function."""
    return hashlib.sha256(secret.encode()).hexdigest()


def invoice_id(practice: str, client: str, source_kind: str, source_id: str, ordinal: int = 0) -> str:
    """An invoice is (source kind, source id, ordinal): one claim cannot issue the same invoice twice.

    It ends in its client's id, so that whoever names an invoice has named its account: no index, no second row.
    """
    return f"inv_{digest(practice, source_kind, source_id, str(ordinal))}_{client}"


def client_of(invoice: str) -> str | None:
    """The client that an invoice id names; None where it is no invoice id."""
    found = _INVOICE_ID.fullmatch(invoice)
    return found[1] if found else None


_INVOICE_ID = re.compile(r"inv_[0-9a-f]{20}_(.+)")


def plan_id(practice: str, client: str, number: int) -> str:
    """A client's first plan, their second, … It ends in the client's id, as an invoice's does."""
    return f"plan_{digest(practice, client, str(number))}_{client}"


def client_of_plan(plan: str) -> str | None:
    """The client that a plan's id names; None where it is no plan's id."""
    found = _PLAN_ID.fullmatch(plan)
    return found[1] if found else None


_PLAN_ID = re.compile(r"plan_[0-9a-f]{20}_(.+)")


def attempt_id(practice: str, client: str, number: int) -> str:
    """What Stripe's metadata and a payment's outside id say of an attempt."""
    return f"pay_{digest(practice, client, length=16)}_{number}"


def refund_stripe_key(refund: str) -> str:
    """The idempotency key of the one Stripe call of a refund."""
    return f"kb-{refund}"


def refund_id(practice: str, client: str, *content: str) -> str:
    """A refund is what asked for it: the same request, arriving twice, names the same refund."""
    return f"ref_{digest(practice, client, *content)}"


def stripe_key(practice: str, client: str, number: int, call: str) -> str:
    """The idempotency key of one Stripe call of one attempt: the same whoever sends it, and whenever."""
    return f"kb-{digest(practice, client, length=24)}-{number}-{call}"
