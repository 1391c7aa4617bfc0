"""Every mail in words: what must stand in it, what must not (LAW-1), and that outside text cannot break out."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from billing.claim import Adjustment
from billing.explain import explain
from billing.money import dollars
from billing.notice import Letter, LetterItem, NoticeKind
from billing.where_it_went import where_it_went
from edges.render import (
    PAY_LINK,
    STYLE,
    TEMPLATES,
    TEXT_WIDTH,
    Rendered,
    moment_in_words,
    phone_in_words,
    render_letter,
)
from tests.billing.claim_examples import decided

TUESDAY_NINE = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
"""Tuesday, November 24, 9:00 am Pacific."""
FRIDAY = datetime(2026, 11, 27, 17, 5, tzinfo=UTC)
WITHOUT_LINK = {NoticeKind.PAY_LINK_LOCKED, NoticeKind.STAFF_ALERT}
LEADS_FURTHER = {NoticeKind.CHARGE_NOTICE: {f"{PAY_LINK}/review"}}
"""Addresses behind the pay link's own page (AUTO-4)."""
WITHOUT_AMOUNT = {
    NoticeKind.AUTOPAY_ON,
    NoticeKind.AUTOPAY_OFF,
    NoticeKind.NOTHING_OWED,
    NoticeKind.PAY_LINK_LOCKED,
    NoticeKind.STAFF_ALERT,
}


EXPLAINED = {NoticeKind.INVOICE, NoticeKind.CHARGE_NOTICE, NoticeKind.APPROVAL_REQUEST}
"""Kinds that are about one new bill, and say where its price went."""
WENT = where_it_went(
    explain(decided(Adjustment("CO", "11", 2000), Adjustment("OA", "23", 3000), Adjustment("PR", "3", 6250)), None)
).in_totals


def letter(kind: NoticeKind, **content: object) -> Letter:
    """A letter of that kind with everything a flow may put into one."""
    full = Letter(
        kind=kind,
        practice="prac_riverbend",
        client="client_8841",
        link_epoch=0,
        to="ana@example.com",
        client_name="Ana Lima",
        practice_name="Riverbend Care",
        practice_phone="(202) 555-0143",
        time_zone="America/Los_Angeles",
        amount=6250,
        card="Visa ending 4242",
        moment=TUESDAY_NINE,
        retry_at=FRIDAY,
        reason="Your bank said there was not enough money available on the card.",
        what_to_do="Please pay with another card.",
        cap=50000,
        consent_text="I agree that my practice may charge this card.",
        autopay=True,
        starts_on=date(2026, 12, 1),
        went=WENT,
    )
    return replace(full, **content)  # type: ignore[arg-type]


