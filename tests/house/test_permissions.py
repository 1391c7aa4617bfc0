"""Least privilege, on paper: what a role allows is exactly what its function's code can come to do.

That the local cloud enforces these roles, and that nothing else is possible with them, is shown by
tests/e2e/test_least_privilege.py; that they suffice, by every other end-to-end test.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from infra import build
from infra.local.cloud import WORK_QUEUES
from tests.e2e.test_least_privilege import MAY
from tests.house.reach import calls
from tests.house.test_template import camel, of_type, template

Grant = tuple[str, str]
"""An action, and what it may be done to."""

TABLE, INDEX = "Table", "Table/index/due"
BODIES, UPLOADED, MAILS = "Bucket/bodies/*", "Bucket/uploads/*", "Bucket/mail/*"
SENDERS = ("publish_facts", "wake_due", "reconcile")


def resources(statement: Mapping[str, Any]) -> Iterator[str]:
    """What a statement is about, in short; what only the local copy is given is not looked at."""
    listed = statement["Resource"]
    if isinstance(listed, dict) and "Fn::If" in listed:
        listed = listed["Fn::If"][2]
    for one in listed if isinstance(listed, list) else [listed]:
        if one == "*":
            yield "*"
        elif "Fn::GetAtt" in one:
            yield one["Fn::GetAtt"].removesuffix(".Arn").removesuffix(".Id")
        elif isinstance(one["Fn::Sub"], list):
            yield one["Fn::Sub"][0].rpartition(":")[2]
        else:
            yield one["Fn::Sub"].replace("${Bucket.Arn}", "Bucket").replace("${Table.Arn}", "Table").rpartition(":")[2]


def granted(role: str) -> set[Grant]:
    """Everything the role allows."""
    policies = template()["Resources"][role]["Properties"]["Policies"]
    statements = [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]
    assert all(statement["Effect"] == "Allow" for statement in statements)
    return {
        (action, resource)
        for statement in statements
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
        for resource in resources(statement)
    }


ON_THE_TABLE = {
    "store.get": {("dynamodb:GetItem", TABLE)},
    "store.get_many": {("dynamodb:BatchGetItem", TABLE)},
    "store.partition": {("dynamodb:Query", TABLE)},
    # A write whose answer was lost is looked up.
    "store.commit": {("dynamodb:PutItem", TABLE), ("dynamodb:GetItem", TABLE)},
    "Check": {("dynamodb:ConditionCheckItem", TABLE)},
    "Delete": {("dynamodb:DeleteItem", TABLE)},
    "store.due": {("dynamodb:Query", INDEX)},
    "store.lease": {("dynamodb:UpdateItem", TABLE)},
    "store.set_due": {("dynamodb:UpdateItem", TABLE)},
    "clock.now": {("dynamodb:GetItem", TABLE)},
    "clock().now": {("dynamodb:GetItem", TABLE)},
    "container.clock().now": {("dynamodb:GetItem", TABLE)},
    "blobs.put": {("s3:PutObject", BODIES)},
    "blobs.get": {("s3:GetObject", BODIES)},
    "blobs.pieces": {("s3:GetObject", BODIES)},
    # Signed here, done by whoever has the address.
    "uploads.address": {("s3:PutObject", UPLOADED)},
    "uploads.find": {("s3:GetObject", UPLOADED)},
    "uploads.pieces": {("s3:GetObject", UPLOADED)},
    "uploads.keep": {("s3:GetObject", UPLOADED), ("s3:PutObject", BODIES)},
    "self._s3.put_object": {("s3:PutObject", MAILS)},
    "self._s3.get_object": {("s3:GetObject", MAILS)},
    "self._ses.send_email": {
        ("ses:SendEmail", "identity/${Domain}"),
        ("ses:SendEmail", "configuration-set/kindbill-${Stage}"),
    },
}
"""What the code asks for -> what it takes. tests/edges holds the ports to it: another call would be refused."""


def needed(verb: str) -> set[Grant]:
    """What the code of a verb, and Lambda on its behalf, can come to do."""
    asked = calls(verb)
    needs = {grant for call, grants in ON_THE_TABLE.items() if call in asked for grant in grants}
    needs |= {(f"logs:{action}", f"{camel(verb)}Logs") for action in ("CreateLogStream", "PutLogEvents")}
    if verb in WORK_QUEUES:
        actions = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes", "ChangeMessageVisibility*")
        needs |= {(f"sqs:{action}", f"{camel(verb)}Queue") for action in actions}
    if verb in SENDERS:
        needs |= {("sqs:SendMessage*", f"{camel(queue)}Queue") for queue in WORK_QUEUES}
    if verb == "publish_facts":
        needs |= {(f"dynamodb:{action}", "Table.StreamArn") for action in ("DescribeStream", "GetRecords")}
        # AWS knows no narrower resource for listing streams.
        needs |= {("dynamodb:GetShardIterator", "Table.StreamArn"), ("dynamodb:ListStreams", "*")}
        # What it sets aside itself, and what Lambda does for it.
        needs |= {("sqs:SendMessage*", "PublishFactsDeadLetters")}
    if verb == "receive_mail_events":
        needs |= {("sqs:SendMessage", "ReceiveMailEventsDeadLetters")}
    return needs


@pytest.mark.parametrize("verb", build.VERBS)
def test_a_role_allows_what_its_functions_code_can_do_and_nothing_else(verb: str) -> None:
    """Secrets are looked at in test_template.py."""
    allowed = {grant for grant in granted(f"{camel(verb)}Role") if grant[0] != "secretsmanager:GetSecretValue"}
    assert allowed == needed(verb)


def test_the_only_wildcard_for_a_resource_is_where_aws_knows_none_narrower() -> None:
    roles = [name for name, _ in of_type("AWS::IAM::Role")]
    wide = {(role, action) for role in roles for action, resource in granted(role) if resource == "*"}
    assert wide == {("PublishFactsRole", "dynamodb:ListStreams")}


def test_no_action_is_a_wildcard_but_the_two_that_the_local_cloud_spells_otherwise() -> None:
    """To AWS a batch is the same action; the local cloud has a name for it."""
    roles = [name for name, _ in of_type("AWS::IAM::Role")]
    wild = {action for role in roles for action, _ in granted(role) if "*" in action}
    assert wild == {"sqs:SendMessage*", "sqs:ChangeMessageVisibility*"}


def test_only_aws_services_may_take_on_a_role_and_nothing_is_attached_but_tracing() -> None:
    for name, role in of_type("AWS::IAM::Role"):
        (trusted,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert trusted["Principal"] in ({"Service": "lambda.amazonaws.com"}, {"Service": "scheduler.amazonaws.com"})
        for attached in role.get("ManagedPolicyArns", []):
            assert attached["Fn::Sub"].endswith("policy/AWSXRayDaemonWriteAccess"), name


def test_what_is_tried_on_the_local_cloud_covers_every_function() -> None:
    """A new verb without a row there would be found minutes later only."""
    assert set(MAY) == set(build.VERBS)
