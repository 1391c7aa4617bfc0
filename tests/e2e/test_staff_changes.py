"""What staff change about an invoice, seen from outside: the API, the mailbox, the account, Stripe's objects."""

from collections.abc import Callable
from itertools import count
from typing import Any

import httpx
import pytest

from tests.e2e.browser import PHONE_WIDTH, Visitor
from tests.e2e.kindbill import A_CARD, ZONE, Client, Kindbill

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


def refunds_at_stripe(client: Client) -> list[int]:
    """What Stripe sent back to them, oldest first, in cents."""
    (intent,) = (one for one in client.intents() if one["status"] == "succeeded")
    sent = client.kindbill.stripe_list("refunds", payment_intent=intent["id"])
    return [one["amount"] for one in reversed(sent) if one["status"] == "succeeded"]


def test_pay_12_a_refund_goes_to_the_card_that_paid_in_part_and_in_full_and_never_above(kindbill: Kindbill) -> None:
    client = kindbill.new_client("refunded")
    client.save_card()
    (invoice_id,) = client.owes(62_50)
    kindbill.forward("48h")
    assert client.taken() == [62_50]

    part = post(client, invoice_id, "refunds", key="refunded-part", amount=20_00)
    assert part.status_code == 201, part.text
    (refund,) = part.json()["refunds"]
    assert (refund["amount"], refund["card"]["last4"], part.json()["status"]) == (20_00, "4242", "paid")
    assert refunds_at_stripe(client) == [20_00]
    again = post(client, invoice_id, "refunds", key="refunded-part", amount=20_00)
    assert (again.status_code, again.json()["refunds"]) == (200, [refund | {"state": "posted"}])
    assert refunds_at_stripe(client) == [20_00]
    mail = client.mail("refund")
    assert mail["to"] == client.email
    for words in ("$20.00", "Visa ending 4242", "5 to 10 business days"):
        assert words in mail["text"]

    assert_refused(post(client, invoice_id, "refunds", amount=42_51), "more_than_paid", "PAY-12")
    rest = post(client, invoice_id, "refunds")
    assert rest.json()["status"] == "refunded"
    assert refunds_at_stripe(client) == [20_00, 42_50]
    assert_refused(post(client, invoice_id, "refunds"), "nothing_to_refund", "PAY-12")

    account = client.account()
    assert (account["balance"], account["credit"]) == (0, 0)
    assert [(one["amount"], one["refunded"]) for one in account["payments"]] == [(62_50, 62_50)]
    kindbill.forward("21d")
    assert client.taken() == [62_50]
    assert client.mail_kinds().count("reminder") == 0


def test_inv_10_money_taken_at_the_desk_stops_charge_and_reminders_at_once(kindbill: Kindbill) -> None:
    client = kindbill.new_client("paid-at-desk")
    client.save_card()
    (invoice_id,) = client.owes(62_50)
    paid = {"amount": 62_50, "method": "cash", "received_on": kindbill.now().astimezone(ZONE).date().isoformat()}
    assert_refused(post(client, invoice_id, "payments", **paid), "outside_payments_refused", "INV-10")
    with kindbill.policies(outside_payments="recorded"):
        assert_refused(post(client, invoice_id, "payments", **paid | {"amount": 62_51}), "more_than_owed", "INV-10")
        answer = post(client, invoice_id, "payments", **paid)
    assert answer.status_code == 201, answer.text
    assert answer.json()["status"] == "paid"
    (payment,) = client.account()["payments"]
    assert answer.json()["payment"] == payment
    assert (payment["amount"], payment["card"], payment["refunded"]) == (62_50, None, 0)

    receipt = client.mail("receipt")
    assert "Cash" in receipt["text"]
    assert "has recorded your payment" in receipt["text"]
    kindbill.forward("21d")
    assert client.taken() == []
    assert client.mail_kinds() == ["autopay_on", "charge_notice", "receipt"]
    assert_refused(post(client, invoice_id, "refunds"), "paid_outside", "PAY-12")


def test_desk_3_a_bill_that_is_open_in_a_tab_is_voided_and_cannot_be_paid_there_any_more(
    kindbill: Kindbill, visit: Callable[..., Visitor]
) -> None:
    client = kindbill.new_client("in-a-tab")
    (invoice_id,) = client.owes(62_50)
    person = visit(PHONE_WIDTH)
    person.open(client.link())
    person.enter_phone(client.phone)
    person.press("Pay $62.50")
    person.type_card(A_CARD)

    assert post(client, invoice_id, "void").json()["status"] == "void"
    person.press("Pay $62.50")
    assert client.taken() == []
    person.open(client.link())
    assert person.heading == "Hi In, there is nothing to pay"
    assert "No longer owed" in person.text
    kindbill.settle()
    assert client.account()["balance"] == 0


def test_desk_3_what_was_paid_in_the_tab_is_not_voided_but_refunded(
    kindbill: Kindbill, visit: Callable[..., Visitor]
) -> None:
    """The webhook of the payment is lost: the change itself finds it."""
    client = kindbill.new_client("paid-in-a-tab")
    (invoice_id,) = client.owes(62_50)
    with kindbill.stripe_webhooks(drop="payment_intent|checkout"):
        person = visit(PHONE_WIDTH)
        person.open(client.link())
        person.enter_phone(client.phone)
        person.press("Pay $62.50")
        person.type_card(A_CARD)
        person.press("Pay $62.50")
        assert_refused(post(client, invoice_id, "void"), "already_paid", "DESK-3")
    assert client.invoice(invoice_id)["status"] == "paid"
    assert client.mail("receipt")
    assert post(client, invoice_id, "refunds").status_code == 201
    assert refunds_at_stripe(client) == [62_50]
    assert client.invoice(invoice_id)["status"] == "refunded"


def test_auto_5_a_charge_that_was_sent_stands_in_the_way_until_its_outcome_is_known(kindbill: Kindbill) -> None:
    client = kindbill.new_client("under-way")
    client.save_card()
    (invoice_id,) = client.owes(62_50)
    kindbill.stripe_fault("POST /v1/payment_intents$", "drop", times=2)
    kindbill.forward("48h")
    assert client.invoice(invoice_id)["status"] == "processing"
    for change in ("void", "write-off"):
        assert_refused(post(client, invoice_id, change), "payment_in_progress", "DESK-3")
