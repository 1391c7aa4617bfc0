"""The API keeps to its own document whatever is sent: no 5xx, no status, body, header or content type that
/v1/openapi.json does not name.

Requests are made from the document itself, valid ones and broken ones, with the right key, with another and with none.
"""

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from http import HTTPStatus
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from billing.ids import invoice_id, plan_id
from billing.payment import Attempt, AttemptKind, AttemptState, Part
from billing.plan import Plan, schedule
from billing.policy import OutsidePayments, Policy
from billing.ports import Insert, Update
from billing.review import AskedBy, ListedReview, Review, review_id
from edges.inbound.session import EligibilityIn, SessionIn
from functions.serve_practice.openapi import document
from tests.billing.examples import ENROLLED, NOW, PRACTICE, VISA, invoice
from tests.functions.api import KEYS, Api, api_event
from tests.functions.test_bad_input import ELIGIBILITY, TAKING
from tests.functions.test_bad_input import SESSION as TOLD
from tests.functions.waiting import HOLD, wait_for_a_person

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = int(os.environ.get("KINDBILL_API_EXAMPLES", "12"))
"""Requests per operation, kind of request and key; nights may want thousands."""
NEVER_SEEN = "GET /v1/receipts/{receipt_id}"
"""The one call of which no request here succeeds: a receipt is shown where it comes from (test_file_to_receipt.py)."""
INVOICE = invoice(62_50, invoice_id("riverbend", "ana", "claim", "claim_1"))
PAID = invoice(62_50, invoice_id("riverbend", "ana", "claim", "claim_2"), paid=62_50)
PAYMENT = Attempt(
    practice="riverbend",
    client="ana",
    number=1,
    version=1,
    channel=AttemptKind.CHECKOUT,
    parts=(Part(PAID.invoice_id, 62_50),),
    customer="cus_ana",
    payment_method="pm_visa",
    card_id="",
    started_at=NOW,
    state=AttemptState.POSTED,
    intent_id="pi_1",
    posted_at=NOW,
)
ASKED = Review(
    "riverbend", "ana", review_id("riverbend", "ana", PAID.invoice_id, 0), 1, PAID.invoice_id, NOW, AskedBy.STAFF, 1
)
QUESTIONED = replace(PAID, reviews=(ASKED.review_id,))
ON_A_PLAN = Plan(
    "riverbend",
    "ana",
    plan_id("riverbend", "ana", 1),
    1,
    2,
    NOW,
    (Part(PAID.invoice_id, 62_50),),
    schedule(62_50, 2, NOW.date()),
)
CHECK = EligibilityIn.model_validate(ELIGIBILITY).record(INVOICE.practice, INVOICE.client)
SESSION = SessionIn.model_validate(TOLD | {"session_id": "told"}).record(INVOICE.practice, NOW)
KNOWN = {
    "session_id": "told",
    "client_id": INVOICE.client,
    "invoice_id": INVOICE.invoice_id,
    "practice_id": INVOICE.practice,
    "review_id": ASKED.review_id,
    "plan_id": ON_A_PLAN.plan_id,
    "hold_id": HOLD,
}
"""Ids that lead somewhere; others mostly lead to 404."""


def _app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """The JSON API of a practice with one client, who has an open and a paid invoice, as WSGI; new at each call."""
    api = Api()
    recording = replace(PRACTICE, version=2, policy=replace(Policy(), outside_payments=OutsidePayments.RECORDED))
    api.store.commit(
        Update(recording),
        *map(
            Insert,
            (ENROLLED, VISA, INVOICE, QUESTIONED, PAYMENT, ASKED, ListedReview.of(ASKED), ON_A_PLAN, CHECK, SESSION),
        ),
    )
    wait_for_a_person(api.store)
    sent = {name[5:].replace("_", "-").lower(): text for name, text in environ.items() if name.startswith("HTTP_")}
    size = int(environ.get("CONTENT_LENGTH") or 0)
    reply = api.answers(
        api_event(
            environ["REQUEST_METHOD"],
            environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace"),
            body=environ["wsgi.input"].read(size) if size else None,
            content_type=environ.get("CONTENT_TYPE", ""),
            headers=sent,
        )
    )
    status = HTTPStatus(reply["statusCode"])
    start_response(f"{status.value} {status.phrase}", list(reply.get("headers", {}).items()))
    return [reply.get("body", "").encode()]


SCHEMA = schemathesis.openapi.from_dict(document())
SCHEMA.app = _app
OPERATIONS = {operation.ok().label: operation.ok() for operation in SCHEMA.get_all_operations()}


def _keys(label: str) -> dict[str, str]:
    """A key that may make this call, one that may not, and none; as headers."""
    told = OPERATIONS[label].definition.raw.get("description", "")
    right = re.search(r"scope (\w+)", told)
    scope = right[1] if right else "practice"
    other = next(name for name in KEYS if name not in told)
    return {"right": f"Bearer {KEYS[scope]}", "other": f"Bearer {KEYS[other]}", "none": ""}


def _kinds() -> list[Any]:
    """Each operation with valid requests, and with broken ones where there is something to break."""
    broken = {"{", "PUT", "POST"}
    return [
        pytest.param(label, mode, id=f"{mode.value} {label}")
        for label in OPERATIONS
        for mode in GenerationMode
        if mode is GenerationMode.POSITIVE or any(part in label for part in broken)
    ]


@pytest.mark.parametrize(("label", "mode"), _kinds())
def test_the_api_answers_as_its_document_says(label: str, mode: GenerationMode) -> None:
    operation, keys = OPERATIONS[label], _keys(label)
    ways = [operation.as_strategy(generation_mode=mode)]
    if known := _known(label):
        ways.append(operation.as_strategy(generation_mode=mode, path_parameters=known))
    if mode is GenerationMode.POSITIVE:
        ways += [
            operation.as_strategy(path_parameters=known, body=call.body, media_type="application/json")
            for call in TAKING
            if call.method == operation.method.upper() and _leads_to(operation.path, call.path)
        ]

    answered: list[int] = []

    @seed(1)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=st.one_of(ways), key=st.sampled_from(("right", "right", "other", "none")))
    def run(case: Case, key: str) -> None:
        headers = {"Authorization": keys[key]} if keys[key] else {}
        reply = case.call_and_validate(checks=CHECKS, headers=headers)
        answered.append(reply.status_code)

    run()
    assert answered, "no request was made"
    if mode is GenerationMode.POSITIVE and label != NEVER_SEEN:
        assert any(status < 300 for status in answered), "its good answers were compared with nothing"


def _leads_to(pattern: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"{\w+}", "[^/]+", pattern), path) is not None


def _known(label: str) -> dict[str, str]:
    known = {name: KNOWN[name] for name in re.findall(r"{(\w+)}", label) if name in KNOWN}
    return known | ({"invoice_id": PAID.invoice_id} if label.endswith("/refunds") else {})
