"""The receipt of a long file: counted without reading all of it, right at every moment, and listed in pages."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from billing import receipt as counts_module
from billing.claim_state import ClaimState, ReceivedResult, Verdict
from billing.facts import Message, WakeKind
from billing.ids import Key
from billing.ports import Insert, Record, Update
from billing.receipt import SliceCount
from edges import receipts
from edges.counting import counts_of, look_again
from functions.read_claims.counting import count
from functions.read_claims.flow import SLICE_CLAIMS, run
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.store import MemoryStore
from tests.functions.read_claims.test_flow import NOW, claim_ids, era, results
from tests.functions.read_claims.test_long_bodies import for_slices, uploaded

SUMS = ("accepted", "held", "duplicate", "rejected")


@pytest.fixture(autouse=True)
def every_body_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts_module, "COUNTED_BYTES", 0)


class ReadRows(MemoryStore):
    """Remembers which kinds of rows were read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []

    def get_many(self, keys: Any) -> list[Record | None]:
        self.read += [key.sk for key in keys]
        return super().get_many(keys)


def read(text: bytes, store: MemoryStore) -> None:
    blobs = MemoryBlobs()
    run(uploaded(text, store, blobs), store=store, blobs=blobs, now=NOW, goes_on=lambda: True)


def judge(store: MemoryStore, row: ReceivedResult, outcome: str = "accepted", now: str = "invoiced") -> None:
    """As issue_invoice would."""
    verdict = Verdict(row.result.result_key(), outcome, "" if outcome == "accepted" else "unmatched_claim", now)
    before = store.get(Key(row.key.pk, "STATE#"))
    if isinstance(before, ClaimState):
        store.commit(Update(ClaimState("willow", row.result.claim_id, before.version + 1, "", (verdict,))))
    else:
        store.commit(Insert(ClaimState("willow", row.result.claim_id, 1, "", (verdict,))))


def shown(store: MemoryStore, page: int = 0) -> Any:
    found = receipts.read_receipt(store, "willow", "rcp_1", NOW, page)
    assert found is not None
    return found


def test_the_counts_are_right_while_results_are_judged_and_when_all_are() -> None:
    store = MemoryStore()
    broken = b"CLP*KBX*1*many*90*60*12*ICNX~"
    read(era(claim_ids(3 * SLICE_CLAIMS)).replace(b"LX*1~", b"LX*1~" + broken), store)
    rows = results(store)
    for n, row in enumerate(rows[:500]):
        judge(store, row, *(("held", "held") if n % 5 == 0 else ()))
    halfway = shown(store)
    assert halfway["state"] == "processing"
    assert [halfway[name] for name in ("claims", *SUMS)] == [601, 400, 100, 0, 1]
    for row in rows[500:]:
        judge(store, row)
    done = shown(store)
    assert done["state"] == "done"
    assert [done[name] for name in ("claims", *SUMS)] == [601, 500, 100, 0, 1]
    assert done["bytes_read"] == done["bytes"]


def test_a_held_or_pending_result_that_is_decided_later_is_counted_as_it_is_now() -> None:
    store = MemoryStore()
    read(era(["KB1", "KB2", "KB3"]), store)
    one, two, three = results(store)
    judge(store, one)
    judge(store, two, "held", "held")
    judge(store, three, "accepted", "pending")
    assert [shown(store)[name] for name in SUMS] == [2, 1, 0, 0]
    judge(store, two)
    judge(store, three, "held", "held")
    assert [shown(store)[name] for name in SUMS] == [2, 1, 0, 0]
    assert [row["outcome"] for row in shown(store)["results"]] == ["accepted", "accepted", "held"]


def test_desk_5_what_staff_put_aside_is_counted_as_rejected_and_what_they_rematched_as_it_is_there() -> None:
    store = MemoryStore()
    read(era(["KB1", "KB2", "KB3"]), store)
    one, two, three = results(store)
    for row in (one, two, three):
        judge(store, row, "held", "held")
    assert [shown(store)[name] for name in SUMS] == [0, 3, 0, 0]
    judge(store, two, "rejected", "rejected")
    there = replace(three.result, claim_id="KB9")
    put = Verdict(three.result.result_key(), "accepted", "", "rematched", to_claim="KB9", to_result=there.result_key())
    store.commit(Update(ClaimState("willow", "KB3", 2, "", (put,))))
    assert (shown(store)["state"], [shown(store)[name] for name in SUMS]) == ("processing", [0, 1, 0, 1])
    judge(store, replace(three, result=there))
    assert (shown(store)["state"], [shown(store)[name] for name in SUMS]) == ("done", [1, 1, 0, 1])
    assert [row["now"] for row in shown(store)["results"]] == ["held", None, "invoiced"]


