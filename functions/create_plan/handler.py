"""Two ways in: a practice's system asks for a plan (API), or an instalment is due (queue)."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from billing.facts import Message
from billing.ports import Store
from edges import container, deadline
from edges.aws import client
from edges.clock import Clock
from edges.settings import Settings
from edges.sqs import each_record
from edges.store import DynamoStore
from functions.create_plan import flow


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """A batch of the queue, or a call of the API gateway."""
    if "Records" in event:
        deadline.works(context)
        return dict(_issue(event))
    deadline.answers(context)
    return _answer(event)


def _issue(event: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
    store, clock = _ports()

    def handle(message: Message) -> None:
        flow.run(message, store=store, now=clock.now())

    return each_record(event, handle, client("sqs"))


def _answer(event: Mapping[str, Any]) -> dict[str, Any]:
    # Imported when asked: instalments, the most of this function's work, need neither pydantic nor stripe.
    from edges.http import Request
    from edges.inbound.door import answered
    from functions.create_plan.api import post_plan

    request = Request.of(event)

    def act() -> dict[str, Any]:
        store, clock = _ports()
        return post_plan(request, store=store, cards=container.cards(), now=clock.now())

    return answered(request, act)


@cache
def _ports() -> tuple[Store, Clock]:
    settings = Settings.from_env()
    table = client("dynamodb")
    return DynamoStore(table, settings.table, settings.due_shards), Clock(settings, table)
