"""Mails leave once per fact, say what is true as they leave, and only an accepted one lets a charge happen."""

from dataclasses import replace
from datetime import timedelta

import pytest

from billing.account import Books
from billing.autopay import stop_charge
from billing.desk import Desk
from billing.facts import Fact, FactKind, Message, WakeKind
from billing.invoice_lines import InvoiceLines
from billing.letters import letters_for, reminder
from billing.notice import Letter, Posting
from billing.ports import Insert, Update
from edges.render import render_letter
from functions.send_email import flow as send_email
from tests.billing.claim_examples import OWES_62_50, SUBMITTED
from tests.billing.examples import BY_HAND, CONTACT, ENROLLED, NOW, PRACTICE, PROVIDER, VISA, invoice
from tests.fakes.story import Story


def billed(story: Story) -> Story:
    """The story once Ana's claim was decided: she owes $62.50."""
    story.submit(SUBMITTED)
    story.receive(OWES_62_50)
    return story


def fact(story: Story, kind: FactKind) -> Fact:
    """The only fact of that kind."""
    (only,) = [f for f in story.facts if f.kind == kind]
    return only


def again(story: Story, kind: FactKind) -> None:
    """The message of that fact arrives once more."""
    story.deliver("send_email", Message(kind, fact(story, kind).key))


def test_the_notice_of_a_charge_is_one_mail_and_one_fact_however_often_its_message_comes() -> None:
    story = billed(Story(copies=3))
    assert story.mails == ["charge_notice"]
    assert [f.kind for f in story.facts].count(FactKind.NOTICE_SENT) == 1


def test_a_late_repetition_of_the_message_does_not_move_the_announced_charge() -> None:
    """AUTO-3, AUTO-4: the moment named in the notice stands."""
    story = billed(Story())
    named = story.invoice.charge_at
    story.forward(hours=7)
    again(story, FactKind.INVOICE_ISSUED)
    assert story.invoice.charge_at == named
    assert story.mails == ["charge_notice"]


def test_a_repetition_after_the_client_stopped_the_charge_does_not_announce_it_again() -> None:
    """LAW-7: a redelivered message is not a new notice, and must not undo the client's word."""
    story = billed(Story())
    story.store.commit(*stop_charge(story.invoice, PRACTICE, story.now))
    again(story, FactKind.INVOICE_ISSUED)
    assert story.invoice.charge_at is None
    story.forward(days=60)
    assert story.taken == 0


def test_a_repetition_after_enrolment_does_not_charge_an_invoice_that_was_not_ticked() -> None:
    """AUTO-1: invoices already open are charged only if the client ticks them."""
    story = billed(Story(BY_HAND))
    assert story.mails == ["invoice"]
    story.enrol()
    again(story, FactKind.INVOICE_ISSUED)
    assert story.mails == ["invoice", "autopay_on"]
    assert story.invoice.charge_at is None


def test_a_charge_whose_mail_was_refused_does_not_happen_and_staff_are_told() -> None:
    """AUTO-3: no charge without an accepted notice."""
    story = Story()
    story.mailer.refused.add(CONTACT.email)
    billed(story)
    assert story.invoice.charge_at is None
    assert {letter.to for letter in story.alerts} == {"desk@riverbend.example", "lee@riverbend.example"}
    story.forward(days=61)
    assert story.taken == 0
    assert not story.dead


def test_a_mail_service_that_is_down_delays_the_notice_and_the_charge_with_it() -> None:
    """AUTO-3: the 48 hours run from the accepted notice."""
    story = Story()
    story.mailer.fault = "down"
    billed(story)
    assert story.mails == ["charge_notice"]
    assert story.invoice.notice_at == NOW


def test_a_crash_after_sending_repeats_the_mail_counts_it_and_notes_it_once() -> None:
    story = Story()
    story.mailer.fault = "crash_after"
    billed(story)
    assert story.mails == ["charge_notice", "charge_notice"]
    assert [f.kind for f in story.facts].count(FactKind.NOTICE_SENT) == 1
    (posting,) = [row for row in story.store.rows() if isinstance(row, Posting)]
    assert posting.version == 2


