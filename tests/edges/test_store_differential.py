"""Two stores, one behaviour: random sequences of commands get the same answers, the same refusals for the same rows,
the same due index and the same stream of facts from the in-memory table and from a real one.

The simulator runs on the in-memory table; whatever it proves holds in production as far as the two are the same here.
`KINDBILL_STORE_EXAMPLES=2000` looks longer.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from billing.account import Account, Contact
from billing.facts import Fact, FactKind, Message
from billing.ids import Key, account_pk, contact_key, facts_pk
from billing.invoice import Invoice, Source
from billing.ledger import Book, Entry
from billing.ports import Check, Conflict, Delete, DueItem, Insert, Record, Update, Write
from edges.store import DynamoStore
from functions.publish_facts.flow import facts_of
from tests.fakes.cloud import LocalCloud
from tests.fakes.store import MemoryStore

SHARDS = 2
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
PRACTICE = "elm_street"
CLIENTS = ("ana", "ana3")
"""One name begins the other, and the two wake in different shards."""
INVOICES = ("1", "10", "é", "a#b")
MOMENTS = tuple(NOON + timedelta(minutes=5 * n) for n in range(4))
PREFIXES = ("", "INVOICE#", "INVOICE#1", "INVOICE#1#", "ACCOUNT#", "FACT#", "X")
EXAMPLES = int(os.environ.get("KINDBILL_STORE_EXAMPLES", "30"))

text = st.sampled_from(("", "x", "Ünïcode ✓", "#%", "0"))
cents = st.sampled_from((0, 1, 62_50, 10**15))


@st.composite
def rows(draw: st.DrawFn) -> Record:
    """A row of one of the kinds that a commit mixes, at version 1."""
    client = draw(st.sampled_from(CLIENTS))
    match draw(st.sampled_from(("account", "contact", "invoice", "invoice", "fact"))):
        case "account":
            at = draw(st.none() | st.sampled_from(MOMENTS))
            return Account(PRACTICE, client, 1, credit=draw(cents), autopay=draw(st.booleans()), turned_off_at=at)
        case "contact":
            return Contact(PRACTICE, client, 1, draw(text), draw(text), "+13035550100")
        case "invoice":
            return Invoice(
                practice=PRACTICE,
                client=client,
                invoice_id=draw(st.sampled_from(INVOICES)),
                version=1,
                source=Source.CLAIM,
                source_id="claim_1",
                ordinal=0,
                amount=62_50,
                issued_at=NOON,
                service_date=date(2026, 10, 30),
                charge_at=draw(st.none() | st.sampled_from(MOMENTS)),
                remind_at=draw(st.none() | st.sampled_from(MOMENTS)),
            )
        case _:
            kind = draw(st.sampled_from((FactKind.INVOICE_ISSUED, FactKind.PAYMENT_POSTED)))
            amount, about = draw(cents), draw(text)
            entries = (Entry(Book.RECEIVABLE, about, amount), Entry(Book.CLEARING, "", -amount))
            item = f"INVOICE#{draw(st.sampled_from(INVOICES))}#"
            return Fact(
                PRACTICE, client, item, 1, kind, NOON, "system", about, {"amount": amount, "of": about}, entries
            )


KEYS = (
    *(Account(PRACTICE, client, 1).key for client in CLIENTS),
    *(contact_key(PRACTICE, client) for client in CLIENTS),
    *(Key(account_pk(PRACTICE, client), f"INVOICE#{n}#") for client in CLIENTS for n in ("1", "10", "2")),
)
PARTITIONS = tuple(place(PRACTICE, client) for place in (account_pk, facts_pk) for client in (*CLIENTS, "nobody"))


class TwoStores(RuleBasedStateMachine):
    """Each rule gives one command to both and compares what they say."""

    cloud: LocalCloud
    met: Counter[str]

    def __init__(self) -> None:
        super().__init__()
        table = self.cloud.fresh_table(stream=True)
        self.memory = MemoryStore(SHARDS)
        self.dynamo = DynamoStore(self.cloud.shared_client("dynamodb"), table, SHARDS)
        self.table = table

    @rule(data=st.data(), drawn=st.lists(rows(), min_size=1, max_size=5, unique_by=lambda row: row.key))
    def commit_what_fits(self, data: st.DataObject, drawn: Sequence[Record]) -> None:
        """One to five writes, each on the version that is there."""
        self._commit([data.draw(st.sampled_from(self._fitting(row))) for row in drawn])

    @rule(data=st.data(), drawn=st.lists(rows(), min_size=1, max_size=5, unique_by=lambda row: row.key))
    def commit_anything(self, data: st.DataObject, drawn: Sequence[Record]) -> None:
        """One to five writes, of which some meet another version than they want."""
        self._commit([data.draw(st.sampled_from(self._fitting(row) * 4 + _strays(row))) for row in drawn])

    def _commit(self, writes: Sequence[Write]) -> None:
        lost = _committed(self.memory, writes)
        assert lost == _committed(self.dynamo, writes)
        self.met["commits" if lost is None else f"{len(lost)} lost of {len(writes)}"] += 1

    def _fitting(self, row: Any) -> list[Write]:
        """What may be done with the row at that key as it is now."""
        stored = self.memory.get(row.key)
        if stored is None:
            return [Insert(row)] * 4
        there = stored.version
        update, check = Update(replace(row, version=there + 1)), Check(replace(row, version=there))
        return [update, update, check, Delete(replace(row, version=there))]

    @rule(key=st.sampled_from(KEYS))
    def get(self, key: Key) -> None:
        """One row."""
        assert self.memory.get(key) == self.dynamo.get(key)

    @rule(keys=st.lists(st.sampled_from(KEYS), max_size=12))
    def get_many(self, keys: list[Key]) -> None:
        """Rows in the order they are asked for, the same one twice too."""
        assert self.memory.get_many(keys) == self.dynamo.get_many(keys)

    @rule(pk=st.sampled_from(PARTITIONS), prefix=st.sampled_from(PREFIXES))
    def partition(self, pk: str, prefix: str) -> None:
        """What begins with a prefix."""
        assert self.memory.partition(pk, prefix) == self.dynamo.partition(pk, prefix)

    @rule(until=st.sampled_from(MOMENTS), limit=st.sampled_from((1, 2, 100)))
    def due(self, until: datetime, limit: int) -> None:
        """What is due by then, oldest first. Which of several of the same moment comes first is nobody's promise."""
        for shard in range(SHARDS):
            ours, theirs = (store.due(shard, until, limit) for store in (self.memory, self.dynamo))
            assert [item.due_at for item in ours] == [item.due_at for item in theirs]
            if len(ours) < limit:
                assert set(ours) == set(theirs)

    @rule(data=st.data(), until=st.sampled_from(MOMENTS))
    def lease(self, data: st.DataObject, until: datetime) -> None:
        """Lease what is due, or what somebody else has moved or handled."""
        shards = (self.memory.due(shard, NOON + timedelta(days=1), 100) for shard in range(SHARDS))
        there = [item for shard in shards for item in shard]
        strays = [DueItem(key, f"{at:%Y-%m-%dT%H:%M:%SZ}#charge") for key in KEYS for at in MOMENTS[:2]]
        item = data.draw(st.sampled_from(there * 8 + strays))
        leased = self.memory.lease(item, until)
        assert leased == self.dynamo.lease(item, until)
        self.met["leases" if leased else "refused leases"] += 1

    def teardown(self) -> None:
        """At the end: the same rows, the same index, the same stream."""
        for pk in {row.key.pk for row in self.memory.rows()} | set(PARTITIONS):
            assert self.memory.partition(pk) == self.dynamo.partition(pk)
        self.due(NOON + timedelta(days=9), 100)
        relayed = list(facts_of(self.cloud.stream_records(self.table)))
        ours = [Message(str(row.kind), row.key) for row in self.memory.stream]  # type: ignore[attr-defined]  # facts
        assert _by_partition(ours) == _by_partition(relayed)
        self.met["facts relayed"] += len(relayed)


