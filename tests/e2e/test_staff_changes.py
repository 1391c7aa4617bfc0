"""What staff change about an invoice, seen from outside: the API, the mailbox, the account, Stripe's objects."""

from itertools import count
from typing import Any

import httpx
import pytest

from tests.e2e.kindbill import Client, Kindbill

_keys = count(1)


def post(client: Client, invoice_id: str, change: str, key: str = "", **body: Any) -> httpx.Response:
    """Staff ask for a change; `key`: a new one where none is given."""
    headers = {"idempotency-key": key or f"staff-{next(_keys)}"}
    sent = {"reason": "Asked for at the front desk"} | body
    path = f"/v1/invoices/{invoice_id}/{change}"
    answer = client.kindbill.call("POST", path, "practice", json=sent, headers=headers)
    client.kindbill.settle()
    return answer


def assert_refused(answer: httpx.Response, code: str, rule: str) -> None:
    assert answer.status_code == 409, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["code"], answer.json()["type"].rpartition("/")[2]) == (code, rule)


@pytest.mark.parametrize(("change", "status"), [("void", "void"), ("write-off", "written_off")])
def test_desk_3_an_announced_bill_that_is_ended_is_never_charged_nor_reminded_of(
    kindbill: Kindbill, change: str, status: str
) -> None:
    client = kindbill.new_client("spared")
    client.save_card()
    (invoice_id,) = client.owes(62_50)
    answer = post(client, invoice_id, change, key=f"spared-{change}")

    assert answer.status_code == 200, answer.text
    assert answer.json() == client.only_invoice()
    assert (answer.json()["status"], answer.json()["open_amount"]) == (status, 0)
    again = post(client, invoice_id, change, key=f"spared-{change}")
    assert (again.status_code, again.json()) == (200, answer.json())
    assert_idempotency_key_is_used(post(client, invoice_id, change, key=f"spared-{change}", reason="Another"))

    mail = client.mail("no_longer_owed")
    assert "You no longer need to pay $62.50" in mail["subject"]
    assert "The payment we announced will not be taken." in mail["text"]
    assert "front desk" not in mail["text"] + mail["html"]
    kindbill.forward("21d")
    assert client.taken() == []
    assert client.mail_kinds() == ["autopay_on", "charge_notice", "no_longer_owed"]
    account = client.account()
    assert (account["balance"], account["upcoming_charges"], account["payments"]) == (0, [], [])


def assert_idempotency_key_is_used(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_key_reused"), answer.text
