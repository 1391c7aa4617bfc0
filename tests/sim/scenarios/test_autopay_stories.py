"""Autopay, told in time."""

from datetime import timedelta

from billing.invoice import Status
from billing.notice import NoticeKind
from tests.sim.scenarios.stage import Stage

MINUTE = timedelta(minutes=1)


def test_an_announced_charge_happens_48_hours_after_its_notice_and_not_a_minute_before() -> None:
    # AUTO-3, AUTO-4, PAY-11
    stage = Stage()
    stage.client("client_on_autopay", autopay=True)
    invoice = stage.owes("client_on_autopay", 62_50)
    (notice,) = stage.mails("client_on_autopay", NoticeKind.CHARGE_NOTICE)
    assert stage.invoice("client_on_autopay", invoice.invoice_id).status is Status.SCHEDULED
    moment = notice.letter.moment
    assert moment is not None
    assert timedelta(hours=48) <= moment - notice.at < timedelta(hours=48) + MINUTE
    assert (notice.letter.amount, notice.letter.card) == (62_50, "Visa ending 4242")

    stage.until(moment - timedelta(seconds=1))
    assert stage.taken("client_on_autopay") == []
    stage.until(moment + MINUTE)
    assert stage.taken("client_on_autopay") == [62_50]
    assert stage.invoice("client_on_autopay", invoice.invoice_id).status is Status.PAID
    (receipt,) = stage.mails("client_on_autopay", NoticeKind.RECEIPT)
    assert receipt.letter.amount == 62_50
    stage.ends_well()
    assert stage.taken("client_on_autopay") == [62_50]
    assert stage.mails("client_on_autopay", NoticeKind.REMINDER) == []


def test_a_soft_decline_is_tried_again_after_1_3_and_7_days_and_then_reminded_of() -> None:
    # AUTO-6, AUTO-7, AUTO-8
    stage = Stage()
    person = stage.client("client_short_of_money", autopay=True)
    stage.owes("client_short_of_money", 62_50)
    person.card_becomes("insufficient_funds")
    stage.forward(days=20)
    first, *later = stage.tried("client_short_of_money")
    days = [round((at - first) / timedelta(days=1), 2) for at in later]
    assert days == [1, 3, 7]
    failures = stage.mails("client_short_of_money", NoticeKind.CHARGE_FAILED)
    assert [mail.letter.retry_at is not None for mail in failures] == [True, True, True, False]
    assert stage.taken("client_short_of_money") == []
    assert stage.mails("client_short_of_money", NoticeKind.REMINDER), "AUTO-8: reminders take over"
    stage.ends_well()


def test_a_lost_card_is_not_tried_again() -> None:
    # AUTO-7
    stage = Stage()
    person = stage.client("client_with_a_lost_card", autopay=True)
    stage.owes("client_with_a_lost_card", 62_50)
    person.card_becomes("lost_card")
    stage.forward(days=20)
    assert len(stage.tried("client_with_a_lost_card")) == 1
    stage.ends_well()


def test_paying_by_link_ten_minutes_before_the_charge_cancels_it() -> None:
    # AUTO-5
    stage = Stage()
    person = stage.client("client_who_pays_early", autopay=True)
    invoice = stage.owes("client_who_pays_early", 62_50)
    charge_at = stage.invoice("client_who_pays_early", invoice.invoice_id).charge_at
    assert charge_at is not None
    stage.until(charge_at - 10 * MINUTE)
    stage.pays(person, invoice.invoice_id)
    stage.forward(days=10)
    assert stage.taken("client_who_pays_early") == [62_50]
    assert len(stage.mails("client_who_pays_early", NoticeKind.RECEIPT)) == 1
    stage.ends_well()


def test_a_page_still_open_when_the_charge_is_due_is_closed_first() -> None:
    # AUTO-5: never both
    stage = Stage()
    person = stage.client("client_who_dawdles", autopay=True)
    invoice = stage.owes("client_who_dawdles", 62_50)
    charge_at = stage.invoice("client_who_dawdles", invoice.invoice_id).charge_at
    assert charge_at is not None
    stage.until(charge_at - 10 * MINUTE)
    session = stage.opens(person, invoice.invoice_id)
    stage.until(charge_at + MINUTE)
    assert stage.taken("client_who_dawdles") == [62_50]
    assert stage.submits_page(session) == "closed"
    stage.ends_well()
    assert stage.taken("client_who_dawdles") == [62_50]


def test_a_charge_above_the_cap_waits_for_a_click() -> None:
    # AUTO-2
    stage = Stage()
    person = stage.client("client_with_a_cap", autopay=True, cap="50.00")
    invoice = stage.owes("client_with_a_cap", 62_50)
    (asked,) = stage.mails("client_with_a_cap", NoticeKind.APPROVAL_REQUEST)
    assert asked.letter.cap == 50_00
    stage.forward(days=4)
    assert stage.taken("client_with_a_cap") == []
    stage.pays(person, invoice.invoice_id)
    assert stage.taken("client_with_a_cap") == [62_50]
    stage.ends_well()
