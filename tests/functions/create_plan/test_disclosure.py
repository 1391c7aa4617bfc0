"""A plan of six weeks needs a Truth-in-Lending disclosure: shown and accepted before, mailed after (PLAN-10)."""

from dataclasses import replace
from typing import Any

import pytest

from billing.disclosure import STANDARD_ID, STANDARD_TEXT, Disclosure
from billing.planning import Agreement
from billing.policy import TilDisclosure
from billing.ports import Insert, Refused
from functions.create_plan import flow
from tests.billing.examples import BY_HAND, ENROLLED, NOW, PRACTICE, VISA, invoice, practice
from tests.fakes.story import Story, visa_details
from tests.functions.api import Api, Reply, assert_problem

POLICIES = "/v1/practices/riverbend/policies"
SIX_WEEKS: dict[str, Any] = {"weeks": 6, "start_on": "2026-11-20"}
AGREED = {"at": "2026-11-20T08:30:00-08:00", "how": "phone", "by": "front desk"}


@pytest.fixture
def api() -> Api:
    """Ana owes $300.00 and is in autopay."""
    made = Api()
    made.store.commit(Insert(ENROLLED), Insert(VISA), Insert(invoice(300_00, "inv_1")))
    return made


def ask(api: Api, **body: Any) -> Reply:
    return api.call("POST", "/v1/clients/ana/plans", key="practice", body=SIX_WEEKS | body)


def choose(api: Api, **policies: Any) -> Any:
    reply = api.call("PUT", POLICIES, key="practice", body=policies)
    assert reply.status == 200, reply.body
    return reply.body


def refused(reply: Reply, code: str) -> None:
    assert_problem(reply, 409)
    assert (reply.body["type"].rpartition("/")[2], reply.body["code"]) == ("PLAN-10", code)


def kept(api: Api) -> list[Disclosure]:
    return [row for row in api.store.rows() if isinstance(row, Disclosure)]


def test_plan_10_six_weeks_start_once_the_standard_text_was_accepted(api: Api) -> None:
    shown = api.call("GET", POLICIES, key="practice").body["disclosure"]
    assert shown == {"id": STANDARD_ID, "text": STANDARD_TEXT}
    reply = ask(api, agreed=AGREED | {"disclosure": shown["id"]})
    assert (reply.status, reply.body["weeks"]) == (201, 6)
    (accepted,) = kept(api)
    assert (accepted.plan_id, accepted.text, accepted.how) == (reply.body["plan_id"], STANDARD_TEXT, "phone")
    assert accepted.accepted_at.isoformat() == AGREED["at"]


def test_plan_10_agreeing_to_six_weeks_accepts_the_text_in_force(api: Api) -> None:
    assert ask(api, agreed=AGREED).status == 201
    assert [row.text_id for row in kept(api)] == [STANDARD_ID]


def test_plan_10_staff_who_do_not_say_how_it_was_agreed_to_say_that_it_was(api: Api) -> None:
    """Contract.md: `agreed` may be left out. The text in force is kept all the same, and mailed."""
    assert ask(api).status == 201
    assert [(row.text_id, row.how, row.by) for row in kept(api)] == [(STANDARD_ID, "", "")]


@pytest.mark.parametrize("weeks", [2, 4])
def test_plan_10_up_to_four_instalments_need_no_disclosure(api: Api, weeks: int) -> None:
    choose(api, til_disclosure="off")
    assert ask(api, weeks=weeks).status == 201
    assert not kept(api)


def test_plan_10_a_practice_without_a_disclosure_offers_two_and_four_weeks_only(api: Api) -> None:
    assert choose(api, til_disclosure="off")["disclosure"] is None
    refused(ask(api, agreed=AGREED), "six_weeks_not_offered")


def test_plan_10_a_practice_may_write_its_own_text_and_only_that_one_counts(api: Api) -> None:
    first = choose(api, til_disclosure="own", til_text="Six payments, no fees.\nCall us.")["disclosure"]
    assert first["text"] == "Six payments, no fees.\nCall us."
    second = choose(api, til_text="Six payments, no fees. Write to us.")["disclosure"]
    refused(ask(api, agreed=AGREED | {"disclosure": first["id"]}), "disclosure_changed")
    assert ask(api, agreed=AGREED | {"disclosure": second["id"]}).status == 201
    assert [row.text for row in kept(api)] == ["Six payments, no fees. Write to us."]


def test_plan_10_an_own_text_must_be_written(api: Api) -> None:
    reply = api.call("PUT", POLICIES, key="practice", body={"til_disclosure": "own"})
    assert_problem(reply, 422)
    assert [error["loc"] for error in reply.body["errors"]] == ["til_text"]
    assert api.call("GET", POLICIES, key="practice").body["til_disclosure"] == "standard"


def test_plan_2_what_stands_in_the_way_of_any_plan_is_said_first() -> None:
    by_hand = Api()
    by_hand.store.commit(Insert(BY_HAND), Insert(invoice(300_00, "inv_1")))
    reply = ask(by_hand)
    assert (reply.body["type"].rpartition("/")[2], reply.body["code"]) == ("PLAN-2", "no_autopay")


def test_plan_10_nobodys_payment_page_is_closed_for_a_plan_that_is_not_offered() -> None:
    story = Story(practice=practice(til_disclosure=TilDisclosure.OFF))
    story.store.commit(Insert(invoice(300_00, "inv_1")))
    session = story.open_page("inv_1")
    with pytest.raises(Refused) as refusal:
        flow.create(story.store, story.cards, "riverbend", "ana", 6, NOW.date(), Agreement(), NOW)
    assert refusal.value.code == "six_weeks_not_offered"
    story.cards.pay_on_page(session, visa_details())
    story.hear(1)
    assert story.invoice.open_amount == 0


def test_plan_10_the_copy_mailed_is_what_was_accepted_whatever_the_practice_writes_since() -> None:
    own = replace(PRACTICE.policy, til_disclosure=TilDisclosure.OWN, til_text="As you saw it.")
    story = Story(practice=replace(PRACTICE, policy=own))
    story.store.commit(Insert(invoice(300_00, "inv_1")))
    agreement = Agreement(NOW, "phone", "Sam")
    flow.create(story.store, story.cards, "riverbend", "ana", 6, NOW.date(), agreement, NOW)
    story.change(replace(PRACTICE, policy=replace(own, til_text="As it is now.")))
    story.settle()
    (schedule,) = story.letters
    assert (schedule.kind, schedule.disclosure, schedule.amount) == ("plan_schedule", "As you saw it.", 300_00)


def test_plan_10_a_plan_of_four_weeks_is_mailed_without_a_disclosure() -> None:
    story = Story()
    story.store.commit(Insert(invoice(300_00, "inv_1")))
    story.plan(4, NOW.date())
    assert [letter.disclosure for letter in story.letters] == [""]
