"""What a night of reconciliation mends by itself, and what it shows to a person, on the deployed system."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from html import unescape
from typing import Any

import httpx
import pytest

from billing.ids import account_pk
from billing.reconciliation import RECONCILIATION_KEY
from infra.local.cloud import Cloud
from tests.e2e.audit import audit
from tests.e2e.decisions import Decision, as_835
from tests.e2e.kindbill import Client, Json, Kindbill, instant
from tests.e2e.launch import Launched

CHARGE = "POST /v1/payment_intents$"


@pytest.fixture
def cloud(launched: Launched) -> Cloud:
    """The copy's cloud, for what no client, payer or clock can do to it."""
    made = Cloud.local(launched.port + 1)
    made.read_outputs()
    return made


@contextmanager
def deaf(cloud: Cloud, verb: str) -> Iterator[None]:
    """Nothing takes messages from that verb's queue for a while."""
    queue = cloud.sqs.get_queue_attributes(QueueUrl=cloud.queue_url(verb), AttributeNames=["QueueArn"])
    source = queue["Attributes"]["QueueArn"]
    (mapping,) = cloud.functions.list_event_source_mappings(EventSourceArn=source)["EventSourceMappings"]
    cloud.functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    try:
        yield
    finally:
        cloud.functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)


def change_row(cloud: Cloud, pk: str, sk: str, update: str, **values: Any) -> None:
    """Change a stored row behind everybody's back."""
    given = {"ExpressionAttributeValues": {f":{name}": value for name, value in values.items()}} if values else {}
    cloud.dynamodb.update_item(
        TableName=cloud.table, Key={"pk": {"S": pk}, "sk": {"S": sk}}, UpdateExpression=update, **given
    )


def nights(kindbill: Kindbill) -> Json:
    return kindbill.get("/_local/reconciliation")


def findings_about(kindbill: Kindbill, client: Client) -> list[Json]:
    return [f for f in nights(kindbill)["findings"] if client.client_id in f["partition"] + f["where"]]


def test_a_body_whose_message_was_purged_becomes_an_invoice_in_the_next_night(kindbill: Kindbill, cloud: Cloud) -> None:
    """Lost messages come back as overdue work."""
    client = kindbill.new_client("purged")
    claim_id = client.claim(200_00)
    on = (kindbill.now() - timedelta(days=20)).date().isoformat()
    with deaf(cloud, "read_claims"):
        answer = kindbill.send(as_835(Decision(claim_id, 200_00, 50_00, service_date=on)))
        assert answer.status_code == 202
        while not cloud.depth(cloud.queue_url("read_claims")).waiting:
            assert kindbill.receipt(answer)["state"] == "processing"
        cloud.sqs.purge_queue(QueueUrl=cloud.queue_url("read_claims"))
    kindbill.settle()
    assert client.account()["invoices"] == []
    kindbill.forward("50h")
    assert client.only_invoice()["amount"] == 50_00
    assert kindbill.receipt(answer)["state"] == "done"
    assert client.mail_kinds() == ["invoice"]
    assert findings_about(kindbill, client) == []


def test_a_charge_that_only_stripe_knows_is_booked_in_the_next_night(kindbill: Kindbill, cloud: Cloud) -> None:
    """Its answer, its webhooks and its look-up are all lost."""
    client = kindbill.new_client("only-stripe")
    client.save_card()
    client.owes(62_50)
    (charge,) = client.account()["upcoming_charges"]
    kindbill.to(instant(charge["at"]) - timedelta(minutes=1))
    kindbill.stripe_fault(CHARGE, "lost_response", 3)
    with kindbill.stripe_webhooks(drop=".*"):
        kindbill.forward("1m")
    change_row(cloud, account_pk("riverbend", client.client_id), "ATTEMPT#000002#", "REMOVE due_at, due_shard")
    kindbill.forward("30m")
    assert client.only_invoice()["status"] == "processing"
    kindbill.forward("48h")
    assert client.only_invoice()["status"] == "paid"
    assert client.taken() == [62_50]
    assert len(client.mails("receipt")) == 1
    mended = [f for f in nights(kindbill)["findings"] if f["where"] == client.intents()[0]["id"]]
    assert [(f["invariant"], f["state"]) for f in mended] == [(8, "mended")]


