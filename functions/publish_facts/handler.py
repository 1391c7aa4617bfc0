"""Table stream -> work queues.

It raises when SQS did not take everything: the stream then gives the same records again, in order, and nothing is
lost. What was sent before is sent twice, which only makes a step look twice. A fact that nobody can be sent is set
aside alone.
"""

from collections.abc import Mapping
from typing import Any

from billing.ports import TryAgain
from edges import container, deadline, log, metrics
from functions.publish_facts.flow import SET_ASIDE, facts_of, routed


def handler(event: Mapping[str, Any], context: object) -> None:
    """Relay one batch. `relayed_through` is how an operator, and the local console, know how far the relay has come."""
    deadline.works(context)
    records = event["Records"]
    facts = list(facts_of(records))
    try:
        messages = list(routed(facts))
        sent = container.queues().send(messages)
    except TryAgain as passing:
        log.warning("not relayed yet", facts=len(facts), **log.about(passing))
        raise
    except Exception as failure:
        log.error("not relayed", facts=len(facts), **log.about(failure))
        raise
    if strange := sum(verb == SET_ASIDE for verb, _ in messages):
        log.error("set aside: facts without a route", facts=strange)
    metrics.count_facts(fact.kind for fact in facts)
    log.info("relayed", facts=len(facts), messages=sent, relayed_through=records[-1]["dynamodb"]["SequenceNumber"])
