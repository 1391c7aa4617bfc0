"""Planted bugs about claim results: what is billed, to whom, and how often."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any
from unittest.mock import patch

from billing import dunning, issuing, standing
from billing.claim import Group
from billing.claim_file import ClaimFile
from billing.ids import invoice_id
from billing.ports import Insert, Write
from billing.standing import Standing
from tests.sim.mutants.planted import planted


@planted("a discount billed to the patient", found="invariant 11 ", seed=1)
def a_contractual_discount_is_billed() -> Iterator[None]:
    """What the provider agreed to write off (CO) is added to what the patient owes (PR)."""
    real = issuing.stand

    def with_the_discount(*known: Any) -> Standing:
        right = real(*known)
        if right.answer is None or right.owed is None:
            return right
        discount = sum(a.amount for a in right.answer.all_adjustments if a.group == Group.CO)
        return replace(right, owed=right.owed + discount)

    with patch.object(issuing, "stand", with_the_discount):
        yield


@planted("a corrected result billed beside the first", found="invariant 11 |the auditor, .*(owes|billed)", seed=1)
def each_result_is_billed_by_itself() -> Iterator[None]:
    """A later answer does not change the bill there is: it gets one of its own, named after itself."""
    real = issuing._Work._issue

    def by_itself(work: issuing._Work, owed: int, _announce: bool) -> None:
        answer = work.standing.answer
        if answer is None or not owed:
            return
        own = answer.result_key()
        with patch.object(dunning, "invoice_id", lambda *parts: invoice_id(*map(str, parts[:3]), own)):
            real(work, answer, owed)

    with patch.object(issuing._Work, "_correct", by_itself):
        yield


@planted("a duplicate billed twice", found="invariant (6|11) |the auditor, .*(owes|billed)|does not end", seed=1)
def a_bill_per_delivery() -> Iterator[None]:
    """Ids are drawn when a message is handled, and nobody looks whether it was: a repeated file is a second bill."""
    drawn = count()
    real = issuing._commit_of

    def forgetful(file: ClaimFile, *rest: Any) -> tuple[Write, ...]:
        state = replace(file.state, invoices=(), billed=0, answer="", verdicts=()) if file.state else None
        return real(replace(file, state=state), *rest)

    with (
        patch.object(issuing, "_commit_of", forgetful),
        patch.object(dunning, "invoice_id", lambda *_: f"inv_{next(drawn)}"),
    ):
        yield


@planted("a held result lost", found="invariant 6 ", seed=1)
def a_hold_that_nobody_sees() -> Iterator[None]:
    """A result that a person must look at is judged, and stands on no list."""
    real = issuing._Work.holds

    def unlisted(*known: Any) -> Iterator[Write]:
        return (write for write in real(*known) if not isinstance(write, Insert))

    with patch.object(issuing._Work, "holds", unlisted):
        yield


@planted("billed while another payer is still to answer", found="the auditor, .*billed", seed=4)
def nobody_waits_for_the_second_payer() -> Iterator[None]:
    """A claim that was forwarded to the next payer is billed at once, before that one pays its share."""
    with patch.object(standing, "_awaited", lambda *_: 0):
        yield
