"""Autopay, from the payer's file to the receipt: announced first, charged once, at the moment that was announced."""

import json
from datetime import UTC, datetime, time, timedelta

from billing.working_days import is_working_day
from tests.e2e.decisions import Decision
from tests.e2e.kindbill import ZONE, Client, Kindbill, instant
from tests.e2e.launch import Launched

EXAMPLE = "examples/riverbend.835"
CORRECTION = "examples/riverbend_corrected.835"
EXAMPLE_CLAIM = "KB7Q2M9X41"


def charged_at(client: Client) -> list[datetime]:
    """When Stripe took money from them, on the simulated clock."""
    return [datetime.fromtimestamp(one["created"], UTC) for one in client.intents() if one["status"] == "succeeded"]


def test_the_readme_walk_through_ends_with_62_50_charged_once_after_48_hours(
    kindbill: Kindbill, launched: Launched
) -> None:
    """INV-1, AUTO-3, PAY-11: what the README tells a newcomer to type."""
    ana = next(one for one in kindbill.get("/_local/demo")["clients"] if one["story"] == "autopay")
    assert EXAMPLE_CLAIM in [claim["claim_id"] for claim in ana["open_claims"]]
    client = Client(kindbill, ana["client_id"], ana["phone"], "", "")

    receipt = json.loads(launched.kindbill("post", EXAMPLE))
    kindbill.settle()
    notice = client.mail("charge_notice")
    launched.kindbill("clock", "forward", "48h")

    done = kindbill.get(receipt["status_url"], "claims")
    assert (done["state"], done["claims"], done["accepted"]) == ("done", 1, 1)
    assert done["results"][0]["now"] == "invoiced"
    assert "$62.50" in notice["subject"]
    assert client.taken() == [62_50]
    assert "$62.50" in client.mail("receipt")["subject"]
    assert client.account()["balance"] == 0

    launched.kindbill("post", CORRECTION)
    kindbill.settle()
    assert [one["amount"] for one in client.refunds()] == [40_00]
    assert "$22.50 instead of $62.50" in client.mail("invoice_changed")["subject"]


def test_an_announced_charge_happens_once_at_48_hours_and_not_a_minute_before(kindbill: Kindbill) -> None:
    """INV-1, AUTO-3, AUTO-4, AUTO-6, PAY-11."""
    client = kindbill.new_client("announced")
    client.save_card()
    posted_at = kindbill.now()
    (invoice_id,) = client.owes(62_50)

    # INV-1: one invoice, for exactly the patient's share, explained to the cent.
    invoice = client.only_invoice()
    assert (invoice["invoice_id"], invoice["amount"], invoice["open_amount"]) == (invoice_id, 62_50, 62_50)
    assert invoice["status"] == "scheduled"
    (line,) = invoice["lines"]
    assert (line["billed"], line["plan_discount"], line["insurance_paid"]) == (212_50, 45_00, 105_00)
    assert (line["deductible"], line["you_owe"]) == (62_50, 62_50)

    # AUTO-4: the notice names amount, card and moment.
    notice = client.mail("charge_notice")
    moment = posted_at + timedelta(hours=48)
    local = moment.astimezone(ZONE)
    assert notice["to"] == client.email
    for words in ("$62.50", "Visa ending 4242", f"{local:%B} {local.day}", f"{local:%I:%M}".lstrip("0")):
        assert words in notice["text"], f"{words!r} is missing in: {notice['text']}"
    (upcoming,) = client.account()["upcoming_charges"]
    assert (instant(upcoming["at"]), upcoming["amount"]) == (moment, 62_50)
    assert upcoming["invoice_ids"] == [invoice_id]

    # AUTO-3: not a minute before.
    kindbill.forward("47h59m")
    assert client.intents() == []
    assert client.only_invoice()["status"] == "scheduled"

    kindbill.forward("1m")
    assert client.taken() == [62_50]
    assert charged_at(client) == [moment]
    receipt = client.mail("receipt")
    assert "$62.50" in receipt["subject"]
    assert "Visa ending 4242" in receipt["text"]
    account = client.account()
    assert (account["balance"], account["upcoming_charges"]) == (0, [])
    assert account["invoices"][0]["status"] == "paid"
    (payment,) = account["payments"]
    assert (payment["amount"], payment["invoice_ids"], payment["refunded"]) == (62_50, [invoice_id], 0)
    assert (payment["card"]["brand"], payment["card"]["last4"]) == ("visa", "4242")
    # LAW-2: off-session, with the consent it stands on.
    (intent,) = client.intents()
    assert intent["metadata"]["consent"]

    kindbill.forward("96h")
    assert client.taken() == [62_50]
    assert client.mail_kinds() == ["autopay_on", "charge_notice", "receipt"]


def test_a_charge_24_hours_after_the_invoice_happens_then(kindbill: Kindbill) -> None:
    """AUTO-3, policy 24h_after_invoice."""
    client = kindbill.new_client("day-later")
    client.save_card()
    with kindbill.policies(autopay_delay="24h_after_invoice"):
        client.owes(62_50)
        moment = kindbill.now() + timedelta(hours=24)
        kindbill.forward("23h59m")
        assert client.taken() == []
        kindbill.forward("1m")

    assert charged_at(client) == [moment]


