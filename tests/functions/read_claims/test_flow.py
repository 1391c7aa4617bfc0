"""A stored body becomes claim results: each once, none lost, whatever crashes and whatever the body holds."""

import gzip
import json
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from billing.claim_state import ReceivedResult, Slice, StoredBody
from billing.facts import ROUTES, Message
from billing.ids import Key
from billing.ports import Conflict, Insert, Record, Refused, TryAgain, Write
from functions.read_claims import reading
from functions.read_claims.flow import SLICE_CLAIMS, run
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.store import MemoryStore

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


def era(claims: Sequence[str], *, paid: int = 90, isa: str = "") -> bytes:
    """An 835 with these claims, each charged $150.00, paid `paid` dollars, the rest a copay. Its sums are right."""
    header = isa or (
        "ISA*00*          *00*          *ZZ*PAYER          *ZZ*PRACTICE       *261120*0900*^*00501*000000001*0*P*:~"
    )
    body = [
        "GS*HP*PAYER*PRACTICE*20261120*0900*1*X*005010X221A1",
        "ST*835*0001",
        f"BPR*I*{paid * len(claims)}*C*ACH************20261120",
        "TRN*1*12345*1999999999",
        "N1*PR*EXAMPLE HEALTH PLAN*XV*87726",
        "N1*PE*WILLOW PRACTICE*XX*1234567893",
        "LX*1",
    ]
    for claim in claims:
        body += [f"CLP*{claim}*1*150*{paid}*{150 - paid}*12*ICN{claim}", f"CAS*PR*3*{150 - paid}"]
    body += [f"SE*{len(body)}*0001", "GE*1*1", "IEA*1*000000001"]
    return (header + "~".join(body) + "~").encode()


def stored(
    text: bytes, store: MemoryStore, receipt: str = "rcp_1", content_type: str = "application/edi-x12"
) -> Message:
    body = StoredBody("willow", receipt, "0" * 64, content_type, NOW, gzip.compress(text))
    store.commit(Insert(body))
    return Message("ClaimBodyStored", body.key)


def slices(store: MemoryStore, receipt: str = "rcp_1") -> list[Slice]:
    return [row for row in store.partition(f"R#{receipt}#", "SLICE#") if isinstance(row, Slice)]


def results(store: MemoryStore) -> list[ReceivedResult]:
    return [row for row in store.stream if isinstance(row, ReceivedResult)]


def read_all(message: Message, store: MemoryStore, receipt: str = "rcp_1") -> list[Slice]:
    """Follow the slices as the relay would."""
    run(message, store=store, blobs=MemoryBlobs(), now=NOW)
    while not slices(store, receipt)[-1].last:
        at = slices(store, receipt)[-1]
        run(Message("ClaimSliceRead", at.key), store=store, blobs=MemoryBlobs(), now=NOW)
    return slices(store, receipt)


def claim_ids(count: int) -> list[str]:
    return [f"KB{n:05d}" for n in range(count)]


def test_each_claim_of_a_file_is_stored_once_and_named_in_the_slice() -> None:
    store = MemoryStore()
    (only,) = read_all(stored(era(["KB1", "KB2"]), store), store)
    assert [row.result.claim_id for row in results(store)] == ["KB1", "KB2"]
    assert [(e.claim_id, e.payer_claim_id, e.duplicate) for e in only.elements] == [
        ("KB1", "ICNKB1", False),
        ("KB2", "ICNKB2", False),
    ]
    assert [e.result for e in only.elements] == [row.result.result_key() for row in results(store)]
    assert (only.last, only.warnings) == (True, ())


@pytest.mark.parametrize("count", [SLICE_CLAIMS - 1, SLICE_CLAIMS, SLICE_CLAIMS + 1, 2 * SLICE_CLAIMS + 50])
def test_a_long_file_is_read_in_slices_to_its_last_claim(count: int) -> None:
    store = MemoryStore()
    read = read_all(stored(era(claim_ids(count)), store), store)
    assert [e.claim_id for one in read for e in one.elements] == claim_ids(count)
    assert [row.result.claim_id for row in results(store)] == claim_ids(count)
    assert [one.last for one in read] == [False] * (len(read) - 1) + [True]
    assert [one.start for one in read] == [min((n + 1) * SLICE_CLAIMS, count) for n in range(len(read))]


def test_only_a_slice_that_more_follows_sends_a_message() -> None:
    store = MemoryStore()
    read = read_all(stored(era(claim_ids(SLICE_CLAIMS + 1)), store), store)
    assert [ROUTES[one.kind] for one in read] == [("read_claims",), ()]


def test_a_message_about_the_last_slice_or_a_slice_already_followed_changes_nothing() -> None:
    store = MemoryStore()
    message = stored(era(claim_ids(SLICE_CLAIMS + 1)), store)
    first, last = read_all(message, store)
    before = store.rows()
    for again in (message, Message("ClaimSliceRead", first.key), Message("ClaimSliceRead", last.key)):
        run(again, store=store, blobs=MemoryBlobs(), now=NOW)
    assert store.rows() == before


