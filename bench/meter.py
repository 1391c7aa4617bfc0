"""Count AWS operations, and the DynamoDB request units that the real service would bill, on any emulator.

    with Meter() as meter:
        live_one_invoice()
    meter.counts["dynamodb.TransactWriteItems"], meter.write_units, meter.read_units

Emulators do not compute units right, so the meter does: it wraps botocore's one call function and reads each touched
row before and after, uncounted. Rules billed as AWS documents them: writes per started KB, twice in a transaction, a
failed condition too; index entries that change; reads per started 4 KB, half when eventually consistent.
"""

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import botocore.client
from botocore.exceptions import ClientError

CLIENT: Any = botocore.client.BaseClient
"""botocore's base class, whose one call function is not in its published types."""

Item = dict[str, Any]
Touched = tuple[str, Item, bool]
"""(table, key or whole item, whether it is only a condition check)"""

TRANSACTION_FACTOR = 2


def value_size(value: dict[str, Any]) -> int:
    """Bytes of one attribute value, by DynamoDB's rules."""
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "B":
            return len(content)
        case "N":
            digits = content.lstrip("-").replace(".", "").strip("0") or "0"
            return (len(digits) + 1) // 2 + 1 + (1 if content.startswith("-") else 0)
        case "BOOL" | "NULL":
            return 1
        case "L":
            return 3 + sum(1 + value_size(element) for element in content)
        case "M":
            return 3 + sum(1 + len(name.encode()) + value_size(element) for name, element in content.items())
        case _:
            return sum(len(str(element)) for element in content)


def item_size(item: Item | None) -> int:
    """Bytes of a row, attribute names included; 0 for none."""
    return sum(len(name.encode()) + value_size(value) for name, value in item.items()) if item else 0


def units(size: int, kilobytes: int) -> int:
    """Started blocks of that many KB; at least one."""
    return max(1, math.ceil(size / (kilobytes * 1024)))


class Meter:
    """Counts while it is entered. `counts`: calls by `service.Operation`."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.write_units = 0.0
        self.read_units = 0.0
        self._schemas: dict[str, dict[str, Any]] = {}
        self._original: Callable[..., Any] = CLIENT._make_api_call

    def __enter__(self) -> "Meter":
        meter, original = self, self._original

        def call(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
            service = client.meta.service_model.service_name
            meter.counts[f"{service}.{operation}"] += 1
            if service != "dynamodb":
                return original(client, operation, parameters)
            return meter._dynamodb(client, operation, parameters)

        CLIENT._make_api_call = call
        return self

    def __exit__(self, *_: object) -> None:
        CLIENT._make_api_call = self._original

    def of(self, *operations: str) -> int:
        """How often these were called."""
        return sum(self.counts[operation] for operation in operations)

    # ------------------------------------------------------------------------------------------ DynamoDB

    def _dynamodb(self, client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        touched = _touched(operation, parameters)
        before = [self._row(client, table, key) for table, key, _ in touched]
        try:
            answer = self._original(client, operation, parameters)
        except ClientError:
            self._bill_writes(client, operation, touched, before, before)
            raise
        after = [self._row(client, table, key) for table, key, _ in touched]
        self._bill_writes(client, operation, touched, before, after)
        self._bill_reads(operation, parameters, answer)
        return answer

    def _bill_writes(
        self, client: Any, operation: str, touched: list[Touched], before: list[Item | None], after: list[Item | None]
    ) -> None:
        factor = TRANSACTION_FACTOR if operation == "TransactWriteItems" else 1
        for (table, _, only_checked), was, became in zip(touched, before, after, strict=True):
            self.write_units += factor * units(max(item_size(was), item_size(became)), 1)
            if not only_checked:
                self.write_units += self._index_units(client, table, was, became)

    def _bill_reads(self, operation: str, parameters: dict[str, Any], answer: dict[str, Any]) -> None:
        share = 1 if parameters.get("ConsistentRead") else 0.5
        match operation:
            case "GetItem":
                self.read_units += units(item_size(answer.get("Item")), 4) * share
            case "Query" | "Scan":
                self.read_units += units(sum(map(item_size, answer.get("Items", ()))), 4) * share
            case "BatchGetItem":
                for table, rows in answer["Responses"].items():
                    table_share = 1 if parameters["RequestItems"][table].get("ConsistentRead") else 0.5
                    self.read_units += sum(units(item_size(row), 4) for row in rows) * table_share
            case _:
                return

    def _index_units(self, client: Any, table: str, was: Item | None, became: Item | None) -> int:
        schema = self._schema(client, table)
        table_keys = {k["AttributeName"] for k in schema["KeySchema"]}
        total = 0
        for index in schema.get("GlobalSecondaryIndexes", ()):
            keys = {k["AttributeName"] for k in index["KeySchema"]}
            assert index["Projection"]["ProjectionType"] == "KEYS_ONLY", "the meter models KEYS_ONLY indexes"
            old, new = (_projected(row, keys, keys | table_keys) for row in (was, became))
            if old == new:
                continue
            # A changed key is a delete and a put in the index.
            total += 2 if old and new else 1
        return total

    def _row(self, client: Any, table: str, item: Item) -> Item | None:
        keys = {k["AttributeName"] for k in self._schema(client, table)["KeySchema"]}
        key = {name: item[name] for name in keys}
        answer = self._original(client, "GetItem", {"TableName": table, "Key": key, "ConsistentRead": True})
        row: Item | None = answer.get("Item")
        return row

    def _schema(self, client: Any, table: str) -> dict[str, Any]:
        if table not in self._schemas:
            self._schemas[table] = self._original(client, "DescribeTable", {"TableName": table})["Table"]
        return self._schemas[table]


def _projected(row: Item | None, keys: set[str], attributes: set[str]) -> Item | None:
    if row is None or not keys <= row.keys():
        return None
    return {name: value for name, value in row.items() if name in attributes}


def _touched(operation: str, parameters: dict[str, Any]) -> list[Touched]:
    """The rows an operation writes or checks."""
    match operation:
        case "PutItem":
            return [(parameters["TableName"], parameters["Item"], False)]
        case "UpdateItem" | "DeleteItem":
            return [(parameters["TableName"], parameters["Key"], False)]
        case "TransactWriteItems":
            return [
                (action["TableName"], action.get("Item") or action["Key"], name == "ConditionCheck")
                for element in parameters["TransactItems"]
                for name, action in element.items()
            ]
        case _:
            return []
