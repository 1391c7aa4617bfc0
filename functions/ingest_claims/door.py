"""What may come in: cheap checks that need no read of the table, each with the status that contract.md names."""

from typing import Final

from edges.inbound.bad_input import BadInput
from edges.inbound.media import FHIR, JSON, X12, media_type

MAX_BODY_BYTES: Final = 4_000_000


def check(content_type: str, body: bytes) -> str:
    """The media type of a body worth keeping. Raises BadInput: 415, 413, 400, or 422 for JSON of another kind."""
    if not body:
        raise BadInput(400, "The body is empty.")
    kind = media_type(content_type)
    if kind not in (X12, JSON, FHIR):
        raise BadInput(415, f"Send {JSON}, {FHIR}, or an 835 as {X12}.")
    if len(body) > MAX_BODY_BYTES:
        instead = "Upload it: POST /v1/claim-results/uploads." if kind == X12 else "Send it in parts."
        raise BadInput(413, f"The body is larger than {MAX_BODY_BYTES:,} bytes. {instead}")
    if kind == X12:
        _check_835(body)
    else:
        _check_json(body, kind)
    return kind


def _check_835(body: bytes) -> None:
    from edges.formats.x12_835 import NOT_AN_835, looks_like_835

    if not looks_like_835(body):
        raise BadInput(400, NOT_AN_835)


def _check_json(body: bytes, kind: str) -> None:
    from edges.formats import claim_json, fhir  # bring pydantic: for JSON only
    from edges.formats.claim_json import NotAClaimResult
    from edges.strict_json import NotJson

    try:
        fhir.parse(body) if kind == FHIR else claim_json.parse_batch(body)
    except NotJson as unreadable:
        raise BadInput(400, str(unreadable)) from None
    except NotAClaimResult as other:
        raise BadInput(422, str(other), tuple((error["loc"], error["msg"]) for error in other.errors)) from None
