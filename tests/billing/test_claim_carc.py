"""The words for adjustment reason codes: complete, made from the csv, never contradicting the group."""

import csv

import pytest

from billing.carc import CARCS, Action, sentence
from billing.carc_table import ROWS
from billing.claim import Group
from infra.make_carc_table import SOURCE, TARGET, render

CSV_ROWS = list(csv.DictReader(SOURCE.read_text(encoding="utf-8").splitlines()))


def test_the_table_is_made_from_the_csv_as_it_stands():
    assert TARGET.read_text(encoding="utf-8") == render(SOURCE.read_text(encoding="utf-8"))


def test_every_row_of_the_csv_is_a_code_with_its_words():
    assert len(CARCS) == len(ROWS) == len(CSV_ROWS) == 103
    for row in CSV_ROWS:
        carc = CARCS[row["code"]]
        assert (carc.usual_group, carc.action) == (row["group_usually_seen"], row["suggested_action"])
        assert carc.sentence == row["plain_language"]


def test_every_action_is_used_so_none_is_left_undecided():
    assert {carc.action for carc in CARCS.values()} == set(Action)


def test_a_known_reason_under_its_usual_group_reads_as_in_the_csv():
    """INV-6"""
    assert sentence("PR", "3").startswith("This is your copay")
    assert sentence("CO", "45") == "This is the discount we agreed with your plan. You do not pay it."


def test_an_unknown_reason_gets_the_neutral_sentence():
    """INV-6"""
    assert sentence("CO", "999") == "Your plan gave reason 999."


def test_the_group_wins_when_a_contractual_reason_is_left_to_the_patient():
    """INV-6: no one reads "you do not pay it" beside an amount they owe."""
    assert sentence("PR", "45") == "Your plan gave reason 45 and left this amount to you."


def test_the_group_wins_when_a_patients_reason_is_not_left_to_the_patient():
    """INV-6"""
    assert sentence("CO", "96") == "Your plan does not cover this service or charge. You do not owe this amount."
    assert sentence("OA", "100") == "Your plan gave reason 100. You do not owe this amount."


@pytest.mark.parametrize("code", CARCS)
@pytest.mark.parametrize("group", [Group.CO, Group.OA, Group.PI])
def test_no_sentence_outside_the_patients_share_speaks_of_a_debt(group: Group, code: str):
    """LAW-3"""
    words = sentence(group, code)
    assert "due from you" not in words or "nothing is due from you" in words
    assert "toward your deductible" not in words


def test_a_csv_that_lists_a_code_twice_is_refused():
    header = "code,group_usually_seen,plain_language,suggested_action\n"
    with pytest.raises(ValueError, match="code 1 is listed twice"):
        render(header + "1,PR,One.,bill\n1,PR,Two.,bill\n")


def test_a_csv_whose_words_would_break_the_table_is_refused():
    header = "code,group_usually_seen,plain_language,suggested_action\n"
    with pytest.raises(ValueError, match="code 1: a field may not hold"):
        render(header + "1,PR,One | two.,bill\n")
