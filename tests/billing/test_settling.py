"""What an answer of Stripe's does to the books: evidence is ranked, money is never lost, and nothing happens twice."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.account import Account, Books
from billing.facts import FactKind
from billing.invoice import Invoice
from billing.ledger import Book
from billing.payment import (
    CHECKOUT_LASTS,
    RANK,
    Attempt,
    AttemptKind,
    AttemptState,
    CardDetails,
    Enrolment,
    Evidence,
    Part,
    next_look_up,
)
from billing.plan import InstalmentStatus, Plan, PlanStatus, schedule
from billing.ports import Check, Insert, Refused, Write
from billing.refund import RefundCause
from billing.settling import settle, start_charge, start_checkout
from tests.billing.examples import (
    BY_HAND,
    ENROLLED,
    MASTERCARD,
    NOW,
    PRACTICE,
    VISA,
    after,
    announced,
    books,
    entries,
    facts,
    invoice,
    kinds,
)

STARTED = Evidence(AttemptState.STARTED)
UNKNOWN = Evidence(AttemptState.UNKNOWN, reason="no_answer")
SOFT = Evidence(AttemptState.FAILED, intent_id="pi_1", reason="declined", decline="insufficient_funds")
HARD = Evidence(AttemptState.FAILED, intent_id="pi_1", reason="declined", decline="lost_card")
REVOKED = Evidence(AttemptState.FAILED, intent_id="pi_1", reason="declined", decline="revocation_of_authorization")
NEW_CARD = CardDetails("pm_new", "visa", "1881", 12, 2030, "credit")
AGREED = Enrolment("2026-11", "hash", NOW, "192.0.2.7", 20000, not_fsa=True)


def posted(amount: int, **changes: Any) -> Evidence:
    """Money arrived."""
    return replace(Evidence(AttemptState.POSTED, amount=amount, intent_id="pi_1", charge_id="ch_1"), **changes)


def charging(bill: Invoice, *rows: Any, account: Account = ENROLLED) -> tuple[Books, Attempt]:
    """The account while this bill's charge is at Stripe."""
    before = books(bill, *rows, account=account)
    attempt, writes = start_charge(before, bill, VISA, NOW)
    return after(before, writes), attempt


def paying(*bills: Invoice, account: Account = BY_HAND, agreed: Enrolment | None = None) -> tuple[Books, Attempt]:
    """The account while these bills are on a hosted page."""
    before = books(*bills, account=account)
    attempt, writes = start_checkout(before, bills, agreed, NOW)
    return after(before, writes), attempt


def told(at: Books, number: int, *evidence: Evidence, of: Any = PRACTICE) -> tuple[Books, list[Write]]:
    """The account after hearing this about an attempt, in this order, and everything written."""
    written: list[Write] = []
    for one in evidence:
        attempt = at.attempt(number)
        assert attempt is not None
        writes = settle(at, attempt, one, of, NOW)
        at, written = after(at, writes), [*written, *writes]
    return at, written


# ------------------------------------------------------------------------------------------------------- starting


def test_a_charge_is_whole_names_its_consent_and_relies_on_the_account_it_saw() -> None:
    """LAW-2 (a recorded consent), PAY-4 (the whole invoice), invariant 3 (the account row is a guard)."""
    before = books(announced(6250))
    attempt, writes = start_charge(before, before.invoices[0], VISA, NOW)
    assert (attempt.channel, attempt.amount, attempt.consent_id) == (AttemptKind.AUTOPAY, 6250, "consent_1")
    assert (attempt.payment_method, attempt.customer) == ("pm_visa", "cus_ana")
    assert [w.record for w in writes if isinstance(w, Check)] == [ENROLLED]
    assert isinstance(writes[0], Insert)
    left = after(before, writes)
    assert left.invoices[0].open_attempt == attempt.number
    assert left.invoices[0].due is None
    assert left.attempts[0].due == "2026-11-20T17:05:00Z#look_up"


