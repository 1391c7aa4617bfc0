"""Invariants 2, 3 and 8 over whole stories of money going back: nothing is found where all is well, and one wrong cent,
state or flag is.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from billing.dispute import DisputeState
from billing.ids import account_pk, facts_pk
from billing.invariants import (
    AccountRows,
    StripeDispute,
    StripeRefund,
    check_account,
    disputes_are_stripes,
    refunds_are_stripes,
)
from billing.refund import RefundState
from tests.billing.claim_examples import OWES_62_50, SUBMITTED
from tests.billing.examples import BY_HAND, PRACTICE
from tests.fakes.story import Story


def paid_on_the_page() -> Story:
    """Ana's bill of $62.50, from its claim to her payment."""
    story = Story(BY_HAND)
    story.submit(SUBMITTED)
    story.receive(OWES_62_50)
    story.pay(story.invoice.invoice_id)
    return story


def rows_of(story: Story) -> AccountRows:
    rows = AccountRows.of(
        story.store.partition(account_pk("riverbend", "ana")), story.store.partition(facts_pk("riverbend", "ana"))
    )
    assert rows is not None
    return rows


def intent_of(story: Story) -> str:
    return story.books.attempts[0].intent_id


def refund_some(story: Story) -> None:
    story.refund(story.invoice.invoice_id, 2000)


def refund_that_waits(story: Story) -> None:
    story.cards.refund_state = RefundState.PENDING
    story.refund(story.invoice.invoice_id)


def refund_that_failed_late(story: Story) -> None:
    story.refund(story.invoice.invoice_id)
    story.cards.decide_refund("re_1", RefundState.FAILED)
    story.webhook("refund.failed", 1)


def refund_at_stripe(story: Story) -> None:
    story.cards.add_refund(intent_of(story), 2000)
    story.webhook("charge.refunded", 1)


def dispute(story: Story) -> None:
    story.cards.open_dispute(intent_of(story))
    story.webhook("charge.dispute.created", intent=intent_of(story))


def dispute_won(story: Story) -> None:
    dispute(story)
    story.cards.decide_dispute("du_1", DisputeState.WON)
    story.webhook("charge.dispute.closed", intent=intent_of(story))


def dispute_lost(story: Story) -> None:
    dispute(story)
    story.cards.decide_dispute("du_1", DisputeState.LOST)
    story.webhook("charge.dispute.closed", intent=intent_of(story))


def lost_and_paid_again_and_refunded(story: Story) -> None:
    dispute_lost(story)
    story.pay(story.invoice.invoice_id)
    story.refund(story.invoice.invoice_id)


Chapter = Callable[[Story], None]
CHAPTERS: list[Chapter] = [
    refund_some,
    refund_that_waits,
    refund_that_failed_late,
    refund_at_stripe,
    dispute,
    dispute_won,
    dispute_lost,
    lost_and_paid_again_and_refunded,
]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_pay_12_pay_13_the_books_are_whole_and_stripes(chapter: Chapter) -> None:
    story = paid_on_the_page()
    chapter(story)
    assert check_account(rows_of(story), PRACTICE) == []
    refunds, disputes = at_stripe(story)
    assert list(refunds_are_stripes(story.books, refunds, concluded=True)) == []
    assert list(disputes_are_stripes(story.books, disputes, concluded=True)) == []


def at_stripe(story: Story) -> tuple[list[StripeRefund], list[StripeDispute]]:
    """What Stripe has of what went back."""
    refunds = [r for known in story.cards.refunds.values() for r in known]
    disputes = [d for known in story.cards.disputes.values() for d in known]
    return (
        [StripeRefund(r.stripe_id, r.refund_id, r.amount, r.state is RefundState.FAILED) for r in refunds],
        [StripeDispute(d.dispute_id, d.withdrawn) for d in disputes],
    )


Tamper = Callable[[AccountRows], AccountRows]


def _books(rows: AccountRows, **changes: object) -> AccountRows:
    return replace(rows, books=replace(rows.books, **changes))  # type: ignore[arg-type]


def _invoice(**changes: object) -> Tamper:
    return lambda rows: _books(rows, invoices=tuple(replace(i, **changes) for i in rows.books.invoices))  # type: ignore[arg-type]


def _refund(**changes: object) -> Tamper:
    return lambda rows: _books(rows, refunds=tuple(replace(r, **changes) for r in rows.books.refunds))  # type: ignore[arg-type]


def _dispute(**changes: object) -> Tamper:
    return lambda rows: _books(rows, disputes=tuple(replace(d, **changes) for d in rows.books.disputes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("chapter", "tamper", "invariant"),
    [
        (refund_some, _invoice(refunded=0), 2),
        (refund_some, _refund(state=RefundState.PENDING), 2),
        (refund_some, _refund(amount=2001), 2),
        (refund_some, lambda rows: _books(rows, refunds=()), 2),
        (refund_some, _refund(amount=6251), 3),
        (refund_some, lambda rows: _books(rows, refunds=rows.books.refunds * 4), 3),
        (refund_that_waits, _refund(amount=6251), 3),
        (dispute, _invoice(disputed=False), 2),
        (dispute, _dispute(withdrawn=0), 2),
        (dispute, _dispute(state=DisputeState.LOST), 2),
        (dispute_won, _invoice(disputed=True), 2),
        (dispute_lost, _invoice(disputed_back=0), 2),
        (dispute_lost, _dispute(reopened=()), 2),
    ],
)
def test_one_wrong_cent_state_or_flag_is_found(chapter: Chapter, tamper: Tamper, invariant: int) -> None:
    story = paid_on_the_page()
    chapter(story)
    found = check_account(tamper(rows_of(story)), PRACTICE)
    assert invariant in {broken.invariant for broken in found}


def test_what_stripe_has_and_we_have_not_is_found_and_the_other_way_round() -> None:
    """Invariant 8"""
    story = paid_on_the_page()
    refund_some(story)
    refunds, _ = at_stripe(story)
    other = StripeRefund("re_9", "", 100, failed=False)
    assert len(list(refunds_are_stripes(story.books, [*refunds, other], concluded=True))) == 1
    assert list(refunds_are_stripes(story.books, [*refunds, other], concluded=False)) == []
    assert len(list(refunds_are_stripes(story.books, [], concluded=False))) == 1
    assert len(list(refunds_are_stripes(story.books, [replace(refunds[0], amount=1)], concluded=False))) == 1
    assert len(list(refunds_are_stripes(story.books, [replace(refunds[0], failed=True)], concluded=True))) == 1
    story = paid_on_the_page()
    assert len(list(disputes_are_stripes(story.books, [StripeDispute("du_1", 6250)], concluded=True))) == 1
    dispute(story)
    assert len(list(disputes_are_stripes(story.books, [], concluded=False))) == 1
    assert len(list(disputes_are_stripes(story.books, [StripeDispute("du_1", 0)], concluded=True))) == 1
