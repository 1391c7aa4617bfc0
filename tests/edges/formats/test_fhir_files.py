"""Whole FHIR documents: ours, one for each rule, and what becomes of the decisions in it."""

from pathlib import Path

import pytest

from billing.claim import ClaimResult
from billing.money import dollars
from edges.formats.fhir import parse
from edges.formats.rejected import Rejected
from tests.edges.formats.judging import judged, word

FIXTURES = Path(__file__).parents[2] / "fixtures" / "fhir"
OWES = "to_bill $62.50"
FILES = {
    "bundle": [OWES, OWES, "rejected"],
    "claim_response": [OWES],
    "eob": [OWES],
    "eob_cancelled": ["reversal_without_original −$62.50"],
    "eob_carin": [OWES],
    "eob_does_not_add_up": ["out_of_balance $62.50"],
    "eob_entered_in_error": ["reversal_without_original −$62.50"],
    "eob_not_covered": ["needs_review $105.00"],
    "eob_partial": ["not_billable_status $62.50"],
    "eob_preauthorization": ["not_billable_status $62.50"],
    "eob_replaced": ["not_billable_status $62.50"],
    "eob_replaces": ["to_bill $22.50"],
    "eob_secondary": ["to_bill $22.50"],
    "eob_states_another_share": ["responsibility_mismatch $62.50"],
    "eob_test": ["test_file $62.50"],
    "eob_with_reasons": [OWES],
}
"""What becomes of each decision when it is all there is of its claim, and the patient share that it states."""


def outcomes(body: bytes) -> list[str]:
    found = parse(body)
    judgements = iter(judged(each for each in found if isinstance(each, ClaimResult)))
    return [
        "rejected" if isinstance(each, Rejected) else f"{word(next(judgements))} {dollars(each.patient_responsibility)}"
        for each in found
    ]


def test_every_document_is_in_the_table() -> None:
    assert {file.stem for file in FIXTURES.glob("*.json")} == FILES.keys()


@pytest.mark.parametrize(("name", "expected"), FILES.items())
def test_a_document_is_judged_decision_by_decision(name: str, expected: list[str]) -> None:
    assert outcomes((FIXTURES / f"{name}.json").read_bytes()) == expected


def test_what_is_taken_back_is_exactly_what_was_said() -> None:
    """A cancelled document and one entered in error are minus the active one, code by code (claims.md 4.5)."""
    (said,) = parse((FIXTURES / "eob.json").read_bytes())
    assert isinstance(said, ClaimResult)
    for name in ("eob_cancelled", "eob_entered_in_error"):
        (taken_back,) = parse((FIXTURES / f"{name}.json").read_bytes())
        assert isinstance(taken_back, ClaimResult)
        assert (taken_back.charged, taken_back.paid) == (-said.charged, -said.paid)
        assert [(a.group, a.code, -a.amount) for a in taken_back.all_adjustments] == [
            (a.group, a.code, a.amount) for a in said.all_adjustments
        ]
        assert taken_back.payer_claim_id == said.payer_claim_id
        assert taken_back.balances()
