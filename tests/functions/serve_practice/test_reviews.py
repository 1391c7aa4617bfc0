"""The practice's list of bills that clients asked to look into, and what takes a review off it (INV-7, DESK-4)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from billing.account import Account
from billing.claim_state import ReceivedResult
from billing.ids import api_key_hash, reviews_pk
from billing.invoice import Invoice
from billing.policy import KEY_ID_CHARS
from billing.ports import Insert
from billing.review import AskedBy, ListedReview, Review, ReviewStatus, review_id
from functions.serve_practice import reviews
from tests.billing.claim_examples import DEDUCTIBLE, DISCOUNT, OWES_62_50, REVERSAL_OF_IT, SUBMITTED, decided
from tests.billing.examples import BY_HAND, ENROLLED, NOW, invoice
from tests.fakes.store import MemoryStore
from tests.functions.api import KEYS
from tests.functions.care import Care
from tests.functions.change_invoice.staff import BILL, sound

ASKED = {"reason": "They said 40", "quoted_amount": 40_00, "call_reference": "REF-77"}

KEY = api_key_hash(KEYS["practice"])[:KEY_ID_CHARS]


def questioned(account: Account = BY_HAND) -> Care:
    """Ana's bill of $62.50, which her plan told her otherwise."""
    care = Care(account)
    care.submit(SUBMITTED)
    care.receive(OWES_62_50)
    assert care.call("POST", f"/v1/invoices/{BILL}/reviews", ASKED).status == 201
    return care


def listed(care: Care, status: str = "open") -> list[dict[str, Any]]:
    reply = care.call("GET", f"/v1/reviews?status={status}")
    assert (reply.status, reply.body["more"]) == (200, None)
    found: list[dict[str, Any]] = reply.body["reviews"]
    return found


def change(care: Care, deed: str) -> int:
    made = care.call("POST", f"/v1/invoices/{BILL}/{deed}", {"reason": "Ours to bear"}, idempotency_key=deed)
    return made.status


def test_inv_7_what_waits_is_listed_with_what_was_said_and_since_when_the_bill_stands_still() -> None:
    care = questioned()
    since = care.now.isoformat()
    care.forward(days=3)
    (waiting,) = listed(care)
    assert (waiting["invoice_id"], waiting["client_id"], waiting["status"]) == (BILL, "ana", "open")
    assert (waiting["asked_by"], waiting["reason"], waiting["call_reference"]) == ("staff", "They said 40", "REF-77")
    assert (waiting["invoice_amount"], waiting["open_amount"], waiting["quoted_amount"]) == (62_50, 62_50, 40_00)
    assert waiting["paused_since"] == waiting["opened_at"]
    assert waiting["opened_at"][:16] == since[:16]
    assert waiting["decision"] is None
    assert care.call("GET", f"/v1/reviews/{waiting['review_id']}").body == waiting


def test_desk_4_what_was_decided_is_listed_apart_with_who_decided() -> None:
    care = questioned()
    (waiting,) = listed(care)
    at = f"/v1/reviews/{waiting['review_id']}/decision"
    over = care.call("POST", at, {"decision": "uphold", "reason": "It stands", "call_reference": "REF-91"}).body
    assert (listed(care), listed(care, "decided")) == ([], [over])
    assert (over["decision"]["decision"], over["decision"]["decided_by"]) == ("uphold", KEY)
    assert over["paused_since"] is None
    assert care.call("GET", f"/v1/reviews/{waiting['review_id']}").body == over


def test_inv_7_no_review_is_404_and_no_status_is_400() -> None:
    care = questioned()
    assert care.call("GET", f"/v1/reviews/{review_id('riverbend', 'ana', BILL, 7)}").status == 404
    assert care.call("GET", "/v1/reviews/rev_nothing").status == 404
    assert care.call("GET", "/v1/reviews?status=closed").status == 400


def test_inv_7_reviews_are_shown_page_by_page_each_once() -> None:
    store = MemoryStore()
    for number in range(7):
        one = opened(store, number)
        at = one.opened_at + timedelta(days=1)
        place = ListedReview.of(replace(one, decided_at=None if one.is_open else at))
        store.commit(Insert(place))
    assert walked(store, is_open=True) == sorted(walked(store, is_open=True))
    assert walked(store, is_open=False) == sorted(walked(store, is_open=False), reverse=True)
    assert (len(walked(store, is_open=True)), len(walked(store, is_open=False))) == (4, 3)


