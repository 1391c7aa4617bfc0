"""What the page says of a bill without a claim result: an estimate, a session that the client pays, an invoice by
hand (INV-2, INV-4, LAW-5)."""

from dataclasses import replace

from billing.ports import Insert
from edges.render import render_page
from functions.serve_client.door import Page, Visit, new_session
from functions.serve_client.flow import show
from tests.billing.examples import BY_HAND, ENROLLED
from tests.functions.care import Care, session
from tests.functions.issue_invoice.test_estimates import Estimating, insured, owes, submitted
from tests.functions.serve_client.html import parsed
from tests.functions.serve_client.world import SESSION


def seen(care: Care) -> str:
    """The words of the page, as Ana sees it after the phone check."""
    visit = Visit("riverbend", "ana", 0, "/pay/link", "https://pay.example.com", care.now, SESSION, "192.0.2.7")
    care.store.commit(Insert(new_session(visit, SESSION)))
    answer = show(care.store, visit)
    assert isinstance(answer, Page)
    assert answer.name == "overview"
    return parsed(render_page(answer.name, answer.known)).text


def test_inv_2_the_page_calls_an_estimate_one_and_says_how_it_was_worked_out() -> None:
    care = Estimating()
    care.tell(insured())
    words = seen(care)
    assert "This is an estimate: your health plan has not decided yet." in words
    assert "Friday, November 20 with Dr. Lee" in words
    assert "Of your deductible, $100.00 were left when we asked your plan on November 18; you pay that first." in words
    assert "Your share after the deductible: 20% of $50.00." in words
    assert "Expected from your plan" in words
    assert "will probably go" in words
    assert "Your health plan has decided" not in words


def test_inv_3_once_the_plan_has_decided_nothing_on_the_page_is_an_estimate() -> None:
    care = submitted()
    care.receive(owes(62_50))
    words = seen(care)
    assert "This is an estimate" not in words
    assert "will probably go" not in words
    assert "Your health plan has decided" in words
    assert "Pay $62.50" in words


def test_inv_4_a_self_paid_session_says_that_no_plan_has_a_part_in_it() -> None:
    care = Care(BY_HAND)
    care.tell(session())
    words = seen(care)
    assert "No health plan is asked to pay for this session: you pay for it yourself." in words
    assert "My plan told me another amount" not in words
    assert "Your health plan has decided" not in words


def test_inv_4_an_invoice_by_hand_is_called_what_the_provider_called_it() -> None:
    care = Care(BY_HAND)
    asked = {"client_id": "ana", "amount": 75_00, "description": "Late cancellation, November 12"}
    care.call("POST", "/v1/invoices", asked)
    assert "Late cancellation, November 12" in seen(care)


def test_law_5_the_page_says_why_a_self_paid_bill_is_not_charged_by_itself() -> None:
    care = Care(replace(ENROLLED, cap=1_000_00))
    care.tell(session(rate=450_00, good_faith_estimate=50_00))
    care.tell(session("S-2", rate=50_00, good_faith_estimate=50_00))
    assert seen(care).count("together $400.00 above the estimate you were given") == 1
