"""Quiet means that nothing is anywhere: not at the door, not in a queue, not between the table and the queues."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from types import SimpleNamespace
from typing import Any, cast

import pytest

from infra.local import quiet as waiting
from infra.local.cloud import Cloud, Crashed, Depth
from infra.local.quiet import NotQuiet, Quiet

EMPTY = Depth(0, 0, 0)


class Expired(Exception):
    """A place in the stream that was read from too long ago."""


class OneCloud:
    """A stream, its relay's log and one queue, which the test fills and empties."""

    def __init__(self) -> None:
        self.stage = "local"
        self.outputs = {"StreamArn": "arn:stream"}
        self.streams = self
        self.logs = self
        self.functions = self
        self.relay_state = "Enabled"
        self.depth = EMPTY
        self.records: list[dict[str, Any]] = []
        self.lines: list[dict[str, Any]] = []
        self.exceptions = SimpleNamespace(ExpiredIteratorException=Expired)
        self.expired: set[str] = set()
        self.sent_again: list[str] = []
        self.crashes = 0
        self.on_look: Callable[[], None] = lambda: None

    def write(self, *, fact: bool = True) -> str:
        """A write to the table; a fact is a row that comes new and has a kind."""
        number = f"{len(self.records) + 1:030d}"
        image = {
            "pk": {"S": f"E#{number}#"},
            "sk": {"S": "EVENT#"},
            "type": {"S": "stripe_event"},
            "version": {"N": "1"},
        }
        image |= {name: {"S": ""} for name in ("event_id", "event_type", "object_id", "practice", "client")} | {
            "attempt": {"N": "0"},
            "at": {"S": "2026-11-20T12:00:00Z"},
            "expires": {"N": "1"},
        }
        if fact:
            image["kind"] = {"S": "StripeEventStored"}
        written_at = datetime(2026, 11, 20, tzinfo=UTC)
        change = {"SequenceNumber": number, "NewImage": image, "ApproximateCreationDateTime": written_at}
        self.records.append({"eventName": "INSERT" if fact else "MODIFY", "dynamodb": change})
        return number

    def relay(self, through: str) -> None:
        line = json.dumps({"message": "relayed", "relayed_through": through})
        self.lines.append({"timestamp": len(self.lines), "message": line})

    def list_event_source_mappings(self, FunctionName: str) -> dict[str, Any]:  # noqa: N803
        assert FunctionName == "kindbill-local-publish_facts"
        return {"EventSourceMappings": [{"State": self.relay_state}]}

    def invoke(self, verb: str, event: dict[str, Any]) -> None:
        """The relay is called by hand, with what JSON can hold."""
        assert verb == "publish_facts"
        if self.crashes:
            self.crashes -= 1
            raise Crashed("publish_facts crashed")
        self.sent_again += [record["dynamodb"]["SequenceNumber"] for record in json.loads(json.dumps(event))["Records"]]

    def work(self) -> dict[str, Depth]:
        self.on_look()
        return {"send_email": self.depth}

    def describe_stream(self, **_: Any) -> dict[str, Any]:
        return {"StreamDescription": {"Shards": [{"ShardId": "shard-0"}]}}

    def get_shard_iterator(self, ShardIteratorType: str, SequenceNumber: str = "", **_: Any) -> dict[str, str]:  # noqa: N803
        assert (ShardIteratorType == "TRIM_HORIZON") == (SequenceNumber == "")
        return {"ShardIterator": str(int(SequenceNumber or "0"))}

    def get_records(self, ShardIterator: str) -> dict[str, Any]:  # noqa: N803
        if ShardIterator in self.expired:
            self.expired = set()
            raise Expired
        page = self.records[int(ShardIterator) :][:2]
        return {"Records": page, "NextShardIterator": str(int(ShardIterator) + len(page))}

    def filter_log_events(self, startTime: int, nextToken: str = "", **_: Any) -> dict[str, Any]:  # noqa: N803
        page = [line for line in self.lines if line["timestamp"] >= startTime]
        return (
            {"events": page[int(nextToken or "0") :][:2], "nextToken": str(2)}
            if len(page) > 2 and not nextToken
            else {"events": page[int(nextToken or "0") :]}
        )


@pytest.fixture
def cloud() -> OneCloud:
    return OneCloud()


def quiet_of(
    cloud: OneCloud,
    requests: Callable[[], int] = lambda: 0,
    webhooks: Callable[[], int] = lambda: 0,
) -> Quiet:
    return Quiet(cast(Cloud, cloud), requests, webhooks)


def stuck_in(quiet: Quiet) -> tuple[str, ...]:
    with pytest.raises(NotQuiet) as stuck:
        asyncio.run(quiet.settle(within_s=0))
    return stuck.value.stuck