def test_what_is_settled_is_not_read_again() -> None:
    store = ReadRows()
    read(era(claim_ids(15 * SLICE_CLAIMS)), store)
    for row in results(store):
        judge(store, row)
    while shown(store)["state"] != "done":
        pass
    store.read.clear()
    last_page = shown(store, page=1)
    assert len(last_page["results"]) == 5 * SLICE_CLAIMS
    assert store.read.count("STATE#") == 5 * SLICE_CLAIMS, "of the page alone"


def test_a_look_takes_the_time_there_is_and_the_next_goes_on() -> None:
    store = MemoryStore()
    read(era(claim_ids(5 * SLICE_CLAIMS)), store)
    for row in results(store):
        judge(store, row)

    def look() -> int:
        time_for = for_slices(2)
        return sum(one.accepted for one in look_again(store, counts_of(store, "rcp_1"), NOW, lambda _: time_for()))

    assert [look() for _ in range(4)] == [400, 800, 1000, 1000]


def test_while_a_long_body_is_judged_only_its_next_slices_are_looked_at() -> None:
    """Polling must not read 100,000 rows each time."""
    store = ReadRows()
    read(era(claim_ids(8 * SLICE_CLAIMS)), store)
    for row in results(store)[: 3 * SLICE_CLAIMS]:
        judge(store, row)
    store.read.clear()
    look_again(store, counts_of(store, "rcp_1"), NOW, lambda _: True)
    assert store.read.count("STATE#") == (3 + 2) * SLICE_CLAIMS
    store.read.clear()
    look_again(store, counts_of(store, "rcp_1"), NOW, lambda _: True)
    assert store.read.count("STATE#") == 2 * SLICE_CLAIMS


def test_results_come_in_pages_and_each_names_the_next() -> None:
    store = MemoryStore()
    ids = claim_ids(21 * SLICE_CLAIMS + 3)
    read(era(ids), store)
    for row in results(store):
        judge(store, row)
    listed: list[str] = []
    page = 0
    while True:
        one = shown(store, page)
        listed += [row["claim_id"] for row in one["results"]]
        if "next" not in one:
            break
        page += 1
        assert one["next"] == f"/v1/receipts/rcp_1?page={page}"
    assert listed == ids
    assert page == 2
    assert [len(shown(store, n).get("transactions", [])) for n in range(3)] == [0, 0, 1]
    assert shown(store, 99)["results"] == []


def test_a_long_body_is_counted_by_itself_until_all_is_judged() -> None:
    store = MemoryStore()
    read(era(claim_ids(2 * SLICE_CLAIMS + 1)), store)
    last = next(row for row in store.rows() if isinstance(row, SliceCount) and row.last)
    assert last.due is not None
    assert last.due.endswith(f"#{WakeKind.COUNT}")

    def wake(at: int) -> SliceCount:
        later = NOW + timedelta(minutes=at)
        count(Message(WakeKind.COUNT, last.key), store=store, has_time=lambda: True, now=later)
        found = store.get(last.key)
        assert isinstance(found, SliceCount)
        return found

    for row in results(store)[:250]:
        judge(store, row)
    assert wake(5).due == f"{NOW + timedelta(minutes=10):%Y-%m-%dT%H:%M:%SZ}#count"
    for row in results(store)[250:]:
        judge(store, row)
    assert wake(10).due is None
    before = store.rows()
    assert wake(15).due is None
    assert store.rows() == before


def test_a_short_body_has_no_counts_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts_module, "COUNTED_BYTES", 1_000_000)
    store = MemoryStore()
    read(era(claim_ids(3)), store)
    assert not any(isinstance(row, SliceCount) for row in store.rows())
    for row in results(store):
        judge(store, row)
    assert (shown(store)["state"], shown(store)["accepted"]) == ("done", 3)
    assert "bytes" not in shown(store)
