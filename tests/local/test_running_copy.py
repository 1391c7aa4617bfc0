"""A whole copy, empty, as `make run` starts it: what it serves, what stops it, and what it leaves behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from billing.invoice import Invoice, Source
from billing.ports import Insert
from infra.local.cloud import DEAD_LETTERS, Cloud
from tests.e2e.launch import END_WITHIN_S, READY_WITHIN_S, ROOT, Launched

pytestmark = pytest.mark.e2e


class Copy(Launched):
    """A copy that can be ended in every way."""

    def signal(self, signum: int) -> None:
        """Send the signal and wait until the process we started has ended."""
        self._process.send_signal(signum)
        self._process.wait(END_WITHIN_S)

    def wait_until_it_said(self, words: str) -> None:
        give_up = time.monotonic() + READY_WITHIN_S
        while words not in self.said:
            assert time.monotonic() < give_up, self.said
            time.sleep(0.02)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    launched = Copy(tmp_path_factory.mktemp("copy"), KINDBILL_DEMO="0")
    launched.wait_until_ready()
    yield launched
    assert launched.end() == 0
    assert launched.left_behind() == []


@pytest.fixture(scope="module")
def cloud(copy: Copy) -> Cloud:
    """The copy's cloud, as its operator sees it."""
    made = Cloud.local(copy.port + 1)
    made.read_outputs()
    return made


def get(copy: Copy, path: str, **request: Any) -> Any:
    return httpx.get(copy.base_url + path, timeout=60, trust_env=False, **request).raise_for_status().json()


def post(copy: Copy, path: str, **request: Any) -> httpx.Response:
    return httpx.post(copy.base_url + path, timeout=150, trust_env=False, **request)


def test_it_says_where_it_is_and_what_to_try(copy: Copy) -> None:
    assert "Kindbill is ready after" in copy.said
    assert f"{copy.base_url}/_local" in copy.said
    assert all(key in copy.said for key in get(copy, "/_local/keys").values())


def test_an_empty_copy_has_a_practice_its_keys_and_nobody_in_it(copy: Copy) -> None:
    assert get(copy, "/_local/demo") == {"practice_id": "riverbend", "clients": []}
    assert set(get(copy, "/_local/keys")) == {"claims", "practice", "support"}
    assert get(copy, "/_local/mail") == []
    assert get(copy, "/_local/dead-letters") == []


def test_its_clock_stands_on_a_whole_minute(copy: Copy) -> None:
    now = datetime.fromisoformat(get(copy, "/_local/clock")["now"])
    assert now.utcoffset() == timedelta()
    assert (now.second, now.microsecond) == (0, 0)


def test_everything_that_is_not_the_consoles_reaches_the_functions(copy: Copy) -> None:
    assert get(copy, "/health")
    nobody = httpx.get(f"{copy.base_url}/v1/clients/nobody/account", trust_env=False)
    assert nobody.status_code == 401
    nowhere = httpx.get(f"{copy.base_url}/nowhere", trust_env=False)
    assert (nowhere.status_code, nowhere.headers["content-type"]) == (404, "application/problem+json")


def test_an_address_below_the_console_that_is_not_there_is_404_and_stays_here(copy: Copy) -> None:
    answer = httpx.get(f"{copy.base_url}/_local/nothing", trust_env=False)
    assert (answer.status_code, answer.json()["title"]) == (404, "Not found")


