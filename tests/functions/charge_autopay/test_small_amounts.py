"""A few cents: too little for a card, so they wait for Ana's next charge, or are let go (INV-11)."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.autopay import stop_charge
from billing.claim import Adjustment, ClaimResult
from billing.claim_state import ReceivedResult
from billing.ids import account_pk, api_key_hash, facts_pk
from billing.invariants import AccountRows, check_account
from billing.invoice import Status
from billing.policy import ApiKey
from billing.ports import Insert
from edges.render import render_letter
from tests.billing.claim_examples import DISCOUNT, OWES_62_50, REVERSAL_OF_IT, SUBMITTED, decided, reversal_of
from tests.billing.examples import BY_HAND, ENROLLED, PRACTICE, practice
from tests.fakes.story import Story
from tests.functions.api import KEYS, Api


def owes(cents: int) -> ClaimResult:
    return decided(DISCOUNT, Adjustment("PR", "1", cents))


def decide(story: Story, result: ClaimResult, claim: str) -> str:
    """Another claim of Ana's is decided -> the invoice of it."""
    known = {one.invoice_id for one in story.books.invoices}
    story.submit(replace(SUBMITTED, claim_id=claim))
    story.receive(replace(result, claim_id=claim))
    (fresh,) = [one.invoice_id for one in story.books.invoices if one.invoice_id not in known]
    return fresh


def arrive(story: Story, *results: ClaimResult) -> None:
    """These come in one file."""
    story.store.commit(*(Insert(ReceivedResult("riverbend", one, "receipt_2", story.now)) for one in results))
    story.settle()


def mailed(story: Story) -> str:
    return " ".join(render_letter(story.letters[-1]).text.split())


def sound(story: Story) -> bool:
    """Whether everything that must always hold of the account does. Ana's consent is older than the story."""
    written = story.store.partition(facts_pk("riverbend", "ana"))
    rows = AccountRows.of(story.store.partition(account_pk("riverbend", "ana")), written)
    assert rows is not None
    return [one for one in check_account(rows, PRACTICE) if "consent_1" not in one.what] == []


def test_inv_11_they_go_along_with_the_next_charge() -> None:
    """AUTO-4, PAY-11: one notice, one charge, one receipt, and each invoice is paid."""
    story = Story()
    decide(story, owes(30), "CLAIM-1")
    assert story.mails == []
    decide(story, OWES_62_50, "CLAIM-2")
    assert story.mails == ["charge_notice"]
    assert story.letters[-1].amount == 62_80
    assert "$62.80" in render_letter(story.letters[-1]).subject
    assert "left $62.50 for you to pay" in mailed(story)
    assert "With it goes $0.30 that is still open from before" in mailed(story)
    story.forward(days=3)
    assert story.cards.taken == [(story.books.attempts[0].attempt_id, 62_80)]
    assert [one.status for one in story.books.invoices] == [Status.PAID, Status.PAID]
    assert [item.amount for item in story.letters[-1].items] == [62_50, 30]
    assert sound(story)


def test_inv_11_the_practice_sees_the_charge_that_is_coming_with_all_it_takes() -> None:
    story = Story()
    small = decide(story, owes(30), "CLAIM-1")
    bill = decide(story, OWES_62_50, "CLAIM-2")
    api = Api()
    api.store = story.store
    story.store.commit(Insert(ApiKey(api_key_hash(KEYS["practice"]), PRACTICE.practice, ("practice",))))
    (coming,) = api.call("GET", "/v1/clients/ana/account", key="practice").body["upcoming_charges"]
    assert (coming["amount"], coming["invoice_ids"]) == (62_80, [bill, small])


def test_inv_11_what_comes_after_the_notice_waits_for_the_charge_after() -> None:
    """No charge without a notice of it (AUTO-3)."""
    story = Story()
    decide(story, OWES_62_50, "CLAIM-1")
    story.forward(hours=5)
    decide(story, owes(30), "CLAIM-2")
    story.forward(days=3)
    assert story.taken == 62_50
    decide(story, OWES_62_50, "CLAIM-3")
    story.forward(days=3)
    assert story.taken == 62_50 + 62_80
    assert story.books.balance == 0
    assert sound(story)


def test_inv_11_a_declined_charge_takes_them_along_when_it_is_tried_again() -> None:
    """AUTO-7"""
    story = Story()
    decide(story, owes(30), "CLAIM-1")
    decide(story, OWES_62_50, "CLAIM-2")
    story.cards.cards["pm_visa"] = "insufficient_funds"
    story.forward(days=2)
    story.cards.cards["pm_visa"] = "ok"
    story.forward(days=2)
    assert story.mails == ["charge_notice", "charge_failed", "receipt"]
    assert [attempt.amount for attempt in story.books.attempts] == [62_80, 62_80]
    assert (story.taken, story.books.balance) == (62_80, 0)
    assert sound(story)


