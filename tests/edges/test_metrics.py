"""What is counted reaches CloudWatch as its embedded metric format says, and holds nothing but numbers."""

import json

import pytest

from billing.facts import FactKind
from edges import metrics
from edges.metrics import OF_FACT, Metric
from tests.fakes.stage import metrics_in


def test_a_count_is_a_line_that_cloudwatch_reads(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STAGE", "prod")
    metrics.count(Metric.RECONCILIATION_DRIFT, 0)
    metrics.seconds(Metric.DUE_OLDEST_AGE_SECONDS, 61)
    drift, age = map(json.loads, capsys.readouterr().out.splitlines())
    assert drift.pop("_aws")["CloudWatchMetrics"] == [
        {
            "Namespace": "Kindbill",
            "Dimensions": [["Stage"]],
            "Metrics": [{"Name": "ReconciliationDrift", "Unit": "Count"}],
        }
    ]
    assert drift == {"Stage": "prod", "ReconciliationDrift": 0}
    assert age["_aws"]["CloudWatchMetrics"][0]["Metrics"] == [{"Name": "DueOldestAgeSeconds", "Unit": "Seconds"}]
    assert age["DueOldestAgeSeconds"] == 61


def test_facts_that_nobody_listens_for_cost_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    metrics.count_facts([FactKind.INVOICE_ISSUED, FactKind.CHARGE_STARTED])
    assert capsys.readouterr().out == ""


def test_law_1_a_metric_says_how_many_and_nothing_about_anyone(capsys: pytest.CaptureFixture[str]) -> None:
    metrics.count_facts(FactKind)
    printed = capsys.readouterr().out
    assert dict(metrics_in(printed)) == dict.fromkeys(OF_FACT.values(), 1)
    line = json.loads(printed)
    assert {type(line[name]) for name in set(line) - {"_aws", "Stage"}} == {int}