def test_pay_12_pay_13_what_went_back_unheard_is_booked_in_the_next_night(kindbill: Kindbill) -> None:
    refunded, disputed = kindbill.new_client("unheard-refund"), kindbill.new_client("unheard-dispute")
    for client in (refunded, disputed):
        client.save_card()
        client.owes(62_50)
    kindbill.forward("49h")
    with kindbill.stripe_webhooks(drop="."):
        refunded.refund_in_dashboard(20_00)
        dispute = disputed.disputes_last_payment()
        assert refunded.facts("RefundPosted") == []
        kindbill.forward("26h")
        assert [fact["data"]["amount"] for fact in refunded.facts("RefundPosted")] == [20_00]
        assert disputed.only_invoice()["status"] == "disputed"
        disputed.bank_decides(dispute, "won")
        kindbill.forward("24h")
    assert disputed.only_invoice()["status"] == "paid"
    assert nights(kindbill)["last_run"]["findings"] == 0
    audit(kindbill, refunded.client_id)
    audit(kindbill, disputed.client_id)


def test_a_tampered_row_is_shown_on_the_console_until_it_is_put_right(
    kindbill: Kindbill, cloud: Cloud, launched: Launched
) -> None:
    client = kindbill.new_client("tampered")
    (invoice_id,) = client.owes(62_50)
    kindbill.forward("2h")
    where = account_pk("riverbend", client.client_id), f"INVOICE#{invoice_id}#"
    change_row(cloud, *where, "SET amount = :amount", amount={"N": "6000"})
    kindbill.forward("25h")
    found = findings_about(kindbill, client)
    assert {(f["invariant"], f["state"]) for f in found} == {(2, "open"), (11, "open")}
    page = httpx.get(f"{kindbill.base_url}/_local", trust_env=False, timeout=60).text
    assert "to look at." in page
    assert all(f["what"] in unescape(page) for f in found)
    assert client.client_id not in " ".join(f["what"] for f in found if f["invariant"] == 11)

    change_row(cloud, *where, "SET amount = :amount", amount={"N": "6250"})
    launched.kindbill("reconcile")
    assert {f["state"] for f in findings_about(kindbill, client)} == {"resolved"}
    assert nights(kindbill)["last_run"]["findings"] == 0


def test_a_night_tells_when_it_was_and_when_the_next_one_is(kindbill: Kindbill) -> None:
    before = (nights(kindbill)["last_run"] or {"number": 0})["number"]
    kindbill.forward("24h")
    told = nights(kindbill)
    assert told["last_run"]["number"] == before + 1
    assert instant(told["last_run"]["began_at"]).hour == 7
    assert instant(told["next_run_at"]) - instant(told["last_run"]["began_at"]) == timedelta(days=1)


def test_a_night_that_never_runs_rings_until_one_has(kindbill: Kindbill, cloud: Cloud, launched: Launched) -> None:
    """Silence is no news of its own: nobody else would notice that nobody looks any more."""
    launched.kindbill("reconcile")
    assert not rings(kindbill, "NoNightAlarm")
    change_row(cloud, *RECONCILIATION_KEY, "REMOVE due_shard, due_at")
    kindbill.forward("25h")
    assert not rings(kindbill, "NoNightAlarm")
    kindbill.forward("2h")
    assert rings(kindbill, "NoNightAlarm")
    launched.kindbill("reconcile")
    assert not rings(kindbill, "NoNightAlarm")


def rings(kindbill: Kindbill, name: str) -> bool:
    (alarm,) = [one for one in kindbill.get("/_local/alarms") if one["name"] == name]
    return bool(alarm["rings"])
