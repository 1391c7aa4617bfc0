"""The OpenAPI document is the API: every route is in it, nothing else is, and real answers have the shapes it names."""

import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from billing.policy import Policy
from billing.ports import Insert
from edges.policy_view import policies
from functions.serve_practice.calls import ELSEWHERE, ROUTES
from functions.serve_practice.openapi import document
from tests.billing.examples import ENROLLED, PRACTICE, VISA, announced, invoice
from tests.functions.api import Api
from tests.functions.test_bad_input import INVOICE, SHOWING, TAKING
from tests.functions.waiting import wait_for_a_person


@pytest.fixture(scope="module")
def served() -> dict[str, Any]:
    """As a caller gets it."""
    document_served: dict[str, Any] = Api().call("GET", "/v1/openapi.json").body
    return document_served


def test_the_document_is_valid_openapi_3_1(served: dict[str, Any]) -> None:
    validate(served)
    assert served == json.loads(json.dumps(document()))


def test_every_route_is_in_the_document_and_nothing_else(served: dict[str, Any]) -> None:
    documented = {(method.upper(), path) for path, methods in served["paths"].items() for method in methods}
    elsewhere = {(method, path) for path, methods in ELSEWHERE.items() for method in methods}
    assert documented == {(route.method, route.path) for route in ROUTES} | elsewhere


def test_every_reference_of_the_document_leads_somewhere(served: dict[str, Any]) -> None:
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(served))):
        place = served
        for part in reference.split("/"):
            place = place[part]
        assert place


def test_the_policies_of_the_document_are_all_there_are(served: dict[str, Any]) -> None:
    """DESK-6."""
    names = set(policies(PRACTICE))
    assert names == {"version", "about", "disclosure", *Policy.__dataclass_fields__}
    assert names == set(served["components"]["schemas"]["PolicyIn"]["properties"])


def documented_answer(served: dict[str, Any], method: str, path: str, status: int) -> dict[str, Any]:
    """The schema of that answer, with everything it refers to."""
    for pattern, methods in served["paths"].items():
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", pattern), path) and method.lower() in methods:
            answer = methods[method.lower()]["responses"][str(status)]
            if "$ref" in answer:
                answer = served["components"]["responses"][answer["$ref"].rsplit("/", 1)[1]]
            (content,) = answer["content"].values()
            return {**content["schema"], "components": served["components"]}
    raise AssertionError(f"{method} {path} is not in the document")


@pytest.fixture
def api() -> Api:
    """A practice where everything that can be shown is there."""
    made = Api()
    for row in (
        ENROLLED,
        VISA,
        announced(62_50, "inv_1"),
        invoice(187_50, "inv_2"),
        invoice(62_50, INVOICE),
    ):
        made.store.commit(Insert(row))
    wait_for_a_person(made.store)
    return made


@pytest.mark.parametrize("call", TAKING, ids=str)
def test_answers_of_calls_that_take_something_have_the_documented_shape(
    api: Api, served: dict[str, Any], call: Any
) -> None:
    for body in (call.body, call.body, {"no such": "field"}):
        reply = api.call(call.method, call.path, key=call.scope, headers=call.headers, body=body)
        schema = documented_answer(served, call.method, call.path, reply.status)
        Draft202012Validator(schema).validate(reply.body)


@pytest.mark.parametrize("path, scope", SHOWING)
def test_answers_of_calls_that_show_something_have_the_documented_shape(
    api: Api, served: dict[str, Any], path: str, scope: str
) -> None:
    api.call("POST", "/v1/clients/ana/plans", key="practice", body={"weeks": 4, "start_on": "2026-11-20"})
    reply = api.call("GET", path, key=scope)
    Draft202012Validator(documented_answer(served, "GET", path, reply.status)).validate(reply.body)


@pytest.mark.parametrize("call", TAKING, ids=str)
def test_bodies_that_are_taken_have_the_documented_shape(served: dict[str, Any], call: Any) -> None:
    for pattern, methods in served["paths"].items():
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", pattern), call.path) and call.method.lower() in methods:
            schema = methods[call.method.lower()]["requestBody"]["content"]["application/json"]["schema"]
            validator = Draft202012Validator({**schema, "components": served["components"]})
            validator.validate(call.body)
            assert list(validator.iter_errors(call.body | {"no such": "field"}))
