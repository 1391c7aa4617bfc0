"""Whole files: ours, one for each rule and valid by an independent validator, and public samples where present."""

import csv
import io
import os
from pathlib import Path

import pytest
from pyx12.params import params
from pyx12.x12n_document import x12n_document

from bench.make_835 import document
from billing.claim import ClaimResult
from billing.money import dollars
from edges.formats.rejected import Rejected
from edges.formats.x12_835 import looks_like_835, read_835
from tests.billing.claim_examples import OWES_62_50
from tests.edges.formats.judging import judged, word

ROOT = Path(__file__).parents[3]
FIXTURES = ROOT / "tests" / "fixtures" / "835"
SAMPLES = Path(os.environ.get("KINDBILL_SAMPLES", ROOT.parent / "shared" / "samples")) / "835"
INDEX = SAMPLES / "INDEX.csv"
needs_samples = pytest.mark.skipif(not INDEX.exists(), reason="the public sample files are not on this machine")

OWES = "to_bill $62.50"
FILES = {
    "accepted": [OWES],
    "capitated": ["to_bill $22.50", "nothing_owed $0.00"],
    "charge_differs": ["charge_differs $62.50"],
    "claim_level_adjustments": [OWES],
    "claim_without_services": [OWES],
    "conflict": [OWES, "conflict $52.50"],
    "contractual_patient_code": [f"contractual_patient_code {share}" for share in ("$22.50", "$22.50", "$40.00")],
    "correction": ["to_bill $22.50"],
    "correction_of_the_same_number": ["to_bill $22.50"],
    "correction_that_grows": ["to_bill $82.50"],
    "correction_without_reference": ["to_bill $22.50"],
    "duplicate": [OWES, "duplicate $62.50"],
    "duplicate_denial": [OWES, "nothing_owed $0.00"],
    "every_status": [
        *(OWES, OWES, OWES, "nothing_owed $0.00"),
        *["pending $62.50"] * 3,
        *("reversal_without_original −$62.50", "not_billable_status $0.00", "not_billable_status $62.50"),
    ],
    "first_of_two_payers": ["pending $62.50"],
    "first_of_two_payers_forwards": ["pending $62.50"],
    "interest": [OWES],
    "needs_review": ["needs_review $150.00"],
    "negative_adjustment": ["nothing_owed $0.00"],
    "nine_share_both_numbers": [OWES, *["needs_review $22.50"] * 8],
    "not_billable_status": ["not_billable_status $62.50"],
    "nothing_owed": ["nothing_owed $0.00"],
    "out_of_balance": ["out_of_balance $62.50"],
    "pending_forwarded": ["pending $62.50"],
    "provider_adjustments": [OWES],
    "responsibility_mismatch": ["responsibility_mismatch $62.50"],
    "reversal_of_another_amount": ["reversal_without_original −$22.50", "unmatched_claim $0.00"],
    "reversal_without_original": ["reversal_without_original −$62.50", "unmatched_claim $0.00"],
    "secondary": ["to_bill $22.50"],
    "secondary_pays_the_rest": ["nothing_owed $0.00"],
    "sequestration": [OWES],
    "several_interchanges": [OWES] * 4,
    "first_of_three_payers": ["pending $62.50"],
    "second_of_three_payers": ["pending $20.00"],
    "tertiary": ["to_bill $10.00"],
    "test_file": ["test_file $62.50"],
    "unknown_code": ["unknown_code $62.50"],
    "unknown_contractual_code": [OWES],
    "unmatched_claim": ["unmatched_claim $62.50"],
    "zero_pay": ["to_bill $105.00"],
    "in_the_wild/amount_in_place_of_the_status": [OWES, "not_billable_status $62.50", OWES],
    "in_the_wild/byte_order_mark": [OWES],
    "in_the_wild/cut_off": [OWES, "rejected"],
    "in_the_wild/leading_newline": [OWES],
    "in_the_wild/no_leading_zero": [OWES],
    "in_the_wild/no_line_breaks": [OWES],
    "in_the_wild/other_control_number_at_the_end": [OWES],
    "in_the_wild/out_of_balance_among_others": [OWES, "out_of_balance $62.50", OWES],
    "in_the_wild/payment_is_not_the_sum": [OWES],
    "in_the_wild/pipes_and_carets": [OWES],
    "in_the_wild/retired_group": ["unknown_code $62.50"],
    "in_the_wild/unpadded_header": [OWES],
    "in_the_wild/unreadable_amount_among_others": [OWES, "rejected", OWES],
    "in_the_wild/wrong_segment_count": [OWES],
}
"""What becomes of each claim, and the patient share that it states: of those that are to be billed, the invoice."""

CHAINS = {"reversal_and_correction", "correction_before_reversal"}
"""Files whose claims depend on each other: what they come to is a matter of the whole claim, not of one result."""

INVALID = {
    "amount_in_place_of_the_status": "CLP02 is no status",
    "byte_order_mark": "begins before its header",
    "cut_off": "ends without its trailers",
    "leading_newline": "begins before its header",
    "other_control_number_at_the_end": "SE02 is not ST02",
    "retired_group": "group CR is gone since 5010",
    "unpadded_header": "ISA has fixed widths",
    "unreadable_amount_among_others": "CLP03 is no amount",
    "wrong_segment_count": "SE01 does not count the segments",
}
"""Of those in the wild, what makes some of them invalid, on purpose. That amounts do not add up is no such matter."""

