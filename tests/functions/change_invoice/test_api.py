"""POST /v1/invoices/{invoice_id}/… through the door: statuses, what is shown, keys."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from billing.payment import Attempt, AttemptKind, AttemptState, Part
from billing.ports import Insert, Update
from functions.serve_practice.openapi import document
from tests.billing.examples import BY_HAND, NOW, VISA, invoice
from tests.functions.api import Api, Reply, assert_problem
from tests.functions.test_bad_input import INVOICE

REASON = {"reason": "Billed to the wrong client"}


@pytest.fixture
def api() -> Api:
    """Ana owes $62.50."""
    made = Api()
    made.store.commit(Insert(BY_HAND), Insert(invoice(62_50, INVOICE)))
    return made


def post(api: Api, change: str, body: dict[str, Any], key: str = "k1", invoice_id: str = INVOICE) -> Reply:
    headers = {"idempotency-key": key}
    return api.call("POST", f"/v1/invoices/{invoice_id}/{change}", key="practice", body=body, headers=headers)


def shown(api: Api) -> Any:
    (one,) = api.call("GET", "/v1/clients/ana/account", key="practice").body["invoices"]
    return one


@pytest.mark.parametrize(("change", "status"), [("void", "void"), ("write-off", "written_off")])
def test_desk_3_the_answer_is_the_invoice_as_the_account_shows_it(api: Api, change: str, status: str) -> None:
    reply = post(api, change, REASON)
    assert reply.status == 200, reply.body
    assert reply.body == shown(api)
    assert (reply.body["status"], reply.body["open_amount"]) == (status, 0)
    again = post(api, change, REASON)
    assert (again.status, again.body) == (200, reply.body)


def test_the_same_key_with_another_body_path_or_invoice_is_409(api: Api) -> None:
    assert post(api, "void", REASON).status == 200
    other = invoice(20_00, INVOICE.replace("inv_", "inv_0")[:24] + "_ana")
    api.store.commit(Insert(other))
    for reply in (
        post(api, "void", {"reason": "Another"}),
        post(api, "write-off", REASON),
        post(api, "void", REASON, invoice_id=other.invoice_id),
    ):
        assert_problem(reply, 409)
        assert reply.body["code"] == "idempotency_key_reused"


def test_a_refusal_names_its_reason_and_its_rule(api: Api) -> None:
    assert post(api, "void", REASON).status == 200
    reply = post(api, "write-off", REASON, "k2")
    assert_problem(reply, 409)
    assert (reply.body["type"], reply.body["code"]) == ("/problems/DESK-3", "nothing_open")


def test_law_1_the_reason_stands_in_no_log(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    post(api, "void", {"reason": "She told me of her depression"})
    assert "depression" not in capsys.readouterr().out


def test_inv_10_money_from_outside_is_refused_unless_the_practice_records_it(api: Api) -> None:
    paid = {"amount": 62_50, "reason": "Cash at the desk", "method": "cash"}
    refused = post(api, "payments", paid)
    assert_problem(refused, 409)
    assert (refused.body["type"], refused.body["code"]) == ("/problems/INV-10", "outside_payments_refused")
    policies = "/v1/practices/riverbend/policies"
    changed = api.call("PUT", policies, key="practice", body={"outside_payments": "recorded"})
    assert changed.body["outside_payments"] == "recorded"
    reply = post(api, "payments", paid)
    assert reply.status == 201, reply.body
    payment = reply.body["payment"]
    assert (payment["amount"], payment["card"], payment["invoice_ids"], payment["refunded"]) == (
        62_50,
        None,
        [INVOICE],
        0,
    )
    account = api.call("GET", "/v1/clients/ana/account", key="practice").body
    assert {**account["invoices"][0], "payment": account["payments"][0]} == reply.body
    assert reply.body["status"] == "paid"
    again = post(api, "payments", paid)
    assert (again.status, again.body) == (200, reply.body)
    assert_documented("payments", 201, reply.body)


def test_inv_10_money_cannot_have_come_tomorrow(api: Api) -> None:
    api.call("PUT", "/v1/practices/riverbend/policies", key="practice", body={"outside_payments": "recorded"})
    paid = {"amount": 62_50, "reason": "Cash at the desk"}
    reply = post(api, "payments", paid | {"received_on": "2026-11-21"})
    assert_problem(reply, 422)
    assert reply.body["errors"] == [{"loc": "received_on", "msg": "must be no later than today, 2026-11-20"}]
    assert post(api, "payments", paid | {"received_on": "2026-11-20"}).status == 201


def test_pay_12_a_refund_is_shown_with_its_invoice(api: Api) -> None:
    paid = invoice(62_50, INVOICE, paid=62_50, version=2)
    api.store.commit(Update(paid), Insert(VISA), Insert(card_payment()))
    reply = post(api, "refunds", {"amount": 20_00, "reason": "Charged too much"})
    assert reply.status == 201, reply.body
    (refund,) = reply.body["refunds"]
    assert (refund["amount"], refund["state"], refund["card"]["last4"]) == (20_00, "started", "4242")
    account = api.call("GET", "/v1/clients/ana/account", key="practice").body
    assert {**account["invoices"][0], "refunds": [refund]} == reply.body
    assert [(p["payment_id"], p["refunded"]) for p in account["payments"]] == [(refund["payment_id"], 20_00)]
    assert (account["invoices"][0]["status"], account["balance"]) == ("paid", 0)
    assert (post(api, "refunds", {"amount": 20_00, "reason": "Charged too much"}).body) == reply.body
    above = post(api, "refunds", {"amount": 42_51, "reason": "Too much"}, "k2")
    assert_problem(above, 409)
    assert (above.body["type"], above.body["code"]) == ("/problems/PAY-12", "more_than_paid")
    rest = post(api, "refunds", {"reason": "All of it"}, "k3")
    assert ([one["amount"] for one in rest.body["refunds"]], rest.body["status"]) == ([42_50], "refunded")
    assert_documented("refunds", 201, rest.body)


def card_payment() -> Attempt:
    """Ana's Visa paid the invoice."""
    return Attempt(
        "riverbend",
        "ana",
        1,
        1,
        AttemptKind.AUTOPAY,
        (Part(INVOICE, 62_50),),
        "cus_ana",
        "pm_visa",
        "card_visa",
        NOW,
        AttemptState.POSTED,
        intent_id="pi_1",
        posted_at=NOW,
        card_shown="Visa ending 4242",
    )


def assert_documented(change: str, status: int, body: Any) -> None:
    served = document()
    operation = served["paths"][f"/v1/invoices/{{invoice_id}}/{change}"]["post"]
    schema = operation["responses"][str(status)]["content"]["application/json"]["schema"]
    Draft202012Validator({**schema, "components": served["components"]}).validate(body)
