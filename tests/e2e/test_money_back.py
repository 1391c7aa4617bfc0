"""Money that goes back, seen from outside: Stripe's dashboard, the client's bank, the account, the mailbox.

What staff start through the API is told in test_staff_changes.py; here it is what others do, and what comes of it.
"""

import pytest

from tests.e2e.audit import audit
from tests.e2e.kindbill import Client, Json, Kindbill

FAILS_LATER = "4000000000005126"
PENDS = "4000000000007726"
DISPUTED_AT_ONCE = "4000000000000259"


def charged(kindbill: Kindbill, name: str, *shares: int, card: str = "4242424242424242") -> Client:
    """Somebody with autopay whose bills were charged."""
    client = kindbill.new_client(name)
    client.save_card(card)
    client.owes(*(shares or (62_50,)))
    kindbill.forward("48h")
    assert sorted(client.taken()) == sorted(shares or (62_50,))
    return client


def status(client: Client) -> str:
    return str(client.only_invoice()["status"])


# ------------------------------------------------------------------------------------------------------- refunds


def test_pay_12_a_refund_of_stripes_dashboard_is_booked_within_its_webhook(kindbill: Kindbill) -> None:
    client = charged(kindbill, "dashboard")
    client.refund_in_dashboard(20_00)
    assert (status(client), client.account()["balance"]) == ("paid", 0)
    client.refund_in_dashboard()
    assert (status(client), client.account()["balance"]) == ("refunded", 0)
    assert [fact["data"]["amount"] for fact in client.facts("RefundPosted")] == [42_50, 20_00]
    audit(kindbill, client.client_id)


def test_pay_12_a_refund_that_its_bank_returns_is_undone(kindbill: Kindbill) -> None:
    client = charged(kindbill, "returned", card=FAILS_LATER)
    client.refund_in_dashboard()
    assert status(client) == "refunded"
    kindbill.forward("2m")
    assert status(client) == "paid"
    assert len(client.facts("RefundFailed")) == 1
    audit(kindbill, client.client_id)


@pytest.mark.parametrize("webhooks", [True, False])
def test_pay_12_a_pending_refund_is_done_when_the_bank_says_so(kindbill: Kindbill, webhooks: bool) -> None:
    """Without the webhook of it, the refund's own wake asks."""
    client = charged(kindbill, "pending", card=PENDS)
    client.refund_in_dashboard()
    assert (len(client.facts("RefundStarted")), client.facts("RefundPosted")) == (1, [])
    with kindbill.stripe_webhooks(**({} if webhooks else {"drop": "."})):
        kindbill.forward("2m" if webhooks else "6m")
    assert len(client.facts("RefundPosted")) == 1
    audit(kindbill, client.client_id)


def test_pay_12_what_is_paid_above_what_is_owed_goes_back_by_itself(kindbill: Kindbill) -> None:
    """The charge was declined, staff wrote the bill off, then somebody finishes the payment in Stripe's dashboard."""
    client = kindbill.new_client("generous")
    client.save_card()
    client.card_behaves("insufficient_funds")
    (invoice_id,) = client.owes(62_50)
    kindbill.forward("48h")
    headers = {"idempotency-key": f"forgive-{invoice_id}"}
    body = {"reason": "Goodwill"}
    assert kindbill.call(
        "POST", f"/v1/invoices/{invoice_id}/write-off", "practice", json=body, headers=headers
    ).is_success
    client.card_behaves("ok")
    (intent,) = client.intents()
    method = kindbill.stripe_list("payment_methods", customer=client.customer(), type="card")[0]["id"]
    kindbill.stripe_post(f"payment_intents/{intent['id']}/confirm", payment_method=method, off_session="true")
    kindbill.settle()

    assert [one["amount"] for one in client.refunds()] == [62_50]
    account = client.account()
    assert (account["balance"], account["credit"], status(client)) == (0, 0, "written_off")
    assert [fact["data"]["cause"] for fact in client.facts("RefundPosted")] == ["overpaid"]
    audit(kindbill, client.client_id)


# ------------------------------------------------------------------------------------------------------- disputes


def test_pay_13_a_lost_dispute_is_owed_again_and_never_charged_by_itself(kindbill: Kindbill) -> None:
    client = charged(kindbill, "lost")
    dispute = client.disputes_last_payment()
    assert (status(client), client.account()["balance"]) == ("disputed", 0)
    kindbill.forward("5d")
    assert client.mails("reminder") == []
    client.bank_decides(dispute, "lost")
    assert (status(client), client.account()["balance"]) == ("open", 62_50)
    kindbill.forward("14d")
    assert client.taken() == [62_50], "autopay is still on"
    assert client.account()["upcoming_charges"] == []
    assert client.mails("reminder")
    audit(kindbill, client.client_id)


