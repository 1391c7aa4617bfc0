"""Stripe on a bad day: answers lost, webhooks lost, late, twice, in reverse. Money moves once, and we get to know."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.e2e.browser import Visitor
from tests.e2e.kindbill import A_CARD, Client, Kindbill, instant

Visit = Callable[..., Visitor]
CHARGE = "POST /v1/payment_intents$"


def announced(kindbill: Kindbill, name: str) -> Client:
    """A client whose charge of $62.50 is due in one minute."""
    client = kindbill.new_client(name)
    client.save_card()
    client.owes(62_50)
    (charge,) = client.account()["upcoming_charges"]
    kindbill.to(instant(charge["at"]) - timedelta(minutes=1))
    return client


def test_a_charge_whose_answer_went_astray_is_taken_once(kindbill: Kindbill) -> None:
    """Design, three nets: the same key for a technical retry; what stays unanswered is looked up, never sent blind."""
    faults = [("lost_response", 1), ("500_after", 1), ("500_before", 1), ("429", 1), ("drop", 3)]
    clients = [kindbill.new_client(f"fault-{kind.replace('_', '-')}-{times}") for kind, times in faults]
    for client in clients:
        client.save_card()
        client.owes(62_50)
        kindbill.forward("1m")
    for client, (kind, times) in zip(clients, faults, strict=True):
        (charge,) = client.account()["upcoming_charges"]
        kindbill.to(instant(charge["at"]) - timedelta(minutes=1))
        kindbill.stripe_fault(CHARGE, kind, times)
        kindbill.forward("1m")
        assert client.taken() in ([62_50], []), kind
    kindbill.forward("73h")

    for client in clients:
        assert client.taken() == [62_50], client
        assert client.only_invoice()["status"] == "paid"
        assert len(client.mails("receipt")) == 1
        assert len(client.account()["payments"]) == 1


def test_an_answer_lost_for_good_is_found_by_looking_not_by_charging_again(kindbill: Kindbill) -> None:
    """Design, three nets: unknown until the look-up after five minutes, with webhooks lost as well."""
    client = announced(kindbill, "astray")
    kindbill.stripe_fault(CHARGE, "lost_response", 3)
    with kindbill.stripe_webhooks(drop=".*"):
        kindbill.forward("1m")
        assert client.taken() == [62_50]
        assert client.only_invoice()["status"] == "processing"
        assert client.mails("receipt") == []
        kindbill.forward("6m")
        assert client.only_invoice()["status"] == "paid"
        assert len(client.intents()) == 1
        assert len(client.mails("receipt")) == 1


@pytest.mark.parametrize("rules", [{"duplicate": 3}, {"delay_s": 90}], ids=["thrice", "late"])
def test_webhooks_that_come_thrice_or_late_change_nothing(
    kindbill: Kindbill, visit: Visit, rules: dict[str, int]
) -> None:
    client = kindbill.new_client("hooked")
    client.owes(62_50)
    person = visit()
    with kindbill.stripe_webhooks(**rules):
        person.open(client.link())
        person.enter_phone(client.phone)
        person.press("Pay $62.50")
        person.type_card(A_CARD)
        person.press("Pay $62.50")
        kindbill.forward("2m")
        person.wait_for_heading("Paid. Thank you!")
    kindbill.settle()

    assert client.taken() == [62_50]
    assert client.mail_kinds() == ["invoice", "receipt"]
    assert client.account()["balance"] == 0


def test_a_payment_whose_webhooks_never_come_is_found_by_the_look_up(kindbill: Kindbill, visit: Visit) -> None:
    """Design, three nets: the client is told not to pay again, and asked for once the page has expired."""
    client = kindbill.new_client("unhooked")
    client.owes(62_50)
    person = visit()
    with kindbill.stripe_webhooks(drop=".*"):
        person.open(client.link())
        person.enter_phone(client.phone)
        person.press("Pay $62.50")
        person.type_card(A_CARD)
        person.press("Pay $62.50")
        person.wait_for_heading("Your bank is confirming")
        assert "Please do not pay again." in person.text
        kindbill.forward("36m")
    assert client.account()["balance"] == 0
    assert client.taken() == [62_50]
    assert len(client.mails("receipt")) == 1


def test_every_webhook_ever_sent_coming_again_in_reverse_order_changes_nothing(kindbill: Kindbill) -> None:
    """Evidence is ranked, not timed: what is posted stays posted."""
    client = announced(kindbill, "replayed")
    kindbill.forward("1m")
    before = client.account()
    mails = len(kindbill.mails())

    kindbill.post("/_local/stripe/_test/webhooks/resend", {"reverse": True})
    kindbill.settle()

    assert client.account() == before
    assert before["balance"] == 0
    assert client.taken() == [62_50]
    assert len(kindbill.mails()) == mails
