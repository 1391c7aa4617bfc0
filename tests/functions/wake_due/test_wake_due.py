"""The sweep: what is due is woken, once while its lease lasts, and nothing is lost whatever happens in between."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import pytest

from billing.facts import Message
from billing.ids import Key
from billing.invoice import Invoice, Source
from billing.ports import DueItem, Insert, TryAgain, Update
from edges.table import shard_of
from functions.wake_due.flow import LEASE, PAGE, STOP_WITH_SECONDS_LEFT, Swept, run
from functions.wake_due.handler import handler
from tests.fakes.stage import Stage, log_lines, metrics_in
from tests.fakes.store import MemoryStore

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def due_invoice(client: str = "ana", charge_at: datetime = NOON) -> Invoice:
    return Invoice(
        practice="elm_street",
        client=client,
        invoice_id=f"inv_{client}",
        version=1,
        source=Source.CLAIM,
        source_id="claim_1",
        ordinal=0,
        amount=62_50,
        issued_at=NOON - timedelta(days=2),
        service_date=date(2026, 10, 30),
        charge_at=charge_at,
    )


class Sweeps:
    """A store, and what its sweeps sent."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.sent: list[tuple[str, Message]] = []

    def send(self, messages: Iterable[tuple[str, Message]]) -> int:
        batch = list(messages)
        self.sent += batch
        return len(batch)

    def sweep(self, now: datetime = NOON, seconds_left: Callable[[], float] = lambda: 50.0) -> Swept:
        return run(store=self.store, send=self.send, shards=4, seconds_left=seconds_left, now=now)


@pytest.fixture
def sweeps() -> Sweeps:
    return Sweeps()


def test_what_is_due_is_sent_to_the_verb_of_its_kind(sweeps: Sweeps) -> None:
    charge = due_invoice()
    past_due = replace(due_invoice("ben"), charge_at=None, past_due_at=NOON)
    later = due_invoice("cho", NOON + timedelta(seconds=1))
    for row in (charge, past_due, later):
        sweeps.store.commit(Insert(row))
    assert sweeps.sweep() == Swept(woken=2, moved=0, pages=4, complete=True)
    assert set(sweeps.sent) == {
        ("charge_autopay", Message("charge", charge.key)),
        ("issue_invoice", Message("past_due", past_due.key)),
    }


def test_an_item_is_sent_once_while_its_lease_lasts_and_again_when_it_ran_out(sweeps: Sweeps) -> None:
    sweeps.store.commit(Insert(due_invoice()))
    sweeps.sweep()
    sweeps.sweep(NOON + timedelta(minutes=1))
    assert len(sweeps.sent) == 1
    sweeps.sweep(NOON + LEASE)
    assert len(sweeps.sent) == 2


def test_what_was_handled_is_not_sent_again(sweeps: Sweeps) -> None:
    row = due_invoice()
    sweeps.store.commit(Insert(row))
    sweeps.sweep()
    sweeps.store.commit(Update(replace(row, version=2, charge_at=None)))
    sweeps.sweep(NOON + timedelta(days=30))
    assert len(sweeps.sent) == 1


def test_a_gap_of_weeks_loses_nothing(sweeps: Sweeps) -> None:
    rows = [due_invoice(f"client_{day}", NOON + timedelta(days=day)) for day in range(20)]
    for row in rows:
        sweeps.store.commit(Insert(row))
    sweeps.sweep(NOON + timedelta(days=40))
    assert {message.key for _, message in sweeps.sent} == {row.key for row in rows}


