"""Which queue feeds which step, read from template.yaml: the simulator delivers messages as the deployed system would.

A step's ports are read off the signature of its flow, so a new port or a new verb needs no entry here.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

from billing.facts import Message, WakeKind
from functions.read_claims import arriving, counting

TEMPLATE = Path(__file__).parents[2] / "template.yaml"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # which of the two is C is decided here
    """YAML with CloudFormation's short tags, kept as plain values."""


def _plain(loader: Any, _: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)


_Loader.add_multi_constructor("!", _plain)


@dataclass(frozen=True)
class Queue:
    """A verb's queue: how many records one invocation gets, how long a crashed one hides them, after how many receives
    a message goes to the dead letters, and how many invocations there may be at once (as AWS gives, where nothing is
    said)."""

    verb: str
    batch: int
    visibility: timedelta
    receives: int
    at_once: int


@dataclass(frozen=True)
class Wiring:
    """What of the template decides how messages travel. `webhooks`: event types that receive_stripe is sent."""

    queues: Mapping[str, Queue]
    shards: int


@cache
def wiring() -> Wiring:
    """The template's queues by verb, and the number of shards of the due index."""
    template = yaml.load(TEMPLATE.read_text(), _Loader)  # noqa: S506 - a subclass of the safe loader
    resources = template["Resources"]
    queues = {}
    for resource in resources.values():
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        verb = resource["Properties"]["FunctionName"].rpartition("-")[2]
        for event in resource["Properties"].get("Events", {}).values():
            if event["Type"] == "SQS":
                queue = resources[event["Properties"]["Queue"].partition(".")[0]]["Properties"]
                queues[verb] = Queue(
                    verb,
                    event["Properties"]["BatchSize"],
                    timedelta(seconds=queue["VisibilityTimeout"]),
                    queue["RedrivePolicy"]["maxReceiveCount"],
                    event["Properties"].get("ScalingConfig", {}).get("MaximumConcurrency", 1000),
                )
    return Wiring(queues, int(template["Globals"]["Function"]["Environment"]["Variables"]["DUE_SHARDS"]))


NOW_AND_THEN: Mapping[str, Callable[[Message, Mapping[str, Any], datetime], object]] = {
    WakeKind.UPLOAD: lambda message, ports, now: arriving.take_in(
        message, store=ports["store"], uploads=ports["uploads"], now=now
    ),
    WakeKind.COUNT: lambda message, ports, now: counting.count(
        message, store=ports["store"], has_time=lambda: True, now=now
    ),
}
"""What a queue's handler does beside its verb's flow."""


@cache
def _flow(verb: str) -> tuple[ModuleType, tuple[str, ...]]:
    flow = import_module(f"functions.{verb}.flow")
    wanted = inspect.signature(flow.run).parameters
    ports = (name for name, one in wanted.items() if one.default is inspect.Parameter.empty)
    return flow, tuple(name for name in ports if name not in ("message", "now"))


def run_step(verb: str, message: Message, ports: Mapping[str, Any], now: datetime) -> None:
    """Run the verb's production flow on one message with the ports its signature asks for."""
    now_and_then = NOW_AND_THEN.get(message.kind)
    if now_and_then is not None:
        now_and_then(message, ports, now)
        return
    flow, wanted = _flow(verb)
    # Its `run` is looked up anew: a planted bug may have replaced it.
    flow.run(message, **{name: ports[name] for name in wanted}, now=now)
