"""Facts are kept for ever: a row of each version ever written must be read by today's code (design: Facts).

A fixture is never edited. Whoever raises FACT_VERSION adds the next one.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from billing.facts import FACT_VERSION, Fact, FactKind
from billing.ledger import Book, Entry
from edges.codec import decode

FIXTURES = Path(__file__).parent.parent / "fixtures" / "facts"


def test_a_fixture_of_every_version_is_kept() -> None:
    assert {f"v{number}.json" for number in range(1, FACT_VERSION + 1)} == {path.name for path in FIXTURES.iterdir()}


@pytest.mark.parametrize("path", sorted(FIXTURES.iterdir()), ids=lambda path: path.stem)
def test_a_fact_of_any_version_tells_the_same_story(path: Path) -> None:
    fact = decode(json.loads(path.read_text()))
    assert isinstance(fact, Fact)
    assert (fact.kind, fact.item, fact.version) == (FactKind.PAYMENT_POSTED, "ATTEMPT#000002#", 2)
    assert fact.at == datetime(2026, 11, 24, 3, 10, tzinfo=UTC)
    assert fact.data == {"attempt": 2, "amount": 6500, "excess": 250, "payment_id": "pay_a501b70bd919651d_2"}
    assert fact.entries == (
        Entry(Book.CLEARING, "", 6500),
        Entry(Book.RECEIVABLE, "inv_3760cd26a1878f2c1cd8", -6250),
        Entry(Book.CREDIT, "", -250),
    )