class FailingStore(MemoryStore):
    """Fails the n-th commit, before or after it happened."""

    def __init__(self, fail_at: int, *, after: bool) -> None:
        super().__init__()
        self.fail_at, self.after, self.asked = fail_at, after, 0

    def commit(self, *writes: Write) -> None:
        self.asked += 1
        fails = self.asked == self.fail_at
        if not fails or self.after:
            super().commit(*writes)
        if fails:
            raise TryAgain("the connection broke")


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
@pytest.mark.parametrize("fail_at", range(2, 13))
def test_a_crash_at_any_write_loses_nothing_and_doubles_nothing(fail_at: int, after: bool) -> None:
    store = FailingStore(fail_at, after=after)
    message = stored(era(claim_ids(SLICE_CLAIMS + 10)), store)
    pending = [message]
    while pending:
        try:
            run(pending[0], store=store, blobs=MemoryBlobs(), now=NOW)
        except TryAgain:
            continue
        pending = [] if slices(store)[-1].last else [Message("ClaimSliceRead", slices(store)[-1].key)]
    elements = [e for one in slices(store) for e in one.elements]
    assert [e.claim_id for e in elements] == claim_ids(SLICE_CLAIMS + 10)
    assert not any(e.duplicate for e in elements)
    assert len(results(store)) == SLICE_CLAIMS + 10


def test_a_claim_that_another_file_brought_before_is_a_duplicate_and_the_others_are_new() -> None:
    store = MemoryStore()
    read_all(stored(era(["KB1", "KB2"]), store), store)
    (second,) = read_all(stored(era(["KB2", "KB3"]), store, "rcp_2"), store, "rcp_2")
    assert [e.duplicate for e in second.elements] == [True, False]
    assert [row.result.claim_id for row in results(store)] == ["KB1", "KB2", "KB3"]


@pytest.mark.parametrize("apart", [1, SLICE_CLAIMS + 1], ids=["same slice", "two slices"])
def test_the_same_claim_in_two_transactions_of_one_file_is_new_once(apart: int) -> None:
    others = claim_ids(apart)
    store = MemoryStore()
    read = read_all(stored(era(["KBX", *others]) + era(["KBX"]), store), store)
    elements = [e for one in read for e in one.elements]
    assert [e.duplicate for e in elements if e.claim_id == "KBX"] == [False, True]
    assert len(results(store)) == apart + 1
    assert not any(e.duplicate for e in elements if e.claim_id != "KBX")


def test_nine_claims_that_share_both_ids_are_nine_results() -> None:
    """claims.md 4.8: never trust CLP01 and CLP07 alone."""
    store = MemoryStore()
    (only,) = read_all(stored(era(["KBX"] * 9), store), store)
    assert len({e.result for e in only.elements}) == 9
    assert len(results(store)) == 9


class RacedStore(MemoryStore):
    """Another file's reader stores one of the same results while ours is being written."""

    def __init__(self) -> None:
        super().__init__()
        self.race: Record | None = None

    def commit(self, *writes: Write) -> None:
        if self.race is not None and len(writes) > 1:
            race, self.race = self.race, None
            super().commit(Insert(race))
        super().commit(*writes)


def test_a_result_that_two_files_bring_at_once_belongs_to_the_first_writer() -> None:
    theirs, store = MemoryStore(), RacedStore()
    read_all(stored(era(["KB2"]), theirs, "rcp_2"), theirs, "rcp_2")
    (store.race,) = results(theirs)
    (only,) = read_all(stored(era(["KB1", "KB2", "KB3"]), store), store)
    assert [e.duplicate for e in only.elements] == [False, True, False]
    assert len(results(store)) == 3


class BusyStore(MemoryStore):
    """Calls every commit of a slice a conflict although nobody else writes, as DynamoDB does under contention."""

    def commit(self, *writes: Write) -> None:
        if any(isinstance(write.record, Slice | ReceivedResult) for write in writes):
            raise Conflict("TransactionConflict")
        super().commit(*writes)


def test_a_busy_table_is_tried_again_instead_of_counting_results_as_seen() -> None:
    store = BusyStore()
    with pytest.raises(TryAgain):
        run(stored(era(["KB1"]), store), store=store, blobs=MemoryBlobs(), now=NOW)
    assert slices(store) == []


def test_a_claim_that_cannot_be_read_is_rejected_with_its_reasons_and_the_others_go_on() -> None:
    store = MemoryStore()
    broken = era(["KB1", "KB2"]).replace(b"CLP*KB1*1*150", b"CLP*KB1*1*many")
    (only,) = read_all(stored(broken, store), store)
    rejected, read = only.elements
    assert (rejected.claim_id, rejected.result) == ("KB1", "")
    assert rejected.errors
    assert read.result
    assert [row.result.claim_id for row in results(store)] == ["KB2"]


