"""What a payer sends, however often and in whatever order: billed once, or held for a person, never guessed."""

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.e2e.decisions import Decision, as_835, as_batch, as_fhir, as_json, as_report
from tests.e2e.kindbill import FHIR, JSON, Client, Json, Kindbill

SUMS = ("accepted", "held", "duplicate", "rejected")


@pytest.fixture
def client(kindbill: Kindbill) -> Client:
    return kindbill.new_client("insured")


def only(receipt: Json) -> Json:
    """The one row of a receipt."""
    assert receipt["state"] == "done"
    assert sum(receipt[name] for name in SUMS) == receipt["claims"] == 1
    return receipt["results"][0]


def test_the_same_file_twice_is_one_receipt_and_under_other_control_numbers_a_duplicate(
    kindbill: Kindbill, client: Client
) -> None:
    """Contract, Claim processors; claims.md decision 4: what a result says decides, not the file it came in."""
    decision = Decision(client.claim(), 150_00, 62_50)
    first = kindbill.send(as_835(decision))
    again = kindbill.send(as_835(decision))
    kindbill.settle()
    other_file = kindbill.send(as_835(decision, control=77))
    kindbill.settle()
    as_json_too = kindbill.send(as_batch(decision), JSON)
    kindbill.settle()

    assert [one.status_code for one in (first, again, other_file, as_json_too)] == [202, 200, 202, 202]
    assert again.json()["receipt_id"] == first.json()["receipt_id"]
    assert len(first.json()["sha256"]) == 64
    assert only(kindbill.receipt(first))["outcome"] == "accepted"
    assert only(kindbill.receipt(other_file))["outcome"] == "duplicate"
    assert only(kindbill.receipt(other_file))["now"] == "invoiced"
    assert client.only_invoice()["amount"] == 62_50
    assert client.mail_kinds() == ["invoice"]
    assert only(kindbill.receipt(as_json_too))["outcome"] in ("duplicate", "held")


def test_a_file_that_is_uploaded_is_billed_once_and_its_address_takes_no_second(
    kindbill: Kindbill, client: Client
) -> None:
    """Contract, Claim processors: larger files by a one-time upload address; claims.md 4.8 (a)."""
    body = as_835(Decision(client.claim(), 150_00, 62_50)).encode()
    given, put = kindbill.upload(body)
    assert put.status_code == 200, put.text
    second = httpx.put(given["upload_url"], content=body, headers=given["headers"], trust_env=False)
    assert second.status_code == 412
    kindbill.settle()
    receipt = kindbill.get(given["status_url"], "claims")
    assert receipt["receipt_id"] == given["receipt_id"]
    assert (only(receipt)["outcome"], only(receipt)["now"]) == ("accepted", "invoiced")
    assert [(one["claims"], one["balances"]) for one in receipt["transactions"]] == [(1, True)]

    posted = kindbill.send(body)
    assert (posted.status_code, posted.json()["sha256"]) == (200, receipt["sha256"])
    wrong, put = kindbill.upload(b"not an 835")
    assert put.status_code == 200
    kindbill.settle()
    refused = kindbill.get(wrong["status_url"], "claims")
    assert (refused["state"], refused["reason"], refused["claims"]) == ("done", "unreadable", 0)
    assert client.only_invoice()["amount"] == 62_50


def test_a_report_that_a_clearinghouse_tells_of_twice_is_fetched_and_billed_once(
    kindbill: Kindbill, client: Client
) -> None:
    """claims.md 5: the webhook only names a transaction; its report is fetched, once, though the first try fails."""
    transaction, here = f"txn-{client.client_id}", "/_local/clearinghouse"
    decision = Decision(client.claim(), 150_00, 62_50)
    put = kindbill.call("PUT", f"{here}/transactions/{transaction}", json=as_report(decision))
    fault = kindbill.call("POST", f"{here}/_test/faults", json=[{"match": transaction, "kind": "500_before"}])
    x12 = {"metadata": {"transaction": {"transactionSetIdentifier": "835"}}}
    event = {"event": {"detail-type": "transaction.processed.v2", "detail": {"transactionId": transaction, "x12": x12}}}
    told = [kindbill.call("POST", "/webhooks/clearinghouse", "claims", json=event) for _ in range(2)]
    assert [one.status_code for one in (put, fault, *told)] == [204, 200, 200, 200]
    kindbill.settle()

    assert client.only_invoice()["amount"] == 62_50
    assert client.mail_kinds() == ["invoice"]
    assert kindbill.get("/_local/dead-letters") == []
    assert only(kindbill.decide(decision))["outcome"] == "duplicate"


