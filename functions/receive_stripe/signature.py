"""Whether a webhook is Stripe's: an HMAC over the moment and the exact bytes. docs.stripe.com/webhooks/signature

Checked here and not by Stripe's SDK, whose import costs more than everything else this function does.
"""

import hashlib
import hmac

TOLERANCE_SECONDS = 300
"""How old a signature may be, on the real clock: an overheard webhook cannot be played again later."""


class Forged(Exception):
    """Not signed by Stripe, or too long ago."""


def verify(header: str, body: bytes, secret: str, now: float) -> None:
    """Check `Stripe-Signature`; `now` in epoch seconds. Raises Forged.

    While a secret is being replaced Stripe signs with both, so any one of several `v1` may fit; other schemes are not
    looked at.
    """
    signed_at, signatures = "", []
    for part in header.split(","):
        scheme, _, value = part.strip().partition("=")
        if scheme == "t":
            signed_at = value
        elif scheme == "v1":
            signatures.append(value)
    expected = hmac.new(secret.encode(), signed_at.encode() + b"." + body, hashlib.sha256).hexdigest()
    if not any(hmac.compare_digest(expected.encode(), given.encode()) for given in signatures):
        raise Forged("no signature fits the body")
    if not signed_at.isdecimal() or abs(now - int(signed_at)) > TOLERANCE_SECONDS:
        raise Forged("the signature is too old")
