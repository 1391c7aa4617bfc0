"""A batch of messages: each record stands for itself, failed ones come back soon, and nothing is swallowed."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from billing.facts import Message
from billing.ids import Key
from billing.ports import Conflict, Refused, TryAgain
from edges.sqs import Queues, body_of, each_record, read_body, wait_seconds
from tests.fakes.cloud import LocalCloud
from tests.fakes.stage import Stage, log_lines


def message(number: int) -> Message:
    return Message("charge", Key("A#elm#ana#", f"INVOICE#inv_{number}#"))


class FakeSqs:
    """Remembers how long failed records were sent away for."""

    class meta:  # noqa: N801 - as botocore names it
        endpoint_url = "https://sqs.us-east-1.amazonaws.com"

    def __init__(self, fails: bool = False) -> None:
        self.fails = fails
        self.waits: dict[str, int] = {}
        self.queue_urls: list[str] = []

    def change_message_visibility_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> None:  # noqa: N803
        if self.fails:
            raise ClientError({"Error": {"Code": "ServiceUnavailable"}}, "ChangeMessageVisibilityBatch")
        assert len(Entries) <= 10
        self.queue_urls.append(QueueUrl)
        self.waits |= {entry["ReceiptHandle"]: entry["VisibilityTimeout"] for entry in Entries}


def batch(count: int, received: int = 1) -> dict[str, Any]:
    return {
        "Records": [
            {
                "messageId": f"id-{n}",
                "receiptHandle": f"handle-{n}",
                "body": body_of(message(n)),
                "attributes": {"ApproximateReceiveCount": str(received)},
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:charge_autopay",
            }
            for n in range(count)
        ]
    }


def failing(number: int, error: Exception) -> Callable[[Message], None]:
    def handle(looked_at: Message) -> None:
        if looked_at == message(number):
            raise error

    return handle


def test_a_message_reads_back_as_it_was_sent() -> None:
    assert read_body(body_of(message(1))) == message(1)


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", '{"kind": "charge", "pk": "x"}', "7"])
def test_a_body_that_is_no_message_is_refused(body: str) -> None:
    with pytest.raises(ValueError, match="kind, pk, sk"):
        read_body(body)


def test_a_batch_that_went_well_reports_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[Message] = []
    assert each_record(batch(3), seen.append, FakeSqs()) == {"batchItemFailures": []}  # type: ignore[arg-type]
    assert seen == [message(0), message(1), message(2)]
    (line,) = log_lines(capsys.readouterr().out)
    assert (line["records"], line["done"], line["failed"]) == (3, 3, 0)


@pytest.mark.parametrize("error", [TryAgain("later"), Conflict("lost"), KeyError("oops"), AssertionError("bug")])
def test_one_failed_record_is_reported_and_the_others_are_done(error: Exception) -> None:
    sqs = FakeSqs()
    answer = each_record(batch(3), failing(1, error), sqs)  # type: ignore[arg-type]
    assert answer == {"batchItemFailures": [{"itemIdentifier": "id-1"}]}
    assert sqs.waits == {"handle-1": 1}
    assert sqs.queue_urls == ["https://sqs.us-east-1.amazonaws.com/123456789012/charge_autopay"]


def test_a_refusal_is_acknowledged_and_logged_with_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    refusal = Refused("no_balance", "There is nothing to split.", rule="PLAN-2")
    assert each_record(batch(2), failing(0, refusal), FakeSqs()) == {"batchItemFailures": []}  # type: ignore[arg-type]
    line, summary = log_lines(capsys.readouterr().out)
    assert (line["level"], line["message"], line["code"]) == ("WARNING", "refused", "no_balance")
    assert "detail" not in line, "what it says is for whoever asked, and may name what they sent"
    assert (summary["refused"], summary["done"]) == (1, 1)


def test_a_body_that_cannot_be_read_fails_alone() -> None:
    event = batch(2)
    event["Records"][0]["body"] = "not json"
    seen: list[Message] = []
    answer = each_record(event, seen.append, FakeSqs())  # type: ignore[arg-type]
    assert answer == {"batchItemFailures": [{"itemIdentifier": "id-0"}]}
    assert seen == [message(1)]


def test_a_bug_is_logged_with_its_place_but_not_with_what_a_person_sent(capsys: pytest.CaptureFixture[str]) -> None:
    """LAW-1: the text of a stranger's error may quote anything."""
    each_record(batch(1), failing(0, ValueError("patient Ana, F41.1")), FakeSqs())  # type: ignore[arg-type]
    printed = capsys.readouterr().out
    assert "F41.1" not in printed
    line = log_lines(printed)[0]
    assert (line["level"], line["error"]) == ("ERROR", "ValueError")
    assert "edges/sqs.py" in line["where"]