def test_tries_count_per_card() -> None:
    """AUTO-7, AUTO-6: the client put another card in place of the one that was tried."""
    tried = announced(6250, tries=2, first_tried_at=NOW - timedelta(days=1))
    before = books(tried, MASTERCARD)
    same = after(before, start_charge(before, tried, VISA, NOW)[1]).invoices[0]
    other = after(before, start_charge(before, tried, MASTERCARD, NOW)[1]).invoices[0]
    assert (same.tries, same.first_tried_at) == (2, NOW - timedelta(days=1))
    assert (other.tries, other.first_tried_at, other.card_id) == (0, None, "card_mc")


def test_a_hosted_page_pays_its_invoices_whole_and_expires() -> None:
    """PAY-4"""
    now, attempt = paying(invoice(6250, "inv_a"), invoice(2000, "inv_b"))
    assert [(p.invoice_id, p.amount) for p in attempt.parts] == [("inv_a", 6250), ("inv_b", 2000)]
    assert attempt.expires_at == NOW + CHECKOUT_LASTS
    assert {i.status for i in now.invoices} == {"processing"}


@pytest.mark.parametrize(
    ("bills", "code"),
    [
        ([], "nothing_to_pay"),
        ([invoice(6250, paid=6250)], "nothing_to_pay"),
        ([invoice(6250, reviews=("hold_1",))], "nothing_to_pay"),
        ([invoice(6250, open_attempt=2)], "payment_in_progress"),
        ([invoice(49)], "below_minimum"),
    ],
)
def test_what_cannot_be_paid_now_is_refused_by_name(bills: list[Invoice], code: str) -> None:
    with pytest.raises(Refused) as refusal:
        start_checkout(books(*bills), tuple(bills), None, NOW)
    assert refusal.value.code == code


def test_small_invoices_may_be_paid_together() -> None:
    """INV-11: under 50 cents never alone."""
    _, attempt = paying(invoice(30, "inv_a"), invoice(30, "inv_b"))
    assert attempt.amount == 60


def test_an_unsettled_attempt_is_looked_up_after_5_minutes_an_hour_and_daily() -> None:
    waits = [next_look_up(NOW, n) - NOW for n in range(5)]
    assert waits == [timedelta(minutes=5), timedelta(hours=1), *[timedelta(days=1)] * 3]


# ------------------------------------------------------------------------------------------------------- every answer

STATES = {AttemptState.STARTED: None, AttemptState.UNKNOWN: UNKNOWN, AttemptState.FAILED: SOFT}
ANSWERS = {
    AttemptState.STARTED: STARTED,
    AttemptState.UNKNOWN: UNKNOWN,
    AttemptState.FAILED: HARD,
    AttemptState.POSTED: posted(6250),
}


@pytest.mark.parametrize("known", AttemptState)
@pytest.mark.parametrize("heard", AttemptState)
def test_only_stronger_evidence_changes_what_is_known(known: AttemptState, heard: AttemptState) -> None:
    """posted > failed > unknown > started: what is settled stays settled."""
    at, attempt = charging(announced(6250))
    first = ANSWERS[known] if known is AttemptState.POSTED else STATES.get(known)
    at, _ = told(at, attempt.number, *([first] if first else []))
    then, writes = told(at, attempt.number, ANSWERS[heard])
    expected = heard if RANK[heard] > RANK[known] else known
    assert then.attempts[0].state is expected
    if RANK[heard] <= RANK[known]:
        assert not facts(tuple(writes))
        assert then.invoices == at.invoices
        assert then.account == at.account


def test_a_posted_charge_pays_resets_the_failures_and_never_wakes_again() -> None:
    """AUTO-6, AUTO-8"""
    at, attempt = charging(announced(6250), account=replace(ENROLLED, failed_charges=2))
    at, writes = told(at, attempt.number, posted(6250))
    (paid,) = at.invoices
    assert (paid.status, paid.paid, paid.due) == ("paid", 6250, None)
    assert at.attempts[0].due is None
    assert at.account.failed_charges == 0
    assert kinds(tuple(writes)) == [FactKind.PAYMENT_POSTED]


