"""A charge that was announced: once, at its moment, on the card that was named, and never without an answer."""

from dataclasses import replace
from datetime import timedelta

import pytest

from billing.account import Account
from billing.autopay import end_autopay, stop_charge
from billing.facts import FactKind, Message, WakeKind
from billing.payment import AttemptState
from billing.ports import Conflict, Insert, Write
from functions.charge_autopay import flow as charge_autopay
from tests.billing.claim_examples import OWES_62_50, SUBMITTED
from tests.billing.examples import BY_HAND, ENROLLED, MASTERCARD, NOW, PRACTICE, announced, invoice
from tests.fakes.cards import Crash
from tests.fakes.store import MemoryStore
from tests.fakes.story import Story, visa_details


def billed(copies: int = 1, account: Account = ENROLLED) -> Story:
    """Ana's claim was decided: she owes $62.50, and the charge is announced for Sunday, 09:00."""
    story = Story(account, copies=copies)
    story.submit(SUBMITTED)
    story.receive(OWES_62_50)
    return story


def charge(story: Story) -> None:
    """The message of the due charge arrives."""
    (due,) = [i for i in story.books.invoices if i.open_amount] or story.books.invoices
    story.deliver("charge_autopay", Message(WakeKind.CHARGE, due.key))


@pytest.mark.parametrize("copies", [1, 2, 5])
def test_from_claim_result_to_receipt(copies: int) -> None:
    """INV-1, AUTO-3, AUTO-4, AUTO-6, PAY-11: and the same whatever is delivered again."""
    story = billed(copies)
    (notice,) = story.letters
    assert (notice.kind, notice.amount, notice.card) == ("charge_notice", 6250, "Visa ending 4242")
    assert notice.moment == NOW + timedelta(hours=48)
    story.until(NOW + timedelta(hours=47, minutes=59))
    assert story.taken == 0
    story.forward(days=80)
    assert story.cards.taken == [(story.books.attempts[0].attempt_id, 6250)]
    assert story.books.attempts[0].started_at == notice.moment
    assert story.mails == ["charge_notice", "receipt"]
    assert (story.invoice.status, story.books.balance) == ("paid", 0)
    assert story.store.next_due() is None


def test_the_request_is_on_disk_before_stripe_hears_of_it() -> None:
    """design: three nets. A crash before sending is made good by the same request, with the same key."""
    story = billed()
    story.now += timedelta(hours=48)
    story.cards.fault = "crash_before"
    with pytest.raises(Crash):
        charge(story)
    assert story.books.attempts[0].state is AttemptState.STARTED
    story.now += timedelta(minutes=2)
    charge(story)
    assert story.taken == 6250
    assert len({a.attempt_id for a in story.cards.asked}) == 1


def test_a_crash_after_stripe_charged_does_not_charge_again() -> None:
    story = billed()
    story.now += timedelta(hours=48)
    story.cards.fault = "crash_after"
    with pytest.raises(Crash):
        charge(story)
    charge(story)
    assert story.cards.taken == [(story.books.attempts[0].attempt_id, 6250)]
    assert story.invoice.status == "paid"


def test_a_busy_stripe_is_asked_again_with_the_same_request() -> None:
    story = billed()
    story.cards.fault = "429"
    story.forward(hours=49)
    assert story.taken == 6250
    assert len(story.cards.asked) == 2
    assert len(story.books.attempts) == 1


@pytest.mark.parametrize(("fault", "taken_late"), [("lost_response", False), ("drop", True)])
def test_a_lost_answer_is_looked_up_not_sent_again(fault: str, taken_late: bool) -> None:
    """design: unknown is looked up; what never reached Stripe is failed after 24 h, and tried anew (AUTO-7)."""
    story = billed()
    story.cards.fault = fault
    story.forward(hours=48)
    assert story.invoice.status == "processing"
    assert [a.state for a in story.books.attempts] == [AttemptState.UNKNOWN]
    charge(story)
    assert len(story.cards.asked) == 1
    story.forward(hours=2)
    assert (story.invoice.status == "paid") is not taken_late
    story.forward(days=3)
    assert story.taken == 6250
    assert story.invoice.status == "paid"
    assert len(story.books.attempts) == (2 if taken_late else 1)


