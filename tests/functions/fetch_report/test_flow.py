"""A report is fetched, kept and billed once, however often it is told of, and asked for again while it is missing."""

import json
import random
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from billing.claim_state import StoredBody
from billing.clearinghouse_event import FIRST_LOOK, GIVEN_UP_AFTER, ClearinghouseEvent
from billing.facts import ROUTES, Fact, FactKind, Message, WakeKind
from billing.ids import Key
from billing.ports import Insert, Refused, TryAgain
from functions.fetch_report.flow import run
from functions.issue_invoice import flow as issue_invoice
from functions.read_claims import flow as read_claims
from tests.edges.formats.report_example import report
from tests.fakes.store import MemoryStore
from tests.functions.api import Api
from tests.functions.receive_clearinghouse.events import TRANSACTION, event
from tests.functions.test_bad_input import CLAIM, CLIENT

ROW = Key(f"E#riverbend#{TRANSACTION}#", "EVENT#")


@dataclass
class Reports:
    """A clearinghouse that says what it is told to. `asked`: whom for what."""

    body: bytes = json.dumps(report()).encode()
    failure: Exception | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)

    def fetch(self, practice: str, transaction_id: str) -> bytes:
        self.asked.append((practice, transaction_id))
        if self.failure is not None:
            raise self.failure
        return self.body


@pytest.fixture
def reports() -> Reports:
    return Reports()


@pytest.fixture
def api() -> Api:
    """Ana's claim is submitted, and its report is told of."""
    made = Api()
    made.call("PUT", "/v1/clients/ana", key="practice", body=CLIENT)
    claim = CLAIM | {"claim_id": "KB7Q2M9X41", "service_date": "2026-10-30"}
    assert made.call("POST", "/v1/claims", key="practice", body=claim).status == 201
    assert made.call("POST", "/webhooks/clearinghouse", key="claims", body=event()).status == 200
    return made


def deliver(api: Api, reports: Reports, kind: str = FactKind.CLEARINGHOUSE_EVENT_STORED) -> None:
    run(Message(kind, ROW), store=api.store, blobs=api.blobs, reports=reports, now=api.now)


def told_of(api: Api) -> ClearinghouseEvent:
    row = api.store.get(ROW)
    assert isinstance(row, ClearinghouseEvent)
    return row


def relay(api: Api, reports: Reports) -> None:
    """Deliver everything that was written since the last time, and what follows from it."""
    while api.relayed < len(api.store.stream):
        row: Any = api.store.stream[api.relayed]
        api.relayed += 1
        verbs = () if isinstance(row, Fact) else ROUTES[row.kind]
        message = Message(row.kind, row.key)
        if "fetch_report" in verbs:
            run(message, store=api.store, blobs=api.blobs, reports=reports, now=api.now)
        if "read_claims" in verbs:
            read_claims.run(message, store=api.store, blobs=api.blobs, now=api.now)
        if "issue_invoice" in verbs:
            issue_invoice.run(message, store=api.store, now=api.now)


def test_a_report_that_was_told_of_is_billed_and_its_receipt_is_on_the_event(api: Api, reports: Reports) -> None:
    relay(api, reports)
    assert reports.asked == [("riverbend", TRANSACTION)]
    shown = api.call("GET", f"/v1/receipts/{told_of(api).receipt_id}", key="claims").body
    assert (shown["state"], shown["accepted"], shown["results"][0]["amount"]) == ("done", 1, 6250)


def test_a_message_that_comes_again_fetches_nothing_again(api: Api, reports: Reports) -> None:
    for kind in (FactKind.CLEARINGHOUSE_EVENT_STORED, FactKind.CLEARINGHOUSE_EVENT_STORED, WakeKind.FETCH_REPORT):
        deliver(api, reports, kind)
    assert len(reports.asked) == 1
    assert told_of(api).due is None


def test_the_same_report_posted_by_hand_before_is_the_same_receipt(api: Api, reports: Reports) -> None:
    posted = api.call("POST", "/v1/claim-results", key="claims", body=reports.body).body["receipt_id"]
    deliver(api, reports)
    assert told_of(api).receipt_id == posted
    assert len([row for row in api.store.stream if isinstance(row, StoredBody)]) == 1