def test_posted_evidence_after_a_failure_is_booked() -> None:
    """Stripe's last word counts: money that arrived is never lost, and the retry does not happen."""
    at, attempt = charging(announced(6250))
    at, _ = told(at, attempt.number, SOFT)
    assert at.invoices[0].charge_at == NOW + timedelta(days=1)
    at, _ = told(at, attempt.number, posted(6250))
    assert (at.invoices[0].status, at.invoices[0].due) == ("paid", None)


def test_pay_12_a_second_payment_of_one_invoice_goes_back_by_itself() -> None:
    """Money that exceeds what is owed is the client's: the lost attempt of yesterday arrives after today's."""
    at, first = charging(announced(6250))
    at, _ = told(at, first.number, replace(SOFT, decline="", reason="never_reached"))
    again = replace(at.invoices[0], charge_at=NOW, version=at.invoices[0].version)
    second, writes = start_charge(at, again, VISA, NOW)
    at = after(at, writes)
    at, _ = told(at, second.number, posted(6250))
    at, writes_late = told(at, first.number, posted(6250))
    assert (at.invoices[0].paid, at.account.credit, at.balance) == (6250, 0, 0)
    late = at.attempt(first.number)
    assert late is not None
    assert (late.excess, late.paid_parts) == (6250, ())
    assert [(e.book, e.amount) for e in entries(tuple(writes_late))] == [
        (Book.CLEARING, 6250),
        (Book.CREDIT, -6250),
        (Book.CREDIT, 6250),
        (Book.REFUNDS, -6250),
    ]
    (refund,) = at.refunds
    assert (refund.cause, refund.payment, refund.amount, refund.parts) == (RefundCause.OVERPAID, first.number, 6250, ())
    assert kinds(tuple(writes_late)) == [FactKind.PAYMENT_POSTED, FactKind.REFUND_STARTED]


@pytest.mark.parametrize("change", [{"void": True}, {"moved": 6250}, {"written_off": 6250}])
def test_pay_12_money_for_an_invoice_that_is_gone_meanwhile_goes_back(change: dict[str, Any]) -> None:
    at, attempt = charging(announced(6250))
    gone = replace(at.invoices[0], **change)
    at = replace(at, invoices=(gone,))
    at, _ = told(at, attempt.number, posted(6250))
    assert (at.account.credit, at.invoices[0].paid, at.refunds[0].amount) == (0, 0, 6250)


def test_pay_12_only_what_was_too_much_goes_back() -> None:
    """$62.50 arrive where $20.00 are still owed."""
    at, attempt = charging(announced(6250))
    at = replace(at, invoices=(replace(at.invoices[0], written_off=4250),))
    at, _ = told(at, attempt.number, posted(6250))
    assert (at.invoices[0].paid, at.refunds[0].amount, at.account.credit) == (2000, 4250, 0)
    assert at.attempts[0].paid_parts == (Part("inv_session", 2000),)


def test_a_charge_under_review_is_booked_when_it_posts_and_not_retried_when_it_fails() -> None:
    """INV-7: the review came while the charge was at Stripe."""
    at, attempt = charging(announced(6250))
    at = replace(at, invoices=(replace(at.invoices[0], reviews=("hold_1",)),))
    paid, _ = told(at, attempt.number, posted(6250))
    assert paid.invoices[0].paid == 6250
    failed, writes = told(at, attempt.number, SOFT)
    assert (failed.invoices[0].charge_at, failed.invoices[0].open_attempt) == (None, 0)
    assert failed.invoices[0].charge_paused, "announced anew when the review is decided"
    assert kinds(tuple(writes)) == [FactKind.PAYMENT_FAILED]
    declined, _ = told(at, attempt.number, HARD)
    assert not declined.invoices[0].charge_paused, "a dead card is not charged again because a review ends"


def test_an_unknown_answer_is_looked_up_in_five_minutes_and_blocks_the_invoice() -> None:
    at, attempt = charging(announced(6250))
    at, writes = told(at, attempt.number, UNKNOWN)
    assert at.attempts[0].due == "2026-11-20T17:05:00Z#look_up"
    assert at.invoices[0].status == "processing"
    assert kinds(tuple(writes)) == [FactKind.PAYMENT_UNKNOWN]


