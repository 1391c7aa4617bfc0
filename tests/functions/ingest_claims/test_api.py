"""POST /v1/claim-results as a claim processor sees it (contract.md)."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from billing.claim_state import StoredBody
from tests.edges.formats.report_example import report
from tests.functions.api import Api, Reply, assert_problem

FILES = sorted((Path(__file__).parents[2] / "fixtures" / "835").rglob("*.835"))
ERA = (
    b"ISA*00*          *00*          *ZZ*PAYER          *ZZ*PRACTICE       *261120*0900*^*00501*000000001*0*P*:~"
    b"GS*HP*P*P*20261120*0900*1*X*005010X221A1~ST*835*0001~BPR*H*0*C*NON~SE*3*0001~GE*1*1~IEA*1*000000001~"
)
RESULT: dict[str, Any] = {
    "claim_id": "KB7Q2M9X41",
    "payer": {"id": "87726", "name": "Example Health Plan"},
    "payer_claim_id": "2026-000123",
    "status": "processed_primary",
    "adjudicated_on": "2026-11-20",
    "currency": "usd",
    "charged": 15000,
    "paid": 9000,
    "adjustments": [],
    "lines": [
        {
            "procedure": "90834",
            "service_date": "2026-10-30",
            "charged": 15000,
            "paid": 9000,
            "adjustments": [
                {"group": "CO", "code": "45", "amount": 4500},
                {"group": "PR", "code": "3", "amount": 1500},
            ],
        }
    ],
}


@pytest.fixture
def api() -> Api:
    return Api()


def post(api: Api, body: object = ERA, *, kind: str = "application/edi-x12", key: str | None = None) -> Reply:
    headers = {} if key is None else {"Idempotency-Key": key}
    return api.call("POST", "/v1/claim-results", key="claims", body=body, content_type=kind, headers=headers)


def test_a_new_body_is_202_with_a_receipt_and_the_same_again_200_with_that_receipt(api: Api) -> None:
    first, again = post(api), post(api)
    assert (first.status, again.status) == (202, 200)
    assert first.body == {
        "receipt_id": first.body["receipt_id"],
        "sha256": hashlib.sha256(ERA).hexdigest(),
        "status_url": f"/v1/receipts/{first.body['receipt_id']}",
        "state": "processing",
        "claims": 0,
        "accepted": 0,
        "held": 0,
        "duplicate": 0,
        "rejected": 0,
        "results": [],
    }
    assert again.body == first.body
    assert api.call("GET", first.body["status_url"], key="claims").body == first.body
    assert api.call("GET", first.body["status_url"], key="practice").status == 200


def test_a_key_with_another_body_is_409(api: Api) -> None:
    assert post(api, key="file-7").status == 202
    assert post(api, key="file-7").status == 200
    refused = post(api, ERA + b"\n", key="file-7")
    assert_problem(refused, 409)
    assert refused.body["code"] == "idempotency_key_reused"


def test_a_refused_body_does_not_bind_its_key(api: Api) -> None:
    """Bound by the first 2xx."""
    assert post(api, b"no 835", key="file-7").status == 400
    assert post(api, key="file-7").status == 202


@pytest.mark.parametrize("key", ["", "   ", "k" * 256, "schlüssel", "a\tb"], ids=repr)
def test_an_idempotency_key_that_cannot_be_kept_is_400(api: Api, key: str) -> None:
    assert_problem(post(api, key=key), 400)


@pytest.mark.parametrize("key", ["k" * 255, "6f1c2a9e-0b7d", "payer file, 20 Nov!"])
def test_any_printable_key_up_to_255_characters_is_taken(api: Api, key: str) -> None:
    assert post(api, key=key).status == 202


def test_our_json_is_taken_as_one_result_or_as_a_batch(api: Api) -> None:
    for body in (RESULT, {"results": [RESULT]}):
        assert post(api, body, kind="application/json").status == 202


def test_a_batch_with_a_broken_element_is_taken_and_one_that_is_no_batch_is_not(api: Api) -> None:
    batch = {"results": [RESULT, RESULT | {"charged": "150.00"}]}
    assert post(api, batch, kind="application/json").status == 202
    no_batches: list[object] = [{"results": []}, {"results": RESULT}, {"results": [RESULT] * 501}, {"result": RESULT}]
    for wrong in no_batches:
        assert_problem(post(api, wrong, kind="application/json"), 422)


def test_a_broken_single_result_is_422_with_its_fields(api: Api) -> None:
    reply = post(api, RESULT | {"charged": "150.00", "status": "paid"}, kind="application/json")
    assert_problem(reply, 422)
    assert {error["loc"] for error in reply.body["errors"]} == {"charged", "status"}


@pytest.mark.parametrize(
    "body", [b"", b"  \n", b"hello", b'{"claim_id": 1}', b"ISA*00*", ERA.replace(b"ST*835", b"ST*837")]
)
def test_what_is_no_835_is_400(api: Api, body: bytes) -> None:
    assert_problem(post(api, body), 400)


def test_what_is_neither_json_nor_an_835_is_415_and_told_what_is_taken(api: Api) -> None:
    reply = post(api, b"{}", kind="text/csv")
    assert_problem(reply, 415)
    for taken in ("application/json", "application/fhir+json", "application/edi-x12"):
        assert taken in reply.body["detail"]


def test_a_clearinghouses_report_is_told_by_its_transactions(api: Api) -> None:
    assert post(api, report(), kind="application/json").status == 202
    reply = post(api, report() | {"transactions": []}, kind="application/json")
    assert_problem(reply, 422)
    assert [error["loc"] for error in reply.body["errors"]] == ["transactions"]


def test_fhir_that_is_no_decision_about_a_claim_is_422_and_no_json_is_400(api: Api) -> None:
    assert_problem(post(api, b'{"resourceType": "Patient"}', kind="application/fhir+json"), 422)
    assert_problem(post(api, b"{", kind="application/fhir+json"), 400)


def test_fhir_that_is_called_json_is_told_what_to_call_it(api: Api) -> None:
    reply = post(api, b'{"resourceType": "ExplanationOfBenefit", "status": "active"}', kind="application/json")
    assert_problem(reply, 422)
    assert reply.body["errors"] == [{"loc": "resourceType", "msg": "is FHIR's: send it as application/fhir+json"}]


def test_an_835_may_be_up_to_4_mb(api: Api) -> None:
    room = 4_000_000 - len(ERA)
    assert post(api, ERA + b"\n" * room).status == 202
    reply = post(api, ERA + b"\n" * (room + 1))
    assert_problem(reply, 413)
    assert "uploads" in reply.body["detail"]


def test_json_that_is_too_large_is_not_sent_to_where_it_is_too_large_again(api: Api) -> None:
    reply = post(api, b"[" + b" " * 4_000_000, kind="application/fhir+json")
    assert_problem(reply, 413)
    assert "uploads" not in reply.body["detail"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_835_of_ours_is_taken(api: Api, file: Path) -> None:
    assert post(api, file.read_bytes()).status == 202


def test_the_practice_is_the_keys_own_and_the_body_is_stored_before_the_answer(api: Api) -> None:
    receipt = post(api).body["receipt_id"]
    (stored,) = (row for row in api.store.stream if isinstance(row, StoredBody))
    assert (stored.practice, stored.receipt_id, stored.at) == ("riverbend", receipt, api.now)
