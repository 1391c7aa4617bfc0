"""Bad input at every call gets the answer that contract.md names, never a 5xx."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from billing.ids import invoice_id, plan_id
from billing.ports import Insert, TryAgain, Write
from billing.review import review_id
from functions.serve_practice.calls import ELSEWHERE, ROUTES
from functions.serve_practice.router import WrongMethod, find
from tests.fakes.store import MemoryStore
from tests.functions.api import KEYS, Api, Reply, assert_problem
from tests.functions.waiting import HOLD

CLIENT = {"name": "Ana Ruiz", "email": "ana@mail.example", "phone": "(310) 555-0111", "state": "CA"}
CLAIM = {
    "claim_id": "KB1",
    "client_id": "ana",
    "provider_id": "dr_lee",
    "payer_id": "87726",
    "charged": 150_00,
    "service_date": "2026-10-30",
}
RESULT = {
    "claim_id": "KB1",
    "payer": {"id": "87726", "name": "Example Health Plan"},
    "payer_claim_id": "2026-000123",
    "status": "processed_primary",
    "adjudicated_on": "2026-11-20",
    "currency": "usd",
    "charged": 150_00,
    "paid": 150_00,
    "adjustments": [],
    "lines": [],
}
PRACTICE = {
    "name": "Riverbend",
    "time_zone": "America/Los_Angeles",
    "phone": "+13105550100",
    "email": "desk@riverbend.example",
}
SESSION = {
    "session_id": "s1",
    "client_id": "ana",
    "provider_id": "dr_lee",
    "completed_at": "2026-11-20T08:00:00-08:00",
    "kind": "eap",
    "rate": 150_00,
    "procedure": "90834",
    "diagnoses": [],
    "eap": {
        "programme": "Optum Live & Work Well",
        "authorisation": "AUTH-7",
        "sessions_covered": 3,
        "valid_until": "2026-12-31",
    },
}
ELIGIBILITY = {
    "payer_id": "87726",
    "checked_at": "2026-11-18T09:00:00-08:00",
    "copay": 25_00,
    "coinsurance_bp": 2000,
    "deductible_remaining": 100_00,
    "out_of_pocket_remaining": None,
}
BY_HAND = {"client_id": "ana", "amount": 75_00, "description": "Late cancellation"}
INVOICE = invoice_id("riverbend", "ana", "claim", "KB1")
CHANGES: dict[str, dict[str, Any]] = {
    "void": {"reason": "Billed to the wrong client"},
    "write-off": {"reason": "Hardship"},
    "payments": {"amount": 20_00, "reason": "Paid at the desk", "received_on": "2026-11-20", "method": "cash"},
    "refunds": {"amount": 20_00, "reason": "Charged too much"},
}
"""What staff may do to an invoice, by the last part of the address."""
DECISIONS: dict[str, dict[str, Any]] = {
    "release": {"reason": "The payer confirmed it", "patient_amount": 20_00},
    "reject": {"reason": "Sent by mistake"},
    "rematch": {"claim_id": "KB2"},
}
"""What staff may decide about a hold, by the last part of the address."""
PLAN = plan_id("riverbend", "ana", 1)
REVIEW = review_id("riverbend", "ana", INVOICE, 0)


@dataclass(frozen=True)
class Taking:
    """A call that takes a body, and one it takes."""

    method: str
    path: str
    scope: str
    body: dict[str, Any]
    limit: int = 1_000_000
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


TAKING = (
    Taking("PUT", "/v1/clients/ana", "practice", CLIENT),
    Taking("PUT", "/v1/practices/riverbend", "support", PRACTICE),
    Taking("PUT", "/v1/practices/riverbend/policies", "practice", {"default_cap": 200_00}),
    Taking("PUT", "/v1/providers/dr_lee", "practice", {"name": "Dr. Lee", "email": "lee@riverbend.example"}),
    Taking("POST", "/v1/claims", "practice", CLAIM),
    Taking("PUT", "/v1/clients/ana/eligibility", "practice", ELIGIBILITY),
    Taking("POST", "/v1/sessions", "practice", SESSION),
    Taking("POST", "/v1/invoices", "practice", BY_HAND),
    Taking("POST", "/v1/clients/ana/plans", "practice", {"weeks": 4, "start_on": "2026-11-20"}),
    Taking("POST", "/v1/claim-results", "claims", RESULT, 4_000_000),
    *(
        Taking(
            "POST", f"/v1/invoices/{INVOICE}/{change}", "practice", body, headers={"idempotency-key": f"key-{change}"}
        )
        for change, body in CHANGES.items()
    ),
    Taking("POST", f"/v1/invoices/{INVOICE}/reviews", "practice", {"quoted_amount": 40_00, "call_reference": "R-7"}),
    *(Taking("POST", f"/v1/holds/{HOLD}/{decision}", "practice", body) for decision, body in DECISIONS.items()),
    Taking("POST", f"/v1/plans/{PLAN}/end", "practice", {"reason": "They asked"}, headers={"idempotency-key": "end"}),
    Taking("POST", f"/v1/reviews/{REVIEW}/decision", "practice", {"decision": "uphold", "reason": "It stands"}),
)
SHOWING = (
    ("/v1/clients/ana/account", "practice"),
    ("/v1/clients/ana/eligibility", "practice"),
    ("/v1/sessions/s1", "practice"),
    ("/v1/practices/riverbend/policies", "practice"),
    ("/v1/receipts/rcp_1", "practice"),
    ("/v1/receipts/rcp_1", "claims"),
    ("/v1/holds", "practice"),
    ("/v1/reviews", "practice"),
    (f"/v1/reviews/{REVIEW}", "practice"),
)
TOLD = (("POST", "/webhooks/clearinghouse", "claims"),)
"""What comes from programs that we do not tell what to send: tests/functions/receive_clearinghouse."""
ANY = [
    *((call.method, call.path, call.scope) for call in TAKING),
    *(("GET", path, scope) for path, scope in SHOWING),
    *TOLD,
    ("POST", "/v1/claim-results/uploads", "claims"),  # needs no body
]

UNKNOWN = ("no_balance", "unknown_invoice", "unknown_review", "unknown_hold", "unknown_plan")
"""Refusals of good bodies by a practice that has nothing yet."""

takes_a_body = pytest.mark.parametrize("call", TAKING, ids=str)
needs_a_key = pytest.mark.parametrize("method, path, scope", ANY)


@pytest.fixture
def api() -> Api:
    return Api()


def ask(api: Api, call: Taking, **sent: Any) -> Reply:
    """That call, with something else in it."""
    return api.call(call.method, call.path, key=call.scope, headers=call.headers, **sent)


def test_the_tables_of_this_file_hold_every_route_that_asks_for_a_key() -> None:
    tried, elsewhere = set(), set()
    for method, path, _ in ANY:
        try:
            route = find(method, path).route
            tried.add((route.method, route.path))
        except WrongMethod:
            elsewhere.add(path)
    assert tried == {(route.method, route.path) for route in ROUTES if route.scopes}
    assert len(elsewhere) == len(ELSEWHERE)


@needs_a_key
@pytest.mark.parametrize(
    "key",
    ["", "kb_live_unknown", "kb_live_" + "z" * 43, "Basic dXNlcjpwYXNz"],
    ids=["none", "short", "unknown", "other"],
)
def test_without_a_key_that_we_know_the_answer_is_401(api: Api, method: str, path: str, scope: str, key: str) -> None:
    reply = api.call(method, path, key=key, body={})
    assert_problem(reply, 401)
    assert reply.headers["www-authenticate"].startswith("Bearer")


@needs_a_key
def test_a_key_without_the_scope_is_403(api: Api, method: str, path: str, scope: str) -> None:
    wrong = {scope for scope in KEYS if (path, scope) not in SHOWING} - {scope}
    for other in wrong:
        assert_problem(api.call(method, path, key=other, body={}), 403)


@takes_a_body
@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "multipart/form-data", ""])
def test_a_body_of_another_kind_is_415(api: Api, call: Taking, content_type: str) -> None:
    reply = api.call(
        call.method, call.path, key=call.scope, headers=call.headers, body=call.body, content_type=content_type
    )
    assert_problem(reply, 415)
    assert "application/json" in reply.body["detail"]


@takes_a_body
def test_a_body_that_is_too_large_is_413(api: Api, call: Taking) -> None:
    reply = ask(api, call, body=" " * (call.limit + 1))
    assert_problem(reply, 413)


NOT_JSON = {
    "empty": b"",
    "blank": b" ",
    "cut off": b'{"name": ',
    "no JSON at all": b"name=Ana",
    "not UTF-8": b'{"name": "\xff\xfe"}',
    "NaN": b'{"name": NaN}',
    "a field twice": b'{"name": "Ana", "name": "Eve"}',
    "too deep": b"[" * 200_000,
    "a number too long": b'{"charged": ' + b"9" * 10_000 + b"}",
}


@takes_a_body
@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON.keys())
def test_what_is_not_json_is_400(api: Api, call: Taking, body: bytes) -> None:
    assert_problem(ask(api, call, body=body), 400)


@takes_a_body
@pytest.mark.parametrize("body", [[], "text", 7, None, True], ids=repr)
def test_json_that_is_no_object_is_422(api: Api, call: Taking, body: object) -> None:
    assert_problem(ask(api, call, body=json.dumps(body)), 422)


@takes_a_body
def test_a_field_we_do_not_know_is_422_and_named(api: Api, call: Taking) -> None:
    reply = api.call(
        call.method, call.path, key=call.scope, headers=call.headers, body=call.body | {"practice_id": "oak"}
    )
    assert_problem(reply, 422)
    assert [error["loc"] for error in reply.body["errors"]] == ["practice_id"]


@takes_a_body
@pytest.mark.parametrize("wrong", [{}, [], "\ud800", -1, 1.5, 10**30, True, "x" * 5000, "\x00"], ids=repr)
def test_a_field_of_another_type_or_size_is_422_and_named(api: Api, call: Taking, wrong: object) -> None:
    for name, right in call.body.items():
        if wrong == [] == right or (wrong == -1 and call.scope == "claims"):
            continue  # an empty list is a list, and a reversal's amounts are negative
        reply = ask(api, call, body=call.body | {name: wrong})
        assert_problem(reply, 422)
        assert all(error["loc"].split(".")[0] == name for error in reply.body["errors"])


@takes_a_body
def test_a_body_we_take_is_taken_whatever_its_charset_is_called(api: Api, call: Taking) -> None:
    api.call("PUT", "/v1/clients/ana", key="practice", body=CLIENT)
    reply = ask(api, call, body=call.body, content_type="Application/JSON; charset=utf-8")
    assert reply.status in (200, 201, 202) or reply.body["code"] in UNKNOWN


WRONG_FIELDS = [
    ("PUT", "/v1/clients/ana", CLIENT, "name", ""),
    ("PUT", "/v1/clients/ana", CLIENT, "name", "   "),
    ("PUT", "/v1/clients/ana", CLIENT, "name", "Ana\nBcc: all@mail.example"),
    ("PUT", "/v1/clients/ana", CLIENT, "name", "A" * 201),
    ("PUT", "/v1/clients/ana", CLIENT, "email", "ana"),
    ("PUT", "/v1/clients/ana", CLIENT, "email", "ana@mail.example, eve@mail.example"),
    ("PUT", "/v1/clients/ana", CLIENT, "email", "Ana <ana@mail.example>"),
    ("PUT", "/v1/clients/ana", CLIENT, "phone", "12"),
    ("PUT", "/v1/clients/ana", CLIENT, "phone", "call me"),
    ("PUT", "/v1/clients/ana", CLIENT, "state", "California"),
    ("PUT", "/v1/clients/ana", CLIENT, "provider_id", "dr lee"),
    ("PUT", "/v1/clients/ana", CLIENT, "portal_eligible", "yes"),
    ("POST", "/v1/claims", CLAIM, "claim_id", "KB 1"),
    ("POST", "/v1/claims", CLAIM, "claim_id", "K" * 39),
    ("POST", "/v1/claims", CLAIM, "charged", -1),
    ("POST", "/v1/claims", CLAIM, "charged", 100_000_001),
    ("POST", "/v1/claims", CLAIM, "charged", "15000"),
    ("POST", "/v1/claims", CLAIM, "service_date", "2026-02-30"),
    ("POST", "/v1/claims", CLAIM, "service_date", "10/30/2026"),
    ("POST", "/v1/claims", CLAIM, "lines", [{"procedure": "90834", "charged": -1}]),
    ("PUT", "/v1/practices/riverbend/policies", {}, "autopay_delay", "tomorrow"),
    ("PUT", "/v1/practices/riverbend/policies", {}, "minimum_notice_hours", 3),
    ("PUT", "/v1/practices/riverbend/policies", {}, "retry_days", [3, 1]),
    ("PUT", "/v1/practices/riverbend/policies", {}, "retry_days", [0]),
    ("PUT", "/v1/practices/riverbend/policies", {}, "default_cap", None),
    ("PUT", "/v1/practices/riverbend/policies", {}, "payment_window_days", 0),
    ("PUT", "/v1/practices/riverbend/policies", {}, "plan_absorbs_new", True),
    ("PUT", "/v1/practices/riverbend/policies", {}, "eap_programmes", ["Elm", "ELM"]),
    ("PUT", "/v1/providers/dr_lee", {"name": "Dr. Lee", "email": "lee@riverbend.example"}, "npi", "12345"),
    ("POST", "/v1/clients/ana/plans", {"weeks": 4, "start_on": "2026-11-20"}, "weeks", 3),
    ("POST", "/v1/clients/ana/plans", {"weeks": 4}, "start_on", "2026-11-19"),
    ("POST", "/v1/clients/ana/plans", {"weeks": 4}, "start_on", "2026-12-05"),
    ("POST", "/v1/clients/ana/plans", {"weeks": 4, "start_on": "2026-11-20"}, "agreed", {"at": "2026-11-20"}),
    *(
        ("POST", f"/v1/invoices/{INVOICE}/{change}", body, "reason", wrong)
        for change, body in CHANGES.items()
        for wrong in ("", "  ", "two\nlines", "x" * 501, None)
    ),
    *(
        ("POST", f"/v1/invoices/{INVOICE}/{change}", CHANGES[change], "amount", wrong)
        for change in ("payments", "refunds")
        for wrong in (0, -1, 100_000_001, "2000", 20.0, True)
    ),
    ("POST", f"/v1/invoices/{INVOICE}/payments", CHANGES["payments"], "amount", None),
    ("POST", f"/v1/invoices/{INVOICE}/payments", CHANGES["payments"], "method", "barter"),
    ("POST", f"/v1/invoices/{INVOICE}/payments", CHANGES["payments"], "received_on", "11/20/2026"),
]


@pytest.mark.parametrize("method, path, body, name, wrong", WRONG_FIELDS)
def test_a_value_that_cannot_be_right_is_422_and_named(
    api: Api, method: str, path: str, body: dict[str, Any], name: str, wrong: object
) -> None:
    api.call("PUT", "/v1/clients/ana", key="practice", body=CLIENT)
    reply = api.call(method, path, key="practice", body=body | {name: wrong}, headers={"idempotency-key": "k"})
    assert_problem(reply, 422)
    assert {error["loc"].split(".")[0] for error in reply.body["errors"]} == {name}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_an_invoice_without_a_key_of_its_own_is_400(api: Api, change: str) -> None:
    path = f"/v1/invoices/{INVOICE}/{change}"
    assert_problem(api.call("POST", path, key="practice", body=CHANGES[change]), 400)
    for key in ("", " ", "k" * 256, "kéy", "a\tb"):
        headers = {"idempotency-key": key}
        assert_problem(api.call("POST", path, key="practice", body=CHANGES[change], headers=headers), 400)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("unknown", [INVOICE, "inv_1", "x" * 500, "%00", "inv_" + "0" * 20 + "_nobody"])
def test_a_change_of_an_invoice_that_nobody_has_is_404(api: Api, change: str, unknown: str) -> None:
    headers = {"idempotency-key": "k"}
    path = f"/v1/invoices/{unknown}/{change}"
    assert_problem(api.call("POST", path, key="practice", body=CHANGES[change], headers=headers), 404)


def test_a_time_zone_that_does_not_exist_is_422(api: Api) -> None:
    reply = api.call("PUT", "/v1/practices/riverbend", key="support", body=PRACTICE | {"time_zone": "../etc/passwd"})
    assert_problem(reply, 422)


@pytest.mark.parametrize(
    "method, path",
    [
        ("GET", "/"),
        ("GET", "/v1"),
        ("GET", "/v1/nothing"),
        ("GET", "/v1/clients"),
        ("GET", "/v1/clients/ana/nothing"),
        ("DELETE", "/v1/clients/ana/account/more"),
        ("GET", "/v1/receipts/" + "r" * 65),
        ("GET", "/v1/clients/%00/account"),
        ("GET", "/wp-login.php"),
    ],
)
def test_a_path_that_nothing_serves_is_404(api: Api, method: str, path: str) -> None:
    assert_problem(api.call(method, path, key="practice"), 404)


@pytest.mark.parametrize(
    "method, path, allow",
    [
        ("DELETE", "/v1/clients/ana", "PUT"),
        ("POST", "/v1/clients/ana/account", "GET"),
        ("PATCH", "/v1/practices/riverbend/policies", "GET, PUT"),
        ("GET", "/v1/claims", "POST"),
        ("GET", "/v1/claim-results", "POST"),
        ("PUT", "/v1/clients/ana/plans", "POST"),
        ("GET", f"/v1/invoices/{INVOICE}/void", "POST"),
        ("POST", "/health", "GET"),
    ],
)
def test_a_method_that_a_path_does_not_have_is_405(api: Api, method: str, path: str, allow: str) -> None:
    reply = api.call(method, path, key="practice")
    assert_problem(reply, 405)
    assert reply.headers["allow"] == allow


@pytest.mark.parametrize("client_id", ["a b", "ana#", "%2e", "a" * 65, "añа"])
def test_an_id_that_nothing_can_have_is_422_where_it_would_be_made(api: Api, client_id: str) -> None:
    reply = api.call("PUT", f"/v1/clients/{client_id}", key="practice", body=CLIENT)
    assert_problem(reply, 422)
    assert reply.body["errors"][0]["loc"] == "client_id"


@pytest.mark.parametrize(
    "method, path, scope, body",
    [
        ("GET", "/v1/clients/nobody/account", "practice", None),
        ("POST", "/v1/clients/nobody/plans", "practice", {"weeks": 2, "start_on": "2026-11-20"}),
        ("POST", "/v1/claims", "practice", CLAIM | {"client_id": "nobody"}),
        ("GET", "/v1/receipts/rcp_unknown", "claims", None),
        ("GET", "/v1/practices/oak/policies", "practice", None),
        ("PUT", "/v1/practices/oak/policies", "practice", {"default_cap": 1}),
        ("PUT", "/v1/practices/oak", "support", PRACTICE),
    ],
)
def test_what_is_unknown_or_another_practices_is_404(
    api: Api, method: str, path: str, scope: str, body: object
) -> None:
    assert_problem(api.call(method, path, key=scope, body=body), 404)


class BusyStore(MemoryStore):
    """Throttles the next commits."""

    failures = 0
    tries = 0

    def commit(self, *writes: Write) -> None:
        self.tries += 1
        if self.failures:
            self.failures -= 1
            raise TryAgain("throttled")
        super().commit(*writes)


@pytest.fixture
def busy(api: Api) -> BusyStore:
    """The table of `api`, when it is busy."""
    store = BusyStore()
    for row in api.store.rows():
        store.commit(Insert(row))
    api.store = store
    store.tries = 0
    return store


WRITING = [("PUT", "/v1/clients/ana", "practice", CLIENT), ("POST", "/v1/claim-results", "claims", RESULT)]


@pytest.mark.parametrize("method, path, scope, body", WRITING)
def test_a_table_that_is_busy_for_a_moment_is_not_the_callers_concern(
    api: Api, busy: BusyStore, method: str, path: str, scope: str, body: object
) -> None:
    busy.failures = 2
    assert api.call(method, path, key=scope, body=body).status in (201, 202)
    assert busy.tries == 3


@pytest.mark.parametrize("method, path, scope, body", WRITING)
def test_a_table_that_stays_busy_is_503_with_when_to_come_back(
    api: Api, busy: BusyStore, method: str, path: str, scope: str, body: object
) -> None:
    busy.failures = 3
    reply = api.call(method, path, key=scope, body=body)
    assert_problem(reply, 503)
    assert int(reply.headers["retry-after"]) > 0
    assert api.call(method, path, key=scope, body=body).status in (201, 202)


class BrokenStore(MemoryStore):
    """A bug of ours that quotes what somebody sent."""

    def commit(self, *writes: Write) -> None:
        raise RuntimeError("Ana Ruiz +13105550111")


def test_a_bug_is_500_that_tells_nothing_and_a_log_line_without_personal_data(
    api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    """LAW-1."""
    broken = BrokenStore()
    broken._partitions = api.store._partitions
    api.store = broken
    reply = api.call("PUT", "/v1/clients/ana", key="practice", body=CLIENT)
    assert_problem(reply, 500)
    logged = capsys.readouterr().out
    assert '"message":"bug"' in logged
    assert "RuntimeError" in logged
    for told in (str(reply.body), logged):
        assert "Ana" not in told
        assert "5550111" not in told
