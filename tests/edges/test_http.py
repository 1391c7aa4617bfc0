"""Requests as both gateways send them, and answers that nobody keeps."""

import base64
import json
from typing import Any

import pytest

from billing.ports import Refused
from edges.http import Request, busy, problem, refused, respond


def gateway_event(**changes: Any) -> dict[str, Any]:
    event = {
        "version": "2.0",
        "rawPath": "/pay/abc",
        "headers": {"Content-Type": "application/json", "X-Odd": "1"},
        "requestContext": {"http": {"method": "POST", "sourceIp": "203.0.113.7"}, "requestId": "req-1"},
        "body": "{}",
        "isBase64Encoded": False,
    }
    return event | changes


def test_a_request_is_read_with_lower_case_headers() -> None:
    request = Request.of(gateway_event(queryStringParameters={"a": "1"}))
    assert (request.method, request.path, request.body) == ("POST", "/pay/abc", b"{}")
    assert (request.content_type, request.headers["x-odd"]) == ("application/json", "1")
    assert (request.query, request.source_ip, request.request_id) == ({"a": "1"}, "203.0.113.7", "req-1")


def test_a_request_without_body_query_or_cookies_has_none() -> None:
    event = gateway_event(headers={})
    del event["body"]
    request = Request.of(event)
    assert (request.body, request.query, request.cookies, request.content_type) == (b"", {}, {}, "")


def test_a_binary_body_is_decoded_and_a_broken_one_is_empty() -> None:
    packed = base64.b64encode(b"\x00\xff").decode()
    assert Request.of(gateway_event(body=packed, isBase64Encoded=True)).body == b"\x00\xff"
    assert Request.of(gateway_event(body="***", isBase64Encoded=True)).body == b""


@pytest.mark.parametrize(
    "where",
    [
        {"cookies": ["session=abc=", "theme=dark"]},
        {"headers": {"cookie": "session=abc=; theme=dark"}},
        {"cookies": ["session=abc=", "theme=dark", "session=forged"]},
    ],
)
def test_cookies_are_found_where_either_gateway_puts_them(where: dict[str, Any]) -> None:
    assert Request.of(gateway_event(**where)).cookies == {"session": "abc=", "theme": "dark"}


def test_an_answer_is_json_text_or_bytes() -> None:
    as_json = respond(200, {"name": "Zoë"})
    assert json.loads(as_json["body"]) == {"name": "Zoë"}
    assert as_json["headers"]["content-type"] == "application/json"
    page = respond(200, "<p>hi", {"Content-Type": "text/html; charset=utf-8"}, ["a=1; HttpOnly", "b=2"])
    assert (page["body"], page["headers"]["content-type"]) == ("<p>hi", "text/html; charset=utf-8")
    assert page["cookies"] == ["a=1; HttpOnly", "b=2"]
    picture = respond(200, b"\x00\xff", {"content-type": "image/png"})
    assert picture["isBase64Encoded"] is True
    assert base64.b64decode(picture["body"]) == b"\x00\xff"


def test_nothing_is_kept_on_the_way_unless_the_answer_says_so() -> None:
    assert respond(204)["headers"]["cache-control"] == "no-store"
    assert respond(200, "", {"Cache-Control": "max-age=9"})["headers"]["cache-control"] == "max-age=9"


def test_a_problem_is_a_problem_document() -> None:
    answer = problem(422, "Not accepted", "Two fields are wrong.", "/problems/input", errors=[("amount", "below 0")])
    assert answer["statusCode"] == 422
    assert answer["headers"]["content-type"] == "application/problem+json"
    assert json.loads(answer["body"]) == {
        "type": "/problems/input",
        "title": "Not accepted",
        "status": 422,
        "detail": "Two fields are wrong.",
        "errors": [{"loc": "amount", "msg": "below 0"}],
    }


def test_a_refusal_names_its_rule_in_the_type_and_its_reason_in_the_code() -> None:
    """contract.md: 409 whose type ends in /PLAN-2."""
    document = json.loads(refused(Refused("no_autopay", "Turn autopay on first.", rule="PLAN-2"))["body"])
    assert document["type"].endswith("/PLAN-2")
    assert (document["status"], document["code"]) == (409, "no_autopay")
    without_rule = json.loads(refused(Refused("gone", "It is gone.", status=410))["body"])
    assert (without_rule["type"], without_rule["status"]) == ("/problems/gone", 410)


def test_being_busy_says_when_to_come_back() -> None:
    answer = busy(5)
    assert (answer["statusCode"], answer["headers"]["retry-after"]) == (503, "5")
