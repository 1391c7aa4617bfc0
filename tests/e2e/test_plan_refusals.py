"""Each reason why a balance can have no payment plan, by its name (PLAN-1, PLAN-2, PLAN-3)."""

from datetime import timedelta

import httpx
import pytest

from tests.e2e.kindbill import ZONE, Client, Kindbill


def asked(client: Client, weeks: int = 4, in_days: int = 1) -> httpx.Response:
    """A plan is asked for by staff."""
    today = client.kindbill.now().astimezone(ZONE).date()
    body = {
        "weeks": weeks,
        "start_on": (today + timedelta(days=in_days)).isoformat(),
        "agreed": {"at": client.kindbill.now().isoformat(), "how": "phone", "by": "front desk"},
    }
    return client.kindbill.call("POST", f"/v1/clients/{client.client_id}/plans", "practice", json=body)


def assert_refused(answer: httpx.Response, code: str) -> None:
    assert answer.status_code == 409, answer.text
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"].endswith("/PLAN-2")
    assert problem["code"] == code
    assert problem["detail"]


def test_without_a_card_in_autopay(kindbill: Kindbill) -> None:
    client = kindbill.new_client("cardless")
    client.owes(250_00)
    assert_refused(asked(client), "no_autopay")


def test_without_a_balance(kindbill: Kindbill) -> None:
    client = kindbill.new_client("debtless")
    client.save_card()
    assert_refused(asked(client), "no_balance")


def test_with_instalments_under_fifty_cents_or_a_plan_already(kindbill: Kindbill) -> None:
    client = kindbill.new_client("small")
    client.save_card()
    client.owes(2_99)
    assert_refused(asked(client, weeks=6), "too_small")
    made = asked(client, weeks=4)
    assert made.status_code == 201
    assert made.json() == client.account()["plan"]
    assert [one["amount"] for one in made.json()["instalments"]] == [75, 75, 75, 74]
    assert_refused(asked(client), "active_plan")


@pytest.mark.parametrize(("weeks", "in_days"), [(3, 1), (52, 1), (4, -1), (4, 15)])
def test_with_terms_that_are_not_offered(kindbill: Kindbill, weeks: int, in_days: int) -> None:
    """PLAN-1: exactly 2, 4 or 6 weeks; contract: from today to 14 days on."""
    client = kindbill.new_client("hopeful")
    client.save_card()
    client.owes(250_00)
    answer = asked(client, weeks, in_days)
    assert answer.status_code == 422
    assert answer.json()["errors"]
    assert client.account()["plan"] is None


def test_for_somebody_unknown(kindbill: Kindbill) -> None:
    body = {"weeks": 4, "start_on": kindbill.now().date().isoformat()}
    assert kindbill.call("POST", "/v1/clients/nobody/plans", "practice", json=body).status_code == 404


def test_desk_4_staff_end_a_plan_and_what_is_left_is_one_bill_that_is_not_charged_by_itself(kindbill: Kindbill) -> None:
    """Asked for twice with one key, it is made once and ended once."""
    client = kindbill.new_client("relieved")
    client.save_card()
    client.owes(250_00)
    today = kindbill.now().astimezone(ZONE).date()
    terms = {"weeks": 4, "start_on": today.isoformat()}
    at = f"/v1/clients/{client.client_id}/plans"
    keyed = {"headers": {"idempotency-key": f"plan of {client.client_id}"}}
    made, again = (kindbill.call("POST", at, "practice", json=terms, **keyed) for _ in range(2))
    assert (made.status_code, again.status_code, again.json()["plan_id"]) == (201, 200, made.json()["plan_id"])
    kindbill.forward("24h")
    assert client.taken() == [62_50]

    path = f"/v1/plans/{made.json()['plan_id']}/end"
    ended, repeated = (
        kindbill.call("POST", path, "practice", json={"reason": "They pay the rest at once"}, **keyed) for _ in range(2)
    )
    assert (ended.status_code, repeated.status_code) == (200, 200), ended.text
    assert (ended.json()["status"], ended.json()["invoice"]["open_amount"]) == ("ended", 187_50)
    assert (client.account()["balance"], client.account()["upcoming_charges"]) == (187_50, [])
    kindbill.settle()
    assert "Your payment plan has ended: $187.50 is due" in client.mail("plan_broken")["subject"]
    kindbill.forward("8d")
    assert client.taken() == [62_50]
