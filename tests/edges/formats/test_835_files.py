"""Whole files: ours, each showing one gate and valid by an independent validator, and public samples where present."""

import csv
import io
import os
from pathlib import Path

import pytest
from pyx12.params import params
from pyx12.x12n_document import x12n_document

from bench.make_835 import document
from billing.claim import ClaimResult
from edges.formats.x12_835 import looks_like_835, read_835
from tests.billing.claim_examples import OWES_62_50
from tests.edges.formats.judging import judged, word

ROOT = Path(__file__).parents[3]
FIXTURES = ROOT / "tests" / "fixtures" / "835"
SAMPLES = Path(os.environ.get("KINDBILL_SAMPLES", ROOT.parent / "shared" / "samples")) / "835"
INDEX = SAMPLES / "INDEX.csv"
needs_samples = pytest.mark.skipif(not INDEX.exists(), reason="the public sample files are not on this machine")

JUDGEMENTS = {
    "accepted.835": ["to_bill"],
    "charge_differs.835": ["charge_differs"],
    "claim_level_adjustments.835": ["charge_differs"],
    "conflict.835": ["to_bill", "conflict"],
    "contractual_patient_code.835": ["contractual_patient_code"],
    "duplicate.835": ["to_bill", "duplicate"],
    "duplicate_denial.835": ["to_bill", "nothing_owed"],
    "needs_review.835": ["needs_review"],
    "not_billable_status.835": ["not_billable_status"],
    "nothing_owed.835": ["nothing_owed"],
    "out_of_balance.835": ["out_of_balance"],
    "pending_forwarded.835": ["pending"],
    "provider_adjustments.835": ["to_bill"],
    "responsibility_mismatch.835": ["responsibility_mismatch"],
    "reversal_and_correction.835": ["to_bill", "needs_review", "needs_review"],
    "reversal_without_original.835": ["reversal_without_original", "unmatched_claim"],
    "test_file.835": ["test_file"],
    "unknown_code.835": ["unknown_code"],
    "unknown_group.835": ["unknown_code"],
    "unmatched_claim.835": ["unmatched_claim"],
}


def claims(body: bytes, warnings: list[str] | None = None) -> list[ClaimResult]:
    """The claims of a file in which all can be read."""
    found = list(read_835(body, warnings))
    assert all(isinstance(each, ClaimResult) for each in found)
    return [each for each in found if isinstance(each, ClaimResult)]


def verdicts(body: bytes) -> list[str]:
    """Each claim's hold or state, judged in order as the engine would with one submitted claim."""
    return [word(judgement) for judgement in judged(claims(body))]


def validated(body: str) -> bool:
    """What pyx12 says of a file."""
    return bool(x12n_document(params(), io.StringIO(body), io.StringIO(), None))


def test_every_gate_has_a_file_that_shows_it():
    assert sorted(path.name for path in FIXTURES.glob("*.835")) == sorted(JUDGEMENTS)


@pytest.mark.parametrize(("name", "expected"), JUDGEMENTS.items())
def test_a_file_is_judged_claim_by_claim(name: str, expected: list[str]):
    assert verdicts((FIXTURES / name).read_bytes()) == expected


@pytest.mark.parametrize("name", JUDGEMENTS)
def test_our_files_are_valid_835s_except_for_what_they_show(name: str):
    assert validated((FIXTURES / name).read_text()) == (name != "unknown_group.835")


@pytest.mark.parametrize("name", JUDGEMENTS)
def test_our_files_are_read_without_a_warning(name: str):
    warnings: list[str] = []
    claims((FIXTURES / name).read_bytes(), warnings)
    assert warnings == []


def test_the_example_to_try_owes_what_the_readme_says():
    body = (ROOT / "examples" / "riverbend.835").read_bytes()
    assert validated(body.decode())
    (result,) = claims(body)
    assert result.patient_responsibility == 6250
    assert verdicts(body) == ["to_bill"]
    assert (result.claim_id, result.charged, result.paid) == (OWES_62_50.claim_id, OWES_62_50.charged, OWES_62_50.paid)


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