def test_an_idempotency_key_is_bound_by_its_first_body(kindbill: Kindbill, client: Client) -> None:
    """Contract, Claim processors: 202, then 200 for the same, 409 for another body; a new key on old bytes is 200."""
    body = as_batch(Decision(client.claim(), 150_00, 62_50))
    other = as_batch(Decision(client.claim(), 150_00, 40_00))
    key, fresh = f"{client.client_id}-1", f"{client.client_id}-2"

    first = kindbill.send(body, JSON, idempotency_key=key)
    same = kindbill.send(body, JSON, idempotency_key=key)
    conflict = kindbill.send(other, JSON, idempotency_key=key)
    new_key = kindbill.send(body, JSON, idempotency_key=fresh)
    bound = kindbill.send(other, JSON, idempotency_key=fresh)
    kindbill.settle()

    assert [one.status_code for one in (first, same, conflict, new_key, bound)] == [202, 200, 409, 200, 409]
    assert same.json()["receipt_id"] == new_key.json()["receipt_id"] == first.json()["receipt_id"]
    assert conflict.headers["content-type"] == "application/problem+json"
    assert [one["amount"] for one in client.account()["invoices"]] == [62_50]


def test_a_result_that_comes_before_its_claim_waits_and_is_billed_when_the_claim_is_known(
    kindbill: Kindbill, client: Client
) -> None:
    """claims.md decision 4: POST /v1/claims runs the unmatched holds of that id again."""
    claim_id = f"{client.client_id.upper()}-EARLY"
    answer = kindbill.send(as_835(Decision(claim_id, 150_00, 62_50)))
    kindbill.settle()
    row = only(kindbill.receipt(answer))
    assert (row["outcome"], row["reason"], row["now"]) == ("held", "unmatched_claim", "held")
    assert claim_id in [hold["claim_id"] for hold in kindbill.get("/v1/holds", "practice")["holds"]]

    kindbill.post(
        "/v1/claims",
        {
            "claim_id": claim_id,
            "client_id": client.client_id,
            "provider_id": "maya-chen",
            "payer_id": "87726",
            "charged": 150_00,
            "service_date": "2026-10-30",
        },
        "practice",
    )
    kindbill.settle()

    row = only(kindbill.receipt(answer))
    assert (row["now"], row["amount"], row["invoice_id"]) == ("invoiced", 62_50, client.only_invoice()["invoice_id"])
    assert claim_id not in [hold["claim_id"] for hold in kindbill.get("/v1/holds", "practice")["holds"]]


HELD: dict[str, dict[str, Any]] = {
    "not_billable_status": {"status": "predetermination"},
    "reversal_without_original": {"status": "reversal"},
    "contractual_patient_code": {"adjustments": (("CO", "1", 62_50), ("CO", "45", 45_00))},
    "unknown_code": {"adjustments": (("PR", "ZZ9", 62_50), ("CO", "45", 45_00))},
    "needs_review": {"adjustments": (("PR", "96", 62_50), ("CO", "45", 45_00))},
    "charge_differs": {"charged": 151_00},
}


@pytest.mark.parametrize("reason", HELD)
def test_a_result_that_may_not_be_billed_is_held_for_a_person_with_its_reason(
    kindbill: Kindbill, client: Client, reason: str
) -> None:
    """claims.md decision 4, LAW-3, DESK-5: held, never guessed; nothing is billed and nobody is mailed."""
    decision = replace(Decision(client.claim(150_00), 150_00, 62_50), **HELD[reason])
    row = only(kindbill.decide(decision))

    assert (row["outcome"], row["reason"]) == ("held", reason)
    (hold,) = [one for one in kindbill.get("/v1/holds", "practice")["holds"] if one["claim_id"] == decision.claim_id]
    assert hold["reason"] == reason
    assert hold["what_to_do"]
    assert client.account()["invoices"] == []
    assert client.mails() == []


