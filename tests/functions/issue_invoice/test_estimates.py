"""Estimates over the API (INV-2), and what becomes of them when the payer has decided (INV-3)."""

from dataclasses import replace
from typing import Any

import pytest

from billing.account import Account
from billing.claim import Adjustment, ClaimResult
from billing.claim_state import ReceivedResult, Submission
from billing.dispute import DisputeState
from billing.facts import FactKind, Message
from billing.ids import account_pk, facts_pk
from billing.invariants import AccountRows, check_account
from billing.invoice import Source
from billing.policy import AmountSource, Overpayment
from billing.ports import Conflict, Insert
from billing.session import session_key
from edges.render import render_letter
from functions.issue_invoice import flow as issue_invoice
from tests.billing.claim_examples import DISCOUNT, decided
from tests.billing.examples import BY_HAND, ENROLLED
from tests.functions.api import Reply, assert_problem
from tests.functions.care import Care, eap, session

# ------------------------------------------------------------------------------------------------- the actors


def insured(session_id: str = "s1", **changes: Any) -> dict[str, Any]:
    """A session of $150.00 that goes to a health plan."""
    return session(session_id, kind="insurance", **changes)


def claim(claim_id: str = "KB1", *sessions: str, **changes: Any) -> dict[str, Any]:
    """A claim of $150.00 for each of those sessions, s1 where none is named."""
    named = sessions or ("s1",)
    return {
        "claim_id": claim_id,
        "client_id": "ana",
        "provider_id": "dr_lee",
        "payer_id": "87726",
        "charged": 150_00 * len(named),
        "service_date": "2026-11-20",
        "lines": [{"procedure": "90834", "charged": 150_00, "session_id": one} for one in named],
    } | changes


def owes(amount: int, claim_id: str = "KB1", **changes: Any) -> ClaimResult:
    """The payer leaves that much of $150.00 to Ana."""
    share = (Adjustment("PR", "1", amount),) if amount else ()
    return decided(DISCOUNT, *share, claim_id=claim_id, **changes)


class Estimating(Care):
    """A practice that bills estimates. Ana has $100.00 of deductible left and bears a fifth of the rest: of $150.00,
    $110.00."""

    def __init__(self, account: Account = BY_HAND, **policies: Any) -> None:
        super().__init__(account, {"amount_source": AmountSource.ESTIMATE, **policies})
        self.check()

    def submit_claim(self, told: dict[str, Any]) -> Reply:
        return self.call("POST", "/v1/claims", told)

    @property
    def amounts(self) -> list[int]:
        """What each invoice asks for by now."""
        return [one["amount"] for one in self.account["invoices"]]

    def sound(self) -> None:
        """The account's own invariants hold, and nothing is stuck."""
        rows = AccountRows.of(
            self.store.partition(account_pk("riverbend", "ana")), self.store.partition(facts_pk("riverbend", "ana"))
        )
        assert rows is not None
        assert check_account(rows) == []
        assert self.dead == []


# ------------------------------------------------------------------------------------------------- issued once


def test_inv_2_an_estimate_is_invoiced_right_after_the_session_and_says_how_it_was_worked_out() -> None:
    care = Estimating()
    care.tell(insured())
    (shown,) = care.account["invoices"]
    (line,) = shown["lines"]
    assert (shown["amount"], shown["status"]) == (110_00, "open")
    assert (line["billed"], line["deductible"], line["coinsurance"], line["copay"]) == (150_00, 100_00, 10_00, 0)
    assert (line["insurance_paid"], line["you_owe"]) == (40_00, 110_00)
    assert care.invoice.source is Source.ESTIMATE
    assert care.call("GET", "/v1/sessions/s1").body["invoice_id"] == shown["invoice_id"]
    care.sound()


