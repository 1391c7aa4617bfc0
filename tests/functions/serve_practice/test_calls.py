"""The calls of practice systems as contract.md writes them."""

from dataclasses import replace
from typing import Any

import pytest

from billing.claim_state import Hold
from billing.hold_reasons import HOLD_REASONS
from billing.ports import Insert
from tests.billing.examples import ENROLLED, VISA, announced, invoice
from tests.functions.api import Api, assert_problem
from tests.functions.waiting import wait_for_a_person

ANA = {
    "name": "Ana Ruiz",
    "email": "ana@mail.example",
    "phone": "(310) 555-0111",
    "state": "ca",
    "provider_id": "dr_lee",
    "portal_eligible": True,
}
CLAIM: dict[str, Any] = {
    "claim_id": "KB7Q2M9X41",
    "client_id": "ana",
    "provider_id": "dr_lee",
    "payer_id": "87726",
    "charged": 150_00,
    "service_date": "2026-10-30",
}
LINE = {
    "procedure": "90834",
    "modifiers": ["95"],
    "units": 1,
    "service_date": "2026-10-30",
    "charged": 150_00,
    "diagnoses": ["F41.1"],
    "session_id": "s1",
}


@pytest.fixture
def api() -> Api:
    made = Api()
    made.call("PUT", "/v1/clients/ana", key="practice", body=ANA)
    return made


def test_a_client_is_made_once_and_shown_as_kept() -> None:
    api = Api()
    shown = {**ANA, "client_id": "ana", "phone": "+13105550111", "state": "CA"}
    for status in (201, 200, 200):
        reply = api.call("PUT", "/v1/clients/ana", key="practice", body=ANA)
        assert (reply.status, reply.body) == (status, shown)


def test_a_client_needs_only_name_mail_and_phone() -> None:
    some = {name: ANA[name] for name in ("name", "email", "phone")}
    reply = Api().call("PUT", "/v1/clients/ben", key="practice", body=some)
    assert reply.status == 201
    assert (reply.body["state"], reply.body["provider_id"], reply.body["portal_eligible"]) == ("", None, True)


def test_another_email_needs_approval(api: Api) -> None:
    """PORT-5."""
    reply = api.call("PUT", "/v1/clients/ana", key="practice", body=ANA | {"email": "new@mail.example"})
    assert_problem(reply, 409)
    assert reply.body["code"] == "email_change_needs_approval"
    assert reply.body["type"].endswith("/PORT-5")


def test_a_practice_is_set_up_by_support_and_a_provider_by_the_practice(api: Api) -> None:
    practice = {
        "name": "Riverbend",
        "time_zone": "America/New_York",
        "phone": "+13105550100",
        "email": "desk@riverbend.example",
        "online_payments": False,
        "stripe_account": "acct_123",
    }
    reply = api.call("PUT", "/v1/practices/riverbend", key="support", body=practice)
    assert (reply.status, reply.body) == (200, practice | {"practice_id": "riverbend"})
    provider = {"name": "Dr. Kim", "email": "kim@riverbend.example", "npi": "1234567893", "tax_id": "12-3456789"}
    first = api.call("PUT", "/v1/providers/dr_kim", key="practice", body=provider)
    assert (first.status, first.body) == (201, provider | {"provider_id": "dr_kim", "phone": ""})
    assert api.call("PUT", "/v1/providers/dr_kim", key="practice", body=provider).status == 200


def test_a_claim_is_submitted_once_and_another_under_its_id_is_refused(api: Api) -> None:
    sent = CLAIM | {"lines": [LINE], "member_id": None}
    first = api.call("POST", "/v1/claims", key="practice", body=sent)
    assert first.status == 201
    shown = {
        "member_id": None,
        "secondary_payer_id": None,
        "tertiary_payer_id": None,
        "submitted_at": "2026-11-20T17:00:00Z",
    }
    assert first.body == CLAIM | shown | {"lines": [LINE | {"units": "1"}]}
    again = api.call("POST", "/v1/claims", key="practice", body=sent)
    assert (again.status, again.body) == (200, first.body)
    third = api.call("POST", "/v1/claims", key="practice", body=sent | {"claim_id": "K2", "tertiary_payer_id": "66666"})
    assert_problem(third, 422)
    assert "must name the secondary_payer_id" in third.body["errors"][0]["msg"]
    other = api.call("POST", "/v1/claims", key="practice", body=sent | {"charged": 160_00})
    assert_problem(other, 409)
    assert other.body["code"] == "claim_differs"


