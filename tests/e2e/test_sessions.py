"""Sessions as a practice's system tells them, and what their clients see: mailbox, page and account."""

from collections.abc import Callable
from typing import Any

from tests.e2e.browser import Visitor
from tests.e2e.decisions import PAYER
from tests.e2e.kindbill import Client, Json, Kindbill


def session(client: Client, number: int = 1, **changes: Any) -> Json:
    """A self-paid session of theirs that is over now."""
    told = {
        "session_id": f"session-{number}-of-{client.client_id}",
        "client_id": client.client_id,
        "provider_id": client.provider_id,
        "completed_at": client.kindbill.now().isoformat(),
        "kind": "self_pay",
        "rate": 145_00,
        "procedure": "90837",
    }
    return told | changes


def tell(client: Client, told: Json) -> Json:
    answer = client.kindbill.post("/v1/sessions", told, "practice")
    client.kindbill.settle()
    return answer


def test_inv_4_a_self_paid_session_becomes_a_mail_and_a_page_that_a_client_understands(
    kindbill: Kindbill, visit: Callable[..., Visitor]
) -> None:
    client = kindbill.new_client("pays_themself")
    about = session(client)
    told = kindbill.post("/v1/sessions", about, "practice")
    assert told["invoice_id"] is None, "it follows shortly after"
    kindbill.settle()
    again = kindbill.post("/v1/sessions", about, "practice")
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


def test_inv_2_an_insured_session_is_estimated_from_the_latest_check_where_the_practice_chose_so(
    kindbill: Kindbill,
) -> None:
    """Of $150.00 the client bears what is left of the deductible, $50.00, and a fifth of the rest."""
    client = kindbill.new_client("estimated")
    check = {
        "payer_id": PAYER["id"],
        "checked_at": kindbill.now().isoformat(),
        "copay": 0,
        "coinsurance_bp": 2000,
        "deductible_remaining": 50_00,
    }
    kindbill.do("PUT", f"/v1/clients/{client.client_id}/eligibility", "practice", json=check)
    insured = session(client, kind="insurance", rate=150_00)
    with kindbill.policies(amount_source="estimate"):
        tell(client, insured)
    assert client.only_invoice()["amount"] == 70_00
    assert client.mail("invoice")["subject"] == "Your estimated bill of $70.00 is ready"

    waits = kindbill.new_client("adjudicated")
    kindbill.do("PUT", f"/v1/clients/{waits.client_id}/eligibility", "practice", json=check)
    tell(waits, session(waits, kind="insurance", rate=150_00))
    assert (waits.account()["invoices"], waits.mails()) == ([], [])


def test_inv_5_a_programme_covers_as_many_sessions_as_it_granted_and_one_beyond_waits_for_a_person(
    kindbill: Kindbill,
) -> None:
    client = kindbill.new_client("covered")
    granted = {
        "programme": "Optum Live & Work Well",
        "authorisation": f"AUTH-{client.client_id}",
        "sessions_covered": 1,
        "valid_until": "2099-12-31",
    }
    told = [tell(client, session(client, number, kind="eap", eap=granted)) for number in (1, 2)]
    assert [one["covered"] for one in told] == [True, False]
    assert (client.account()["balance"], client.mails()) == (0, [])
    holds = kindbill.get("/v1/holds", "practice")["holds"]
    (held,) = [one for one in holds if one["client_id"] == client.client_id]
    assert (held["session_id"], held["reason"]) == (told[1]["session_id"], "eap_sessions_used_up")

    other = session(client, 3, kind="eap", eap=granted | {"programme": "Wellness Now"})
    refused = kindbill.call("POST", "/v1/sessions", "practice", json=other)
    assert (refused.status_code, refused.json()["code"]) == (409, "programme_not_accepted")
    assert "Optum Live & Work Well" in refused.json()["detail"]


def test_law_5_bills_far_above_what_a_client_was_told_are_never_charged_by_themselves(kindbill: Kindbill) -> None:
    """Each of the two is $200.00 above its good-faith estimate; together they are $400.00 above."""
    client = kindbill.new_client("told-less")
    client.save_card(cap=1_000_00)
    for number in (1, 2):
        tell(client, session(client, number, rate=450_00, good_faith_estimate=250_00))
    assert client.mail_kinds() == ["autopay_on", "charge_notice", "approval_request"]
    assert "$400.00 above the estimate" in " ".join(client.mail("approval_request")["text"].split())
    kindbill.forward("50h")
    assert client.intents() == []
    assert client.account()["upcoming_charges"] == []
    assert client.account()["balance"] == 900_00