def test_nothing_learned_asks_again_later() -> None:
    """A look-up that finds nothing must move its own wake."""
    at, attempt = charging(announced(6250))
    later = NOW + timedelta(minutes=5)
    again = after(at, settle(at, at.attempts[0], STARTED, PRACTICE, later)).attempts[0]
    assert (again.look_ups, again.look_up_at) == (1, later + timedelta(hours=1))
    assert settle(at, again, STARTED, PRACTICE, later) == ()
    assert attempt.look_ups == 0


def test_a_page_that_was_left_frees_its_invoices_and_tells_nobody() -> None:
    at, attempt = paying(invoice(6250, "inv_a"), invoice(2000, "inv_b"))
    at, writes = told(at, attempt.number, replace(SOFT, reason="expired", decline=""))
    assert {i.status for i in at.invoices} == {"open"}
    assert kinds(tuple(writes)) == [FactKind.CHECKOUT_CLOSED]


# ------------------------------------------------------------------------------------------------------- the law

EVIDENCE = st.sampled_from([STARTED, UNKNOWN, SOFT, posted(6250)])


def money(at: Books) -> object:
    """What the books say, without how often rows were written."""
    return (
        [(i.invoice_id, i.status, i.paid, i.open_amount, i.due, i.open_attempt) for i in at.invoices],
        [(a.number, a.state) for a in at.attempts],
        (at.account.credit, at.account.autopay, at.account.failed_charges, at.balance),
    )


@given(st.lists(EVIDENCE, min_size=1, max_size=8))
def test_evidence_in_any_order_and_any_number_of_times_ends_in_the_same_books(heard: list[Evidence]) -> None:
    """The law of settling: only the strongest evidence that was ever seen counts."""
    strongest = max(heard, key=lambda e: RANK[e.state])
    at, attempt = charging(announced(6250))
    ended, _ = told(at, attempt.number, *heard)
    alone, _ = told(at, attempt.number, strongest)
    if strongest.state in (AttemptState.FAILED, AttemptState.POSTED):
        assert money(ended) == money(alone)
    else:
        assert ended.attempts[0].state is strongest.state
        assert ended.balance == alone.balance


@given(st.lists(st.integers(1, 9000), min_size=1, max_size=5), st.integers(1, 60000), st.lists(EVIDENCE, max_size=4))
def test_every_cent_that_arrived_is_paid_or_on_its_way_back_once(
    amounts: list[int], arrived: int, noise: list[Evidence]
) -> None:
    """Invariants 1 and 2: whatever amount Stripe reports, however often."""
    amounts = [amount + 50 for amount in amounts]
    at, attempt = paying(*(invoice(amount, f"inv_{n}") for n, amount in enumerate(amounts)))
    quiet = [e for e in noise if e.state is not AttemptState.POSTED]
    at, writes = told(at, attempt.number, *quiet, posted(arrived), *noise, posted(arrived))
    assert sum(i.paid for i in at.invoices) + sum(r.amount for r in at.refunds) == arrived
    assert sum(p.amount for p in at.attempts[0].paid_parts) == sum(i.paid for i in at.invoices)
    assert at.account.credit == 0
    assert at.balance == sum(amounts) - sum(i.paid for i in at.invoices)
    booked = entries(tuple(writes))
    assert sum(e.amount for e in booked) == 0
    assert sum(e.amount for e in booked if e.book is Book.CLEARING) == arrived


# ------------------------------------------------------------------------------------------------------- giving up


def test_three_charges_in_a_row_that_failed_end_autopay() -> None:
    """AUTO-8: counted when a charge's last retry failed, whichever invoice it was for."""
    account = ENROLLED
    for ended in (False, False, True):
        at, attempt = charging(announced(6250), account=account)
        at, writes = told(at, attempt.number, HARD)
        assert (FactKind.AUTOPAY_ENDED in kinds(tuple(writes))) is ended
        account = replace(at.account, version=1)
    assert not account.autopay


