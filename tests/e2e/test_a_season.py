"""Three months in the life of one practice: declines and retries, plans, reminders, bills that nobody pays.

Moving the clock costs the same for one client as for ten, so they live through the season together, once, and each test
reads in mails, accounts and at Stripe what became of one of them. Expectations are dates from what started them.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import pytest
from playwright.sync_api import Browser

from tests.e2e.browser import Visitor
from tests.e2e.kindbill import A_CARD, ZONE, Client, Json, Kindbill, instant

FUNDS = "not enough money available"
REMINDER_DAYS = (3, 7, 14, 30, 45, 55)


@dataclass(frozen=True)
class Season:
    """Who lived through it. `began`: when most of it was set up · `link_status`: of the first pay link, at 90 days and
    a minute later · `moved`: what the plan of `by_plan` took · `plan`: that plan as it was made."""

    began: datetime
    without_funds: Client
    lost_card: Client
    unlucky: Client
    by_plan: Client
    odd_cents: Client
    breaking: Client
    reminded: Client
    pays_on_day_four: Client
    a_few_cents: Client
    cents_along: Client
    link_status: tuple[int, int]
    moved: tuple[str, ...]
    plan: Json
    first_tries: dict[str, datetime]


@pytest.fixture(scope="module")
def season(kindbill: Kindbill, browser: Browser) -> Season:
    unlucky = with_card(kindbill, "unlucky", "lost_card", provider_id="sam-lee")
    for share in (30_00, 40_00, 50_00):
        unlucky.owes(share)
        kindbill.forward("1d")

    kindbill.to_local_hour(10)
    without_funds = with_card(kindbill, "without-funds", "insufficient_funds")
    without_funds.owes(62_50)
    first_tries = {without_funds.client_id: kindbill.now() + timedelta(hours=48)}
    lost_card = with_card(kindbill, "blocked", "lost_card")
    lost_card.owes(62_50)
    first_tries[lost_card.client_id] = kindbill.now() + timedelta(hours=48)
    by_plan = with_card(kindbill, "by-plan", "ok")
    moved = tuple(by_plan.owes(62_50, 62_50, 125_00))
    tomorrow = local_day(kindbill.now()) + timedelta(days=1)
    plan = by_plan.gets_plan(4, tomorrow)
    odd_cents = with_card(kindbill, "odd-cents", "ok")
    odd_cents.owes(100_01)
    odd_cents.gets_plan(6, tomorrow + timedelta(days=13))
    breaking = with_card(kindbill, "breaking", "ok")
    breaking.owes(120_00)
    breaking.gets_plan(4, tomorrow)
    breaking.card_behaves("insufficient_funds")
    reminded = kindbill.new_client("reminded", provider_id="sam-lee")
    reminded.owes(62_50, 80_00)
    pays_on_day_four = kindbill.new_client("pays-on-day-four")
    pays_on_day_four.owes(62_50)
    a_few_cents = kindbill.new_client("a-few-cents")
    a_few_cents.owes(30)
    cents_along = with_card(kindbill, "cents-along", "ok")
    cents_along.owes(30)
    began = kindbill.now()

    kindbill.to(at_local(local_day(began) + timedelta(days=4), time(12)))
    by_plan.owes(45_00)
    cents_along.owes(62_50)
    pay_in_browser(browser, pays_on_day_four, "Pay $62.50")
    link = reminded.mails("invoice")[0]
    sent_at, address = instant(link["sent_at"]), next(one for one in link["links"] if "/pay/" in one)
    for days in (16, 31, 46, 61):
        kindbill.to(began + timedelta(days=days))
    kindbill.to(sent_at + timedelta(days=90))
    at_90_days = kindbill.call("GET", address).status_code
    kindbill.forward("1m")
    return Season(
        began=began,
        without_funds=without_funds,
        lost_card=lost_card,
        unlucky=unlucky,
        by_plan=by_plan,
        odd_cents=odd_cents,
        breaking=breaking,
        reminded=reminded,
        pays_on_day_four=pays_on_day_four,
        a_few_cents=a_few_cents,
        cents_along=cents_along,
        link_status=(at_90_days, kindbill.call("GET", address).status_code),
        moved=moved,
        plan=plan,
        first_tries=first_tries,
    )


def with_card(kindbill: Kindbill, name: str, behaviour: str, provider_id: str = "maya-chen") -> Client:
    """A client in autopay whose card does that."""
    if provider_id != "maya-chen":
        provider = {"name": "Dr. Sam Lee", "email": f"{provider_id}@riverbend.example", "npi": "1234567893"}
        kindbill.do(
            "PUT", f"/v1/providers/{provider_id}", "practice", json=provider | {"tax_id": "", "phone": "+12025550102"}
        )
    client = kindbill.new_client(name, provider_id=provider_id)
    client.save_card()
    client.card_behaves(behaviour)
    return client


def pay_in_browser(browser: Browser, client: Client, button: str) -> None:
    """Through the link of their latest mail."""
    with browser.new_context() as context:
        person = Visitor(context, client.kindbill.base_url)
        person.open(client.link())
        person.enter_phone(client.phone)
        person.press(button)
        person.pay_with(A_CARD, button)
    client.kindbill.settle()


def local_day(at: datetime) -> date:
    return at.astimezone(ZONE).date()


def at_local(day: date, hour: time) -> datetime:
    return datetime.combine(day, hour, ZONE).astimezone(UTC)


def nine_on(day: date) -> datetime:
    return at_local(day, time(9))


def sent_at(mails: list[Json]) -> list[datetime]:
    return [instant(mail["sent_at"]) for mail in mails]


def tried_at(client: Client) -> list[datetime]:
    """When their card was tried, oldest first."""
    return [datetime.fromtimestamp(one["created"], UTC) for one in reversed(client.intents())]


def in_words(mail: Json) -> str:
    """A mail's text without its line breaks."""
    return " ".join(mail["text"].split())


