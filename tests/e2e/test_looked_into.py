"""Somebody looks into it: a bill that a client questions, and a claim result that waits, seen from outside."""

from collections.abc import Callable

from tests.e2e.browser import PHONE_WIDTH, Visitor
from tests.e2e.decisions import Decision
from tests.e2e.kindbill import Kindbill


def test_inv_7_a_client_whose_plan_told_another_amount_pays_that_after_staff_asked_the_plan(
    kindbill: Kindbill, visit: Callable[..., Visitor]
) -> None:
    """AUTO-4, INV-3: from the link in the notice to the charge of the corrected amount, never of the old one."""
    client = kindbill.new_client("doubtful")
    client.save_card()
    (invoice_id,) = client.owes(62_50)
    link = next(link for link in client.mail("charge_notice")["links"] if link.endswith("/review"))
    person = visit(PHONE_WIDTH)

    assert person.open(link) == 200
    person.enter_phone(client.phone)
    assert person.heading == "Did your plan tell you another amount?"
    person.fill("Amount your plan told you", "40")
    person.fill("Reference number of your call (optional)", "REF-77")
    person.press("Ask us to check this bill")
    assert "You asked us to check this amount." in person.text
    assert not [name for name in person.buttons if name.startswith("Pay")]
    assert client.only_invoice()["status"] == "in_review"
    kindbill.settle()
    assert "We are checking your bill of $62.50" in client.mail("review_opened")["subject"]
    kindbill.forward("49h")
    assert client.taken() == []

    (review,) = client.account()["reviews"]
    assert review in kindbill.get("/v1/reviews", "practice")["reviews"]
    assert (review["quoted_amount"], review["call_reference"], review["status"]) == (40_00, "REF-77", "open")
    decision = {"decision": "correct", "amount": 40_00, "reason": "The plan agreed", "call_reference": "REF-91"}
    at = f"/v1/reviews/{review['review_id']}/decision"
    decided = kindbill.call("POST", at, "practice", json=decision)
    assert (decided.status_code, decided.json()["status"]) == (200, "corrected"), decided.text
    kindbill.settle()
    assert client.account()["reviews"] == [decided.json()]
    assert kindbill.get(f"/v1/reviews/{review['review_id']}", "practice") == decided.json()
    assert decided.json() in kindbill.get("/v1/reviews", "practice", status="decided")["reviews"]
    assert review["review_id"] not in str(kindbill.get("/v1/reviews", "practice"))
    notice = client.mails("charge_notice")[-1]
    assert "$40.00" in notice["subject"]
    assert client.invoice(invoice_id)["status"] == "scheduled"
    kindbill.forward("48h")
    assert client.taken() == [40_00]
    assert client.only_invoice()["status"] == "paid"


def test_desk_5_a_held_result_is_released_for_what_the_payer_confirmed(
    kindbill: Kindbill, visit: Callable[..., Visitor]
) -> None:
    """LAW-3: a copay under CO is nobody's guess."""
    client = kindbill.new_client("held")
    reasons = (("CO", "45", 45_00), ("PR", "1", 40_00), ("CO", "3", 22_50))
    claim_id = client.claim()
    receipt = kindbill.decide(Decision(claim_id, 150_00, 0, adjustments=reasons))
    assert (receipt["held"], receipt["results"][0]["reason"]) == (1, "contractual_patient_code")
    hold = next(one for one in kindbill.get("/v1/holds", "practice")["holds"] if one["claim_id"] == claim_id)
    assert {(one["group"], one["code"], one["amount"]) for one in hold["seen"]["adjustments"]} == set(reasons)

    person = visit()
    assert person.open(f"{kindbill.base_url}/_local") == 200
    waiting = person.page.get_by_role("region", name="What waits for a person")
    assert hold["what_to_do"] in waiting.inner_text()
    assert hold["hold_id"] in waiting.inner_text()

    at = f"/v1/holds/{hold['hold_id']}/release"
    body = {"reason": "The payer says the copay is hers", "patient_amount": 62_50}
    answers = [kindbill.call("POST", at, "practice", json=body) for _ in range(2)]
    assert [one.status_code for one in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    kindbill.settle()
    assert client.only_invoice()["open_amount"] == 62_50
    after = kindbill.get(f"/v1/receipts/{receipt['receipt_id']}", "practice")
    assert (after["accepted"], after["held"], after["results"][0]["now"]) == (1, 0, "invoiced")
