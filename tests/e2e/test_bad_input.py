"""What strangers, mistakes and machines send to every public address: refused in the contract's words, never a 5xx."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import httpx
import pytest

from tests.e2e.decisions import PAYER, Decision, as_835, as_json
from tests.e2e.kindbill import JSON, PRACTICE, X12, Kindbill

RESULTS = "/v1/claim-results"
CLIENT = {"name": "A Example", "email": "a@mail.example", "phone": "+14155550000", "state": "CA"}
CLAIM = {
    "claim_id": "BAD-1",
    "client_id": "nobody",
    "provider_id": "maya-chen",
    "payer_id": PAYER["id"],
    "charged": 100,
    "service_date": "2026-10-30",
}
RESULT = as_json(Decision("BAD-2", 150_00, 62_50))
DEEP = "[" * 100_000


@dataclass(frozen=True)
class Try:
    """A call that must be refused with `status`."""

    status: int
    method: str
    path: str
    scope: str = ""
    body: str | bytes = b""
    kind: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


def results(status: int, body: str | bytes, kind: str = JSON, scope: str = "claims", **headers: str) -> Try:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return Try(status, "POST", RESULTS, scope, body, kind, sent)


def practice(status: int, method: str, path: str, body: object = None, scope: str = "practice") -> Try:
    return Try(status, method, path, scope, b"" if body is None else json.dumps(body))


AN_INVOICE = "/v1/invoices/inv_00000000000000000000_nobody"


def changing(status: int, change: str, body: object) -> Try:
    """What staff ask for, with a key of its own."""
    return replace(practice(status, "POST", f"{AN_INVOICE}/{change}", body), headers={"idempotency-key": change})


TRIES: dict[str, Try] = {
    # ---- who is asking
    "results without a key": results(401, json.dumps(RESULT), scope=""),
    "results with an unknown key": results(401, json.dumps(RESULT), scope="", authorization="Bearer kb_live_nobody"),
    "results with a key that is not ASCII": results(401, "{}", scope="", authorization="Bearer kb_live_\u00e9"),
    "results with basic authorisation": results(401, "{}", scope="", authorization="Basic a2V5Og=="),
    "results with the practice's key": results(403, json.dumps(RESULT), scope="practice"),
    "a client with the payer's key": practice(403, "PUT", "/v1/clients/x", CLIENT, "claims"),
    "a practice with the practice's key": practice(403, "PUT", f"/v1/practices/{PRACTICE}", {}, "practice"),
    "an account without a key": practice(401, "GET", "/v1/clients/ana/account", None, ""),
    "a plan with the payer's key": practice(403, "POST", "/v1/clients/ana/plans", {}, "claims"),
    "another practice's policies": practice(404, "GET", "/v1/practices/other/policies"),
    "another practice's data": practice(
        404,
        "PUT",
        "/v1/practices/other",
        {
            "name": "O",
            "time_zone": "UTC",
            "phone": "+12025550100",
            "email": "o@o.example",
            "online_payments": True,
        },
        "support",
    ),
    # ---- what the bytes are
    "no body": results(400, b""),
    "no JSON": results(400, "{claims"),
    "JSON with a name twice": results(400, '{"results": [], "results": []}'),
    "JSON nested without end": results(400, DEEP),
    "NaN": results(400, json.dumps(RESULT).replace("15000", "NaN")),
    "an 835 as JSON": results(400, as_835(Decision("BAD-3", 100_00, 0))),
    "JSON as an 835": results(400, json.dumps(RESULT), X12),
    "an 837": results(400, as_835(Decision("BAD-4", 100_00, 0)).replace("ST*835", "ST*837"), X12),
    "half a header": results(400, "ISA*00*  ", X12),
    "binary as an 835": results(400, bytes(range(256)) * 8, X12),
    "a PDF": results(415, b"%PDF-1.7", "application/pdf"),
    "no content type": results(415, json.dumps(RESULT), ""),
    "too large": results(413, b'"' + b"x" * 4_200_000 + b'"'),
    "too large an 835": results(413, as_835(Decision("BAD-5", 100_00, 0)) + " " * 4_200_000, X12),
    "a key of an impossible length": results(400, json.dumps(RESULT), idempotency_key="k" * 300),
    # ---- what the JSON is
    "an empty object": results(422, "{}"),
    "a number": results(422, "17"),
    "an empty batch": results(422, '{"results": []}'),
    "501 results": results(422, json.dumps({"results": [RESULT] * 501})),
    "a client without a name": practice(422, "PUT", "/v1/clients/x", CLIENT | {"name": ""}),
    "a client whose email is none": practice(422, "PUT", "/v1/clients/x", CLIENT | {"email": "a@b"}),
    "a client whose email holds a line break": practice(
        422, "PUT", "/v1/clients/x", CLIENT | {"email": "a@mail.example\r\nBcc: x@y.example"}
    ),
    "a client whose phone is a word": practice(422, "PUT", "/v1/clients/x", CLIENT | {"phone": "call me"}),
    "a client with a field nobody knows": practice(422, "PUT", "/v1/clients/x", CLIENT | {"admin": True}),
    "a client id that is a path": practice(422, "PUT", "/v1/clients/a%23b", CLIENT),
    "a claim in dollars": practice(422, "POST", "/v1/claims", CLAIM | {"charged": 1.5}),
    "a claim below nothing": practice(422, "POST", "/v1/claims", CLAIM | {"charged": -1}),
    "a claim on the 30th of February": practice(422, "POST", "/v1/claims", CLAIM | {"service_date": "2026-02-30"}),
    "a claim of nobody": practice(404, "POST", "/v1/claims", CLAIM),
    "a claim as text": Try(415, "POST", "/v1/claims", "practice", json.dumps(CLAIM), "text/plain"),
    "a claim that is a list": practice(422, "POST", "/v1/claims", [CLAIM]),
    "a policy nobody knows": practice(422, "PUT", f"/v1/practices/{PRACTICE}/policies", {"speed": 1}),
    "a notice of an hour": practice(422, "PUT", f"/v1/practices/{PRACTICE}/policies", {"minimum_notice_hours": 1}),
    "a plan that is no object": practice(422, "POST", "/v1/clients/ana/plans", "weekly"),
    "a plan of broken JSON": Try(400, "POST", "/v1/clients/ana/plans", "practice", "{", JSON),
    "a change of an invoice without a key": practice(400, "POST", f"{AN_INVOICE}/void", {"reason": "x"}),
    "a change of an invoice with the payer's key": practice(403, "POST", f"{AN_INVOICE}/void", {}, "claims"),
    "a change of an invoice without a reason": changing(422, "write-off", {}),
    "a change of an invoice with a reason of two lines": changing(422, "void", {"reason": "two\nlines"}),
    "a change of an invoice with a field nobody knows": changing(422, "void", {"reason": "x", "amount": 1}),
    "a refund of nothing": changing(422, "refunds", {"reason": "x", "amount": 0}),
    "a payment in dollars": changing(422, "payments", {"reason": "x", "amount": 62.5}),
    "a payment by barter": changing(422, "payments", {"reason": "x", "amount": 1, "method": "barter"}),
    "a change of an invoice nobody has": changing(404, "void", {"reason": "x"}),
    "an invoice read": practice(405, "GET", f"{AN_INVOICE}/void"),
    # ---- where nothing is
    "an unknown account": practice(404, "GET", "/v1/clients/nobody/account"),
    "an unknown receipt": Try(404, "GET", "/v1/receipts/rcp_nobody", "claims"),
    "an unknown address": Try(404, "GET", "/v1/nothing", "practice"),
    "outside of everything": Try(404, "GET", "/wp-login.php"),
    "the API's root": Try(404, "GET", "/v1"),
    "a method nobody has": Try(405, "DELETE", "/v1/clients/ana/account", "practice"),
    "results read": Try(405, "GET", RESULTS, "claims"),
    # ---- webhooks
    "an unsigned event": Try(400, "POST", "/webhooks/stripe", "", '{"id": "evt_1"}'),
    "an event with a forged signature": Try(
        400, "POST", "/webhooks/stripe", "", '{"id": "evt_1"}', JSON, {"stripe-signature": "t=1,v1=00"}
    ),
}


@pytest.mark.parametrize("name", TRIES)
def test_it_is_refused_with_a_problem_that_says_why(kindbill: Kindbill, name: str) -> None:
    """Contract: errors are application/problem+json (RFC 9457) with type, title, status, detail."""
    one = TRIES[name]
    headers = {name: value.encode() for name, value in one.headers.items()}
    if one.kind:
        headers["content-type"] = one.kind.encode()
    answer = kindbill.call(one.method, one.path, one.scope, content=one.body, headers=headers)

    assert answer.status_code == one.status, answer.text
    assert_problem(answer)
    if one.status == 422:
        assert all(set(error) == {"loc", "msg"} for error in answer.json().get("errors", []))
    if one.status == 401:
        assert "Bearer" in answer.headers["www-authenticate"]
    if one.status == 405:
        assert answer.headers["allow"]


def assert_problem(answer: httpx.Response) -> None:
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert {"type", "title", "status", "detail"} <= set(problem)
    assert problem["status"] == answer.status_code
    assert problem["detail"]
    assert "Traceback" not in answer.text


def test_an_event_signed_with_another_secret_or_long_ago_is_not_believed(kindbill: Kindbill) -> None:
    """Webhooks are signed: HMAC-SHA256 over time and body, at most 300 s old."""
    body = json.dumps({"id": "evt_forged", "type": "payment_intent.succeeded", "data": {"object": {"id": "pi_1"}}})
    for at in (int(time.time()), 1):
        signature = hmac.new(b"whsec_guessed", f"{at}.{body}".encode(), hashlib.sha256).hexdigest()
        headers = {"stripe-signature": f"t={at},v1={signature}", "content-type": JSON}
        answer = kindbill.call("POST", "/webhooks/stripe", content=body, headers=headers)
        assert answer.status_code == 400
    kindbill.settle()
    assert not [fact for fact in kindbill.get("/_local/facts") if "evt_forged" in json.dumps(fact)]


FORMS = {
    "wrong method": (405, "DELETE", "", b""),
    "no form": (400, "POST", "/phone", b"{}"),
    "too large a form": (413, "POST", "/phone", b"phone=" + b"1" * 70_000),
    "a page nobody has": (404, "GET", "/nothing", b""),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_pay_page_that_is_misused_stays_a_page(kindbill: Kindbill, name: str) -> None:
    """Contract, Clients: a page that says what to do; no script may run in it."""
    status, method, step, body = FORMS[name]
    client = kindbill.new_client("misused")
    client.owes(62_50)
    kind = JSON if name == "no form" else "application/x-www-form-urlencoded"
    answer = kindbill.call(method, client.link() + step, content=body, headers={"content-type": kind})

    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "$62.50" not in answer.text


def test_buttons_do_nothing_without_a_session_or_its_token(kindbill: Kindbill) -> None:
    """Design, Web: a CSRF token on every form; a link alone may press nothing."""
    client = kindbill.new_client("pressed")
    client.save_card()
    client.owes(62_50)
    link, form = client.link(), {"content-type": "application/x-www-form-urlencoded"}
    for step in ("/pay", "/setup", "/stop", "/autopay-off"):
        answer = kindbill.call("POST", link + step, content="invoice=all", headers=form)
        assert answer.status_code == 303
        assert answer.headers["location"] == link.removeprefix(kindbill.base_url)
    with httpx.Client(base_url=kindbill.base_url, trust_env=False, timeout=60) as person:
        person.post(f"{link}/phone", data={"phone": client.phone})
        assert "Pay $62.50" in person.get(link).text
        for token in ("", base64.b64encode(b"guess").decode()):
            refused = person.post(f"{link}/autopay-off", data={"csrf": token})
            assert refused.status_code == 403
    assert client.account()["autopay"]["on"] is True
    assert len(client.account()["upcoming_charges"]) == 1


def test_what_was_sent_is_never_told_back(kindbill: Kindbill) -> None:
    """LAW-1: an answer to bad input repeats none of it; it may end in a log."""
    secret = "Bipolar-F31-Smith"
    tries = [
        kindbill.send(json.dumps({"results": [RESULT | {"claim_id": 17, "note": secret}]}), JSON),
        kindbill.send(json.dumps({"note": secret}), JSON),
        kindbill.call("PUT", "/v1/clients/x", "practice", json=CLIENT | {"phone": secret}),
        kindbill.call("POST", "/v1/claims", "practice", json=CLAIM | {"claim_id": f"{secret} {secret}"}),
    ]
    for answer in tries:
        assert answer.status_code < 500
        assert "F31" not in answer.text