def test_a_crash_then_enrolment_does_not_make_a_mailed_bill_a_notice() -> None:
    """AUTO-3: the bill went out, we died before noting it, and Ana enrolled: the kept words announce no charge."""
    story = Story(BY_HAND)
    story.mailer.fault = "crash_after"
    sent = story.mailer.deliver

    def deliver_and_enrol(notice_id: str, letter: Letter) -> str:
        story.change(replace(story.books.account, autopay=True, default_card=VISA.card_id))
        story.store.commit(Insert(VISA))
        story.mailer.deliver = sent  # type: ignore[method-assign]
        return sent(notice_id, letter)

    story.mailer.deliver = deliver_and_enrol  # type: ignore[method-assign]
    billed(story)
    assert story.mails == ["invoice", "invoice"]
    assert story.invoice.charge_at is None
    assert [f.kind for f in story.facts].count(FactKind.NOTICE_SENT) == 1


def test_an_invoice_paid_before_its_mail_leaves_is_announced_by_nobody() -> None:
    """INV-9, AUTO-5."""
    story = Story()
    story.store.commit(Insert(replace(invoice(6250), paid=6250)))
    issued = Fact(
        "riverbend",
        "ana",
        invoice(6250).key.sk,
        1,
        FactKind.INVOICE_ISSUED,
        NOW,
        "payer",
        "c",
        {"invoice_id": "inv_session"},
    )
    story.store.commit(Insert(issued))
    story.settle()
    assert story.mails == []


# ------------------------------------------------------------------------------------------------------- reminders


def reminding(*amounts: int, **changes: object) -> Story:
    """Ana, without autopay, with bills whose first reminder is due now."""
    story = Story(BY_HAND)
    for number, amount in enumerate(amounts):
        one = invoice(amount, f"inv_{number}", issued_at=NOW - timedelta(days=3), remind_at=NOW)
        story.store.commit(Insert(replace(one, **changes)))
    return story


def test_one_reminder_a_day_covers_every_open_invoice_of_the_client() -> None:
    """INV-9"""
    story = reminding(6250, 2000)
    story.wake()
    assert story.mails == ["reminder"]
    (mail,) = story.letters
    assert mail.amount == 8250
    assert [item.amount for item in mail.items] == [6250, 2000]
    assert [i.reminded for i in story.books.invoices] == [1, 1]


def test_reminders_come_on_the_days_of_the_policy_at_nine_and_stop_after_the_last() -> None:
    """INV-9: days 3, 7, 14, 30, 45 and 55 after issue."""
    story = Story(BY_HAND)
    billed(story)
    story.forward(days=70)
    (started,) = [f.at for f in story.facts if f.kind == FactKind.INVOICE_ISSUED]
    sent = [f for f in story.facts if f.kind == FactKind.NOTICE_SENT and f.data["notice"] == "reminder"]
    assert [(f.at - started).days for f in sent] == [3, 7, 14, 30, 45, 55]
    assert story.mails == ["invoice"] + ["reminder"] * 6
    assert story.store.next_due() is None


def test_nothing_is_sent_after_payment() -> None:
    """INV-9"""
    story = billed(Story(BY_HAND))
    story.pay(story.invoice.invoice_id)
    story.forward(days=70)
    assert story.mails == ["invoice", "receipt"]


@pytest.mark.parametrize(
    "pause",
    [{"reviews": ("hold_1",)}, {"paid": 6250}, {"open_attempt": 7}, {"charge_at": NOW + timedelta(days=1)}],
    ids=["in review", "paid", "being paid", "charge announced"],
)
def test_what_is_paused_is_not_reminded_of(pause: dict[str, object]) -> None:
    """INV-9, INV-7"""
    story = reminding(6250, **pause)
    story.wake()
    assert story.mails == []


def test_an_invoice_that_became_due_after_the_days_reminder_joins_it() -> None:
    """INV-9: one mail a day."""
    story = reminding(6250)
    story.wake()
    story.now += timedelta(hours=1)
    story.store.commit(Insert(invoice(2000, "inv_late", remind_at=NOW)))
    story.wake()
    assert story.mails == ["reminder"]
    late = story.books.invoice("inv_late")
    assert late is not None
    assert late.remind_at is not None
    assert late.remind_at > story.now


def test_of_two_wakes_at_the_same_moment_one_sends_and_the_other_leaves_it_to_it() -> None:
    """INV-9: both of Ana's invoices are due at 09:00, so two workers look at the same moment."""
    story = reminding(6250, 2000)
    first, second = story.books.invoices

    class MeanwhileTheOther:
        """While our mail is being sent, the other message is handled."""

        def deliver(self, notice_id: str, letter: object) -> str:
            message = Message(WakeKind.REMIND, second.key)
            send_email.run(message, store=story.store, mailer=story.mailer, now=story.now)
            return story.mailer.deliver(notice_id, letter)  # type: ignore[arg-type]

    message = Message(WakeKind.REMIND, first.key)
    send_email.run(message, store=story.store, mailer=MeanwhileTheOther(), now=story.now)
    assert story.mails == ["reminder"]
    assert [i.reminded for i in story.books.invoices] == [1, 1]


