"""Bodies whose messages may have been lost: was the body read to its end, and has each of its results a verdict? What
is missing can be sent again; a message means *look*, so one too many does nothing.
"""

from collections.abc import Sequence

from billing.claim_state import ClaimState, ReadElement, Slice, claim_state_key, result_key
from billing.facts import FactKind, Message
from billing.ids import Key
from billing.ports import Store


def lost_messages(store: Store, body: Key) -> list[Message]:
    """Every message that a body waits for, all of it read at once."""
    slices = slices_of(store, body)
    return [*unread(body, slices), *unjudged(store, slices, results_of(slices))]


def slices_of(store: Store, body: Key) -> list[Slice]:
    """What was read of the body so far; the body itself, which may be large, is not touched."""
    return [row for row in store.partition(body.pk, "SLICE#") if isinstance(row, Slice)]


def results_of(slices: Sequence[Slice]) -> list[ReadElement]:
    """The claims in it that are results, in their order."""
    return [element for one in slices for element in one.elements if element.result]


def unread(body: Key, slices: Sequence[Slice]) -> list[Message]:
    """The message that makes the reader go on, where it has not come to the end."""
    if not slices:
        return [Message(FactKind.CLAIM_BODY_STORED, body)]
    return [] if slices[-1].last else [Message(FactKind.CLAIM_SLICE_READ, slices[-1].key)]


def unjudged(store: Store, slices: Sequence[Slice], results: Sequence[ReadElement]) -> list[Message]:
    """A message for each of these results that has no verdict."""
    if not results:
        return []
    practice = slices[0].practice
    claims = sorted({element.claim_id for element in results})
    states = store.get_many([claim_state_key(practice, claim) for claim in claims])
    judged = {(s.claim_id, v.result) for s in states if isinstance(s, ClaimState) for v in s.verdicts}
    return [
        Message(FactKind.CLAIM_RESULT_RECEIVED, result_key(practice, element.claim_id, element.result))
        for element in results
        if (element.claim_id, element.result) not in judged
    ]