WARNINGS = {
    "amount_in_place_of_the_status": "BPR02",
    "cut_off": "has no SE",
    "other_control_number_at_the_end": "SE02",
    "out_of_balance_among_others": "BPR02",
    "payment_is_not_the_sum": "BPR02",
    "wrong_segment_count": "SE01",
}
"""The files whose envelope is wrong, and what the receipt says of it."""


def path(name: str) -> Path:
    return FIXTURES / f"{name}.835"


def outcomes(body: bytes) -> list[str]:
    """What becomes of each claim of a file, in its order, and the patient share it states."""
    found = list(read_835(body))
    judgements = iter(judged(each for each in found if isinstance(each, ClaimResult)))
    return [
        "rejected" if isinstance(each, Rejected) else f"{word(next(judgements))} {dollars(each.patient_responsibility)}"
        for each in found
    ]


def claims(body: bytes, warnings: list[str] | None = None) -> list[ClaimResult]:
    """The claims of a file in which all can be read."""
    found = list(read_835(body, warnings))
    assert all(isinstance(each, ClaimResult) for each in found)
    return [each for each in found if isinstance(each, ClaimResult)]


def validated(body: str) -> bool:
    """What pyx12 says of a file."""
    return bool(x12n_document(params(), io.StringIO(body), None, None))


def test_every_file_is_in_the_table():
    there = {file.relative_to(FIXTURES).with_suffix("").as_posix() for file in FIXTURES.rglob("*.835")}
    assert there == FILES.keys() | CHAINS


@pytest.mark.parametrize(("name", "expected"), FILES.items())
def test_a_file_is_judged_claim_by_claim(name: str, expected: list[str]):
    assert outcomes(path(name).read_bytes()) == expected


@pytest.mark.parametrize("name", [*FILES, *CHAINS])
def test_our_files_are_valid_835s_but_for_those_that_life_breaks(name: str):
    assert validated(path(name).read_text("utf-8")) == (Path(name).name not in INVALID)


@pytest.mark.parametrize("name", [*FILES, *CHAINS])
def test_a_file_warns_of_its_envelope_where_that_is_wrong_and_only_there(name: str):
    warnings: list[str] = []
    list(read_835(path(name).read_bytes(), warnings))
    expected = WARNINGS.get(Path(name).name)
    assert [expected in warning for warning in warnings if expected] == [True] * bool(expected)
    assert bool(warnings) == bool(expected)


@pytest.mark.parametrize("name", [*FILES, *CHAINS])
def test_our_files_can_be_read_by_people_one_segment_a_line(name: str):
    if Path(name).name != "no_line_breaks":
        lines = path(name).read_text("utf-8").splitlines()
        assert all(line[-1:] in "~&" for line in lines if line)
        assert max(map(len, lines)) < 120


def test_the_example_to_try_owes_what_the_readme_says():
    body = (ROOT / "examples" / "riverbend.835").read_bytes()
    assert validated(body.decode())
    (result,) = claims(body)
    assert result.patient_responsibility == 6250
    assert outcomes(body) == [OWES]
    assert (result.claim_id, result.charged, result.paid) == (OWES_62_50.claim_id, OWES_62_50.charged, OWES_62_50.paid)


def test_the_example_of_a_correction_leaves_what_the_readme_says():
    first, correction = (
        (ROOT / "examples" / name).read_bytes() for name in ("riverbend.835", "riverbend_corrected.835")
    )
    assert validated(correction.decode())
    assert outcomes(first + correction)[1:] == ["adjusted −$62.50", "to_bill $22.50"]


def test_the_file_we_measure_with_is_valid_and_always_the_same():
    body = document(40)
    assert body == document(40)
    assert validated(body.decode())
    warnings: list[str] = []
    found = claims(body, warnings)
    assert len(found) == 40
    assert all(each.balances() for each in found)
    assert warnings == []


def samples() -> list[dict[str, str]]:
    """The rows of the index, or none where the samples are not on this machine."""
    return list(csv.DictReader(INDEX.read_text().splitlines())) if INDEX.exists() else []


@needs_samples
@pytest.mark.parametrize("row", samples(), ids=lambda row: row["file"][-40:])
def test_a_public_sample_reads_as_its_index_says(row: dict[str, str]):
    body = (SAMPLES / row["file"]).read_bytes()
    if not row["claims"]:
        assert not looks_like_835(body)
        return
    assert looks_like_835(body)
    warnings: list[str] = []
    found = claims(body, warnings)
    failing = row["balances(or level failing)"]
    assert len(found) == int(row["claims"])
    assert sorted({each.raw_status for each in found}, key=int) == row["CLP02"].split()
    adjustments = {adjustment for each in found for adjustment in each.all_adjustments}
    assert sorted({f"{adjustment.group}-{adjustment.code}" for adjustment in adjustments}) == row["codes"].split()
    assert all(each.balances() for each in found) == ("claim" not in failing and "service" not in failing)
    assert any("BPR02" in warning for warning in warnings) == ("BPR02" in failing)
    assert any("SE01" in warning for warning in warnings) == ("SE01" in row["exercises"])
    stated = all(each.stated_responsibility == each.patient_responsibility for each in found if each.raw_status != "22")
    assert stated == ("CLP05" not in failing)


@needs_samples
def test_nine_public_claims_that_share_both_ids_are_nine_results():
    path = next(SAMPLES.glob("*multiple-claims-single-check*"))
    assert len({each.result_key() for each in claims(path.read_bytes())}) == 9
