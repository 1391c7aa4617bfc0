"""Read claim results from our own JSON: one result, or a batch in which a broken one costs only itself. What has
`transactions` is a clearinghouse's report, and read by edges/formats/clearinghouse.py.
"""

from collections.abc import Iterator
from typing import Final, TypedDict, cast

from pydantic import ValidationError

from billing.claim import Adjustment, ClaimResult, ClaimStatus, ServiceLine
from edges import strict_json
from edges.formats.clearinghouse import read_report
from edges.formats.envelope import Envelope
from edges.formats.rejected import Rejected
from edges.inbound.bad_input import plain
from edges.inbound.claim_result import AdjustmentIn, ClaimResultIn

MAX_RESULTS: Final = 500
MAX_ERRORS: Final = 20


class FieldError(TypedDict):
    """One input error as the API answers it."""

    loc: str
    msg: str


class NotAClaimResult(ValueError):
    """Readable JSON that is neither one valid claim result nor a batch of them (422)."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("The body is not a claim result; see errors.")
        self.errors = errors


def parse_batch(
    text: bytes, warnings: list[str] | None = None, envelope: Envelope | None = None
) -> Iterator[ClaimResult | Rejected]:
    """The results of a body, in order.

    A body is one result, whose errors raise NotAClaimResult, or `{"results": [1 to 500 of them]}`, where a broken one
    becomes `Rejected` and the others go on, or a clearinghouse's report, what is wrong about whose payment is added to
    `warnings` (`envelope` follows its reading). Raises strict_json.NotJson for what is not JSON, and everything it
    raises before the first result.

    Each result stands alone, whatever came beside it, so its ordinal is 0: the same result twice in a batch is one
    result delivered twice, unlike in an 835, whose transaction may hold equal decisions.
    """
    body = strict_json.loads(text, decimal=True)
    if not isinstance(body, dict):
        raise NotAClaimResult([{"loc": "body", "msg": "must be a claim result or an object with results"}])
    if "resourceType" in body:
        raise NotAClaimResult([{"loc": "resourceType", "msg": "is FHIR's: send it as application/fhir+json"}])
    if "transactions" in body:
        if not isinstance(body["transactions"], list) or not body["transactions"]:
            raise NotAClaimResult([{"loc": "transactions", "msg": "must be a list of the payments of an 835 report"}])
        return read_report(body, warnings, envelope)
    if "results" not in body:
        return iter((_read(body),))
    elements = body["results"]
    if len(body) > 1:
        raise NotAClaimResult([{"loc": "body", "msg": "an object with results has no other fields"}])
    if not isinstance(elements, list) or not 1 <= len(elements) <= MAX_RESULTS:
        raise NotAClaimResult([{"loc": "results", "msg": f"must be a list of 1 to {MAX_RESULTS} claim results"}])
    return map(_read_or_reject, elements)


def _read_or_reject(element: object) -> ClaimResult | Rejected:
    try:
        return _read(element)
    except NotAClaimResult as refused:
        errors = tuple(f"{error['loc']}: {error['msg']}" for error in refused.errors)
        return Rejected(_identifier(element, "claim_id", 38), _identifier(element, "payer_claim_id", 50), errors)


def _read(element: object) -> ClaimResult:
    if not isinstance(element, dict):
        raise NotAClaimResult([{"loc": "body", "msg": "must be an object"}])
    try:
        given = ClaimResultIn.model_validate(element)
    except ValidationError as error:
        raise NotAClaimResult(field_errors(error)) from None
    return ClaimResult(
        claim_id=given.claim_id,
        payer_claim_id=given.payer_claim_id,
        payer_ids=(given.payer.id,),
        payer_name=given.payer.name,
        status=ClaimStatus(given.status),
        raw_status=given.status,
        adjudicated_on=given.adjudicated_on,
        currency=given.currency.lower(),
        charged=given.charged,
        paid=given.paid,
        stated_responsibility=None,
        adjustments=_adjustments(given.adjustments),
        lines=tuple(
            ServiceLine(
                procedure=line.procedure,
                modifiers=(),
                service_date=line.service_date,
                units="1",
                charged=line.charged,
                paid=line.paid,
                adjustments=_adjustments(line.adjustments),
                line_ref="",
            )
            for line in given.lines
        ),
        original_payer_claim_id="",
        test=False,
        ordinal=0,
    )


def _adjustments(given: list[AdjustmentIn]) -> tuple[Adjustment, ...]:
    return tuple(Adjustment(adjustment.group, adjustment.code, adjustment.amount) for adjustment in given)


def field_errors(error: ValidationError) -> list[FieldError]:
    """What pydantic found wrong, as the API answers it: places and sentences, never what was sent."""
    details = error.errors(include_url=False, include_context=False, include_input=False)[:MAX_ERRORS]
    return [{"loc": _place(detail["loc"]), "msg": plain(detail["type"], detail["msg"])} for detail in details]


def _place(loc: tuple[int | str, ...]) -> str:
    """Where, as `lines.0.charged`; a field name the sender made up is shown only as far as it is harmless."""
    parts = ["".join(character for character in str(part) if character.isalnum() or character == "_") for part in loc]
    return ".".join(part.encode("ascii", "ignore").decode()[:40] for part in parts) or "body"


def _identifier(element: object, field: str, max_chars: int) -> str:
    """The id of a broken element, as far as it has one."""
    value = cast("dict[str, object]", element).get(field) if isinstance(element, dict) else None
    if isinstance(value, str) and len(value) <= max_chars and value.isascii() and value.isprintable():
        return value
    return ""
