"""The sweep: what is due is woken at once, what was not handled again whenever its lease has run out, and nothing is
lost whatever happens in between."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import chain, repeat
from math import ceil

import pytest

from billing.facts import IN_TURN, Message
from billing.ids import Key
from billing.invoice import Invoice, Source
from billing.ports import DueItem, Insert, TryAgain, Update
from edges.table import shard_of
from functions.wake_due.flow import FRESH_FOR, LEASE, PAGE, STOP_WITH_SECONDS_LEFT, Swept, run
from functions.wake_due.handler import handler
from functions.wake_due.pace import MINUTE
from tests.fakes.stage import Stage, log_lines, metrics_in
from tests.fakes.store import MemoryStore

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LATE = NOON + timedelta(minutes=1)
"""A sweep before this one should have woken what was due at noon."""


def reminded_invoice(number: int, remind_at: datetime = NOON) -> Invoice:
    """One of an account that has no autopay: it wakes as soon as it is found."""
    return replace(due_invoice(), invoice_id=f"inv_{number}", charge_at=None, remind_at=remind_at)


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


def shard(row: Invoice) -> int:
    """Of the due index."""
    assert row.due is not None
    return shard_of(row.key.pk, row.due, 4)


class Sweeps:
    """A store, and what its sweeps sent: `delays` says after how many seconds each message is seen."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.sent: list[tuple[str, Message]] = []
        self.delays: list[int] = []

    def send(self, messages: Iterable[tuple[str, Message]], delay_seconds: int = 0) -> int:
        batch = list(messages)
        self.sent += batch
        self.delays += [delay_seconds] * len(batch)
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


def test_what_fell_due_just_now_is_sent_without_a_write(sweeps: Sweeps, monkeypatch: pytest.MonkeyPatch) -> None:
    sweeps.store.commit(Insert(due_invoice()))
    monkeypatch.delattr(MemoryStore, "lease")
    sweeps.sweep(NOON + FRESH_FOR - timedelta(seconds=1))
    assert len(sweeps.sent) == 1


def test_what_nobody_handled_within_a_minute_is_sent_again_and_then_left_alone_for_a_lease(sweeps: Sweeps) -> None:
    sweeps.store.commit(Insert(due_invoice()))
    minutes = []
    for minute in range(13):
        sweeps.sent.clear()
        sweeps.sweep(NOON + timedelta(minutes=minute))
        minutes += [minute] * len(sweeps.sent)
    assert minutes == [0, 1, 6, 7, 12]


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

    def lose(_: Iterable[tuple[str, Message]], delay_seconds: int) -> int:
        raise TryAgain("SQS is down")

    with monkeypatch.context() as down:
        down.setattr(sweeps, "send", lose)
        with pytest.raises(TryAgain):
            sweeps.sweep(LATE)
    sweeps.sweep(LATE + LEASE)
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
        sweeps.sweep(LATE)
    assert [message.key for _, message in sweeps.sent] == [item.key for item in taken]


def test_more_than_a_page_is_swept_oldest_first_and_no_shard_waits_for_another(sweeps: Sweeps) -> None:
    """One shard has two and a half pages; the others are asked in between."""
    crowded = [reminded_invoice(n, NOON - timedelta(minutes=n)) for n in range(2 * PAGE + 50)]
    others = (replace(reminded_invoice(0), client=f"client_{n}") for n in range(100))
    other = next(one for one in others if shard(one) != shard(crowded[0]))
    for row in [*crowded, other]:
        sweeps.store.commit(Insert(row))
    swept = sweeps.sweep()
    assert (swept.woken, swept.complete) == (2 * PAGE + 51, True)
    sent = [message.key for _, message in sweeps.sent]
    assert sent.index(other.key) <= PAGE
    assert [key for key in sent if key != other.key] == [row.key for row in reversed(crowded)]


def test_a_sweep_stops_well_before_its_time_is_over(sweeps: Sweeps) -> None:
    for n in range(3 * PAGE):
        sweeps.store.commit(Insert(reminded_invoice(n)))
    pages = shard(reminded_invoice(0)) + 1
    left = iter([50.0] * (1 + pages) + [STOP_WITH_SECONDS_LEFT])
    swept = sweeps.sweep(LATE, seconds_left=lambda: next(left))
    assert swept == Swept(PAGE, 0, pages, complete=False, behind_seconds=60)
    assert sweeps.sweep(LATE + timedelta(minutes=1)).woken == 2 * PAGE


