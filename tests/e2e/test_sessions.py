"""Sessions as a practice's system tells them, and what their clients see: mailbox, page and account."""

from collections.abc import Callable

from tests.e2e.browser import Visitor
from tests.e2e.kindbill import Kindbill


def test_inv_4_a_self_paid_session_becomes_a_mail_and_a_page_that_a_client_understands(
    kindbill: Kindbill, visit: Callable[..., Visitor]
) -> None:
    client = kindbill.new_client("pays_themself")
    session = {
        "session_id": f"session-of-{client.client_id}",
        "client_id": client.client_id,
        "provider_id": "maya-chen",
        "completed_at": kindbill.now().isoformat(),
        "kind": "self_pay",
        "rate": 145_00,
        "procedure": "90837",
    }
    told = kindbill.post("/v1/sessions", session, "practice")
    assert told["invoice_id"] is None, "it follows shortly after"
    kindbill.settle()
    again = kindbill.post("/v1/sessions", session, "practice")
    assert again == told | {"invoice_id": client.only_invoice()["invoice_id"]}

    mail = client.mail("invoice")
    assert mail["subject"] == "Your bill of $145.00 is ready"
    assert "which you pay without a health plan" in " ".join(mail["text"].split())
    assert "90837" not in mail["text"] + mail["html"]

    person = visit()
    assert person.open(client.link()) == 200
    person.enter_phone(client.phone)
    person.press("Details")
    assert "No health plan is asked to pay for this session: you pay for it yourself." in person.text
    assert "Pay $145.00" in person.buttons


def test_inv_3_the_demos_estimate_is_corrected_when_its_claim_is_answered(kindbill: Kindbill) -> None:
    (ella,) = (one for one in kindbill.get("/_local/demo")["clients"] if one["story"] == "estimate")
    (claim,) = ella["open_claims"]
    (estimate,) = kindbill.account(ella["client_id"])["invoices"]
    assert estimate["amount"] == 80_00
    (mail,) = kindbill.mails(ella["client_id"], "invoice")  # and reminders, where others moved the clock before
    assert mail["subject"] == "Your estimated bill of $80.00 is ready"
    result = {
        "claim_id": claim["claim_id"],
        "payer": {"id": claim["payer_id"], "name": "Example Health Plan"},
        "payer_claim_id": "P-ELLA",
        "status": "processed_primary",
        "adjudicated_on": f"{kindbill.now():%Y-%m-%d}",
        "currency": "usd",
        "charged": claim["charged"],
        "paid": 75_00,
        "adjustments": [
            {"group": "CO", "code": "45", "amount": 25_00},
            {"group": "PR", "code": "1", "amount": 60_00},
        ],
        "lines": [],
    }
    kindbill.post("/v1/claim-results", result, "claims")
    kindbill.settle()
    (corrected,) = kindbill.account(ella["client_id"])["invoices"]
    assert (corrected["amount"], corrected["open_amount"]) == (60_00, 60_00)
    (changed,) = kindbill.mails(ella["client_id"], "invoice_changed")
    assert changed["subject"] == "Your bill is lower: $60.00 instead of $80.00"
