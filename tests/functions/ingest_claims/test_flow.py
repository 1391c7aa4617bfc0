"""What a claim processor may rely on when it posts the same thing twice, or two things under one key (contract.md)."""

import gzip
import random
from datetime import UTC, datetime

import pytest

from billing.idempotency import UsedIdempotencyKey
from billing.ids import Key
from billing.ports import Refused, Store, Write
from functions.ingest_claims.flow import Delivery, Kept, keep
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.store import MemoryStore

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
FILE = b"ISA*00*the file as the payer wrote it~"


def delivery(body: bytes = FILE, *, key: str = "", sender: str = "clearinghouse", practice: str = "willow") -> Delivery:
    return Delivery(practice, sender, "application/edi-x12", body, key)


def post(given: Delivery, store: Store, blobs: MemoryBlobs | None = None) -> Kept:
    return keep(given, store=store, blobs=blobs or MemoryBlobs(), now=NOW)


def noise(size: int) -> bytes:
    """Bytes that do not compress."""
    return random.Random(1).randbytes(size)


def test_a_body_is_stored_in_one_write_and_is_a_fact_that_goes_on_to_be_read() -> None:
    store = MemoryStore()
    kept = post(delivery(), store)
    assert kept.new
    assert store.commits == 1
    assert store.get(kept.body.key) == kept.body
    assert gzip.decompress(kept.body.body) == FILE
    assert [getattr(row, "kind", "") for row in store.stream] == ["ClaimBodyStored"]


def test_the_same_bytes_again_are_the_first_receipt_whoever_of_the_practice_sends_them() -> None:
    store = MemoryStore()
    first = post(delivery(), store)
    again = post(delivery(sender="the practice itself"), store)
    assert not again.new
    assert again.body == first.body
    assert len(store.stream) == 1


def test_the_same_bytes_for_another_practice_are_another_receipt() -> None:
    store = MemoryStore()
    assert post(delivery(), store).body.receipt_id != post(delivery(practice="oak"), store).body.receipt_id
    assert len(store.stream) == 2


def test_the_same_key_with_the_same_body_is_the_first_receipt() -> None:
    store = MemoryStore()
    first = post(delivery(key="file-7"), store)
    assert post(delivery(key="file-7"), store) == Kept(first.body, new=False)


def test_the_same_key_with_another_body_is_refused_and_nothing_is_stored() -> None:
    store = MemoryStore()
    post(delivery(key="file-7"), store)
    with pytest.raises(Refused) as refusal:
        post(delivery(b"another file", key="file-7"), store)
    assert (refusal.value.status, refusal.value.code) == (409, "idempotency_key_reused")
    assert len(store.stream) == 1


def test_the_same_key_with_a_body_known_under_another_key_is_refused() -> None:
    store = MemoryStore()
    post(delivery(b"one", key="a"), store)
    post(delivery(b"two", key="b"), store)
    with pytest.raises(Refused):
        post(delivery(b"two", key="a"), store)


def test_keys_of_two_senders_do_not_meet() -> None:
    store = MemoryStore()
    post(delivery(b"one", key="file-7", sender="clearinghouse"), store)
    assert post(delivery(b"two", key="file-7", sender="payer"), store).new


def test_a_new_key_with_bytes_seen_before_answers_the_first_receipt_and_is_bound_to_it() -> None:
    store = MemoryStore()
    first = post(delivery(), store)
    assert post(delivery(key="late"), store) == Kept(first.body, new=False)
    with pytest.raises(Refused):
        post(delivery(b"another file", key="late"), store)


def test_a_key_is_kept_for_a_year() -> None:
    store = MemoryStore()
    post(delivery(key="file-7"), store)
    (used,) = (row for row in store.rows() if isinstance(row, UsedIdempotencyKey))
    assert datetime.fromtimestamp(used.expires, UTC) == datetime(2027, 11, 20, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("size", "key", "in_the_row"),
    [(290_000, "", True), (310_000, "", False), (19_000, "k", True), (21_000, "k", False)],
    ids=["row", "too large for a row", "row of a transaction", "too large for a row of a transaction"],
)
def test_a_body_too_large_for_its_row_lies_in_the_bucket(size: int, key: str, in_the_row: bool) -> None:
    store, blobs, body = MemoryStore(), MemoryBlobs(), noise(size)
    kept = post(delivery(body, key=key), store, blobs)
    assert bool(kept.body.body) == in_the_row
    packed = kept.body.body or blobs.get(kept.body.blob)
    assert gzip.decompress(packed) == body


class RacedStore(MemoryStore):
    """Another delivery of the same bytes commits between our look and our write."""

    def __init__(self, other: Delivery) -> None:
        super().__init__()
        self.other: Delivery | None = other

    def commit(self, *writes: Write) -> None:
        if self.other is not None:
            other, self.other = self.other, None
            post(other, self)
        super().commit(*writes)


def test_of_two_deliveries_at_the_same_moment_one_is_new() -> None:
    store = RacedStore(delivery(key="theirs"))
    kept = post(delivery(key="ours"), store)
    assert not kept.new
    assert len(store.stream) == 1
    assert sum(isinstance(row, UsedIdempotencyKey) for row in store.rows()) == 2
    assert store.get(Key(f"R#{kept.body.receipt_id}#", "BODY#")) == kept.body
