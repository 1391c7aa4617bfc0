"""What a later decision changes about a bill: only the difference, told in one mail (INV-3, LAW-4, PLAN-9)."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.account import Account
from billing.claim import Adjustment, ClaimResult, ClaimStatus
from billing.claim_state import ReceivedResult
from billing.dispute import DisputeState
from billing.ids import account_pk, facts_pk
from billing.invariants import AccountRows, check_account
from billing.invoice import Source
from billing.invoice_lines import InvoiceLines
from billing.plan import InstalmentStatus, PlanStatus
from billing.policy import Overpayment
from billing.ports import Insert
from billing.session_billing import NewInvoice, issued, own_line
from tests.billing.claim_examples import (
    COPAY,
    DEDUCTIBLE,
    DISCOUNT,
    DUPLICATE_DENIAL,
    OWES_62_50,
    REVERSAL_OF_IT,
    SUBMITTED,
    SUBMITTED_WITH_SECONDARY,
    decided,
    reversal_of,
)
from tests.billing.examples import BY_HAND, ENROLLED, practice
from tests.fakes.story import Story, visa_details

CLAIM = SUBMITTED.claim_id
LESS = replace(decided(DISCOUNT, COPAY), payer_claim_id="2026000900", original_payer_claim_id="2026000123")
"""The corrected decision: $22.50."""
MORE = replace(decided(DISCOUNT, DEDUCTIBLE, Adjustment("PR", "2", 4000)), payer_claim_id="2026000900")
"""The corrected decision: $80.00."""
SECONDARY = replace(
    decided(DISCOUNT, Adjustment("OA", "23", 8250), COPAY),
    status=ClaimStatus.PROCESSED_SECONDARY,
    payer_ids=("77777",),
    payer_claim_id="S-1",
)


def billed(account: Account = ENROLLED, **policy: object) -> Story:
    """Ana was billed $62.50."""
    story = Story(account, practice(**policy))
    story.submit(SUBMITTED)
    story.receive(OWES_62_50)
    return story


def arrive(story: Story, *results: ClaimResult) -> None:
    """These come in one file."""
    story.store.commit(*(Insert(ReceivedResult("riverbend", one, "receipt_2", story.now)) for one in results))
    story.settle()


def sound(story: Story) -> None:
    """The account's own invariants hold, and nothing is stuck."""
    rows = AccountRows.of(
        story.store.partition(account_pk("riverbend", "ana")), story.store.partition(facts_pk("riverbend", "ana"))
    )
    assert rows is not None
    broken = check_account(rows)
    assert [b for b in broken if "consent_1" not in b.what] == []  # Ana's consent is older than the story
    assert story.dead == []


def explained(story: Story) -> int:
    """What the explanation in force of the first invoice asks for."""
    bill = story.books.invoices[0]
    rows = [r for r in story.store.rows() if isinstance(r, InvoiceLines) and r.invoice_id == bill.invoice_id]
    return sum(line.you_owe for line in max(rows, key=lambda r: r.number).lines)


# ---------------------------------------------------------------------------------------------------- not paid yet


def test_inv_3_an_unpaid_bill_is_lowered_and_its_announced_charge_with_it() -> None:
    """INV-3: the charge keeps its moment, and takes what is owed by then; one mail says so."""
    story = billed()
    moment = story.invoice.charge_at
    story.forward(hours=24)
    arrive(story, REVERSAL_OF_IT, LESS)
    assert (story.invoice.total, story.invoice.open_amount, story.invoice.charge_at) == (2250, 2250, moment)
    assert story.mails == ["charge_notice", "invoice_changed"]
    letter = story.letters[-1]
    assert (letter.before, letter.after, letter.moment) == (6250, 2250, moment)
    assert explained(story) == 2250
    story.forward(hours=25)
    assert story.taken == 2250
    sound(story)


def test_inv_3_a_bill_that_grew_is_announced_anew_with_a_new_notice_period() -> None:
    """INV-3, AUTO-3: 48 hours from the new notice, never the old moment."""
    story = billed()
    story.forward(hours=24)
    arrive(story, REVERSAL_OF_IT, MORE)
    assert story.invoice.total == 8000
    assert story.mails == ["charge_notice", "charge_notice"]
    assert "now $80.00 instead of $62.50" in story.letters[-1].change
    assert story.invoice.charge_at == story.now + timedelta(hours=48)
    story.forward(hours=47)
    assert story.taken == 0
    story.forward(hours=1)
    assert story.taken == 8000
    sound(story)


