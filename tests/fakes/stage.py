"""A function's surroundings on a real local cloud: table, bucket, queues, secrets, and the environment naming them."""

import json
from functools import cache
from typing import Any

import pytest

from billing.facts import Message
from edges import aws, container, log
from edges.sqs import read_body
from edges.store import DynamoStore
from tests.fakes.cloud import LocalCloud

VERBS = (
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
SHARDS = 4
left_out = log._misfit
"""What production does with a value that edges/log.py does not know."""


def say_which(name: str) -> None:
    """What all tests do with it."""
    raise AssertionError(f"edges/log.py FIELDS does not allow this value of {name!r} in a log line (LAW-1)")


class Stage:
    """What handlers of a test see; nothing in it is shared with another test."""

    def __init__(self, cloud: LocalCloud, number: int) -> None:
        self.client = cache(cloud.client)
        self.table = cloud.fresh_table()
        self.bucket = f"bodies-{number}"
        self.client("s3").create_bucket(Bucket=self.bucket)
        self.queues = {
            verb: self.client("sqs").create_queue(QueueName=f"{verb}-{number}")["QueueUrl"]
            for verb in (*VERBS, "set_aside")
        }
        self.store = DynamoStore(self.client("dynamodb"), self.table, SHARDS)
        self.environment = {
            "TABLE": self.table,
            "BUCKET": self.bucket,
            "DUE_SHARDS": str(SHARDS),
            "PUBLIC_BASE_URL": "https://pay.example",
            "MAIL_FROM": "billing@kindbill.example",
            "CONFIGURATION_SET": "kindbill-test",
            "CLOCK_ITEM": "LOCAL#",
            "LINK_SECRET_ID": self._secret(f"link-{number}", "link-secret"),
            "STRIPE_KEY_SECRET_ID": self._secret(f"key-{number}", "sk_test_embedded"),
            "STRIPE_WEBHOOK_SECRET_ID": self._secret(f"webhook-{number}", "whsec_test"),
            "CLEARINGHOUSE_API_BASE": "http://127.0.0.1:1",
            "CLEARINGHOUSE_KEYS_SECRET_ID": self._secret(
                f"clearinghouse-{number}", '{"riverbend": "key_of_riverbend"}'
            ),
            **{f"QUEUE_{verb.upper()}": url for verb, url in self.queues.items()},
        }
        self.set_clock("2026-11-20T12:00:00Z")

    def _secret(self, name: str, text: str) -> str:
        arn: str = self.client("secretsmanager").create_secret(Name=name, SecretString=text)["ARN"]
        return arn

    def set_clock(self, instant: str) -> None:
        """Move the simulated clock."""
        item = {"pk": {"S": "LOCAL#"}, "sk": {"S": "CLOCK#"}, "now": {"S": instant}}
        self.client("dynamodb").put_item(TableName=self.table, Item=item)

    def messages(self, verb: str) -> list[Message]:
        """Take everything that waits in a verb's queue."""
        found: list[Message] = []
        while (
            batch := self.client("sqs")
            .receive_message(QueueUrl=self.queues[verb], MaxNumberOfMessages=10)
            .get("Messages")
        ):
            found += [read_body(message["Body"]) for message in batch]
            for message in batch:
                self.client("sqs").delete_message(QueueUrl=self.queues[verb], ReceiptHandle=message["ReceiptHandle"])
        return found

    def enter(self, patch: pytest.MonkeyPatch) -> None:
        """Let handlers of this process run here."""
        for name, value in self.environment.items():
            patch.setenv(name, value)
        patch.setattr(aws, "_client", self.client)
        forget()


def forget() -> None:
    """Start as a new container does: nothing made, nothing read."""
    for port in vars(container).values():
        if hasattr(port, "cache_clear"):
            port.cache_clear()
    aws.forget_secrets()
    log._settings.cache_clear()


def log_lines(printed: str) -> list[dict[str, Any]]:
    """What was logged, line by line; metrics apart."""
    return [line for line in map(json.loads, printed.splitlines()) if "_aws" not in line]


def metrics_in(printed: str) -> list[tuple[str, int]]:
    """(metric, value) of everything that was counted or measured, in order, each as CloudWatch reads it."""
    found: list[tuple[str, int]] = []
    for line in map(json.loads, printed.splitlines()):
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", ()):
            assert directive["Dimensions"] == [["Stage"]]
            assert "Stage" in line
            found += [(metric["Name"], line[metric["Name"]]) for metric in directive["Metrics"]]
    return found
