"""What time it is. Handlers ask once per invocation or record and pass the answer on as `now`.

Where the template names a clock item, time is simulated: one row of the table holds it, and it stands still until the
local console moves it. A row read costs 2 ms and needs no cold start to notice a change.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from edges.aws import passing_faults
from edges.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CLOCK_SK: Final = "CLOCK#"


class Clock:
    """The clock that these settings name."""

    def __init__(self, settings: Settings, client: "DynamoDBClient") -> None:
        self._item = settings.clock_item
        self._table = settings.table
        self._client = client

    def now(self) -> datetime:
        """The present instant, aware UTC. Raises LookupError where the simulated clock was never set."""
        if not self._item:
            return datetime.now(UTC)
        with passing_faults():
            answer = self._client.get_item(
                TableName=self._table,
                Key={"pk": {"S": self._item}, "sk": {"S": CLOCK_SK}},
                ConsistentRead=True,
            )
        if "Item" not in answer:
            raise LookupError(f"no simulated clock at {self._item} {CLOCK_SK}: set it, or leave ClockItem empty")
        return datetime.fromisoformat(answer["Item"]["now"]["S"]).astimezone(UTC)