def test_inv_3_above_the_cap_a_bill_that_grew_waits_for_a_click() -> None:
    """INV-3, AUTO-2"""
    story = billed(default_cap=7000)
    arrive(story, REVERSAL_OF_IT, MORE)
    assert story.mails == ["charge_notice", "approval_request"]
    story.forward(days=5)
    assert story.taken == 0
    sound(story)


def test_inv_3_a_reversal_alone_cancels_the_bill_and_its_charge() -> None:
    story = billed()
    story.forward(hours=24)
    story.receive(REVERSAL_OF_IT)
    assert (story.invoice.status, story.invoice.open_amount) == ("void", 0)
    assert story.mails == ["charge_notice", "invoice_changed"]
    assert (story.letters[-1].after, story.letters[-1].announced) == (0, True)
    story.forward(days=61)
    assert story.taken == 0
    assert story.holds == []
    sound(story)


def test_inv_3_a_correction_that_follows_its_reversal_days_later_is_a_new_bill() -> None:
    story = billed(BY_HAND)
    story.receive(REVERSAL_OF_IT)
    story.forward(days=9)
    story.receive(LESS)
    assert [(i.status, i.open_amount) for i in story.books.invoices] == [("void", 0), ("open", 2250)]
    assert story.books.balance == 2250
    assert story.mails[-1] == "invoice"
    sound(story)


def test_inv_3_a_correction_that_comes_first_stops_the_charge_until_its_reversal_comes() -> None:
    """claims.md: either order, across files. The second answer is held, and the charge waits."""
    story = billed()
    story.receive(LESS)
    assert [hold.reason for hold in story.holds] == ["needs_review"]
    assert (story.invoice.status, story.invoice.charge_at) == ("in_review", None)
    story.forward(days=3)
    assert story.taken == 0
    story.receive(REVERSAL_OF_IT)
    assert story.holds == []
    assert (story.invoice.in_review, story.invoice.total) == (False, 2250)
    assert story.mails == ["charge_notice", "charge_notice"]
    story.forward(hours=49)
    assert story.taken == 2250
    sound(story)


def test_inv_3_the_same_amount_again_changes_nothing_and_tells_nobody() -> None:
    story = billed()
    arrive(story, REVERSAL_OF_IT, replace(OWES_62_50, payer_claim_id="2026000900"))
    assert story.invoice.total == 6250
    assert story.mails == ["charge_notice"]
    story.forward(hours=49)
    assert story.taken == 6250
    sound(story)


# ---------------------------------------------------------------------------------------------------- paid


def test_inv_3_what_was_paid_too_much_goes_back_to_the_card_that_paid() -> None:
    """INV-3, `overpayment` refund; one mail, which says so."""
    story = billed()
    story.forward(hours=49)
    arrive(story, REVERSAL_OF_IT, LESS)
    assert (story.taken, sum(r.amount for r in story.books.refunds)) == (6250, 4000)
    assert [r.state for r in story.books.refunds] == ["posted"]
    assert story.mails == ["charge_notice", "receipt", "invoice_changed"]
    letter = story.letters[-1]
    assert (letter.returned, letter.returned_to, letter.credited) == (4000, "Visa ending 4242", 0)
    assert (story.books.account.credit, story.books.balance) == (0, 0)
    assert (story.invoice.total, story.invoice.status) == (2250, "paid")
    assert explained(story) == 2250
    sound(story)


def test_inv_3_a_reversal_of_a_paid_bill_refunds_all_of_it() -> None:
    story = billed()
    story.forward(hours=49)
    story.receive(REVERSAL_OF_IT)
    assert (story.invoice.status, story.invoice.total, story.books.balance) == ("refunded", 0, 0)
    assert [r.amount for r in story.books.refunds] == [6250]
    story.receive(LESS)
    first, second = story.books.invoices
    assert (first.status, second.total) == ("refunded", 2250)
    sound(story)


