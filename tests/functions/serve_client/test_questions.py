""" "My plan told me another amount": the client's own way to a review (INV-7, AUTO-4)."""

from datetime import UTC, datetime

import pytest

from billing.facts import Fact, FactKind
from billing.invoice import Source, Status
from billing.ports import Refused
from billing.review import AskedBy, Review, ReviewStatus
from edges.render import render_page
from functions.serve_client import questions
from functions.serve_client.door import Answer, Page, SeeOther
from functions.serve_client.flow import check_phone, pay, show
from functions.serve_client.forms import REVIEW_STEP, Form
from tests.functions.serve_client.html import Element, parsed
from tests.functions.serve_client.world import (
    BASE,
    CLIENT,
    NOW,
    PHONE,
    PRACTICE,
    World,
    a_world,
    form,
    three_bills,
    visit,
)

TOLD = {"invoice": "inv_1", "quoted_amount": "40", "call_reference": "REF-77", "words": "They said\n40 dollars."}
LINK = "My plan told me another amount"


def one_bill(**bill: object) -> World:
    world = a_world()
    world.bill(1, **bill)  # type: ignore[arg-type]
    world.signed_in()
    return world


def seen(answer: Answer) -> Element:
    assert isinstance(answer, Page), answer
    return parsed(render_page(answer.name, answer.known))


def send(world: World, **fields: str) -> Answer:
    return questions.send(world.store, lambda: world.cards, visit(), form(**fields))


def asked_for(world: World, invoice_id: str = "inv_1", status: ReviewStatus = ReviewStatus.OPEN) -> None:
    world.put(Review(PRACTICE, CLIENT, "rev_1", 1, invoice_id, NOW, AskedBy.CLIENT, 6250, status=status))


def test_inv_7_each_bill_leads_to_the_question_and_its_form_names_the_bill() -> None:
    world = three_bills()
    links = [a["href"] for a in seen(show(world.store, visit())).all("a") if a.text == LINK]
    assert sorted(links) == [f"{BASE}/review?invoice=inv_{n}" for n in (1, 2, 3)]
    page = seen(questions.show(world.store, visit(), "inv_2"))
    assert "Friday, October 16" in page.headings()
    assert "$125.00" in page.text
    assert [label.text for label in page.all("label")] == [
        "Amount your plan told you",
        "Reference number of your call (optional)",
        "What did they say? (optional)",
    ]


def test_inv_7_the_clients_word_opens_a_review_and_the_bill_says_so() -> None:
    world = one_bill(charge_at=datetime(2026, 11, 24, 17, 0, tzinfo=UTC))
    assert send(world, **TOLD) == SeeOther(BASE)
    (review,) = world.books.reviews
    assert (review.asked_by, review.quoted, review.call_reference) == (AskedBy.CLIENT, 4000, "REF-77")
    assert review.reason == "They said 40 dollars."
    (bill,) = world.books.invoices
    assert (bill.status, bill.charge_at) == (Status.IN_REVIEW, None)
    page = seen(show(world.store, visit()))
    assert "Being checked" in page.text
    assert "You asked us to check this amount. Nothing is charged meanwhile" in page.text
    assert not [b for b in page.buttons() if b.startswith("Pay")]
    assert LINK not in page.text


def test_inv_7_what_the_client_wrote_is_in_no_fact() -> None:
    """LAW-1: free text may speak of health."""
    world = one_bill()
    send(world, **TOLD)
    facts = [row for row in world.store.stream if isinstance(row, Fact)]
    assert [fact.kind for fact in facts] == [FactKind.INVOICE_PUT_IN_REVIEW, FactKind.REVIEW_REQUESTED]
    assert not any("dollars" in str(value) for fact in facts for value in fact.data.values())


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"quoted_amount": ""}, "Please write the amount your plan told you in dollars, like 40 or 40.00."),
        ({"quoted_amount": "forty"}, "Please write the amount your plan told you in dollars, like 40 or 40.00."),
        ({"quoted_amount": "100000.01"}, "Please write the amount your plan told you in dollars, like 40 or 40.00."),
        ({"quoted_amount": "62.50"}, "$62.50 is what this bill asks for. Which amount did your plan tell you?"),
        ({"call_reference": "7" * 65}, "Please write the reference number only, at most 64 characters."),
        ({"words": "a" * 501}, "Please say it in at most 500 characters."),
    ],
)
def test_inv_7_a_form_that_cannot_be_taken_is_shown_again_as_it_was_sent(fields: dict[str, str], told: str) -> None:
    world = one_bill()
    sent = TOLD | fields
    answer = send(world, **sent)
    assert isinstance(answer, Page)
    assert (answer.status, told in seen(answer).text) == (422, True)
    values = {field["name"]: field["value"] for field in seen(answer).all("input") if field["name"] != "csrf"}
    assert values["call_reference"] == sent["call_reference"]
    assert world.books.reviews == ()


