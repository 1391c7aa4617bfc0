"""A practice reads and changes what it chose (DESK-6): `GET/PUT /v1/practices/{id}/policies`."""

import re
from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest

from billing.facts import Fact
from billing.ids import api_key_hash, facts_pk
from billing.policy import NOT_BUILT, Policy
from billing.policy_guide import GUIDE
from billing.ports import Insert
from edges.inbound.practice import PolicyIn
from tests.billing.examples import NOW, VISA
from tests.functions.api import KEYS, Api, Reply, assert_problem

PATH = "/v1/practices/riverbend/policies"


@pytest.fixture
def api() -> Api:
    return Api()


def show(api: Api) -> dict[str, Any]:
    reply = api.call("GET", PATH, key="practice")
    assert reply.status == 200
    shown: dict[str, Any] = reply.body
    return shown


def put(api: Api, **change: Any) -> Reply:
    return api.call("PUT", PATH, key="practice", body=change)


def told(api: Api) -> list[Fact]:
    """What the practice's own timeline says, oldest first."""
    return [row for row in api.store.partition(facts_pk("riverbend", ""), "FACT#") if isinstance(row, Fact)]


def test_desk_6_every_policy_is_shown_with_its_value_its_default_and_what_it_does(api: Api) -> None:
    shown = show(api)
    assert (shown["version"], shown["autopay_delay"], shown["retry_days"], shown["default_cap"]) == (
        1,
        "48h_after_notice",
        [1, 3, 7],
        500_00,
    )
    assert shown["about"]["minimum_notice_hours"] == {
        "default": 4,
        "allowed": "4 to 336",
        "does": "How many hours old an accepted notice is at least before its charge, whatever autopay_delay says.",
        "rules": ["AUTO-3"],
        "available": True,
    }
    assert not shown["about"]["plan_absorbs_new"]["available"]


def test_desk_6_every_policy_has_one_sentence_for_whoever_chooses() -> None:
    assert set(GUIDE) == {field.name for field in fields(Policy)}
    for name, guide in GUIDE.items():
        assert guide.does.endswith("."), name
        assert ". " not in guide.does, f"{name}: one sentence"
        assert guide.rules, name


def test_desk_6_what_may_be_chosen_is_said_as_it_is_checked() -> None:
    """The sentence for people names each bound that the check has."""
    schema = PolicyIn.model_json_schema()
    for name, guide in GUIDE.items():
        checked = schema["properties"][name]
        one = checked.get("items", checked)
        bounds = {one[bound] for bound in ("minimum", "maximum", "maxLength") if bound in one}
        bounds |= {checked["maxItems"]} if "maxItems" in checked else set()
        if "$ref" in checked:
            choices = schema["$defs"][checked["$ref"].rpartition("/")[2]]["enum"]
            assert set(guide.allowed.replace(" or ", ", ").split(", ")) == set(choices)
        else:
            assert {int(number) for number in re.findall(r"\d+", guide.allowed)} == bounds, name


def test_desk_6_a_change_leaves_the_rest_as_it_is_and_is_the_next_version(api: Api) -> None:
    before, change = show(api), {"autopay_delay": "overnight", "reminder_days": [5, 10]}
    reply = put(api, **change)
    assert (reply.status, reply.body) == (200, before | change | {"version": 2})
    assert show(api) == reply.body


def test_desk_6_what_is_shown_can_be_sent_back_whole(api: Api) -> None:
    shown = show(api) | {"default_cap": 200_00}
    reply = api.call("PUT", PATH, key="practice", body=shown)
    assert (reply.status, reply.body) == (200, shown | {"version": 2})


def test_desk_6_each_change_is_a_fact_of_who_changed_what_from_what(api: Api) -> None:
    put(api, default_cap=200_00, fsa_autopay=True)
    api.now = NOW + timedelta(hours=1)
    put(api, retry_days=[2, 5], autopay_delay="overnight")
    first, second = told(api)
    key_id = api_key_hash(KEYS["practice"])[:12]
    assert (first.kind, first.actor, first.cause, first.at) == ("PolicyChanged", "staff", key_id, NOW)
    assert first.data == {
        "policy_version": 2,
        "default_cap.old": 500_00,
        "default_cap.new": 200_00,
        "fsa_autopay.old": "false",
        "fsa_autopay.new": "true",
    }
    assert second.data == {
        "policy_version": 3,
        "autopay_delay.old": "48h_after_notice",
        "autopay_delay.new": "overnight",
        "retry_days.old": "[1, 3, 7]",
        "retry_days.new": "[2, 5]",
    }


