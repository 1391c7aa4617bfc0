"""No call to the world outlasts its invocation: what is left decides how long it may take, and whether it is begun."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import stripe
from botocore.awsrequest import AWSResponse

from billing.ports import TryAgain
from edges import aws, deadline
from edges.card_gateway import CONNECT_SECONDS, LEAST_SECONDS, TIMEOUT_SECONDS, InTime

TRY = aws.CONNECT_SECONDS + aws.READ_SECONDS


class EndsIn:
    """Lambda's context with so many seconds left."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


@pytest.fixture(autouse=True)
def standing_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Time passes only where a test says so, and ends for no other test."""
    monkeypatch.setattr(deadline.time, "monotonic", lambda: 1000.0)
    yield
    deadline.works(None)


@pytest.mark.parametrize(
    ("begin", "context", "left"),
    [
        (deadline.works, EndsIn(120), 120),
        (deadline.answers, EndsIn(60), deadline.ANSWER_WITHIN_SECONDS),
        (deadline.answers, EndsIn(20), 19),
        (deadline.works, None, float("inf")),
        (deadline.answers, None, float("inf")),
    ],
)
def test_an_invocation_ends_with_its_time_out_or_when_the_front_door_hangs_up(
    begin: Callable[[object], None], context: object, left: float
) -> None:
    begin(context)
    assert deadline.seconds_left() == left


def test_a_worker_keeps_the_time_to_say_when_failed_records_come_back() -> None:
    deadline.works(EndsIn(deadline.KEPT_SECONDS + 5))
    assert deadline.take(5, 5) == 5
    with pytest.raises(TryAgain):
        deadline.take(6, 6)
    assert deadline.take(6, 6, last=True) == 6


# ------------------------------------------------------------------------------------------------------------ AWS


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The tries that left for SQS; each is answered with 503."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setattr("time.sleep", lambda _: None)
    left: list[str] = []
    aws._client.cache_clear()
    client = aws.client("sqs")

    def unavailable(event_name: str, **_: Any) -> AWSResponse:
        left.append(event_name.rpartition(".")[2])
        return AWSResponse("http://127.0.0.1", 503, {}, None)

    monkeypatch.setattr(AWSResponse, "content", b"{}")
    client.meta.events.register_last("before-send", unavailable)
    yield left
    client.close()
    aws._client.cache_clear()


def test_a_call_is_tried_three_times_while_there_is_time(sent: list[str]) -> None:
    deadline.works(EndsIn(deadline.KEPT_SECONDS + TRY))
    with pytest.raises(TryAgain), aws.passing_faults():
        aws.client("sqs").list_queues()
    assert sent == ["ListQueues"] * 3


def test_a_try_that_could_outlast_the_invocation_is_not_begun(sent: list[str]) -> None:
    deadline.works(EndsIn(deadline.KEPT_SECONDS + TRY - 1))
    with pytest.raises(TryAgain, match="too little"):
        aws.client("sqs").list_queues()
    with pytest.raises(aws.ClientError):
        aws.client("sqs").change_message_visibility_batch(
            QueueUrl="http://127.0.0.1/1/q", Entries=[{"Id": "0", "ReceiptHandle": "r", "VisibilityTimeout": 1}]
        )
    assert set(sent) == {aws.LAST_CALL}


# --------------------------------------------------------------------------------------------------------- Stripe


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float]]:
    """(seconds to connect, seconds to read) that each request to Stripe was given."""
    given: list[tuple[float, float]] = []
    monkeypatch.setattr(stripe.RequestsClient, "request", lambda self, *_: given.append(self._timeout))
    return given


@pytest.mark.parametrize(("left", "to_read"), [(120, TIMEOUT_SECONDS), (13, 13 - CONNECT_SECONDS)])
def test_a_request_to_stripe_has_its_twenty_seconds_or_what_is_left(
    allowed: list[tuple[float, float]], left: float, to_read: float
) -> None:
    deadline.works(EndsIn(left + deadline.KEPT_SECONDS))
    InTime().request("get", "http://127.0.0.1:9", {})
    assert allowed == [(CONNECT_SECONDS, to_read)]


def test_a_request_to_stripe_that_has_no_time_is_not_begun(allowed: list[tuple[float, float]]) -> None:
    deadline.answers(EndsIn(LEAST_SECONDS))
    with pytest.raises(TryAgain):
        InTime().request("get", "http://127.0.0.1:9", {})
    assert allowed == []
