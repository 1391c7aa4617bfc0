"""The alarm that hears the silence of the night, as a local copy judges it: by the simulated clock."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from billing.reconciliation import armed
from infra.local.alarms import judge

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NIGHT = {
    "AlarmName": "kindbill-local-NoNightAlarm-1",
    "AlarmDescription": "no night",
    "Namespace": "Kindbill",
    "MetricName": "ReconciliationDrift",
    "Dimensions": [],
    "Statistic": "SampleCount",
    "Period": 3600,
    "EvaluationPeriods": 26,
    "Threshold": 1.0,
    "ComparisonOperator": "LessThanThreshold",
    "TreatMissingData": "breaching",
    "StateValue": "OK",
}
ROW = armed(NOW - timedelta(days=9))


class Cloud:
    """As much of a local cloud as the judge asks about one alarm."""

    stack = "kindbill-local"

    def __init__(self, *alarms: dict[str, Any]) -> None:
        self.told: list[tuple[str, str]] = []
        page = {"MetricAlarms": list(alarms)}
        self.cloudwatch = SimpleNamespace(
            get_paginator=lambda _: SimpleNamespace(paginate=lambda: [page]),
            set_alarm_state=lambda **told: self.told.append((told["AlarmName"], told["StateValue"])),
        )
        self.logs = SimpleNamespace(describe_log_groups=lambda **_: {"logGroups": []})

    def look_into_queues(self) -> dict[str, Any]:
        return {}


@pytest.mark.parametrize(
    ("nights", "rings"),
    [
        (None, False),
        (replace(ROW, finished_at=NOW - timedelta(hours=26)), False),
        (replace(ROW, finished_at=NOW - timedelta(hours=26, seconds=1)), True),
        (replace(ROW, finished_at=NOW - timedelta(hours=27), started_at=NOW - timedelta(hours=5)), True),
        (ROW, True),
        (armed(NOW - timedelta(hours=20)), False),
    ],
    ids=["no practice yet", "in time", "none since", "one that never ends", "never one", "the first is to come"],
)
def test_a_night_that_does_not_end_rings(nights: Any, rings: bool) -> None:
    cloud = Cloud(NIGHT)
    (alarm,) = judge(cloud, nights, NOW)  # type: ignore[arg-type]
    assert (alarm.name, alarm.rings) == ("NoNightAlarm", rings)
    assert cloud.told == ([(NIGHT["AlarmName"], "ALARM")] if rings else [])


def test_other_silence_is_not_judged_where_time_stands_still() -> None:
    assert judge(Cloud(NIGHT | {"MetricName": "DueOldestAgeSeconds"}), ROW, NOW) == []  # type: ignore[arg-type]
