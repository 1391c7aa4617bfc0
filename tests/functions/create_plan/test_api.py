"""POST /v1/clients/{client_id}/plans (contract.md, PLAN-1 to PLAN-4)."""

from dataclasses import replace

import pytest

from billing.plan import Plan
from billing.ports import Insert
from tests.billing.examples import BY_HAND, ENROLLED, VISA, invoice
from tests.functions.api import Api, Reply, assert_problem
from tests.functions.care import Racing

PATH = "/v1/clients/ana/plans"
FOUR_WEEKS = {"weeks": 4, "start_on": "2026-11-20"}


@pytest.fixture
def api() -> Api:
    """Ana owes $250.00 and is in autopay."""
    made = Api()
    made.store.commit(Insert(ENROLLED), Insert(VISA), Insert(invoice(250_00, "inv_1")))
    return made


def test_a_plan_is_201_with_the_plan_as_the_account_shows_it(api: Api) -> None:
    """PLAN-4: $250 over 4 weeks is 4 × $62.50."""
    agreed = {"at": "2026-11-20T08:30:00-08:00", "how": "phone", "by": "front desk"}
    reply = api.call("POST", PATH, key="practice", body=FOUR_WEEKS | {"agreed": agreed})
    assert reply.status == 201, reply.body
    account = api.call("GET", "/v1/clients/ana/account", key="practice").body
    assert reply.body == account["plan"]
    assert [part["amount"] for part in reply.body["instalments"]] == [62_50] * 4
    assert account["balance"] == 250_00
    (plan,) = (row for row in api.store.rows() if isinstance(row, Plan))
    assert (plan.agreed_by, plan.agreed_how) == ("front desk", "phone")
    assert plan.agreed_at is not None
    assert plan.agreed_at.isoformat() == "2026-11-20T08:30:00-08:00"


def refused(api: Api, code: str) -> None:
    reply = api.call("POST", PATH, key="practice", body=FOUR_WEEKS)
    assert_problem(reply, 409)
    assert reply.body["type"].endswith("/PLAN-2")
    assert reply.body["code"] == code


def test_a_second_plan_is_refused(api: Api) -> None:
    """PLAN-2."""
    assert api.call("POST", PATH, key="practice", body=FOUR_WEEKS).status == 201
    refused(api, "active_plan")


def test_a_plan_without_autopay_or_without_a_balance_is_refused() -> None:
    """PLAN-2."""
    by_hand, owes_nothing = Api(), Api()
    by_hand.store.commit(Insert(BY_HAND), Insert(invoice(250_00, "inv_1")))
    owes_nothing.store.commit(Insert(ENROLLED), Insert(VISA))
    refused(by_hand, "no_autopay")
    refused(owes_nothing, "no_balance")


def test_a_plan_of_what_is_in_review_or_too_small_is_refused() -> None:
    """PLAN-2."""
    in_review, too_small = Api(), Api()
    questioned = replace(invoice(250_00, "inv_1"), reviews=("hold_1",))
    in_review.store.commit(Insert(ENROLLED), Insert(VISA), Insert(questioned))
    too_small.store.commit(Insert(ENROLLED), Insert(VISA), Insert(invoice(1_99, "inv_1")))
    refused(in_review, "in_review")
    refused(too_small, "too_small")


@pytest.mark.parametrize("start_on", ["2026-11-20", "2026-12-04"], ids=["today", "in 14 days"])
def test_a_plan_may_start_from_today_to_14_days_ahead(api: Api, start_on: str) -> None:
    """PLAN-3, in the practice's zone."""
    reply = api.call("POST", PATH, key="practice", body={"weeks": 2, "start_on": start_on})
    assert reply.status == 201, reply.body
    assert reply.body["instalments"][0]["issue_on"] == start_on


def test_a_plan_that_would_start_too_early_or_too_late_is_422(api: Api) -> None:
    for start_on in ("2026-11-19", "2026-12-05"):
        reply = api.call("POST", PATH, key="practice", body={"weeks": 2, "start_on": start_on})
        assert_problem(reply, 422)
        assert reply.body["errors"][0]["loc"] == "start_on"


# ------------------------------------------------------------------------------------------------ once per key


def asked(api: Api, key: str, **changes: object) -> Reply:
    return api.call("POST", PATH, key="practice", body=FOUR_WEEKS | changes, headers={"idempotency-key": key})


def test_plan_4_the_same_request_with_the_same_key_makes_one_plan_and_shows_it_again(api: Api) -> None:
    made, again = asked(api, "one"), asked(api, "one")
    assert (made.status, again.status) == (201, 200)
    assert again.body == made.body
    assert sum(isinstance(row, Plan) for row in api.store.rows()) == 1


def test_plan_4_another_request_with_the_same_key_is_refused_and_another_key_is_another_request(api: Api) -> None:
    asked(api, "one")
    other = asked(api, "one", weeks=2)
    assert_problem(other, 409)
    assert other.body["code"] == "idempotency_key_reused"
    assert asked(api, "two").body["code"] == "active_plan"


def test_plan_4_a_key_whose_request_was_refused_is_bound_to_nothing(api: Api) -> None:
    assert asked(api, "one", start_on="2020-01-01").status == 422
    assert asked(api, "one").status == 201


def test_plan_4_a_key_shows_its_plan_when_that_is_over(api: Api) -> None:
    plan = asked(api, "one").body
    ended = api.call(
        "POST",
        f"/v1/plans/{plan['plan_id']}/end",
        key="practice",
        body={"reason": "They asked"},
        headers={"idempotency-key": "end"},
    )
    assert ended.status == 200
    again = asked(api, "one")
    assert (again.status, again.body["plan_id"], again.body["status"]) == (200, plan["plan_id"], "ended")


def test_plan_4_of_two_at_the_same_moment_the_second_shows_the_plan_of_the_first(api: Api) -> None:
    racing = Racing(api.store)
    first: list[Reply] = []
    racing.first = lambda: first.append(asked(api, "one"))
    other = Api()
    other.store, other.cards = racing, api.cards
    second = asked(other, "one")
    assert (first[0].status, second.status) == (201, 200)
    assert second.body == first[0].body
