"""What becomes of each published sample is what docs/claims.md says, line by line.

The samples are other people's files and not part of this repository: KINDBILL_SAMPLES says where they lie.
"""

import json
import os
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import pytest

from billing.claim import ClaimResult
from billing.gates import Now
from billing.money import dollars
from edges.formats import fhir
from edges.formats.claim_json import NotAClaimResult
from edges.formats.x12_835 import looks_like_835, read_835
from tests.edges.formats.judging import as_if_submitted, judged

ROOT = Path(__file__).parents[3]
SAMPLES = Path(os.environ.get("KINDBILL_SAMPLES", ROOT.parent / "shared" / "samples"))
DOCUMENT = ROOT / "docs" / "claims.md"
FILES = sorted(f for folder in ("835", "fhir") for f in (SAMPLES / folder).glob("*") if f.name != "INDEX.csv")
OUR_CLAIM = {"identifier": {"value": "KB7Q2M9X41"}}


def documented() -> dict[str, list[str]]:
    """The table's rows by the file's name: claims, outcome, reason, patient share."""
    lines = (line for line in DOCUMENT.read_text("utf-8").splitlines() if line.startswith("| `"))
    rows = ([cell.strip(" `") for cell in line.split("|")[1:-1]] for line in lines)
    return {name: cells[:4] for name, *cells in rows if len(cells) in (4, 5)}


def read(file: Path) -> list[ClaimResult]:
    """The claims of a sample, a FHIR one posted about a claim of ours; none where the file is refused."""
    body = file.read_bytes()
    if file.suffix != ".json":
        found = list(read_835(body)) if looks_like_835(body) else []
    else:
        about_ours = json.loads(body) | {"claim": OUR_CLAIM, "request": OUR_CLAIM}
        try:
            found = list(fhir.parse(json.dumps(about_ours).encode()))
        except NotAClaimResult:
            found = []
    assert all(isinstance(each, ClaimResult) for each in found)
    return [each for each in found if isinstance(each, ClaimResult)]


def row(file: Path) -> list[str]:
    """What the table must say of it."""
    results = read(file)
    if not results:
        return ["0", "refused", "", ""]
    judgements = judged(results, as_if_submitted(results), accept_test_files=True)
    return [
        str(len(results)),
        in_runs("held" if each.now == Now.HELD else each.now for each in judgements),
        in_runs(each.reason for each in judgements if each.reason),
        in_runs(dollars(result.patient_responsibility) for result in results),
    ]


@pytest.mark.skipif(not FILES, reason="the public sample files are not on this machine")
def test_the_samples_that_belong_together_are_judged_together() -> None:
    """The second takes the first back and decides anew, the third says that the claim is known."""
    files = ("05_original_then_06", "06_reversal_and_correction_same_file", "17_duplicate_denial_OA18")
    results = [result for file in files for result in read(SAMPLES / "835" / f"{file}.835")]
    judgements = judged(results, as_if_submitted(results), accept_test_files=True)
    assert [each.now for each in judgements] == ["to_bill", "adjusted", "to_bill", "nothing_owed"]
    assert results[2].patient_responsibility == 25_00


def in_runs(words: Iterable[str]) -> str:
    """`held, to_bill × 3`."""

    def runs() -> Iterator[str]:
        for one, same in groupby(words):
            times = len(list(same))
            yield f"{one} × {times}" if times > 1 else one

    return ", ".join(runs())


@pytest.mark.skipif(not FILES, reason="the public sample files are not on this machine")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name[-40:])
def test_a_sample_becomes_what_the_table_says(file: Path) -> None:
    named = [cells for name, cells in documented().items() if file.name.endswith(name)]
    assert named == [row(file)]


@pytest.mark.skipif(not FILES, reason="the public sample files are not on this machine")
def test_the_table_has_nothing_but_samples() -> None:
    assert [name for name in documented() if not any(file.name.endswith(name) for file in FILES)] == []
