"""Staff end a payment plan, or learn that an instalment of one cannot be changed alone (DESK-4)."""

from datetime import date, timedelta

import pytest

from billing.claim_state import ReceivedResult
from billing.dispute import DisputeState
from billing.facts import FactKind
from billing.ids import plan_id
from billing.invoice import Invoice, Source
from billing.ports import Insert
from billing.staff_action import Deed
from tests.billing.claim_examples import DEDUCTIBLE, DISCOUNT, OWES_62_50, REVERSAL_OF_IT, SUBMITTED, decided
from tests.billing.examples import ENROLLED
from tests.fakes.story import visa_details
from tests.functions.api import Reply
from tests.functions.care import Care
from tests.functions.change_invoice.staff import BILL, deeds, sound

TODAY = date(2026, 11, 20)


def planned(weeks: int = 2, start_in: int = 0) -> Care:
    """Ana's bill of $62.50 is taken in instalments of $31.25."""
    care = Care(ENROLLED)
    care.submit(SUBMITTED)
    care.receive(OWES_62_50)
    care.plan(weeks, TODAY + timedelta(days=start_in))
    return care


def end(care: Care, key: str = "end", reason: str = "They pay the rest at once", plan: str = "") -> Reply:
    named = plan or care.books.plans[0].plan_id
    return care.call("POST", f"/v1/plans/{named}/end", {"reason": reason}, idempotency_key=key)


def code(reply: Reply) -> str:
    assert reply.status == 409
    return str(reply.body["code"])


def rest(care: Care) -> Invoice:
    (found,) = (one for one in care.books.invoices if one.source is Source.PLAN_REMAINDER)
    return found


def issue(care: Care) -> Invoice:
    """The first instalment is issued, its charge announced."""
    care.forward(minutes=1)
    (first,) = (one for one in care.books.invoices if one.source is Source.PLAN)
    assert first.charge_at is not None
    return first


def test_desk_4_what_is_left_of_a_plan_is_one_bill_told_once_and_nothing_announced_is_charged() -> None:
    care = planned()
    first = issue(care)
    reply = end(care)
    assert (reply.status, reply.body["status"], reply.body["invoice"]["open_amount"]) == (200, "ended", 62_50)
    assert [part["status"] for part in reply.body["instalments"]] == ["skipped", "skipped"]
    assert care.account["plan"] == {name: reply.body[name] for name in care.account["plan"]}
    assert (care.account["balance"], care.account["upcoming_charges"]) == (62_50, [])
    assert care.mails[-1] == "plan_broken"
    letter = care.letters[-1]
    assert (letter.amount, letter.reason) == (62_50, "we ended your payment plan.")
    assert "will not be taken" in letter.what_to_do
    called_off = [f.data for f in care.facts if f.kind == FactKind.CHARGE_CANCELLED]
    assert called_off == [{"invoice_id": first.invoice_id, "reason": "plan_ended", "amount": 31_25}]
    care.forward(days=2)
    assert (care.taken, care.mails.count("plan_broken"), rest(care).status) == (0, 1, "open")
    assert [(deed.deed, deed.amount, deed.reason) for deed in deeds(care.store)] == [
        (Deed.END_PLAN, 62_50, "They pay the rest at once")
    ]
    assert sound(care)


def test_desk_4_what_was_paid_of_a_plan_stays_paid() -> None:
    care = planned()
    care.forward(days=1)
    assert care.taken == 31_25
    reply = end(care)
    assert (reply.body["invoice"]["open_amount"], care.account["balance"]) == (31_25, 31_25)
    assert [part["status"] for part in reply.body["instalments"]] == ["paid", "skipped"]
    care.pay(rest(care).invoice_id)
    assert (care.account["balance"], care.taken) == (0, 62_50)
    assert sound(care)


def test_desk_4_a_plan_is_ended_once_per_key_and_once_at_all() -> None:
    care = planned()
    first, again = end(care), end(care)
    assert (first.status, again.status, again.body) == (200, 200, first.body)
    assert code(end(care, reason="Another")) == "idempotency_key_reused"
    assert code(end(care, key="other")) == "plan_over"
    assert (care.mails.count("plan_broken"), len(deeds(care.store))) == (1, 1)


