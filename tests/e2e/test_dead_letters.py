"""What is given up: it holds up nobody, says why, and is done once its cause is mended."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from billing.ids import contact_key, facts_pk
from infra.local.cloud import Cloud
from tests.e2e.decisions import Decision, as_835
from tests.e2e.kindbill import PRACTICE, Kindbill
from tests.e2e.launch import Launched

A_BATCH = 10
LOOKS = 20_000
"""How often to look for messages that are on their way; each look takes some milliseconds."""


@pytest.fixture(scope="module")
def cloud(launched: Launched) -> Cloud:
    made = Cloud.local(launched.port + 1)
    made.read_outputs()
    return made


@contextmanager
def stopped(cloud: Cloud, verb: str) -> Iterator[None]:
    """The function gets no messages for a while, so that they make up one batch."""
    function = f"kindbill-{cloud.stage}-{verb}"
    (source,) = cloud.functions.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
    cloud.functions.update_event_source_mapping(UUID=source["UUID"], Enabled=False)
    try:
        yield
    finally:
        cloud.functions.update_event_source_mapping(UUID=source["UUID"], Enabled=True)


@contextmanager
def gives_up_after(cloud: Cloud, verb: str, tries: int) -> Iterator[None]:
    """Sooner than usual, so that a test can wait for it."""
    url, name = cloud.queue_url(verb), "RedrivePolicy"
    before = cloud.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name]
    sooner = json.dumps(json.loads(before) | {"maxReceiveCount": tries})
    cloud.sqs.set_queue_attributes(QueueUrl=url, Attributes={name: sooner})
    try:
        yield
    finally:
        cloud.sqs.set_queue_attributes(QueueUrl=url, Attributes={name: before})


@contextmanager
def missing(cloud: Cloud, key: tuple[str, str]) -> Iterator[None]:
    """A row is gone, as a bug would leave it, and there again afterwards."""
    address = {"pk": {"S": key[0]}, "sk": {"S": key[1]}}
    row = cloud.dynamodb.get_item(TableName=cloud.table, Key=address, ConsistentRead=True)["Item"]
    cloud.dynamodb.delete_item(TableName=cloud.table, Key=address)
    try:
        yield
    finally:
        cloud.dynamodb.put_item(TableName=cloud.table, Item=row)


def batches(cloud: Cloud, verb: str, since: int) -> list[dict[str, Any]]:
    """What the function logged about each batch, after the first `since` of them."""
    events = cloud.logs.filter_log_events(logGroupName=f"/aws/lambda/kindbill-{cloud.stage}-{verb}")["events"]
    lines = [json.loads(one["message"]) for one in events if one["message"].startswith('{"level"')]
    return [line for line in lines if line["message"] == "batch"][since:]


def test_a_message_that_cannot_be_handled_fails_alone_says_why_and_is_done_once_that_is_mended(
    kindbill: Kindbill, launched: Launched, cloud: Cloud
) -> None:
    """Design, Errors: nine of ten bills are mailed at once; the tenth waits, in words, for a person."""
    well, broken = kindbill.new_client("well"), kindbill.new_client("broken")
    claims = [*(well.claim(200_00) for _ in range(A_BATCH - 1)), broken.claim(200_00)]
    decisions = [Decision(claim, 200_00, 50_00 + n) for n, claim in enumerate(claims)]
    before = len(batches(cloud, "send_email", 0))

    with gives_up_after(cloud, "send_email", 2), missing(cloud, contact_key(PRACTICE, broken.client_id)):
        with stopped(cloud, "send_email"):
            kindbill.send(as_835(*decisions))
            waiting = (kindbill.get("/_local/queues")["send_email"]["waiting"] for _ in range(LOOKS))
            assert A_BATCH in waiting
        kindbill.settle()

        assert len(well.mails("invoice")) == A_BATCH - 1
        logged = batches(cloud, "send_email", before)
        assert sum(line["done"] for line in logged) == A_BATCH - 1
        assert sum(line["failed"] for line in logged) == 2, "only the broken one, and only as often as it is tried"
        (letter,) = kindbill.get("/_local/dead-letters")
        listed = launched.kindbill("redrive", "--list")

    assert letter["queue"] == "send_email"
    assert letter["message_id"] in listed
    assert f"(practice {PRACTICE}, client {broken.client_id})" in listed
    assert "InvoiceIssued" in listed
    assert "received 2 times" in listed
    assert f"bug: AssertionError: no contact for client {broken.client_id}" in listed
    assert "functions/send_email/flow.py" in listed
    for secret in (broken.email, broken.phone, "Example"):
        assert secret not in listed

    assert launched.kindbill("redrive", "read_claims") == "no dead letters\n"
    assert launched.kindbill("redrive", "--message", "another") == "no dead letters\n"
    left = [one["message_id"] for one in kindbill.get("/_local/dead-letters")]
    assert left == [letter["message_id"]], "looking leaves it where it is"
    assert launched.kindbill("redrive", "send_email").endswith("send_email: 1 sent again\n")
    kindbill.settle()
    assert broken.mail("invoice")["to"] == broken.email
    assert kindbill.get("/_local/dead-letters") == []


def test_a_fact_that_nobody_knows_is_set_aside_and_holds_up_no_other(
    kindbill: Kindbill, launched: Launched, cloud: Cloud
) -> None:
    """What a version leaves that was rolled back: the stream goes on behind it."""
    client = kindbill.new_client("rolled-back")
    fact = {"pk": facts_pk(PRACTICE, client.client_id), "sk": "FACT#x#000001#SomethingNew#", "type": "fact"}
    fact |= {"practice": PRACTICE, "client": client.client_id, "item": "x", "kind": "SomethingNew"}
    fact |= {"at": kindbill.now().isoformat(), "actor": "system", "cause": "x"}
    row = {name: {"S": value} for name, value in fact.items()} | {"version": {"N": "1"}}
    cloud.dynamodb.put_item(TableName=cloud.table, Item=row)
    client.owes(62_50)

    assert client.mail_kinds() == ["invoice"]
    listed = launched.kindbill("redrive", "--list", "publish_facts")
    assert f"SomethingNew at {fact['sk']} (practice {PRACTICE}, client {client.client_id})" in listed
    assert "no route" in listed
    launched.kindbill("redrive", "publish_facts")
    kindbill.settle()
    left = [one["queue"] for one in kindbill.get("/_local/dead-letters")]
    assert left == ["publish_facts"], "it is not lost by being sent again too early"
    cloud.sqs.purge_queue(QueueUrl=cloud.dead_letters_url("publish_facts"))
