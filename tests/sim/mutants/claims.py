"""Planted bugs about claim results: what is billed, to whom, and how often."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any
from unittest.mock import patch

from billing import gates, issuing
from billing.claim import Group
from billing.claim_state import Hold
from billing.gates import Judgement
from billing.ports import Insert, Write
from functions.issue_invoice import flow as issue_invoice
from tests.sim.mutants.planted import planted


@planted("a discount billed to the patient", found="invariant 11 ", seed=1)
def a_contractual_discount_is_billed() -> Iterator[None]:
    """What the provider agreed to write off (CO) is added to what the patient owes (PR)."""
    real = issue_invoice.judge

    def with_the_discount(result: Any, **known: Any) -> Judgement:
        judgement = real(result, **known)
        discount = sum(a.amount for a in result.all_adjustments if a.group == Group.CO)
        return replace(judgement, patient_responsibility=judgement.patient_responsibility + discount)

    with patch.object(issue_invoice, "judge", with_the_discount):
        yield


@planted("a second result billed beside the first", found="invariant [6] |the auditor, .*(owes|billed)", seed=4)
def each_result_is_billed_by_itself() -> Iterator[None]:
    """A result is judged without the ones before it and names its bill after itself: a second answer, a second bill."""
    real = issuing.issue

    def by_itself(received: Any, *rest: Any) -> tuple[Write, ...]:
        own = received.result.result_key()
        with patch.object(issuing, "invoice_id", lambda *parts: "inv_" + issuing.digest(*map(str, parts), own)):
            return real(received, *rest)

    with (
        patch.object(issue_invoice.Claim, "before", lambda _claim, _received: ()),
        patch.object(issue_invoice, "issue", by_itself),
    ):
        yield


@planted("a duplicate billed twice", found="invariant 6 |the auditor, .*(owes|billed)|does not end|crashed", seed=2)
def a_bill_per_delivery() -> Iterator[None]:
    """Ids are drawn when a message is handled, and nobody looks whether it was: a repeated file is a second bill."""
    drawn = count()
    with (
        patch.object(issue_invoice.Claim, "verdict", lambda _claim, _received: None),
        patch.object(issuing, "invoice_id", lambda *_: f"inv_{next(drawn)}"),
    ):
        yield


@planted("a held result lost", found="invariant 6 ", seed=1)
def a_hold_that_nobody_sees() -> Iterator[None]:
    """A result that a person must look at is judged, and stands on no list."""
    real = issue_invoice.hold

    def unlisted(*known: Any, **more: Any) -> tuple[Write, ...]:
        return tuple(w for w in real(*known, **more) if not (isinstance(w, Insert) and isinstance(w.record, Hold)))

    with patch.object(issue_invoice, "hold", unlisted):
        yield


@planted("billed while another payer is still to answer", found="the auditor, .*billed", seed=1)
def nobody_waits_for_the_second_payer() -> Iterator[None]:
    """A claim that was forwarded to the next payer is billed at once, before that one pays its share."""
    with patch.object(gates, "_another_payer_is_pending", lambda _case: False):
        yield