def test_what_is_wrong_around_the_claims_is_told_once_with_the_last_slice() -> None:
    store = MemoryStore()
    wrong_count = era(claim_ids(SLICE_CLAIMS + 1)).replace(b"SE*", b"SE*9")
    read = read_all(stored(wrong_count, store), store)
    assert [len(one.warnings) for one in read] == [0, 1]
    assert "SE01" in read[1].warnings[0]


@pytest.mark.parametrize("text", [b"", b"no interchange at all", b"\x00\xff" * 50])
def test_a_body_that_turns_out_unreadable_is_a_last_slice_with_a_warning(text: bytes) -> None:
    store = MemoryStore()
    (only,) = read_all(stored(text, store), store)
    assert (only.elements, only.last, len(only.warnings)) == ((), True, 1)


def test_a_claim_too_large_for_the_table_is_rejected() -> None:
    lines = b"".join(b"SVC*HC:90834*1*0~" + b"CAS*CO" + b"*45*0*1" * 6 + b"~" for _ in range(999))
    huge = era(["KB1"]).replace(b"CAS*PR*3*60~", b"CAS*PR*3*60~" + lines)
    store = MemoryStore()
    (only,) = read_all(stored(huge, store), store)
    assert only.elements[0].errors == ("claim: too many lines and adjustments to keep",)
    assert results(store) == []


def claim_json(claim_id: str, **changed: object) -> dict[str, object]:
    """A result of ours in JSON: $150.00 charged, $90.00 paid, $45.00 discount, $15.00 copay."""
    adjustments = [{"group": "CO", "code": "45", "amount": 4500}, {"group": "PR", "code": "3", "amount": 1500}]
    return {
        "claim_id": claim_id,
        "payer": {"id": "87726", "name": "Example Health Plan"},
        "payer_claim_id": "2026-000123",
        "status": "processed_primary",
        "adjudicated_on": "2026-11-20",
        "currency": "usd",
        "charged": 15000,
        "paid": 9000,
        "adjustments": adjustments,
        "lines": [],
    } | changed


def test_a_json_batch_is_read_like_a_file_and_a_broken_element_costs_only_itself() -> None:
    batch = json.dumps({"results": [claim_json("KB1"), claim_json("KB2", charged="150.00"), claim_json("KB3")]})
    store = MemoryStore()
    (only,) = read_all(stored(batch.encode(), store, content_type="application/json"), store)
    assert [(e.claim_id, bool(e.result)) for e in only.elements] == [("KB1", True), ("KB2", False), ("KB3", True)]
    assert only.elements[1].errors[0].startswith("charged: ")
    assert [row.result.claim_id for row in results(store)] == ["KB1", "KB3"]


def test_a_slice_of_claims_with_much_wrong_ends_before_its_row_is_too_large() -> None:
    wrong: dict[str, object] = {f"field_{n}_{'x' * 30}": 1 for n in range(20)}
    batch = json.dumps({"results": [claim_json(f"KB{n}", **wrong) for n in range(500)]})
    store = MemoryStore()
    read = read_all(stored(batch.encode(), store, content_type="application/json"), store)
    assert [e.claim_id for one in read for e in one.elements] == [f"KB{n}" for n in range(500)]
    assert all(len(e.errors) == 20 for one in read for e in one.elements)
    assert max(len(repr(one)) for one in read) < 350_000
    assert len(read) > 3


@pytest.mark.parametrize("text", [b"{", b"[]", b'{"results": 1}'])
def test_json_that_the_door_should_not_have_let_in_ends_in_a_warning(text: bytes) -> None:
    store = MemoryStore()
    (only,) = read_all(stored(text, store, content_type="application/json"), store)
    assert (only.elements, only.last, len(only.warnings)) == ((), True, 1)


def test_a_large_body_is_read_from_the_bucket() -> None:
    store, blobs = MemoryStore(), MemoryBlobs()
    blobs.put("bodies/rcp_1", gzip.compress(era(["KB1"])))
    body = StoredBody("willow", "rcp_1", "0" * 64, "application/edi-x12", NOW, b"", "bodies/rcp_1")
    store.commit(Insert(body))
    run(Message("ClaimBodyStored", body.key), store=store, blobs=blobs, now=NOW)
    assert [row.result.claim_id for row in results(store)] == ["KB1"]


def test_a_message_about_nothing_is_refused() -> None:
    with pytest.raises(Refused):
        run(Message("ClaimBodyStored", Key("R#none#", "BODY#")), store=MemoryStore(), blobs=MemoryBlobs(), now=NOW)


def test_a_file_of_a_hundred_thousand_empty_claims_is_read_to_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one body can make us do grows with its real claims, not with how short somebody can write one."""
    monkeypatch.setattr(reading, "MOST_CLAIMS", 450)
    empty = era(["KB1"]).replace(b"LX*1~", b"LX*1~" + b"CLP*~" * 100_000)
    store = MemoryStore()
    read = read_all(stored(empty, store), store)
    assert len(read) == 3
    elements = [element for one in read for element in one.elements]
    assert len(elements) == 451
    assert "file: more than 450 claims: send it in parts" in elements[-1].errors[0]
