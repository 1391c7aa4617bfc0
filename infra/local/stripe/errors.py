"""How the embedded Stripe says no.

One exception carries everything Stripe puts into `{"error": {…}}`. Whether a refusal is remembered under its
idempotency key follows Stripe's own rule: what was refused while reading the parameters never began to execute and
may be sent again with the same key; what an endpoint answered, errors included, is what the key answers from then on.
Source: docs.stripe.com/api/errors, docs.stripe.com/error-low-level.
"""

from typing import Any, Literal, TypeAlias

Json: TypeAlias = dict[str, Any]
"""An object in the shape Stripe's API speaks; the emulator keeps its state in that shape and answers with it."""

NoAnswerKind = Literal["lost_response", "hang", "drop"]


class ApiError(Exception):
    """A refusal with its HTTP status and Stripe's error object. `remembered`: stored under the idempotency key."""

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        remembered: bool = True,
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.remembered = remembered
        self.error: Json = {"type": kind, "message": message}
        if code is not None:
            self.error["code"] = code
            self.error["doc_url"] = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"
        if param is not None:
            self.error["param"] = param
        self.error.update({name: value for name, value in more.items() if value is not None})


class NoAnswer(Exception):
    """The caller gets no answer: the connection was cut, or stays silent for longer than anybody waits.

    `drop` is cut before the request was processed, `lost_response` and `hang` after. `key` is the idempotency key under
    which a hanging request still holds its place, as (account, key).
    """

    def __init__(self, kind: NoAnswerKind, key: tuple[str, str] | None = None) -> None:
        super().__init__(kind)
        self.kind = kind
        self.key = key


def bad_param(message: str, param: str, code: str | None = None) -> ApiError:
    """A parameter that cannot be read: 400, not remembered."""
    return ApiError(400, "invalid_request_error", message, code=code, param=param, remembered=False)


def refused(message: str, *, code: str | None = None, param: str | None = None, **more: Any) -> ApiError:
    """A request that can be read and may not be done: 400, remembered."""
    return ApiError(400, "invalid_request_error", message, code=code, param=param, **more)


def missing(kind: str, object_id: str, param: str | None = None) -> ApiError:
    """No such object: 404 where it was addressed by its path, 400 where a parameter named it."""
    status = 404 if param is None else 400
    message = f"No such {kind}: '{object_id}'"
    return ApiError(status, "invalid_request_error", message, code="resource_missing", param=param or "id")