def test_desk_6_the_same_change_again_changes_nothing(api: Api) -> None:
    """Also where its first answer was lost, and it names the version it was made for."""
    first = put(api, version=1, default_cap=200_00)
    again = put(api, version=1, default_cap=200_00)
    assert (again.status, again.body) == (200, first.body)
    assert put(api).body == first.body
    assert len(told(api)) == 1


def test_desk_6_a_change_made_for_an_older_version_overwrites_nothing(api: Api) -> None:
    put(api, version=1, default_cap=200_00)
    lost = put(api, version=1, default_cap=300_00)
    assert_problem(lost, 409)
    assert (lost.body["code"], lost.body["type"].rpartition("/")[2]) == ("policies_changed", "DESK-6")
    assert show(api)["default_cap"] == 200_00
    assert put(api, version=2, default_cap=300_00).body["version"] == 3


def test_desk_6_what_the_practice_is_called_has_nothing_to_do_with_what_it_chose(api: Api) -> None:
    put(api, default_cap=200_00)
    practice = {
        "name": "Riverbend & Oak",
        "time_zone": "America/New_York",
        "phone": "+12025550100",
        "email": "desk@riverbend.example",
    }
    assert api.call("PUT", "/v1/practices/riverbend", key="support", body=practice).status == 200
    provider = {"name": "Dr. Lee", "email": "lee@riverbend.example"}
    assert api.call("PUT", "/v1/providers/dr_lee", key="practice", body=provider).status == 201
    shown = show(api)
    assert (shown["default_cap"], shown["version"]) == (200_00, 2)
    assert put(api, version=2, fsa_autopay=True).status == 200


WRONG = {
    "amount_source": "guess",
    "overpayment": True,
    "eap_programmes": ["Elm", "elm"],
    "autopay_delay": "tomorrow",
    "autopay_offered": "yes",
    "minimum_notice_hours": 3,
    "retry_days": [1, 3, 31],
    "fsa_autopay": 1,
    "default_cap": -1,
    "payment_window_days": 366,
    "reminder_days": [7, 3],
    "accept_test_files": None,
    "bill_reviewable": "",
    "outside_payments": "allowed",
    "card_required": "no",
    "plan_absorbs_new": 0,
    "til_disclosure": "on",
    "til_text": "a bell\a",
}


@pytest.mark.parametrize("name", GUIDE)
def test_desk_6_a_value_out_of_range_is_told_what_it_must_be(api: Api, name: str) -> None:
    reply = put(api, **{name: WRONG[name]})
    assert_problem(reply, 422)
    assert reply.body["errors"] == [{"loc": name, "msg": f"must be {GUIDE[name].allowed}"}]
    assert show(api)["version"] == 1


def test_auto_11_the_account_answers_whether_the_client_can_book(api: Api) -> None:
    client = {"name": "Ana Ruiz", "email": "ana@mail.example", "phone": "+13105550111", "state": "CA"}
    for client_id, state in (("ana", "CA"), ("ben", "ny")):
        sent = client | {"state": state}
        assert api.call("PUT", f"/v1/clients/{client_id}", key="practice", body=sent).status == 201
    can_book = lambda who: api.call("GET", f"/v1/clients/{who}/account", key="practice").body["can_book"]  # noqa: E731
    assert can_book("ana")
    assert put(api, card_required=True).status == 200
    assert not can_book("ana")
    assert can_book("ben")
    api.store.commit(Insert(VISA))
    assert can_book("ana")


ELSE = {
    "amount_source": "estimate",
    "overpayment": "credit",
    "eap_programmes": ["Elm Care"],
    "card_required": True,
    "plan_absorbs_new": True,
    "til_disclosure": "off",
    "til_text": "Ours.",
}


@pytest.mark.parametrize("name", sorted(NOT_BUILT))
def test_desk_6_a_policy_that_nothing_obeys_yet_keeps_its_default(api: Api, name: str) -> None:
    reply = put(api, **{name: ELSE[name]})
    assert_problem(reply, 422)
    assert reply.body["errors"] == [{"loc": name, "msg": "is not available yet: only its default can be chosen"}]
    shown = show(api)
    assert not shown["about"][name]["available"]
    assert put(api, **{name: shown["about"][name]["default"]}).status == 200


def test_desk_6_a_policy_nobody_knows_is_named(api: Api) -> None:
    reply = put(api, autopay_speed=1)
    assert_problem(reply, 422)
    assert [error["loc"] for error in reply.body["errors"]] == ["autopay_speed"]


def test_auto_7_no_choice_of_retry_days_reaches_what_card_networks_take(api: Api) -> None:
    """Visa takes 20 tries in 30 days, Mastercard 35 and 10 in 24 h: the most that can be chosen are 13, one a day."""
    assert put(api, retry_days=list(range(1, 13))).status == 200
    assert_problem(put(api, retry_days=list(range(1, 14))), 422)
