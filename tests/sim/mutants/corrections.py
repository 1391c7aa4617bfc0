"""Planted bugs about what a later decision changes: corrections, reversals, chains of payers, reviews (INV-3, LAW-4,
PLAN-9, INV-7)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from billing import correcting, gates, issuing, letters, standing
from billing.claim import ClaimResult
from billing.claim_state import ClaimState
from billing.correcting import _Change
from billing.invoice import Invoice
from billing.plan import Plan
from billing.standing import Seen, Standing
from tests.sim.mutants.planted import planted


@planted("the full amount instead of the difference", found="the auditor, .*(billed|owes)|invariant 11 ", seed=1)
def a_correction_that_adds_the_whole_amount() -> Iterator[None]:
    """A bill that grew asks for the new amount on top of the old one."""
    real = _Change.raise_

    def whole(change: _Change, invoices: Sequence[Invoice], more: int) -> None:
        real(change, invoices, change.after)

    with patch.object(_Change, "raise_", whole):
        yield


@planted("a refund without its correction", found="invariant (2|3|11) |the auditor, .*(billed|owes|refunded)", seed=6)
def a_correction_that_refunds_and_keeps_the_bill() -> Iterator[None]:
    """What was paid too much goes back, and the bill goes on asking for it."""
    real = _Change._take

    def keep(change: _Change, invoice: Invoice, less: int) -> Any:
        taken = real(change, invoice, less)
        now = change.draft.books.invoice(invoice.invoice_id)
        assert now is not None
        if invoice.paid > now.paid:
            change.draft.change(replace(now, corrected=invoice.corrected, void=False))
        return taken

    with patch.object(_Change, "_take", keep):
        yield


@planted("a correction that gives nothing back", found="the auditor, .*has credit", seed=10)
def what_was_paid_too_much_stays() -> Iterator[None]:
    """The bill is corrected, and the money stays credit whatever the practice chose."""
    with patch.object(_Change, "_give_back", lambda _: 0):
        yield


@planted("what staff refunded is refunded again", found="invariant (2|3) |the auditor, |an assertion|crashed", seed=6)
def an_earlier_refund_is_forgotten() -> Iterator[None]:
    """A correction sends back all that was paid above what is owed, though staff had sent part of it back."""
    real = _Change._take

    def forget(change: _Change, invoice: Invoice, less: int) -> Any:
        return real(change, replace(invoice, refunded=0), less)

    with patch.object(_Change, "_take", forget):
        yield


@planted("a notice of an amount that grew since", found="no notice named as much", seed=20)
def a_bill_that_grew_keeps_its_charge() -> Iterator[None]:
    """A bill that grew is charged at the moment that was announced for the smaller one."""
    real = _Change.raise_

    def at_the_old_moment(change: _Change, invoices: Sequence[Invoice], more: int) -> None:
        before = invoices[-1].charge_at
        real(change, invoices, more)
        grown = change.draft.books.invoice(invoices[-1].invoice_id)
        if grown is not None and before is not None and change.issued is None:
            change.draft.change(replace(grown, charge_at=before, remind_at=None))

    with patch.object(_Change, "raise_", at_the_old_moment):
        yield


@planted("a plan shortened at its wrong end", found="is not one of its last", seed=7)
def a_correction_shrinks_the_first_instalments() -> Iterator[None]:
    """What is owed less during a plan is taken off the next instalments, not off the last ones (PLAN-9)."""
    real = _Change._out_of_plan

    def first(change: _Change, plan: Plan, known: str, cents: int) -> Any:
        turned = replace(plan, instalments=tuple(reversed(plan.instalments)))
        entries = real(change, turned, known, cents)
        now = change.draft.books.plan(plan.plan_id)
        assert now is not None
        change.draft.change(replace(now, instalments=tuple(reversed(now.instalments))))
        return entries

    with patch.object(_Change, "_out_of_plan", first):
        yield


@planted("the first payer's share billed after the second's", found="the auditor, .*billed|invariant 11 ", seed=1)
def the_first_payers_share_is_billed() -> Iterator[None]:
    """Both payers have answered, and the client is asked for what the first one left."""
    real = issuing.stand

    def of_the_first(*known: Any) -> Standing:
        right = real(*known)
        if not right.earlier_payers:
            return right
        return replace(right, owed=right.earlier_payers[0].patient_responsibility)

    with patch.object(issuing, "stand", of_the_first):
        yield


@planted("a reversal matched by its number only", found="the auditor, .*billed", seed=2)
def a_reversal_of_other_amounts_takes_back() -> Iterator[None]:
    """A reversal takes back the result of its number, whatever amounts it names."""

    def by_number(reversal: ClaimResult, original: ClaimResult) -> bool:
        numbers = (reversal.payer_claim_id, reversal.original_payer_claim_id)
        return original.status is not reversal.status and original.payer_claim_id in numbers

    assert standing.takes_back is gates.takes_back
    with patch.object(standing, "takes_back", by_number):
        yield


@planted("a review that never ends", found="was never charged|stays in review", seed=1)
def a_review_that_is_not_lifted() -> Iterator[None]:
    """What was questioned is decided, and the bill stands still for good."""
    with (
        patch.object(issuing, "end_review", lambda _draft, invoice, *_: invoice),
        patch.object(issuing, "resume", lambda _books, invoice, *_: invoice),
    ):
        yield


@planted("a word that was taken back goes on counting", found="the auditor, .*billed", seed=29)
def what_was_replaced_comes_back() -> Iterator[None]:
    """A decision that replaced another is cancelled, and the bill of the replaced one comes back."""
    real = standing._replaced

    def only_live(seen: Sequence[Seen], *rest: Any) -> Any:
        taken = {one.key for one in seen if any(standing._is_original(r, one) for r in seen if standing._reverses(r))}
        return real([one for one in seen if one.key not in taken], *rest)

    with patch.object(standing, "_replaced", only_live):
        yield


@planted("an estimate billed beside its adjudication", found="the auditor, .*billed|invariant ", seed=7)
def an_estimate_stands_beside_the_result() -> Iterator[None]:
    """The payer's answer is billed as if nothing had been estimated for the session before."""
    real = issuing._commit_of

    def forgetful(file: Any, *rest: Any) -> Any:
        state = file.state
        if isinstance(state, ClaimState) and not state.verdicts and state.invoices:
            file = replace(file, state=replace(state, invoices=(), billed=0))
        return real(file, *rest)

    with patch.object(issuing, "_commit_of", forgetful):
        yield


@planted("two mails about one change", found="times of one change", seed=7)
def a_change_told_twice() -> Iterator[None]:
    """Every bill that a change touches has a mail of its own about all of it."""
    real = letters._correction_letters

    def each(fact: Any, desk: Any, now: Any) -> Any:
        about = {"before": fact.data["amount"], "after": fact.data["amount"], "why": correcting.Why.CORRECTION}
        rest = {"returned": 0, "credited": 0, "announced": 0, "plan_over": 0}
        return real(replace(fact, data={**rest, **about, **fact.data}), desk, now)

    with patch.object(letters, "_correction_letters", each):
        yield
