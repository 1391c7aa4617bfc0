"""With the credentials of each function, on a cloud that enforces roles: what it needs is allowed, all else is denied.

tests/house/test_permissions.py says that a role is what the code needs; here the same is tried, from a table written
by hand. Every probe is harmless where it is allowed: it names what does not exist, or asks for what cannot be done.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra import build
from infra.local.cloud import DEAD_LETTERS, REGION, WORK_QUEUES, Cloud, local_session
from tests.e2e.launch import Launched

NOBODY = {"pk": {"S": "NOBODY#"}, "sk": {"S": "NOTHING#"}}
DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError"}
IS_THERE = "attribute_exists(pk)"

READ_ROW, READ_ROWS, QUERY, WRITE, CHECK = "read a row", "read rows", "query rows", "write a row", "check a row"
CHANGE, DELETE, DUE = "change a row", "delete a row", "ask what is due"
LINK, STRIPE, WEBHOOK = "read LinkSecret", "read StripeKey", "read StripeWebhookSecret"
CLEARINGHOUSE = "read ClearinghouseKeys"
KEEP_BODY, READ_BODY, UPLOAD, READ_UPLOAD, KEEP_MAIL, READ_MAIL, SEND_MAIL = (
    "put bodies/",
    "get bodies/",
    "put uploads/",
    "get uploads/",
    "put mail/",
    "get mail/",
    "send mail",
)


def receive(verb: str) -> str:
    return f"receive from {verb}"


def send(verb: str) -> str:
    return f"send to {verb}"


def give_up(verb: str) -> str:
    return f"send to the dead letters of {verb}"


MAY: dict[str, set[str]] = {
    "ingest_claims": {READ_ROW, READ_ROWS, QUERY, WRITE, KEEP_BODY, UPLOAD},
    "read_claims": {
        *(READ_ROW, READ_ROWS, QUERY, WRITE, KEEP_BODY, READ_BODY, READ_UPLOAD),
        receive("read_claims"),
    },
    "issue_invoice": {READ_ROW, READ_ROWS, QUERY, WRITE, CHECK, DELETE, receive("issue_invoice")},
    "charge_autopay": {READ_ROW, QUERY, WRITE, CHECK, STRIPE, receive("charge_autopay")},
    "create_plan": {READ_ROW, QUERY, WRITE, CHECK, STRIPE, receive("create_plan")},
    "pay_back": {READ_ROW, QUERY, WRITE, CHECK, STRIPE, receive("pay_back")},
    "change_invoice": {READ_ROW, READ_ROWS, QUERY, WRITE, CHECK, DELETE, STRIPE},
    "send_email": {
        *(READ_ROW, READ_ROWS, QUERY, WRITE, CHECK),
        *(LINK, KEEP_MAIL, READ_MAIL, SEND_MAIL, receive("send_email")),
    },
    "reconcile": {
        *(READ_ROW, READ_ROWS, QUERY, WRITE, CHANGE, CHECK, DUE),
        *(STRIPE, receive("reconcile"), *map(send, WORK_QUEUES)),
    },
    "receive_stripe": {READ_ROW, WRITE, WEBHOOK},
    "receive_clearinghouse": {READ_ROW, WRITE, CLEARINGHOUSE},
    "fetch_report": {READ_ROW, READ_ROWS, WRITE, KEEP_BODY, CLEARINGHOUSE, receive("fetch_report")},
    "settle_payment": {READ_ROW, QUERY, WRITE, CHECK, STRIPE, receive("settle_payment")},
    "receive_mail_events": {READ_ROW, QUERY, WRITE, give_up("receive_mail_events")},
    "wake_due": {READ_ROW, CHANGE, DUE, *map(send, WORK_QUEUES)},
    "publish_facts": {*map(send, WORK_QUEUES), give_up("publish_facts")},
    "serve_practice": {READ_ROW, READ_ROWS, QUERY, WRITE, CHECK, DELETE},
    "serve_client": {READ_ROW, READ_ROWS, QUERY, WRITE, CHECK, LINK, STRIPE},
}
"""Verb -> every probe that its role allows."""


@pytest.fixture(scope="module")
def cloud(launched: Launched) -> Iterator[Cloud]:
    made = Cloud.local(launched.port + 1)
    made.read_outputs()
    yield made
    for key in ("bodies/probe", "mail/probe", "uploads/probe"):
        made.s3.delete_object(Bucket=made.outputs["BucketName"], Key=key)


def role_of(cloud: Cloud, verb: str) -> str:
    found: str = cloud.functions.get_function_configuration(FunctionName=f"kindbill-{cloud.stage}-{verb}")["Role"]
    return found


SESSION = local_session()
"""One for all: it reads each service's description once."""


def clients(cloud: Cloud, verb: str = "") -> Callable[[str], Any]:
    """Makes clients of a service that act as the function of that verb; as the account's owner where none is named."""
    owner = partial(SESSION.create_client, region_name=REGION, endpoint_url=cloud.endpoint)
    if not verb:
        return owner
    given = owner("sts").assume_role(RoleArn=role_of(cloud, verb), RoleSessionName="probe")["Credentials"]
    return partial(
        owner,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )


