"""The table in docs/holds.md says what the code says, row by row (DESK-5)."""

from pathlib import Path

from billing.hold_reasons import HOLD_REASONS

PAGE = Path(__file__).parents[2] / "docs" / "holds.md"


def test_desk_5_the_page_about_holds_tells_every_reason_in_the_words_of_the_code() -> None:
    table = PAGE.read_text("utf-8").partition("| reason | why it waits | what to do |\n|---|---|---|\n")[2]
    rows = table.partition("\n\n")[0].splitlines()
    told = [tuple(cell.strip() for cell in row.strip("|").split("|")) for row in rows]
    assert told == [(f"`{reason}`", words.why, words.what_to_do) for reason, words in HOLD_REASONS.items()]
