"""Who calls the API: a bearer key that belongs to exactly one practice, which is never taken from a body.

A key is 256 random bits, `kb_live_` and 43 URL-safe characters; only its hash is stored (billing.ids.api_key_hash).
"""

import re
from typing import Final

from billing.ids import api_key_hash
from billing.policy import ApiKey
from billing.ports import Store
from edges.http import Request, Response, problem

KEY: Final = re.compile(r"kb_live_[A-Za-z0-9_-]{43}")
SCHEME: Final = "bearer "


class Denied(Exception):
    """The caller may not; `answer` is what it hears."""

    def __init__(self, answer: Response) -> None:
        super().__init__(answer["statusCode"])
        self.answer = answer


class Unauthorised(Denied):
    """No key, or none that we know (401). Says the same for an unknown and a revoked one."""

    def __init__(self) -> None:
        super().__init__(
            problem(
                401,
                "Unauthorised",
                "Send a valid API key: Authorization: Bearer kb_live_…",
                headers={"www-authenticate": 'Bearer realm="kindbill"'},
            )
        )


class Forbidden(Denied):
    """A key that lacks the scope (403)."""

    def __init__(self, scope: str) -> None:
        super().__init__(
            problem(
                403,
                "Forbidden",
                f"This API key may not do that: it needs the scope {scope}.",
                code="insufficient_scope",
                headers={"www-authenticate": f'Bearer realm="kindbill", error="insufficient_scope", scope="{scope}"'},
            )
        )


def authenticate(request: Request, store: Store, scope: str) -> ApiKey:
    """The key a request carries, if it has that scope. Raises Unauthorised or Forbidden.

    The key is found by its hash, so what is compared in variable time tells nothing about the key itself.
    """
    header = request.headers.get("authorization", "")
    secret = header[len(SCHEME) :].strip()
    if not header.lower().startswith(SCHEME) or not KEY.fullmatch(secret):
        raise Unauthorised
    key = store.get(ApiKey(api_key_hash(secret), "", ()).key)
    if not isinstance(key, ApiKey) or key.revoked:
        raise Unauthorised
    if scope not in key.scopes:
        raise Forbidden(scope)
    return key
