"""How a receipt counts, while its body is read and when all is decided (contract.md)."""

from dataclasses import replace
from datetime import UTC, datetime

from billing.claim_state import ClaimState, ReadElement, Slice, StoredBody, Verdict
from billing.ports import Insert
from edges.receipts import read_receipt
from tests.fakes.store import MemoryStore

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
BODY = StoredBody("willow", "rcp_1", "ab" * 32, "application/json", NOW, b"gzipped")

BILLED = ReadElement("KB1", "ICN1", "r1")
HELD = ReadElement("KB2", "ICN2", "r2")
REPEATED = ReadElement("KB1", "ICN1", "r1", duplicate=True)
REJECTED = ReadElement("KB4", "", "", errors=("lines.0.charged: Input should be a valid integer",))

BILLED_STATE = ClaimState("willow", "KB1", 1, "ana", (Verdict("r1", "accepted", "", "invoiced", "inv_1", 15_00),))
HELD_STATE = ClaimState("willow", "KB2", 1, "", (Verdict("r2", "held", "unmatched_claim", "held"),))


def one_slice(*elements: ReadElement, number: int = 0, last: bool = True, warnings: tuple[str, ...] = ()) -> Slice:
    return Slice("willow", "rcp_1", number, 0, elements, last, warnings)


def receipt(*rows: Slice | ClaimState) -> dict[str, object]:
    store = MemoryStore()
    store.commit(Insert(BODY))
    for row in rows:
        store.commit(Insert(row))
    shown = read_receipt(store, "willow", "rcp_1", NOW)
    assert shown is not None
    return dict(shown)


def counts(shown: dict[str, object]) -> list[object]:
    return [shown[name] for name in ("state", "claims", "accepted", "held", "duplicate", "rejected")]


def test_a_body_that_nobody_read_yet_is_processing() -> None:
    assert receipt() == {
        "receipt_id": "rcp_1",
        "sha256": "ab" * 32,
        "status_url": "/v1/receipts/rcp_1",
        "state": "processing",
        "claims": 0,
        "accepted": 0,
        "held": 0,
        "duplicate": 0,
        "rejected": 0,
        "results": [],
    }


def test_when_all_is_decided_the_counts_add_up_and_each_row_tells_its_present_state() -> None:
    shown = receipt(one_slice(BILLED, HELD, REPEATED, REJECTED), BILLED_STATE, HELD_STATE)
    assert counts(shown) == ["done", 4, 1, 1, 1, 1]
    assert shown["results"] == [
        {
            "claim_id": "KB1",
            "payer_claim_id": "ICN1",
            "outcome": "accepted",
            "reason": None,
            "now": "invoiced",
            "invoice_id": "inv_1",
            "amount": 15_00,
        },
        {
            "claim_id": "KB2",
            "payer_claim_id": "ICN2",
            "outcome": "held",
            "reason": "unmatched_claim",
            "now": "held",
        },
        {
            "claim_id": "KB1",
            "payer_claim_id": "ICN1",
            "outcome": "duplicate",
            "reason": None,
            "now": "invoiced",
            "invoice_id": "inv_1",
            "amount": 15_00,
        },
        {
            "claim_id": "KB4",
            "payer_claim_id": "",
            "outcome": "rejected",
            "reason": "invalid",
            "now": None,
            "errors": [{"loc": "lines.0.charged", "msg": "Input should be a valid integer"}],
        },
    ]


def test_it_is_processing_while_a_result_has_no_verdict_and_shows_the_outcomes_known() -> None:
    shown = receipt(one_slice(BILLED, HELD), BILLED_STATE)
    assert counts(shown) == ["processing", 2, 1, 0, 0, 0]
    assert [row["claim_id"] for row in shown["results"]] == ["KB1"]  # type: ignore[attr-defined]


def test_it_is_processing_while_slices_are_missing() -> None:
    assert counts(receipt(one_slice(BILLED, last=False), BILLED_STATE)) == ["processing", 1, 1, 0, 0, 0]


def test_slices_are_one_list_in_the_order_of_the_body() -> None:
    first, second = one_slice(HELD, last=False), one_slice(BILLED, number=1, warnings=("SE01 is wrong",))
    shown = receipt(first, second, BILLED_STATE, HELD_STATE)
    assert counts(shown) == ["done", 2, 1, 1, 0, 0]
    assert [row["claim_id"] for row in shown["results"]] == ["KB2", "KB1"]  # type: ignore[attr-defined]
    assert shown["warnings"] == ["SE01 is wrong"]


def test_a_duplicate_is_decided_even_while_the_first_of_its_kind_is_not() -> None:
    shown = receipt(one_slice(REPEATED))
    assert counts(shown) == ["done", 1, 0, 0, 1, 0]
    assert shown["results"][0]["now"] is None  # type: ignore[index]


def test_a_held_result_that_was_decided_anew_shows_its_present_verdict() -> None:
    """POST /v1/claims looks at `unmatched_claim` again."""
    released = replace(HELD_STATE, verdicts=(Verdict("r2", "accepted", "", "invoiced", "inv_2", 20_00),))
    shown = receipt(one_slice(HELD), released)
    assert counts(shown) == ["done", 1, 1, 0, 0, 0]
    assert shown["results"][0]["invoice_id"] == "inv_2"  # type: ignore[index]


def test_a_receipt_is_shown_only_to_the_practice_that_owns_it() -> None:
    store = MemoryStore()
    store.commit(Insert(BODY))
    assert read_receipt(store, "oak", "rcp_1", NOW) is None
    assert read_receipt(store, "willow", "rcp_2", NOW) is None
