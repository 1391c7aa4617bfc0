"""The words for adjustment reason codes: complete, made from the csv, never contradicting the group."""

import csv
import re

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


NOT_THE_CLIENTS = re.compile(r"you do not (owe|pay)|not your cost|cannot be (billed|charged) to you|is due until", re.I)
THE_CLIENTS = re.compile(
    r"due from you|toward your deductible|leaves to you|asks you to pay|left this amount to you|unless"
)


@pytest.mark.parametrize("code", [*CARCS, "999"])
def test_no_sentence_contradicts_who_the_group_says_must_bear_the_amount(code: str):
    """LAW-3, INV-6: beside an amount they owe nobody reads that they do not, and the other way round."""
    assert not NOT_THE_CLIENTS.search(sentence("PR", code))
    for group in (Group.CO, Group.OA, Group.PI):
        assert not THE_CLIENTS.search(sentence(group, code))


def test_only_the_contractual_group_speaks_of_an_agreement():
    """CO says that there is one; PI and OA that there is none."""
    for code in CARCS:
        for group in (Group.OA, Group.PI, Group.PR):
            assert not re.search(r"we agreed|our (specific )?agreement|pays us a fixed", sentence(group, code))
    assert sentence("PI", "45") == "Your plan gave reason 45. You do not owe this amount."


def test_a_csv_that_lists_a_code_twice_is_refused():
    header = "code,group_usually_seen,plain_language,suggested_action\n"
    with pytest.raises(ValueError, match="code 1 is listed twice"):
        render(header + "1,PR,One.,bill\n1,PR,Two.,bill\n")


def test_a_csv_whose_words_would_break_the_table_is_refused():
    header = "code,group_usually_seen,plain_language,suggested_action\n"
    with pytest.raises(ValueError, match="code 1: a field may not hold"):
        render(header + "1,PR,One | two.,bill\n")
