"""Invoices by hand over the API: once per request, described only behind the link."""

from dataclasses import replace
from datetime import timedelta

from billing.invoice import Source
from billing.ports import Insert
from edges.render import render_letter
from tests.billing.examples import BY_HAND, CONTACT, NOW
from tests.functions.api import Reply, assert_problem
from tests.functions.care import Care, session

FEE = {"client_id": "ana", "amount": 75_00, "description": "Late cancellation, November 12"}


def ask(care: Care, key: str = "", **changes: object) -> Reply:
    headers = {"idempotency_key": key} if key else {}
    return care.call("POST", "/v1/invoices", FEE | changes, **headers)


def test_inv_4_a_provider_charges_an_invoice_by_hand_and_the_client_gets_the_link() -> None:
    care = Care(BY_HAND)
    reply = ask(care)
    assert (reply.status, reply.body["amount"], reply.body["status"]) == (201, 75_00, "open")
    (line,) = reply.body["lines"]
    assert (line["billed"], line["you_owe"]) == (75_00, 75_00)
    assert care.account["invoices"] == [reply.body]
    assert (care.mails, care.invoice.source) == (["invoice"], Source.BY_HAND)
    assert [f.actor for f in care.facts][:1] == ["staff"]


def test_law_1_the_description_stands_in_no_mail_and_in_no_fact() -> None:
    care = Care(BY_HAND)
    ask(care)
    (letter,) = care.letters
    written = render_letter(letter)
    said = f"{written.subject} {written.html} {written.text} {care.facts}"
    assert "cancellation" not in said
    assert "sent you a bill of" in written.text


def test_inv_4_the_same_request_again_is_the_same_invoice() -> None:
    care = Care(BY_HAND)
    first, again = ask(care), ask(care)
    assert (first.status, again.status, again.body) == (201, 200, first.body)
    care.forward(days=1)
    assert ask(care).status == 201, "the same fee on another day is another one"
    assert ask(care, description="Copy of records").status == 201
    assert len(care.books.invoices) == 3


def test_inv_4_an_idempotency_key_says_which_requests_are_the_same() -> None:
    care = Care(BY_HAND)
    first, other, again = ask(care, "k1"), ask(care, "k2"), ask(care, "k1")
    assert [first.status, other.status, again.status] == [201, 201, 200]
    assert again.body == first.body != other.body
    reused = ask(care, "k1", amount=80_00)
    assert_problem(reused, 409)
    assert reused.body["code"] == "idempotency_key_reused"


def test_inv_4_autopay_announces_an_invoice_by_hand_like_any_other() -> None:
    care = Care()
    ask(care)
    assert care.mails == ["charge_notice"]
    care.forward(hours=48)
    assert care.taken == 75_00


def test_inv_4_an_invoice_by_hand_for_a_session_is_all_that_is_asked_for_it() -> None:
    care = Care(BY_HAND)
    assert ask(care, session_id="s1").status == 201
    care.tell(session("s1"))
    assert [i.source for i in care.books.invoices] == [Source.BY_HAND]


def test_inv_4_a_session_that_is_billed_is_not_billed_by_hand_as_well() -> None:
    care = Care(BY_HAND)
    care.tell(session("s1"))
    reply = ask(care, session_id="s1")
    assert_problem(reply, 409)
    assert reply.body["code"] == "session_billed"


def test_an_invoice_by_hand_names_a_client_and_a_session_of_theirs() -> None:
    care = Care(BY_HAND)
    assert_problem(ask(care, client_id="nobody"), 404)
    care.store.commit(Insert(replace(BY_HAND, client="ben")), Insert(replace(CONTACT, client="ben")))
    care.tell(session("s1", client_id="ben"))
    assert ask(care, session_id="s1").body["code"] == "session_of_another"
    assert_problem(ask(care, amount=0), 422)
    assert_problem(ask(care, description=" "), 422)


def test_inv_8_an_invoice_by_hand_ages_and_is_reminded_of_like_any_other() -> None:
    care = Care(BY_HAND)
    ask(care)
    care.until(NOW + timedelta(days=61))
    assert care.mails.count("reminder") == 6
    assert care.invoice.past_due


# ------------------------------------------------------------------------------------------------ after a void


def void(care: Care, invoice_id: str) -> None:
    reply = care.call("POST", f"/v1/invoices/{invoice_id}/void", {"reason": "A mistake"}, idempotency_key=invoice_id)
    assert (reply.status, reply.body["status"]) == (200, "void")


def test_desk_3_the_same_invoice_can_be_asked_for_again_when_it_was_voided() -> None:
    """INV-4: whoever voids by mistake is not answered with the void one."""
    care = Care(BY_HAND)
    first = ask(care)
    void(care, first.body["invoice_id"])
    second, again = ask(care), ask(care)
    assert (second.status, again.status, again.body) == (201, 200, second.body)
    void(care, second.body["invoice_id"])
    third = ask(care)
    assert (third.status, third.body["status"], care.account["balance"]) == (201, "open", 75_00)
    assert len({one.body["invoice_id"] for one in (first, second, third)}) == 3


def test_desk_3_a_session_whose_invoice_was_voided_can_be_billed_by_hand_once() -> None:
    """INV-4"""
    care = Care(BY_HAND)
    care.tell(session())
    assert ask(care, session_id="s1").body["code"] == "session_billed"
    void(care, care.invoice.invoice_id)
    made = ask(care, session_id="s1")
    assert made.status == 201
    assert care.call("GET", "/v1/sessions/s1").body["invoice_id"] == made.body["invoice_id"]
    assert ask(care, session_id="s1", amount=80_00).body["code"] == "session_billed"
    assert care.account["balance"] == 75_00
