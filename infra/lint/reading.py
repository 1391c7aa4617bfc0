"""What the rules read of a template, after SAM's transform: functions are AWS::Lambda::Function by then, their triggers
AWS::Lambda::EventSourceMapping.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from cfnlint.template import Template

Properties = Mapping[str, Any]


def resources(template: Template, resource_type: str) -> Iterator[tuple[str, Properties]]:
    """(logical id, properties) of every resource of that type."""
    for name, resource in template.get_resources(resource_type).items():
        yield name, resource.get("Properties", {})


def named_in(value: Any) -> str:
    """The logical id that a !Ref or a !GetAtt of one attribute names, "" for anything else."""
    if not isinstance(value, Mapping):
        return ""
    if "Ref" in value:
        return str(value["Ref"])
    attribute = value.get("Fn::GetAtt", "")
    return str(attribute.split(".")[0] if isinstance(attribute, str) else attribute[0])


def alarmed_queues(template: Template, metric: str) -> set[str]:
    """The logical ids of the queues whose `metric` an alarm with an action watches."""
    return {
        named_in(dimension.get("Value"))
        for _, alarm in resources(template, "AWS::CloudWatch::Alarm")
        if alarm.get("MetricName") == metric and alarm.get("AlarmActions")
        for dimension in alarm.get("Dimensions", [])
        if dimension.get("Name") == "QueueName"
    }
