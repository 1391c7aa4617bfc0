"""Paying in a browser: from the link in a mail to the receipt, found by labels and buttons as a person finds them."""

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from tests.e2e.browser import PHONE_WIDTH, Visitor, said_outside_stripe
from tests.e2e.decisions import Decision
from tests.e2e.kindbill import A_CARD, Client, Kindbill, pay_link

Visit = Callable[..., Visitor]
AUTOPAY_TICK = "Pay future bills automatically with this card"
HSA_CARD = "4000777000000005"


def come_in(visitor: Visitor, client: Client) -> None:
    """Through the phone check, to the page with the bills."""
    assert visitor.open(client.link()) == 200
    visitor.enter_phone(client.phone)
    assert visitor.path.startswith("/pay/")


def assert_private(visitor: Visitor, client: Client) -> None:
    """PAY-1, PAY-2: before the phone check nothing shows who the client is, what they owe, or whom they see."""
    for secret in ("Example", client.client_id, client.phone[-4:], "$", "Maya", "Riverbend", client.email):
        assert secret not in visitor.text, f"{secret!r} is shown before the phone check"


def test_paying_ten_minutes_before_the_charge_cancels_it(kindbill: Kindbill, visit: Visit) -> None:
    """INV-6, PAY-1, PAY-2, PAY-3, PAY-4, PAY-7, PAY-11, AUTO-5: in a browser, and charged exactly once."""
    client = kindbill.new_client("early")
    client.save_card()
    client.owes(62_50)
    kindbill.forward("47h50m")
    person = visit()

    assert person.open(pay_link(client.mail("charge_notice"))) == 200
    assert_private(person, client)
    person.enter_phone("(212) 555-0100")
    assert "not the number on file" in person.text
    assert "ask your provider to correct" in person.text
    assert_private(person, client)
    person.enter_phone(f"({client.phone[2:5]}) {client.phone[5:8]}-{client.phone[8:]}")
    assert person.heading.endswith("one bill is ready to pay")
    assert "Balance due" in person.text
    assert "Pay $62.50" in person.buttons
    person.press("Details")
    assert "Full price" in person.text
    assert "goes toward your deductible" in person.text

    person.press("Pay $62.50")
    assert person.path.startswith("/_local/stripe/")
    person.pay_with("4000056655665556", "Pay $62.50")
    assert "$62.50 with Visa ending 5556" in person.text
    kindbill.settle()
    assert client.only_invoice()["status"] == "paid"
    assert "$62.50" in client.mail("receipt")["subject"]

    kindbill.forward("20m")
    kindbill.forward("72h")
    assert client.taken() == [62_50]
    assert client.mail_kinds() == ["autopay_on", "charge_notice", "receipt"]
    assert client.account()["balance"] == 0

    # PAY-7: what was typed at Stripe went to Stripe alone, and our own pages have no script and a strict policy.
    assert said_outside_stripe(person, "4000056655665556") == []
    assert any("4000056655665556"[:4] in one.text for one in person.sent if one.path.startswith("/_local/stripe/"))
    assert len(person.pages) >= 4
    for page in person.pages:
        assert "<script" not in page.html.lower()
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "no-referrer" in page.headers["referrer-policy"]
    assert {urlsplit(one.text.split(" ")[0]).netloc for one in person.sent if one.text.startswith("http")} == {
        urlsplit(kindbill.base_url).netloc
    }