def test_inv_2_an_estimate_is_called_one_in_its_mail_without_a_word_about_care() -> None:
    care = Estimating()
    care.tell(insured())
    (letter,) = care.letters
    written = render_letter(letter)
    assert written.subject == "Your estimated bill of $110.00 is ready"
    for words in (written.html, written.text):
        assert "an estimate" in words
        assert "has not decided yet" in words
        assert "Where the $150.00 will probably go" in words
        assert "90834" not in words


def test_inv_2_a_copay_is_all_that_is_expected() -> None:
    care = Estimating()
    care.check(copay=30_00, checked_at="2026-11-19T09:00:00-08:00")
    care.tell(insured())
    assert care.amounts == [30_00]


@pytest.mark.parametrize("first", ["session", "claim"])
def test_inv_2_session_and_claim_are_estimated_once_whichever_comes_first(first: str) -> None:
    care = Estimating()
    calls = [lambda: care.tell(insured()), lambda: care.submit_claim(claim())]
    for call in calls if first == "session" else reversed(calls):
        assert call().status == 201
    assert (care.amounts, care.mails) == ([110_00], ["invoice"])
    state = care.claim_state("KB1")
    assert (state.invoices, state.billed) == ((care.invoice.invoice_id,), 110_00)
    assert care.call("GET", "/v1/sessions/s1").body["claim_id"] == "KB1"
    care.sound()


def test_inv_2_messages_that_come_again_issue_nothing_again() -> None:
    care = Estimating()
    care.copies = 3
    care.submit_claim(claim("KB1", "s1", "s2"))
    care.tell(insured("s1"))
    care.tell(insured("s2"))
    assert (care.mails, care.dead) == (["invoice"], [])


def test_inv_2_a_claim_that_names_no_session_is_estimated_by_its_charge() -> None:
    care = Estimating()
    care.submit_claim(claim(lines=[]))
    assert care.amounts == [110_00]


def test_inv_2_the_sessions_of_a_claim_use_the_deductible_up_once() -> None:
    care = Estimating()
    care.submit_claim(claim("KB1", "s1", "s2"))
    (shown,) = care.account["invoices"]
    assert [line["you_owe"] for line in shown["lines"]] == [110_00, 30_00]
    assert shown["amount"] == 140_00


def test_inv_2_a_claim_adds_an_estimate_for_those_of_its_sessions_that_have_none() -> None:
    care = Estimating()
    care.tell(insured("s1"))
    care.submit_claim(claim("KB1", "s1", "s2"))
    assert sorted(care.amounts) == [110_00, 110_00]
    assert care.claim_state("KB1").billed == 220_00
    care.receive(owes_of_two(90_00))
    assert sum(care.amounts) == 90_00
    care.sound()


def owes_of_two(amount: int) -> ClaimResult:
    return decided(Adjustment("PR", "1", amount), charged=300_00, claim_id="KB1")


def test_inv_2_without_an_eligibility_check_the_payer_is_waited_for() -> None:
    care = Care(BY_HAND, {"amount_source": AmountSource.ESTIMATE})
    care.tell(insured())
    care.call("POST", "/v1/claims", claim())
    assert care.books.invoices == ()
    care.receive(owes(62_50))
    assert [one.amount for one in care.books.invoices] == [62_50]


def test_inv_2_a_check_that_comes_between_session_and_claim_counts() -> None:
    care = Care(BY_HAND, {"amount_source": AmountSource.ESTIMATE})
    care.tell(insured())
    care.check()
    care.call("POST", "/v1/claims", claim())
    assert [one.amount for one in care.books.invoices] == [110_00]


def test_inv_2_the_check_of_another_payer_says_nothing_about_a_claim() -> None:
    care = Estimating()
    care.submit_claim(claim(payer_id="60054"))
    assert care.books.invoices == ()


def test_inv_2_a_practice_that_waits_for_the_payer_estimates_nothing() -> None:
    care = Care(BY_HAND)
    care.check()
    care.tell(insured())
    care.call("POST", "/v1/claims", claim())
    assert care.books.invoices == ()


