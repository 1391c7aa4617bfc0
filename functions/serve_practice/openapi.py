"""The OpenAPI 3.1 document, made from the code: the route table, the request models and the answer types.

Some calls are served by functions of their own; their operations are written down here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter

from billing.clearinghouse_event import PROCESSED, TRANSACTION_ID
from edges import answers
from edges.formats.claim_json import MAX_RESULTS
from edges.inbound.claim_result import ClaimResultIn
from edges.inbound.door import MAX_KEY_CHARS
from edges.inbound.fields import ID_PATTERN, ID_PATTERNS
from edges.inbound.invoice_change import EndPlanIn, PaymentIn, RefundIn, VoidIn, WriteOffIn
from edges.inbound.plan_request import PlanIn
from edges.inbound.review import DecisionIn, ReviewIn
from edges.inbound.upload import UploadIn
from functions.serve_practice.calls import ELSEWHERE, ROUTES
from functions.serve_practice.route import Route

Json = dict[str, Any]

BODY_PROBLEMS: Final = (400, 413, 415, 422)
KEY_PROBLEMS: Final = (401, 403)
TOO_MANY: Final = 429
"""Of the front door, before any function: docs/decisions/0011."""
BUSY: Final = 503


@dataclass(frozen=True)
class _Change:
    """A change that staff make to an invoice: what it takes, and what it answers. `keyed`: once per Idempotency-Key;
    else what it does can be done once only."""

    summary: str
    takes: type[BaseModel]
    shows: Mapping[int, Any]
    keyed: bool = True


CHANGES: Final[Mapping[str, _Change]] = {
    "/v1/invoices/{invoice_id}/void": _Change(
        "Void an invoice that should never have been; only where nothing is paid or moved (DESK-3)",
        VoidIn,
        {200: answers.Invoice},
    ),
    "/v1/invoices/{invoice_id}/write-off": _Change(
        "Ask no more for what is open of an invoice (DESK-3)",
        WriteOffIn,
        {200: answers.Invoice},
    ),
    "/v1/invoices/{invoice_id}/payments": _Change(
        "Record money that the practice took itself, where its policy outside_payments lets it (INV-10)",
        PaymentIn,
        {200: answers.PaidInvoice, 201: answers.PaidInvoice},
    ),
    "/v1/invoices/{invoice_id}/refunds": _Change(
        "Send back what cards paid for an invoice, all of it or an amount; the newest payment first (PAY-12)",
        RefundIn,
        {200: answers.RefundedInvoice, 201: answers.RefundedInvoice},
    ),
    "/v1/invoices/{invoice_id}/reviews": _Change(
        "Look into an invoice because the plan quoted another amount; 200 with the review that is open already (INV-7)",
        ReviewIn,
        {200: answers.Review, 201: answers.Review},
        keyed=False,
    ),
    "/v1/plans/{plan_id}/end": _Change(
        "End a payment plan: what is left of it becomes one invoice, and nothing more of it is charged (DESK-4)",
        EndPlanIn,
        {200: answers.EndedPlan},
    ),
    "/v1/reviews/{review_id}/decision": _Change(
        "Uphold or correct the amount; the same decision again answers the same, another one 409 (INV-7)",
        DecisionIn,
        {200: answers.Review},
        keyed=False,
    ),
}


@cache
def document() -> Json:
    """The whole document. Made once per process."""
    paths: dict[str, Json] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _of_route(route)
    elsewhere = {
        "/v1/claim-results": _post_claim_results,
        "/webhooks/clearinghouse": _post_clearinghouse,
        "/v1/claim-results/uploads": _post_upload,
        "/v1/clients/{client_id}/plans": _post_plan,
        **dict.fromkeys(CHANGES, _post_change),
    }
    for path, methods in ELSEWHERE.items():
        paths[path] = {method.lower(): elsewhere[path](path) for method in methods}
    problems = sorted({*KEY_PROBLEMS, *BODY_PROBLEMS, 404, 409, TOO_MANY, BUSY})
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Kindbill",
            "version": "1",
            "summary": "Claim results in, understandable bills out.",
            "description": "For claim processors and practice systems. Amounts are integer cents of usd, instants ISO "
            "8601 with offset, ids opaque strings. Errors are problem documents (RFC 9457). Every call may be "
            "repeated: the same request again changes nothing.",
        },
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "responses": {str(status): _problem(status) for status in problems},
            "securitySchemes": {"apiKey": {"type": "http", "scheme": "bearer"}},
        },
    }


def _of_route(route: Route) -> Json:
    problems = (*route.refuses, *(BODY_PROBLEMS if route.takes else ()))
    operation = _operation(route.summary, route.act.__name__, route.path, route.scopes, route.answers, problems)
    if route.path == "/v1/receipts/{receipt_id}":
        described = "Of a list of results too long for one answer; `next` has the address of the one that follows."
        page = {"type": "integer", "minimum": 0, "maximum": 99_999, "default": 0}
        operation["parameters"].append({"name": "page", "in": "query", "description": described, "schema": page})
    for name, meaning in route.query.items():
        known = {"name": name, "in": "query", "required": False, "description": meaning, "schema": {"type": "string"}}
        operation.setdefault("parameters", []).append(known)
    if route.takes:
        operation["requestBody"] = {"required": True, "content": _json(_ref(route.takes))}
    if route.keyed:
        operation.setdefault("parameters", []).append(_key_parameter(required=False))
    return operation


def _post_claim_results(path: str) -> Json:
    operation = _operation(
        "Post claim results: one, a batch, an 835 (as X12 or as a clearinghouse's report) or FHIR; 202 comes after the "
        "durable write",
        "post_claim_results",
        path,
        ("claims",),
        {200: answers.Receipt, 202: answers.Receipt},
        (409, *BODY_PROBLEMS),
    )
    operation["parameters"] = [_key_parameter(required=False)]
    one = _ref(ClaimResultIn)
    batch = {
        "type": "object",
        "required": ["results"],
        "additionalProperties": False,
        "properties": {"results": {"type": "array", "minItems": 1, "maxItems": MAX_RESULTS, "items": one}},
    }
    report = {
        "type": "object",
        "description": "An 835 as clearinghouses give it in JSON: Convert Reports of Change Healthcare, Stedi's 835 "
        "ERA report. Told by its transactions; other fields are let pass.",
        "required": ["transactions"],
        "properties": {"transactions": {"type": "array", "minItems": 1, "items": {"type": "object"}}},
    }
    operation["requestBody"] = {
        "required": True,
        "content": {
            **_json({"anyOf": [one, batch, report]}),
            "application/edi-x12": {"schema": {"type": "string"}},
            "application/fhir+json": {
                "schema": {"type": "object", "description": "ExplanationOfBenefit, ClaimResponse, or a Bundle"}
            },
        },
    }
    return operation


def _post_clearinghouse(path: str) -> Json:
    operation = _operation(
        "Tell that a clearinghouse has processed a transaction; the report of an 835 is then fetched by its id, once",
        "post_clearinghouse",
        path,
        ("claims",),
        {200: answers.Heard},
        (400, 409, 413, 422),
    )
    event = {
        "type": "object",
        "description": "As Stedi sends it. Other events, and transactions of other sets, are let pass.",
        "required": ["detail-type", "detail"],
        "properties": {
            "detail-type": {"type": "string", "examples": [PROCESSED]},
            "detail": {
                "type": "object",
                "required": ["transactionId", "x12"],
                "properties": {
                    "transactionId": {"type": "string", "pattern": f"^{TRANSACTION_ID.pattern}$"},
                    "direction": {"type": "string"},
                    "x12": {
                        "type": "object",
                        "required": ["metadata"],
                        "properties": {"metadata": {"type": "object", "required": ["transaction"]}},
                    },
                },
            },
        },
    }
    body = {"type": "object", "required": ["event"], "properties": {"event": event}}
    operation["requestBody"] = {"required": True, "content": _json(body)}
    return operation


def _post_upload(path: str) -> Json:
    summary = "Get an address that one file of claim results, up to 50 MB, may be put to; its receipt waits for it"
    operation = _operation(
        summary, "post_upload", path, ("claims",), {201: answers.UploadAddress}, (400, 409, 413, 415, 422)
    )
    operation["description"] += (
        " Put the file there once, with exactly the headers of the answer: a second one is refused by S3 (412). An 835 "
        "may have 50 MB, JSON 4 MB. The same Idempotency-Key again is the same upload with a fresh address."
    )
    operation["parameters"] = [_key_parameter(required=False)]
    operation["requestBody"] = {"required": False, "content": _json(_ref(UploadIn))}
    return operation


def _post_plan(path: str) -> Json:
    summary = "Put what a client owes on a payment plan; a refusal's code names its reason (PLAN-2, PLAN-10)"
    problems = (404, 409, *BODY_PROBLEMS)
    operation = _operation(summary, "post_plan", path, ("practice",), {200: answers.Plan, 201: answers.Plan}, problems)
    operation["parameters"].append(_key_parameter(required=False))
    operation["requestBody"] = {"required": True, "content": _json(_ref(PlanIn))}
    return operation


def _post_change(path: str) -> Json:
    one = CHANGES[path]
    name = "post_" + path.rpartition("/")[2].replace("-", "_")
    operation = _operation(one.summary, name, path, ("practice",), one.shows, (404, 409, *BODY_PROBLEMS))
    if one.keyed:
        operation["description"] += " Done once per Idempotency-Key: the same request again answers 200."
        operation["parameters"].append(_key_parameter(required=True))
    operation["requestBody"] = {"required": True, "content": _json(_ref(one.takes))}
    return operation


def _key_parameter(*, required: bool) -> Json:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": required,
        "description": "Per API key, kept a year, bound to the request by the first 2xx.",
        "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY_CHARS},
    }


def _operation(
    summary: str,
    name: str,
    path: str,
    scopes: tuple[str, ...],
    shows: Mapping[int, Any],
    problems: tuple[int, ...],
) -> Json:
    """What every operation has. `shows`: status -> the type of what it answers."""
    responses: Json = {
        str(status): {"description": _first_line(shape), "content": _json(_ref(shape))}
        for status, shape in shows.items()
    }
    problems = tuple(sorted({*problems, *(KEY_PROBLEMS if scopes else ()), TOO_MANY, BUSY}))
    responses |= {str(status): {"$ref": f"#/components/responses/{status}"} for status in problems}
    operation: Json = {"operationId": name, "summary": summary, "responses": responses}
    if scopes:
        operation["security"] = [{"apiKey": []}]
        operation["description"] = f"API key with scope {' or '.join(scopes)}."
    names = re.findall(r"{(\w+)}", path)
    if names:
        operation["parameters"] = [{"name": n, "in": "path", "required": True, "schema": _id(n)} for n in names]
    return operation


def _id(name: str) -> Json:
    return {"type": "string", "pattern": ID_PATTERNS.get(name, ID_PATTERN)}


def _problem(status: int) -> Json:
    if status == TOO_MANY:
        said = {"type": "object", "properties": {"message": {"type": "string"}}}
        return {
            "description": "More requests than this address takes at present: wait a second, then longer each time.",
            "content": _json(said),
        }
    described: Json = {
        "description": HTTPStatus(status).phrase,
        "content": {"application/problem+json": {"schema": _ref(answers.Problem)}},
    }
    if status == BUSY:
        described["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return described


def _schemas() -> Json:
    """Every request model and answer type, with all they are made of."""
    taken: list[type[BaseModel]] = [ClaimResultIn, PlanIn, UploadIn, *(one.takes for one in CHANGES.values())]
    taken += [route.takes for route in ROUTES if route.takes]
    shown = {shape for route in ROUTES for shape in route.answers.values() if _is_named(shape)}
    shown |= {shape for one in CHANGES.values() for shape in one.shows.values()}
    shapes = [*taken, answers.Problem, answers.Plan, answers.Heard, answers.UploadAddress]
    shapes += sorted(shown, key=lambda shape: str(shape.__name__))
    _, defined = TypeAdapter.json_schemas(
        [(shape.__name__, "validation", TypeAdapter(shape)) for shape in shapes],
        ref_template="#/components/schemas/{model}",
    )
    return dict(defined["$defs"])


def _ref(shape: Any) -> Json:
    return {"$ref": f"#/components/schemas/{shape.__name__}"} if _is_named(shape) else {"type": "object"}


def _is_named(shape: Any) -> bool:
    """Whether it is one of our own types; the document itself is just some object."""
    return isinstance(shape, type) and shape is not dict


def _first_line(shape: Any) -> str:
    return str(shape.__doc__).splitlines()[0] if _is_named(shape) else "OpenAPI 3.1."


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}