# ---------------------------------------------------------------------------------------------------- declined cards


def test_a_softly_declined_card_is_tried_again_1_3_and_7_days_after_the_first_try(season: Season) -> None:
    """AUTO-6, AUTO-7: four tries, each told in plain words with the moment of the next."""
    client = season.without_funds
    first = season.first_tries[client.client_id]
    tries = [first + timedelta(days=days) for days in (0, 1, 3, 7)]
    failed = client.mails("charge_failed")

    assert tried_at(client) == tries
    assert client.taken() == []
    assert sent_at(failed) == tries
    for mail, next_try in zip(failed, tries[1:], strict=False):
        local = next_try.astimezone(ZONE)
        assert "$62.50" in mail["subject"]
        assert FUNDS in in_words(mail)
        assert f"Next try: {local:%A}, {local:%B} {local.day}" in in_words(mail)
    assert "We will not try again automatically" in in_words(failed[-1])


def test_after_the_last_try_reminders_with_the_pay_link_take_over(season: Season) -> None:
    """AUTO-8, INV-9: the days still to come, counted from the invoice."""
    client = season.without_funds
    issued = local_day(instant(client.only_invoice()["issued_at"]))
    reminders = client.mails("reminder")

    assert sent_at(reminders) == [nine_on(issued + timedelta(days=days)) for days in (14, 30, 45, 55)]
    assert all(any("/pay/" in link for link in mail["links"]) for mail in reminders)
    assert client.account()["autopay"]["on"] is True


def test_a_lost_card_is_never_tried_again(season: Season) -> None:
    """AUTO-7: hard declines never retry; the client hears why and pays with another card."""
    client = season.lost_card

    assert tried_at(client) == [season.first_tries[client.client_id]]
    mail = client.mail("charge_failed")
    assert "Your bank does not allow charges on this card any more." in in_words(mail)
    assert "lost" not in mail["text"].lower()
    assert "We will not try again automatically" in in_words(mail)
    assert client.mails("reminder")
    assert client.account()["balance"] == 62_50


def test_three_failing_charges_in_a_row_turn_autopay_off_and_client_and_provider_hear_of_it(season: Season) -> None:
    """AUTO-8."""
    client = season.unlucky
    third = tried_at(client)[-1]

    assert len(tried_at(client)) == 3
    assert client.account()["autopay"]["on"] is False
    off = client.mail("autopay_off")
    assert "Three payments in a row did not go through." in in_words(off)
    assert instant(off["sent_at"]) == third
    told = [mail for mail in client.mails("staff_alert") if instant(mail["sent_at"]) == third]
    assert {mail["to"] for mail in told} == {"office@riverbend.example", "sam-lee@riverbend.example"}


# ------------------------------------------------------------------------------------------------------------- plans


def test_250_dollars_over_4_weeks_are_4_times_62_50_and_the_invoices_moved(season: Season) -> None:
    """PLAN-1, PLAN-3, PLAN-4: one commit; the announced charges of what moved never happen."""
    client, start = season.by_plan, local_day(season.began) + timedelta(days=1)
    days = [start + timedelta(weeks=week) for week in range(4)]

    assert [one["amount"] for one in season.plan["instalments"]] == [62_50] * 4
    assert [one["issue_on"] for one in season.plan["instalments"]] == [day.isoformat() for day in days]
    assert (season.plan["weeks"], season.plan["status"]) == (4, "active")
    assert {client.invoice(one)["status"] for one in season.moved} == {"moved_to_plan"}
    schedule = client.mail("plan_schedule")
    assert "4 weekly payments, $250.00 in all" in schedule["subject"]
    for day in days:
        assert f"{day:%B} {day.day}" in in_words(schedule)


def test_each_instalment_is_issued_at_nine_and_charged_within_24_hours(season: Season) -> None:
    """PLAN-5, PLAN-6: weekly, with a reminder at issue; what came after the plan is due normally."""
    client, start = season.by_plan, local_day(season.began) + timedelta(days=1)
    account = client.account()
    instalments = account["plan"]["instalments"]
    issued = [instant(client.invoice(one["invoice_id"])["issued_at"]) for one in instalments]
    charged = [datetime.fromtimestamp(one["created"], UTC) for one in reversed(client.intents())]

    assert account["plan"]["status"] == "completed"
    assert [one["status"] for one in instalments] == ["paid"] * 4
    assert issued == [nine_on(start + timedelta(weeks=week)) for week in range(4)]
    assert sent_at(client.mails("reminder")) == issued
    assert sorted(client.taken()) == [45_00, 62_50, 62_50, 62_50, 62_50]
    for at in issued:
        assert sum(at < one <= at + timedelta(hours=24) for one in charged) == 1
    assert account["balance"] == 0
    assert len(client.mails("receipt")) == 5