def test_inv_2_where_nothing_is_expected_of_the_client_nothing_is_asked() -> None:
    care = Estimating()
    care.check(deductible_remaining=0, coinsurance_bp=0, checked_at="2026-11-19T09:00:00-08:00")
    care.tell(insured())
    care.submit_claim(claim())
    assert (care.books.invoices, care.mails) == ((), [])


def test_inv_2_a_claim_whose_lines_are_not_its_charge_is_not_estimated() -> None:
    """Two lines of $150.00 on a claim of $150.00: an estimate of both would ask for more than can be owed."""
    care = Estimating()
    care.submit_claim(claim("KB1", "s1", "s2", charged=150_00))
    assert care.account["invoices"] == []
    care.receive(owes(62_50))
    assert care.amounts == [62_50]


def test_law_4_a_claim_with_a_second_payer_is_not_estimated() -> None:
    care = Estimating()
    care.submit_claim(claim(secondary_payer_id="77777"))
    assert care.books.invoices == ()


def test_auto_3_the_charge_of_an_estimate_waits_for_its_notice_like_any_insured_one() -> None:
    care = Estimating(ENROLLED)
    care.tell(insured())
    assert care.mails == ["charge_notice"]
    assert "an estimate" in render_letter(care.letters[0]).text
    care.forward(hours=48)
    assert care.taken == 110_00


# ------------------------------------------------------------------------------------------- corrected by the result


def submitted(account: Account = BY_HAND, **policies: Any) -> Estimating:
    """$110.00 were estimated for a session that was then submitted."""
    care = Estimating(account, **policies)
    care.tell(insured())
    care.submit_claim(claim())
    return care


def test_inv_3_a_lower_result_reduces_what_is_unpaid_and_one_mail_says_so() -> None:
    care = submitted()
    care.receive(owes(62_50))
    (shown,) = care.account["invoices"]
    assert (shown["amount"], shown["open_amount"]) == (62_50, 62_50)
    assert sum(line["you_owe"] for line in shown["lines"]) == 62_50
    assert care.mails == ["invoice", "invoice_changed"]
    assert not care.invoice.estimated
    booked = [(e.book, e.amount) for f in care.facts for e in f.entries]
    assert booked == [  # docs/money.md, Estimated, then decided
        ("receivable", 110_00),
        ("patient_responsibility", -110_00),
        ("receivable", -47_50),
        ("patient_responsibility", 47_50),
    ]
    care.sound()


def test_inv_3_a_lower_result_sends_back_what_was_paid_too_much() -> None:
    care = submitted()
    care.pay(care.invoice.invoice_id)
    care.receive(owes(62_50))
    assert [refund.amount for refund in care.books.refunds] == [47_50]
    assert care.account["balance"] == 0
    assert [kind for kind in care.mails if kind == "invoice_changed"] == ["invoice_changed"]
    care.sound()


def test_inv_3_a_practice_that_keeps_credit_keeps_it_for_the_next_bill() -> None:
    care = submitted(overpayment=Overpayment.CREDIT)
    care.pay(care.invoice.invoice_id)
    care.receive(owes(62_50))
    assert (care.account["credit"], care.books.refunds) == (47_50, ())
    care.sound()


def test_inv_3_a_result_of_nothing_ends_the_bill() -> None:
    care = submitted(ENROLLED)
    care.receive(owes(0))
    care.forward(days=5)
    assert (care.account["balance"], care.taken) == (0, 0)
    care.sound()


def test_inv_3_a_higher_result_grows_what_is_untouched_and_announces_its_charge_anew() -> None:
    care = submitted(ENROLLED)
    care.forward(hours=24)
    care.receive(decided(Adjustment("PR", "1", 120_00), claim_id="KB1"))
    assert care.amounts == [120_00]
    care.forward(hours=47)
    assert care.taken == 0, "the notice of $110.00 is not that of $120.00"
    care.forward(hours=2)
    assert (care.taken, care.dead) == (120_00, [])