def test_a_person_finds_the_console_at_the_front_door(copy: Copy) -> None:
    answer = httpx.get(copy.base_url, follow_redirects=True, trust_env=False)
    assert answer.url.path == "/_local"
    assert "Riverbend Therapy" in answer.text
    assert "script-src" not in answer.headers["content-security-policy"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_every_queue_is_shown(copy: Copy) -> None:
    queues = get(copy, "/_local/queues")
    assert set(queues) == set(DEAD_LETTERS)
    assert all(set(depth) == {"waiting", "in_flight", "delayed", "dead_letters"} for depth in queues.values())


@pytest.mark.parametrize("by", ["itself", "its id"])
def test_a_key_made_in_a_shell_is_listed_and_works_until_it_is_revoked(copy: Copy, by: str) -> None:
    before = set(copy.kindbill("key", "list").splitlines())
    key = copy.kindbill("key", "new", "--scope", "practice").strip()
    with_it = {"authorization": f"Bearer {key}"}
    assert get(copy, "/v1/holds", headers=with_it) is not None
    (listed,) = set(copy.kindbill("key", "list").splitlines()) - before
    assert key not in listed
    assert {"practice", "made"} <= set(listed.split())
    assert "revoked" in copy.kindbill("key", "revoke", key if by == "itself" else listed.split()[0])
    assert httpx.get(f"{copy.base_url}/v1/holds", headers=with_it, trust_env=False).status_code == 401
    assert f"{listed.split()[0]} " in copy.kindbill("key", "list"), "what once opened the door stays known"


def test_a_dead_letter_is_quiet_until_it_is_sent_again(copy: Copy, cloud: Cloud) -> None:
    key = {"authorization": f"Bearer {get(copy, '/_local/keys')['practice']}"}
    ana = {"name": "Ana", "email": "ana@mail.example", "phone": "+12025550143", "state": "CA"}
    httpx.put(f"{copy.base_url}/v1/clients/ana", headers=key, json=ana, trust_env=False).raise_for_status()
    claim = {"claim_id": "KB1", "client_id": "ana", "provider_id": "p", "payer_id": "87726", "charged": 150_00}
    post(copy, "/v1/claims", headers=key, json=claim | {"service_date": "2026-10-30"}).raise_for_status()
    post(copy, "/_local/settle")
    look = json.dumps({"kind": "ClaimSubmitted", "pk": "C#riverbend#KB1#", "sk": "SUBMITTED#"})
    cloud.sqs.send_message(QueueUrl=cloud.dead_letters_url("issue_invoice"), MessageBody=look)
    assert post(copy, "/_local/settle").json() == {"quiet": True, "dead_letters": 1}
    assert [(d["queue"], d["body"]) for d in get(copy, "/_local/dead-letters")] == [("issue_invoice", look)]
    assert get(copy, "/_local/queues")["issue_invoice"]["dead_letters"] == 1
    assert ringing(copy, "DeadLetters") == ["IssueInvoiceDeadLettersAlarm"]
    page = httpx.get(f"{copy.base_url}/_local", trust_env=False).text
    assert "issue_invoice gave up on a message: docs/operations.md, dead letters" in page
    said = copy.kindbill("redrive")
    assert "ClaimSubmitted at SUBMITTED# (practice riverbend, claim KB1)" in said
    assert said.endswith("issue_invoice: 1 sent again\n")
    assert post(copy, "/_local/settle").json() == {"quiet": True, "dead_letters": 0}
    assert copy.kindbill("redrive") == "no dead letters\n"
    assert ringing(copy, "DeadLetters") == []


def ringing(copy: Copy, about: str) -> list[str]:
    return [alarm["name"] for alarm in get(copy, "/_local/alarms") if alarm["rings"] and about in alarm["name"]]


def test_what_a_function_counts_reaches_its_alarm(copy: Copy, cloud: Cloud) -> None:
    """Namespace, name and stage of what is counted are those that the template's alarm watches."""
    for _ in range(11):
        forged = httpx.post(f"{copy.base_url}/webhooks/stripe", content=b"{}", trust_env=False)
        assert forged.status_code == 400
    assert ringing(copy, "Webhooks") == ["WebhooksRefusedAlarm"]
    alarms = cloud.cloudwatch.describe_alarms(StateValue="ALARM")["MetricAlarms"]
    assert "WebhooksRefused" in {alarm["MetricName"] for alarm in alarms}


def test_facts_that_were_not_relayed_are_read_again_from_the_stream(copy: Copy, cloud: Cloud) -> None:
    """What the event source sets aside names a stretch of the stream; redrive relays that stretch."""
    stream = cloud.streams.describe_stream(StreamArn=cloud.outputs["StreamArn"])["StreamDescription"]
    shard = stream["Shards"][0]["ShardId"]
    at = cloud.streams.get_shard_iterator(
        StreamArn=stream["StreamArn"], ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    numbers = [r["dynamodb"]["SequenceNumber"] for r in cloud.streams.get_records(ShardIterator=at)["Records"]]
    info = {"streamArn": stream["StreamArn"], "shardId": shard}
    info |= {"startSequenceNumber": numbers[0], "endSequenceNumber": numbers[-1]}
    letter = httpx.Response(200, json={"DDBStreamBatchInfo": info}).text
    cloud.sqs.send_message(QueueUrl=cloud.dead_letters_url("publish_facts"), MessageBody=letter)
    assert "publish_facts: 1 sent again" in copy.kindbill("redrive")
    assert get(copy, "/_local/dead-letters") == []


def test_work_that_stays_due_stops_the_clock_and_is_named(copy: Copy, cloud: Cloud) -> None:
    """An invoice of a client who is not there: whoever is woken for it fails, again and again, and is set aside."""
    now = datetime.fromisoformat(get(copy, "/_local/clock")["now"])
    orphan = Invoice(
        practice="riverbend",
        client="nobody",
        invoice_id="inv_orphan",
        version=1,
        source=Source.CLAIM,
        source_id="C1",
        ordinal=0,
        amount=62_50,
        issued_at=now,
        service_date=now.date(),
        charge_at=now + timedelta(minutes=5),
    )
    cloud.store().commit(Insert(orphan))
    answer = post(copy, "/_local/clock", json={"forward": "5m"})
    assert answer.status_code == 504
    assert "inv_orphan" in answer.json()["stuck"][0]
    assert answer.json()["now"] == (now + timedelta(minutes=5)).isoformat()
    letters = get(copy, "/_local/dead-letters")  # one, and one more for each sweep that died after it had sent
    about = {(letter["queue"], json.loads(letter["body"])["sk"]) for letter in letters}
    assert about == {("charge_autopay", orphan.key.sk)}
    key = {"pk": {"S": orphan.key.pk}, "sk": {"S": orphan.key.sk}}
    cloud.dynamodb.delete_item(TableName=cloud.table, Key=key)
    cloud.sqs.purge_queue(QueueUrl=cloud.dead_letters_url("charge_autopay"))


def test_a_function_may_do_what_its_step_needs_and_no_more(copy: Copy, cloud: Cloud) -> None:
    """Execution roles are enforced here as on AWS; a denial would be an error line of some function."""
    denials = [
        line["message"]
        for group in cloud.logs.describe_log_groups()["logGroups"]
        for line in cloud.logs.filter_log_events(logGroupName=group["logGroupName"])["events"]
        if "AccessDenied" in line["message"]
    ]
    assert denials == []


def refused(**settings: str) -> subprocess.CompletedProcess[str]:
    """What a start says that cannot be."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STRIPE")} | settings
    command = [sys.executable, "-m", "infra.local.cli", "run"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_a_stripe_key_is_not_ignored_but_refused() -> None:
    answer = refused(STRIPE_SECRET_KEY="sk_test_x")
    assert answer.returncode == 2
    assert "STRIPE_SECRET_KEY" in answer.stderr


@pytest.mark.parametrize("port", ["80", "65535", "eighty"])
def test_a_port_that_cannot_be_is_refused(port: str) -> None:
    answer = refused(KINDBILL_PORT=port)
    assert answer.returncode == 2
    assert "KINDBILL_PORT" in answer.stderr


def test_a_port_in_use_is_named_with_what_to_do() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        answer = refused(KINDBILL_PORT=str(taken.getsockname()[1]))
    assert answer.returncode == 2
    assert "in use" in answer.stderr
    assert "KINDBILL_PORT=" in answer.stderr


def test_two_copies_run_side_by_side_and_a_killed_one_leaves_nothing(copy: Copy, tmp_path: Path) -> None:
    other = Copy(tmp_path, KINDBILL_DEMO="0")
    other.wait_until_ready()
    assert other.base_url != copy.base_url
    later = post(other, "/_local/clock", json={"forward": "14d"}).json()["now"]
    assert get(copy, "/_local/clock")["now"] < later
    other.signal(signal.SIGKILL)
    assert other.left_behind() == []
    assert get(copy, "/_local/ready")


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGHUP])
def test_ctrl_c_and_a_closed_terminal_leave_nothing_even_in_the_middle_of_the_start(
    tmp_path: Path, signum: int
) -> None:
    starting = Copy(tmp_path, KINDBILL_DEMO="1")
    starting.wait_until_it_said("Starting the local cloud")
    starting.signal(signum)
    assert starting.left_behind() == []
