"""What a night makes of one of Stripe's objects beside our books: agreed, to be read again, or for a person."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.account import Books
from billing.dispute import Dispute, DisputeEvidence, DisputeState
from billing.payment import Attempt, AttemptKind, AttemptState, Part
from billing.ports import TakenBack
from billing.reconciliation import armed, ended, next_night, started
from billing.reconciling import AGREED, judge_payment, judge_return, missing_at_stripe, missing_returns
from billing.refund import Refund, RefundCause, RefundEvidence, RefundState
from billing.statement import TheirPayment
from tests.billing.examples import NOW, books, invoice

PAID = Attempt(
    practice="riverbend",
    client="ana",
    number=3,
    version=2,
    channel=AttemptKind.AUTOPAY,
    parts=(Part("inv_session", 62_50),),
    customer="cus_ana",
    payment_method="pm_visa",
    card_id="card_visa",
    started_at=NOW,
    state=AttemptState.POSTED,
    intent_id="pi_3",
    posted_at=NOW,
)
THEIRS = TheirPayment("pi_3", "riverbend", "ana", 3, PAID.attempt_id, succeeded=True, amount=62_50, created=NOW)
REFUND = Refund(
    practice="riverbend",
    client="ana",
    refund_id="ref_1",
    version=1,
    cause=RefundCause.STAFF,
    payment=3,
    intent_id="pi_3",
    amount=20_00,
    parts=(Part("inv_session", 20_00),),
    started_at=NOW,
    state=RefundState.POSTED,
    stripe_id="re_1",
)
DISPUTE = Dispute("riverbend", "ana", "du_1", 1, 3, 42_50, NOW, withdrawn=42_50)


def ours(*rows: Attempt | Refund | Dispute) -> Books:
    return books(invoice(62_50, paid=62_50), *rows)


def test_a_payment_of_the_same_amount_is_agreed() -> None:
    assert judge_payment(ours(PAID), THEIRS) == AGREED


@pytest.mark.parametrize("state", [AttemptState.STARTED, AttemptState.UNKNOWN, AttemptState.FAILED])
def test_what_stripe_took_and_we_did_not_book_is_read_again(state: AttemptState) -> None:
    judged = judge_payment(ours(replace(PAID, state=state)), THEIRS)
    assert (judged.settle, judged.broken) == (3, None)


@pytest.mark.parametrize("state", [AttemptState.STARTED, AttemptState.UNKNOWN, AttemptState.FAILED])
def test_a_try_that_took_nothing_is_agreed_whatever_we_know_of_it(state: AttemptState) -> None:
    assert judge_payment(ours(replace(PAID, state=state)), replace(THEIRS, succeeded=False, amount=0)) == AGREED


@pytest.mark.parametrize(
    "theirs",
    [
        replace(THEIRS, amount=62_51),
        replace(THEIRS, intent_id="pi_4"),
        replace(THEIRS, attempt=4),
        replace(THEIRS, succeeded=False, amount=0),
    ],
    ids=["another amount", "a second time", "never written", "booked though it failed"],
)
def test_what_no_repair_can_mend_is_for_a_person(theirs: TheirPayment) -> None:
    judged = judge_payment(ours(PAID), theirs)
    assert judged.settle == 0
    assert judged.broken is not None
    assert (judged.broken.invariant, judged.broken.where) == (8, theirs.intent_id)


def test_each_payment_of_ours_must_be_one_of_stripes() -> None:
    assert list(missing_at_stripe([PAID], [THEIRS])) == []
    for theirs in (
        [],
        [replace(THEIRS, succeeded=False)],
        [replace(THEIRS, amount=1)],
        [replace(THEIRS, attempt_id="x")],
    ):
        (broken,) = missing_at_stripe([PAID], theirs)
        assert (broken.invariant, broken.where) == (8, PAID.attempt_id)


@given(st.sampled_from(RefundState), st.sampled_from(RefundState), st.integers(1, 3), st.integers(1, 3), st.booleans())
def test_a_refund_is_agreed_exactly_where_state_and_amount_are_the_same(
    here: RefundState,
    there: RefundState,
    booked: int,
    sent: int,
    known: bool,
) -> None:
    evidence = RefundEvidence(there, "ref_1", "re_1", sent)
    if known:
        judged = judge_return(ours(PAID, replace(REFUND, state=here, amount=booked)), evidence)
        assert (judged is None) == ((here, booked) == (there, sent))
    else:
        judged = judge_return(ours(PAID), evidence)
        assert (judged is None) == (there is RefundState.FAILED)


def test_a_refund_made_in_the_dashboard_is_known_by_stripes_id() -> None:
    booked = replace(REFUND, refund_id="ours", cause=RefundCause.AT_STRIPE)
    assert judge_return(ours(PAID, booked), RefundEvidence(RefundState.POSTED, "", "re_1", 20_00)) is None


@given(st.sampled_from(DisputeState), st.sampled_from(DisputeState), st.integers(0, 2), st.integers(0, 2))
def test_a_dispute_is_agreed_exactly_where_state_and_money_are_the_same(
    here: DisputeState, there: DisputeState, booked: int, withdrawn: int
) -> None:
    evidence = DisputeEvidence("du_1", there, 42_50, withdrawn)
    judged = judge_return(ours(PAID, replace(DISPUTE, state=here, withdrawn=booked)), evidence)
    assert (judged is None) == ((here, booked) == (there, withdrawn))
    assert judge_return(ours(PAID), evidence) is not None


def test_what_we_booked_as_gone_back_must_be_listed() -> None:
    refund = RefundEvidence(RefundState.POSTED, "ref_1", "re_1", 20_00)
    dispute = DisputeEvidence("du_1", DisputeState.OPEN, 42_50, 42_50)
    all_of_it = ours(PAID, REFUND, DISPUTE)
    assert list(missing_returns(all_of_it, "pi_3", TakenBack((refund,), (dispute,)))) == []
    assert [b.where for b in missing_returns(all_of_it, "pi_3", TakenBack((), ()))] == [REFUND.key.sk, DISPUTE.key.sk]
    assert list(missing_returns(all_of_it, "pi_other", TakenBack((), ()))) == []
    waiting = ours(PAID, replace(REFUND, state=RefundState.PENDING))
    assert list(missing_returns(waiting, "pi_3", TakenBack((), ()))) == []


@given(st.integers(0, 10_000))
def test_the_next_night_is_the_first_seven_oclock_that_is_still_to_come(minutes: int) -> None:
    at = NOW + timedelta(minutes=minutes)
    night = next_night(at)
    assert (night.hour, night.minute) == (7, 0)
    assert timedelta(0) < night - at <= timedelta(days=1)


def test_a_run_is_over_once_and_the_next_one_looks_since_it_began() -> None:
    row = started(armed(NOW), NOW)
    over = ended(row, row.counts, NOW + timedelta(hours=1))
    assert (over.since, over.started_at, over.number) == (NOW, None, 1)
    with pytest.raises(AssertionError):
        ended(over, row.counts, NOW)
