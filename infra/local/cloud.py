"""One deployed copy of the system as its operator sees it: its clients, its resources by name, its queues.

The same on this machine and on AWS: `Cloud.local(port)` is a MiniStack, `Cloud.on_aws(stack)` an account of yours.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import urllib3
from botocore.config import Config
from botocore.session import Session

from edges.store import DynamoStore

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

WORK_QUEUES: Final = (
    "read_claims",
    "issue_invoice",
    "charge_autopay",
    "create_plan",
    "send_email",
    "settle_payment",
    "pay_back",
    "fetch_report",
    "reconcile",
)
DEAD_LETTERS: Final = (*WORK_QUEUES, "receive_mail_events", "wake_due", "publish_facts")
DUE_SHARDS: Final = 4
REGION: Final = "us-east-1"

_LOCAL: Final = Config(
    connect_timeout=2,
    read_timeout=70,  # a sweep may take 50 s, and we wait for its answer
    retries={"mode": "standard", "total_max_attempts": 2},
    max_pool_connections=20,
    proxies={},  # nothing that goes to this machine goes through a proxy
    s3={"addressing_style": "path"},
)


def local_session() -> Session:
    """A session that knows only the local cloud's pretended account, whatever this shell is signed in to."""
    session = Session()
    session.set_config_variable("profile", None)
    session.set_config_variable("config_file", "/dev/null")
    session.set_config_variable("credentials_file", "/dev/null")
    session.set_credentials("test", "test")
    return session


@dataclass(frozen=True)
class Depth:
    """How many messages a queue holds."""

    waiting: int
    in_flight: int
    delayed: int

    @property
    def total(self) -> int:
        return self.waiting + self.in_flight + self.delayed


class Crashed(Exception):
    """A function that was called answered nothing of use; the message has what there is."""


class Cloud:
    """Clients and outputs of one stack. Thread-safe: clients are, and they are made here, once."""

    def __init__(self, session: Session, stage: str, endpoint: str | None, config: Config | None) -> None:
        def client(service: str) -> Any:
            region = REGION if endpoint else None
            return session.create_client(service, region_name=region, endpoint_url=endpoint, config=config)

        self.stage = stage
        self.endpoint = endpoint
        self.cloudformation: CloudFormationClient = client("cloudformation")
        self.s3 = client("s3")
        self.dynamodb = client("dynamodb")
        self.streams = client("dynamodbstreams")
        self.sqs = client("sqs")
        self.sns = client("sns")
        self.functions = client("lambda")
        self.logs = client("logs")
        self.cloudwatch = client("cloudwatch")
        self.secrets = client("secretsmanager")
        self.outputs: Mapping[str, str] = {}
        self._http = urllib3.PoolManager(maxsize=10, retries=False, timeout=20)

    @classmethod
    def local(cls, port: int) -> "Cloud":
        """The MiniStack that listens on that port of this machine."""
        return cls(local_session(), "local", f"http://127.0.0.1:{port}", _LOCAL)

    @classmethod
    def on_aws(cls, stage: str) -> "Cloud":
        """The copy of that stage in the account this shell is signed in to."""
        cloud = cls(Session(), stage, None, None)
        cloud.read_outputs()
        return cloud

    @property
    def stack(self) -> str:
        return f"kindbill-{self.stage}"

    def read_outputs(self) -> None:
        """Learn the deployed stack's resources."""
        stack = self.cloudformation.describe_stacks(StackName=self.stack)["Stacks"][0]
        self.outputs = {o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", [])}

    # ---- the table ----

    @property
    def table(self) -> str:
        return self.outputs["TableName"]

    def store(self) -> DynamoStore:
        """The table as our own code sees it."""
        return DynamoStore(self.dynamodb, self.table, DUE_SHARDS)

    # ---- queues ----

    def queue_url(self, verb: str) -> str:
        return self.outputs[f"{_camel(verb)}QueueUrl"]

    def dead_letters_url(self, verb: str) -> str:
        return self.outputs[f"{_camel(verb)}DeadLettersUrl"]

    def depth(self, url: str) -> Depth:
        """The queue's counts, now."""
        names = ["", "NotVisible", "Delayed"]
        attributes = [f"ApproximateNumberOfMessages{name}" for name in names]
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=attributes)["Attributes"]
        return Depth(*(int(found[name]) for name in attributes))

    # ---- what only the local cloud shows ----

    def work(self) -> dict[str, Depth]:
        """Verb -> its queue's counts, all as they were at one instant."""
        messages = self.look_into_queues()
        return {verb: _depth(messages[_name(self.queue_url(verb))]) for verb in WORK_QUEUES}

    def dead_letters(self) -> dict[str, Depth]:
        """Verb -> its dead letter queue's counts."""
        messages = self.look_into_queues()
        return {verb: _depth(messages[_name(self.dead_letters_url(verb))]) for verb in DEAD_LETTERS}

    def look_into_queues(self) -> dict[str, list[dict[str, Any]]]:
        """Queue name -> its messages; looking does not hide them."""
        return {
            _name(url): messages
            for regions in self.inspect("sqs/messages").values()
            for by_url in regions.values()
            for url, messages in by_url.items()
        }

    def inspect(self, what: str) -> dict[str, Any]:
        """Account -> what the local cloud's inspector knows of it."""
        answer = self._http.request("GET", f"{self.endpoint}/_ministack/{what}")
        if answer.status != 200:
            raise RuntimeError(f"the local cloud answered {answer.status} when asked for its {what}")
        found: dict[str, Any] = answer.json()["messages"]
        return found

    # ---- functions and secrets ----

    def invoke(self, verb: str, event: Mapping[str, object]) -> None:
        """Run a function and wait for its answer. Raises Crashed."""
        name = f"kindbill-{self.stage}-{verb}"
        answer = self.functions.invoke(FunctionName=name, Payload=json.dumps(event).encode())
        if "FunctionError" in answer:
            raise Crashed(f"{verb} crashed: {answer['Payload'].read().decode(errors='replace')}")

    def put_secret(self, output: str, value: str) -> None:
        """Set the secret whose id is that output."""
        self.secrets.put_secret_value(SecretId=self.outputs[output], SecretString=value)


def _name(url: str) -> str:
    return url.rsplit("/", 1)[-1]


def _depth(messages: list[dict[str, Any]]) -> Depth:
    """As SQS counts them: what nobody sees yet is in flight when somebody has received it before, else delayed."""
    waiting = sum(message["IsVisible"] for message in messages)
    delayed = sum(not message["IsVisible"] and not message["ReceiveCount"] for message in messages)
    return Depth(waiting, len(messages) - waiting - delayed, delayed)


def _camel(verb: str) -> str:
    return "".join(part.capitalize() for part in verb.split("_"))