def test_a_retry_to_come_does_not_count_as_a_failed_charge() -> None:
    """AUTO-7, AUTO-8"""
    at, attempt = charging(announced(6250), account=replace(ENROLLED, failed_charges=2))
    at, writes = told(at, attempt.number, SOFT)
    assert (at.account.failed_charges, at.account.autopay) == (2, True)
    assert facts(tuple(writes))[0].data["retry_at"] == (NOW + timedelta(days=1)).isoformat()


def test_a_revoked_authorisation_ends_the_enrolment_at_once() -> None:
    """AUTO-7"""
    at, attempt = charging(announced(6250))
    at, writes = told(at, attempt.number, REVOKED)
    assert not at.account.autopay
    assert [f.data["reason"] for f in facts(tuple(writes)) if f.kind == FactKind.AUTOPAY_ENDED] == [
        "authorisation_revoked"
    ]
    assert at.invoices[0].charge_at is None


def in_plan(*failed: int) -> tuple[Plan, tuple[Invoice, ...]]:
    """A plan of $250.00 over 4 weeks: two instalments issued, the second due; those in `failed` failed before."""
    parts = list(schedule(25000, 4, NOW.date()))
    bills = tuple(announced(6250, f"inv_part{n}", plan_id="plan_1", ordinal=n, charge_at=None) for n in range(2))
    for n, bill in enumerate(bills):
        status = InstalmentStatus.FAILED if n in failed else InstalmentStatus.SCHEDULED
        parts[n] = replace(parts[n], status=status, invoice_id=bill.invoice_id)
    plan = Plan("riverbend", "ana", "plan_1", 1, 4, NOW, (), tuple(parts), next_issue_at=NOW + timedelta(days=7))
    return plan, bills


def test_the_second_failed_instalment_breaks_the_plan_into_one_invoice() -> None:
    """PLAN-7: what failed, what is open and what was never issued, to the cent, due normally."""
    plan, (first, second) = in_plan(0)
    at, attempt = charging(second, plan, first, account=replace(ENROLLED, active_plan="plan_1"))
    at, writes = told(at, attempt.number, HARD)
    (broken,) = at.plans
    (rest,) = [i for i in at.invoices if i.open_amount]
    assert (broken.status, broken.due, at.account.active_plan) == (PlanStatus.BROKEN, None, "")
    assert (rest.amount, rest.charge_at) == (25000, None)
    assert rest.remind_at is not None
    assert rest.past_due_at is not None
    assert {i.status for i in at.invoices if i is not rest} == {"moved_to_plan"}
    assert sum(e.amount for e in entries(tuple(writes)) if e.book is Book.RECEIVABLE) == 0


def test_an_instalment_whose_payment_is_on_its_way_stays_its_own_invoice() -> None:
    """PLAN-7: money may still arrive for it."""
    plan, (first, second) = in_plan(0)
    at, attempt = charging(
        second, plan, replace(first, open_attempt=99), account=replace(ENROLLED, active_plan="plan_1")
    )
    at, _ = told(at, attempt.number, HARD)
    assert sorted(i.open_amount for i in at.invoices if i.open_amount) == [6250, 18750]
    assert at.balance == 25000


def test_the_last_instalment_completes_the_plan() -> None:
    plan, (first, second) = in_plan()
    parts = (replace(plan.instalments[0], status=InstalmentStatus.PAID), plan.instalments[1])
    short = replace(plan, instalments=parts, next_issue_at=None)
    paid = replace(first, paid=6250)
    at, attempt = charging(second, short, paid, account=replace(ENROLLED, active_plan="plan_1"))
    at, writes = told(at, attempt.number, posted(6250))
    assert at.plans[0].status is PlanStatus.COMPLETED
    assert at.account.active_plan == ""
    assert kinds(tuple(writes)) == [FactKind.PAYMENT_POSTED, FactKind.PLAN_COMPLETED]
