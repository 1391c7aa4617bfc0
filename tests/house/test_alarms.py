"""Every alarm can ring, calls somebody, and has a runbook; the dashboard shows what the alarms are about."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from edges.metrics import NAMESPACE, OF_FACT, Metric
from tests.house.reach import ROOT
from tests.house.test_template import ROUTE_OF, camel, functions, of_type

ALARMS = dict(of_type("AWS::CloudWatch::Alarm"))
RUNBOOK = re.compile(r": docs/operations\.md, (.+)$")


def headings() -> set[str]:
    lines = (ROOT / "docs" / "operations.md").read_text("utf-8").splitlines()
    return {line.lstrip("# ").lower() for line in lines if line.startswith("###")}


def runbook_of(alarm: str) -> str:
    found = RUNBOOK.search(ALARMS[alarm]["AlarmDescription"])
    return found[1].lower() if found else "(none)"


@pytest.mark.parametrize("alarm", ALARMS)
def test_an_alarm_names_a_runbook_that_there_is(alarm: str) -> None:
    assert runbook_of(alarm) in headings()


def test_every_runbook_is_some_alarms() -> None:
    assert headings() == {runbook_of(alarm) for alarm in ALARMS}


@pytest.mark.parametrize("alarm", ALARMS)
def test_an_alarm_calls_somebody_and_tells_them_when_it_is_over(alarm: str) -> None:
    topic = [{"Ref": "Alarms"}]
    assert (ALARMS[alarm]["AlarmActions"], ALARMS[alarm]["OKActions"]) == (topic, topic)


def watched(alarm: Mapping[str, Any]) -> Iterator[tuple[str, str, list[Any]]]:
    """(namespace, metric, dimensions) of everything an alarm looks at."""
    for query in alarm.get("Metrics", ()):
        if "MetricStat" in query:
            metric = query["MetricStat"]["Metric"]
            yield metric["Namespace"], metric["MetricName"], metric["Dimensions"]
    if "MetricName" in alarm:
        yield alarm["Namespace"], alarm["MetricName"], alarm.get("Dimensions", [])


def test_what_an_alarm_watches_of_ours_is_counted_under_that_name() -> None:
    ours = [
        (metric, dimensions) for a in ALARMS.values() for space, metric, dimensions in watched(a) if space == NAMESPACE
    ]
    assert {metric for metric, _ in ours} <= set(Metric)
    assert all(dimensions == [{"Name": "Stage", "Value": {"Ref": "Stage"}}] for _, dimensions in ours)


def test_what_a_rate_calculates_with_is_defined_beside_it() -> None:
    for alarm in ALARMS.values():
        queries = {query["Id"]: query for query in alarm.get("Metrics", ())}
        for query in queries.values():
            names = set(re.findall(r"[a-z]\w*", query.get("Expression", "")))
            assert names <= set(queries)
        if queries:
            assert [q["Id"] for q in queries.values() if q["ReturnData"]] == ["rate"]


@pytest.mark.parametrize("verb", sorted(functions()))
def test_a_function_that_stops_working_is_heard(verb: str) -> None:
    """By its crashes where somebody waits, by its dead letters where nobody does."""
    called = verb in ROUTE_OF.values()
    assert not called or f"{camel(verb)}ErrorsAlarm" in ALARMS
    assert (called and not functions()[verb].get("Events")) or f"{camel(verb)}DeadLettersAlarm" in ALARMS


# ------------------------------------------------------------------------------------------------------ dashboard


def dashboard() -> dict[str, Any]:
    (properties,) = (properties for _, properties in of_type("AWS::CloudWatch::Dashboard"))
    body: dict[str, Any] = json.loads(properties["DashboardBody"]["Fn::Sub"])
    return body


def shown() -> set[str]:
    """Every name that a line of the dashboard is made from."""
    lines = [line for widget in dashboard()["widgets"] for line in widget["properties"]["metrics"]]
    return {part for line in lines for part in line if isinstance(part, str)}


def test_the_dashboard_shows_everything_that_is_counted() -> None:
    assert set(Metric) <= shown()


def test_the_dashboard_shows_every_queue() -> None:
    assert {f"${{{name}.QueueName}}" for name, _ in of_type("AWS::SQS::Queue")} <= shown()


def test_no_widget_lies_over_another() -> None:
    places = [
        (x, y)
        for widget in dashboard()["widgets"]
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    ]
    assert len(places) == len(set(places))
    assert max(x for x, _ in places) < 24


def test_every_counted_fact_has_a_metric_of_its_own() -> None:
    assert len(set(OF_FACT.values())) == len(OF_FACT)