def test_inv_3_a_practice_may_keep_it_as_credit_for_open_and_coming_bills() -> None:
    """INV-3, `overpayment` credit"""
    story = billed(overpayment=Overpayment.CREDIT)
    story.forward(hours=49)
    arrive(story, REVERSAL_OF_IT, LESS)
    assert (story.books.refunds, story.books.account.credit) == ((), 4000)
    assert story.letters[-1].credited == 4000
    other = replace(SUBMITTED, claim_id="KB2")
    story.submit(other)
    story.receive(replace(OWES_62_50, claim_id="KB2"))
    assert (story.books.account.credit, story.books.balance) == (0, 2250)
    story.forward(hours=49)
    assert story.taken == 6250 + 2250
    sound(story)


def test_inv_3_credit_that_pays_a_whole_bill_is_told() -> None:
    story = billed(overpayment=Overpayment.CREDIT)
    story.forward(hours=49)
    arrive(story, REVERSAL_OF_IT)
    story.submit(replace(SUBMITTED, claim_id="KB2"))
    story.receive(replace(decided(DISCOUNT, COPAY), claim_id="KB2"))
    assert story.mails[-1] == "credit_used"
    assert (story.books.account.credit, story.books.balance) == (4000, 0)
    sound(story)


def test_inv_3_what_came_in_addition_to_a_paid_bill_is_a_supplement() -> None:
    story = billed()
    story.forward(hours=49)
    arrive(story, REVERSAL_OF_IT, MORE)
    first, second = story.books.invoices
    assert (first.total, first.status, second.total) == (6250, "paid", 1750)
    assert story.mails == ["charge_notice", "receipt", "charge_notice"]
    assert "now $80.00 instead of $62.50" in story.letters[-1].change
    assert "This second bill asks for the difference only." in story.letters[-1].change
    story.forward(hours=49)
    assert story.taken == 8000
    sound(story)


def test_inv_3_after_a_supplement_less_is_taken_off_the_newest_first() -> None:
    story = billed()
    story.forward(hours=49)
    arrive(story, REVERSAL_OF_IT, MORE)
    arrive(story, reversal_of(MORE), replace(LESS, payer_claim_id="2026000901"))
    assert [i.total for i in story.books.invoices] == [2250, 0]
    assert sum(r.amount for r in story.books.refunds) == 4000
    story.forward(days=5)
    assert story.taken == 6250
    sound(story)


def test_inv_3_what_staff_refunded_before_counts() -> None:
    """Nobody gets back more than they have paid above what is owed."""
    story = billed()
    story.forward(hours=49)
    story.refund(story.invoice.invoice_id, 1000)
    arrive(story, REVERSAL_OF_IT, LESS)
    assert sum(r.amount for r in story.books.refunds) == 4000
    story.receive(reversal_of(LESS))
    assert sum(r.amount for r in story.books.refunds) == 6250
    sound(story)


def test_inv_3_a_payment_on_its_way_is_never_kept_above_what_is_owed() -> None:
    """Ana has the page open while the correction comes; what she pays too much goes back at once."""
    story = billed(BY_HAND)
    session = story.open_page(story.invoice.invoice_id)
    arrive(story, REVERSAL_OF_IT, LESS)
    story.cards.pay_on_page(session, visa_details())
    story.hear(1)
    assert story.taken == 6250
    assert sum(r.amount for r in story.books.refunds) == 4000
    assert story.books.balance == 0
    sound(story)


@pytest.mark.parametrize(("decided_as", "back", "owed"), [(DisputeState.WON, 4000, 0), (DisputeState.LOST, 0, 2250)])
def test_pay_13_while_the_bank_decides_a_correction_waits_and_then_takes_effect(
    decided_as: DisputeState, back: int, owed: int
) -> None:
    story = billed()
    story.forward(hours=49)
    intent = story.books.attempts[0].intent_id
    dispute = story.cards.open_dispute(intent)
    story.webhook("charge.dispute.created", intent=intent)
    assert story.invoice.disputed
    arrive(story, REVERSAL_OF_IT, LESS)
    assert sorted(hold.reason for hold in story.holds) == ["needs_review", "needs_review"]
    assert story.invoice.total == 6250
    sound(story)
    story.cards.decide_dispute(dispute, decided_as)
    story.webhook("charge.dispute.closed", intent=intent)
    assert (story.invoice.total, story.holds, story.books.balance) == (2250, [], owed)
    assert sum(r.amount for r in story.books.refunds) == back
    sound(story)


