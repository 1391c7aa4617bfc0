"""One table, two implementations: what billing.ports.Store promises holds for the in-memory fake and for DynamoDB."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from billing.account import Account, Contact
from billing.facts import Fact
from billing.ids import account_key, account_pk, contact_key, facts_pk
from billing.invoice import Invoice, Source
from billing.ports import Check, Conflict, Delete, Insert, Record, Store, Update
from edges.store import DynamoStore
from edges.table import shard_of
from tests.fakes.cloud import LocalCloud
from tests.fakes.store import MemoryStore

SHARDS = 4
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ACCOUNT = Account("elm_street", "ana", 1)
CONTACT = Contact("elm_street", "ana", 1, "Ana", "ana@example.com", "+13035550100")


@pytest.fixture(params=["memory", "dynamodb"])
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "memory":
        return MemoryStore(SHARDS)
    cloud: LocalCloud = request.getfixturevalue("cloud")
    return DynamoStore(cloud.client("dynamodb"), cloud.fresh_table(), SHARDS)


def invoice(name: str, client: str = "ana", charge_at: datetime | None = None) -> Invoice:
    return Invoice(
        practice="elm_street",
        client=client,
        invoice_id=name,
        version=1,
        source=Source.CLAIM,
        source_id="claim_1",
        ordinal=0,
        amount=62_50,
        issued_at=NOON,
        service_date=date(2026, 10, 30),
        charge_at=charge_at,
    )


def fact(kind: str = "InvoiceIssued", version: int = 1) -> Fact:
    return Fact("elm_street", "ana", "INVOICE#inv_1#", version, kind, NOON, "system", "claim_1", {"amount": 62_50})


def everything_due(store: Store, until: datetime) -> list[str]:
    return [i.due_at for shard in range(SHARDS) for i in store.due(shard, until, 100)]


def test_what_was_never_written_is_not_there(store: Store) -> None:
    assert store.get(ACCOUNT.key) is None
    assert store.partition(account_pk("elm_street", "ana")) == []


def test_a_row_reads_back_as_it_was_written(store: Store) -> None:
    store.commit(Insert(ACCOUNT))
    assert store.get(account_key("elm_street", "ana")) == ACCOUNT


def test_a_row_is_inserted_once(store: Store) -> None:
    store.commit(Insert(ACCOUNT))
    with pytest.raises(Conflict):
        store.commit(Insert(replace(ACCOUNT, autopay=True)))
    assert store.get(ACCOUNT.key) == ACCOUNT


def test_an_identical_second_insert_is_a_conflict_too(store: Store) -> None:
    """Two workers must not both believe that they were first."""
    store.commit(Insert(ACCOUNT))
    with pytest.raises(Conflict):
        store.commit(Insert(ACCOUNT))


def test_an_update_holds_only_on_the_version_it_was_decided_from(store: Store) -> None:
    store.commit(Insert(ACCOUNT))
    store.commit(Update(replace(ACCOUNT, version=2, credit=5_00)))
    with pytest.raises(Conflict):
        store.commit(Update(replace(ACCOUNT, version=2, credit=9_00)))
    assert store.get(ACCOUNT.key) == replace(ACCOUNT, version=2, credit=5_00)


def test_what_is_not_there_cannot_be_updated_checked_or_deleted(store: Store) -> None:
    for write in (Update(replace(ACCOUNT, version=2)), Check(ACCOUNT), Delete(ACCOUNT)):
        with pytest.raises(Conflict):
            store.commit(write)
    assert store.get(ACCOUNT.key) is None


def test_an_update_replaces_the_whole_row(store: Store) -> None:
    store.commit(Insert(replace(ACCOUNT, default_card="card_1")))
    store.commit(Update(replace(ACCOUNT, version=2)))
    stored = store.get(ACCOUNT.key)
    assert isinstance(stored, Account)
    assert stored.default_card == ""


def test_a_delete_needs_the_stored_version(store: Store) -> None:
    store.commit(Insert(ACCOUNT))
    with pytest.raises(Conflict):
        store.commit(Delete(replace(ACCOUNT, version=2)))
    store.commit(Delete(ACCOUNT))
    assert store.get(ACCOUNT.key) is None


def test_a_commit_writes_all_of_its_rows(store: Store) -> None:
    store.commit(Insert(ACCOUNT), Insert(invoice("inv_1")), Insert(fact()))
    assert store.get_many([ACCOUNT.key, invoice("inv_1").key, fact().key]) == [ACCOUNT, invoice("inv_1"), fact()]


@pytest.mark.parametrize(
    "guard",
    [
        Insert(ACCOUNT),
        Update(replace(ACCOUNT, version=3)),
        Check(replace(ACCOUNT, version=2)),
        Delete(replace(ACCOUNT, version=2)),
    ],
    ids=lambda w: type(w).__name__,
)
def test_one_guard_that_does_not_hold_undoes_the_whole_commit(store: Store, guard: Insert | Update) -> None:
    store.commit(Insert(ACCOUNT))
    with pytest.raises(Conflict):
        store.commit(Insert(invoice("inv_1")), guard, Insert(fact()))
    assert store.get_many([invoice("inv_1").key, fact().key]) == [None, None]
    assert store.get(ACCOUNT.key) == ACCOUNT


def test_a_check_that_holds_lets_the_others_through_and_changes_nothing(store: Store) -> None:
    store.commit(Insert(ACCOUNT))
    store.commit(Check(ACCOUNT), Insert(invoice("inv_1")))
    assert store.get_many([ACCOUNT.key, invoice("inv_1").key]) == [ACCOUNT, invoice("inv_1")]
    store.commit(Check(ACCOUNT))


def test_a_transaction_may_delete_and_insert(store: Store) -> None:
    store.commit(Insert(ACCOUNT))
    store.commit(Delete(ACCOUNT), Insert(CONTACT))
    assert store.get_many([ACCOUNT.key, contact_key("elm_street", "ana")]) == [None, CONTACT]


def test_a_commit_of_nothing_too_much_or_one_row_twice_is_a_bug(store: Store) -> None:
    too_many = [Insert(invoice(f"inv_{n}")) for n in range(101)]
    for writes in ([], too_many, [Insert(ACCOUNT), Check(ACCOUNT)]):
        with pytest.raises(AssertionError):
            store.commit(*writes)


def test_a_hundred_rows_fit_into_one_commit(store: Store) -> None:
    store.commit(*[Insert(invoice(f"inv_{n:03d}")) for n in range(100)])
    assert len(store.partition(account_pk("elm_street", "ana"), "INVOICE#")) == 100


def test_a_partition_is_ordered_by_sort_key_and_holds_no_other_clients_rows(store: Store) -> None:
    rows: list[Record] = [invoice("inv_10"), ACCOUNT, invoice("inv_2"), invoice("Inv_3"), invoice("inv_é")]
    for row in [*rows, invoice("inv_1", client="ana2"), replace(ACCOUNT, client="an")]:
        store.commit(Insert(row))
    assert store.partition(account_pk("elm_street", "ana")) == sorted(rows, key=lambda r: r.key.sk.encode())


def test_a_prefix_ends_where_its_segment_ends(store: Store) -> None:
    store.commit(Insert(invoice("1")), Insert(invoice("10")))
    assert store.partition(account_pk("elm_street", "ana"), "INVOICE#1#") == [invoice("1")]


def test_a_partition_larger_than_a_page_is_read_whole(store: Store) -> None:
    """DynamoDB answers at most 1 MB at once."""
    facts = [replace(fact(version=n), data={"note": "x" * 200_000}) for n in range(8)]
    for row in facts:
        store.commit(Insert(row))
    assert store.partition(facts_pk("elm_street", "ana")) == facts


def test_rows_come_back_in_the_order_they_were_asked_for(store: Store) -> None:
    rows = [invoice(f"inv_{n}") for n in range(130)]
    store.commit(*map(Insert, rows[:100]))
    store.commit(*map(Insert, rows[100:]))
    wanted = [*reversed(rows), invoice("missing"), rows[7]]
    assert store.get_many([row.key for row in wanted]) == [*reversed(rows), None, rows[7]]
    assert store.get_many([]) == []


def test_only_what_is_due_by_then_is_due_and_the_oldest_comes_first(store: Store) -> None:
    at = [NOON + timedelta(minutes=m) for m in (3, 1, 2)]
    rows = [invoice(f"inv_{n}", charge_at=moment) for n, moment in enumerate(at)]
    store.commit(Insert(invoice("never")), *map(Insert, rows))
    shard = shard_of(account_pk("elm_street", "ana"), "#charge", SHARDS)
    due = store.due(shard, NOON + timedelta(minutes=2), 100)
    assert [(i.key, i.due_at) for i in due] == [
        (rows[1].key, "2026-11-20T12:01:00Z#charge"),
        (rows[2].key, "2026-11-20T12:02:00Z#charge"),
    ]
    assert store.due(shard, NOON + timedelta(minutes=2), 1) == due[:1]
    assert store.due((shard + 1) % SHARDS, NOON + timedelta(days=1), 100) == []


def test_what_moves_or_goes_takes_its_due_entry_along(store: Store) -> None:
    row = invoice("inv_1", charge_at=NOON)
    store.commit(Insert(row))
    assert everything_due(store, NOON) == ["2026-11-20T12:00:00Z#charge"]
    store.commit(Update(replace(row, version=2, charge_at=NOON + timedelta(days=1))))
    assert everything_due(store, NOON) == []
    assert everything_due(store, NOON + timedelta(days=1)) == ["2026-11-21T12:00:00Z#charge"]
    store.commit(Update(replace(row, version=3, charge_at=None)))
    assert everything_due(store, NOON + timedelta(days=9)) == []
    store.commit(Update(replace(row, version=4)))
    store.commit(Delete(replace(row, version=4)))
    assert everything_due(store, NOON) == []


def test_a_lease_moves_the_entry_keeps_the_kind_and_leaves_the_row_alone(store: Store) -> None:
    row = invoice("inv_1", charge_at=NOON)
    store.commit(Insert(row))
    (item,) = store.due(shard_of(row.key.pk, "#charge", SHARDS), NOON, 10)
    later = NOON + timedelta(minutes=5)
    assert store.lease(item, later) is True
    assert everything_due(store, NOON) == []
    assert everything_due(store, later) == ["2026-11-20T12:05:00Z#charge"]
    assert store.get(row.key) == row


def test_only_one_of_two_sweeps_gets_the_lease(store: Store) -> None:
    row = invoice("inv_1", charge_at=NOON)
    store.commit(Insert(row))
    (item,) = store.due(shard_of(row.key.pk, "#charge", SHARDS), NOON, 10)
    assert [store.lease(item, NOON + timedelta(minutes=5)), store.lease(item, NOON + timedelta(minutes=6))] == [
        True,
        False,
    ]


def test_what_was_handled_in_the_meantime_is_not_leased(store: Store) -> None:
    row = invoice("inv_1", charge_at=NOON)
    store.commit(Insert(row))
    (item,) = store.due(shard_of(row.key.pk, "#charge", SHARDS), NOON, 10)
    store.commit(Update(replace(row, version=2, charge_at=None)))
    assert store.lease(item, NOON + timedelta(minutes=5)) is False
    store.commit(Delete(replace(row, version=2)))
    assert store.lease(item, NOON + timedelta(minutes=5)) is False
    assert everything_due(store, NOON + timedelta(days=1)) == []
    assert store.get(row.key) is None


def test_what_is_due_is_read_page_by_page_whatever_moves_meanwhile(store: Store) -> None:
    at = [NOON + timedelta(minutes=m) for m in (1, 2, 2, 2, 3)]
    rows = [invoice(f"inv_{n}", charge_at=moment) for n, moment in enumerate(at)]
    store.commit(*map(Insert, rows))
    shard, until = shard_of(rows[0].key.pk, "#charge", SHARDS), NOON + timedelta(minutes=3)
    everything = store.due(shard, until, 100)
    assert len(everything) == len(rows)
    paged = store.due(shard, until, 2)
    while page := store.due(shard, until, 2, after=paged[-1]):
        paged += page
    assert paged == everything
    store.commit(Update(replace(rows[0], version=2, charge_at=None)))
    assert store.due(shard, until, 100, after=everything[0]) == everything[1:]


def test_the_entry_of_a_row_that_is_written_once_moves_and_goes_without_the_row(store: Store) -> None:
    row = invoice("inv_1", charge_at=NOON)
    store.commit(Insert(row))
    store.set_due(row.key, "2026-11-20T12:07:00Z#charge")
    assert everything_due(store, NOON) == []
    assert everything_due(store, NOON + timedelta(minutes=7)) == ["2026-11-20T12:07:00Z#charge"]
    for _ in range(2):
        store.set_due(row.key, None)
        assert everything_due(store, NOON + timedelta(days=1)) == []
    store.set_due(row.key, row.due)
    assert everything_due(store, NOON) == [row.due]
    assert store.get(row.key) == row
    with pytest.raises(Conflict):
        store.set_due(invoice("inv_2").key, None)
    assert store.get(invoice("inv_2").key) is None
