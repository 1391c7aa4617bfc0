"""The table in memory: the same promises as edges/store.py, held by the same contract suite.

It keeps the records themselves (they are frozen), so the simulator commits without encoding anything. What the table's
stream would carry, the inserted rows that have a `kind`, is appended to `stream` in commit order; whoever plays the
relay takes them from there.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from datetime import datetime

from billing.ids import Key
from billing.ports import Check, Conflict, Delete, DueItem, Insert, Record, Update, Write
from edges.codec import is_fact
from edges.table import check_commit, due_until, leased, shard_of


class MemoryStore:
    """`stream`: inserted fact-like records, oldest first. `commits`: how many commits succeeded."""

    def __init__(self, shards: int = 4) -> None:
        self.shards = shards
        self.stream: list[Record] = []
        self.commits = 0
        self._partitions: dict[str, dict[str, Record]] = {}
        self._order: dict[str, list[str]] = {}
        self._due_at: dict[Key, str] = {}
        self._due: list[list[str]] = [[] for _ in range(shards)]

    def get(self, key: Key) -> Record | None:
        """The row at that key, or None."""
        rows = self._partitions.get(key.pk)
        return rows.get(key.sk) if rows else None

    def get_many(self, keys: Sequence[Key]) -> list[Record | None]:
        """The rows at those keys, in their order."""
        return [self.get(key) for key in keys]

    def partition(self, pk: str, prefix: str = "") -> list[Record]:
        """All rows of a partition whose sk starts with `prefix`, ordered by sk as the table does: by UTF-8 bytes,
        which is the order of code points and so of Python's strings."""
        rows = self._partitions.get(pk)
        if not rows:
            return []
        order = self._order.get(pk)
        if order is None:
            order = self._order[pk] = sorted(rows)
        if not prefix:
            return [rows[sk] for sk in order]
        found = []
        for sk in order[bisect_left(order, prefix) :]:
            if not sk.startswith(prefix):
                break
            found.append(rows[sk])
        return found

    def commit(self, *writes: Write) -> None:
        """All or nothing: every guard is checked before the first write."""
        partitions = self._partitions
        keys = [write.record.key for write in writes]
        check_commit(keys)
        failed = []
        for write, key in zip(writes, keys, strict=True):
            rows = partitions.get(key.pk)
            stored = rows.get(key.sk) if rows else None
            if type(write) is Insert:
                holds = stored is None
            elif stored is None:
                holds = False
            else:
                holds = stored.version == write.record.version - (type(write) is Update)
            if not holds:
                failed.append((write, stored))
        if failed:
            write, stored = failed[0]
            lost = f"{type(write).__name__} of {write.record.key} met {stored}"
            raise Conflict(lost, tuple(w.record.key for w, _ in failed))
        for write, key in zip(writes, keys, strict=True):
            record = write.record
            match write:
                case Insert():
                    partitions.setdefault(key.pk, {})[key.sk] = record
                    self._order.pop(key.pk, None)
                    self._wake(key, record.due)
                    if is_fact(type(record)):
                        self.stream.append(record)
                case Update():
                    partitions[key.pk][key.sk] = record
                    self._wake(key, record.due)
                case Delete():
                    del partitions[key.pk][key.sk]
                    self._order.pop(key.pk, None)
                    self._wake(key, None)
                case Check():
                    pass  # its guard held, and that was all it asked for
        self.commits += 1

    def _wake(self, key: Key, due_at: str | None) -> None:
        """Move the row's entry of the due index; None takes it out."""
        before = self._due_at.get(key)
        if before == due_at:
            return
        if before is not None:
            index = self._due[shard_of(key.pk, before, self.shards)]
            del index[bisect_left(index, _entry(before, key))]
            del self._due_at[key]
        if due_at is not None:
            insort(self._due[shard_of(key.pk, due_at, self.shards)], _entry(due_at, key))
            self._due_at[key] = due_at

    def due(self, shard: int, until: datetime, limit: int, after: DueItem | None = None) -> list[DueItem]:
        """What in this shard is due at or before `until`, oldest first, at most `limit`; what follows `after`."""
        index = self._due[shard]
        first = bisect_right(index, _entry(after.due_at, after.key)) if after else 0
        items = []
        for entry in index[first : min(first + limit, bisect_left(index, due_until(until)))]:
            due_at, pk, sk = entry.split("\0")
            items.append(DueItem(Key(pk, sk), due_at))
        return items

    def lease(self, item: DueItem, until: datetime) -> bool:
        """Move the item's index entry to `until`, keeping its kind; False where it is no longer where it was."""
        if self._due_at.get(item.key) != item.due_at:
            return False
        self._wake(item.key, leased(item.due_at, until))
        return True

    def set_due(self, key: Key, due: str | None) -> None:
        """Move the index entry of a row that is written once, or take it out; the row stays as it is."""
        if self.get(key) is None:
            raise Conflict(f"there is no row at {key}")
        self._wake(key, due)

    def due_entry(self, key: Key) -> str | None:
        """Where the row is in the due index; None where it is not."""
        return self._due_at.get(key)

    def next_due(self) -> str | None:
        """The earliest entry of the due index: where a clock that steps from wake to wake goes next."""
        return min((index[0].split("\0")[0] for index in self._due if index), default=None)

    def rows(self) -> list[Record]:
        """Everything there is, for an auditor: no step of the product reads this."""
        return [record for rows in self._partitions.values() for record in rows.values()]

    def copy(self) -> "MemoryStore":
        """A snapshot that goes its own way; records are shared, being frozen."""
        twin = MemoryStore(self.shards)
        twin.stream = list(self.stream)
        twin.commits = self.commits
        twin._partitions = {pk: dict(rows) for pk, rows in self._partitions.items()}
        twin._due_at = dict(self._due_at)
        twin._due = [list(index) for index in self._due]
        return twin


def _entry(due_at: str, key: Key) -> str:
    """One entry of a sorted due index: text, because comparing texts is what keeps inserting fast."""
    return f"{due_at}\0{key.pk}\0{key.sk}"