def test_inv_11_paying_the_bill_before_its_charge_leaves_them_for_the_next() -> None:
    """AUTO-5"""
    story = Story()
    decide(story, owes(30), "CLAIM-1")
    bill = decide(story, OWES_62_50, "CLAIM-2")
    story.pay(bill)
    story.forward(days=3)
    assert (story.taken, story.books.balance) == (62_50, 30)
    decide(story, OWES_62_50, "CLAIM-3")
    story.forward(days=3)
    assert (story.taken, story.books.balance) == (62_50 + 62_80, 0)


def test_inv_11_law_7_what_the_client_stops_does_not_go_along() -> None:
    """Found by a simulated life: the small amount was named, and its charge was that of another bill."""
    story = Story()
    small = decide(story, owes(30), "CLAIM-1")
    decide(story, OWES_62_50, "CLAIM-2")
    story.forward(hours=47)
    stopped = story.books.invoice(small)
    assert stopped is not None
    story.store.commit(*stop_charge(stopped, PRACTICE, story.now))
    again = story.books.invoice(small)
    assert again is not None
    assert stop_charge(again, PRACTICE, story.now) == ()
    story.forward(hours=2)
    assert (story.taken, story.books.balance) == (62_50, 30)
    assert [f.data["reason"] for f in story.facts if f.kind == "ChargeCancelled"] == ["stopped_by_client"]
    assert sound(story)


@pytest.mark.parametrize("account", [ENROLLED, BY_HAND], ids=["autopay", "by hand"])
@pytest.mark.parametrize("window", [30, 60, 365])
def test_inv_11_after_60_days_they_are_let_go_and_nobody_is_bothered(account: object, window: int) -> None:
    """INV-8, INV-9: whatever the payment window is, no reminder, no past due, no mail."""
    story = Story(account, practice(payment_window_days=window))  # type: ignore[arg-type]
    decide(story, owes(49), "CLAIM-1")
    story.forward(days=59)
    assert story.books.balance == 49
    story.forward(days=2)
    assert (story.invoice.status, story.books.balance) == (Status.WRITTEN_OFF, 0)
    (fact,) = [one for one in story.facts if one.kind == "InvoiceWrittenOff"]
    assert (fact.actor, fact.data["reason"]) == ("system", "too_small")
    assert (story.mails, story.alerts, story.taken) == ([], [], 0)
    assert story.store.next_due() is None
    assert sound(story)


def test_inv_11_what_a_correction_leaves_of_a_bill_is_told_and_then_waits() -> None:
    """INV-3: from $62.50 to $0.30; the announced charge is off, and the mail about the change is the last."""
    story = Story()
    decide(story, OWES_62_50, SUBMITTED.claim_id)
    less = replace(owes(30), payer_claim_id="2026000900", original_payer_claim_id="2026000123")
    arrive(story, REVERSAL_OF_IT, less)
    assert [one.open_amount for one in story.books.invoices if one.open_amount] == [30]
    told = len(story.mails)
    story.forward(days=70)
    assert (story.taken, story.books.balance, len(story.mails), story.alerts) == (0, 0, told, [])
    assert sound(story)


@pytest.mark.parametrize(("account", "mail"), [(ENROLLED, "charge_notice"), (BY_HAND, "invoice")])
def test_inv_11_what_outgrows_them_is_asked_for_like_any_bill(account: object, mail: str) -> None:
    """INV-3, AUTO-4: nobody was told of the 30 cents; the bill of $62.50 that they became is announced."""
    story = Story(account)  # type: ignore[arg-type]
    decide(story, owes(30), SUBMITTED.claim_id)
    more = replace(OWES_62_50, payer_claim_id="2026000900", original_payer_claim_id="2026000123")
    arrive(story, reversal_of(owes(30)), more)
    assert story.mails == [mail]
    assert story.letters[-1].amount == 62_50
    story.forward(days=3)
    assert story.taken == (62_50 if account is ENROLLED else 0)
    assert sound(story)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 120), st.integers(0, 15)), min_size=1, max_size=6))
def test_inv_11_no_charge_is_below_50_cents_and_each_cent_is_paid_or_let_go(bills: list[tuple[int, int]]) -> None:
    """A law: whatever is billed, in cents, and however many days lie between."""
    story = Story()
    for number, (cents, days) in enumerate(bills):
        decide(story, owes(cents), f"CLAIM-{number}")
        story.forward(days=days)
    story.forward(days=90)
    assert all(amount >= 50 for _, amount in story.cards.taken)
    let_go = [one.written_off for one in story.books.invoices if one.written_off]
    assert all(cents < 50 for cents in let_go)
    assert story.taken + sum(let_go) == sum(cents for cents, _ in bills)
    assert story.books.balance == 0
    assert sound(story)