def test_one_bad_claim_of_a_file_does_not_stop_the_others(kindbill: Kindbill, client: Client) -> None:
    """claims.md decision 4; contract: accepted + held + duplicate + rejected = claims."""
    good = Decision(client.claim(), 150_00, 62_50)
    other = as_835(replace(good, claim_id=client.claim(), payer_claim_id="OUT"))
    unbalanced_claim = other[other.index("CLP*") : other.index("SE*")].replace("CAS*CO*45*45", "CAS*CO*45*44")
    file = as_835(good, Decision(client.claim(100_00), 100_00, 0), Decision("NOBODYS-CLAIM", 100_00, 10_00))
    file = file.replace("CLP*NOBODYS", f"{unbalanced_claim}CLP*NOBODYS")
    answer = kindbill.send(file)
    kindbill.settle()

    receipt = kindbill.receipt(answer)
    assert receipt["claims"] == 4
    assert sum(receipt[name] for name in SUMS) == 4
    assert [(row["outcome"], row["reason"], row["now"]) for row in receipt["results"]] == [
        ("accepted", None, "invoiced"),
        ("accepted", None, "nothing_owed"),
        ("held", "out_of_balance", "held"),
        ("held", "unmatched_claim", "held"),
    ]


def test_a_broken_element_of_a_json_batch_is_rejected_and_the_others_go_on(kindbill: Kindbill, client: Client) -> None:
    """Contract, Claim processors."""
    good = as_json(Decision(client.claim(), 150_00, 62_50))
    broken = as_json(Decision(client.claim(), 150_00, 62_50)) | {"charged": "150.00"}
    answer = kindbill.send(json.dumps({"results": [broken, good]}), JSON)
    kindbill.settle()

    receipt = kindbill.receipt(answer)
    assert answer.status_code == 202
    assert (receipt["claims"], receipt["accepted"], receipt["rejected"]) == (2, 1, 1)
    (rejected,) = [row for row in receipt["results"] if row["outcome"] == "rejected"]
    assert rejected["reason"] == "invalid"
    assert any("charged" in error["loc"] for error in rejected["errors"])
    assert client.only_invoice()["amount"] == 62_50


def test_a_fhir_explanation_of_benefit_is_billed_as_an_835_would_be(kindbill: Kindbill, client: Client) -> None:
    """Contract, Claim processors; INV-1: what the figures prove, to the cent. What they leave open is held."""
    known = {"submitted": 150, "benefit": 42.5, "deductible": 40, "copay": 22.5}
    proven = kindbill.send(as_fhir(client.claim(), eligible=105, **known), FHIR)
    unproven = kindbill.send(as_fhir(client.claim(), **known), FHIR)
    kindbill.settle()

    assert (proven.status_code, unproven.status_code) == (202, 202)
    assert (only(kindbill.receipt(proven))["now"], only(kindbill.receipt(proven))["amount"]) == ("invoiced", 62_50)
    assert only(kindbill.receipt(unproven))["reason"] == "out_of_balance"
    (line,) = client.only_invoice()["lines"]
    assert (line["deductible"], line["copay"], line["plan_discount"], line["you_owe"]) == (40_00, 22_50, 45_00, 62_50)
    assert kindbill.send(b'{"resourceType": "Patient"}', FHIR).status_code == 422


def test_a_second_result_of_an_invoiced_claim_puts_its_bill_in_review_and_stops_its_charge(
    kindbill: Kindbill, client: Client
) -> None:
    """claims.md decision 4, INV-7: charge and reminders pause until a person has looked."""
    client.save_card()
    decision = Decision(client.claim(), 150_00, 62_50)
    kindbill.decide(decision)
    assert client.only_invoice()["status"] == "scheduled"

    row = only(kindbill.decide(replace(decision, share=40_00)))

    assert (row["outcome"], row["reason"]) == ("held", "conflict")
    assert client.only_invoice()["status"] == "in_review"
    assert client.account()["upcoming_charges"] == []
    kindbill.forward("4d")
    assert client.intents() == []
    assert client.mails("reminder") == []
    tomorrow = (kindbill.now()).date().isoformat()
    refused = kindbill.call(
        "POST", f"/v1/clients/{client.client_id}/plans", "practice", json={"weeks": 2, "start_on": tomorrow}
    )
    assert (refused.status_code, refused.json()["code"]) == (409, "in_review")