def test_an_attempt_older_than_20_hours_is_never_sent() -> None:
    """Stripe forgets a key after 24 hours: sending then could charge twice."""
    story = billed()
    story.now += timedelta(hours=48)
    story.cards.fault = "crash_before"
    with pytest.raises(Crash):
        charge(story)
    story.now += timedelta(hours=20, seconds=1)
    charge(story)
    assert len(story.cards.asked) == 1
    story.forward(days=10)
    assert story.taken == 6250
    assert len(story.books.attempts) == 2


def test_paying_before_the_charge_cancels_it() -> None:
    """AUTO-5: never both."""
    story = billed()
    story.forward(hours=20)
    story.pay(story.invoice.invoice_id)
    story.forward(days=70)
    assert story.taken == 6250
    assert story.mails == ["charge_notice", "receipt"]


def test_a_payment_page_left_open_is_closed_before_charging() -> None:
    """AUTO-5"""
    story = billed()
    session = story.open_page(story.invoice.invoice_id)
    story.forward(hours=48)
    assert story.cards.pages[session].state == "expired"
    assert story.taken == 6250


def test_what_was_paid_on_the_page_while_its_webhook_was_lost_is_not_charged() -> None:
    """AUTO-5: closing the page finds the payment."""
    story = billed()
    story.forward(hours=47, minutes=45)
    story.cards.pay_on_page(story.open_page(story.invoice.invoice_id), visa_details())
    story.forward(days=3)
    assert story.taken == 6250
    assert story.mails == ["charge_notice", "receipt"]


def test_a_payment_being_processed_parks_the_charge() -> None:
    """AUTO-5: neither both nor neither."""
    story = billed()
    story.forward(hours=47, minutes=45)
    session = story.open_page(story.invoice.invoice_id)
    story.cards.pay_on_page(session, visa_details(), processing=True)
    story.forward(minutes=20)
    assert story.taken == 0
    assert story.invoice.charge_at is not None
    assert story.invoice.charge_at > story.now
    story.cards.pages[session].state = "expired"
    story.forward(hours=1)
    assert story.taken == 6250


def test_a_stopped_charge_does_not_happen_and_reminders_follow() -> None:
    """LAW-7"""
    story = billed()
    story.store.commit(*stop_charge(story.invoice, PRACTICE, story.now))
    story.forward(days=8)
    assert story.taken == 0
    assert story.mails == ["charge_notice", "reminder", "reminder"]


def test_autopay_turned_off_a_second_before_stops_the_charge() -> None:
    """LAW-7: until the moment it is sent."""
    story = billed()
    story.now += timedelta(hours=48)
    story.store.commit(*end_autopay(story.books, PRACTICE, "client", "client", story.now))
    charge(story)
    assert story.taken == 0


def test_autopay_turned_off_between_deciding_and_writing_stops_the_charge() -> None:
    """LAW-7, invariant 3: the commit relies on the account row it saw."""
    story = billed()
    story.now += timedelta(hours=48)

    class TurnedOffMeanwhile(MemoryStore):
        def commit(self, *writes: Write) -> None:
            story.change(replace(story.books.account, autopay=False))
            super().commit(*writes)

    raced = TurnedOffMeanwhile()
    raced.__dict__.update(story.store.__dict__)
    message = Message(WakeKind.CHARGE, story.invoice.key)
    with pytest.raises(Conflict):
        charge_autopay.run(message, store=raced, cards=story.cards, now=story.now)
    charge(story)
    assert story.cards.asked == []


def test_the_new_card_is_charged_where_the_client_changed_it_and_a_mail_says_so() -> None:
    """AUTO-6"""
    story = billed()
    story.enrol()
    story.forward(hours=49)
    assert story.books.attempts[-1].payment_method == "pm_new"
    told = next(letter for letter in story.letters if letter.kind == "autopay_on")
    assert [(item.amount, item.on) for item in told.items] == [(6250, NOW + timedelta(hours=48))]
    assert told.card == "Visa ending 1881"


# ------------------------------------------------------------------------------------------------------- declines


def test_a_soft_decline_is_tried_on_days_1_3_and_7_with_a_mail_each_time_then_reminded_of() -> None:
    """AUTO-6, AUTO-7, AUTO-8"""
    story = billed()
    story.cards.cards["pm_visa"] = "insufficient_funds"
    story.forward(days=12)
    first = story.books.attempts[0].started_at
    assert [(a.started_at - first).days for a in story.books.attempts] == [0, 1, 3, 7]
    failures = [letter for letter in story.letters if letter.kind == "charge_failed"]
    assert [(letter.retry_at - first).days if letter.retry_at else None for letter in failures] == [1, 3, 7, None]
    assert all(
        letter.reason == "Your bank said there was not enough money available on the card." for letter in failures
    )
    story.forward(days=50)
    assert "reminder" in story.mails
    assert story.books.account.failed_charges == 1


