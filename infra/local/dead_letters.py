"""What was given up, and why: each dead letter with what it is about, since when, how often it was tried, and what the
function that gave it up wrote in its log. The same on this machine and on AWS.

A queue keeps no reason beside a message. The log does, under the message's id; so nobody has to search for it:

| dead letters of | what is in them | whose reason is the line that names |
|---|---|---|
| a work queue | the message: why to look, and where | the message's id |
| receive_mail_events | the report it was called with | the notice that the report is about |
| publish_facts | a fact without a route, or a stretch of the stream | nothing: its kind, or the last failure before |
| wake_due | a minute's alarm | nothing: the last failure before |

LAW-1: what is shown is ids, kinds, codes and counts. A report's body has a mail address in it, and is never shown.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import unquote

from functions.receive_mail_events.report import Report, reports_of
from infra.local.cloud import Cloud

AT_ONCE: Final = 10
HIDDEN_S: Final = 120
"""How long nobody else sees what is being looked at; a command that is interrupted leaves it hidden that long."""
LOOK_BACK: Final = timedelta(minutes=10)
PAGES: Final = 50
"""Of a log that is searched; CloudWatch returns empty ones, too."""
OWNERS: Final = {"A": "client", "F": "client", "C": "claim", "R": "receipt", "E": "transaction"}
"""First segment of a partition key -> whose id its third one is."""


@dataclass(frozen=True)
class DeadLetter:
    """A message in the dead letter queue of a verb. `handle`: what deletes it, as long as it is hidden."""

    verb: str
    message_id: str
    body: str
    handle: str
    first_sent: datetime
    received: int

    @property
    def content(self) -> Any:
        """The body's JSON; None where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def fact(self) -> dict[str, str] | None:
        """Kind and key of the row to look at, where the letter is such a message."""
        content = self.content
        if isinstance(content, dict) and {"kind", "pk", "sk"} <= set(content):
            return {name: str(content[name]) for name in ("kind", "pk", "sk")}
        return None

    @property
    def files(self) -> list[str]:
        """The files that came, where S3 tells of them."""
        content = self.content
        records = content.get("Records") if isinstance(content, dict) and self.verb == "read_claims" else None
        return [record["s3"]["object"]["key"] for record in records or ()]

    @property
    def stretch(self) -> dict[str, Any] | None:
        """The stretch of the stream that was not relayed, where the letter names one."""
        content = self.content
        return content.get("DDBStreamBatchInfo") if isinstance(content, dict) else None

    @property
    def subject(self) -> str:
        """What it is about, in ids."""
        if fact := self.fact:
            return f"{fact['kind']} at {fact['sk']} ({_whose(fact['pk'])})"
        if self.files:
            return "uploaded: " + ", ".join(self.files)
        if stretch := self.stretch:
            numbers = f"{stretch['startSequenceNumber']} to {stretch['endSequenceNumber']}"
            return f"{stretch.get('batchSize', 'some')} records of the stream, {stretch['shardId']} {numbers}"
        if self.verb == "receive_mail_events":
            about = [
                f"{r.trouble}: notice {r.notice_id} ({_ids(r.practice, r.client)})" for r in _reports(self.content)
            ]
            return "; ".join(about) or "a report that cannot be read"
        return "the alarm of a minute" if self.verb == "wake_due" else "a message that cannot be read"


def find(cloud: Cloud, verbs: Sequence[str], message_id: str = "") -> list[DeadLetter]:
    """What waits in the dead letter queues of these verbs, or the one of that id; each is hidden from others until it
    is deleted, put back, or two minutes have passed."""
    letters = [letter for verb in verbs for letter in _in(cloud, verb)]
    if not message_id:
        return letters
    put_back(cloud, [letter for letter in letters if letter.message_id != message_id])
    return [letter for letter in letters if letter.message_id == message_id]


