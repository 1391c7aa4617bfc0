"""Judges the alarms of template.yaml on this machine: they and their runbooks can be tried before they are needed.

On AWS, CloudWatch makes metrics of log lines and queues and compares them. Here nothing feeds it and its emulator looks
at no dimension, so whoever asks for the alarms judges them first: by the definitions that were deployed, from the same
log lines and queues, and the emulator is told the state. Time is real here, whatever the simulated clock says.

Not judged: rates (not deployed here), what the front door, SES and Lambda measure of themselves, and the silence of the
schedule, as nothing happens here while time stands still. The silence of the night is judged by the simulated clock.
"""

import json
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from billing.reconciliation import Reconciliation
from infra.local.cloud import Cloud

JUDGED: Final = ("Kindbill", "AWS/SQS")
NIGHT: Final = "ReconciliationDrift"
"""The metric that each night which is over counts: an alarm on its silence asks when the last one was."""
OVER: Final = {
    "GreaterThanThreshold": lambda value, bound: value > bound,
    "LessThanThreshold": lambda value, bound: value < bound,
}

Name = tuple[str, str, frozenset[tuple[str, str]]]
"""Namespace, metric, dimensions."""
Series = Mapping[Name, list[tuple[float, float]]]
"""(when, value) of everything that was measured; instants in real seconds."""


@dataclass(frozen=True)
class Alarm:
    """An alarm as it is now. `name`: its logical id in the template · `says`: its description, which names its
    runbook · `value`: what it looked at."""

    name: str
    rings: bool
    says: str
    value: float


def judge(cloud: Cloud, nights: object, simulated_now: datetime) -> list[Alarm]:
    """Every alarm that can be judged here, those that ring first; the local cloud knows their states afterwards.

    `nights`: the row of the nightly reconciliation, whatever there is in its place before the first practice."""
    now = time.time()
    found = [
        alarm
        for page in cloud.cloudwatch.get_paginator("describe_alarms").paginate()
        for alarm in page["MetricAlarms"]
        if alarm["Namespace"] in JUDGED
    ]
    deployed = [alarm for alarm in found if not _hears_silence(alarm) or alarm["MetricName"] == NIGHT]
    longest = max((_looks_back(alarm) for alarm in deployed if not _hears_silence(alarm)), default=0)
    series = _measured(cloud, now - longest, now)
    judged = []
    for alarm in deployed:
        silence = _hears_silence(alarm)
        value = _nights(nights, simulated_now, _looks_back(alarm)) if silence else _value(alarm, series, now)
        rings = OVER[alarm["ComparisonOperator"]](value, alarm["Threshold"])
        state = "ALARM" if rings else "OK"
        if alarm["StateValue"] != state:
            cloud.cloudwatch.set_alarm_state(
                AlarmName=alarm["AlarmName"], StateValue=state, StateReason=f"{value:g} against {alarm['Threshold']:g}"
            )
        judged.append(Alarm(alarm["AlarmName"].split("-")[2], rings, alarm["AlarmDescription"], value))
    return sorted(judged, key=lambda alarm: (not alarm.rings, alarm.name))


def _looks_back(alarm: Mapping[str, Any]) -> int:
    return int(alarm["Period"]) * int(alarm["EvaluationPeriods"])


def _hears_silence(alarm: Mapping[str, Any]) -> bool:
    return bool(alarm["TreatMissingData"] == "breaching")


def _nights(nights: object, now: datetime, seconds: int) -> float:
    """1 where a night came to its end so lately, or the first is still to come; else 0."""
    if not isinstance(nights, Reconciliation):
        return 1.0
    heard = nights.finished_at or nights.since
    return float(now - heard <= timedelta(seconds=seconds))


def _value(alarm: Mapping[str, Any], series: Series, now: float) -> float:
    """The sum or the largest of what was measured in the alarm's periods; 0 where nothing was."""
    dimensions = frozenset((d["Name"], d["Value"]) for d in alarm["Dimensions"])
    points = series.get((alarm["Namespace"], alarm["MetricName"], dimensions), [])
    recent = [value for at, value in points if at > now - _looks_back(alarm)]
    return sum(recent) if alarm["Statistic"] == "Sum" else max(recent, default=0.0)


def _measured(cloud: Cloud, since: float, now: float) -> Series:
    series: dict[Name, list[tuple[float, float]]] = defaultdict(list)
    for line in _metric_lines(cloud, since):
        about = line["_aws"]
        for directive in about["CloudWatchMetrics"]:
            for names in directive["Dimensions"]:
                dimensions = frozenset((name, line[name]) for name in names)
                for metric in directive["Metrics"]:
                    name = (directive["Namespace"], metric["Name"], dimensions)
                    series[name].append((about["Timestamp"] / 1000, line[metric["Name"]]))
    for queue, messages in cloud.look_into_queues().items():
        dimensions = frozenset({("QueueName", queue)})
        oldest = min((message["SentTimestamp"] for message in messages), default=now)
        waiting = sum(message["IsVisible"] for message in messages)
        series["AWS/SQS", "ApproximateAgeOfOldestMessage", dimensions].append((now, now - oldest))
        series["AWS/SQS", "ApproximateNumberOfMessagesVisible", dimensions].append((now, waiting))
    return series


def _metric_lines(cloud: Cloud, since: float) -> Iterator[dict[str, Any]]:
    """What functions wrote in embedded metric format."""
    groups = cloud.logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{cloud.stack}-")["logGroups"]
    for group in groups:
        pages = cloud.logs.get_paginator("filter_log_events")
        for page in pages.paginate(logGroupName=group["logGroupName"], startTime=int(since * 1000)):
            yield from (json.loads(e["message"]) for e in page["events"] if e["message"].startswith('{"_aws"'))
