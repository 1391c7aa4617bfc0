"""Real 835 and FHIR files, published by others: each is taken whole, claim by claim, or refused as unreadable."""

import csv
import os
from pathlib import Path

import pytest

from tests.e2e.kindbill import FHIR, Kindbill
from tests.e2e.launch import ROOT

PUBLIC = Path(os.environ.get("KINDBILL_SAMPLES", ROOT.parent / "shared" / "samples"))
SAMPLES = PUBLIC / "835"
FHIR_SAMPLES = sorted((PUBLIC / "fhir").glob("*.json"))
OUTCOMES = ("accepted", "held", "duplicate", "rejected")


def listed() -> list[tuple[str, int | None]]:
    """File names and how many claims each holds; None where the index does not count them."""
    index = SAMPLES / "INDEX.csv"
    if not index.exists():
        return []
    with index.open(encoding="utf-8", newline="") as rows:
        return [(row["file"], int(row["claims"] or 0) or None) for row in csv.DictReader(rows)]


@pytest.mark.skipif(not listed(), reason=f"no public sample files at {SAMPLES}; KINDBILL_SAMPLES says where they are")
def test_every_public_sample_is_taken_claim_by_claim(kindbill: Kindbill) -> None:
    """Contract: never a 5xx for content; accepted + held + duplicate + rejected = claims, whatever the file held."""
    wrong: list[str] = []
    with kindbill.policies(accept_test_files=True):
        answers = {name: kindbill.send((SAMPLES / name).read_bytes()) for name, _ in listed()}
        kindbill.settle()
    for name, claims in listed():
        answer = answers[name]
        if answer.status_code == 400:
            wrong += [f"{name}: unreadable, but holds {claims} claims"] if claims else []
            continue
        if answer.status_code not in (200, 202):
            wrong.append(f"{name}: {answer.status_code} {answer.text}")
            continue
        receipt = kindbill.receipt(answer)
        counted = sum(receipt[outcome] for outcome in OUTCOMES)
        if (receipt["state"], receipt["claims"]) != ("done", counted) or claims not in (None, counted):
            wrong.append(f"{name}: the index has {claims} claims, the receipt {receipt}")
        wrong += [f"{name}: {row}" for row in receipt["results"] if row["outcome"] == "held" and not row["reason"]]

    assert wrong == []
    assert kindbill.get("/_local/dead-letters") == []


@pytest.mark.skipif(not FHIR_SAMPLES, reason=f"no public FHIR files at {PUBLIC}; KINDBILL_SAMPLES says where they are")
def test_every_public_fhir_sample_is_held_or_refused_because_none_proves_its_patient_share(kindbill: Kindbill) -> None:
    """Contract: never a 5xx for content. docs/claims.md has what each becomes."""
    answers = {file.name: kindbill.send(file.read_bytes(), FHIR) for file in FHIR_SAMPLES}
    kindbill.settle()
    assert {answer.status_code for answer in answers.values()} <= {200, 202, 422}
    taken = [kindbill.receipt(answer) for answer in answers.values() if answer.status_code != 422]
    assert taken
    assert all(receipt["claims"] == receipt["held"] == 1 for receipt in taken)
    assert kindbill.get("/_local/dead-letters") == []
