"""A card saved on the hosted page, and what its owner agreed to with it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from billing.account import Account, Books, Consent
from billing.autopay import end_autopay
from billing.facts import FactKind
from billing.invoice import Invoice
from billing.payment import AttemptState, Enrolment, Evidence
from billing.ports import Write
from billing.settling import start_checkout, start_setup
from tests.billing.examples import (
    BY_HAND,
    ENROLLED,
    NOW,
    PRACTICE,
    after,
    announced,
    books,
    facts,
    invoice,
    kinds,
    practice,
)
from tests.billing.test_settling import AGREED, NEW_CARD, posted, told


def saving(
    agreed: Enrolment | None, *bills: Invoice, of: Any = PRACTICE, account: Account = BY_HAND, **card: Any
) -> tuple[Books, list[Write]]:
    """Ana saves a card on the hosted page, having agreed to this."""
    before = books(*bills, account=account)
    attempt, writes = start_setup(before, agreed, NOW)
    evidence = Evidence(AttemptState.POSTED, card=replace(NEW_CARD, **card), reusable=True)
    return told(after(before, writes), attempt.number, evidence, of=of)


def test_enrolment_records_the_consent_and_its_cap() -> None:
    """AUTO-1, AUTO-2: text version, hash, time, address, and the limit."""
    at, writes = saving(AGREED)
    (consent,) = [w.record for w in writes if isinstance(w.record, Consent)]
    assert (consent.text_version, consent.text_hash, consent.agreed_at, consent.ip) == (
        "2026-11",
        "hash",
        NOW,
        "192.0.2.7",
    )
    assert (at.account.autopay, at.account.cap, at.account.consent_id) == (True, 20000, consent.consent_id)
    assert at.default_card is not None
    assert at.default_card.shown == "Visa ending 1881"


def test_another_card_does_not_make_open_bills_older_than_autopay() -> None:
    """AUTO-1: since when autopay is on does not move when the card changes."""
    since = NOW - timedelta(days=30)
    first, _ = saving(AGREED)
    again, _ = saving(AGREED, account=replace(ENROLLED, enrolled_at=since))
    assert (first.account.enrolled_at, again.account.enrolled_at) == (NOW, since)


def test_saving_a_card_without_agreeing_enrols_nobody() -> None:
    """AUTO-1"""
    at, writes = saving(None)
    assert not at.account.autopay
    assert kinds(tuple(writes)) == [FactKind.CARD_SAVED]


@pytest.mark.parametrize(
    ("agreed", "card", "reason"),
    [
        (AGREED, {"fsa": True}, "fsa_card"),
        (replace(AGREED, not_fsa=False), {}, "fsa_not_declared"),
    ],
)
def test_a_health_account_card_is_saved_but_never_enrolled(
    agreed: Enrolment, card: dict[str, Any], reason: str
) -> None:
    """PAY-6: by what the card says of itself, and unknown counts as ordinary only after the client's declaration."""
    at, writes = saving(agreed, **card)
    assert not at.account.autopay
    assert at.default_card is not None
    assert [(f.kind, f.data["reason"]) for f in facts(tuple(writes))] == [(FactKind.AUTOPAY_REFUSED, reason)]
    allowed, _ = saving(agreed, of=practice(fsa_autopay=True), **card)
    assert allowed.account.autopay


def test_invoices_already_open_are_charged_only_if_ticked() -> None:
    """AUTO-1"""
    at, writes = saving(replace(AGREED, join=("inv_a",)), invoice(6250, "inv_a"), invoice(2000, "inv_b"))
    joined = [f.data["invoice_id"] for f in facts(tuple(writes)) if f.kind == FactKind.INVOICE_JOINED_AUTOPAY]
    assert joined == ["inv_a"]
    assert all(i.charge_at is None for i in at.invoices)


