"""Pay links: who, which epoch, when, and a signature over it. Nothing is stored, so nothing can be stolen from a store.

A link is valid for 90 days, and only while its epoch is its account's: raising that revokes every link at once. It
opens nothing by itself; the page behind it asks for the phone number (PAY-1).
"""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

LASTS: Final = timedelta(days=90)
PURPOSE: Final = b"pay-link\0"
"""Signed along, so that a signature made for something else with the same secret is no link."""
SIGNATURE_BYTES: Final = 18
"""144 bits: nobody guesses that, and the link fits on one line of a mail."""


class UnknownLink(Exception):
    """Not a link of ours (404)."""


class ExpiredLink(Exception):
    """A link of ours, older than 90 days (410). Also what a link of an earlier epoch is."""


@dataclass(frozen=True)
class LinkClaim:
    """What a link says. `epoch` is compared with the account's by whoever reads the account."""

    practice: str
    client: str
    epoch: int
    issued: datetime


class Links:
    """Makes pay links with one secret, and reads those of the secret before it too: rolling it ends no link, rolling it
    twice ends all."""

    def __init__(self, secret: bytes, base_url: str, *, previous: bytes = b"") -> None:
        self._secret = secret
        self._accepted = (secret, previous) if previous else (secret,)
        self._base_url = base_url.rstrip("/")

    def token(self, practice: str, client: str, epoch: int, issued: datetime) -> str:
        """The token of a link; the same for the same arguments, seconds counted."""
        assert "\0" not in practice + client, "ids hold no NUL"
        payload = "\0".join((practice, client, str(epoch), str(int(issued.timestamp())))).encode()
        return f"{_text(payload)}.{_text(_signature(self._secret, payload))}"

    def url(self, token: str) -> str:
        """Where the client's browser goes."""
        return f"{self._base_url}/pay/{token}"

    def read(self, token: str, now: datetime) -> LinkClaim:
        """What a token says. Raises UnknownLink where it is none of ours, ExpiredLink after 90 days."""
        payload_text, _, signature_text = token.partition(".")
        payload, signature = _bytes(payload_text), _bytes(signature_text)
        if not any(hmac.compare_digest(signature, _signature(secret, payload)) for secret in self._accepted):
            raise UnknownLink
        practice, client, epoch, issued_at = payload.decode().split("\0")
        issued = datetime.fromtimestamp(int(issued_at), UTC)
        if now - issued > LASTS:
            raise ExpiredLink
        return LinkClaim(practice, client, int(epoch), issued)


def _signature(secret: bytes, payload: bytes) -> bytes:
    return hmac.new(secret, PURPOSE + payload, hashlib.sha256).digest()[:SIGNATURE_BYTES]


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    """The bytes of URL-safe text. Only the one spelling that `_text` writes is a link: raises UnknownLink."""
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as e:
        raise UnknownLink from e
    if _text(data) != text:
        raise UnknownLink
    return data
