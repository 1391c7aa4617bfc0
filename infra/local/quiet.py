"""Knows when the system has nothing left to do: what tests wait for, and what the clock waits for between two steps.

Quiet is: no request on its way in, no webhook on its way from Stripe, nothing waiting, running or delayed in a work
queue, and every fact that was written has been relayed to the queues. It takes two looks in a row with no write to the
table between them; then nothing can have slipped from one place to the next behind our back:

    look 1: queues empty, stream relayed up to n          look 2: queues empty, stream relayed up to n
            ╰─ whatever the relay sent was in a queue by then, and look 2 would have found it or what it wrote (n+1)

A dead letter is quiet: it waits for a person.

How far the relay is, it says in its log. The local cloud gives a function's last lines a few milliseconds to arrive; on
a busy machine one that comes later is kept until the function's next invocation, which may be never. So when nothing
is anywhere and still a fact is not known to be relayed, it is handed to the relay once more: whoever is told of a fact
twice only looks twice, and an invocation that we wait for answers whether it was done.
"""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from billing.ports import Record
from edges.codec import decode
from infra.local.cloud import Cloud, Crashed
from infra.local.redrive import AT_ONCE, as_event

SETTLE_WITHIN_S: Final = 120.0
"""A message that keeps failing is a dead letter after half a minute, a Stripe that hangs is given up after one."""
LOOK_EVERY_S: Final = 0.02
RELAY: Final = "publish_facts"
ASK_RELAY_AFTER_S: Final = 5.0
"""A batch that failed is sent again after one second, and an instance starts in two."""
NOT_RELAYED: Final = "facts not yet relayed to the queues"


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
        self._read_on_at = ""
        self.written = ""
        """Sequence number of the table's last write."""
        self._unheard_of: list[dict[str, Any]] = []
        """Of the stream, the facts that the relay has not said it sent."""
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
                    self._unheard_of.append(record)
                    self.facts.append(decode(image))
            if self._unheard_of:
                self._heard_of(self._read_log())

    @property
    def is_relayed(self) -> bool:
        return not self._unheard_of

    def relay_again(self) -> None:
        """Hand the relay what it has not said it sent: all of it, as an earlier batch may be what it fails at. One that
        is switched off has said so: then there is something to wait for. Raises Crashed where it cannot send it."""
        name = f"kindbill-{self._cloud.stage}-{RELAY}"
        sources = self._cloud.functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
        with self._one_reader:
            while (records := self._unheard_of[:AT_ONCE]) and all(one["State"] == "Enabled" for one in sources):
                self._cloud.invoke(RELAY, {"Records": [as_event(record) for record in records]})
                self._heard_of(_sequence(records[-1]))

    def _heard_of(self, through: str) -> None:
        self._unheard_of = [record for record in self._unheard_of if _sequence(record) > through]

    def _records(self) -> Iterator[dict[str, Any]]:
        """What was written since. Should whoever reads stop within a page, the next one reads on after `written`."""
        while True:
            page, self._read_on_at = self._page(), ""
            yield from page["Records"]
            self._read_on_at = page.get("NextShardIterator", "")
            if not page["Records"] or not self._read_on_at:
                return

    def _page(self) -> Any:
        if self._read_on_at:
            try:
                return self._cloud.streams.get_records(ShardIterator=self._read_on_at)
            except self._cloud.streams.exceptions.ExpiredIteratorException:
                pass  # it lasts a quarter of an hour; the place where we are does not depend on it
        return self._cloud.streams.get_records(ShardIterator=self._iterator())

    def _iterator(self) -> str:
        streams, arn = self._cloud.streams, self._cloud.outputs["StreamArn"]
        if not self._shard:
            self._shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
        since: dict[str, str] = (
            {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": self.written}
            if self.written
            else {"ShardIteratorType": "TRIM_HORIZON"}
        )
        iterator: str = streams.get_shard_iterator(StreamArn=arn, ShardId=self._shard, **since)["ShardIterator"]
        return iterator

    def _read_log(self) -> str:
        """The relay ends each invocation with a line that says how far it has come; the furthest of those that are new,
        "" where none are."""
        relayed = ""
        group = f"/aws/lambda/kindbill-{self._cloud.stage}-{RELAY}"
        page: dict[str, Any] = {"logGroupName": group, "startTime": self._logs_since_ms}
        while True:
            found = self._cloud.logs.filter_log_events(**page)
            for event in found["events"]:
                self._logs_since_ms = max(self._logs_since_ms, event["timestamp"])
                relayed = max(relayed, _sequence_in(event["message"]))
            if not found.get("nextToken"):
                return relayed
            page["nextToken"] = found["nextToken"]


def _sequence(record: Mapping[str, Any]) -> str:
    return str(record["dynamodb"]["SequenceNumber"])


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
        """One look around; blocks for a few calls. Where something is on its way, it does not look any further."""
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
        if not stuck:
            self.tail.read()
            if not self.tail.is_relayed:
                stuck.append(NOT_RELAYED)
        return Look(tuple(stuck), self.tail.written)

    async def settle(self, within_s: float = SETTLE_WITHIN_S) -> None:
        """Return when all is quiet. Raises NotQuiet."""
        give_up = time.monotonic() + within_s
        unsaid_since = time.monotonic()
        before: Look | None = None
        while True:
            look = await asyncio.to_thread(self.look)
            if not look.stuck and before is not None and not before.stuck and before.written == look.written:
                return
            if look.stuck != (NOT_RELAYED,):
                unsaid_since = time.monotonic()
            elif time.monotonic() > unsaid_since + ASK_RELAY_AFTER_S:
                with suppress(Crashed):  # the relay itself fails: the local cloud goes on trying, and we go on looking
                    await asyncio.to_thread(self.tail.relay_again)
                unsaid_since = time.monotonic()
            if look.stuck and time.monotonic() > give_up:
                raise NotQuiet(look.stuck)
            before = look
            await asyncio.sleep(LOOK_EVERY_S)