def test_the_picture_of_a_bill_its_table_the_mail_and_the_api_say_the_same(kindbill: Kindbill, visit: Visit) -> None:
    """INV-6, LAW-1: on the smallest phone too, and found as somebody finds it who does not see it."""
    client = kindbill.new_client("picture")
    adjustments = (("CO", "45", 45_00), ("CO", "253", 85), ("PR", "1", 40_00), ("PR", "3", 22_50))
    kindbill.decide(Decision(client.claim(), 150_00, 62_50, adjustments=adjustments))
    person = visit(320)
    come_in(person, client)
    person.press("Details")

    picture = person.page.get_by_role("img", name="Where the $150.00 went")
    (words,) = picture.locator("desc").all_text_contents()
    assert picture.bounding_box()["width"] > 200
    assert person.page.evaluate("document.documentElement.scrollWidth") <= 320
    table = person.page.get_by_role("table", name="Where the $150.00 went")
    rows = {
        row.get_by_role("rowheader").inner_text().splitlines()[0]: row.get_by_role("cell").inner_text()
        for row in table.get_by_role("row").all()
    }
    assert rows == {
        "Full price": "$150.00",
        "Your plan's discount": "−$45.00",
        "Taken off, not yours to pay": "−$0.85",
        "Your plan paid": "−$41.65",
        "Deductible": "$40.00",
        "Copay": "$22.50",
        "You pay": "$62.50",
    }
    for label, amount in list(rows.items())[1:]:
        assert f"{label}: {amount.removeprefix('−')}." in words

    (line,) = client.only_invoice()["lines"]
    assert (line["plan_discount"], line["insurance_paid"], line["you_owe"]) == (45_85, 41_65, 62_50)
    assert tuple((one["group"], one["code"], one["amount"]) for one in line["reasons"]) == adjustments
    mail = client.mail("invoice")["text"]
    for label in ("Full price", "Your plan's discount", "Taken off, not yours to pay", "Your plan paid"):
        assert f"{label}: {rows[label]}" in mail
    assert "Your part: $62.50" in mail
    assert "deductible" not in mail.lower()


def test_three_bills_can_be_paid_at_once_or_the_latest_or_a_past_one(kindbill: Kindbill, visit: Visit) -> None:
    """PAY-3, PAY-4: the most recent has its button in sight, a past one behind Details, all together in front."""
    client = kindbill.new_client("several")
    today = kindbill.now().date()
    for share, days_ago in ((62_50, 40), (70_00, 30), (125_00, 20)):
        client.owes(share, service_date=today - timedelta(days=days_ago))
    person = visit()
    come_in(person, client)

    assert person.heading.endswith("three bills are ready to pay")
    assert {"Pay all $257.50", "Pay $125.00"} <= set(person.buttons)
    assert "Pay $62.50" not in person.buttons
    assert not person.page.get_by_label("Amount").count(), "PAY-4: no part of a bill can be paid"

    person.press("Details", nth=2)
    assert "Pay $62.50" in person.buttons
    person.press("Pay $62.50")
    person.pay_with(A_CARD, "Pay $62.50")
    person.page.get_by_role("link", name="See what is still open").click()
    assert "Pay all $195.00" in person.buttons
    person.press("Pay all $195.00")
    person.pay_with(A_CARD, "Pay $195.00")
    kindbill.settle()

    assert client.taken() == [195_00, 62_50]
    assert [one["status"] for one in client.account()["invoices"]] == ["paid"] * 3
    assert [len(one["invoice_ids"]) for one in client.account()["payments"]] == [2, 1]
    assert len(client.mails("receipt")) == 2
    come_back = person.open(client.link())
    assert (come_back, person.heading.endswith("there is nothing to pay")) == (200, True)