def test_a_reminder_whose_worker_died_is_taken_over() -> None:
    story = reminding(6250, 2000)
    dead = story.books.invoices[0]
    outgoing = reminder(Desk(PRACTICE, PROVIDER, CONTACT, story.books), NOW)
    assert outgoing is not None
    begun = Posting(
        "riverbend", "ana", outgoing.notice_id, 1, outgoing.letter.kind, NOW, outgoing.invoice_ids, dead.key.sk
    )
    story.store.commit(Insert(begun))
    story.change(replace(dead, paid=dead.amount))
    story.forward(minutes=30)
    assert story.mails == ["reminder"]
    assert story.letters[0].amount == 2000
    sent = story.store.get(begun.key)
    assert isinstance(sent, Posting)
    assert sent.invoice_ids == (story.books.invoices[1].invoice_id,)


def test_a_refused_reminder_is_not_tried_again_before_its_next_day() -> None:
    story = reminding(6250)
    story.mailer.refused.add(CONTACT.email)
    story.wake()
    assert story.invoice.remind_at is not None
    assert story.invoice.remind_at > NOW + timedelta(days=1)
    assert len(story.alerts) == 2


def test_an_alert_that_is_refused_does_not_alert_again() -> None:
    story = Story()
    story.mailer.refused |= {CONTACT.email, "desk@riverbend.example", "lee@riverbend.example"}
    billed(story)
    assert story.mailer.sent == []
    assert not story.dead


def test_past_due_tells_practice_and_provider() -> None:
    """INV-8: 60 days after issue, by the practice's calendar."""
    story = billed(Story(BY_HAND))
    story.forward(days=61)
    assert [letter.to for letter in story.alerts] == ["desk@riverbend.example", "lee@riverbend.example"]
    assert story.invoice.status == "past_due"


def test_an_account_without_a_provider_of_its_own_still_mails() -> None:
    story = billed(Story(replace(ENROLLED, provider="")))
    assert story.mails == ["charge_notice"]
    assert Books.expect(story.store, "riverbend", "ana").default_card == VISA


def test_inv_6_the_mail_of_a_bill_has_the_totals_of_its_explanation() -> None:
    (letter,) = billed(Story()).mailer.sent
    assert letter.went is not None
    assert [(part.label, part.shown) for part in letter.went.parts] == [
        ("Your plan's discount", -4500),
        ("Your plan paid", -4250),
        ("Your part", 6250),
    ]


@pytest.mark.parametrize("settled_by", ["paid", "credited"])
def test_inv_6_the_mail_of_a_bill_that_is_settled_in_part_says_what_the_plan_left_and_what_of_it_is_open(
    settled_by: str,
) -> None:
    """Credit pays before a card does: the plan left $62.50 all the same, and that is what the totals are of."""
    story = Story(account=BY_HAND)
    billed(story)
    story.store.commit(Update(replace(story.invoice, version=story.invoice.version + 1, **{settled_by: 2000})))
    (one,) = letters_for(fact(story, FactKind.INVOICE_ISSUED), explained_desk(story), story.now)
    assert one.letter.went is not None
    assert (one.letter.amount, one.letter.went.yours) == (4250, 6250)
    text = " ".join(render_letter(one.letter).text.split())
    assert "it left $62.50 for you to pay" in text
    assert "$20.00 of it is settled already, so $42.50 is left." in text


def test_inv_6_totals_that_are_not_what_the_bill_asks_for_are_left_out() -> None:
    """The page says why, the mail would only puzzle."""
    story = Story(account=BY_HAND)
    billed(story)
    story.store.commit(Update(replace(story.invoice, version=story.invoice.version + 1, corrected=-2000)))
    (one,) = letters_for(fact(story, FactKind.INVOICE_ISSUED), explained_desk(story), story.now)
    assert (one.letter.amount, one.letter.went) == (4250, None)
    assert "settled already" not in render_letter(one.letter).text


def explained_desk(story: Story) -> Desk:
    """Whom the mail is from and to, with the lines of the bill."""
    (lines,) = [row for row in story.store.rows() if isinstance(row, InvoiceLines)]
    return Desk(PRACTICE, PROVIDER, CONTACT, story.books, explained=lines)
