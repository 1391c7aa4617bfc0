"""After a quiet half-year, or above the limit of the time, a client has two working days before a charge (LAW-6). Ana
agrees, months pass, a claim is decided; her mail says the moment, and nothing is charged before.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from edges.render import render_letter
from tests.billing.claim_examples import OWES_62_50, SUBMITTED
from tests.billing.examples import BY_HAND, practice
from tests.fakes.story import Story

LAST_MOMENT = timedelta(minutes=1)


def agreed(months_ago: int, policy: dict[str, object] | None = None) -> Story:
    """Ana turned autopay on that long ago, with no limit of her own."""
    story = Story(BY_HAND, practice=practice(**(policy or {})))
    story.now -= timedelta(days=31 * months_ago)
    story.enrol()
    assert story.books.account.agreed_at == story.now
    story.now += timedelta(days=31 * months_ago)
    return story


def billed(story: Story, claim: str = "") -> Story:
    of = replace(SUBMITTED, claim_id=claim) if claim else SUBMITTED
    story.submit(of)
    story.receive(replace(OWES_62_50, claim_id=of.claim_id))
    return story


def mailed(story: Story) -> str:
    """The words of Ana's latest mail, on one line."""
    text = render_letter(story.letters[-1]).text
    return " ".join(text.split())


def test_law_6_after_a_quiet_half_year_nothing_is_charged_for_two_working_days() -> None:
    """A Friday's notice: Monday and Tuesday lie between, and Wednesday, 9 am, is what the mail says."""
    story = billed(agreed(months_ago=7))
    moment = datetime(2026, 11, 25, 17, tzinfo=UTC)
    assert story.letters[-1].moment == moment == story.invoice.charge_at
    assert "Wednesday, November 25" in mailed(story)
    assert "over six months, so you have two working days" in mailed(story)
    story.until(moment - LAST_MOMENT)
    assert story.taken == 0
    story.forward(minutes=1)
    assert story.taken == 62_50


def test_law_6_and_the_next_charge_has_the_usual_notice_again() -> None:
    story = billed(agreed(months_ago=7))
    story.forward(days=10)
    billed(story, "CLAIM-2")
    assert story.letters[-1].moment == story.now + timedelta(hours=48)
    assert "working days" not in mailed(story)
    story.forward(days=3)
    assert story.taken == 2 * 62_50


def test_law_6_who_agreed_lately_has_the_practices_own_delay() -> None:
    story = billed(agreed(months_ago=5))
    assert story.letters[-1].moment == story.now + timedelta(hours=48)
    assert "working days" not in mailed(story)


def test_law_6_agreeing_anew_begins_the_half_year_anew() -> None:
    story = agreed(months_ago=7)
    story.enrol()
    assert story.books.account.agreed_at == story.now
    assert billed(story).letters[-1].moment == story.now + timedelta(hours=48)


@pytest.mark.parametrize(("raised_to", "hours"), [(60_00, None), (70_00, 120)])
def test_law_6_above_the_limit_of_the_time_the_notice_is_longer(raised_to: int, hours: int | None) -> None:
    """AUTO-2: Ana agreed when the practice charged at most $50.00 without a click; the bill is $62.50."""
    story = agreed(months_ago=1, policy={"default_cap": 50_00})
    assert story.books.account.agreed_cap == 50_00
    story.change(practice(default_cap=raised_to))
    billed(story)
    moment = story.now + timedelta(hours=hours) if hours else None
    assert story.letters[-1].moment == moment
    if hours:
        assert "charged at most $50.00 by itself. It has raised that since" in mailed(story)
        story.until(story.now + timedelta(hours=hours) - LAST_MOMENT)
        assert story.taken == 0
        story.forward(minutes=1)
    else:
        assert story.mails[-1] == "approval_request"
        story.forward(days=10)
    assert story.taken == (62_50 if hours else 0)


def test_law_6_ones_own_limit_is_no_change_of_terms() -> None:
    story = Story(BY_HAND, practice=practice(default_cap=50_00))
    story.enrol(cap=100_00)
    assert story.books.account.agreed_cap == 100_00
    assert billed(story).letters[-1].moment == story.now + timedelta(hours=48)


def test_law_6_stopping_and_paying_work_all_the_while() -> None:
    """LAW-7, AUTO-5"""
    story = billed(agreed(months_ago=7))
    story.forward(days=4)
    story.pay(story.invoice.invoice_id)
    story.forward(days=10)
    assert story.taken == 62_50
    assert (story.invoice.status, len(story.books.attempts)) == ("paid", 2)