def opened(store: MemoryStore, number: int) -> Review:
    at = NOW + timedelta(minutes=(number * 3) % 7)  # another order than that of their ids
    bill: Invoice = invoice(100, f"inv_{number}")
    status = ReviewStatus.UPHELD if number % 2 else ReviewStatus.OPEN
    known = review_id("riverbend", "ana", bill.invoice_id, 0)
    one = Review("riverbend", "ana", known, 1, bill.invoice_id, at, AskedBy.CLIENT, 100, status=status)
    store.commit(Insert(bill), Insert(one))
    return one


def walked(store: MemoryStore, *, is_open: bool) -> list[Any]:
    seen, after = [], ""
    for _ in range(4):
        page = reviews.listed(store, "riverbend", is_open=is_open, after=after, most=1 if not seen else 2)
        seen += [one.review.opened_at for one in page.found]
        after = page.more
        if not after:
            return seen
    raise AssertionError("the list has no end")


# ---------------------------------------------------------------------------------------------------- overtaken


@pytest.mark.parametrize(
    ("deed", "ended"), [("void", "voided"), ("write-off", "written_off")], ids=["void", "write-off"]
)
def test_desk_3_whoever_cancels_a_bill_under_review_ends_the_review_and_one_mail_says_both(
    deed: str, ended: str
) -> None:
    """INV-7"""
    care = questioned(ENROLLED)
    assert change(care, deed) == 200
    assert listed(care) == []
    (over,) = listed(care, "decided")
    assert (over["status"], over["decision"]["decision"], over["decision"]["amount"]) == (ended, ended, 0)
    assert (over["decision"]["decided_by"], over["paused_since"]) == (None, None)
    assert care.mails == ["charge_notice", "review_opened", "no_longer_owed"]
    assert care.letters[-1].what_to_do.startswith("We were checking the amount of this bill")
    assert (care.invoice.reviews, care.invoice.paused_at) == ((), None)
    at = f"/v1/reviews/{over['review_id']}/decision"
    again = care.call("POST", at, {"decision": "uphold", "reason": "It stands"})
    assert (again.status, again.body["code"]) == (409, "already_decided")
    care.forward(days=90)
    assert care.mails == ["charge_notice", "review_opened", "no_longer_owed"]
    assert sound(care)


def test_inv_3_a_bill_under_review_that_its_payer_takes_back_is_looked_into_no_more() -> None:
    """INV-7"""
    care = questioned()
    care.receive(REVERSAL_OF_IT)
    (over,) = listed(care, "decided")
    assert (over["status"], over["decision"]["amount"], over["open_amount"]) == ("nothing_owed", 0, 0)
    assert care.mails == ["invoice", "review_opened", "invoice_changed"]
    assert care.letters[-1].what_to_do.startswith("We were checking the amount of this bill")
    assert listed(care) == []
    assert sound(care)


def test_inv_7_what_is_upheld_is_the_amount_that_the_payer_has_made_of_it_by_then() -> None:
    """INV-3: the review stays open, and the mail names no amount that is asked for no more."""
    care = questioned()
    for result in (REVERSAL_OF_IT, decided(DISCOUNT, DEDUCTIBLE, payer_claim_id="2026000999")):
        care.store.commit(Insert(ReceivedResult("riverbend", result, "receipt_2", care.now)))
    care.settle()
    (waiting,) = listed(care)
    assert (care.invoice.total, waiting["invoice_amount"], waiting["open_amount"]) == (40_00, 62_50, 40_00)
    at = f"/v1/reviews/{waiting['review_id']}/decision"
    upheld = care.call("POST", at, {"decision": "uphold", "reason": "It stands"}).body
    assert upheld["decision"]["amount"] == 40_00
    assert (care.mails[-1], care.letters[-1].amount, care.letters[-1].left) == ("review_upheld", 40_00, 40_00)
    assert sound(care)


def test_inv_7_no_list_holds_a_review_that_is_not_there() -> None:
    care = questioned()
    change(care, "void")
    rows = care.store.partition(reviews_pk("riverbend"))
    assert [(row.review_id, row.is_open) for row in rows if isinstance(row, ListedReview)] == [
        (care.books.reviews[0].review_id, False)
    ]