def test_nothing_anywhere_is_quiet(cloud: OneCloud) -> None:
    cloud.relay(cloud.write())
    asyncio.run(quiet_of(cloud).settle(within_s=0))
    assert quiet_of(cloud).look().stuck == ()


@pytest.mark.parametrize(
    "depth, words",
    [
        (Depth(1, 0, 0), "queue send_email: 1 waiting, 0 in flight, 0 delayed"),
        (Depth(0, 2, 0), "queue send_email: 0 waiting, 2 in flight, 0 delayed"),
        (Depth(0, 0, 3), "queue send_email: 0 waiting, 0 in flight, 3 delayed"),
    ],
)
def test_a_message_anywhere_in_a_queue_is_not(cloud: OneCloud, depth: Depth, words: str) -> None:
    cloud.depth = depth
    assert stuck_in(quiet_of(cloud)) == (words,)


def test_a_request_or_a_webhook_on_its_way_is_not(cloud: OneCloud) -> None:
    assert stuck_in(quiet_of(cloud, requests=lambda: 1)) == ("requests on their way: 1",)
    assert stuck_in(quiet_of(cloud, webhooks=lambda: 2)) == ("webhooks on their way from Stripe: 2",)


def test_a_fact_that_the_relay_has_not_sent_is_not(cloud: OneCloud) -> None:
    cloud.relay(cloud.write())
    for _ in range(3):
        last = cloud.write()
    quiet = quiet_of(cloud)
    assert stuck_in(quiet) == ("facts not yet relayed to the queues",)
    cloud.relay(last)
    asyncio.run(quiet.settle(within_s=0))
    assert len(quiet.tail.facts) == 4


def test_a_relay_whose_last_line_was_lost_is_asked_until_it_answers(
    cloud: OneCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cloud on a busy machine keeps a late line back until the function runs again; the answer needs no line."""
    monkeypatch.setattr(waiting, "ASK_RELAY_AFTER_S", -1.0)
    cloud.relay(cloud.write())
    unsaid = [cloud.write() for _ in range(150)]
    cloud.write(fact=False)
    cloud.crashes = 1
    quiet = quiet_of(cloud)
    asyncio.run(quiet.settle())
    assert cloud.sent_again == unsaid
    assert quiet.tail.is_relayed


def test_a_relay_is_not_asked_while_anything_else_is_on_its_way(
    cloud: OneCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "ASK_RELAY_AFTER_S", -1.0)
    written = cloud.write()
    cloud.depth = Depth(0, 1, 0)
    looks = count(1)

    def work_ends() -> None:
        if next(looks) == 5:
            cloud.depth = EMPTY
            cloud.relay(written)

    cloud.on_look = work_ends
    asyncio.run(quiet_of(cloud).settle())
    assert (cloud.sent_again, cloud.depth) == ([], EMPTY)


@pytest.mark.parametrize("state, crashes", [("Disabled", 0), ("Enabled", 10**6)])
def test_a_relay_that_is_off_or_fails_keeps_everybody_waiting(
    cloud: OneCloud, monkeypatch: pytest.MonkeyPatch, state: str, crashes: int
) -> None:
    monkeypatch.setattr(waiting, "ASK_RELAY_AFTER_S", -1.0)
    cloud.relay_state, cloud.crashes = state, crashes
    cloud.write()
    with pytest.raises(NotQuiet, match="not yet relayed"):
        asyncio.run(quiet_of(cloud).settle(within_s=0))
    assert (cloud.sent_again, crashes - cloud.crashes) == ([], state == "Enabled")


def test_the_stream_is_read_on_where_it_was_left_whatever_became_of_that_place(cloud: OneCloud) -> None:
    quiet = quiet_of(cloud)
    cloud.relay(cloud.write())
    quiet.look()
    cloud.relay(cloud.write())
    cloud.expired = {"1"}
    assert quiet.look().stuck == ()
    assert (cloud.expired, len(quiet.tail.facts)) == (set(), 2)


def test_a_change_that_is_no_fact_needs_no_relay(cloud: OneCloud) -> None:
    cloud.relay(cloud.write())
    cloud.write(fact=False)
    asyncio.run(quiet_of(cloud).settle(within_s=0))


def test_two_looks_with_a_write_between_them_are_not_enough(cloud: OneCloud) -> None:
    """A worker can write, and the relay send, between our look at the queues and our look at the stream."""
    looks = 0

    def something_happens() -> None:
        nonlocal looks
        looks += 1
        if looks == 2:
            cloud.relay(cloud.write())

    cloud.on_look = something_happens
    asyncio.run(quiet_of(cloud).settle(within_s=60))
    assert looks == 3


def test_a_long_log_is_read_to_its_end(cloud: OneCloud) -> None:
    for _ in range(5):
        cloud.relay(cloud.write())
    cloud.lines.insert(0, {"timestamp": 0, "message": 'no JSON, but it says "relayed_through"'})
    assert quiet_of(cloud).look().stuck == ()
