"""The one table on DynamoDB.

A commit of one write is one PutItem or DeleteItem with a condition (half the price of a transaction); of several, one
TransactWriteItems. Reads are consistent; only the due index, a hint by design, is not.

Lost answers. botocore tries again when an answer does not arrive, though the write may have happened:

    commit ──► PutItem ──► written        answer lost ✗
           └─► PutItem again ──► "condition failed", but it was ourselves

A transaction carries a ClientRequestToken, so its repetition is answered like the first. A single write has no such
token: when its condition fails *after botocore has tried more than once*, the row is read again, and if it holds
exactly what we wrote (or, for a Delete, is gone), it was ours. Without a repetition a failed condition is a lost race,
even where the winner wrote the same: two workers must not both believe that they were first.
"""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004 - botocore's own name

from billing.ids import Key
from billing.ports import Check, Conflict, Delete, DueItem, Insert, Record, TryAgain, Write
from edges.aws import code_of, is_passing
from edges.codec import decode, encode
from edges.table import check_commit, due_until, leased, shard_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, TransactWriteItemTypeDef

DUE_INDEX: Final = "due"
READ_AT_ONCE: Final = 100
"""BatchGetItem's limit."""
RACES: Final = frozenset({"ConditionalCheckFailed", "TransactionConflict"})
"""Reasons of a cancelled transaction that mean: another writer was first."""
PASSING: Final = frozenset({"ThrottlingError", "ProvisionedThroughputExceeded"})
"""Reasons of a cancelled transaction that mean: later."""
IS_VERSION: Final = "version = :version"
IS_NEW: Final = "attribute_not_exists(pk)"
IS_THERE: Final = "attribute_exists(pk)"


