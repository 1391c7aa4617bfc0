"""Sends again what was set aside, once its cause is mended. Sending again is always safe: a message means *look*.

| dead letters of | sent again by |
|---|---|
| a work queue | putting the message back on the queue |
| receive_mail_events | calling it with the same event |
| publish_facts, a fact | relaying that fact |
| publish_facts, a stretch of the stream | reading the stretch again, from the table when the stream has let it go |
| wake_due | nothing: every minute that followed looked at the same |
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from botocore.exceptions import ClientError

from billing.facts import FactKind
from infra.local.cloud import WORK_QUEUES, Cloud, Crashed
from infra.local.dead_letters import DeadLetter, put_back

GONE: Final = frozenset({"TrimmedDataAccessException", "ResourceNotFoundException", "ExpiredIteratorException"})
"""What DynamoDB answers for a stretch that is older than the stream's 24 hours."""
AROUND: Final = timedelta(minutes=10)
"""A fact's `at` is when its step began, which was before the stream had it."""
READING_TAKES: Final = timedelta(hours=6)
"""A large file is read in slices, which do not say when they were; its body does."""
AT_ONCE: Final = 100


def redrive(cloud: Cloud, letters: Sequence[DeadLetter]) -> list[DeadLetter]:
    """Send these again and delete them -> those that failed again, put back. One never blocks the others.

    A letter is deleted only after it was sent: a crash between sends it twice, never loses it.
    """
    failed = []
    for letter in letters:
        try:
            _send(cloud, letter)
        except Crashed:
            put_back(cloud, [letter])
            failed.append(letter)
        else:
            cloud.sqs.delete_message(QueueUrl=cloud.dead_letters_url(letter.verb), ReceiptHandle=letter.handle)
    return failed


def _send(cloud: Cloud, letter: DeadLetter) -> None:
    """Raises Crashed."""
    if letter.verb in WORK_QUEUES:
        cloud.sqs.send_message(QueueUrl=cloud.queue_url(letter.verb), MessageBody=letter.body)
    elif letter.verb == "receive_mail_events":
        cloud.invoke(letter.verb, letter.content)
    elif fact := letter.fact:
        image = {name: {"S": value} for name, value in fact.items()}
        cloud.invoke(letter.verb, {"Records": [_inserted(image)]})
    elif stretch := letter.stretch:
        for records in _again(cloud, stretch):
            cloud.invoke(letter.verb, {"Records": records})
    elif letter.verb != "wake_due":
        raise Crashed(f"{letter.message_id} is nothing that {letter.verb} could be sent")


def _again(cloud: Cloud, stretch: Mapping[str, Any]) -> Iterator[list[dict[str, Any]]]:
    try:
        yield from _from_stream(cloud, stretch)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in GONE:
            raise
        yield from _from_table(cloud, stretch)


def _from_stream(cloud: Cloud, stretch: Mapping[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """The stream's records from the stretch's first to its last, in pages."""
    at = cloud.streams.get_shard_iterator(
        StreamArn=stretch["streamArn"],
        ShardId=stretch["shardId"],
        ShardIteratorType="AT_SEQUENCE_NUMBER",
        SequenceNumber=stretch["startSequenceNumber"],
    )["ShardIterator"]
    last = int(stretch["endSequenceNumber"])
    while at:
        page = cloud.streams.get_records(ShardIterator=at)
        records = [r for r in page["Records"] if int(r["dynamodb"]["SequenceNumber"]) <= last]
        if records:
            yield [as_event(record) for record in records]
        if len(records) < len(page["Records"]) or not page["Records"]:
            return
        at = page.get("NextShardIterator")


def _from_table(cloud: Cloud, stretch: Mapping[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """Facts are never deleted: all that were written around that time, relayed ones too. It reads the whole table,
    which nothing else ever does."""
    since, until = (
        datetime.fromisoformat(stretch[f"approximateArrivalOf{which}Record"]) for which in ("First", "Last")
    )
    slices, files, found = [], set(), []
    for image in _facts(cloud):
        at = datetime.fromisoformat(image["at"]["S"]) if "at" in image else None
        if image["kind"]["S"] == FactKind.CLAIM_SLICE_READ:
            slices.append(image)
        elif at is not None and since - AROUND <= at <= until + AROUND:
            found.append(image)
        if image["kind"]["S"] == FactKind.CLAIM_BODY_STORED and at and since - READING_TAKES <= at <= until + AROUND:
            files.add(image["pk"]["S"])
    found += [image for image in slices if image["pk"]["S"] in files]
    for start in range(0, len(found), AT_ONCE):
        yield [_inserted(image) for image in found[start : start + AT_ONCE]]


def _facts(cloud: Cloud) -> Iterator[dict[str, Any]]:
    """Address, kind and instant of every row that is a fact."""
    page: dict[str, Any] = {}
    while True:
        answer = cloud.dynamodb.scan(
            TableName=cloud.table,
            FilterExpression="attribute_exists(#kind)",
            ProjectionExpression="pk, sk, #kind, #at",
            ExpressionAttributeNames={"#kind": "kind", "#at": "at"},
            **page,
        )
        yield from answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return
        page = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def _inserted(image: Mapping[str, Any], number: str = "0") -> dict[str, Any]:
    """A row as the stream tells of a new one; the relay reads its address and kind."""
    return {"eventName": "INSERT", "dynamodb": {"SequenceNumber": number, "NewImage": dict(image)}}


def as_event(record: dict[str, Any]) -> dict[str, Any]:
    """A record as Lambda hands it over: JSON, of which the relay reads addresses and kinds."""
    image = record["dynamodb"].get("NewImage", {})
    plain = {name: value for name, value in image.items() if name in ("pk", "sk", "kind")}
    return _inserted(plain, record["dynamodb"]["SequenceNumber"]) | {"eventName": record["eventName"]}