def test_law_6_a_charge_above_the_limit_of_the_time_leaves_two_working_days(kindbill: Kindbill) -> None:
    """The practice charged at most $50.00 by itself when they agreed, and has raised that since."""
    client = kindbill.new_client("long-notice")
    with kindbill.policies(default_cap=50_00):
        client.save_card()
    posted_at = kindbill.now()
    client.owes(62_50)

    day, working_days = posted_at.astimezone(ZONE).date(), 0
    while working_days < 2:
        day += timedelta(days=1)
        working_days += is_working_day(day)
    moment = datetime.combine(day + timedelta(days=1), time(9), ZONE)
    text = " ".join(client.mail("charge_notice")["text"].split())
    assert f"{moment:%A}, {moment:%B} {moment.day}" in text
    assert "charged at most $50.00 by itself. It has raised that since, so you have two working days" in text
    kindbill.to(moment - timedelta(minutes=1))
    assert client.intents() == []
    kindbill.forward("1m")
    assert client.taken() == [62_50]
    assert charged_at(client) == [moment.astimezone(UTC)]


def test_an_overnight_charge_waits_for_two_oclock_but_never_less_than_4_hours_after_its_notice(
    kindbill: Kindbill,
) -> None:
    """AUTO-3, policy overnight: 02:00 where the practice is, on a later date; and minimum_notice_hours."""
    at_noon, late = kindbill.new_client("noon"), kindbill.new_client("late")
    at_noon.save_card()
    late.save_card()
    with kindbill.policies(autopay_delay="overnight"):
        kindbill.to_local_hour(12)
        at_noon.owes(62_50)
        eleven = kindbill.to_local_hour(23)
        late.owes(80_00)
        kindbill.to_local_hour(4)

    (first,), (second,) = charged_at(at_noon), charged_at(late)
    assert (first.astimezone(ZONE).hour, first.astimezone(ZONE).minute) == (2, 0)
    assert first.astimezone(ZONE).date() == (eleven.astimezone(ZONE) + timedelta(days=1)).date()
    assert second == eleven + timedelta(hours=4)
    assert (at_noon.taken(), late.taken()) == ([62_50], [80_00])


def test_a_bill_above_the_clients_limit_asks_for_approval_and_is_never_charged(kindbill: Kindbill) -> None:
    """AUTO-2: above the cap that was chosen, and above $500 where none was."""
    careful, trusting = kindbill.new_client("careful"), kindbill.new_client("trusting")
    careful.save_card(cap=50_00)
    trusting.save_card()
    careful.owes(50_01)
    trusting.owes(500_01)

    assert careful.account()["autopay"]["cap"] == 50_00
    assert "$50.01" in careful.mail("approval_request")["subject"]
    assert "$500.01" in trusting.mail("approval_request")["subject"]
    kindbill.forward("60h")
    assert (careful.intents(), trusting.intents()) == ([], [])
    assert careful.account()["upcoming_charges"] == []
    assert careful.only_invoice()["status"] == "open"


def test_a_bounced_notice_cancels_its_charge_and_tells_staff(kindbill: Kindbill) -> None:
    """AUTO-3: accepted means that a message id came back; a bounce before the charge takes that back."""
    client = kindbill.new_client("moved-house")
    client.save_card()
    client.owes(62_50)
    notice = client.mail("charge_notice")

    kindbill.post(f"/_local/mail/{notice['id']}/bounce", {})
    kindbill.settle()

    alerts = client.mails("staff_alert")
    assert {alert["to"] for alert in alerts} == {"office@riverbend.example", "maya.chen@riverbend.example"}
    assert all(client.client_id in alert["subject"] for alert in alerts)
    assert client.account()["upcoming_charges"] == []
    kindbill.forward("49h")
    assert client.intents() == []


def test_a_new_card_is_the_one_charged_and_a_mail_says_so(kindbill: Kindbill) -> None:
    """AUTO-6: the card named in the notice, or the new one with a mail if the client changed it."""
    client = kindbill.new_client("new-card")
    client.save_card()
    client.owes(62_50)
    kindbill.forward("1h")
    client.save_card("5555555555554444")

    assert "Mastercard ending 4444" in client.mails("autopay_on")[-1]["text"]
    kindbill.forward("48h")
    assert client.taken() == [62_50]
    assert client.account()["payments"][0]["card"]["last4"] == "4444"


def test_nothing_owed_is_said_once_and_never_billed(kindbill: Kindbill) -> None:
    """INV-1: a share of 0 issues no invoice; the client hears it when the payer paid."""
    client = kindbill.new_client("covered")
    claim = client.claim(150_00)
    receipt = kindbill.decide(Decision(claim, 150_00, 0))

    assert receipt["results"][0]["now"] == "nothing_owed"
    assert client.account()["invoices"] == []
    assert client.mail_kinds() == ["nothing_owed"]