def test_ticking_the_box_enrols_the_card_that_pays_with_its_limit(kindbill: Kindbill, visit: Visit) -> None:
    """AUTO-1, AUTO-2, PAY-6, PAY-9: consent is recorded and mailed, and only a ticked open bill is charged later."""
    client = kindbill.new_client("enrols")
    first, second = client.owes(62_50, 80_00)
    person = visit()
    come_in(person, client)

    # PAY-6: an FSA card is refused for autopay by the client's own declaration, before any card is typed.
    person.tick(AUTOPAY_TICK)
    person.fill("Most we may charge at once (optional)", "100")
    person.tick("FSA, HSA or HRA card")
    person.press("Pay all $142.50")
    assert "cannot be used for automatic payments" in person.text
    person.tick("Debit or credit card")
    # The bill in front is paid, the other one stays open.
    (shown,) = [name for name in person.buttons if name in ("Pay $62.50", "Pay $80.00")]
    paid = {"Pay $62.50": 62_50, "Pay $80.00": 80_00}[shown]
    person.press(shown)
    person.pay_with(A_CARD, shown)
    assert "Automatic payments are on." in person.text
    kindbill.settle()

    account = client.account()
    assert account["autopay"]["on"] is True
    assert account["autopay"]["cap"] == 100_00
    assert account["autopay"]["card"]["last4"] == "4242"
    consent = client.mail("autopay_on")
    assert "$100.00" in consent["text"]
    assert "I agree that my practice may charge this card" in " ".join(consent["text"].split())
    (enrolled,) = client.facts("AutopayEnrolled")
    assert enrolled["data"]["consent_id"], "AUTO-1: the consent is recorded"
    # AUTO-1: the bill that was open already, and was not ticked, is not charged.
    kindbill.forward("60h")
    assert client.taken() == [paid]
    # AUTO-2: later bills are announced below the limit, and wait for a click above it.
    client.owes(100_00)
    client.owes(100_01)
    assert len(client.mails("charge_notice")) == 1
    assert "$100.01" in client.mail("approval_request")["subject"]
    assert {first, second} == {one["invoice_id"] for one in account["invoices"]}


def test_an_hsa_card_pays_but_is_not_enrolled_even_if_declared_otherwise(kindbill: Kindbill, visit: Visit) -> None:
    """PAY-6: the card's own product data decides too."""
    client = kindbill.new_client("hsa")
    client.owes(62_50)
    person = visit()
    come_in(person, client)
    person.tick(AUTOPAY_TICK)
    person.press("Pay $62.50")
    person.pay_with(HSA_CARD, "Pay $62.50")
    kindbill.settle()

    assert client.taken() == [62_50]
    assert client.account()["autopay"]["on"] is False
    assert "FSA, HSA and HRA cards" in client.mail("autopay_off")["text"].replace("\n", " ")


def test_five_wrong_numbers_lock_the_page_for_a_day_and_the_client_is_mailed(kindbill: Kindbill, visit: Visit) -> None:
    """PAY-2: 5 in 15 minutes, whole numbers compared, the right one tells nothing while it is locked."""
    client = kindbill.new_client("guessed")
    client.owes(62_50)
    link = client.link()
    stranger = visit()
    stranger.open(link)
    for guess in ("4155550000", client.phone[-7:], "x", "+44 20 7946 0000", client.phone[:-1]):
        assert "First, is it you?" in stranger.heading
        stranger.enter_phone(guess)
    assert stranger.heading == "This page is locked for a day"
    assert_private(stranger, client)
    kindbill.settle()
    assert "wrong phone number" in client.mail("pay_link_locked")["text"].replace("\n", " ")

    kindbill.forward("23h59m")
    owner = visit()
    assert owner.open(link) == 429
    assert owner.heading == "This page is locked for a day"
    kindbill.forward("1m")
    assert owner.open(link) == 200
    owner.enter_phone(client.phone)
    assert "Pay $62.50" in owner.buttons


def test_two_tabs_never_pay_twice(kindbill: Kindbill, visit: Visit) -> None:
    """PAY-4, design: the second tab's Pay closes the first one's page, and what it shows can no longer be paid."""
    client = kindbill.new_client("two-tabs")
    client.owes(62_50)
    first = visit()
    come_in(first, client)
    second = first.another_tab()
    second.open(client.link())

    first.press("Pay $62.50")
    first.type_card(A_CARD)
    second.press("Pay $62.50")
    second.type_card("5555555555554444")
    first.press("Pay $62.50")
    assert first.heading != "Paid. Thank you!"
    second.press("Pay $62.50")
    second.wait_for_heading("Paid. Thank you!")
    kindbill.settle()

    assert client.taken() == [62_50]
    assert client.account()["payments"][0]["card"]["last4"] == "4444"
    third = second.another_tab()
    third.open(client.link())
    assert third.heading.endswith("there is nothing to pay")