def _strays(row: Any) -> list[Write]:
    """Writes of that row that mostly do not hold."""
    writes: list[Write] = [Insert(row), Insert(replace(row, version=3))]
    return writes + [do(replace(row, version=v)) for do in (Update, Check, Delete) for v in (1, 2, 3)]


def _committed(store: MemoryStore | DynamoStore, writes: Sequence[Write]) -> object:
    """None, or which of the writes met another version than they wanted."""
    try:
        store.commit(*writes)
    except Conflict as conflict:
        return set(conflict.failed)
    return None


def _by_partition(messages: Iterable[Message]) -> dict[str, list[Message]]:
    """A stream keeps the order of each partition, and promises none between them."""
    found: defaultdict[str, list[Message]] = defaultdict(list)
    for message in messages:
        found[message.key.pk].append(message)
    return dict(found)


def test_both_stores_answer_any_sequence_of_commands_alike(cloud: LocalCloud) -> None:
    met: Counter[str] = Counter()
    machine = type("TwoStoresOnThisCloud", (TwoStores,), {"cloud": cloud, "met": met})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=30,
            derandomize="KINDBILL_STORE_EXAMPLES" not in os.environ,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    wanted = ("commits", "1 lost of 1", "1 lost of 3", "2 lost of 3", "leases", "refused leases", "facts relayed")
    assert all(met[what] for what in wanted), met


@pytest.mark.parametrize("writes", [1, 2])
def test_a_lost_race_names_the_rows_that_were_lost(cloud: LocalCloud, writes: int) -> None:
    here, gone = Account(PRACTICE, "ana", 1), Account(PRACTICE, "ben", 1)
    for store in (MemoryStore(SHARDS), DynamoStore(cloud.client("dynamodb"), cloud.fresh_table(), SHARDS)):
        store.commit(Insert(here))
        with pytest.raises(Conflict) as lost:
            store.commit(*[Insert(here), Insert(gone)][:writes])
        assert lost.value.failed == (here.key,)
