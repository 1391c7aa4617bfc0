"""The handlers as they are deployed, against a real local cloud: what is posted is read and shown."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from billing.ids import api_key_hash
from billing.policy import ApiKey
from billing.ports import Insert
from edges import aws
from edges.settings import Settings
from edges.store import DynamoStore
from functions.change_invoice import handler as change_invoice
from functions.create_plan import handler as create_plan
from functions.ingest_claims import handler as ingest_claims
from functions.read_claims import handler as read_claims
from functions.serve_practice import handler as serve_practice
from tests.billing.examples import ENROLLED, PRACTICE, invoice
from tests.fakes.cloud import CREDENTIALS, LocalCloud
from tests.fakes.stage import forget
from tests.functions.api import KEYS, Reply, api_event, assert_problem
from tests.functions.test_bad_input import INVOICE, RESULT

CACHES = (
    aws._session,
    aws._client,
    create_plan._ports,
    ingest_claims._ports,
    read_claims._ports,
    serve_practice._ports,
)
"""What a container keeps between invocations."""


@pytest.fixture
def store(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[DynamoStore]:
    """A new deployment: the environment of the template, an empty table and bucket, a practice and its keys."""
    table = cloud.fresh_table()
    cloud.client("s3").create_bucket(Bucket=table)
    cloud.client("secretsmanager").create_secret(Name=f"stripe-{table}", SecretString="sk_test_unused")
    given = {
        "TABLE": table,
        "BUCKET": table,
        "DUE_SHARDS": "4",
        "STRIPE_KEY_SECRET_ID": f"stripe-{table}",
        "STRIPE_API_BASE": cloud.url,
        "AWS_ENDPOINT_URL": cloud.url,
        **CREDENTIALS,
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    for cache in CACHES:
        cache.cache_clear()
    forget()
    made = DynamoStore(aws.client("dynamodb"), Settings.from_env().table, 4)
    keys = [Insert(ApiKey(api_key_hash(secret), "riverbend", (scope,))) for scope, secret in KEYS.items()]
    made.commit(Insert(PRACTICE), Insert(ENROLLED), *keys)
    yield made
    for service in ("dynamodb", "s3", "sqs", "secretsmanager"):
        aws._client(service).close()
    for cache in CACHES:
        cache.cache_clear()
    forget()


def queue_event(kind: str, pk: str, sk: str) -> dict[str, Any]:
    """One record, as the queue hands it over."""
    return {
        "Records": [
            {
                "messageId": "m1",
                "receiptHandle": "r1",
                "body": json.dumps({"kind": kind, "pk": pk, "sk": sk}),
                "attributes": {"ApproximateReceiveCount": "1"},
                "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:read_claims",
            }
        ]
    }


def post(body: object, **headers: str) -> Reply:
    event = api_event("POST", "/v1/claim-results", key=KEYS["claims"], body=body, headers=headers)
    return Reply.of(ingest_claims.handler(event, None))


def show(path: str) -> Reply:
    return Reply.of(serve_practice.handler(api_event("GET", path, key=KEYS["practice"]), None))


def test_what_is_posted_is_read_from_its_queue_and_shown_by_its_receipt(store: DynamoStore) -> None:
    receipt = post({"results": [RESULT, {"claim_id": "KB2"}]}, **{"idempotency-key": "file-7"})
    assert receipt.status == 202
    event = queue_event("ClaimBodyStored", f"R#{receipt.body['receipt_id']}#", "BODY#")
    assert read_claims.handler(event, None) == {"batchItemFailures": []}
    shown = show(receipt.body["status_url"])
    assert (shown.status, shown.body["claims"], shown.body["rejected"]) == (200, 2, 1)
    again = post({"results": [RESULT, {"claim_id": "KB2"}]}, **{"idempotency-key": "file-7"})
    assert (again.status, again.body) == (200, shown.body)
    assert_problem(post(RESULT, **{"idempotency-key": "file-7"}), 409)


def test_a_body_too_large_for_its_row_is_read_from_the_bucket(store: DynamoStore) -> None:
    names = [hashlib.sha512(str(n).encode()).hexdigest() for n in range(500)]
    results = [RESULT | {"claim_id": name[:38], "payer_claim_id": name[-50:]} for name in names]
    receipt = post({"results": results}, **{"idempotency-key": "large"})
    assert receipt.status == 202
    stored = aws.client("s3").list_objects_v2(Bucket=Settings.from_env().bucket)["Contents"]
    assert [one["Key"] for one in stored] == [f"bodies/{receipt.body['receipt_id']}"]
    event = queue_event("ClaimBodyStored", f"R#{receipt.body['receipt_id']}#", "BODY#")
    assert read_claims.handler(event, None) == {"batchItemFailures": []}
    assert show(receipt.body["status_url"]).body["claims"] == 200


def test_a_practices_calls_and_a_plan_reach_the_table(store: DynamoStore) -> None:
    account = show("/v1/clients/ana/account")
    assert (account.status, account.body["balance"]) == (200, 0)
    body = {"weeks": 2, "start_on": "2020-01-01"}
    event = api_event("POST", "/v1/clients/ana/plans", key=KEYS["practice"], body=body)
    assert_problem(Reply.of(create_plan.handler(event, None)), 422)


def test_a_change_by_staff_is_done_once_and_shown(store: DynamoStore) -> None:
    store.commit(Insert(invoice(62_50, INVOICE)))
    sent = {"key": KEYS["practice"], "body": {"reason": "Hardship"}, "headers": {"idempotency-key": "one"}}
    for _ in range(2):
        event = api_event("POST", f"/v1/invoices/{INVOICE}/write-off", **sent)
        reply = Reply.of(change_invoice.handler(event, None))
        assert (reply.status, reply.body["status"]) == (200, "written_off")
        assert show("/v1/clients/ana/account").body["invoices"] == [reply.body]


@pytest.mark.parametrize(
    "verb, handler, status",
    [
        ("ingest_claims", ingest_claims.handler, 401),
        ("serve_practice", serve_practice.handler, 401),
        ("create_plan", create_plan.handler, 401),
        ("change_invoice", change_invoice.handler, 401),
    ],
)
def test_example_events_are_events_as_the_gateway_sends_them(
    store: DynamoStore, verb: str, handler: Any, status: int
) -> None:
    """Their API key is an example too."""
    path = Path(__file__).parents[2] / "functions" / verb / "example_event.json"
    assert_problem(Reply.of(handler(json.loads(path.read_text()), None)), status)


@pytest.mark.parametrize(
    "verb, without",
    [
        ("ingest_claims", {"pydantic", "stripe", "jinja2", "phonenumbers", "aws_lambda_powertools", "boto3"}),
        ("read_claims", {"pydantic", "stripe", "jinja2", "phonenumbers", "aws_lambda_powertools", "boto3"}),
        ("change_invoice", {"pydantic", "stripe", "jinja2", "phonenumbers", "aws_lambda_powertools", "boto3"}),
        ("create_plan", {"pydantic", "stripe", "jinja2", "phonenumbers", "aws_lambda_powertools", "boto3"}),
        ("serve_practice", {"stripe", "jinja2", "phonenumbers", "aws_lambda_powertools", "boto3"}),
    ],
)
def test_a_cold_start_imports_nothing_heavy_that_a_request_may_do_without(verb: str, without: set[str]) -> None:
    """performance.md: importing less is what a cold start consists of."""
    code = f"import sys, functions.{verb}.handler; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not without & set(loaded)