def test_enrolling_with_more_ticked_invoices_than_fit_a_commit_takes_what_fits() -> None:
    """A commit has at most 100 writes: the payment must be booked whatever was ticked with it."""
    bills = tuple(invoice(6250, f"inv_{n:03}") for n in range(130))
    agreed = replace(AGREED, join=tuple(b.invoice_id for b in bills[40:]))
    before = books(*bills, account=BY_HAND)
    attempt, writes = start_checkout(before, bills[:40], agreed, NOW)
    at, written = told(after(before, writes), attempt.number, posted(40 * 6250, card=NEW_CARD, reusable=True))
    assert len(written) <= 100
    assert sum(i.paid for i in at.invoices) == 40 * 6250
    assert at.account.autopay
    assert FactKind.INVOICE_JOINED_AUTOPAY in kinds(tuple(written))


def test_the_same_card_saved_again_is_one_card() -> None:
    at, _ = saving(AGREED)
    attempt, writes = start_setup(at, None, NOW)
    at = after(at, writes)
    at, _ = told(at, attempt.number, Evidence(AttemptState.POSTED, card=NEW_CARD, reusable=True))
    assert len(at.cards) == 1


def test_turning_autopay_off_before_we_hear_of_an_enrolment_counts() -> None:
    """LAW-7: Ana enrolled on Stripe's page, changed her mind, and only then did its outcome reach us."""
    before = books(account=ENROLLED)
    attempt, writes = start_setup(before, AGREED, NOW)
    at = after(before, writes)
    at = after(at, end_autopay(at, PRACTICE, "client", "client", NOW + timedelta(minutes=40)))
    at, writes_late = told(at, attempt.number, Evidence(AttemptState.POSTED, card=NEW_CARD, reusable=True))
    assert not at.account.autopay
    assert kinds(tuple(writes_late)) == [FactKind.CARD_SAVED]


def test_turning_autopay_off_while_the_first_enrolment_is_on_its_way_counts() -> None:
    """LAW-7: nothing was on yet, as far as we knew."""
    before = books(account=BY_HAND)
    attempt, writes = start_setup(before, AGREED, NOW)
    at = after(before, writes)
    at = after(at, end_autopay(at, PRACTICE, "client", "client", NOW))
    at, _ = told(at, attempt.number, Evidence(AttemptState.POSTED, card=NEW_CARD, reusable=True))
    assert not at.account.autopay


def test_agreeing_again_after_turning_autopay_off_turns_it_on() -> None:
    """AUTO-1"""
    before = books(account=replace(BY_HAND, turned_off_at=NOW - timedelta(seconds=1)))
    attempt, writes = start_setup(before, AGREED, NOW)
    at, _ = told(after(before, writes), attempt.number, Evidence(AttemptState.POSTED, card=NEW_CARD, reusable=True))
    assert at.account.autopay


def test_auto_1_what_was_announced_before_autopay_ended_is_not_charged_once_it_is_on_again() -> None:
    """The old notice named another agreement, and maybe another card: the bill is asked for, unless it is ticked."""
    at, writes = saving(AGREED, announced(6250, charge_at=NOW + timedelta(days=1)))
    (bill,) = at.invoices
    assert (bill.charge_at, bill.remind_at is not None) == (None, True)
    (called_off,) = [fact.data for fact in facts(tuple(writes)) if fact.kind == FactKind.CHARGE_CANCELLED]
    assert called_off == {"invoice_id": "inv_session", "reason": "no_notice", "amount": 6250}


def test_auto_6_what_is_announced_stays_announced_where_only_the_card_is_another() -> None:
    later = NOW + timedelta(days=1)
    at, _ = saving(AGREED, announced(6250, charge_at=later), account=ENROLLED)
    assert at.invoices[0].charge_at == later


def test_auto_1_a_bill_announced_before_and_ticked_is_announced_anew() -> None:
    bill = announced(6250, charge_at=NOW + timedelta(days=1))
    at, writes = saving(replace(AGREED, join=(bill.invoice_id,)), bill)
    assert at.invoices[0].charge_at is None
    assert FactKind.INVOICE_JOINED_AUTOPAY in kinds(tuple(writes))