def test_desk_4_two_who_end_it_at_once_end_it_once() -> None:
    care = planned()
    first: list[Reply] = []
    care.race(lambda: first.append(end(care, key="other")))
    assert code(end(care)) == "plan_over"
    assert (first[0].status, len(deeds(care.store))) == (200, 1)


def test_desk_4_a_plan_can_be_made_again_when_one_was_ended() -> None:
    care = planned()
    end(care)
    care.plan(4, care.now.date())
    assert sorted(plan.status for plan in care.books.plans) == ["active", "ended"]
    assert (care.account["balance"], care.account["plan"]["status"]) == (62_50, "active")
    assert sound(care)


def test_desk_4_an_instalment_that_is_being_paid_holds_the_end_up_and_a_page_left_open_is_closed() -> None:
    care = planned()
    first = issue(care)
    session = care.open_page(first.invoice_id)
    care.cards.pay_on_page(session, visa_details(), processing=True)
    assert code(end(care)) == "payment_in_progress"
    assert care.books.plans[0].status == "active"


def test_desk_4_a_page_left_open_is_closed_before_the_plan_ends() -> None:
    care = planned()
    session = care.open_page(issue(care).invoice_id)
    assert end(care).status == 200
    assert care.cards.pages[session].state == "expired"
    assert sound(care)


def test_desk_4_an_instalment_is_neither_voided_nor_written_off_before_its_plan_is_ended() -> None:
    """DESK-3: the refusal says what to do, and then it can be done."""
    care = planned()
    first = issue(care)
    for deed in ("void", "write-off"):
        reply = care.call(
            "POST", f"/v1/invoices/{first.invoice_id}/{deed}", {"reason": "Hardship"}, idempotency_key=deed
        )
        assert (code(reply), care.books.plans[0].plan_id in reply.body["detail"]) == ("in_plan", True)
    end(care)
    forgiven = care.call(
        "POST", f"/v1/invoices/{rest(care).invoice_id}/write-off", {"reason": "Hardship"}, idempotency_key="forgive"
    )
    assert (forgiven.status, forgiven.body["status"], care.account["balance"]) == (200, "written_off", 0)
    assert sound(care)


@pytest.mark.parametrize("named", ["plan_nothing", plan_id("riverbend", "ana", 7), plan_id("riverbend", "nobody", 1)])
def test_desk_4_an_unknown_plan_is_not_found(named: str) -> None:
    assert end(planned(), plan=named).status == 404


def test_desk_4_ending_a_plan_needs_a_key_and_a_reason() -> None:
    care = planned()
    path = f"/v1/plans/{care.books.plans[0].plan_id}/end"
    assert care.call("POST", path, {"reason": "They asked"}).status == 400
    assert end(care, reason=" ").status == 422


def less(care: Care) -> None:
    """The payer corrects itself: Ana owes $40.00."""
    for result in (REVERSAL_OF_IT, decided(DISCOUNT, DEDUCTIBLE, payer_claim_id="2026000999")):
        care.store.commit(Insert(ReceivedResult("riverbend", result, "receipt_2", care.now)))
    care.settle()


def test_plan_9_a_correction_after_the_end_shrinks_what_is_left() -> None:
    """INV-3"""
    care = planned()
    care.forward(days=1)
    end(care)
    less(care)
    assert (rest(care).open_amount, care.account["balance"], care.books.refunds) == (8_75, 8_75, ())
    assert sound(care)


def test_pay_13_a_correction_waits_for_the_bank_that_looks_into_what_was_left_of_its_plan() -> None:
    """INV-3: and then takes effect by itself."""
    care = planned()
    end(care)
    care.pay(rest(care).invoice_id)
    payment = care.books.attempts[-1]
    dispute = care.cards.open_dispute(payment.intent_id)
    care.webhook("charge.dispute.created", intent=payment.intent_id)
    less(care)
    bill = care.books.invoice(BILL)
    assert bill is not None
    assert (bill.total, len(care.holds)) == (62_50, 2)
    care.cards.decide_dispute(dispute, DisputeState.WON)
    care.webhook("charge.dispute.closed", intent=payment.intent_id)
    assert (care.holds, sum(one.amount for one in care.books.refunds), care.account["balance"]) == ([], 22_50, 0)
    assert sound(care)