def test_an_account_is_shown_as_the_contract_writes_it(api: Api) -> None:
    api.store.commit(Insert(replace(ENROLLED, client="ben")), Insert(replace(VISA, client="ben")))
    for row in (announced(62_50, "inv_1", client="ben"), invoice(10_00, "inv_2", client="ben")):
        api.store.commit(Insert(row))
    reply = api.call("GET", "/v1/clients/ben/account", key="practice")
    assert reply.status == 200
    assert reply.headers["cache-control"] == "no-store"
    assert reply.body.keys() == {
        "client_id",
        "balance",
        "autopay",
        "can_book",
        "invoices",
        "upcoming_charges",
        "plan",
        "payments",
        "credit",
        "reviews",
    }
    assert reply.body["balance"] == 72_50
    assert reply.body["autopay"] == {
        "on": True,
        "card": {"brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2030},
        "cap": None,
    }
    assert [(one["invoice_id"], one["status"]) for one in reply.body["invoices"]] == [
        ("inv_1", "scheduled"),
        ("inv_2", "open"),
    ]
    assert reply.body["upcoming_charges"] == [
        {"at": "2026-11-20T17:00:00Z", "amount": 62_50, "invoice_ids": ["inv_1"], "reason": "autopay"}
    ]


def test_a_client_of_another_practice_is_unknown(api: Api) -> None:
    api.store.commit(Insert(replace(ENROLLED, practice="oak", client="eve")))
    assert_problem(api.call("GET", "/v1/clients/eve/account", key="practice"), 404)


def test_open_holds_are_listed_with_what_to_do(api: Api) -> None:
    held = Hold("riverbend", "hold_1", "KB1", "ICN1", "r1", "unmatched_claim", api.now, 15_00)
    api.store.commit(Insert(held))
    assert api.call("GET", "/v1/holds", key="practice").body == {
        "holds": [
            {
                "hold_id": "hold_1",
                "claim_id": "KB1",
                "payer_claim_id": "ICN1",
                "client_id": None,
                "session_id": None,
                "reason": "unmatched_claim",
                "why": "We have no claim of this id.",
                "what_to_do": HOLD_REASONS["unmatched_claim"].what_to_do,
                "held_at": "2026-11-20T17:00:00Z",
                "patient_responsibility": 15_00,
                "seen": None,
                "invoice_ids": [],
            }
        ],
        "more": None,
    }


def test_a_hold_is_decided_once_and_shown(api: Api) -> None:
    """DESK-5: through the calls; what each decision does is told in test_holds.py."""
    wait_for_a_person(api.store)
    (hold,) = api.call("GET", "/v1/holds", key="practice").body["holds"]
    at = f"/v1/holds/{hold['hold_id']}/release"
    first = api.call("POST", at, key="practice", body={"reason": "The payer confirmed it", "patient_amount": 62_50})
    assert (first.status, first.body["decision"], first.body["now"]) == (200, "release", "invoiced")
    assert (first.body["patient_amount"], first.body["seen"]) == (62_50, hold["seen"])
    again = api.call("POST", at, key="practice", body={"reason": "Again", "patient_amount": 62_50})
    assert (again.status, again.body) == (200, first.body)
    assert_problem(api.call("POST", at.replace("release", "reject"), key="practice", body={"reason": "No"}), 409)
    assert api.call("GET", "/v1/holds", key="practice").body == {"holds": [], "more": None}


def test_health_and_the_document_need_no_key(api: Api) -> None:
    assert api.call("GET", "/health").body == {"status": "ok"}
    assert api.call("GET", "/v1/openapi.json").body["openapi"].startswith("3.1")