def by_hand(amount: int, story: Story) -> None:
    """The practice bills Ana for something that no plan is asked about."""
    line = own_line("", None, amount, "Missed appointment")
    new = NewInvoice(
        "ana", Source.BY_HAND, f"hand_{amount}", amount, story.now.date(), "dr_lee", (line,), "staff", "hand"
    )
    story.store.commit(*issued(new, practice(), story.now)[1])
    story.settle()


def test_inv_3_credit_pays_before_a_card_does() -> None:
    """INV-3, `overpayment` credit: whatever the bill is for, and however it is paid."""
    story = billed(overpayment=Overpayment.CREDIT)
    story.forward(hours=49)
    story.receive(REVERSAL_OF_IT)
    by_hand(2000, story)
    by_hand(9000, story)
    story.forward(hours=49)
    assert (story.books.account.credit, story.books.balance) == (0, 0)
    assert story.taken == 6250 + 2000 + 9000 - 6250
    sound(story)


def test_inv_3_credit_pays_before_the_page_asks() -> None:
    story = billed(BY_HAND, overpayment=Overpayment.CREDIT)
    story.pay(story.invoice.invoice_id)
    story.receive(REVERSAL_OF_IT)
    by_hand(9000, story)
    story.pay(next(i.invoice_id for i in story.books.invoices if i.payable))
    assert (story.taken, story.books.account.credit, story.books.balance) == (9000, 0, 0)
    sound(story)


# ---------------------------------------------------------------------------------------------------- in a plan


def planned() -> Story:
    """$62.50 in a plan of two weeks, from today."""
    story = billed()
    story.plan(2, date(2026, 11, 21))
    return story


def test_plan_9_a_correction_shrinks_the_last_instalments_first() -> None:
    story = planned()
    arrive(story, REVERSAL_OF_IT, LESS)
    plan = story.books.plans[0]
    assert [i.amount for i in plan.instalments] == [2250]
    assert story.books.balance == 2250
    assert story.mails[-1] == "invoice_changed"
    story.forward(days=20)
    assert (story.taken, story.books.plans[0].status) == (2250, PlanStatus.COMPLETED)
    sound(story)


def test_plan_9_what_was_collected_is_refunded() -> None:
    story = planned()
    story.forward(days=3)
    assert story.taken == 3125
    arrive(story, REVERSAL_OF_IT, LESS)
    plan = story.books.plans[0]
    assert [(i.amount, i.status) for i in plan.instalments] == [(2250, InstalmentStatus.PAID)]
    assert (plan.status, story.books.account.active_plan) == (PlanStatus.COMPLETED, "")
    assert sum(r.amount for r in story.books.refunds) == 3125 - 2250
    sound(story)


def test_plan_9_a_plan_of_which_nothing_is_left_ends() -> None:
    story = planned()
    story.receive(REVERSAL_OF_IT)
    assert (story.books.plans[0].status, story.books.account.active_plan) == (PlanStatus.ENDED, "")
    assert "Your payment plan is over" in story.letters[-1].what_to_do
    assert story.books.balance == 0
    story.forward(days=30)
    assert story.taken == 0
    sound(story)


def test_plan_9_no_instalment_shrinks_below_what_a_card_can_pay() -> None:
    """PLAN-2: 31.25 + 31.25 becomes one of 31.50, not 31.25 and 0.25."""
    story = planned()
    nearly = decided(DISCOUNT, Adjustment("PR", "3", 3150), payer_claim_id="2026000900")
    arrive(story, REVERSAL_OF_IT, nearly)
    assert [i.amount for i in story.books.plans[0].instalments] == [3150]
    sound(story)


def test_plan_9_what_comes_on_top_during_a_plan_is_a_bill_of_its_own() -> None:
    """PLAN-6"""
    story = planned()
    arrive(story, REVERSAL_OF_IT, MORE)
    assert [i.total for i in story.books.invoices if i.source == "claim"] == [6250, 1750]
    assert story.books.balance == 8000
    sound(story)


# ---------------------------------------------------------------------------------------------------- several payers


def test_law_4_the_second_payers_correction_changes_the_bill() -> None:
    story = Story(BY_HAND)
    story.submit(SUBMITTED_WITH_SECONDARY)
    story.receive(OWES_62_50)
    story.receive(SECONDARY)
    assert story.invoice.total == 2250
    lower = decided(DISCOUNT, Adjustment("OA", "23", 9500), Adjustment("PR", "3", 1000))
    corrected = replace(lower, status=ClaimStatus.PROCESSED_SECONDARY, payer_ids=("77777",), payer_claim_id="S-2")
    arrive(story, reversal_of(SECONDARY), corrected)
    assert story.invoice.total == 1000
    assert story.mails == ["invoice", "invoice_changed"]
    sound(story)