def test_a_retry_that_succeeds_ends_with_a_receipt() -> None:
    """AUTO-7"""
    story = billed()
    story.cards.cards["pm_visa"] = "insufficient_funds"
    story.forward(days=2, hours=12)
    story.cards.cards["pm_visa"] = "ok"
    story.forward(days=5)
    assert story.taken == 6250
    assert story.mails == ["charge_notice", "charge_failed", "receipt"]


def test_a_hard_decline_is_final_at_once() -> None:
    """AUTO-7"""
    story = billed()
    story.cards.cards["pm_visa"] = "stolen_card"
    story.forward(days=30)
    assert len(story.cards.asked) == 1
    assert story.mails[:2] == ["charge_notice", "charge_failed"]
    assert set(story.mails[2:]) == {"reminder"}


def test_three_charges_in_a_row_that_fail_end_autopay_and_tell_client_and_staff() -> None:
    """AUTO-8"""
    story = Story()
    story.cards.cards["pm_visa"] = "expired_card"
    for number in range(3):
        story.store.commit(Insert(announced(2000, f"inv_{number}", charge_at=NOW + timedelta(hours=number))))
    story.forward(hours=3)
    assert not story.books.account.autopay
    assert story.mails.count("autopay_off") == 1
    assert len(story.alerts) == 2


def test_a_revoked_authorisation_stops_every_other_announced_charge() -> None:
    """AUTO-7: the enrolment ends, and what was announced with it, at once."""
    story = Story()
    story.cards.cards["pm_visa"] = "revocation_of_authorization"
    story.store.commit(
        Insert(announced(2000, "inv_a")), Insert(announced(3000, "inv_b", charge_at=NOW + timedelta(hours=1)))
    )
    story.wake()
    story.forward(hours=2)
    assert len(story.cards.asked) == 1
    assert [f.data["reason"] for f in story.facts if f.kind == FactKind.CHARGE_CANCELLED] == ["authorisation_revoked"]


# ------------------------------------------------------------------------------------------------------- obstacles


def test_above_the_cap_the_client_is_asked_instead() -> None:
    """AUTO-2"""
    story = billed(account=replace(ENROLLED, cap=6000))
    assert story.mails == ["approval_request"]
    assert story.letters[0].cap == 6000
    story.forward(days=70)
    assert story.taken == 0


def test_a_cap_lowered_after_the_notice_holds() -> None:
    """AUTO-2"""
    story = billed()
    story.change(replace(story.books.account, cap=6000))
    story.forward(days=3)
    assert story.taken == 0
    assert [f.data["reason"] for f in story.facts if f.kind == FactKind.CHARGE_CANCELLED] == ["above_cap"]


def test_a_card_at_its_networks_limit_waits_a_day_at_a_time() -> None:
    """AUTO-7: Mastercard, 10 in 24 hours."""
    story = Story(replace(ENROLLED, default_card=MASTERCARD.card_id))
    story.store.commit(Insert(MASTERCARD))
    for number in range(12):
        story.store.commit(Insert(announced(100 + number, f"inv_{number:02}")))
    story.wake()
    assert len(story.cards.asked) == 10
    story.forward(days=2)
    assert len(story.cards.asked) == 12
    assert story.books.balance == 0


def test_a_message_that_comes_too_early_or_too_late_does_nothing() -> None:
    story = billed()
    charge(story)
    assert story.cards.asked == []
    story.forward(days=3)
    charge(story)
    assert len(story.cards.asked) == 1


def test_a_client_without_autopay_is_never_charged() -> None:
    """AUTO-1"""
    story = billed(account=BY_HAND)
    story.forward(days=90)
    assert story.taken == 0


def test_two_invoices_joined_at_enrolment_are_announced_first() -> None:
    """AUTO-1, AUTO-3: ticking is agreement, not notice."""
    story = Story(BY_HAND)
    story.store.commit(Insert(invoice(2000, "inv_a")), Insert(invoice(3000, "inv_b")), Insert(invoice(1000, "inv_c")))
    story.enrol("inv_a", "inv_b")
    assert story.mails.count("charge_notice") == 2
    story.forward(hours=47, minutes=59)
    assert story.taken == 0
    story.forward(minutes=1)
    assert story.taken == 5000
    assert story.books.balance == 1000