def test_a_message_lost_between_lease_and_queue_is_sent_when_the_lease_ran_out(
    sweeps: Sweeps, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweeps.store.commit(Insert(due_invoice()))

    def lose(_: Iterable[tuple[str, Message]]) -> int:
        raise TryAgain("SQS is down")

    with monkeypatch.context() as down:
        down.setattr(sweeps, "send", lose)
        with pytest.raises(TryAgain):
            sweeps.sweep()
    sweeps.sweep(NOON + LEASE)
    assert len(sweeps.sent) == 1


def test_what_was_leased_before_the_table_was_throttled_is_still_sent(
    sweeps: Sweeps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three items of one shard; the third lease fails."""
    rows = [replace(due_invoice(), invoice_id=f"inv_{n}") for n in range(3)]
    for row in rows:
        sweeps.store.commit(Insert(row))
    lease = sweeps.store.lease
    taken: list[DueItem] = []

    def throttled(item: DueItem, until: datetime) -> bool:
        if len(taken) == 2:
            raise TryAgain("throttled")
        taken.append(item)
        return lease(item, until)

    monkeypatch.setattr(sweeps.store, "lease", throttled)
    with pytest.raises(TryAgain):
        sweeps.sweep()
    assert [message.key for _, message in sweeps.sent] == [item.key for item in taken]


def test_more_than_a_page_is_swept_oldest_first_and_no_shard_waits_for_another(sweeps: Sweeps) -> None:
    """One shard has two and a half pages; the others are asked in between."""
    crowded = [
        replace(due_invoice(), invoice_id=f"inv_{n}", charge_at=NOON - timedelta(minutes=n))
        for n in range(2 * PAGE + 50)
    ]
    other = next(
        due_invoice(f"client_{n}")
        for n in range(100)
        if shard_of(due_invoice(f"client_{n}").key.pk, 4) > shard_of(crowded[0].key.pk, 4)
    )
    for row in [*crowded, other]:
        sweeps.store.commit(Insert(row))
    swept = sweeps.sweep()
    assert (swept.woken, swept.complete) == (2 * PAGE + 51, True)
    sent = [message.key for _, message in sweeps.sent]
    assert sent.index(other.key) <= PAGE + 1
    assert [key for key in sent if key != other.key] == [row.key for row in reversed(crowded)]


def test_a_sweep_stops_well_before_its_time_is_over(sweeps: Sweeps) -> None:
    for n in range(3 * PAGE):
        sweeps.store.commit(Insert(replace(due_invoice(), invoice_id=f"inv_{n}")))
    shard = shard_of(due_invoice().key.pk, 4)
    left = iter([50.0] * (shard + 1) + [STOP_WITH_SECONDS_LEFT])
    assert sweeps.sweep(seconds_left=lambda: next(left)) == Swept(PAGE, 0, shard + 1, complete=False)
    assert sweeps.sweep(NOON + timedelta(minutes=1)).woken == 2 * PAGE


def test_an_index_that_lags_behind_ends_the_sweep_of_that_shard(
    sweeps: Sweeps, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = [DueItem(replace(due_invoice(), invoice_id=f"inv_{n}").key, f"{NOON:%FT%TZ}#charge") for n in range(PAGE)]
    monkeypatch.setattr(sweeps.store, "due", lambda shard, until, limit: stale)
    assert sweeps.sweep() == Swept(woken=0, moved=4 * PAGE, pages=4, complete=True)
    assert sweeps.sent == []


@dataclass(frozen=True)
class FromTomorrow:
    """A row of a version that was rolled back, due for a reason that nobody here knows."""

    version: int = 1
    due: str = f"{NOON - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}#something_new"

    @property
    def key(self) -> Key:
        return replace(due_invoice(), invoice_id="inv_tomorrow").key


def test_what_is_due_for_an_unknown_reason_is_told_and_holds_up_nobody(sweeps: Sweeps) -> None:
    """It is the oldest of its page, and would be at every sweep."""
    sweeps.store.commit(Insert(FromTomorrow()))
    sweeps.store.commit(Insert(due_invoice()))
    swept = sweeps.sweep()
    assert (swept.woken, swept.strange) == (2, 1)
    assert [message.key for _, message in sweeps.sent] == [due_invoice().key]
    assert sweeps.sweep(NOON + LEASE).strange == 1


def test_a_sweep_tells_how_far_behind_it_is(sweeps: Sweeps) -> None:
    for client, due_for in (("ana", 30), ("ben", 90), ("cho", 60)):
        sweeps.store.commit(Insert(due_invoice(client, NOON - timedelta(seconds=due_for))))
    assert sweeps.sweep().behind_seconds == 90
    assert sweeps.sweep(NOON + timedelta(minutes=1)).behind_seconds == 0, "what is leased is on its way"


class Context:
    def get_remaining_time_in_millis(self) -> int:
        return 50_000


def test_the_function_wakes_by_the_simulated_clock_and_logs_what_it_did(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    row = due_invoice()
    stage.store.commit(Insert(row))
    stage.set_clock("2026-11-20T11:59:59Z")
    assert handler({}, Context())["woken"] == 0
    stage.set_clock("2026-11-20T12:00:00Z")
    assert handler({}, Context()) == {
        "woken": 1,
        "moved": 0,
        "pages": 4,
        "complete": True,
        "behind_seconds": 0,
        "strange": 0,
    }
    assert stage.messages("charge_autopay") == [Message("charge", row.key)]
    printed = capsys.readouterr().out
    assert [line["woken"] for line in log_lines(printed)] == [0, 1]
    assert metrics_in(printed) == [("DueOldestAgeSeconds", 0), ("DueOldestAgeSeconds", 0)]
