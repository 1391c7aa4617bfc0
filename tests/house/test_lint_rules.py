"""Our own template rules bite: each is shown a template with the mistake, and one without it."""

from pathlib import Path
from typing import Any

import pytest
from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

from infra.lint.dead_letters import DeadLettersAreHeard
from infra.lint.deletion_policy import DeletionPolicyIsPlain
from infra.lint.own_role import FunctionsHaveTheirOwn
from infra.lint.visibility import VisibilityOutlastsTheFunction
from infra.lint.waiting import WaitingIsHeard


def found(rule: CloudFormationLintRule, resources: dict[str, Any], **template: Any) -> list[str]:
    """What the rule says about a template of these resources."""
    matches: list[RuleMatch] = rule.match(Template("template.yaml", {"Resources": resources, **template}))
    return [match.message for match in matches]


def a_worker(timeout: int = 30, **function: Any) -> dict[str, Any]:
    """A function with its queue, dead letters, alarm, role and log group, all as they should be."""
    return {
        "Work": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Timeout": timeout,
                "Role": {"Fn::GetAtt": ["WorkRole", "Arn"]},
                "LoggingConfig": {"LogGroup": {"Ref": "WorkLogs"}},
                **function,
            },
        },
        "WorkRole": {"Type": "AWS::IAM::Role", "Properties": {}},
        "WorkLogs": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 14}},
        "WorkMessages": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {"EventSourceArn": {"Fn::GetAtt": ["WorkQueue", "Arn"]}, "FunctionName": {"Ref": "Work"}},
        },
        "WorkQueue": {
            "Type": "AWS::SQS::Queue",
            "Properties": {
                "VisibilityTimeout": 180,
                "RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["WorkDead", "Arn"]}, "maxReceiveCount": 6},
            },
        },
        "WorkDead": {"Type": "AWS::SQS::Queue", "Properties": {}},
        "WorkAlarm": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "MetricName": "ApproximateNumberOfMessagesVisible",
                "Dimensions": [{"Name": "QueueName", "Value": {"Fn::GetAtt": ["WorkDead", "QueueName"]}}],
                "AlarmActions": [{"Ref": "Alarms"}],
            },
        },
        "WaitsAlarm": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "MetricName": "ApproximateAgeOfOldestMessage",
                "Dimensions": [{"Name": "QueueName", "Value": {"Fn::GetAtt": ["WorkQueue", "QueueName"]}}],
                "AlarmActions": [{"Ref": "Alarms"}],
            },
        },
    }


RULES = (
    DeletionPolicyIsPlain(),
    VisibilityOutlastsTheFunction(),
    DeadLettersAreHeard(),
    FunctionsHaveTheirOwn(),
    WaitingIsHeard(),
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_template_as_it_should_be_passes(rule: CloudFormationLintRule) -> None:
    assert found(rule, a_worker()) == []


def test_an_intrinsic_deletion_policy_is_refused() -> None:
    table = {"Table": {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": {"Fn::If": ["IsLocal", "Delete", "Retain"]}}}
    assert found(DeletionPolicyIsPlain(), table) == [
        "DeletionPolicy of Table needs the transform AWS::LanguageExtensions"
    ]


def test_an_intrinsic_deletion_policy_is_taken_under_language_extensions() -> None:
    table = {"Table": {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": {"Fn::If": ["IsLocal", "Delete", "Retain"]}}}
    transforms = ["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"]
    assert found(DeletionPolicyIsPlain(), table, Transform=transforms) == []


def test_a_queue_that_shows_messages_too_soon_is_refused() -> None:
    assert found(VisibilityOutlastsTheFunction(), a_worker(timeout=31)) == [
        "WorkQueue shows a message again after 180 s; Work needs 186 s"
    ]


def test_the_defaults_of_a_queue_and_a_function_count() -> None:
    resources = a_worker()
    del resources["WorkQueue"]["Properties"]["VisibilityTimeout"]
    assert found(VisibilityOutlastsTheFunction(), resources) == [
        "WorkQueue shows a message again after 30 s; Work needs 180 s"
    ]


def test_a_working_queue_without_dead_letters_is_refused() -> None:
    resources = a_worker()
    del resources["WorkQueue"]["Properties"]["RedrivePolicy"]
    assert found(DeadLettersAreHeard(), resources) == [
        "WorkQueue feeds a function, but has no RedrivePolicy: a poison message comes back for days"
    ]


@pytest.mark.parametrize("missing", ["MetricName", "Dimensions", "AlarmActions"])
def test_dead_letters_that_nobody_hears_of_are_refused(missing: str) -> None:
    resources = a_worker()
    del resources["WorkAlarm"]["Properties"][missing]
    assert found(DeadLettersAreHeard(), resources) == [
        "WorkDead holds dead letters, but no alarm with an action watches its ApproximateNumberOfMessagesVisible"
    ]


@pytest.mark.parametrize("missing", ["MetricName", "Dimensions", "AlarmActions"])
def test_a_queue_that_nobody_hears_waiting_is_refused(missing: str) -> None:
    resources = a_worker()
    del resources["WaitsAlarm"]["Properties"][missing]
    assert found(WaitingIsHeard(), resources) == [
        "WorkQueue feeds a function, but no alarm with an action watches its ApproximateAgeOfOldestMessage"
    ]


def test_a_shared_role_is_refused_for_both_functions() -> None:
    resources = a_worker()
    resources["Other"] = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Role": {"Fn::GetAtt": ["WorkRole", "Arn"]},
            "LoggingConfig": {"LogGroup": {"Ref": "OtherLogs"}},
        },
    }
    resources["OtherLogs"] = {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 14}}
    assert found(FunctionsHaveTheirOwn(), resources) == [
        "Work has no role of its own in this template",
        "Other has no role of its own in this template",
    ]


def test_a_log_group_that_keeps_for_ever_is_refused() -> None:
    resources = a_worker()
    resources["WorkLogs"]["Properties"] = {}
    assert found(FunctionsHaveTheirOwn(), resources) == ["Work has no log group of its own with RetentionInDays"]


def test_a_function_without_a_declared_log_group_is_refused() -> None:
    resources = a_worker()
    del resources["Work"]["Properties"]["LoggingConfig"]
    assert found(FunctionsHaveTheirOwn(), resources) == ["Work has no log group of its own with RetentionInDays"]


def test_every_rule_of_the_folder_is_tested_here() -> None:
    folder = Path(__file__).parents[2] / "infra" / "lint"
    rules = {file.stem for file in folder.glob("*.py")} - {"__init__", "__main__", "reading"}
    assert rules == {type(rule).__module__.rsplit(".", 1)[-1] for rule in RULES}
