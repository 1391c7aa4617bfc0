"""Sends again what was set aside, once its cause is mended. Sending again is always safe: a message means *look*.

| dead letters of | what is in them | sent again by |
|---|---|---|
| a work queue | the message | putting it back on the queue |
| receive_mail_events | the event it was called with | calling it |
| publish_facts | which stretch of the stream was not relayed | reading that stretch again and relaying it |
| wake_due | a minute's alarm | nothing: every minute that followed looked at the same |
"""

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from infra.local.cloud import DEAD_LETTERS, WORK_QUEUES, Cloud

AT_ONCE: Final = 10


def redrive(cloud: Cloud) -> dict[str, int]:
    """Empty every dead letter queue by sending its messages again -> verb and count, where there were any.

    A message is deleted only after it was sent: a crash between sends it twice, never loses it.
    """
    counts: dict[str, int] = {}
    for verb in DEAD_LETTERS:
        again = _way_of(cloud, verb)
        for body, delete in _messages(cloud, cloud.dead_letters_url(verb)):
            again(body)
            delete()
            counts[verb] = counts.get(verb, 0) + 1
    return counts


def _way_of(cloud: Cloud, verb: str) -> Callable[[str], None]:
    def back_on_the_queue(body: str) -> None:
        cloud.sqs.send_message(QueueUrl=cloud.queue_url(verb), MessageBody=body)

    def call(body: str) -> None:
        cloud.invoke(verb, json.loads(body))

    def relay(body: str) -> None:
        for records in _stretch(cloud, json.loads(body)["DDBStreamBatchInfo"]):
            cloud.invoke(verb, {"Records": records})

    def nothing(body: str) -> None:
        """The next minute was the repetition."""

    if verb in WORK_QUEUES:
        return back_on_the_queue
    return {"receive_mail_events": call, "publish_facts": relay, "wake_due": nothing}[verb]


def _messages(cloud: Cloud, url: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """(body, what deletes it) of each message that is there now; one that comes back meanwhile ends it."""
    seen: set[str] = set()
    while True:
        found = cloud.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=AT_ONCE, VisibilityTimeout=60)
        messages = [m for m in found.get("Messages", []) if m["MessageId"] not in seen]
        if not messages:
            return
        for message in messages:
            seen.add(message["MessageId"])
            handle = message["ReceiptHandle"]
            yield message["Body"], partial(cloud.sqs.delete_message, QueueUrl=url, ReceiptHandle=handle)


def _stretch(cloud: Cloud, batch: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """The stream's records from the batch's first to its last, in pages. Raises when they are older than 24 h: by then
    the stream has let them go (docs/operations.md says what to do)."""
    at = cloud.streams.get_shard_iterator(
        StreamArn=batch["streamArn"],
        ShardId=batch["shardId"],
        ShardIteratorType="AT_SEQUENCE_NUMBER",
        SequenceNumber=batch["startSequenceNumber"],
    )["ShardIterator"]
    last = int(batch["endSequenceNumber"])
    while at:
        page = cloud.streams.get_records(ShardIterator=at)
        records = [r for r in page["Records"] if int(r["dynamodb"]["SequenceNumber"]) <= last]
        if records:
            yield [_as_event(record) for record in records]
        if len(records) < len(page["Records"]) or not page["Records"]:
            return
        at = page.get("NextShardIterator")


def _as_event(record: dict[str, Any]) -> dict[str, Any]:
    """A record as Lambda hands it over: JSON, which the relay reads only keys and kinds of."""
    image = record["dynamodb"].get("NewImage", {})
    plain = {name: value for name, value in image.items() if not isinstance(next(iter(value.values())), bytes)}
    change = {"SequenceNumber": record["dynamodb"]["SequenceNumber"], "NewImage": plain}
    return {"eventName": record["eventName"], "dynamodb": change}