def test_what_an_index_that_lags_behind_still_shows_is_not_sent(
    sweeps: Sweeps, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = [DueItem(reminded_invoice(n).key, f"{NOON:%FT%TZ}#remind") for n in range(PAGE)]
    monkeypatch.setattr(sweeps.store, "due", lambda shard, until, limit, after: [] if after else stale)
    assert sweeps.sweep(LATE) == Swept(woken=0, moved=4 * PAGE, pages=8, complete=True, behind_seconds=60)
    assert sweeps.sent == []


# ------------------------------------------------------------------------------------------------- each to its turn

A_MINUTE = IN_TURN["charge"] * MINUTE


def charges(count: int) -> list[Invoice]:
    """So many of one account, due at noon."""
    return [replace(due_invoice(), invoice_id=f"inv_{n:05d}") for n in range(count)]


def test_charges_that_are_due_at_once_are_sent_each_to_its_second(sweeps: Sweeps) -> None:
    """Stripe takes 25 requests a second: 24 are begun in each."""
    rows = charges(A_MINUTE + PAGE)
    for row in rows:
        sweeps.store.commit(Insert(row))
    swept = sweeps.sweep()
    assert (swept.woken, swept.complete) == (A_MINUTE, False)
    assert swept.held_back > 0
    assert [message.key for _, message in sweeps.sent] == [row.key for row in rows[:A_MINUTE]]
    assert sweeps.delays == [ceil(n / 24) for n in range(A_MINUTE)]


def test_what_has_no_turn_in_this_minute_has_one_in_the_next(sweeps: Sweeps) -> None:
    rows = charges(A_MINUTE + PAGE)
    for row in rows:
        sweeps.store.commit(Insert(row))
    sweeps.sweep()
    for row in rows[:A_MINUTE]:
        sweeps.store.commit(Update(replace(row, version=2, charge_at=None)))
    sweeps.sent.clear()
    assert sweeps.sweep(LATE) == Swept(PAGE, 0, 5, complete=True, behind_seconds=60)
    assert [message.key for _, message in sweeps.sent] == [row.key for row in rows[A_MINUTE:]]


def test_a_charge_is_leased_for_as_long_as_it_waits_for_its_turn(sweeps: Sweeps) -> None:
    rows = charges(A_MINUTE)
    for row in rows:
        sweeps.store.commit(Insert(row))
    sweeps.sweep(LATE)
    turn = timedelta(seconds=MINUTE - 1)
    assert sweeps.store.due_entry(rows[-1].key) == f"{LATE + turn + LEASE:%Y-%m-%dT%H:%M:%SZ}#charge"


def test_a_sweep_that_was_slower_than_the_turns_it_gave_sends_at_once(sweeps: Sweeps) -> None:
    for row in charges(3 * 24):
        sweeps.store.commit(Insert(row))
    left = chain([50.0, 50.0], repeat(48.5))
    sweeps.sweep(seconds_left=lambda: next(left))
    assert sweeps.delays == [max(0, ceil(n / 24 - 1.5)) for n in range(3 * 24)]
    assert set(sweeps.delays) == {0, 1, 2}


def test_a_crowd_of_charges_holds_up_nothing_else(sweeps: Sweeps) -> None:
    """They have shards of their own, of which no more is read than a minute takes."""
    for row in [*charges(A_MINUTE + 5 * PAGE), reminded_invoice(99_999)]:
        sweeps.store.commit(Insert(row))
    swept = sweeps.sweep()
    assert ("send_email", Message("remind", reminded_invoice(99_999).key)) in sweeps.sent
    assert swept.pages == A_MINUTE // PAGE + 1 + 3


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
    assert sweeps.sweep(LATE).strange == 0, "its lease lasts"
    assert sweeps.sweep(NOON + LEASE).strange == 1


def test_a_sweep_tells_how_far_behind_it_is(sweeps: Sweeps) -> None:
    for client, due_for in (("ana", 30), ("ben", 90), ("cho", 60)):
        sweeps.store.commit(Insert(due_invoice(client, NOON - timedelta(seconds=due_for))))
    assert sweeps.sweep().behind_seconds == 90
    assert sweeps.sweep(LATE).behind_seconds == 90, "what was sent without a lease, and not handled since"
    assert sweeps.sweep(NOON + timedelta(minutes=2)).behind_seconds == 0, "what is leased is on its way"


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
        "held_back": 0,
    }
    assert stage.messages("charge_autopay") == [Message("charge", row.key)]
    printed = capsys.readouterr().out
    assert [line["woken"] for line in log_lines(printed)] == [0, 1]
    assert metrics_in(printed) == [("DueOldestAgeSeconds", 0), ("DueOldestAgeSeconds", 0)]