def test_pay_13_a_won_dispute_ends_as_if_it_had_not_been(kindbill: Kindbill) -> None:
    client = charged(kindbill, "won", 62_50)
    dispute = client.disputes_last_payment()
    assert status(client) == "disputed"
    client.bank_decides(dispute, "won")
    assert (status(client), client.account()["balance"]) == ("paid", 0)
    kindbill.forward("14d")
    assert client.mails("reminder") == []
    audit(kindbill, client.client_id)


def test_pay_13_a_payment_that_is_disputed_at_once_is_booked_and_frozen(kindbill: Kindbill) -> None:
    """Webhooks of the payment and of the dispute arrive together, each twice."""
    client = kindbill.new_client("at-once")
    client.save_card(DISPUTED_AT_ONCE)
    client.owes(62_50)
    with kindbill.stripe_webhooks(duplicate=1):
        kindbill.forward("48h")
        kindbill.settle()
    assert (client.taken(), status(client)) == ([62_50], "disputed")
    assert len(client.facts("DisputeOpened")) == 1
    audit(kindbill, client.client_id)


def test_plan_2_no_plan_while_a_payment_is_disputed(kindbill: Kindbill) -> None:
    """PAY-13"""
    client = charged(kindbill, "no-plan")
    client.disputes_last_payment()
    client.owes(90_00)
    body = {"weeks": 4, "start_on": kindbill.now().date().isoformat()}
    refused = kindbill.call("POST", f"/v1/clients/{client.client_id}/plans", "practice", json=body)
    assert (refused.status_code, refused.json()["code"]) == (409, "disputed")


# ------------------------------------------------------------------------------------------------------- by staff


def refund(client: Client, **body: object) -> Json:
    """Staff send back what was paid for the client's only invoice -> the answer."""
    invoice_id = client.only_invoice()["invoice_id"]
    headers = {"idempotency-key": f"refund-{client.client_id}"}
    answer = client.kindbill.call(
        "POST",
        f"/v1/invoices/{invoice_id}/refunds",
        "practice",
        json={"reason": "Session was cancelled"} | body,
        headers=headers,
    )
    assert answer.is_success, answer.text
    return answer.json()


def test_pay_12_staff_refund_part_of_a_payment_though_stripes_answer_is_lost(kindbill: Kindbill) -> None:
    client = charged(kindbill, "lost-answer")
    kindbill.stripe_fault("POST /v1/refunds$", "lost_response", times=2)
    refund(client, amount=20_00)
    kindbill.settle()
    kindbill.forward("6m")
    assert [one["amount"] for one in client.refunds()] == [20_00]
    assert [one["refunded"] for one in client.account()["payments"]] == [20_00]
    assert "$20.00" in client.mail("refund")["subject"]
    audit(kindbill, client.client_id)


def test_pay_12_a_refund_that_its_bank_returns_can_be_made_again(kindbill: Kindbill) -> None:
    """Stripe's test card 4000 0000 0000 5126: it says done, and later that it failed."""
    client = charged(kindbill, "bounced", card=FAILS_LATER)
    refund(client)
    kindbill.settle()
    assert (status(client), client.mail_kinds()[-1]) == ("refunded", "refund")
    kindbill.forward("2m")
    assert (status(client), [one["refunded"] for one in client.account()["payments"]]) == ("paid", [0])
    assert len(client.facts("RefundFailed")) == 1
    audit(kindbill, client.client_id)


def test_pay_12_a_refund_that_pends_is_told_when_it_is_done(kindbill: Kindbill) -> None:
    """Stripe's test card 4000 0000 0000 7726."""
    client = charged(kindbill, "patient", card=PENDS)
    refund(client)
    kindbill.settle()
    assert client.mails("refund") == []
    kindbill.forward("2m")
    assert "$62.50" in client.mail("refund")["subject"]
    audit(kindbill, client.client_id)


def test_pay_13_nothing_is_refunded_while_the_bank_decides(kindbill: Kindbill) -> None:
    client = charged(kindbill, "undecided")
    client.disputes_last_payment()
    invoice_id = client.only_invoice()["invoice_id"]
    headers = {"idempotency-key": f"refund-{client.client_id}"}
    refused = kindbill.call(
        "POST", f"/v1/invoices/{invoice_id}/refunds", "practice", json={"reason": "Asked"}, headers=headers
    )
    assert (refused.status_code, refused.json()["code"]) == (409, "disputed")