def test_inv_7_a_free_visit_is_an_amount_too() -> None:
    world = one_bill()
    assert send(world, **TOLD | {"quoted_amount": "0"}) == SeeOther(BASE)
    assert world.books.reviews[0].quoted == 0


def test_inv_7_who_did_not_pass_the_phone_check_can_question_nothing() -> None:
    world = one_bill()
    stranger = visit("")
    assert questions.send(world.store, lambda: world.cards, stranger, form("", **TOLD)) == SeeOther(BASE)
    door = questions.show(world.store, stranger, "inv_1")
    assert isinstance(door, Page)
    assert door.name == "phone"
    assert world.books.reviews == ()


def test_inv_7_a_form_of_another_site_is_refused() -> None:
    world = one_bill()
    answer = questions.send(world.store, lambda: world.cards, visit(), Form({"csrf": ["guess"], "invoice": ["inv_1"]}))
    assert isinstance(answer, Page)
    assert (answer.name, answer.status, world.books.reviews) == ("stale_form", 403, ())


@pytest.mark.parametrize(
    ("number", "then", "leads_to"),
    [
        (PHONE, REVIEW_STEP, f"{BASE}{REVIEW_STEP}"),
        (PHONE, "//elsewhere.example", BASE),
        (PHONE, "", BASE),
    ],
)
def test_auto_4_the_phone_check_leads_on_to_the_question(number: str, then: str, leads_to: str) -> None:
    world = one_bill()
    answer = check_phone(world.store, visit(""), form("", phone=number, then=then), "a-new-session")
    assert isinstance(answer, SeeOther)
    assert answer.location == leads_to


def test_auto_4_a_wrong_number_keeps_the_way() -> None:
    world = one_bill()
    answer = check_phone(world.store, visit(""), form("", phone="+12025550199", then=REVIEW_STEP), "a-new-session")
    hidden = [field["value"] for field in seen(answer).all("input") if field["name"] == "then"]
    assert hidden == [REVIEW_STEP]


def test_auto_4_without_a_name_the_only_bill_is_meant() -> None:
    assert seen(questions.show(one_bill().store, visit(), "")).headings()[0] == "Did your plan tell you another amount?"
    assert questions.show(three_bills().store, visit(), "") == SeeOther(BASE)


@pytest.mark.parametrize(
    "bill",
    [
        {"reviews": ("hold_1",)},
        {"disputed": True},
        {"paid": 6250},
        {"source": Source.PLAN},
        {"source": Source.PLAN_REMAINDER},
    ],
    ids=lambda bill: next(iter(bill)),
)
def test_inv_7_what_cannot_be_questioned_here_leads_back_to_the_bills(bill: dict[str, object]) -> None:
    world = one_bill(**bill)
    assert LINK not in seen(show(world.store, visit())).text
    assert questions.show(world.store, visit(), "inv_1") == SeeOther(BASE)
    assert send(world, **TOLD) == SeeOther(BASE)
    assert world.books.reviews == ()


def test_inv_7_a_bill_of_somebody_else_cannot_be_questioned() -> None:
    assert send(one_bill(), **TOLD | {"invoice": "inv_of_another"}) == SeeOther(BASE)


def test_inv_7_a_client_asks_once_and_then_reads_that_the_amount_stands() -> None:
    world = one_bill()
    asked_for(world, status=ReviewStatus.UPHELD)
    page = seen(show(world.store, visit()))
    assert "We checked this amount for you: it stands." in page.text
    assert LINK not in page.text
    assert send(world, **TOLD) == SeeOther(BASE)
    assert len(world.books.reviews) == 1


def test_inv_7_a_page_left_open_is_closed_and_a_payment_on_its_way_says_so() -> None:
    world = one_bill()
    pay(world.store, world.cards, visit(), form(invoice="inv_1"))
    assert send(world, **TOLD) == SeeOther(BASE)
    assert world.cards.pages[world.attempt().session_id].state == "expired"
    paying = one_bill()
    pay(paying.store, paying.cards, visit(), form(invoice="inv_1"))
    paying.cards.pay_on_page(paying.attempt().session_id, None, processing=True)  # type: ignore[arg-type]
    with pytest.raises(Refused) as refusal:
        send(paying, **TOLD)
    assert refusal.value.code == "payment_in_progress"
