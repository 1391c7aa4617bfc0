"""Sending dead letters again, where the stream is no help or the function fails again."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from infra.local.cloud import Cloud, Crashed
from infra.local.dead_letters import DeadLetter
from infra.local.redrive import redrive
from tests.fakes.stage import Stage

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass
class Operator:
    """A cloud as far as redrive sees it: a real table, a stream that has let everything go, functions that only tell
    what they were called with, or `crash` at a row."""

    stage: Stage
    crash: str = ""
    relayed: list[str] = field(default_factory=list)
    called: list[Mapping[str, Any]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    seen_again: list[str] = field(default_factory=list)

    @property
    def dynamodb(self) -> Any:
        return self.stage.client("dynamodb")

    @property
    def table(self) -> str:
        return self.stage.table

    @property
    def streams(self) -> "Operator":
        return self

    @property
    def sqs(self) -> "Operator":
        return self

    def get_shard_iterator(self, **_: str) -> Any:
        raise ClientError({"Error": {"Code": "TrimmedDataAccessException"}}, "GetShardIterator")

    def dead_letters_url(self, verb: str) -> str:
        return verb

    def delete_message(self, QueueUrl: str, ReceiptHandle: str) -> None:  # noqa: N803 - boto's names
        self.deleted.append(ReceiptHandle)

    def change_message_visibility(self, QueueUrl: str, ReceiptHandle: str, VisibilityTimeout: int) -> None:  # noqa: N803
        self.seen_again.append(ReceiptHandle)

    def invoke(self, verb: str, event: Mapping[str, Any]) -> None:
        rows = [record["dynamodb"]["NewImage"]["sk"]["S"] for record in event["Records"] if "dynamodb" in record]
        if self.crash in rows:
            raise Crashed(verb)
        self.relayed += rows
        self.called.append(event)


@pytest.fixture
def operator(stage: Stage) -> Iterator[Operator]:
    return Operator(stage)


def again(operator: Operator, *letters: DeadLetter) -> list[DeadLetter]:
    return redrive(cast(Cloud, operator), letters)


def letter(body: str, handle: str = "first", verb: str = "publish_facts") -> DeadLetter:
    return DeadLetter(verb, f"id of {handle}", body, handle, NOON, 5)


def written(
    operator: Operator, sk: str, at: datetime | None, kind: str = "InvoiceIssued", pk: str = "F#elm#ana#"
) -> None:
    """A row of the table; `kind` "" for one that is no fact."""
    row = {"pk": pk, "sk": sk} | ({"kind": kind} if kind else {}) | ({"at": at.isoformat()} if at else {})
    operator.dynamodb.put_item(TableName=operator.table, Item={name: {"S": value} for name, value in row.items()})


def test_a_stretch_that_the_stream_has_let_go_is_read_from_the_table(operator: Operator) -> None:
    """Facts are never deleted, so none is lost for good: what was written around that time is relayed, and slices of
    files that were being read then, which do not say when they were written."""
    written(operator, "before", NOON - timedelta(hours=1))
    written(operator, "within", NOON + timedelta(minutes=1))
    written(operator, "after", NOON + timedelta(hours=1))
    written(operator, "no fact", NOON, kind="")
    written(operator, "BODY#", NOON - timedelta(minutes=20), kind="ClaimBodyStored", pk="R#elm-1#")
    written(operator, "SLICE#000001#", None, kind="ClaimSliceRead", pk="R#elm-1#")
    written(operator, "BODY#", NOON - timedelta(days=1), kind="ClaimBodyStored", pk="R#elm-2#")
    written(operator, "SLICE#000002#", None, kind="ClaimSliceRead", pk="R#elm-2#")
    stretch = {"streamArn": "s", "shardId": "1", "startSequenceNumber": "1", "endSequenceNumber": "9"}
    stretch |= {
        f"approximateArrivalOf{which}Record": f"2026-11-20T12:0{m}:00Z" for which, m in (("First", 0), ("Last", 2))
    }
    assert again(operator, letter(json.dumps({"DDBStreamBatchInfo": stretch}))) == []
    assert sorted(operator.relayed) == ["SLICE#000001#", "within"]
    assert operator.deleted == ["first"]


def test_a_letter_that_fails_again_stays_and_holds_up_no_other(operator: Operator) -> None:
    operator.crash = "bad"
    bad = letter('{"kind": "SomethingNew", "pk": "F#elm#ana#", "sk": "bad"}', "bad")
    unreadable = letter("not JSON", "unreadable")
    good = letter('{"kind": "InvoiceIssued", "pk": "F#elm#ana#", "sk": "good"}', "good")
    assert again(operator, bad, unreadable, good) == [bad, unreadable]
    assert operator.relayed == ["good"]
    assert (operator.deleted, operator.seen_again) == (["good"], ["bad", "unreadable"])


def test_the_alarm_of_a_minute_needs_no_repetition(operator: Operator) -> None:
    assert again(operator, letter("{}", verb="wake_due")) == []
    assert (operator.called, operator.deleted) == ([], ["first"])


def test_a_report_of_the_mail_service_is_told_by_its_ids_and_called_with_again(operator: Operator) -> None:
    """LAW-1: the body has the mail address, what is shown has not."""
    address = "ana@mail.example"
    message = {
        "eventType": "Complaint",
        "mail": {"destination": [address], "tags": {"practice": ["elm"], "client": ["ana"], "notice": ["n1"]}},
        "complaint": {"complainedRecipients": [{"emailAddress": address}]},
    }
    body = json.dumps({"Records": [{"Sns": {"Message": json.dumps(message)}}]})
    report = letter(body, verb="receive_mail_events")
    assert report.subject == "complaint: notice n1 (practice elm, client ana)"
    assert again(operator, report) == []
    assert operator.called == [report.content]
    assert letter('{"Records": [{}]}', verb="receive_mail_events").subject == "a report that cannot be read"


def test_a_dead_letter_about_a_report_names_its_practice_and_transaction() -> None:
    body = json.dumps({"kind": "ClearinghouseEventStored", "pk": "E#riverbend#71716ec5#", "sk": "EVENT#"})
    letter = DeadLetter("fetch_report", "m-1", body, "handle", NOON, 10)
    assert letter.subject == "ClearinghouseEventStored at EVENT# (practice riverbend, transaction 71716ec5)"
