"""A function has the time that its calls may need: computed from template.yaml and the constants of the clients."""

import ast
from typing import Any

import pytest

from edges import aws, card_gateway, clearinghouse, deadline
from functions.wake_due.flow import STOP_WITH_SECONDS_LEFT
from infra import build
from tests.house.reach import ROOT, reach
from tests.house.test_template import ROUTE_OF, functions, template

AWS_TRY = aws.CONNECT_SECONDS + aws.READ_SECONDS
STRIPE_BACKOFF = 1
STRIPE_CALL = (card_gateway.RETRIES + 1) * (
    card_gateway.CONNECT_SECONDS + card_gateway.TIMEOUT_SECONDS
) + STRIPE_BACKOFF * card_gateway.RETRIES
GATEWAY_WAITS = 30


def time_out(verb: str) -> int:
    return int(functions()[verb].get("Timeout", template()["Globals"]["Function"]["Timeout"]))


def batch_size(verb: str) -> int:
    events: dict[str, Any] = functions()[verb].get("Events", {})
    return int(events.get("Messages", {}).get("Properties", {}).get("BatchSize", 0))


WORKERS = [verb for verb in build.VERBS if batch_size(verb)]
CALLED = sorted(set(ROUTE_OF.values()))


@pytest.mark.parametrize("verb", build.VERBS)
def test_a_handler_says_first_when_it_must_be_done(verb: str) -> None:
    tree = ast.parse((ROOT / "functions" / verb / "handler.py").read_text("utf-8"))
    (handler,) = (n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "handler")
    said = [ast.unparse(n) for n in ast.walk(handler) if isinstance(n, ast.Call)]
    wanted = {"deadline.answers(context)"} if verb in CALLED else set()
    wanted |= {"deadline.works(context)"} if verb in WORKERS or verb not in CALLED else set()
    assert {call for call in said if call.startswith("deadline.")} - {"deadline.seconds_left"} == wanted
    first = handler.body[1] if ast.get_docstring(handler) else handler.body[0]
    assert "deadline." in ast.unparse(first), "before anything that could take time"


def test_an_answer_is_given_before_the_front_door_hangs_up() -> None:
    assert deadline.ANSWER_WITHIN_SECONDS + 1 < GATEWAY_WAITS
    least = max(AWS_TRY, card_gateway.LEAST_SECONDS)
    assert 3 * least <= deadline.ANSWER_WITHIN_SECONDS, "a try that hangs leaves time for two more"


@pytest.mark.parametrize("verb", CALLED)
def test_a_function_that_is_called_has_the_time_to_answer(verb: str) -> None:
    assert time_out(verb) >= deadline.ANSWER_WITHIN_SECONDS + 1
    if verb not in WORKERS:
        assert time_out(verb) < GATEWAY_WAITS, "nobody would hear what it says later"


@pytest.mark.parametrize("verb", [verb for verb in build.VERBS if verb not in CALLED or verb in WORKERS])
def test_a_call_that_hangs_leaves_a_worker_time_for_another_and_for_the_queue(verb: str) -> None:
    assert time_out(verb) >= 2 * AWS_TRY + deadline.KEPT_SECONDS
    assert deadline.KEPT_SECONDS > AWS_TRY


@pytest.mark.parametrize("verb", WORKERS)
def test_every_record_of_a_batch_may_find_stripe_hanging(verb: str) -> None:
    if "stripe" not in reach(verb)[1] or verb in CALLED:
        assert batch_size(verb) <= 10
        return
    assert time_out(verb) >= batch_size(verb) * STRIPE_CALL + AWS_TRY + deadline.KEPT_SECONDS


def test_every_record_of_a_batch_may_find_the_clearinghouse_hanging() -> None:
    whole = batch_size("fetch_report") * clearinghouse.CALL_SECONDS + AWS_TRY + deadline.KEPT_SECONDS
    assert time_out("fetch_report") >= whole


def test_a_sweep_stops_while_its_last_call_can_still_end() -> None:
    assert STOP_WITH_SECONDS_LEFT >= AWS_TRY + deadline.KEPT_SECONDS + 1
    assert time_out("wake_due") < 60, "two sweeps do not overlap"
