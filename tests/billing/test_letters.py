"""Which fact has which mails, what they say, and what they must never say (LAW-1)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from billing.account import Account
from billing.desk import Desk
from billing.facts import ROUTES, Fact, FactKind
from billing.letters import WHY_AUTOPAY_ENDED, accepted, letters_for, remindable, reminder
from billing.notice import Letter, NoticeKind
from billing.payment import Attempt, AttemptKind, AttemptState, Part
from billing.plan import InstalmentStatus, Plan, schedule
from billing.review import AskedBy, Review
from edges.render import render_letter
from tests.billing.correction_cases import correction_cases
from tests.billing.examples import (
    BY_HAND,
    CONTACT,
    ENROLLED,
    NOW,
    PRACTICE,
    PROVIDER,
    VISA,
    after,
    announced,
    books,
    invoice,
)

STAFF = ["desk@riverbend.example", "lee@riverbend.example"]


def desk(*rows: Any, account: Account = ENROLLED, told: frozenset[str] = frozenset()) -> Desk:
    return Desk(PRACTICE, PROVIDER, CONTACT, books(*rows, account=account), told)


def fact(kind: FactKind, **data: str | int) -> Fact:
    return Fact("riverbend", "ana", "ITEM#1#", 1, kind, NOW, "system", "cause_1", data)


def mails(told: Fact, at: Desk) -> list[Letter]:
    return [outgoing.letter for outgoing in letters_for(told, at, NOW)]


CHARGED = Attempt(
    "riverbend",
    "ana",
    7,
    1,
    AttemptKind.AUTOPAY,
    (Part("inv_session", 6250),),
    "cus_ana",
    "pm_visa",
    "card_visa",
    NOW,
    AttemptState.POSTED,
    posted_at=NOW,
    card_shown="Visa ending 4242",
)
AT_THE_DESK = replace(
    CHARGED, channel=AttemptKind.OUTSIDE, parts=(Part("inv_session", 2000),), card_id="", card_shown="Cash"
)
REFUND: dict[str, str | int] = {
    "refund_id": "ref_1",
    "attempt": 7,
    "payment_id": CHARGED.attempt_id,
    "amount": 2000,
    "cause": "staff",
}
DISPUTE: dict[str, str | int] = {
    "dispute_id": "dp_1",
    "attempt": 7,
    "amount": 6250,
    "withdrawn": 6250,
    "reason": "product_not_received",
}
FAILED = replace(CHARGED, state=AttemptState.FAILED, reason="declined", decline="insufficient_funds")
PLAN = Plan(
    "riverbend",
    "ana",
    "plan_1",
    1,
    4,
    NOW,
    (Part("inv_session", 25000),),
    schedule(25000, 4, NOW.date()),
)
PART = announced(6250, "inv_part", plan_id="plan_1", source="plan", charge_at=NOW + timedelta(hours=12))
BILL = fact(FactKind.INVOICE_ISSUED, invoice_id="inv_session")
RESUMED = fact(FactKind.INVOICE_RESUMED, invoice_id="inv_session", announce=1)
RESUMED_QUIETLY = fact(FactKind.INVOICE_RESUMED, invoice_id="inv_session", announce=0)
KNOWN = frozenset({"inv_session"})
REVIEW = Review("riverbend", "ana", "rev_1", 1, "inv_session", NOW, AskedBy.CLIENT, 6250, quoted=4000)
REVIEW_OPENED = fact(
    FactKind.REVIEW_REQUESTED, review_id="rev_1", invoice_id="inv_session", amount=6250, open=6250, announced=1
)

PLANNING = replace(ENROLLED, active_plan="plan_1")

EXPECTED: list[tuple[str, Fact, Desk, list[str]]] = [
    ("autopay on", BILL, desk(invoice(6250)), ["charge_notice"]),
    ("above the cap", BILL, desk(invoice(50001)), ["approval_request"]),
    ("no autopay", BILL, desk(invoice(6250), account=BY_HAND), ["invoice"]),
    (
        "enrolled since",
        BILL,
        desk(invoice(6250), account=replace(ENROLLED, enrolled_at=NOW + timedelta(minutes=1))),
        ["invoice"],
    ),
    (
        "enrolled since, and ticked",
        fact(FactKind.INVOICE_JOINED_AUTOPAY, invoice_id="inv_session"),
        desk(invoice(6250), account=replace(ENROLLED, enrolled_at=NOW + timedelta(minutes=1))),
        ["charge_notice"],
    ),
    ("too small to be paid alone", BILL, desk(invoice(49), account=BY_HAND), []),
    ("just large enough", BILL, desk(invoice(50), account=BY_HAND), ["invoice"]),
    ("paid meanwhile", BILL, desk(invoice(6250, paid=6250)), []),
    ("in review", BILL, desk(invoice(6250, reviews=("hold_1",))), []),
    ("resumed with autopay", RESUMED, desk(invoice(6250)), ["charge_notice"]),
    ("resumed above the cap", RESUMED, desk(invoice(50001)), ["approval_request"]),
    ("resumed, its charge was stopped before", RESUMED_QUIETLY, desk(invoice(6250), told=KNOWN), []),
    ("resumed by hand", RESUMED, desk(invoice(6250), account=BY_HAND, told=KNOWN), []),
    ("resumed, never mailed before", RESUMED, desk(invoice(6250), account=BY_HAND), ["invoice"]),
    ("resumed, questioned again", RESUMED, desk(invoice(6250, reviews=("hold_2",))), []),
    (
        "resumed instalment",
        fact(FactKind.INVOICE_RESUMED, invoice_id="inv_part", announce=1),
        desk(PLAN, PART),
        ["instalment"],
    ),
    ("review asked for", REVIEW_OPENED, desk(invoice(6250), REVIEW), ["review_opened", "staff_alert", "staff_alert"]),
    (
        "review upheld",
        fact(FactKind.REVIEW_DECIDED, review_id="rev_1", invoice_id="inv_session", status="upheld", amount=6250),
        desk(invoice(6250), REVIEW),
        ["review_upheld"],
    ),
    (
        "review corrected",
        fact(FactKind.REVIEW_DECIDED, review_id="rev_1", invoice_id="inv_session", status="corrected", amount=4000),
        desk(invoice(4000), REVIEW),
        [],
    ),
    ("being paid", BILL, desk(invoice(6250, open_attempt=3)), []),
    ("ticked", fact(FactKind.INVOICE_JOINED_AUTOPAY, invoice_id="inv_session"), desk(invoice(6250)), ["charge_notice"]),
    ("ticked, announced", fact(FactKind.INVOICE_JOINED_AUTOPAY, invoice_id="inv_session"), desk(announced(6250)), []),
    ("instalment", fact(FactKind.INSTALMENT_ISSUED, invoice_id="inv_part"), desk(PLAN, PART), ["instalment"]),
    (
        "instalment without autopay",
        fact(FactKind.INSTALMENT_ISSUED, invoice_id="inv_part"),
        desk(PLAN, replace(PART, charge_at=None), account=BY_HAND),
        ["reminder"],
    ),
    (
        "instalment paid meanwhile",
        fact(FactKind.INSTALMENT_ISSUED, invoice_id="inv_part"),
        desk(PLAN, replace(PART, paid=6250, charge_at=None)),
        [],
    ),
    (
        "paid",
        fact(FactKind.PAYMENT_POSTED, attempt=7, amount=6250, excess=0),
        desk(invoice(6250, paid=6250), CHARGED),
        ["receipt"],
    ),
    (
        "paid twice",
        fact(FactKind.PAYMENT_POSTED, attempt=7, amount=6250, excess=6250),
        desk(invoice(6250, paid=6250), replace(CHARGED, excess=6250)),
        ["receipt"],
    ),
    (
        "declined",
        fact(FactKind.PAYMENT_FAILED, attempt=7, amount=6250, invoice_id="inv_session"),
        desk(invoice(6250), FAILED),
        ["charge_failed"],
    ),
    (
        "declined, paid since",
        fact(FactKind.PAYMENT_FAILED, attempt=7, amount=6250, invoice_id="inv_session"),
        desk(invoice(6250, paid=6250), FAILED),
        [],
    ),
    (
        "declined under review",
        fact(FactKind.PAYMENT_FAILED, attempt=7, amount=6250),
        desk(invoice(6250, reviews=("hold_1",)), FAILED),
        [],
    ),
    ("plan made", fact(FactKind.PLAN_CREATED, plan_id="plan_1"), desk(PLAN, account=PLANNING), ["plan_schedule"]),
    (
        "plan broken",
        fact(FactKind.PLAN_BROKEN, plan_id="plan_1", invoice_id="inv_rest", amount=25000),
        desk(PLAN),
        ["plan_broken", "staff_alert", "staff_alert"],
    ),
    ("enrolled", fact(FactKind.AUTOPAY_ENROLLED, card_id="card_visa"), desk(), ["autopay_on"]),
    ("enrolled and left", fact(FactKind.AUTOPAY_ENROLLED, card_id="card_visa"), desk(account=BY_HAND), []),
    ("turned off", fact(FactKind.AUTOPAY_ENDED, reason="client"), desk(account=BY_HAND), ["autopay_off"]),
    (
        "three failures",
        fact(FactKind.AUTOPAY_ENDED, reason="charges_failed"),
        desk(account=BY_HAND),
        ["autopay_off", "staff_alert", "staff_alert"],
    ),
    ("health account", fact(FactKind.AUTOPAY_REFUSED, reason="fsa_card"), desk(account=BY_HAND), ["autopay_off"]),
    ("good news", fact(FactKind.NOTHING_OWED, announce=1), desk(), ["nothing_owed"]),
    ("no news", fact(FactKind.NOTHING_OWED, announce=0), desk(), []),
    ("locked", fact(FactKind.PHONE_LOCKED, locked_until="2026-11-21T17:00:00+00:00"), desk(), ["pay_link_locked"]),
    (
        "past due",
        fact(FactKind.INVOICE_PAST_DUE, invoice_id="inv_session"),
        desk(invoice(6250, past_due=True)),
        ["staff_alert", "staff_alert"],
    ),
    ("past due, paid", fact(FactKind.INVOICE_PAST_DUE, invoice_id="inv_session"), desk(invoice(6250, paid=6250)), []),
    (
        "voided",
        fact(FactKind.INVOICE_VOIDED, invoice_id="inv_session", amount=6250, announced=1),
        desk(invoice(6250, void=True), told=frozenset({"inv_session"})),
        ["no_longer_owed"],
    ),
    (
        "voided before anybody was told",
        fact(FactKind.INVOICE_VOIDED, invoice_id="inv_session", amount=6250, announced=0),
        desk(invoice(6250, void=True)),
        [],
    ),
    (
        "written off",
        fact(FactKind.INVOICE_WRITTEN_OFF, invoice_id="inv_session", amount=4250, announced=0),
        desk(invoice(6250, paid=2000, written_off=4250), told=frozenset({"inv_session"})),
        ["no_longer_owed"],
    ),
    (
        "paid at the desk",
        fact(FactKind.PAYMENT_POSTED, attempt=7, amount=2000, excess=0, received_on="2026-11-18"),
        desk(invoice(6250, paid=2000), AT_THE_DESK),
        ["receipt"],
    ),
    ("sent back", fact(FactKind.REFUND_POSTED, **REFUND), desk(CHARGED), ["refund"]),
    (
        "paid too much, sent back",
        fact(FactKind.REFUND_POSTED, **REFUND | {"cause": "overpaid"}),
        desk(CHARGED),
        ["refund"],
    ),
    (
        "sent back past us",
        fact(FactKind.REFUND_POSTED, **REFUND | {"cause": "at_stripe"}),
        desk(CHARGED),
        ["refund", "staff_alert", "staff_alert"],
    ),
    (
        "never sent back",
        fact(FactKind.REFUND_FAILED, **REFUND, reason="insufficient_funds", posted=0),
        desk(CHARGED),
        ["staff_alert", "staff_alert"],
    ),
    (
        "sent back, and returned",
        fact(FactKind.REFUND_FAILED, **REFUND, reason="expired_or_canceled_card", posted=1),
        desk(CHARGED),
        ["refund_failed", "staff_alert", "staff_alert"],
    ),
    (
        "disputed",
        fact(FactKind.DISPUTE_OPENED, **DISPUTE, state="open"),
        desk(CHARGED),
        ["staff_alert", "staff_alert"],
    ),
    ("won", fact(FactKind.DISPUTE_CLOSED, **DISPUTE, state="won"), desk(CHARGED), ["staff_alert", "staff_alert"]),
    ("lost", fact(FactKind.DISPUTE_CLOSED, **DISPUTE, state="lost"), desk(CHARGED), ["staff_alert", "staff_alert"]),
    ("bounced", fact(FactKind.NOTICE_BOUNCED, notice="charge_notice"), desk(), ["staff_alert", "staff_alert"]),
    ("alert bounced", fact(FactKind.NOTICE_BOUNCED, notice="staff_alert"), desk(), []),
    *correction_cases(fact, desk),
]


@pytest.mark.parametrize(("told", "at", "kinds"), [e[1:] for e in EXPECTED], ids=[e[0] for e in EXPECTED])
def test_each_fact_has_the_mails_it_should(told: Fact, at: Desk, kinds: list[str]) -> None:
    """INV-8, INV-9, AUTO-1 to AUTO-8, PAY-11, PLAN-3, PLAN-5, PLAN-7, made from what is true now."""
    written = mails(told, at)
    assert [letter.kind for letter in written] == kinds
    assert [letter.to for letter in written if letter.kind == NoticeKind.STAFF_ALERT] == STAFF[
        : kinds.count("staff_alert")
    ]
    assert all(letter.to == CONTACT.email for letter in written if letter.kind != NoticeKind.STAFF_ALERT)


def test_every_fact_that_is_routed_to_mails_is_shown_above() -> None:
    assert {told.kind for _, told, _, _ in EXPECTED} == {kind for kind in FactKind if "send_email" in ROUTES[kind]}


def test_every_kind_of_notice_is_sent_by_something() -> None:
    """A reminder is sent by its wake as well."""
    assert {kind for *_, kinds in EXPECTED for kind in kinds} == {str(kind) for kind in NoticeKind}


@pytest.mark.parametrize(
    ("told", "at", "kinds"), [e[1:] for e in EXPECTED if e[3]], ids=[e[0] for e in EXPECTED if e[3]]
)
def test_no_mail_says_anything_about_health(told: Fact, at: Desk, kinds: list[str]) -> None:
    """LAW-1: neither service, nor diagnosis, nor the day of the session; staff read an id, not a name."""
    for letter in mails(told, at):
        words = render_letter(letter)
        for text in (words.subject, words.html, words.text):
            for word in (
                "90834",
                "F41",
                "F411",
                "October 30",
                "2026-10-30",
                "therapy session",
                "diagnos",
                "dr_lee",
                "Lee",
            ):
                assert word.lower() not in text.lower(), f"{letter.kind}: {word}"
        if letter.kind == NoticeKind.STAFF_ALERT:
            assert "Ana" not in words.subject + words.text


def test_a_mail_is_known_by_its_fact_and_who_it_is_for() -> None:
    """A repeated fact meets its own mail even where it would be of another kind by now."""
    (before,) = letters_for(BILL, desk(invoice(6250), account=BY_HAND), NOW)
    (since,) = letters_for(BILL, desk(invoice(6250)), NOW)
    assert before.letter.kind != since.letter.kind
    assert before.notice_id == since.notice_id
    three = letters_for(fact(FactKind.PLAN_BROKEN, invoice_id="i", amount=1), desk(PLAN), NOW)
    assert len({outgoing.notice_id for outgoing in three}) == 3


def test_the_notice_names_amount_card_and_moment() -> None:
    """AUTO-4"""
    (notice,) = mails(BILL, desk(invoice(6250)))
    assert (notice.amount, notice.card, notice.moment) == (6250, "Visa ending 4242", NOW + timedelta(hours=48))


def test_pay_12_the_receipt_says_what_was_paid_too_much_and_that_it_goes_back() -> None:
    at = desk(invoice(6250, paid=6250), replace(CHARGED, excess=4250))
    (receipt,) = mails(fact(FactKind.PAYMENT_POSTED, attempt=7, amount=6250, excess=4250), at)
    words = " ".join(render_letter(receipt).text.split())
    assert "That is $42.50 more than you owed. We send it back, and write again when it is on its way." in words


@pytest.mark.parametrize("applied", [(Part("inv_session", 2000),), ()])
def test_pay_11_the_receipt_itemises_what_was_paid_and_not_what_goes_back(applied: tuple[Part, ...]) -> None:
    charged = replace(CHARGED, excess=6250 - sum(p.amount for p in applied), applied=applied)
    told = fact(FactKind.PAYMENT_POSTED, attempt=7, amount=6250, excess=charged.excess)
    (receipt,) = mails(told, desk(invoice(6250, paid=2000), charged))
    assert [item.amount for item in receipt.items] == [part.amount for part in applied]
    assert "$62.50" in render_letter(receipt).text


def test_pay_11_the_receipt_of_what_the_practice_took_itself_says_so_and_what_is_left() -> None:
    """INV-10"""
    told = fact(FactKind.PAYMENT_POSTED, attempt=7, amount=2000, excess=0, received_on="2026-11-18")
    (receipt,) = mails(told, desk(announced(6250, paid=2000), AT_THE_DESK))
    words = " ".join(render_letter(receipt).text.split())
    assert "Riverbend Therapy has recorded your payment. This is your receipt." in words
    assert "Amount: $20.00 Paid with: Cash Date: November 18, 2026" in words
    assert "$42.50 of this bill is still open. The payment we announced will take only that." in words


def test_pay_12_the_mail_about_a_refund_says_how_much_where_to_and_by_when() -> None:
    (mail,) = mails(fact(FactKind.REFUND_POSTED, **REFUND | {"cause": "overpaid"}), desk(CHARGED))
    words = " ".join(render_letter(mail).text.split())
    assert "we received more than you owed, so Riverbend Therapy has sent you $20.00 back." in words
    assert "Back to: Visa ending 4242" in words
    assert "5 to 10 business days" in words


def test_pay_12_staff_hear_why_a_refund_did_not_arrive_and_of_which_payment() -> None:
    told = fact(FactKind.REFUND_FAILED, **REFUND, reason="lost_or_stolen_card", posted=0)
    alert, _ = mails(told, desk(CHARGED))
    assert alert.reason == "A refund of $20.00 to client ana did not arrive (lost or stolen card)."
    assert CHARGED.attempt_id in alert.what_to_do


@pytest.mark.parametrize(
    ("kind", "state", "sentence"),
    [
        ("DISPUTE_OPENED", "open", "The bank of client ana disputes a payment of $62.50 (product not received)."),
        ("DISPUTE_CLOSED", "won", "The dispute of $62.50 of client ana is over: the payment stands."),
        ("DISPUTE_CLOSED", "lost", "The dispute of $62.50 of client ana is lost: their bank keeps the money."),
    ],
)
def test_pay_13_staff_hear_what_the_bank_does_and_what_is_theirs_to_do(kind: str, state: str, sentence: str) -> None:
    alert, _ = mails(fact(FactKind[kind], **DISPUTE, state=state), desk(CHARGED))
    assert alert.reason == sentence
    assert CHARGED.attempt_id in alert.what_to_do


def test_a_failed_charge_says_why_what_to_do_and_when_it_is_tried_again() -> None:
    """AUTO-6"""
    retrying = desk(invoice(6250, charge_at=NOW + timedelta(days=1)), FAILED)
    (mail,) = mails(fact(FactKind.PAYMENT_FAILED, attempt=7, amount=6250, invoice_id="inv_session"), retrying)
    assert mail.reason == "Your bank said there was not enough money available on the card."
    assert mail.what_to_do == "Please pay with another card below."
    assert mail.retry_at == NOW + timedelta(days=1)


def test_the_copy_of_the_consent_says_what_was_agreed_and_up_to_what() -> None:
    """AUTO-1, AUTO-2"""
    (mail,) = mails(fact(FactKind.AUTOPAY_ENROLLED), desk(account=replace(ENROLLED, cap=20000)))
    assert (mail.cap, mail.card) == (20000, "Visa ending 4242")
    assert mail.consent_text.startswith("I agree that my practice may charge this card")


def test_a_refused_card_does_not_say_that_autopay_is_off_where_it_is_on_with_another() -> None:
    """PAY-6"""
    refused = fact(FactKind.AUTOPAY_REFUSED, reason="fsa_card")
    for account, subject in (
        (ENROLLED, "This card cannot be used for automatic payments"),
        (BY_HAND, "Automatic payments are off"),
    ):
        (mail,) = mails(refused, desk(account=account))
        words = render_letter(mail)
        assert words.subject == subject
        assert ("stay as they are, with Visa ending 4242" in words.text) is account.autopay
        assert ("we charge no card automatically" in words.text) is not account.autopay


@pytest.mark.parametrize("reason", WHY_AUTOPAY_ENDED)
def test_why_autopay_ended_is_a_sentence(reason: str) -> None:
    (mail, *_) = mails(fact(FactKind.AUTOPAY_ENDED, reason=reason), desk(account=BY_HAND))
    assert mail.reason.endswith(".")


def test_the_receipt_of_an_instalment_says_which_bills_it_paid_off() -> None:
    """PAY-11: $62.50 of a plan over bills of $80.00 and $170.00; the first instalment took $62.50 of the older."""
    older, newer = (
        invoice(a, f"inv_{a}", moved=a, issued_at=NOW - timedelta(days=d)) for a, d in ((8000, 9), (17000, 2))
    )
    plan = replace(PLAN, covers=(Part("inv_8000", 8000), Part("inv_17000", 17000)))
    parts = [replace(PART, invoice_id=f"inv_part{n}", ordinal=n, paid=6250, charge_at=None) for n in range(2)]
    paid = [
        replace(CHARGED, number=n + 1, parts=(Part(p.invoice_id, 6250),), posted_at=NOW + timedelta(weeks=n))
        for n, p in enumerate(parts)
    ]
    at = desk(older, newer, plan, *parts, *paid)
    told = [fact(FactKind.PAYMENT_POSTED, attempt=n, amount=6250, excess=0) for n in (1, 2)]
    first, second = (mails(one, at)[0].items for one in told)
    assert [(item.label, item.amount, item.on) for item in first] == [
        ("Instalment 1, toward your bill", 6250, older.issued_at)
    ]
    assert [(item.label, item.amount, item.on) for item in second] == [
        ("Instalment 2, toward your bill", 1750, older.issued_at),
        ("Instalment 2, toward your bill", 4500, newer.issued_at),
    ]


# ------------------------------------------------------------------------------------------------------- reminders


def test_a_reminder_covers_everything_open_and_nothing_else() -> None:
    """INV-9"""
    at = desk(
        invoice(6250, "inv_due", remind_at=NOW),
        invoice(2000, "inv_later", remind_at=NOW + timedelta(days=2)),
        announced(1000, "inv_announced", charge_at=NOW + timedelta(days=1)),
        invoice(900, "inv_review", reviews=("hold_1",)),
        invoice(800, "inv_paid", paid=800),
    )
    outgoing = reminder(at, NOW)
    assert outgoing is not None
    assert outgoing.invoice_ids == ("inv_due", "inv_later")
    assert outgoing.letter.amount == 8250
    assert [i.invoice_id for i in remindable(at.books)] == ["inv_due", "inv_later"]
    moved = after(at.books, accepted(outgoing, at.books, PRACTICE, NOW))
    assert [(i.reminded, i.invoice_id) for i in moved.invoices if i.invoice_id in outgoing.invoice_ids] == [
        (1, "inv_due"),
        (0, "inv_later"),
    ]


def test_nothing_due_is_no_reminder() -> None:
    assert reminder(desk(invoice(6250, remind_at=NOW + timedelta(seconds=1))), NOW) is None
    assert reminder(desk(invoice(6250)), NOW) is None


# ------------------------------------------------------------------------------------------------------- acceptance


def test_an_accepted_notice_sets_the_charge() -> None:
    """AUTO-3: the clock starts at the accepted notice."""
    at = desk(invoice(6250, remind_at=NOW))
    (notice,) = letters_for(BILL, at, NOW)
    (bill,) = after(at.books, accepted(notice, at.books, PRACTICE, NOW)).invoices
    assert (bill.charge_at, bill.notice_at, bill.card_id) == (NOW + timedelta(hours=48), NOW, "card_visa")


@pytest.mark.parametrize(
    ("account", "bill"),
    [
        (BY_HAND, invoice(6250)),
        (replace(ENROLLED, cap=1), invoice(6250)),
        (ENROLLED, invoice(6250, paid=6250)),
        (ENROLLED, invoice(6250, open_attempt=2)),
        (ENROLLED, invoice(6250, reviews=("hold_1",))),
        (ENROLLED, invoice(6250, corrected=1750)),
    ],
    ids=["off", "cap", "paid", "paying", "review", "grown"],
)
def test_what_changed_meanwhile_decides(account: Account, bill: Any) -> None:
    """AUTO-5, LAW-7"""
    (notice,) = letters_for(BILL, desk(invoice(6250)), NOW)
    assert accepted(notice, books(bill, account=account), PRACTICE, NOW) == ()


def test_an_accepted_schedule_is_the_notice_of_the_active_plan_once() -> None:
    """PLAN-5"""
    at = desk(PLAN, account=PLANNING)
    (schedule_mail,) = letters_for(fact(FactKind.PLAN_CREATED, plan_id="plan_1"), at, NOW)
    noted = after(at.books, accepted(schedule_mail, at.books, PRACTICE, NOW))
    assert noted.plans[0].notice_at == NOW
    assert accepted(schedule_mail, noted, PRACTICE, NOW + timedelta(days=1)) == ()


def test_an_accepted_instalment_mail_is_a_notice_of_its_own() -> None:
    """AUTO-3: so a bounce of it cancels its charge."""
    at = desk(PLAN, replace(PART, notice_id="", notice_at=None))
    (mail,) = letters_for(fact(FactKind.INSTALMENT_ISSUED, invoice_id="inv_part"), at, NOW)
    (bill,) = after(at.books, accepted(mail, at.books, PRACTICE, NOW)).invoices
    assert (bill.notice_id, bill.notice_at, bill.charge_at) == (mail.notice_id, NOW, PART.charge_at)


def test_the_schedule_says_when_each_instalment_is_charged() -> None:
    """PLAN-3, PLAN-5"""
    (mail,) = mails(fact(FactKind.PLAN_CREATED, plan_id="plan_1"), desk(PLAN))
    assert [item.amount for item in mail.items] == [6250] * 4
    assert [item.on for item in mail.items] == [NOW + timedelta(weeks=w, hours=12) for w in range(4)]
    assert PLAN.instalments[0].status is InstalmentStatus.PLANNED
    assert mail.card == VISA.shown


def test_auto_1_the_copy_is_the_text_that_was_agreed_to_whatever_the_practice_asks_for_by_now() -> None:
    """PAY-6: where any card may be enrolled, nobody says that theirs is no FSA card."""
    for version, declared in (("2026-11.2", True), ("2026-11.2-any-card", False)):
        (outgoing,) = letters_for(fact(FactKind.AUTOPAY_ENROLLED, terms=version), desk(), NOW)
        assert outgoing.letter.kind is NoticeKind.AUTOPAY_ON
        assert ("FSA" in outgoing.letter.consent_text) is declared
