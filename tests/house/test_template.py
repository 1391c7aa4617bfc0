"""template.yaml and the code name the same things: functions, queues, routes, settings. Lint cannot know that."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest
import yaml

from billing.facts import ROUTES
from infra import build
from infra.local.cloud import DEAD_LETTERS, DUE_SHARDS, WORK_QUEUES
from tests.house.reach import ROOT, reach

SETTING = re.compile(r'_given\("([A-Z_]+)"\)|values\.get\("([A-Z_]+)"|os\.environ\.get\("([A-Z_]+)"')
QUEUE_SENDERS = {"publish_facts", "wake_due", "reconcile"}


class Tagged(yaml.SafeLoader):
    """Reads CloudFormation's short tags as the functions they stand for."""


def _intrinsic(loader: Tagged, suffix: str, node: yaml.Node) -> Any:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {name: loader.construct_mapping(node, deep=True)}


Tagged.add_multi_constructor("!", _intrinsic)


@cache
def template() -> Mapping[str, Any]:
    loaded: Mapping[str, Any] = yaml.load((ROOT / "template.yaml").read_text("utf-8"), Loader=Tagged)  # noqa: S506
    return loaded


def of_type(resource_type: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, resource in template()["Resources"].items():
        if resource["Type"] == resource_type:
            yield name, resource["Properties"]


def functions() -> dict[str, Mapping[str, Any]]:
    """Verb -> its function's properties."""
    return {p["Handler"].split(".")[1]: p for _, p in of_type("AWS::Serverless::Function")}


def environment(verb: str) -> set[str]:
    shared = set(template()["Globals"]["Function"]["Environment"]["Variables"])
    return shared | set(functions()[verb]["Environment"]["Variables"])


def camel(verb: str) -> str:
    return "".join(part.capitalize() for part in verb.split("_"))


def test_every_folder_is_a_function_and_every_function_a_folder() -> None:
    folders = {f.name for f in (ROOT / "functions").iterdir() if (f / "handler.py").exists()}
    assert set(functions()) == folders


@pytest.mark.parametrize("verb", build.VERBS)
def test_a_function_is_named_after_its_folder(verb: str) -> None:
    properties = functions()[verb]
    assert properties["Handler"] == f"functions.{verb}.handler.handler"
    assert properties["CodeUri"] == f"build/{verb}/"
    assert properties["FunctionName"] == {"Fn::Sub": f"kindbill-${{Stage}}-{verb}"}
    assert properties["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"] == verb


def test_every_verb_that_facts_are_routed_to_has_a_queue_and_no_other() -> None:
    routed = {verb for verbs in ROUTES.values() for verb in verbs}
    fed = {
        verb
        for verb, properties in functions().items()
        for event in properties.get("Events", {}).values()
        if event["Type"] == "SQS"
    }
    assert routed == fed == set(WORK_QUEUES)


@pytest.mark.parametrize("verb", WORK_QUEUES)
def test_a_batch_reports_its_failed_records_one_by_one(verb: str) -> None:
    event = functions()[verb]["Events"]["Messages"]["Properties"]
    assert event["Queue"] == {"Fn::GetAtt": f"{camel(verb)}Queue.Arn"}
    assert event["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


@pytest.mark.parametrize("verb", sorted(QUEUE_SENDERS))
def test_only_the_senders_know_the_queues_and_know_all(verb: str) -> None:
    known = {name for name in environment(verb) if name.startswith("QUEUE_")}
    assert known - {"QUEUE_SET_ASIDE"} == {f"QUEUE_{queue.upper()}" for queue in WORK_QUEUES}
    assert not any(n.startswith("QUEUE_") for other in set(functions()) - QUEUE_SENDERS for n in environment(other))


@pytest.mark.parametrize("verb", build.VERBS)
def test_a_function_is_given_every_setting_its_code_may_read(verb: str) -> None:
    modules, _ = reach(verb)
    sources = [(ROOT / source_of(module)).read_text("utf-8") for module in modules if module.startswith("edges.")]
    read = {name for source in sources for groups in SETTING.findall(source) for name in groups if name}
    assert read <= environment(verb)


def source_of(module: str) -> str:
    path = module.replace(".", "/")
    return f"{path}/__init__.py" if (ROOT / path).is_dir() else f"{path}.py"


def test_no_setting_is_given_that_nobody_reads() -> None:
    sources = [file.read_text("utf-8") for file in (ROOT / "edges").rglob("*.py")]
    read = {name for source in sources for groups in SETTING.findall(source) for name in groups if name}
    given = set(template()["Globals"]["Function"]["Environment"]["Variables"]) | {"POWERTOOLS_SERVICE_NAME"}
    assert given == read


def test_the_parameters_are_the_five_that_may_differ() -> None:
    assert list(template()["Parameters"]) == [
        "Stage",
        "PublicBaseUrl",
        "StripeApiBase",
        "ClearinghouseApiBase",
        "ClockItem",
    ]


def test_the_local_cloud_counts_as_many_shards_as_the_functions() -> None:
    assert template()["Globals"]["Function"]["Environment"]["Variables"]["DUE_SHARDS"] == str(DUE_SHARDS)


@pytest.mark.parametrize("verb", DEAD_LETTERS)
def test_dead_letters_can_be_found_by_whoever_sends_them_again(verb: str) -> None:
    assert template()["Outputs"][f"{camel(verb)}DeadLettersUrl"] == {"Value": {"Ref": f"{camel(verb)}DeadLetters"}}


def test_whatever_waits_in_a_queue_waits_two_weeks() -> None:
    """As long as SQS keeps anything: a step may be stopped over a long weekend, and a dead letter keeps its age."""
    assert {queue["MessageRetentionPeriod"] for _, queue in of_type("AWS::SQS::Queue")} == {14 * 86_400}


def test_every_dead_letter_queue_is_one_that_redrive_knows() -> None:
    queues = {
        name.removesuffix("DeadLetters") for name, _ in of_type("AWS::SQS::Queue") if name.endswith("DeadLetters")
    }
    assert queues == {camel(verb) for verb in DEAD_LETTERS}


ROUTE_OF = {
    "POST /v1/claim-results": "ingest_claims",
    "POST /v1/claim-results/uploads": "ingest_claims",
    "POST /v1/clients/{client_id}/plans": "create_plan",
    "POST /v1/plans/{plan_id}/end": "change_invoice",
    "POST /v1/invoices/{invoice_id}/void": "change_invoice",
    "POST /v1/invoices/{invoice_id}/write-off": "change_invoice",
    "POST /v1/invoices/{invoice_id}/payments": "change_invoice",
    "POST /v1/invoices/{invoice_id}/refunds": "change_invoice",
    "POST /v1/invoices/{invoice_id}/reviews": "change_invoice",
    "POST /v1/reviews/{review_id}/decision": "change_invoice",
    "POST /webhooks/stripe": "receive_stripe",
    "POST /webhooks/clearinghouse": "receive_clearinghouse",
    "ANY /v1/{proxy+}": "serve_practice",
    "GET /health": "serve_practice",
    "$default": "serve_practice",
    "ANY /pay": "serve_client",
    "ANY /pay/{proxy+}": "serve_client",
    "GET /static/{proxy+}": "serve_client",
}


def test_every_address_reaches_the_function_that_serves_it() -> None:
    integrations = {
        name: p["IntegrationUri"]["Fn::GetAtt"].removesuffix(".Arn")
        for name, p in of_type("AWS::ApiGatewayV2::Integration")
    }
    routes = {
        p["RouteKey"]: integrations[p["Target"]["Fn::Sub"].removeprefix("integrations/${").removesuffix("}")]
        for _, p in of_type("AWS::ApiGatewayV2::Route")
    }
    assert routes == {key: camel(verb) for key, verb in ROUTE_OF.items()}


def test_every_door_has_a_limit_and_each_limit_a_door() -> None:
    """Requests per second; routes without limits of their own have the stage's."""
    stage = template()["Resources"]["ApiStage"]
    limits = stage["Properties"]["RouteSettings"]
    for one in (*limits.values(), stage["Properties"]["DefaultRouteSettings"]):
        assert one["ThrottlingRateLimit"] <= 100
        assert one["ThrottlingBurstLimit"] == 2 * one["ThrottlingRateLimit"]
    routes = {p["RouteKey"]: name for name, p in of_type("AWS::ApiGatewayV2::Route")}
    assert sorted(stage["DependsOn"]) == sorted(routes[key] for key in limits), "AWS refuses limits of a route to come"


def test_law_1_an_access_log_says_the_route_and_never_the_path() -> None:
    """A path can carry a pay link, whose reader must not be able to open it, and a client's id."""
    said = template()["Resources"]["ApiStage"]["Properties"]["AccessLogSettings"]["Format"]
    known = {"requestId", "requestTime", "routeKey", "status", "responseLatency", "integrationErrorMessage"}
    assert set(re.findall(r"\$context\.(\w+)", said)) == known


def test_whatever_the_front_door_calls_it_may_call() -> None:
    allowed = {p["FunctionName"]["Ref"] for _, p in of_type("AWS::Lambda::Permission")}
    assert allowed == {camel(verb) for verb in ROUTE_OF.values()}


def test_the_relay_hears_of_inserted_facts_only_and_lets_poison_leave() -> None:
    stream = functions()["publish_facts"]["Events"]["Stream"]["Properties"]
    assert [f["Pattern"] for f in stream["FilterCriteria"]["Filters"]] == [
        '{"eventName":["INSERT"],"dynamodb":{"NewImage":{"kind":{"S":[{"exists":true}]}}}}'
    ]
    assert stream["BisectBatchOnFunctionError"] is True
    assert "MaximumRecordAgeInSeconds" in stream
    assert "OnFailure" in stream["DestinationConfig"]


def test_real_stages_cannot_have_a_simulated_clock() -> None:
    rule = template()["Rules"]["TimeIsRealWhereMoneyIs"]
    assert rule["RuleCondition"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "Stage"}, "local"]}]}
    assert rule["Assertions"][0]["Assert"] == {"Fn::Equals": [{"Ref": "ClockItem"}, ""]}


def secrets_of(verb: str) -> set[str]:
    role = template()["Resources"][f"{camel(verb)}Role"]["Properties"]
    statements = role["Policies"][0]["PolicyDocument"]["Statement"]
    return {
        s["Resource"]["Fn::GetAtt"].removesuffix(".Id")
        for s in statements
        if s["Action"] == "secretsmanager:GetSecretValue"
    }


@pytest.mark.parametrize("verb", build.VERBS)
def test_a_role_opens_the_secrets_its_code_asks_for_and_no_other(verb: str) -> None:
    modules, packages = reach(verb)
    needed = {"StripeKey"} if "stripe" in packages else set()
    needed |= {"LinkSecret"} if "edges.links" in modules else set()
    needed |= {"StripeWebhookSecret"} if verb == "receive_stripe" else set()
    needed |= {"ClearinghouseKeys"} if "edges.clearinghouse_keys" in modules else set()
    assert secrets_of(verb) == needed