@pytest.mark.parametrize(
    ("received", "wait"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 60), (8, 60), (1000, 60)]
)
def test_a_failed_record_stays_away_longer_each_time_up_to_a_minute(received: int, wait: int) -> None:
    assert wait_seconds(received) == wait
    sqs = FakeSqs()
    each_record(batch(1, received), failing(0, TryAgain("later")), sqs)  # type: ignore[arg-type]
    assert sqs.waits == {"handle-0": wait}


def test_more_than_ten_failures_are_sent_away_ten_at_a_time() -> None:
    def fail(_: Message) -> None:
        raise TryAgain("later")

    sqs = FakeSqs()
    assert len(each_record(batch(23), fail, sqs)["batchItemFailures"]) == 23  # type: ignore[arg-type]
    assert len(sqs.waits) == 23
    assert len(sqs.queue_urls) == 3


def test_failed_records_stay_failed_when_their_time_cannot_be_changed(capsys: pytest.CaptureFixture[str]) -> None:
    answer = each_record(batch(1), failing(0, TryAgain("later")), FakeSqs(fails=True))  # type: ignore[arg-type]
    assert answer == {"batchItemFailures": [{"itemIdentifier": "id-0"}]}
    assert log_lines(capsys.readouterr().out)[-1]["message"] == "visibility not changed"


def test_a_real_queue_gives_a_failed_record_again(cloud: LocalCloud) -> None:
    sqs = cloud.client("sqs")
    url = sqs.create_queue(QueueName="again", Attributes={"VisibilityTimeout": "600"})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=body_of(message(1)))
    (taken,) = sqs.receive_message(QueueUrl=url)["Messages"]
    record = {
        "messageId": taken["MessageId"],
        "receiptHandle": taken["ReceiptHandle"],
        "body": taken["Body"],
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:again",
    }
    each_record({"Records": [record]}, failing(1, TryAgain("later")), sqs)
    (again,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    assert again["MessageId"] == taken["MessageId"]


def test_messages_are_sent_ten_to_a_request_and_each_verb_to_its_queue(stage: Stage) -> None:
    requests: list[str] = []
    sqs = stage.client("sqs")
    sqs.meta.events.register("before-call.sqs.SendMessageBatch", lambda params, **_: requests.append("one"))
    queues = Queues(sqs, stage.queues.__getitem__)
    sent = queues.send([("charge_autopay", message(n)) for n in range(25)] + [("send_email", message(99))])
    assert (sent, len(requests)) == (26, 4)
    assert {m.key.sk for m in stage.messages("charge_autopay")} == {message(n).key.sk for n in range(25)}
    assert stage.messages("send_email") == [message(99)]


def test_a_message_that_is_sent_for_later_is_not_seen_before(stage: Stage) -> None:
    sent: list[dict[str, Any]] = []
    sqs = stage.client("sqs")
    sqs.meta.events.register(
        "provide-client-params.sqs.SendMessageBatch", lambda params, **_: sent.extend(params["Entries"])
    )
    queues = Queues(sqs, stage.queues.__getitem__)
    assert queues.send([("charge_autopay", message(1))], 59) == 1
    assert [entry["DelaySeconds"] for entry in sent] == [59]
    assert stage.messages("charge_autopay") == []


def test_sending_nothing_asks_for_nothing() -> None:
    assert Queues(FakeSqs(), str).send([]) == 0  # type: ignore[arg-type]
