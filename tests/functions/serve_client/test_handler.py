"""The handler as Lambda calls it, with its example event, on a table that speaks DynamoDB's API."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from billing.ports import Insert, TryAgain
from edges import aws, container
from edges.links import Links
from functions.serve_client import handler as entry
from tests.functions.serve_client.world import CLIENT, ORIGIN, PRACTICE, a_world

EXAMPLE = Path(entry.__file__).parent / "example_event.json"
CACHES = (container.settings, container.store, container.clock)


def forget() -> None:
    """A new container: nothing made for another environment is used again."""
    for made in (*CACHES, aws._client, aws._session):
        made.cache_clear()
    aws.forget_secrets()


@pytest.fixture
def link(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The pay link of a client in a table, in the environment that template.yaml gives the function."""
    given = {
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "TABLE": "kindbill",
        "DUE_SHARDS": "4",
        "PUBLIC_BASE_URL": ORIGIN,
        "LINK_SECRET_ID": "link-secret",
        "CLOCK_ITEM": "",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        forget()
        aws.client("secretsmanager").create_secret(Name="link-secret", SecretString="of the tests")
        aws.client("dynamodb").create_table(
            TableName="kindbill",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        )
        world = a_world()
        world.bill(1)
        for record in world.store.rows():
            container.store().commit(Insert(record))
        token = Links(b"of the tests", ORIGIN).token(PRACTICE, CLIENT, 0, datetime.now(UTC))
        yield f"/pay/{token}"
    forget()


def event(link: str, method: str = "POST", **changes: Any) -> dict[str, Any]:
    """The example event, for a link that this table knows."""
    example: dict[str, Any] = json.loads(EXAMPLE.read_text())
    example |= {"rawPath": f"{link}/phone"} | changes
    example["requestContext"]["http"]["method"] = method
    return example


def test_the_example_event_opens_the_page_of_the_client(link: str) -> None:
    let_in = entry.handler(event(link), None)
    assert (let_in["statusCode"], let_in["headers"]["location"]) == (303, link)
    cookie = let_in["cookies"][0].partition(";")[0]
    page = entry.handler(event(link, "GET", rawPath=link, cookies=[cookie], body=""), None)
    assert page["statusCode"] == 200
    assert "Pay $62.50" in page["body"]


def test_the_example_event_as_it_stands_is_a_link_of_nobody(link: str) -> None:
    answer = entry.handler(json.loads(EXAMPLE.read_text()), None)
    assert answer["statusCode"] == 404


def test_while_the_links_secret_cannot_be_read_a_person_is_asked_to_come_back(
    link: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def throttled(*_: str) -> str:
        raise TryAgain("AWS: ThrottlingException")

    monkeypatch.setattr(aws, "secret", throttled)
    answer = entry.handler(event(link, "GET", rawPath=link, body=""), None)
    assert (answer["statusCode"], answer["headers"]["retry-after"]) == (503, "60")
    assert answer["headers"]["content-type"].startswith("text/html")