def test_inv_3_a_higher_result_asks_only_for_the_difference_of_what_was_paid() -> None:
    care = Estimating()
    care.check(copay=30_00, checked_at="2026-11-19T09:00:00-08:00")
    care.tell(insured())
    care.submit_claim(claim())
    care.pay(care.invoice.invoice_id)
    care.receive(owes(62_50))
    assert care.account["balance"] == 32_50
    assert sum(care.amounts) == 62_50
    assert care.claim_state("KB1").billed == 62_50
    care.sound()


def test_inv_3_a_result_as_expected_changes_nothing_and_is_not_worth_a_mail() -> None:
    care = Estimating()
    care.check(checked_at="2026-11-19T09:00:00-08:00", copay=105_00)
    care.tell(insured())
    care.submit_claim(claim())
    care.receive(owes(105_00))
    assert (care.amounts, care.mails) == ([105_00], ["invoice"])
    assert not care.invoice.estimated, "it is the plan's decision now"
    assert [f.kind for f in care.facts if f.kind == FactKind.INVOICE_CORRECTED] == []
    care.sound()


def test_inv_2_a_result_before_its_estimate_was_issued_leaves_nothing_to_estimate() -> None:
    care = Estimating()
    care.loses |= {FactKind.CLAIM_SUBMITTED}
    care.submit_claim(claim())
    care.receive(owes(62_50))
    care.loses.clear()
    care.tell(insured())
    assert (care.amounts, care.mails) == ([62_50], ["invoice"])
    assert care.invoice.source is Source.CLAIM
    care.sound()


def test_inv_3_a_result_between_session_and_submission_corrects_the_estimate_once_its_claim_is_known() -> None:
    care = Estimating()
    care.tell(insured())
    care.receive(owes(62_50))
    assert [hold.reason for hold in care.holds] == ["unmatched_claim"]
    assert care.amounts == [110_00]
    care.submit_claim(claim())
    assert (care.amounts, care.holds) == ([62_50], [])
    assert care.mails == ["invoice", "invoice_changed"]
    care.sound()


def test_inv_3_a_claim_sent_again_under_another_id_takes_its_estimate_along() -> None:
    care = submitted()
    care.submit_claim(claim("KB2"))
    assert (care.claim_state("KB1").invoices, care.claim_state("KB1").billed) == ((), 0)
    care.receive(owes(62_50, "KB2"))
    assert care.amounts == [62_50]
    care.sound()


def test_inv_3_an_answered_claim_keeps_what_it_bills_when_its_session_is_sent_again() -> None:
    care = submitted()
    care.receive(owes(62_50))
    care.submit_claim(claim("KB2"))
    assert care.claim_state("KB1").billed == 62_50
    assert care.claim_state("KB2").invoices == ()
    assert care.amounts == [62_50]


# ------------------------------------------------------------------------------------------------------- races


def test_inv_2_an_estimate_that_races_its_claims_result_is_not_billed_on_top_of_it() -> None:
    """The result is judged between the estimate's decision and its commit."""
    care = Estimating()
    care.loses |= {FactKind.CLAIM_SUBMITTED}
    care.submit_claim(claim())
    (told,) = [row for row in care.claim_rows("KB1") if isinstance(row, Submission)]
    care.race(lambda: care.receive(owes(62_50)))
    with pytest.raises(Conflict):
        issue_invoice.run(Message(FactKind.CLAIM_SUBMITTED, told.key), store=care.store, now=care.now)
    issue_invoice.run(Message(FactKind.CLAIM_SUBMITTED, told.key), store=care.store, now=care.now)
    assert (care.amounts, care.mails) == ([62_50], ["invoice"])
    care.sound()