def _in(cloud: Cloud, verb: str) -> Iterator[DeadLetter]:
    url = cloud.dead_letters_url(verb)
    seen: set[str] = set()
    there = cloud.depth(url).waiting
    while len(seen) < there:
        found = cloud.sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=AT_ONCE,
            VisibilityTimeout=HIDDEN_S,
            WaitTimeSeconds=1,  # asks all of SQS's servers, where a short poll asks some
            AttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
        )
        fresh = [message for message in found.get("Messages", []) if message["MessageId"] not in seen]
        if not fresh:
            return
        for message in fresh:
            seen.add(message["MessageId"])
            attributes = message["Attributes"]
            yield DeadLetter(
                verb=verb,
                message_id=message["MessageId"],
                body=message["Body"],
                handle=message["ReceiptHandle"],
                first_sent=datetime.fromtimestamp(int(attributes["SentTimestamp"]) / 1000, UTC),
                received=int(attributes["ApproximateReceiveCount"]),
            )


def put_back(cloud: Cloud, letters: Sequence[DeadLetter]) -> None:
    """Let everybody see them again."""
    for letter in letters:
        cloud.sqs.change_message_visibility(
            QueueUrl=cloud.dead_letters_url(letter.verb), ReceiptHandle=letter.handle, VisibilityTimeout=0
        )


def shown(cloud: Cloud, letter: DeadLetter) -> str:
    """A letter as a person reads it, with its reason."""
    line = _last_line(cloud, letter)
    received = line.get("received", letter.received)
    times = "once" if received == 1 else f"{received} times"
    return (
        f"{letter.verb} {letter.message_id}\n"
        f"  {letter.subject}\n"
        f"  first sent {letter.first_sent:%Y-%m-%d %H:%M:%S} UTC, received {times}\n"
        f"  {_why(letter, line)}"
    )


def _why(letter: DeadLetter, line: dict[str, Any]) -> str:
    if letter.verb == "publish_facts" and letter.fact:
        return "this version has no route for its kind (ROUTES in billing/facts.py)"
    if not line:
        return "its log says nothing: the function died or ran out of time at it, or the log has been forgotten"
    said = [str(line[name]) for name in ("message", "error", "code", "detail") if line.get(name)]
    where = f" at {line['where']}" if line.get("where") else ""
    return f"{': '.join(said)}{where}"


def _last_line(cloud: Cloud, letter: DeadLetter) -> dict[str, Any]:
    """The last thing that the function logged about a letter, {} where there is nothing."""
    group = f"/aws/lambda/kindbill-{cloud.stage}-{letter.verb}"
    if letter.verb in ("publish_facts", "wake_due"):
        term = "not relayed" if letter.verb == "publish_facts" else "sweep"
        until = {"endTime": _milliseconds(letter.first_sent) + 1000}
    else:
        notices = [report.notice_id for report in _reports(letter.content)] if letter.fact is None else []
        term, until = (notices or [letter.message_id])[0], {}
    since = _milliseconds(letter.first_sent - LOOK_BACK)
    page: dict[str, Any] = {"logGroupName": group, "filterPattern": f'"{term}"', "startTime": since, **until}
    latest: tuple[int, dict[str, Any]] = (0, {})
    for _ in range(PAGES):
        found = cloud.logs.filter_log_events(**page)
        for event in found["events"]:
            line = _read(event["message"])
            if (
                line.get("level") in ("WARNING", "ERROR")
                and term in event["message"]
                and event["timestamp"] >= latest[0]
            ):
                latest = event["timestamp"], line
        if not found.get("nextToken"):
            break
        page["nextToken"] = found["nextToken"]
    return latest[1]


def _read(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _whose(pk: str) -> str:
    """The ids in a partition key: `A#riverbend#ana#` is practice riverbend, client ana."""
    kind, *ids = (unquote(part) for part in pk.rstrip("#").split("#"))
    return _ids(ids[0], ids[1], OWNERS.get(kind, "of")) if len(ids) == 2 else pk


def _ids(practice: str, owner: str, what: str = "client") -> str:
    return f"practice {practice}, {what} {owner}"


def _reports(event: Any) -> list[Report]:
    """What a report of the mail service says, in ids; [] where it cannot be read, which may be why it is here."""
    try:
        return [report for report in reports_of(event) if report]
    except (AttributeError, KeyError, TypeError, ValueError):
        return []
