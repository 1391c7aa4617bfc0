"""LAW-4 and estimates: while another payer is to answer, nothing that was only estimated is asked for or charged."""

from dataclasses import replace

from billing.account import Account
from billing.claim import Adjustment, ClaimResult, ClaimStatus
from tests.billing.claim_examples import DISCOUNT, decided
from tests.billing.examples import BY_HAND, ENROLLED
from tests.functions.issue_invoice.test_estimates import Estimating, claim, insured, owes

FORWARDED = ClaimStatus.PROCESSED_PRIMARY_FORWARDED


def second(amount: int) -> ClaimResult:
    """The second payer leaves that much to Ana."""
    return decided(
        DISCOUNT,
        Adjustment("OA", "23", 105_00 - amount),
        *((Adjustment("PR", "3", amount),) if amount else ()),
        claim_id="KB1",
        status=ClaimStatus.PROCESSED_SECONDARY,
        payer_ids=("77777",),
        payer_claim_id="S-1",
    )


def estimated(account: Account = ENROLLED) -> Estimating:
    """A session whose estimate of $110.00 is announced, where there is autopay."""
    care = Estimating(account)
    care.tell(insured())
    return care


def test_law_4_an_estimate_is_not_asked_for_once_its_claim_has_a_second_payer_on_file() -> None:
    care = estimated()
    care.submit_claim(claim(secondary_payer_id="77777"))
    assert (care.amounts, care.account["balance"], care.account["upcoming_charges"]) == ([0], 0, [])
    assert care.mails == ["charge_notice", "invoice_changed"]
    care.receive(owes(62_50))
    assert care.account["balance"] == 0
    care.receive(second(10_00))
    assert care.account["balance"] == 10_00
    care.sound()


def test_law_4_an_estimate_is_not_asked_for_once_its_claim_was_forwarded() -> None:
    care = estimated()
    care.submit_claim(claim())
    assert care.account["balance"] == 110_00
    care.receive(owes(62_50, status=FORWARDED))
    assert (care.amounts, care.account["upcoming_charges"]) == ([0], [])
    care.receive(second(0))
    assert care.account["balance"] == 0
    care.sound()


def test_law_4_the_client_is_told_why_nothing_is_asked_for() -> None:
    care = estimated(BY_HAND)
    care.submit_claim(claim(secondary_payer_id="77777"))
    (letter,) = [one for one in care.letters if one.kind == "invoice_changed"]
    assert (letter.before, letter.after) == (110_00, 0)
    assert "Another health plan decides as well" in letter.change


def test_law_4_what_was_paid_by_then_stays_until_all_payers_have_decided() -> None:
    """Sent back today and asked for again in two weeks, nobody would understand it."""
    care = estimated(BY_HAND)
    care.pay(care.invoice.invoice_id)
    care.submit_claim(claim(secondary_payer_id="77777"))
    assert (care.amounts, care.account["balance"]) == ([110_00], 0)
    care.receive(owes(62_50))
    assert (care.amounts, care.books.refunds) == ([110_00], ())
    care.receive(second(10_00))
    assert (care.amounts, [refund.amount for refund in care.books.refunds]) == ([10_00], [100_00])
    care.sound()


def test_law_4_a_claim_sent_again_with_a_second_payer_takes_its_estimate_back() -> None:
    """The practice learns of the second plan, and sends the claim again under another id; then without it."""
    care = estimated(BY_HAND)
    care.submit_claim(claim())
    care.submit_claim(claim("KB2", secondary_payer_id="77777"))
    assert care.account["balance"] == 0
    care.submit_claim(claim("KB3"))
    assert care.account["balance"] == 0
    care.receive(owes(62_50, "KB3"))
    assert care.account["balance"] == 62_50
    care.sound()


def test_law_4_a_result_that_is_held_leaves_nothing_to_ask_for_either() -> None:
    care = estimated()
    care.submit_claim(claim(secondary_payer_id="77777"))
    care.receive(replace(owes(62_50), paid=1))
    assert [hold.reason for hold in care.holds] == ["out_of_balance"]
    assert care.account["balance"] == 0
    care.sound()