def test_inv_3_a_result_that_races_its_claims_estimate_corrects_it() -> None:
    """The estimate is written between the judgement of the result and its commit."""
    care = Estimating()
    care.loses |= {FactKind.CLAIM_SUBMITTED, FactKind.CLAIM_RESULT_RECEIVED}
    care.submit_claim(claim())
    received = ReceivedResult("riverbend", owes(62_50), "receipt_1", care.now)
    care.store.commit(Insert(received))
    care.race(lambda: care.tell(insured()))
    judge = Message(FactKind.CLAIM_RESULT_RECEIVED, received.key)
    with pytest.raises(Conflict):
        issue_invoice.run(judge, store=care.store, now=care.now)
    assert care.amounts == [110_00]
    issue_invoice.run(judge, store=care.store, now=care.now)
    care.settle()
    assert (care.amounts, care.mails) == ([62_50], ["invoice", "invoice_changed"])
    care.sound()


def test_inv_2_a_session_and_its_claim_that_are_told_at_the_same_moment_are_estimated_once() -> None:
    care = Estimating()
    care.loses |= {FactKind.SESSION_COMPLETED}
    care.tell(insured())
    care.loses.clear()
    care.race(lambda: care.submit_claim(claim()))
    session_told = Message(FactKind.SESSION_COMPLETED, session_key("riverbend", "s1"))
    with pytest.raises(Conflict):
        issue_invoice.run(session_told, store=care.store, now=care.now)
    issue_invoice.run(session_told, store=care.store, now=care.now)
    assert (care.amounts, care.claim_state("KB1").billed) == ([110_00], 110_00)
    care.sound()


def test_inv_4_a_session_told_as_self_paid_while_its_claim_is_submitted_is_on_no_claim() -> None:
    care = Estimating()
    care.race(lambda: care.tell(session("s1")))
    reply = care.submit_claim(claim())
    assert_problem(reply, 409)
    assert reply.body["code"] == "session_self_paid"
    assert care.amounts == [150_00]


def test_inv_5_a_session_told_as_covered_while_its_claim_is_submitted_is_known_to_be() -> None:
    for first in ("session", "claim"):
        care = Estimating()
        calls = {
            "session": lambda care=care: care.tell(eap("s1")),
            "claim": lambda care=care: care.submit_claim(claim()),
        }
        second = "claim" if first == "session" else "session"
        care.race(calls[first])
        assert calls[second]().status == 201
        care.receive(owes(62_50))
        assert [hold.reason for hold in care.holds] == ["needs_review"]
        assert care.account["balance"] == 0


# ----------------------------------------------------------------------------------------------- who pays otherwise


def test_inv_5_a_covered_session_on_a_claim_is_not_estimated() -> None:
    care = Estimating()
    care.tell(eap("s1"))
    care.submit_claim(claim())
    assert (care.books.invoices, care.mails) == ((), [])


def test_inv_5_what_a_payer_leaves_of_a_covered_session_is_held_and_not_billed() -> None:
    for first, then in ((0, 1), (1, 0)):
        care = Estimating()
        care.loses |= {FactKind.CLAIM_SUBMITTED}
        calls = (lambda care=care: care.tell(eap("s1")), lambda care=care: care.submit_claim(claim()))
        calls[first]()
        calls[then]()
        care.receive(owes(62_50))
        assert [hold.reason for hold in care.holds] == ["needs_review"]
        assert care.books.invoices == ()


def test_inv_5_what_the_programme_pays_whole_owes_nothing() -> None:
    care = Estimating()
    care.tell(eap("s1"))
    care.submit_claim(claim())
    care.receive(owes(0))
    assert (care.holds, care.books.invoices) == ([], ())


def test_inv_5_an_estimate_is_taken_back_when_a_programme_turns_out_to_cover_its_session() -> None:
    care = Estimating(ENROLLED)
    care.submit_claim(claim())
    assert care.amounts == [110_00]
    care.tell(eap("s1"))
    assert (care.account["balance"], care.mails) == (0, ["charge_notice", "invoice_changed"])
    care.forward(days=5)
    assert (care.taken, care.dead) == (0, [])


# ---------------------------------------------------------------- PAY-13: while the client's bank decides


