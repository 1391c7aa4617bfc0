"""INV-6: what a claim result became is told alike by the API, the page and the mail, to the cent and word for word.

Each story of `tests/fixtures/explained/` is what was read of the three by a person once; a change to any of them shows
here as a difference.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from billing.claim import Adjustment, ClaimResult, ClaimStatus
from billing.invoice_lines import InvoiceLines
from billing.ports import Insert
from edges import views
from edges.render import render_letter, render_page
from functions.serve_client.door import Page, new_session
from functions.serve_client.flow import show
from tests.billing.claim_examples import (
    COPAY,
    DEDUCTIBLE,
    DISCOUNT,
    OWES_62_50,
    SUBMITTED,
    SUBMITTED_WITH_SECONDARY,
    decided,
)
from tests.billing.examples import BY_HAND, practice
from tests.fakes.story import Story
from tests.functions.serve_client.html import parsed
from tests.functions.serve_client.world import SESSION, visit

FOLDER = Path(__file__).parents[1] / "fixtures" / "explained"
RESULTS = {
    "copay": decided(DISCOUNT, COPAY),
    "deductible_and_coinsurance": decided(DISCOUNT, DEDUCTIBLE, Adjustment("PR", "2", 1300)),
    "not_covered": decided(Adjustment("PR", "96", 15000)),
    "second_payer": decided(Adjustment("OA", "23", 12000), COPAY),
}


def told(result: ClaimResult) -> dict[str, Any]:
    """What API, page and mail say of the bill that this result became."""
    story = Story(account=BY_HAND, practice=practice(bill_reviewable=True))
    story.submit(SUBMITTED)
    story.receive(result)
    (lines,) = [row for row in story.store.rows() if isinstance(row, InvoiceLines)]
    return {
        "api": views.invoice(story.invoice, lines)["lines"],
        **page(story),
        "mail": mail(story),
    }


def page(story: Story) -> dict[str, Any]:
    """The picture's words and the table's rows."""
    at = replace(visit(), practice="riverbend", client="ana", now=story.now)
    story.store.commit(Insert(new_session(at, SESSION)))
    shown = show(story.store, at)
    assert isinstance(shown, Page)
    (details,) = parsed(render_page(shown.name, shown.known)).all("details")
    return {
        "picture": [
            [one.text for one in picture.all("title", "desc")]
            for picture in details.all("svg")
            if picture["role"] == "img"
        ],
        "table": [[cell.text for cell in row.all("th", "td")] for row in details.all("tr")],
    }


def mail(story: Story) -> list[str]:
    """The amounts that its plain text lists."""
    (letter,) = story.mailer.sent
    return [line.strip() for line in render_letter(letter).text.splitlines() if line.startswith("  ")]


@pytest.mark.parametrize("name", RESULTS)
def test_inv_6_api_page_and_mail_say_the_same(name: str) -> None:
    assert told(RESULTS[name]) == json.loads((FOLDER / f"{name}.json").read_text("utf-8"))


def test_inv_6_the_second_payers_bill_says_what_the_first_one_paid() -> None:
    """OA-23: what the first payer decided is known, so the client reads who paid what."""
    story = Story(account=BY_HAND)
    story.submit(SUBMITTED_WITH_SECONDARY)
    story.receive(OWES_62_50)
    second = decided(Adjustment("OA", "23", 8750), COPAY, payer_ids=("77777",), payer_claim_id="S-1")
    story.receive(replace(second, status=ClaimStatus.PROCESSED_SECONDARY, raw_status="2"))
    label, amount = page(story)["table"][1]
    assert label == ("Settled by your other insurance Your other insurance paid $42.50 and took $45.00 off the price.")
    assert amount == "−$87.50"


def test_every_golden_story_is_told() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(RESULTS)
