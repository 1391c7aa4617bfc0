"""The door of every JSON call: what a call raises becomes the answer that says so, as a problem document (RFC 9457).

A passing fault is tried again in place twice, since the caller is waiting and every call here may be repeated; after
that the caller is asked to come back. Bad input never ends as a 5xx, and a bug tells nothing about itself outside.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from billing.policy import ApiKey
from billing.ports import Refused, Store, TryAgain
from edges import log
from edges.auth import Denied, Forbidden, authenticate
from edges.http import Request, Response, busy, problem, refused
from edges.inbound.bad_input import BadInput

TRIES: Final = 3
MAX_KEY_CHARS: Final = 255


def answered(request: Request, act: Callable[[], Response]) -> Response:
    """What `act` answers, or the problem that stands for what it raised. One log line tells how the request ended."""
    try:
        answer = _persistently(act)
    except BadInput as bad:
        answer = problem(bad.status, HTTPStatus(bad.status).phrase, bad.detail, errors=bad.errors)
    except Denied as denied:
        answer = denied.answer
    except Refused as refusal:
        answer = refused(refusal)
    except TryAgain as passing:
        log.warning("busy", request_id=request.request_id, **log.about(passing))
        answer = busy()
    except Exception as bug:  # noqa: BLE001 - the last door: whatever it is, the caller hears a problem document
        log.error("bug", request_id=request.request_id, **log.about(bug))
        detail = "Something is wrong on our side and was reported. Sending the same again is safe."
        answer = problem(500, HTTPStatus(500).phrase, detail)
    log.info("answered", request_id=request.request_id, method=request.method, status=answer["statusCode"])
    return answer


def authenticate_any(request: Request, store: Store, scopes: tuple[str, ...]) -> ApiKey:
    """The key of a request that needs one of `scopes`. Raises as edges.auth.authenticate does for the last of them."""
    *others, last = scopes
    for scope in others:
        try:
            return authenticate(request, store, scope)
        except Forbidden:
            continue
    return authenticate(request, store, last)


def idempotency_key(request: Request, *, required: bool = False) -> str:
    """The request's `Idempotency-Key`, "" where none was sent. Raises BadInput 400 for one that cannot be kept, and for
    none where one is `required`."""
    text = request.headers.get("idempotency-key")
    if text is None:
        if required:
            detail = "Send an Idempotency-Key: a text of your own per change, so that a repeat is not done twice."
            raise BadInput(400, detail)
        return ""
    key = text.strip()
    if not 0 < len(key) <= MAX_KEY_CHARS or not key.isascii() or not key.isprintable():
        raise BadInput(400, f"An Idempotency-Key is 1 to {MAX_KEY_CHARS} printable ASCII characters.")
    return key


def _persistently(act: Callable[[], Response]) -> Response:
    for _ in range(TRIES - 1):
        try:
            return act()
        except TryAgain:
            continue
    return act()