class _Words(HTMLParser):
    """What a person reads of an HTML letter, and its tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self._words: list[str] = []
        self._style = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._style = False

    def handle_data(self, data: str) -> None:
        if not self._style:
            self._words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self._words).split())


def both(mail: Rendered) -> tuple[str, str]:
    """The words of both forms, each on one line."""
    return _Words(mail.html).text, " ".join(mail.text.split())


@pytest.mark.parametrize("kind", NoticeKind)
def test_every_kind_of_notice_has_a_mail_in_both_forms_that_names_the_practice(kind: NoticeKind) -> None:
    mail = render_letter(letter(kind))
    assert mail.subject
    for words in both(mail):
        assert "Riverbend Care" in words
    assert mail.subject in mail.text
    assert f"<title>{mail.subject}</title>" in mail.html


def test_every_template_belongs_to_a_kind_of_notice() -> None:
    names = {p.stem for p in Path(TEMPLATES, "mails").iterdir() if not p.name.startswith("_")}
    assert names == set(NoticeKind)


@pytest.mark.parametrize("kind", sorted(set(NoticeKind) - WITHOUT_AMOUNT))
def test_a_mail_about_money_names_the_amount_in_both_forms(kind: NoticeKind) -> None:
    for words in both(render_letter(letter(kind))):
        assert "$62.50" in words


@pytest.mark.parametrize("kind", NoticeKind)
def test_the_pay_link_is_a_placeholder_and_stands_in_every_mail_that_has_something_to_do_there(
    kind: NoticeKind,
) -> None:
    mail = render_letter(letter(kind))
    targets = re.findall(r'href="([^"]*)"', mail.html)
    if kind in WITHOUT_LINK:
        assert targets == []
        assert PAY_LINK not in mail.text
    else:
        assert set(targets) == {PAY_LINK} | LEADS_FURTHER.get(kind, set())
        assert PAY_LINK in mail.text
    assert "http" not in mail.text


@pytest.mark.parametrize("kind", NoticeKind)
def test_law_1_no_mail_speaks_of_care_or_of_who_gave_it_and_no_subject_names_practice_or_client(
    kind: NoticeKind,
) -> None:
    mail = render_letter(letter(kind, items=(LetterItem("Invoice", 6250, TUESDAY_NINE),) * 2))
    care = re.compile(r"session|therap|diagnos|treatment|appointment|visit\b|procedure|\bDr\b|service|doctor", re.I)
    for words in (mail.subject, *both(mail)):
        assert not care.search(words), words
    assert "Riverbend" not in mail.subject
    assert "Ana" not in mail.subject


@pytest.mark.parametrize("kind", NoticeKind)
def test_outside_text_is_escaped_in_html_and_kept_on_one_line(kind: NoticeKind) -> None:
    evil = letter(
        kind,
        client_name="<script>alert(1)</script>\nBcc: everyone@example.com",
        practice_name='River"><img src=x>\r\nbend',
        reason="<b>no</b>\nreason",
        what_to_do="<i>nothing</i>",
        card="<u>Visa</u>",
        consent_text="<s>I agree</s>",
        practice_phone="<a href=x>",
        items=(LetterItem("<em>Invoice</em>", 1, TUESDAY_NINE),) * 2,
    )
    mail = render_letter(evil)
    assert not {"script", "img", "b", "i", "u", "s", "em"} & set(_Words(mail.html).tags)
    assert "\n" not in mail.subject
    assert "\r" not in mail.subject


@pytest.mark.parametrize("kind", sorted(EXPLAINED))
def test_inv_6_the_mail_of_a_new_bill_says_in_totals_where_its_price_went(kind: NoticeKind) -> None:
    for words in both(render_letter(letter(kind))):
        at = words.index("Where the $150.00 went")
        for part in ("Full price", "Taken off, not yours to pay", "Settled by your other insurance", "Your plan paid"):
            assert part in words[at:]
        for amount in ("$150.00", "−$20.00", "−$30.00", "−$37.50", "$62.50"):
            assert amount in words[at:]


@pytest.mark.parametrize("kind", sorted(EXPLAINED))
def test_inv_6_a_mail_that_knows_nothing_of_the_price_says_nothing_of_it(kind: NoticeKind) -> None:
    for words in both(render_letter(letter(kind, went=None))):
        assert "Full price" not in words
        assert "went" not in words


def test_the_bar_of_a_mail_is_for_eyes_only_and_has_the_colours_of_the_pages() -> None:
    """Everything it shows stands in the table beneath it."""
    html = render_letter(letter(NoticeKind.INVOICE)).html
    (bar,) = re.findall(r'<table role="presentation" aria-hidden="true".*?</table>', html, re.S)
    assert not _Words(bar).text.strip()
    assert re.findall(r'width="([0-9.]+)%"', bar) == ["13.33", "20.00", "25.00", "41.67"]
    light, dark = re.findall(r":root \{(.*?)\}", STYLE.decode(), re.S)
    for share in ("off", "other", "plan", "you"):
        (colour,) = re.findall(rf"--{share}: (#[0-9a-f]{{6}})", light)
        (dark_colour,) = re.findall(rf"--{share}: (#[0-9a-f]{{6}})", dark)
        assert f'class="bar-{share}"' in bar
        assert f"background:{colour}" in bar
        assert f".bar-{share} {{ background: {dark_colour} !important; }}" in html
        assert f".key-{share} {{ color: {dark_colour} !important; }}" in html


def test_auto_4_a_charge_notice_names_amount_card_and_the_moment_in_the_zone_of_the_practice() -> None:
    mail = render_letter(letter(NoticeKind.CHARGE_NOTICE))
    assert mail.subject == "We plan to charge $62.50 on Tuesday, November 24"
    for words in both(mail):
        assert "Tuesday, November 24, 9:00 am Pacific" in words
        assert "Visa ending 4242" in words
        assert "stop this charge" in words
        assert "turn automatic payments off" in words
        assert "pay now" in words


def test_auto_2_an_approval_request_says_that_nothing_is_charged_without_a_click() -> None:
    for words in both(render_letter(letter(NoticeKind.APPROVAL_REQUEST, amount=62000))):
        assert "Nothing is charged unless you choose to pay it." in words
        assert "above your limit of $500.00" in words


def test_auto_6_a_failed_charge_says_why_what_to_do_and_when_it_is_tried_again() -> None:
    for words in both(render_letter(letter(NoticeKind.CHARGE_FAILED))):
        assert "not enough money available" in words
        assert "Please pay with another card." in words
        assert "Next try: Friday, November 27, 9:05 am Pacific." in words


def test_auto_7_a_charge_that_is_not_tried_again_says_so() -> None:
    for words in both(render_letter(letter(NoticeKind.CHARGE_FAILED, retry_at=None))):
        assert "We will not try again automatically." in words
        assert "Next try" not in words


def test_inv_9_one_reminder_counts_all_open_bills_and_sums_them() -> None:
    three = tuple(LetterItem("Invoice", amount, TUESDAY_NINE) for amount in (6250, 6250, 12500))
    mail = render_letter(letter(NoticeKind.REMINDER, amount=25000, items=three))
    assert mail.subject == "Reminder: 3 bills, $250.00 together, are still open"
    for words in both(mail):
        assert "3 bills" in words
        assert "Together" in words
        assert "$250.00" in words
        assert words.count("$62.50") == 2


def test_inv_9_a_reminder_of_one_bill_does_not_count() -> None:
    mail = render_letter(letter(NoticeKind.REMINDER, items=(LetterItem("Invoice", 6250, TUESDAY_NINE),)))
    assert mail.subject == "Reminder: a bill of $62.50 is still open"


def test_plan_3_the_schedule_names_every_date_and_amount_and_their_sum() -> None:
    days = [datetime(2026, 12, day, 5, 0, tzinfo=UTC) for day in (2, 9, 16, 23)]
    items = tuple(LetterItem(f"Instalment {n}", 6250, day) for n, day in enumerate(days, start=1))
    mail = render_letter(letter(NoticeKind.PLAN_SCHEDULE, amount=25000, items=items))
    assert mail.subject == "Your payment plan: 4 weekly payments, $250.00 in all"
    for words in both(mail):
        for day in (1, 8, 15, 22):
            assert f"Tuesday, December {day}, 9:00 pm Pacific" in words
        assert words.count("$62.50") == 4
        assert "Visa ending 4242" in words


def test_plan_10_the_disclosure_is_copied_word_for_word_with_what_the_plan_costs() -> None:
    items = tuple(LetterItem(f"Instalment {n}", 5000, TUESDAY_NINE) for n in range(1, 7))
    plain = letter(NoticeKind.PLAN_SCHEDULE, amount=30000, items=items, disclosure="")
    said = replace(plain, disclosure="It costs nothing.\n\nPay early & <freely>.")
    for words in both(render_letter(said)):
        assert "Truth-in-Lending disclosure" in words
        assert "It costs nothing." in words
        assert "0%" in words
        assert words.count("$300.00") > 2
    assert "Pay early & <freely>." in render_letter(said).text
    assert "Pay early &amp; &lt;freely&gt;." in render_letter(said).html
    assert "Truth-in-Lending" not in render_letter(plain).html + render_letter(plain).text


def test_auto_1_the_consent_is_copied_word_for_word_with_the_cap_and_the_way_out() -> None:
    for words in both(render_letter(letter(NoticeKind.AUTOPAY_ON))):
        assert "I agree that my practice may charge this card." in words
        assert "$500.00" in words
        assert "urn automatic payments off" in words


def test_auto_6_enrolling_another_card_tells_what_it_will_be_charged_for() -> None:
    items = (LetterItem("Invoice", 6250, TUESDAY_NINE),)
    for words in both(render_letter(letter(NoticeKind.AUTOPAY_ON, items=items))):
        assert "Tuesday, November 24, 9:00 am Pacific" in words
        assert "$62.50" in words


def test_pay_11_a_receipt_is_itemised_by_what_was_paid() -> None:
    items = (LetterItem("Invoice", 6250, TUESDAY_NINE), LetterItem("Invoice", 12500, FRIDAY))
    mail = render_letter(letter(NoticeKind.RECEIPT, amount=18750, items=items))
    assert mail.subject == "Receipt: $187.50 is paid"
    for words in both(mail):
        assert "November 24, 2026" in words
        for item in items:
            assert dollars(item.amount) in words


def test_a_staff_alert_names_the_client_by_id_only() -> None:
    mail = render_letter(letter(NoticeKind.STAFF_ALERT, reason="An invoice of client client_8841 is past due."))
    assert mail.subject == "Please look: An invoice of client client_8841 is past due."
    for words in both(mail):
        assert "client_8841" in words
        assert "Ana" not in words
        assert "Please pay with another card." in words


def test_pay_2_the_lock_mail_says_until_when_and_how_to_correct_the_number() -> None:
    for words in both(render_letter(letter(NoticeKind.PAY_LINK_LOCKED))):
        assert "Tuesday, November 24, 9:00 am Pacific" in words
        assert "(202) 555-0143" in words


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("America/Los_Angeles", "Tuesday, November 24, 9:00 am Pacific"),
        ("America/Denver", "Tuesday, November 24, 10:00 am Mountain"),
        ("America/New_York", "Tuesday, November 24, 12:00 pm Eastern"),
        ("Pacific/Honolulu", "Tuesday, November 24, 7:00 am Hawaii"),
        ("Asia/Shanghai", "Wednesday, November 25, 1:00 am CST"),
        ("Asia/Dubai", "Tuesday, November 24, 9:00 pm UTC+04"),
    ],
)
def test_a_moment_is_said_in_the_zone_of_the_practice(zone: str, words: str) -> None:
    assert moment_in_words(TUESDAY_NINE, zone) == words


def test_a_client_without_a_name_is_greeted_without_one() -> None:
    assert "Hi, your health plan" in render_letter(letter(NoticeKind.INVOICE, client_name="")).text


@pytest.mark.parametrize(
    ("stored", "read"), [("+12025550143", "(202) 555-0143"), ("+442071838750", "+442071838750"), ("", "")]
)
def test_a_phone_number_is_written_as_people_write_it(stored: str, read: str) -> None:
    assert phone_in_words(stored) == read


def test_plain_text_fits_its_lines_and_breaks_no_link() -> None:
    """Mail programs break longer lines where they like; the subject, links and rows stay whole."""
    said = letter(NoticeKind.PLAN_SCHEDULE, disclosure="Each payment is due on its day.\n" + "There is no fee. " * 20)
    for mail in (render_letter(said), *(render_letter(letter(kind)) for kind in NoticeKind)):
        subject, *lines = mail.text.splitlines()
        assert subject == mail.subject
        assert [line for line in lines if len(line) > TEXT_WIDTH and line[:2] != "  " and PAY_LINK not in line] == []
        assert [line for line in lines if PAY_LINK in line and not line.startswith(PAY_LINK)] == []
    text = render_letter(said).text
    assert "Each payment is due on its day.\n\nThere is no fee. There" in text
    assert "(202) 555-0143\n\nWe never ask for card numbers by email or phone.\n" in text
