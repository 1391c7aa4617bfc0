"""What a practice chooses through the API has its effect on what is decided next, and none on what was announced before
(docs/decisions/0013). Each story: chosen at the desk, a claim is decided, and Ana, or staff, see the difference.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from billing.account import Account
from billing.autopay import CONSENT_VERSION
from billing.claim import Adjustment, ClaimResult
from billing.ids import api_key_hash
from billing.policy import ApiKey
from billing.ports import Insert
from functions.serve_client.forms import ORDINARY_CARD, Form, Unfit, enrolment
from tests.billing.claim_examples import DISCOUNT, OWES_62_50, SUBMITTED, decided
from tests.billing.examples import BY_HAND, ENROLLED, NOW, PRACTICE
from tests.fakes.story import Story
from tests.functions.api import KEYS, Api

NOT_A_MEMBER = decided(DISCOUNT, Adjustment("PR", "31", 62_50))
"""A reason that calls for a second look."""


class Desk:
    """The practice's own system, at the table that the story is told on."""

    def __init__(self, account: Account = ENROLLED) -> None:
        self.story = Story(account)
        self.api = Api()
        self.api.store = self.story.store
        self.story.store.commit(Insert(ApiKey(api_key_hash(KEYS["practice"]), PRACTICE.practice, ("practice",))))

    def choose(self, **policies: Any) -> None:
        self.api.now = self.story.now
        reply = self.api.call("PUT", "/v1/practices/riverbend/policies", key="practice", body=policies)
        assert reply.status == 200, reply.body

    def bill(self, result: ClaimResult = OWES_62_50) -> Story:
        """Ana's claim is decided: she owes $62.50."""
        self.story.submit(SUBMITTED)
        self.story.receive(result)
        return self.story


@pytest.mark.parametrize(
    ("chosen", "hours"),
    [
        ({"autopay_delay": "48h_after_notice"}, 48),
        ({"autopay_delay": "24h_after_invoice"}, 24),
        ({"autopay_delay": "overnight"}, 17),  # from 9 am to 2 am at the practice
        ({"autopay_delay": "overnight", "minimum_notice_hours": 20}, 20),
        ({"minimum_notice_hours": 72}, 72),
    ],
    ids=str,
)
def test_auto_3_the_charge_happens_when_the_practice_chose(chosen: dict[str, Any], hours: int) -> None:
    desk = Desk()
    desk.choose(**chosen)
    story = desk.bill()
    assert [letter.moment for letter in story.letters] == [NOW + timedelta(hours=hours)]
    story.until(NOW + timedelta(hours=hours, minutes=-1))
    assert story.taken == 0
    story.forward(minutes=1)
    assert story.taken == 62_50


@pytest.mark.parametrize(("limit", "mail"), [(62_50, "charge_notice"), (62_49, "approval_request")])
def test_auto_2_a_bill_above_the_limit_that_the_practice_chose_waits_for_a_click(limit: int, mail: str) -> None:
    desk = Desk()
    desk.choose(default_cap=limit)
    assert desk.bill().mails == [mail]


@pytest.mark.parametrize(
    ("policy", "result", "reason"),
    [
        ("accept_test_files", replace(OWES_62_50, test=True), "test_file"),
        ("bill_reviewable", NOT_A_MEMBER, "needs_review"),
    ],
)
def test_inv_1_what_is_held_by_default_is_billed_where_the_practice_chose_so(
    policy: str, result: ClaimResult, reason: str
) -> None:
    held, billed = Desk(), Desk()
    assert [hold.reason for hold in held.bill(result).holds] == [reason]
    billed.choose(**{policy: True})
    assert billed.bill(result).invoice.open_amount == 62_50


def test_auto_7_a_declined_charge_is_tried_again_on_the_days_that_the_practice_chose() -> None:
    desk = Desk()
    desk.choose(retry_days=[2, 6])
    story = desk.bill()
    story.cards.cards["pm_visa"] = "insufficient_funds"
    story.forward(days=30)
    tried = [attempt.started_at for attempt in story.books.attempts]
    assert [at - tried[0] for at in tried] == [timedelta(days=days) for days in (0, 2, 6)]


def test_inv_8_and_inv_9_reminders_and_the_window_are_those_chosen_when_the_bill_was_issued() -> None:
    """9 am of the second and fifth day, and past due after the tenth."""
    desk = Desk(BY_HAND)
    desk.choose(reminder_days=[2, 5], payment_window_days=10)
    story = desk.bill()
    story.until(NOW + timedelta(days=5))
    assert story.mails == ["invoice", "reminder", "reminder"]
    assert story.invoice.status == "open"
    story.until(NOW + timedelta(days=12))
    assert story.invoice.status == "past_due"


@pytest.mark.parametrize(("chosen", "enrolled"), [(False, False), (True, True)])
def test_pay_6_an_fsa_card_is_enrolled_only_where_the_practice_allows_it(chosen: bool, enrolled: bool) -> None:
    desk = Desk(BY_HAND)
    desk.choose(fsa_autopay=chosen)
    desk.story.enrol(fsa=True)
    assert desk.story.books.account.autopay is enrolled
    assert desk.story.mails == ["autopay_on" if enrolled else "autopay_off"]


def test_auto_1_nobody_enrols_where_the_practice_does_not_offer_it_and_who_is_stays() -> None:
    desk = Desk()
    desk.choose(autopay_offered=False)
    story = desk.bill()
    assert story.mails == ["charge_notice"]
    owner = story.store.get(PRACTICE.key)
    ticked = Form({"autopay": ["on"], "terms": [CONSENT_VERSION], "card_kind": [ORDINARY_CARD]})
    with pytest.raises(Unfit) as unfit:
        enrolment(ticked, story.books, owner, "203.0.113.7", NOW)  # type: ignore[arg-type]
    assert "does not offer" in unfit.value.errors["autopay"]


@pytest.mark.parametrize(("chosen", "status", "left"), [("refused", 409, 62_50), ("recorded", 201, 0)])
def test_inv_10_money_from_outside_is_recorded_where_the_practice_chose_so(chosen: str, status: int, left: int) -> None:
    desk = Desk()
    desk.choose(outside_payments=chosen)
    story = desk.bill()
    reply = desk.api.call(
        "POST",
        f"/v1/invoices/{story.invoice.invoice_id}/payments",
        key="practice",
        body={"amount": 62_50, "reason": "paid at the desk"},
        headers={"idempotency-key": "k1"},
    )
    assert (reply.status, story.invoice.open_amount) == (status, left)
    story.forward(days=3)
    assert story.taken == left


@pytest.mark.parametrize("chosen", ["24h_after_invoice", "overnight"])
def test_auto_3_an_announced_charge_stays_where_it_is_when_the_practice_changes_its_mind(chosen: str) -> None:
    """The notice said Sunday, 9 am: whatever would be sooner by now, nothing is charged before."""
    desk = Desk()
    story = desk.bill()
    story.forward(hours=1)
    desk.choose(autopay_delay=chosen)
    story.until(NOW + timedelta(hours=47, minutes=59))
    assert story.taken == 0
    story.forward(minutes=1)
    assert story.taken == 62_50
    assert story.mails == ["charge_notice", "receipt"]


def test_auto_2_a_limit_that_was_lowered_since_stops_an_announced_charge() -> None:
    """What guards a client is asked once more when money would move."""
    desk = Desk()
    story = desk.bill()
    desk.choose(default_cap=50_00)
    story.forward(days=3)
    assert story.taken == 0
    assert [fact.data["reason"] for fact in story.facts if fact.kind == "ChargeCancelled"] == ["above_cap"]
