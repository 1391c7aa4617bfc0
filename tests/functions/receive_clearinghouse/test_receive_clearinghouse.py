"""POST /webhooks/clearinghouse: each report that is ready is kept once, whoever tells of it how often."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from billing.clearinghouse_event import KEPT, ClearinghouseEvent
from billing.ids import Key, api_key_hash
from billing.policy import ApiKey
from billing.ports import Conflict, Insert, TryAgain, Write
from edges import aws
from functions.receive_clearinghouse.flow import MAX_BODY_BYTES, Outcome, run
from functions.receive_clearinghouse.handler import handler
from tests.billing.examples import NOW
from tests.fakes.fence import FencedStore, allowed
from tests.fakes.stage import Stage, log_lines
from tests.fakes.store import MemoryStore
from tests.functions.api import KEYS, Api, Reply, api_event, assert_problem
from tests.functions.receive_clearinghouse.events import TRANSACTION, event

ROW = Key(f"E#riverbend#{TRANSACTION}#", "EVENT#")
EXAMPLE = Path(__file__).parents[3] / "functions/receive_clearinghouse/example_event.json"


@pytest.fixture
def api() -> Api:
    return Api()


def post(api: Api, body: object) -> Reply:
    return api.call("POST", "/webhooks/clearinghouse", key="claims", body=body)


def kept(api: Api) -> list[ClearinghouseEvent]:
    return [row for row in api.store.stream if isinstance(row, ClearinghouseEvent)]


def test_an_event_is_kept_once_and_repetitions_do_nothing(api: Api) -> None:
    """Another event of the same transaction is a repetition, too."""
    again = event()
    again["event"]["id"] = "another"
    for body in (event(), event(), again):
        reply = post(api, body)
        assert (reply.status, reply.body) == (200, {"received": True})
    (row,) = kept(api)
    assert row.key == ROW
    assert (row.practice, row.transaction_id, row.at) == ("riverbend", TRANSACTION, api.now)
    assert row.sender == api_key_hash(KEYS["claims"])
    assert row.expires == int((api.now + KEPT).timestamp())


def test_the_same_transaction_of_another_practice_is_another_event(api: Api) -> None:
    api.clearinghouse_keys = {"riverbend": "a", "oak": "b"}
    secret = "kb_live_" + "o" * 43
    api.store.commit(Insert(ApiKey(api_key_hash(secret), "oak", ("claims",))))
    post(api, event())
    assert api.call("POST", "/webhooks/clearinghouse", key=secret, body=event()).status == 200
    assert [row.practice for row in kept(api)] == ["riverbend", "oak"]


@pytest.mark.parametrize(
    "body",
    [
        event("file.failed.v2"),
        event("fragment.processed.v2"),
        {"event": {"detail-type": "file.delivered.v2"}},
        event(x12={"metadata": {"transaction": {"transactionSetIdentifier": "277"}}}),
        event(x12={"transactionSetIdentifier": 999}),
        event(direction="OUTBOUND"),
    ],
)
def test_what_is_no_remittance_is_heard_and_let_pass(api: Api, body: object) -> None:
    assert post(api, body).status == 200
    assert kept(api) == []


@pytest.mark.parametrize(
    "body",
    [
        event()["event"],
        event(x12={"metadata": {"transaction": {"transactionSetIdentifier": 835}}}),
        event(x12={"transactionSetIdentifier": "835"}),
        event(mode="test"),
        event() | {"artifact": {"artifactType": "application/json", "detail": {}}},
    ],
)
def test_an_event_is_known_in_each_of_its_shapes(api: Api, body: object) -> None:
    assert post(api, body).status == 200
    assert [row.key for row in kept(api)] == [ROW]


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({}, "event.detail-type"),
        ([], "event.detail-type"),
        ({"event": "transaction.processed.v2"}, "event.detail-type"),
        ({"event": {"detail-type": 7}}, "event.detail-type"),
        ({"event": {"detail-type": "sent by\nsomebody"}}, "event.detail-type"),
        ({"event": {"detail-type": "transaction.processed.v2"}}, "event.detail"),
        (event(x12=None), "event.x12"),
        (event(x12={}), "event.detail.x12"),
        (event(x12={"transactionSetIdentifier": True}), "event.detail.x12"),
        (event(transactionId=None), "event.detail.transactionId"),
        (event(transactionId="../../../secrets"), "event.detail.transactionId"),
        (event(transactionId="a/b"), "event.detail.transactionId"),
        (event(transactionId="x" * 65), "event.detail.transactionId"),
    ],
)
def test_what_cannot_be_read_is_422_and_says_where(api: Api, body: object, loc: str) -> None:
    reply = post(api, body)
    assert_problem(reply, 422)
    assert [error["loc"] for error in reply.body["errors"]] == [loc]
    assert kept(api) == []


@pytest.mark.parametrize("body", [b"", b"{", b"ISA*00*", b'{"event": NaN}', b"\xff"])
def test_what_is_not_json_is_400(api: Api, body: bytes) -> None:
    assert_problem(post(api, body), 400)


def test_more_than_an_event_can_be_is_413(api: Api) -> None:
    assert_problem(post(api, b" " * (MAX_BODY_BYTES + 1)), 413)


@pytest.mark.parametrize("keys", [{}, {"oak": "key"}])
def test_a_practice_without_a_clearinghouse_is_told_so(api: Api, keys: dict[str, str]) -> None:
    api.clearinghouse_keys = keys
    reply = post(api, event())
    assert_problem(reply, 409)
    assert reply.body["code"] == "no_clearinghouse"
    assert kept(api) == []


class Busy(MemoryStore):
    """A table that has no time, and wrote nothing."""

    def commit(self, *writes: Write) -> None:
        raise Conflict("busy")


def test_an_event_that_could_not_be_kept_is_not_answered_as_kept() -> None:
    """Not 2xx: the sender sends it again after 90 seconds."""
    with pytest.raises(TryAgain):
        run(json.dumps(event()).encode(), "riverbend", "hash", store=Busy(), now=NOW)


def test_its_role_reaches_events_and_keys_only() -> None:
    fenced = FencedStore("receive_clearinghouse")
    received = run(json.dumps(event()).encode(), "riverbend", "hash", store=fenced, now=NOW)
    assert received.outcome is Outcome.STORED
    assert allowed("receive_clearinghouse") == {"E", "K"}


def call(body: Any, key: str = KEYS["claims"]) -> Reply:
    return Reply.of(handler(api_event("POST", "/webhooks/clearinghouse", body=body, key=key), None))


def test_through_the_handler_the_secret_says_who_has_a_clearinghouse(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.store.commit(Insert(ApiKey(api_key_hash(KEYS["claims"]), "riverbend", ("claims",))))
    example = json.loads(EXAMPLE.read_text())
    example["headers"]["authorization"] = f"Bearer {KEYS['claims']}"
    assert handler(example, None)["statusCode"] == 200
    assert call(event()).status == 200
    told = [line["outcome"] for line in log_lines(capsys.readouterr().out) if line["message"] == "clearinghouse event"]
    assert told == ["stored", "seen_before"]
    row = stage.store.get(ROW)
    assert isinstance(row, ClearinghouseEvent)
    assert row == ClearinghouseEvent.told("riverbend", TRANSACTION, api_key_hash(KEYS["claims"]), row.at)
    for text, status in (("{}", 409), ('{"oak": "key"}', 409), ("no JSON", 500), ('{"riverbend": 7}', 500)):
        secret = stage.environment["CLEARINGHOUSE_KEYS_SECRET_ID"]
        stage.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=text)
        aws.forget_secrets()
        assert call(event()).status == status


def test_a_copy_without_a_clearinghouse_answers_so_and_opens_no_secret(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.store.commit(Insert(ApiKey(api_key_hash(KEYS["claims"]), "riverbend", ("claims",))))
    monkeypatch.setenv("CLEARINGHOUSE_API_BASE", "")
    monkeypatch.delenv("CLEARINGHOUSE_KEYS_SECRET_ID")
    assert call(event()).status == 409


def test_a_secret_that_nobody_filled_is_no_clearinghouse_and_one_that_is_closed_is_a_mistake(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.store.commit(Insert(ApiKey(api_key_hash(KEYS["claims"]), "riverbend", ("claims",))))
    for code, status in (("ResourceNotFoundException", 409), ("AccessDeniedException", 500)):

        def refuse(*_: str, code: str = code) -> str:
            raise ClientError({"Error": {"Code": code}}, "GetSecretValue")

        monkeypatch.setattr(aws, "_read_secret", refuse)
        assert call(event()).status == status
