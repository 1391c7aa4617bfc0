"""What only a real table can do: lose answers, race, throttle. Each ends in an error that says what to do next."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.httpsession import URLLib3Session
from urllib3 import HTTPResponse

from billing.account import Account
from billing.ports import Check, Conflict, Delete, Insert, TryAgain, Update
from edges.store import DynamoStore
from tests.fakes.cloud import LocalCloud

ACCOUNT = Account("elm_street", "ana", 1)
CHANGED = replace(ACCOUNT, version=2, credit=5_00)
OTHER = Account("elm_street", "ben", 1)


class Wire:
    """Stands between botocore and the table: each queued fault meets one request that is sent."""

    def __init__(self, client: Any) -> None:
        self.faults: list[str] = []
        self.sent: list[str] = []
        self._http = URLLib3Session()
        client.meta.events.register("before-send.dynamodb.*", self._send)

    def _send(self, request: AWSPreparedRequest, **_: object) -> AWSResponse | None:
        self.sent.append(str(request.headers["X-Amz-Target"]).split(".")[-1].removesuffix("'"))
        if not self.faults:
            return None
        fault = self.faults.pop(0)
        if fault == "answer_lost":
            self._http.send(request)
        if fault in ("answer_lost", "hang"):
            raise ReadTimeoutError(endpoint_url=request.url)
        status, code = fault.split(" ")
        return _answer(request, int(status), f'{{"__type":"com.amazonaws.dynamodb.v20120810#{code}"}}')

    def close(self) -> None:
        self._http.close()


def _answer(request: AWSPreparedRequest, status: int, body: str) -> AWSResponse:
    raw = HTTPResponse(BytesIO(body.encode()), preload_content=False)
    return AWSResponse(request.url, status, HTTPHeaders(), raw)


@pytest.fixture
def client(cloud: LocalCloud) -> Any:
    return cloud.client("dynamodb", retries={"mode": "standard", "total_max_attempts": 3})


@pytest.fixture
def store(cloud: LocalCloud, client: Any) -> DynamoStore:
    return DynamoStore(client, cloud.fresh_table(), 4)


@pytest.fixture
def wire(client: Any, store: DynamoStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    between = Wire(client)
    yield between
    between.close()


def test_an_insert_whose_answer_is_lost_is_written_once_and_holds(store: DynamoStore, wire: Wire) -> None:
    wire.faults = ["answer_lost"]
    store.commit(Insert(ACCOUNT))
    assert wire.sent == ["PutItem", "PutItem", "GetItem"]
    assert store.get(ACCOUNT.key) == ACCOUNT


def test_an_update_or_a_delete_whose_answer_is_lost_holds(store: DynamoStore, wire: Wire) -> None:
    store.commit(Insert(ACCOUNT))
    wire.faults = ["answer_lost"]
    store.commit(Update(CHANGED))
    assert store.get(ACCOUNT.key) == CHANGED
    wire.faults = ["answer_lost"]
    store.commit(Delete(CHANGED))
    assert store.get(ACCOUNT.key) is None


def test_a_transaction_whose_answer_is_lost_holds(store: DynamoStore, wire: Wire) -> None:
    wire.faults = ["answer_lost"]
    store.commit(Insert(ACCOUNT), Insert(OTHER))
    assert wire.sent == ["TransactWriteItems", "TransactWriteItems"]
    assert store.get_many([ACCOUNT.key, OTHER.key]) == [ACCOUNT, OTHER]


def test_a_repeated_insert_that_meets_another_writers_row_is_a_conflict(store: DynamoStore, wire: Wire) -> None:
    store.commit(Insert(ACCOUNT))
    wire.faults = ["hang"]
    with pytest.raises(Conflict):
        store.commit(Insert(replace(ACCOUNT, credit=5_00)))
    assert store.get(ACCOUNT.key) == ACCOUNT


def test_a_genuine_conflict_costs_no_second_read(store: DynamoStore, wire: Wire) -> None:
    store.commit(Insert(ACCOUNT))
    wire.sent.clear()
    with pytest.raises(Conflict):
        store.commit(Insert(ACCOUNT))
    assert wire.sent == ["PutItem"]


@pytest.mark.parametrize("fault", ["hang", "500 InternalServerError", "400 ThrottlingException"])
def test_a_fault_that_passes_is_tried_again_at_once(store: DynamoStore, wire: Wire, fault: str) -> None:
    wire.faults = [fault]
    store.commit(Insert(ACCOUNT))
    assert store.get(ACCOUNT.key) == ACCOUNT


@pytest.mark.parametrize(
    "fault",
    ["hang", "500 InternalServerError", "503 ServiceUnavailable", "400 ProvisionedThroughputExceededException"],
)
def test_a_fault_that_stays_is_for_the_queue_to_try_again(store: DynamoStore, wire: Wire, fault: str) -> None:
    for call in (
        lambda: store.commit(Insert(ACCOUNT)),
        lambda: store.commit(Insert(ACCOUNT), Insert(OTHER)),
        lambda: store.get(ACCOUNT.key),
        lambda: store.get_many([ACCOUNT.key]),
        lambda: store.partition(ACCOUNT.key.pk),
    ):
        wire.faults = [fault] * 3
        with pytest.raises(TryAgain) as refusal:
            call()
        assert not isinstance(refusal.value, Conflict)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("TransactionConflictException", Conflict),
        ("TransactionInProgressException", TryAgain),
        ("ValidationException", ClientError),
        ("AccessDeniedException", ClientError),
        ("ResourceNotFoundException", ClientError),
    ],
)
def test_each_error_code_says_what_to_do_next(
    store: DynamoStore, wire: Wire, code: str, error: type[Exception]
) -> None:
    wire.faults = [f"400 {code}"] * 3
    with pytest.raises(error):
        store.commit(Insert(ACCOUNT), Insert(OTHER))


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        ("ConditionalCheckFailed", Conflict),
        ("TransactionConflict", Conflict),
        ("ThrottlingError", TryAgain),
        ("ProvisionedThroughputExceeded", TryAgain),
        ("ItemCollectionSizeLimitExceeded", ClientError),
    ],
)
def test_each_reason_of_a_cancelled_transaction_says_what_to_do_next(
    store: DynamoStore, client: Any, reason: str, error: type[Exception]
) -> None:
    body = (
        '{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","Message":"cancelled",'
        f'"CancellationReasons":[{{"Code":"None"}},{{"Code":"{reason}"}}]}}'
    )
    client.meta.events.register("before-send.dynamodb.*", lambda request, **_: _answer(request, 400, body))
    with pytest.raises(error) as raised:
        store.commit(Insert(ACCOUNT), Check(OTHER))
    assert type(raised.value) in (error, client.exceptions.TransactionCanceledException)


def test_rows_the_table_left_out_of_a_batch_are_asked_for_again(store: DynamoStore, client: Any) -> None:
    rows = [replace(ACCOUNT, client=f"client_{n}") for n in range(5)]
    store.commit(*map(Insert, rows))
    asked: list[int] = []

    def leave_two_out(parsed: dict[str, Any], **_: object) -> None:
        ((table, items),) = parsed["Responses"].items()
        asked.append(len(items))
        left_out, items[2:] = items[2:], []
        if left_out:
            keys = [{"pk": item["pk"], "sk": item["sk"]} for item in left_out]
            parsed["UnprocessedKeys"] = {table: {"Keys": keys, "ConsistentRead": True}}

    client.meta.events.register("after-call.dynamodb.BatchGetItem", leave_two_out)
    assert store.get_many([row.key for row in rows]) == rows
    assert asked == [5, 3, 1]


def test_a_batch_that_makes_no_progress_is_for_the_queue_to_try_again(store: DynamoStore, client: Any) -> None:
    def leave_all_out(parsed: dict[str, Any], **_: object) -> None:
        keys = [{"pk": {"S": ACCOUNT.key.pk}, "sk": {"S": ACCOUNT.key.sk}}]
        parsed["UnprocessedKeys"] = {table: {"Keys": keys} for table in parsed["Responses"]}
        parsed["Responses"] = {}

    store.commit(Insert(ACCOUNT))
    client.meta.events.register("after-call.dynamodb.BatchGetItem", leave_all_out)
    with pytest.raises(TryAgain, match="1 rows unread"):
        store.get_many([ACCOUNT.key])


def test_of_many_racers_exactly_one_wins_a_version(store: DynamoStore) -> None:
    store.commit(Insert(ACCOUNT))

    def change(_: int) -> bool:
        try:
            store.commit(Update(CHANGED))
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as racers:
        assert sum(racers.map(change, range(24))) == 1
    assert store.get(ACCOUNT.key) == CHANGED


def test_of_many_racing_transactions_exactly_one_wins_a_version(store: DynamoStore) -> None:
    store.commit(Insert(ACCOUNT))

    def change(racer: int) -> bool:
        try:
            store.commit(Update(CHANGED), Insert(replace(OTHER, client=f"racer_{racer}")))
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as racers:
        won = [racer for racer, first in enumerate(racers.map(change, range(24))) if first]
    written = store.get_many([replace(OTHER, client=f"racer_{racer}").key for racer in range(24)])
    assert len(won) == 1
    assert [row is not None for row in written] == [racer in won for racer in range(24)]