class DiesAfterKeeping(MemoryStore):
    """The function ends between keeping the body and remembering its receipt."""

    def __init__(self, stored: MemoryStore) -> None:
        vars(self).update(vars(stored))

    def commit(self, *writes: Any) -> None:
        if isinstance(writes[0].record, ClearinghouseEvent):
            raise KeyboardInterrupt
        super().commit(*writes)


def test_a_crash_between_keeping_and_remembering_costs_a_second_fetch_and_bills_once(
    api: Api, reports: Reports
) -> None:
    """The clearinghouse may write the report a little differently each time: each claim is known by its content."""
    with pytest.raises(KeyboardInterrupt):
        run(
            Message(FactKind.CLEARINGHOUSE_EVENT_STORED, ROW),
            store=DiesAfterKeeping(api.store),
            blobs=api.blobs,
            reports=reports,
            now=api.now,
        )
    reports.body = json.dumps(report() | {"meta": {"applicationMode": "production", "traceId": "2"}}).encode()
    relay(api, reports)
    issued = [row for row in api.store.stream if isinstance(row, Fact) and row.kind == FactKind.INVOICE_ISSUED]
    assert len(issued) == 1


def test_what_cannot_be_had_is_tried_again_and_forgets_nothing(api: Api, reports: Reports) -> None:
    reports.failure = TryAgain("report: the clearinghouse has no such report (404)")
    before = told_of(api)
    with pytest.raises(TryAgain, match="404"):
        deliver(api, reports)
    assert told_of(api) == before
    assert before.due == f"{api.now + FIRST_LOOK:%Y-%m-%dT%H:%M:%SZ}#fetch_report"


def looks(api: Api, reports: Reports, until: Callable[[ClearinghouseEvent], bool]) -> list[timedelta]:
    """Wake the event whenever it wants to -> after how long each was."""
    found, start = [], api.now
    while (row := told_of(api)).look_at is not None and not until(row):
        api.now = row.look_at
        found.append(api.now - start)
        with pytest.raises((TryAgain, Refused)):
            deliver(api, reports, WakeKind.FETCH_REPORT)
    return found


def test_a_missing_report_is_asked_for_after_an_hour_then_twice_as_late_each_time_for_two_weeks(
    api: Api, reports: Reports
) -> None:
    reports.failure = TryAgain("report: no answer from the clearinghouse")
    waits = looks(api, reports, lambda _: False)
    assert waits == [timedelta(hours=2**n) for n in range(10)]
    assert waits[-2] < GIVEN_UP_AFTER <= waits[-1]
    assert told_of(api).due is None, "nobody is woken for it any more; the dead letter stays"


def test_a_report_that_is_there_after_a_day_is_fetched_by_the_events_own_wake(api: Api, reports: Reports) -> None:
    reports.failure = TryAgain("report: no answer from the clearinghouse")
    looks(api, reports, lambda row: row.look_at is not None and row.look_at - row.at > timedelta(days=1))
    reports.failure = None
    deliver(api, reports, WakeKind.FETCH_REPORT)
    assert told_of(api).receipt_id
    assert told_of(api).due is None


def test_for_a_practice_that_has_no_clearinghouse_any_more_it_is_quiet(api: Api, reports: Reports) -> None:
    """Refused: the message is acknowledged. Its key comes back: so does the report, by the event's own wake."""
    reports.failure = Refused("no_clearinghouse", "This practice has no clearinghouse.")
    with pytest.raises(Refused):
        deliver(api, reports)
    assert told_of(api).due is not None


def test_a_body_too_large_for_a_row_goes_to_the_bucket(api: Api, reports: Reports) -> None:
    noise = "".join(random.Random(1).choices(string.ascii_letters, k=900_000))
    reports.body = json.dumps(report(note=noise)).encode()
    relay(api, reports)
    assert [name.startswith("bodies/rcp_") for name in api.blobs.bodies] == [True]
    assert api.call("GET", f"/v1/receipts/{told_of(api).receipt_id}", key="claims").body["accepted"] == 1


def test_a_message_about_nothing_is_a_mistake_of_ours(reports: Reports) -> None:
    empty = Api()
    with pytest.raises(AssertionError):
        deliver(empty, reports)


def test_an_event_is_inserted_as_a_fact_and_its_later_versions_are_not(api: Api) -> None:
    assert ROUTES[told_of(api).kind] == ("fetch_report",)
    with pytest.raises(TryAgain):
        api.store.commit(Insert(told_of(api)))