def test_inv_3_a_correction_before_the_charge_lowers_it_and_after_it_sends_the_rest_back(
    kindbill: Kindbill, client: Client
) -> None:
    """INV-3: only the difference, one mail, and nothing is charged twice."""
    client.save_card()
    first = Decision(client.claim(), 150_00, 62_50)
    kindbill.decide(first)
    (announced,) = client.account()["upcoming_charges"]
    lower = replace(first, share=40_00, payer_claim_id="CORRECTED-1")
    kindbill.decide(first.taken_back(), lower)

    (coming,) = client.account()["upcoming_charges"]
    assert (coming["at"], coming["amount"], client.only_invoice()["open_amount"]) == (announced["at"], 40_00, 40_00)
    assert sum(line["you_owe"] for line in client.only_invoice()["lines"]) == client.only_invoice()["amount"] == 40_00
    assert "$40.00" in client.mail("invoice_changed")["text"]
    kindbill.forward("48h")
    assert client.taken() == [40_00]

    receipt = kindbill.decide(lower.taken_back(), replace(first, share=15_00, payer_claim_id="CORRECTED-2"))
    assert [(row["outcome"], row["now"]) for row in receipt["results"]] == [("accepted", "adjusted")] * 2
    assert client.taken() == [40_00]
    assert [one["amount"] for one in client.refunds()] == [25_00]
    assert "We are sending $25.00 back" in client.mails("invoice_changed")[-1]["text"]
    assert (client.account()["balance"], client.account()["credit"]) == (0, 0)
    kindbill.forward("10d")
    assert client.taken() == [40_00]


def test_while_another_payer_may_answer_nothing_is_billed_and_after_45_days_a_person_looks(
    kindbill: Kindbill, client: Client
) -> None:
    """LAW-4: a secondary payer is on file."""
    claim = client.claim(secondary_payer_id="60054")
    answer = kindbill.send(as_835(Decision(claim, 150_00, 62_50)))
    kindbill.settle()
    row = only(kindbill.receipt(answer))
    assert (row["outcome"], row["now"]) == ("accepted", "pending")
    assert client.account()["invoices"] == []

    kindbill.forward("44d")
    assert only(kindbill.receipt(answer))["now"] == "pending"
    kindbill.forward("25h")
    row = only(kindbill.receipt(answer))
    assert row["now"] == "held"
    (hold,) = [one for one in kindbill.get("/v1/holds", "practice")["holds"] if one["claim_id"] == claim]
    assert hold["reason"] == "other_payer_pending"
    assert client.mails() == []


def test_a_test_file_is_held_where_the_practice_does_not_accept_them(kindbill: Kindbill, client: Client) -> None:
    """claims.md decision 4: ISA15 = T."""
    with kindbill.policies(accept_test_files=False):
        held = kindbill.send(as_835(Decision(client.claim(), 150_00, 62_50), usage="T"))
        kindbill.settle()
        assert only(kindbill.receipt(held))["reason"] == "test_file"
    with kindbill.policies(accept_test_files=True):
        taken = kindbill.send(as_835(Decision(client.claim(), 150_00, 62_50), usage="T"))
        kindbill.settle()
        assert only(kindbill.receipt(taken))["now"] == "invoiced"


def test_a_claim_is_what_it_was_first_submitted_as(kindbill: Kindbill, client: Client) -> None:
    """Contract, POST /v1/claims: the same again 200, other content 409; PORT-5 for a client's email."""
    body = {
        "claim_id": f"{client.client_id}-C",
        "client_id": client.client_id,
        "provider_id": "maya-chen",
        "payer_id": "87726",
        "charged": 150_00,
        "service_date": "2026-10-30",
    }
    answers = [
        kindbill.call("POST", "/v1/claims", "practice", json=one) for one in (body, body, body | {"charged": 151_00})
    ]
    assert [one.status_code for one in answers] == [201, 200, 409]
    assert answers[0].json()["charged"] == 150_00
    person = {"name": "Insured Example", "phone": client.phone, "state": "CA", "provider_id": "maya-chen"}
    same = kindbill.call("PUT", f"/v1/clients/{client.client_id}", "practice", json=person | {"email": client.email})
    other = kindbill.call("PUT", f"/v1/clients/{client.client_id}", "practice", json=person | {"email": "x@y.example"})
    assert same.status_code == 200
    assert (other.status_code, other.json()["code"]) == (409, "email_change_needs_approval")