def disputed(care: Estimating) -> tuple[str, str]:
    """Ana has paid her estimate, and her bank looks into that -> the payment, the dispute."""
    care.pay(care.invoice.invoice_id)
    (payment,) = care.books.attempts
    dispute = care.cards.open_dispute(payment.intent_id)
    care.webhook("charge.dispute.created", intent=payment.intent_id)
    assert care.invoice.disputed
    return payment.intent_id, dispute


def bank_decides(care: Estimating, intent: str, dispute: str, decided_as: DisputeState) -> None:
    care.cards.decide_dispute(dispute, decided_as)
    care.webhook("charge.dispute.closed", intent=intent)


@pytest.mark.parametrize(("decided_as", "back", "owed"), [(DisputeState.WON, 4750, 0), (DisputeState.LOST, 0, 6250)])
@pytest.mark.parametrize("first", ["session", "claim"])
def test_pay_13_what_the_payer_makes_of_an_estimate_while_the_bank_decides_takes_effect_by_itself(
    first: str, decided_as: DisputeState, back: int, owed: int
) -> None:
    """INV-3: whichever of session and claim the estimate was of."""
    care = Estimating()
    calls = [lambda: care.tell(insured()), lambda: care.submit_claim(claim())]
    for call in calls if first == "session" else reversed(calls):
        assert call().status == 201
    intent, dispute = disputed(care)
    care.receive(owes(6250))
    assert ([hold.reason for hold in care.holds], care.amounts) == (["needs_review"], [110_00])
    bank_decides(care, intent, dispute, decided_as)
    assert (care.holds, care.amounts, care.account["balance"]) == ([], [6250], owed)
    assert sum(refund.amount for refund in care.books.refunds) == back
    assert care.mails.count("invoice_changed") == 1
    care.sound()


def test_pay_13_what_a_programme_pays_while_the_bank_decides_is_given_back_by_itself() -> None:
    """INV-5"""
    care = Estimating()
    care.submit_claim(claim())
    intent, dispute = disputed(care)
    care.tell(eap("s1"))
    assert care.amounts == [110_00]
    bank_decides(care, intent, dispute, DisputeState.WON)
    assert (care.amounts, care.account["balance"]) == ([0], 0)
    assert sum(refund.amount for refund in care.books.refunds) == 110_00
    care.sound()


def test_inv_3_a_charge_that_is_on_its_way_holds_no_correction_up() -> None:
    """What it brings too much goes back."""
    care = Estimating(ENROLLED)
    care.tell(insured())
    care.submit_claim(claim())
    care.cards.fault = "lost_response"
    care.forward(hours=48)
    assert care.invoice.status == "processing"
    care.receive(owes(6250))
    assert (care.holds, care.invoice.total) == ([], 6250)
    care.hear(1)
    care.forward(days=1)
    assert (care.account["balance"], sum(r.amount for r in care.books.refunds)) == (0, 4750)
    assert care.dead == []


def test_inv_5_an_estimate_stays_where_the_programme_does_not_cover_its_session() -> None:
    care = Estimating()
    care.submit_claim(claim())
    care.tell(eap("s1", 0))
    assert (care.amounts, [hold.session_id for hold in care.holds]) == ([110_00], ["s1"])


def test_inv_4_a_session_is_either_paid_by_the_client_or_on_a_claim() -> None:
    care = Estimating()
    care.tell(session("s1"))
    refused = care.submit_claim(claim())
    assert_problem(refused, 409)
    assert refused.body["code"] == "session_self_paid"
    care.submit_claim(claim("KB2", "s2"))
    refused = care.tell(session("s2"))
    assert_problem(refused, 409)
    assert refused.body["code"] == "session_on_claim"


def test_a_claim_names_sessions_of_its_own_client_only() -> None:
    care = Estimating()
    care.store.commit(Insert(replace(BY_HAND, client="ben")))
    care.tell(insured("s1", client_id="ben"))
    assert care.submit_claim(claim()).body["code"] == "session_of_another"
    assert_problem(care.submit_claim(claim("KB3", *(f"s{n}" for n in range(41)))), 422)
