"""From the bytes of a request to one of the models of this folder, or to the answer that names what is wrong with them.

415 not JSON by its name, 413 too much of it, 400 not JSON by its content, 422 JSON that is not what this call takes.
"""

from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from edges import strict_json
from edges.inbound.bad_input import BadInput, plain
from edges.inbound.media import JSON, media_type

MAX_BODY_BYTES: Final = 1_000_000
MAX_ERRORS: Final = 20

Model = TypeVar("Model", bound=BaseModel)


def parse(model: type[Model], body: bytes, content_type: str) -> Model:
    """The body as a `model`. Raises BadInput with the status and what to send instead."""
    if not body:
        raise BadInput(400, "The body is empty.")
    if media_type(content_type) != JSON:
        raise BadInput(415, f"Send the body as {JSON}.")
    if len(body) > MAX_BODY_BYTES:
        raise BadInput(413, f"The body is larger than {MAX_BODY_BYTES:,} bytes.")
    try:
        return model.model_validate(_load(body))
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)[:MAX_ERRORS]
        errors = tuple((_place(detail["loc"]), plain(detail["type"], detail["msg"])) for detail in details)
        raise BadInput(422, "Some fields cannot be taken as they are; see errors.", errors) from None


def _load(body: bytes) -> object:
    try:
        return strict_json.loads(body)
    except strict_json.NotJson as unreadable:
        raise BadInput(400, str(unreadable)) from None


def _place(loc: tuple[int | str, ...]) -> str:
    """Where, as `lines.0.charged`; a field name the sender made up is shown only as far as it is harmless."""
    parts = ["".join(c for c in str(part) if c.isascii() and (c.isalnum() or c == "_"))[:40] for part in loc]
    return ".".join(parts) or "body"