def test_a_payment_page_that_was_left_does_not_stop_autopay_nor_double_it(kindbill: Kindbill, visit: Visit) -> None:
    """AUTO-5: the page was opened and never paid; the announced charge closes it, and charges once."""
    client = kindbill.new_client("left-it")
    client.save_card()
    client.owes(62_50)
    kindbill.forward("47h50m")
    person = visit()
    come_in(person, client)
    person.press("Pay $62.50")
    kindbill.forward("10m")
    kindbill.forward("3h")
    person.press("Pay $62.50")

    assert person.heading != "Paid. Thank you!"
    assert client.taken() == [62_50]


def test_the_client_stops_one_charge_and_turns_autopay_off(kindbill: Kindbill, visit: Visit) -> None:
    """LAW-7, AUTO-9: both work until the charge is sent; a minute before is early enough."""
    client = kindbill.new_client("changes-mind")
    client.save_card()
    (stopped,) = client.owes(62_50)
    kindbill.forward("1h")
    (other,) = client.owes(80_00)
    kindbill.forward("46h59m")
    person = visit()
    come_in(person, client)

    assert "We plan to charge this to Visa ending 4242" in person.text
    assert person.button("Stop this charge").count() == 2
    earliest = min(client.account()["upcoming_charges"], key=lambda one: one["at"])
    assert earliest["invoice_ids"] == [stopped]
    nth = 0 if person.text.index("$62.50") < person.text.index("$80.00") else 1
    person.press("Stop this charge", nth=nth)
    kindbill.forward("2m")
    assert client.invoice(stopped)["status"] == "open"
    assert client.invoice(other)["status"] == "scheduled"
    assert client.intents() == []

    kindbill.forward("57m")
    come_in(person, client)
    person.press("Turn off automatic payments")
    assert "Automatic payments are on" not in person.text
    kindbill.settle()
    assert client.account()["autopay"]["on"] is False
    assert client.account()["upcoming_charges"] == []
    assert "turned automatic payments off" in client.mail("autopay_off")["text"].replace("\n", " ")
    kindbill.forward("72h")
    assert client.intents() == []


@pytest.mark.parametrize("change", ["payload", "signature", "cut", "empty"])
def test_a_forged_link_is_a_page_that_says_what_to_do(kindbill: Kindbill, visit: Visit, change: str) -> None:
    """Contract, Clients: 404, and no word about whose it may be."""
    token = urlsplit(pay_link(kindbill.mails(kind="invoice")[0])).path.rsplit("/", 1)[-1]
    payload, _, signature = token.partition(".")
    forged = {
        "payload": f"{payload[:-2]}{'AA' if not payload.endswith('AA') else 'BB'}.{signature}",
        "signature": f"{payload}.{signature[::-1]}",
        "cut": token[:-5],
        "empty": "x",
    }[change]
    person = visit()

    assert person.open(f"{kindbill.base_url}/pay/{forged}") == 404
    assert person.heading == "This link leads nowhere"
    assert "open the link in our latest email" in person.text


def test_online_payment_switched_off_shows_whom_to_call_and_no_button(kindbill: Kindbill, visit: Visit) -> None:
    """PAY-10."""
    client = kindbill.new_client("offline")
    client.owes(62_50)
    practice = {
        "name": "Riverbend Therapy",
        "time_zone": "America/Los_Angeles",
        "phone": "+12025550100",
        "email": "office@riverbend.example",
    }
    person = visit(PHONE_WIDTH)
    kindbill.do("PUT", "/v1/practices/riverbend", "support", json=practice | {"online_payments": False})
    try:
        come_in(person, client)
        assert not [name for name in person.buttons if name.startswith("Pay")]
        assert "Online payment is switched off" in person.text
        assert "(202) 555-0100" in person.text
    finally:
        kindbill.do("PUT", "/v1/practices/riverbend", "support", json=practice | {"online_payments": True})
