"""Knows when the system has nothing left to do: what tests wait for, and what the clock waits for between two steps.

Quiet is: no request on its way in, no webhook on its way from Stripe, nothing waiting, running or delayed in a work
queue, and every fact that was written has been relayed to the queues. It takes two looks in a row with no write to the
table between them; then nothing can have slipped from one place to the next behind our back:

    look 1: queues empty, stream relayed up to n          look 2: queues empty, stream relayed up to n
            ╰─ whatever the relay sent was in a queue by then, and look 2 would have found it or what it wrote (n+1)

A dead letter is quiet: it waits for a person.
"""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from billing.ports import Record
from edges.codec import decode
from infra.local.cloud import Cloud, Crashed

SETTLE_WITHIN_S: Final = 120.0
"""A message that keeps failing is a dead letter after half a minute, a Stripe that hangs is given up after one."""
LOOK_EVERY_S: Final = 0.03
ASK_RELAY_AFTER_S: Final = 5.0
"""On a busy machine the cloud loses the relay's last line until the relay runs once more, and then it is the only thing
that anybody waits for."""
RELAY: Final = "publish_facts"
NOT_RELAYED: Final = "facts not yet relayed to the queues"
_TIMELESS: Final = {"ApproximateCreationDateTime": 0}
"""What the stream's client made a date of, as the relay is called with JSON."""


@dataclass(frozen=True)
class Look:
    """One look around. `stuck`: what is not quiet, in words; empty when all is. `written`: the table's last write."""

    stuck: tuple[str, ...]
    written: str


class NotQuiet(Exception):
    """Something did not come to rest; `stuck` names it."""

    def __init__(self, stuck: tuple[str, ...]) -> None:
        super().__init__("; ".join(stuck))
        self.stuck = stuck


class StreamTail:
    """Reads the table's stream beside the relay (streams allow two readers), and the relay's log."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._shard = ""
        self.written = ""
        """Sequence number of the table's last write."""
        self.to_relay = ""
        """Sequence number of the last fact among them."""
        self.relayed = ""
        """Sequence number up to which the relay says it sent."""
        self._last_fact: dict[str, Any] = {}
        self._logs_since_ms = 0
        self.facts: list[Record] = []
        """Every row that is a fact, in the order written."""
        self._one_reader = threading.Lock()

    def read(self) -> None:
        """Catch up with both."""
        with self._one_reader:
            for record in self._records():
                change = record["dynamodb"]
                self.written = change["SequenceNumber"]
                image = change.get("NewImage", {})
                if record["eventName"] == "INSERT" and "kind" in image:
                    self.to_relay = self.written
                    self._last_fact = {"eventName": "INSERT", "dynamodb": {**change, **_TIMELESS}}
                    self.facts.append(decode(image))
            if not self.is_relayed:
                self._read_log()

    @property
    def is_relayed(self) -> bool:
        return self.relayed >= self.to_relay

    def ask_relay(self) -> None:
        """Give the relay the last fact once more, so that it says how far it has come; sent twice is seen twice. One
        that is switched off, or fails, has said so: then there is something to wait for."""
        mappings = self._cloud.functions.list_event_source_mappings(
            FunctionName=f"kindbill-{self._cloud.stage}-{RELAY}"
        )
        if all(one["State"] == "Enabled" for one in mappings["EventSourceMappings"]):
            with suppress(Crashed):
                self._cloud.invoke(RELAY, {"Records": [self._last_fact]})

    def _records(self) -> Iterator[dict[str, Any]]:
        streams, arn = self._cloud.streams, self._cloud.outputs["StreamArn"]
        if not self._shard:
            self._shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
        since: dict[str, str] = (
            {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": self.written}
            if self.written
            else {"ShardIteratorType": "TRIM_HORIZON"}
        )
        at = streams.get_shard_iterator(StreamArn=arn, ShardId=self._shard, **since)["ShardIterator"]
        while at:
            page = streams.get_records(ShardIterator=at)
            yield from page["Records"]
            at = page.get("NextShardIterator") if page["Records"] else None

    def _read_log(self) -> None:
        """The relay ends each invocation with a line that says how far it has come."""
        group = f"/aws/lambda/kindbill-{self._cloud.stage}-{RELAY}"
        page: dict[str, Any] = {"logGroupName": group, "startTime": self._logs_since_ms}
        while True:
            found = self._cloud.logs.filter_log_events(**page)
            for event in found["events"]:
                self._logs_since_ms = max(self._logs_since_ms, event["timestamp"])
                self.relayed = max(self.relayed, _sequence_in(event["message"]))
            if not found.get("nextToken"):
                return
            page["nextToken"] = found["nextToken"]


def _sequence_in(line: str) -> str:
    if "relayed_through" not in line:
        return ""
    try:
        return str(json.loads(line).get("relayed_through", ""))
    except ValueError:
        return ""


class Quiet:
    """Looks and waits. `requests`: how many requests are on their way in; `webhooks`: and from Stripe."""

    def __init__(self, cloud: Cloud, requests: Callable[[], int], webhooks: Callable[[], int]) -> None:
        self._cloud = cloud
        self._requests = requests
        self._webhooks = webhooks
        self.tail = StreamTail(cloud)

    def look(self) -> Look:
        """One look around; blocks for a few calls."""
        stuck = []
        if requests := self._requests():
            stuck.append(f"requests on their way: {requests}")
        if webhooks := self._webhooks():
            stuck.append(f"webhooks on their way from Stripe: {webhooks}")
        for verb, depth in self._cloud.work().items():
            if depth.total:
                stuck.append(
                    f"queue {verb}: {depth.waiting} waiting, {depth.in_flight} in flight, {depth.delayed} delayed"
                )
        self.tail.read()
        if not self.tail.is_relayed:
            stuck.append(NOT_RELAYED)
        return Look(tuple(stuck), self.tail.written)

    async def settle(self, within_s: float = SETTLE_WITHIN_S) -> None:
        """Return when all is quiet. Raises NotQuiet."""
        give_up = time.monotonic() + within_s
        ask_at = time.monotonic() + ASK_RELAY_AFTER_S
        before: Look | None = None
        while True:
            look = await asyncio.to_thread(self.look)
            if not look.stuck and before is not None and not before.stuck and before.written == look.written:
                return
            if look.stuck and time.monotonic() > give_up:
                raise NotQuiet(look.stuck)
            if look.stuck != (NOT_RELAYED,):
                ask_at = time.monotonic() + ASK_RELAY_AFTER_S
            elif time.monotonic() > ask_at:
                await asyncio.to_thread(self.tail.ask_relay)
                ask_at = time.monotonic() + ASK_RELAY_AFTER_S
            before = look
            await asyncio.sleep(LOOK_EVERY_S)
