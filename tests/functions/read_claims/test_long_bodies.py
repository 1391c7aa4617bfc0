"""Files of up to 50 MB: read on while there is time, resumed where a crash left them, never held as a whole."""

from collections.abc import Callable, Iterator

import pytest

from billing.claim_state import Slice, StoredBody
from billing.facts import ROUTES, Message
from billing.ports import Insert, TryAgain
from edges.formats.envelope import Envelope
from functions.read_claims.flow import SLICE_CLAIMS, latest_slice, run
from functions.read_claims.reading import MOST_CLAIMS, readings
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.store import MemoryStore
from tests.functions.read_claims.test_flow import NOW, claim_ids, era, results, slices, stored


def for_slices(count: int) -> Callable[[], bool]:
    """Time for so many slices more than one."""
    left = iter(range(count))
    return lambda: next(left, None) is not None


def uploaded(text: bytes, store: MemoryStore, blobs: MemoryBlobs) -> Message:
    """A body that lies in the bucket as it came."""
    blobs.put("bodies/rcp_1", text)
    body = StoredBody("willow", "rcp_1", "0" * 64, "application/edi-x12", NOW, b"", "bodies/rcp_1", size=len(text))
    body = StoredBody(**{**vars(body), "plain": True})
    store.commit(Insert(body))
    return Message("ClaimBodyStored", body.key)


def test_a_body_that_lies_in_the_bucket_as_it_came_is_read_like_any_other() -> None:
    store, blobs = MemoryStore(), MemoryBlobs()
    run(uploaded(era(claim_ids(30)), store, blobs), store=store, blobs=blobs, now=NOW)
    assert [row.result.claim_id for row in results(store)] == claim_ids(30)


@pytest.mark.parametrize("time_for", [0, 1, 2, 9])
def test_slices_are_read_while_there_is_time_and_only_the_last_of_them_sends_a_message(time_for: int) -> None:
    store = MemoryStore()
    ids = claim_ids(3 * SLICE_CLAIMS + 5)
    message = stored(era(ids), store)
    run(message, store=store, blobs=MemoryBlobs(), now=NOW, goes_on=for_slices(time_for))
    read = slices(store)
    assert len(read) == min(time_for + 1, 4)
    routes = [ROUTES[one.kind] for one in read]
    assert routes[:-1] == [()] * (len(read) - 1)
    assert routes[-1] == (() if read[-1].last else ("read_claims",))
    assert [e.claim_id for one in read for e in one.elements] == ids[: (time_for + 1) * SLICE_CLAIMS]


@pytest.mark.parametrize("read_before", range(1, 8))
def test_a_message_that_comes_again_goes_on_where_the_reading_ended(read_before: int) -> None:
    """What was kept without a message of its own is followed up by the message that the reader had."""
    store = MemoryStore()
    ids = claim_ids(9 * SLICE_CLAIMS)
    message = stored(era(ids), store)

    def dies() -> Iterator[bool]:
        yield from [True] * (read_before - 1)
        raise TryAgain("the function died")

    dying = dies()
    with pytest.raises(TryAgain):
        run(message, store=store, blobs=MemoryBlobs(), now=NOW, goes_on=lambda: next(dying))
    assert len(slices(store)) == read_before - 1
    run(message, store=store, blobs=MemoryBlobs(), now=NOW, goes_on=lambda: True)
    elements = [e for one in slices(store) for e in one.elements]
    assert [e.claim_id for e in elements] == ids
    assert not any(e.duplicate for e in elements)
    assert slices(store)[-1].last


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 8, 9, 20])
def test_the_latest_slice_is_found_by_asking_for_a_few(count: int) -> None:
    store = MemoryStore()
    for number in range(count):
        store.commit(Insert(Slice("willow", "rcp_1", number, number, (), last=False)))
    for known in (None, *slices(store)[:1]):
        found = latest_slice(store, "rcp_1", known)
        assert (found.number if found else -1) == count - 1


def test_a_file_of_fifty_megabytes_may_have_as_many_claims_as_fit_into_it() -> None:
    envelope, warnings = Envelope(), list[str]()
    empty = era(["KB1"]).replace(b"LX*1~", b"LX*1~" + b"CLP*~" * (MOST_CLAIMS + 10))
    small = list(readings([empty], "application/edi-x12", len(empty), warnings, envelope))
    large = list(readings([empty], "application/edi-x12", 50_000_000, warnings, envelope))
    assert (len(small), len(large)) == (MOST_CLAIMS + 1, MOST_CLAIMS + 11)


def test_a_last_claim_that_is_cut_off_is_rejected_and_counted() -> None:
    store = MemoryStore()
    cut = era(["KB1", "KB2"]).partition(b"CAS*PR*3*60~SE*")[0]
    run(stored(cut, store), store=store, blobs=MemoryBlobs(), now=NOW)
    (only,) = slices(store)
    assert [(e.claim_id, bool(e.errors)) for e in only.elements] == [("KB1", False), ("KB2", True)]