class DynamoStore:
    """billing.ports.Store over a low-level client. `shards`: how many the due index has (environment DUE_SHARDS)."""

    def __init__(self, client: "DynamoDBClient", table: str, shards: int) -> None:
        self._client = client
        self._table = table
        self._shards = shards

    def get(self, key: Key) -> Record | None:
        """The row at that key, or None."""
        with _faults():
            answer = self._client.get_item(TableName=self._table, Key=_address(key), ConsistentRead=True)
        return decode(answer["Item"]) if "Item" in answer else None

    def get_many(self, keys: Sequence[Key]) -> list[Record | None]:
        """The rows at those keys, in their order; keys may repeat. TryAgain where the table keeps leaving some out."""
        wanted = list(dict.fromkeys(keys))
        found: dict[Key, Record] = {}
        for start in range(0, len(wanted), READ_AT_ONCE):
            found |= self._batch(wanted[start : start + READ_AT_ONCE])
        return [found.get(key) for key in keys]

    def _batch(self, keys: Sequence[Key]) -> dict[Key, Record]:
        found: dict[Key, Record] = {}
        left: list[Any] = [_address(key) for key in keys]
        while left:
            before = len(left)
            with _faults():
                answer = self._client.batch_get_item(RequestItems={self._table: {"Keys": left, "ConsistentRead": True}})
            for item in answer["Responses"].get(self._table, []):
                record = decode(item)
                found[record.key] = record
            unread = answer["UnprocessedKeys"].get(self._table)
            left = list(unread["Keys"]) if unread else []
            if len(left) == before:  # not one row of a hundred: the table is throttled, and waiting is the queue's job
                raise TryAgain(f"the table left {before} rows unread")
        return found

    def partition(self, pk: str, prefix: str = "") -> list[Record]:
        """All rows of a partition whose sk starts with `prefix`, ordered by sk."""
        values: dict[str, AttributeValueTypeDef] = {":pk": {"S": pk}}
        condition = "pk = :pk"
        if prefix:
            condition += " AND begins_with(sk, :prefix)"
            values[":prefix"] = {"S": prefix}
        records: list[Record] = []
        page: dict[str, Any] = {}
        while True:
            with _faults():
                answer = self._client.query(
                    TableName=self._table,
                    KeyConditionExpression=condition,
                    ExpressionAttributeValues=values,
                    ConsistentRead=True,
                    **page,
                )
            records += map(decode, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return records
            page = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def commit(self, *writes: Write) -> None:
        """All or nothing. Raises Conflict when a guard does not hold, TryAgain when the table is throttled."""
        keys = [write.record.key for write in writes]
        check_commit(keys)
        if len(writes) == 1 and not isinstance(writes[0], Check):
            self._commit_one(writes[0])
            return
        with _faults(keys):
            self._client.transact_write_items(
                TransactItems=[self._transact(write) for write in writes],
                ClientRequestToken=str(uuid.uuid4()),
            )

    def _commit_one(self, write: Write) -> None:
        try:
            with _faults([write.record.key]):
                if isinstance(write, Delete):
                    self._client.delete_item(Key=_address(write.record.key), **self._guarded(write))
                else:
                    self._client.put_item(Item=self._row(write.record), **self._guarded(write))
        except Conflict as conflict:
            tries = getattr(conflict.__cause__, "response", {}).get("ResponseMetadata", {}).get("RetryAttempts", 0)
            if tries and self._is_done(write):
                return
            raise

    def _is_done(self, write: Write) -> bool:
        """Whether the row is as this write would leave it."""
        with _faults():
            answer = self._client.get_item(TableName=self._table, Key=_address(write.record.key), ConsistentRead=True)
        if isinstance(write, Delete):
            return "Item" not in answer
        return answer.get("Item") == self._row(write.record)

    def _transact(self, write: Write) -> "TransactWriteItemTypeDef":
        guarded = self._guarded(write)
        match write:
            case Check():
                return {"ConditionCheck": guarded | {"Key": _address(write.record.key)}}
            case Delete():
                return {"Delete": guarded | {"Key": _address(write.record.key)}}
            case _:
                return {"Put": guarded | {"Item": self._row(write.record)}}

    def _guarded(self, write: Write) -> Any:
        """Table and condition of a write, as every call that writes takes them."""
        if isinstance(write, Insert):
            return {"TableName": self._table, "ConditionExpression": IS_NEW}
        stored = write.record.version - (0 if isinstance(write, Check | Delete) else 1)
        return {
            "TableName": self._table,
            "ConditionExpression": IS_VERSION,
            "ExpressionAttributeValues": {":version": {"N": str(stored)}},
        }

    def _row(self, record: Record) -> "dict[str, AttributeValueTypeDef]":
        row = encode(record)
        due = record.due
        if due is not None:
            row["due_shard"] = {"N": str(shard_of(record.key.pk, due, self._shards))}
            row["due_at"] = {"S": due}
        return row

    def due(self, shard: int, until: datetime, limit: int, after: DueItem | None = None) -> list[DueItem]:
        """What in this shard is due at or before `until`, oldest first, at most `limit`; what follows `after`."""
        page: Any = {}
        if after is not None:
            entry = {"due_shard": {"N": str(shard)}, "due_at": {"S": after.due_at}}
            page = {"ExclusiveStartKey": _address(after.key) | entry}
        with _faults():
            answer = self._client.query(
                TableName=self._table,
                IndexName=DUE_INDEX,
                KeyConditionExpression="due_shard = :shard AND due_at < :until",
                ExpressionAttributeValues={":shard": {"N": str(shard)}, ":until": {"S": due_until(until)}},
                Limit=limit,
                **page,
            )
        return [DueItem(Key(i["pk"]["S"], i["sk"]["S"]), i["due_at"]["S"]) for i in answer["Items"]]

    def lease(self, item: DueItem, until: datetime) -> bool:
        """Move the item's index entry to `until`, keeping its kind; False where it is no longer where it was. The
        row's version stays: nothing was decided."""
        try:
            with _faults():
                self._client.update_item(
                    TableName=self._table,
                    Key=_address(item.key),
                    UpdateExpression="SET due_at = :until",
                    ConditionExpression="due_at = :old",
                    ExpressionAttributeValues={
                        ":until": {"S": leased(item.due_at, until)},
                        ":old": {"S": item.due_at},
                    },
                )
        except Conflict:
            return False
        return True

    def set_due(self, key: Key, due: str | None) -> None:
        """Move the index entry of a row that is written once, or take it out; the row stays as it is."""
        change: Any = {"UpdateExpression": "REMOVE due_shard, due_at"}
        if due is not None:
            shard = str(shard_of(key.pk, due, self._shards))
            change = {
                "UpdateExpression": "SET due_shard = :shard, due_at = :due",
                "ExpressionAttributeValues": {":shard": {"N": shard}, ":due": {"S": due}},
            }
        with _faults():
            self._client.update_item(TableName=self._table, Key=_address(key), ConditionExpression=IS_THERE, **change)


def _address(key: Key) -> "dict[str, AttributeValueTypeDef]":
    return {"pk": {"S": key.pk}, "sk": {"S": key.sk}}


@contextmanager
def _faults(keys: Sequence[Key] = ()) -> Iterator[None]:
    """DynamoDB's errors as a step needs them: a lost race, something passing, or a mistake of ours (left as it is).
    `keys`: the rows that are written, in their order."""
    try:
        yield
    except (ClientError, ConnectionError, HTTPClientError) as error:
        if isinstance(error, ClientError):
            code = code_of(error)
            reasons = _reasons(error)
            lost = tuple(key for key, reason in zip(keys, reasons, strict=False) if reason in RACES)
            if code in ("ConditionalCheckFailedException", "TransactionConflictException") or RACES & set(reasons):
                raise Conflict("another writer was first: read again and decide anew", lost or tuple(keys)) from error
            if PASSING & set(reasons):
                raise TryAgain("the table is throttled") from error
        if is_passing(error):
            raise TryAgain(f"the table did not answer: {type(error).__name__}") from error
        raise


def _reasons(error: ClientError) -> list[str]:
    """Why a transaction was cancelled: one reason a write, in their order; [] of anything else."""
    return [reason.get("Code", "None") for reason in error.response.get("CancellationReasons", [])]