def test_law_4_while_only_the_first_payer_corrects_the_last_payers_word_stands() -> None:
    story = Story(BY_HAND)
    story.submit(SUBMITTED_WITH_SECONDARY)
    story.receive(OWES_62_50)
    story.receive(SECONDARY)
    arrive(story, REVERSAL_OF_IT, LESS)
    assert story.invoice.total == 2250
    assert story.mails == ["invoice"]
    sound(story)


def test_a_decision_that_says_it_replaces_another_displaces_it() -> None:
    """FHIR has no negative document: `related` says what an answer stands in place of."""
    story = billed(BY_HAND)
    story.receive(replace(LESS, supersedes=True))
    assert (story.invoice.total, story.holds) == (2250, [])
    sound(story)


def test_a_transaction_that_came_before_in_other_words_is_held_as_a_conflict() -> None:
    """claims.md 4.8, ring b"""
    story = billed(BY_HAND)
    again = replace(LESS, original_payer_claim_id="")
    story.store.commit(
        Insert(ReceivedResult("riverbend", again, "receipt_2", story.now, same_transaction_as="receipt_1"))
    )
    story.settle()
    assert [hold.reason for hold in story.holds] == ["conflict"]
    assert story.invoice.total == 6250


def test_a_claim_that_the_first_file_of_a_transaction_did_not_have_is_no_second_posting() -> None:
    """Clearinghouses split files, and payers reuse numbers."""
    story = Story(BY_HAND)
    story.submit(SUBMITTED)
    story.store.commit(
        Insert(ReceivedResult("riverbend", OWES_62_50, "receipt_2", story.now, same_transaction_as="receipt_1"))
    )
    story.settle()
    assert (story.invoice.total, story.holds) == (6250, [])


# ---------------------------------------------------------------------------------------------------- any order

SECOND_LESS = replace(LESS, payer_claim_id="2026000950")
HISTORY = (OWES_62_50, REVERSAL_OF_IT, MORE, reversal_of(MORE), SECOND_LESS)
"""The payer decides, corrects itself upward, then downward: $22.50 stands."""


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_originals_reversals_and_corrections_in_any_order_end_with_the_same_balance(order: tuple[int, ...]) -> None:
    """claims.md 4.5: either order, across files."""
    story = Story(BY_HAND)
    story.submit(SUBMITTED)
    results = (OWES_62_50, REVERSAL_OF_IT, LESS, DUPLICATE_DENIAL)
    for place in order:
        story.receive(results[place])
    assert story.books.balance == 2250
    assert story.holds == []
    sound(story)


@settings(max_examples=60, deadline=None)
@given(
    order=st.permutations(range(len(HISTORY))),
    submitted_after=st.integers(0, len(HISTORY)),
    pays_after=st.integers(0, 2 * len(HISTORY)),
    keeps_credit=st.booleans(),
    repeats=st.integers(0, len(HISTORY) - 1),
    copies=st.integers(1, 2),
)
def test_law_any_sequence_ends_with_what_stands(
    order: list[int], submitted_after: int, pays_after: int, keeps_credit: bool, repeats: int, copies: int
) -> None:
    """Whatever the order, whenever the claim is known and whenever Ana pays: what she owes in the end, less what she
    has paid and got back, is what the payer's last word says."""
    policy = Overpayment.CREDIT if keeps_credit else Overpayment.REFUND
    story = Story(BY_HAND, practice(overpayment=policy), copies=copies)
    for step, place in enumerate([*order, order[repeats]]):
        if step == submitted_after:
            story.submit(SUBMITTED)
        if step < len(order):
            story.receive(HISTORY[place])
        if step == pays_after:
            story.pay(*(i.invoice_id for i in story.books.invoices if i.payable)) if any(
                i.payable for i in story.books.invoices
            ) else None
    if submitted_after == len(HISTORY) + 1:
        story.submit(SUBMITTED)
    books = story.books
    kept = story.taken - sum(r.amount for r in books.refunds if r.state != "failed")
    assert books.balance - books.account.credit + kept == 2250
    assert sum(i.total for i in books.invoices) == 2250
    assert story.holds == []
    sound(story)