def test_odd_cents_go_to_the_first_instalments(season: Season) -> None:
    """PLAN-4: $100.01 over 6 weeks, and the sum is exact."""
    client = season.odd_cents
    plan = client.account()["plan"]

    assert [one["amount"] for one in plan["instalments"]] == [16_67] * 5 + [16_66]
    assert plan["status"] == "completed"
    assert sum(client.taken()) == 100_01
    assert client.account()["balance"] == 0


def test_a_plan_ends_as_broken_after_two_failed_instalments_and_the_rest_is_one_bill(season: Season) -> None:
    """PLAN-7: each instalment is retried as AUTO-7 first; client and staff are told."""
    client, start = season.breaking, local_day(season.began) + timedelta(days=1)
    account = client.account()
    plan = account["plan"]
    first_charges = [nine_on(start + timedelta(weeks=week)) + timedelta(hours=12) for week in range(2)]
    open_now = [one for one in account["invoices"] if one["open_amount"]]

    assert plan["status"] == "broken"
    assert [one["status"] for one in plan["instalments"][:2]] == ["failed", "failed"]
    for first in first_charges:
        assert {first + timedelta(days=days) for days in (0, 1, 3, 7)} <= set(tried_at(client))
    assert client.taken() == []
    assert [one["open_amount"] for one in open_now] == [120_00]
    assert account["balance"] == 120_00
    broken = client.mail("plan_broken")
    assert "$120.00" in broken["subject"]
    assert instant(broken["sent_at"]) == first_charges[1] + timedelta(days=7)
    assert [mail for mail in client.mails("staff_alert") if mail["sent_at"] == broken["sent_at"]]


# --------------------------------------------------------------------------------------------------- nobody paid


def test_one_mail_reminds_of_all_open_bills_on_the_days_of_the_policy(season: Season) -> None:
    """INV-9."""
    client = season.reminded
    issued = local_day(season.began)
    reminders = client.mails("reminder")

    assert sent_at(reminders) == [nine_on(issued + timedelta(days=days)) for days in REMINDER_DAYS]
    for mail in reminders:
        assert "2 bills, $142.50 together" in mail["subject"]
        assert "$62.50" in mail["text"]
        assert "$80.00" in mail["text"]


def test_no_reminder_comes_after_payment(season: Season) -> None:
    """INV-9: reminded on day 3, paid on day 4, and that was that."""
    assert season.pays_on_day_four.mail_kinds() == ["invoice", "reminder", "receipt"]


def test_a_bill_is_past_due_after_60_days_and_staff_and_provider_are_told(season: Season) -> None:
    """INV-8."""
    client = season.reminded
    window_ends = at_local(local_day(season.began) + timedelta(days=60), time(0))
    told = client.mails("staff_alert")

    assert {one["status"] for one in client.account()["invoices"]} == {"past_due"}
    assert {mail["to"] for mail in told} == {"office@riverbend.example", "sam-lee@riverbend.example"}
    assert set(sent_at(told)) == {window_ends}
    assert all("past due" in mail["subject"] for mail in told)


def test_inv_11_a_few_cents_go_along_with_the_next_charge(season: Season) -> None:
    """One notice says both, one charge pays both, and the receipt names each."""
    client = season.cents_along
    assert client.mail_kinds() == ["autopay_on", "charge_notice", "receipt"]
    notice = " ".join(client.mail("charge_notice")["text"].split())
    assert "$62.80" in client.mail("charge_notice")["subject"]
    assert "left $62.50 for you to pay" in notice
    assert "With it goes $0.30 that is still open from before" in notice
    assert client.taken() == [62_80]
    assert "$0.30" in client.mail("receipt")["text"]
    account = client.account()
    assert [one["status"] for one in account["invoices"]] == ["paid", "paid"]
    assert len(account["payments"][0]["invoice_ids"]) == 2


def test_inv_11_a_few_cents_that_nothing_takes_along_are_let_go_after_60_days(season: Season) -> None:
    """Nobody is mailed, nobody of staff is called; the fact says who did it, and why."""
    client = season.a_few_cents
    assert client.mail_kinds() == []
    account = client.account()
    assert (account["balance"], [one["status"] for one in account["invoices"]]) == (0, ["written_off"])
    (fact,) = client.facts("InvoiceWrittenOff")
    assert (fact["actor"], fact["data"]["reason"], fact["data"]["amount"]) == ("system", "too_small", 30)
    issued_at = instant(account["invoices"][0]["issued_at"])
    assert instant(fact["at"]) >= issued_at + timedelta(days=60)


def test_a_link_opens_for_90_days_and_is_410_after(season: Season) -> None:
    """Contract, Clients."""
    assert season.link_status == (200, 410)
