"""Messages: what publish_facts and wake_due send, and how a worker goes through a batch of them.

A record that fails is reported as failed and nothing else: the others are done. It comes back after min(2^(n-1), 60) s,
n being how often it was received, because what fails here passes in seconds (a lost race, a throttle); after the
queue's maxReceiveCount it waits in the dead letter queue for a person.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from billing.facts import Message
from billing.ids import Key
from billing.ports import Refused, TryAgain
from edges import log
from edges.aws import passing_faults

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import (
        ChangeMessageVisibilityBatchRequestEntryTypeDef,
        SendMessageBatchRequestEntryTypeDef,
    )

AT_ONCE: Final = 10
"""SQS takes at most ten messages in one request."""
LONGEST_WAIT_SECONDS: Final = 60


def body_of(message: Message) -> str:
    """A message as it travels."""
    return json.dumps({"kind": message.kind, "pk": message.key.pk, "sk": message.key.sk}, separators=(",", ":"))


def read_body(body: str) -> Message:
    """The message of a body; ValueError where it is none."""
    try:
        fields = json.loads(body)
        return Message(fields["kind"], Key(fields["pk"], fields["sk"]))
    except (KeyError, TypeError, ValueError) as e:
        raise ValueError("a message is {kind, pk, sk}") from e


class Queues:
    """The work queues, by verb."""

    def __init__(self, client: "SQSClient", url_of: Callable[[str], str]) -> None:
        self._client = client
        self._url_of = url_of

    def send(self, messages: Iterable[tuple[str, Message]], delay_seconds: int = 0) -> int:
        """Send each (verb, message), ten to a request, to be seen after so many seconds (SQS: at most 900); returns how
        many were sent. Raises TryAgain when SQS did not take all of them: whoever called sends all again, and a
        repeated message is only looked at twice."""
        by_verb: dict[str, list[Message]] = {}
        for verb, message in messages:
            by_verb.setdefault(verb, []).append(message)
        for verb, waiting in by_verb.items():
            for start in range(0, len(waiting), AT_ONCE):
                self._send(verb, waiting[start : start + AT_ONCE], delay_seconds)
        return sum(map(len, by_verb.values()))

    def _send(self, verb: str, messages: Sequence[Message], delay_seconds: int) -> None:
        entries: list[SendMessageBatchRequestEntryTypeDef] = [
            {"Id": str(n), "MessageBody": body_of(message), "DelaySeconds": delay_seconds}
            for n, message in enumerate(messages)
        ]
        with passing_faults():
            answer = self._client.send_message_batch(QueueUrl=self._url_of(verb), Entries=entries)
        failed = answer.get("Failed", [])
        if failed:
            raise TryAgain(f"{verb}: SQS did not take {len(failed)} of {len(messages)}: {failed[0].get('Code', '')}")


def each_record(
    event: Mapping[str, Any],
    handle: Callable[[Message], None],
    client: "SQSClient",
    read: Callable[[str], Iterable[Message]] = lambda body: (read_body(body),),
) -> dict[str, list[dict[str, str]]]:
    """Handle every record of an SQS event -> the partial batch response that names the failed ones.

    `handle` raising Refused: acknowledged, the business said no · TryAgain: failed, comes back soon · anything else: a
    bug, fails too and ends in the dead letter queue. Each is logged with its reason.

    `read`: what a record's body means.
    """
    failed = []
    refused = 0
    for record in event["Records"]:
        try:
            for message in read(record["body"]):
                handle(message)
        except Refused as refusal:
            refused += 1
            log.warning("refused", message_id=record["messageId"], **log.about(refusal))
        except TryAgain as passing:
            failed.append(record)
            log.warning("try again", message_id=record["messageId"], received=_received(record), **log.about(passing))
        except Exception as bug:  # noqa: BLE001 - one record's bug must not fail the others; it is logged and fails
            failed.append(record)
            log.error("bug", message_id=record["messageId"], received=_received(record), **log.about(bug))
    done = len(event["Records"]) - len(failed) - refused
    log.info("batch", records=len(event["Records"]), done=done, refused=refused, failed=len(failed))
    _come_back_soon(failed, client)
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in failed]}


def wait_seconds(received: int) -> int:
    """How long a record that was received so often stays away: 1, 2, 4 … at most 60 s."""
    return min(1 << min(received - 1, 6), LONGEST_WAIT_SECONDS)


def _received(record: Mapping[str, Any]) -> int:
    return int(record["attributes"]["ApproximateReceiveCount"])


def _come_back_soon(records: Sequence[Mapping[str, Any]], client: "SQSClient") -> None:
    """Shorten how long failed records stay invisible. Where that fails they come back later, by the queue's own time:
    nothing is lost, so nothing is raised."""
    for start in range(0, len(records), AT_ONCE):
        some = records[start : start + AT_ONCE]
        entries: list[ChangeMessageVisibilityBatchRequestEntryTypeDef] = [
            {
                "Id": str(n),
                "ReceiptHandle": record["receiptHandle"],
                "VisibilityTimeout": wait_seconds(_received(record)),
            }
            for n, record in enumerate(some)
        ]
        try:
            client.change_message_visibility_batch(
                QueueUrl=_queue_url(some[0]["eventSourceARN"], client), Entries=entries
            )
        except (BotoCoreError, ClientError, TryAgain) as passing:
            log.warning("visibility not changed", records=len(some), **log.about(passing))


def _queue_url(arn: str, client: "SQSClient") -> str:
    """A queue's address from its ARN, as SQS forms it; asking for it would cost a request."""
    *_, account, name = arn.split(":")
    return f"{client.meta.endpoint_url}/{account}/{name}"