def probes(cloud: Cloud, client: Callable[[str], Any], stranger: str) -> dict[str, Callable[[], Any]]:
    """Name -> the call. `stranger`: the role of another function."""
    table, bucket = {"TableName": cloud.table}, {"Bucket": cloud.outputs["BucketName"]}
    rows, secrets, s3, sqs = client("dynamodb"), client("secretsmanager"), client("s3"), client("sqs")
    only_if_there = table | {"ConditionExpression": IS_THERE}
    tries: dict[str, Callable[[], Any]] = {
        READ_ROW: lambda: rows.get_item(**table, Key=NOBODY),
        READ_ROWS: lambda: rows.batch_get_item(RequestItems={cloud.table: {"Keys": [NOBODY]}}),
        QUERY: lambda: rows.query(
            **table, KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": NOBODY["pk"]}
        ),
        WRITE: lambda: rows.put_item(**only_if_there, Item=NOBODY),
        CHANGE: lambda: rows.update_item(**only_if_there, Key=NOBODY),
        DELETE: lambda: rows.delete_item(**only_if_there, Key=NOBODY),
        CHECK: lambda: rows.transact_write_items(TransactItems=[{"ConditionCheck": {**only_if_there, "Key": NOBODY}}]),
        DUE: lambda: rows.query(
            **table,
            IndexName="due",
            KeyConditionExpression="due_shard = :shard",
            ExpressionAttributeValues={":shard": {"N": "99"}},
        ),
        LINK: lambda: secrets.get_secret_value(SecretId=cloud.outputs["LinkSecretId"]),
        STRIPE: lambda: secrets.get_secret_value(SecretId=cloud.outputs["StripeKeyId"]),
        WEBHOOK: lambda: secrets.get_secret_value(SecretId=cloud.outputs["StripeWebhookSecretId"]),
        CLEARINGHOUSE: lambda: secrets.get_secret_value(SecretId=cloud.outputs["ClearinghouseKeysId"]),
        KEEP_BODY: lambda: s3.put_object(**bucket, Key="bodies/probe", Body=b""),
        READ_BODY: lambda: s3.get_object(**bucket, Key="bodies/nothing"),
        UPLOAD: lambda: s3.put_object(**bucket, Key="uploads/probe", Body=b""),
        READ_UPLOAD: lambda: s3.get_object(**bucket, Key="uploads/nothing"),
        KEEP_MAIL: lambda: s3.put_object(**bucket, Key="mail/probe", Body=b""),
        READ_MAIL: lambda: s3.get_object(**bucket, Key="mail/nothing"),
        # A template that is not there: nothing is sent, and no later look at the mailbox meets a mail of nobody's.
        SEND_MAIL: lambda: client("sesv2").send_email(Content={"Template": {"TemplateName": "nothing"}}),
        # What no function needs.
        "scan the table": lambda: rows.scan(**table),
        "write many rows": lambda: rows.batch_write_item(
            RequestItems={cloud.table: [{"DeleteRequest": {"Key": NOBODY}}]}
        ),
        "export the table": lambda: rows.describe_continuous_backups(**table),
        "list secrets": lambda: secrets.list_secrets(),
        "list the bucket": lambda: s3.list_objects_v2(**bucket),
        "put elsewhere in the bucket": lambda: s3.put_object(**bucket, Key="elsewhere/probe", Body=b""),
        "delete from the bucket": lambda: s3.delete_object(**bucket, Key="bodies/nothing"),
        "run a function": lambda: client("lambda").invoke(
            FunctionName=f"kindbill-{cloud.stage}-wake_due", InvocationType="DryRun"
        ),
        "read a log": lambda: client("logs").filter_log_events(
            logGroupName=f"/aws/lambda/kindbill-{cloud.stage}-wake_due"
        ),
        "tell a topic": lambda: client("sns").publish(TopicArn=cloud.outputs["MailEventsArn"], Message="{}"),
        "make a user": lambda: client("iam").create_user(UserName="probe"),
        "take on another role": lambda: client("sts").assume_role(RoleArn=stranger, RoleSessionName="probe"),
    }
    for verb in WORK_QUEUES:
        tries[receive(verb)] = partial(sqs.receive_message, QueueUrl=cloud.queue_url(verb), VisibilityTimeout=0)
        tries[send(verb)] = partial(send_nothing, sqs, cloud.queue_url(verb))
    for verb in DEAD_LETTERS:
        tries[give_up(verb)] = partial(send_nothing, sqs, cloud.dead_letters_url(verb))
    return tries


def send_nothing(sqs: Any, url: str) -> None:
    """A message that no queue takes: SQS refuses NUL."""
    sqs.send_message(QueueUrl=url, MessageBody="\0")


def is_denied(attempt: Callable[[], Any]) -> bool:
    try:
        attempt()
    except ClientError as error:
        return error.response["Error"]["Code"] in DENIED
    return False


@pytest.mark.parametrize("verb", build.VERBS)
def test_a_function_may_do_what_it_needs_and_nothing_else(cloud: Cloud, verb: str) -> None:
    stranger = role_of(cloud, next(other for other in build.VERBS if other != verb))
    tries = probes(cloud, clients(cloud, verb), stranger)
    assert MAY[verb] <= tries.keys()
    assert {name for name, attempt in tries.items() if not is_denied(attempt)} == MAY[verb]


def test_a_probe_that_nobody_is_denied_would_prove_nothing(cloud: Cloud) -> None:
    """Each of them works for somebody who may: what is denied above is denied for the role's sake."""
    own = probes(cloud, clients(cloud), "")
    harmful = {"make a user", "take on another role", "tell a topic", "put elsewhere in the bucket"}
    assert {name for name, attempt in own.items() if name not in harmful and is_denied(attempt)} == set()
