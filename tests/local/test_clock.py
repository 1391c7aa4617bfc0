"""The clock's words, and how it steps: from due instant to due instant, never past one."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from billing.ids import Key
from billing.ports import DueItem, Insert, Update
from infra.local.clock import WAKES_BEFORE_STUCK, Clock, Stuck, Time, read_instant, read_span
from infra.local.cloud import Cloud, Crashed
from infra.local.quiet import Quiet
from infra.local.stripe.server import StripeServer
from tests.fakes.store import MemoryStore

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text, span",
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("48h", timedelta(hours=48)),
        ("14d", timedelta(days=14)),
        ("47h59m", timedelta(hours=47, minutes=59)),
        ("1d2h3m4s", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("0s", timedelta()),
    ],
)
def test_a_length_of_time_is_read_as_people_write_it(text: str, span: timedelta) -> None:
    assert read_span(text) == span


@pytest.mark.parametrize("text", ["", "48", "h", "-1h", "1.5h", "48 h", "48h!", "two days", "99999999999999d"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"length of time|longer than time"):
        read_span(text)


def test_an_instant_needs_its_offset() -> None:
    assert read_instant("2026-12-01T01:00:00-08:00") == datetime(2026, 12, 1, 9, tzinfo=UTC)
    assert read_instant("2026-12-01T09:00:00Z") == datetime(2026, 12, 1, 9, tzinfo=UTC)
    with pytest.raises(ValueError, match="offset"):
        read_instant("2026-12-01T09:00:00")


@dataclass(frozen=True)
class Alarm:
    """A row that wants to be woken."""

    name: str
    version: int
    rings_at: datetime | None

    @property
    def key(self) -> Key:
        return Key(f"ALARM#{self.name}#", "ALARM#")

    @property
    def due(self) -> str | None:
        return f"{self.rings_at:%Y-%m-%dT%H:%M:%SZ}#ring" if self.rings_at else None


class Household:
    """Cloud, Stripe and quiet in one, as far as the clock sees them: alarms ring, whoever is woken turns them off.

    `deaf`: alarms that nobody turns off · `crashes`: how many sweeps end before they begin · `snoozes`: alarms that are
    set again, by how much, once · `engraved`: alarms that are never changed, only taken off the index.
    """

    def __init__(
        self,
        *alarms: Alarm,
        deaf: tuple[str, ...] = (),
        crashes: int = 0,
        snoozes: Mapping[str, timedelta] | None = None,
    ) -> None:
        self.table = "household"
        self.memory = MemoryStore(shards=4)
        for alarm in alarms:
            self.memory.commit(Insert(alarm))
        self.deaf = deaf
        self.crashes = crashes
        self.engraved: tuple[str, ...] = ()
        self.snoozes = dict(snoozes or {})
        self.rang: list[tuple[str, datetime]] = []
        self.times: list[datetime] = []
        self.sessions: list[datetime] = []
        self.clock = Clock(NOON)
        self.stripe = self
        self.dynamodb = self
        self.time = Time(self.clock, cast(Cloud, self), cast(StripeServer, self), cast(Quiet, self))

    def forward(self, until: datetime) -> None:
        asyncio.run(self.time.forward(until))

    # what the clock asks of the cloud

    def store(self) -> MemoryStore:
        return self.memory

    def put_item(self, TableName: str, Item: Mapping[str, Any]) -> None:  # noqa: N803 - boto's names
        assert TableName == self.table
        self.times.append(datetime.fromisoformat(Item["now"]["S"]))

    def invoke(self, verb: str, event: Mapping[str, object]) -> None:
        assert verb == "wake_due"
        if self.crashes:
            self.crashes -= 1
            raise Crashed("wake_due crashed")
        now = self.times[-1]
        for shard in range(4):
            for item in self.memory.due(shard, now, 100):
                self._ring(item, now)

    def _ring(self, item: DueItem, now: datetime) -> None:
        if now - datetime.fromisoformat(item.due_at.partition("#")[0]) >= timedelta(minutes=1):
            self.memory.lease(item, now + timedelta(minutes=5))
        alarm = self.memory.get(item.key)
        assert isinstance(alarm, Alarm)
        self.rang.append((alarm.name, now))
        if alarm.name in self.deaf:
            return
        if alarm.name in self.engraved:
            self.memory.set_due(alarm.key, None)
            return
        snooze = self.snoozes.pop(alarm.name, None)
        self.memory.commit(Update(replace(alarm, version=alarm.version + 1, rings_at=now + snooze if snooze else None)))

    # what it asks of Stripe, and of quiet

    def next_due(self) -> datetime | None:
        return min(self.sessions, default=None)

    def pump(self) -> None:
        self.sessions = [at for at in self.sessions if at > self.clock.now]

    async def settle(self) -> None:
        return


def test_time_passes_from_due_instant_to_due_instant_in_order() -> None:
    later, sooner = NOON + timedelta(hours=48), NOON + timedelta(hours=3)
    household = Household(Alarm("later", 1, later), Alarm("sooner", 1, sooner))
    household.forward(NOON + timedelta(hours=96))
    assert household.rang == [("sooner", sooner), ("later", later)]
    assert household.times == [sooner, later, NOON + timedelta(hours=96)]


def test_what_is_due_within_a_minute_happens_at_the_next_whole_one() -> None:
    household = Household(Alarm("tea", 1, NOON + timedelta(seconds=90)))
    household.forward(NOON + timedelta(hours=1))
    assert household.rang == [("tea", NOON + timedelta(minutes=2))]


def test_what_is_due_by_the_end_happens_even_within_a_minute() -> None:
    household = Household(Alarm("tea", 1, NOON + timedelta(seconds=80)))
    household.forward(NOON + timedelta(seconds=90))
    assert household.rang == [("tea", NOON + timedelta(seconds=90))]


def test_what_is_due_after_the_end_does_not_happen() -> None:
    household = Household(Alarm("tea", 1, NOON + timedelta(hours=48)))
    household.forward(NOON + timedelta(hours=47, minutes=59))
    assert household.rang == []
    household.forward(NOON + timedelta(hours=48))
    assert household.rang == [("tea", NOON + timedelta(hours=48))]


def test_work_created_on_the_way_happens_on_the_way() -> None:
    household = Household(Alarm("tea", 1, NOON + timedelta(hours=1)), snoozes={"tea": timedelta(hours=2)})
    household.forward(NOON + timedelta(hours=4))
    assert household.rang == [("tea", NOON + timedelta(hours=1)), ("tea", NOON + timedelta(hours=3))]


def test_stripes_own_time_is_a_step_too() -> None:
    household = Household()
    household.sessions = [NOON + timedelta(minutes=30)]
    household.forward(NOON + timedelta(hours=1))
    assert household.times == [NOON + timedelta(minutes=30), NOON + timedelta(hours=1)]
    assert household.sessions == []


def test_work_that_stays_due_stops_time_and_is_named() -> None:
    household = Household(Alarm("deaf", 1, NOON + timedelta(hours=1)), deaf=("deaf",))
    with pytest.raises(Stuck) as stuck:
        household.forward(NOON + timedelta(days=30))
    assert stuck.value.stuck == ["ALARM#deaf# ALARM# due since 2026-11-20T13:00:00Z#ring"]
    assert stuck.value.now < NOON + timedelta(hours=2)
    assert [at - NOON - timedelta(hours=1) for _, at in household.rang] == [
        timedelta(minutes=m) for m in (0, 1, 6, 7, 12)
    ], "the next sweep, and then whenever its lease has run out"


def test_a_sweep_that_crashed_is_repeated_as_the_next_minute_would() -> None:
    household = Household(Alarm("tea", 1, NOON + timedelta(hours=1)), crashes=2)
    household.forward(NOON + timedelta(hours=2))
    assert household.rang == [("tea", NOON + timedelta(hours=1))]


def test_sweeps_that_keep_crashing_stop_time() -> None:
    household = Household(Alarm("tea", 1, NOON + timedelta(hours=1)), crashes=WAKES_BEFORE_STUCK)
    with pytest.raises(Stuck) as stuck:
        household.forward(NOON + timedelta(hours=2))
    assert stuck.value.stuck == ["ALARM#tea# ALARM# due since 2026-11-20T13:00:00Z#ring"]


def test_work_that_stays_due_at_the_end_is_named_too() -> None:
    household = Household(Alarm("deaf", 1, NOON + timedelta(hours=1)), deaf=("deaf",))
    with pytest.raises(Stuck):
        household.forward(NOON + timedelta(hours=1))


def test_a_row_that_is_written_once_is_not_stuck_when_its_entry_is_gone() -> None:
    household = Household(Alarm("stone", 1, NOON + timedelta(hours=1)))
    household.engraved = ("stone",)
    household.forward(NOON + timedelta(days=1))
    assert household.rang == [("stone", NOON + timedelta(hours=1))]


def test_work_that_another_wake_concludes_is_not_stuck() -> None:
    household = Household(Alarm("slow", 1, NOON + timedelta(hours=1)), deaf=("slow",))

    def hears_the_second_time(item: DueItem, now: datetime) -> None:
        household.deaf = () if household.rang else ("slow",)
        Household._ring(household, item, now)

    household._ring = hears_the_second_time  # type: ignore[method-assign]
    household.forward(NOON + timedelta(hours=2))
    assert household.rang == [("slow", NOON + timedelta(hours=1)), ("slow", NOON + timedelta(hours=1, minutes=1))]


def test_time_does_not_go_back() -> None:
    household = Household()
    with pytest.raises(ValueError, match="does not go back"):
        household.forward(NOON - timedelta(seconds=1))
    assert household.times == []
