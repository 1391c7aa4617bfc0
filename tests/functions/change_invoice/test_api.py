"""POST /v1/invoices/{invoice_id}/… through the door: statuses, what is shown, keys."""

from typing import Any

import pytest

from billing.ports import Insert
from tests.billing.examples import BY_HAND, invoice
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
