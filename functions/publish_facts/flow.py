"""Which queues hear of which facts. The table's stream is the outbox: state and message cannot part, because the fact
that was committed *is* the message that is still to be sent.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from billing.facts import ROUTES, Message
from billing.ids import Key

SET_ASIDE: Final = "set_aside"
"""In place of a verb: the relay's own dead letter queue."""


def facts_of(records: Iterable[Mapping[str, Any]]) -> Iterator[Message]:
    """The inserted facts of stream records: rows that came new and have the attribute `kind`. The event source filters
    the same way; what slips through otherwise is no fact."""
    for record in records:
        image = record["dynamodb"].get("NewImage", {})
        if record["eventName"] == "INSERT" and "kind" in image:
            yield Message(image["kind"]["S"], Key(image["pk"]["S"], image["sk"]["S"]))


def routed(facts: Iterable[Message]) -> Iterator[tuple[str, Message]]:
    """Each fact once for every verb that looks at it.

    A kind without a route (a newer version wrote it, and was rolled back) is set aside for a person: dropped, it would
    stop what should have followed; left in the stream, it would hold up everybody's facts behind it for hours.
    """
    for fact in facts:
        for verb in ROUTES.get(fact.kind, (SET_ASIDE,)):
            yield verb, fact
