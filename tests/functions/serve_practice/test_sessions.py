"""Completed sessions over the API: what a self-paid one costs and when, what an employee-assistance programme covers,
and which eligibility check is in force."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.facts import FactKind, Message
from billing.invoice import Source
from billing.policy import AutopayDelay
from tests.billing.examples import BY_HAND, ENROLLED, NOW
from tests.functions.api import assert_problem
from tests.functions.care import CHECK, Care, eap, session

# ------------------------------------------------------------------------------------------------ told once


def test_a_session_is_told_once_and_the_same_again_changes_nothing() -> None:
    care = Care()
    first, again = care.tell(session()), care.tell(session())
    assert (first.status, again.status) == (201, 200)
    assert again.body == first.body | {"invoice_id": care.invoice.invoice_id}
    assert care.call("GET", "/v1/sessions/s1").body == again.body
    assert care.mails == ["charge_notice"]


def test_another_session_of_the_same_id_is_refused() -> None:
    care = Care()
    care.tell(session())
    reply = care.tell(session(rate=160_00))
    assert_problem(reply, 409)
    assert reply.body["code"] == "session_differs"


def test_a_session_of_a_client_nobody_knows_is_refused() -> None:
    assert_problem(Care().tell(session(client_id="nobody")), 404)
    assert_problem(Care().call("GET", "/v1/sessions/s1"), 404)


@pytest.mark.parametrize(
    "wrong", [{"kind": "eap"}, {"kind": "barter"}, {"rate": -1}, {"eap": {}}, {"completed_at": "2026-11-20"}], ids=str
)
def test_a_session_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    assert_problem(Care().tell(session(**wrong)), 422)


def test_inv_4_a_session_that_is_still_to_come_is_not_completed_and_bills_nobody() -> None:
    care = Care(BY_HAND)
    reply = care.tell(session(completed_at="2030-11-20T08:00:00-08:00"))
    assert_problem(reply, 422)
    assert reply.body["errors"] == [{"loc": "completed_at", "msg": "must not be to come"}]
    assert care.account["invoices"] == []
    assert care.tell(session(completed_at=(care.now + timedelta(hours=23)).isoformat())).status == 201


# ------------------------------------------------------------------------------------------------- self-pay


def test_inv_4_a_self_paid_session_is_invoiced_for_its_rate_and_every_cent_is_the_clients() -> None:
    care = Care(BY_HAND)
    care.tell(session())
    (shown,) = care.account["invoices"]
    (line,) = shown["lines"]
    assert (shown["amount"], shown["open_amount"], shown["status"]) == (150_00, 150_00, "open")
    assert (line["billed"], line["you_owe"], line["procedure"]) == (150_00, 150_00, "90834")
    assert line["billed"] == sum(
        line[part] for part in ("plan_discount", "insurance_paid", "deductible", "coinsurance", "copay", "not_covered")
    )
    assert line["service_date"] == "2026-11-20"
    assert care.mails == ["invoice"]
    assert care.invoice.source is Source.SESSION
    assert care.letters[0].basis == "self_pay"


def test_inv_4_a_session_late_in_the_evening_is_of_its_day_at_the_practice() -> None:
    care = Care(BY_HAND)
    care.tell(session(completed_at="2026-11-20T05:30:00Z"))
    assert care.account["invoices"][0]["lines"][0]["service_date"] == "2026-11-19"


def test_inv_4_a_session_that_costs_nothing_is_not_invoiced() -> None:
    care = Care()
    care.tell(session(rate=0))
    assert (care.books.invoices, care.mails) == ((), [])


def test_inv_4_a_session_is_billed_once_however_often_its_message_comes() -> None:
    care = Care(BY_HAND)
    care.copies = 3
    care.tell(session())
    assert (len(care.books.invoices), care.mails, care.dead) == (1, ["invoice"], [])


def test_auto_3_the_clock_of_a_self_paid_session_starts_at_issue_not_at_the_notice() -> None:
    care = Care()
    care.loses.add(FactKind.INVOICE_ISSUED)
    care.tell(session())
    care.loses.clear()
    care.forward(hours=10)
    care.send([("send_email", message_of(care, FactKind.INVOICE_ISSUED))])
    care.settle()
    assert care.account["upcoming_charges"][0]["at"] == at(NOW + timedelta(hours=48))
    care.forward(hours=38)
    assert (care.taken, care.mails[-1]) == (150_00, "receipt")


def test_auto_3_no_self_paid_session_is_charged_on_a_notice_younger_than_four_hours() -> None:
    care = Care()
    care.loses.add(FactKind.INVOICE_ISSUED)
    care.tell(session())
    care.loses.clear()
    care.forward(hours=47)
    care.send([("send_email", message_of(care, FactKind.INVOICE_ISSUED))])
    care.settle()
    noticed = care.now
    care.until(noticed + timedelta(hours=4) - timedelta(seconds=1))
    assert care.taken == 0
    care.until(noticed + timedelta(hours=4))
    assert care.taken == 150_00


def test_auto_3_another_delay_of_the_practice_holds_for_self_pay_too() -> None:
    care = Care(policies={"autopay_delay": AutopayDelay.OVERNIGHT})
    care.tell(session())
    assert care.account["upcoming_charges"][0]["at"] == at(datetime(2026, 11, 21, 10, 0, tzinfo=UTC))


# ------------------------------------------------------------------------- LAW-5: the good-faith estimate


def test_law_5_what_is_together_400_dollars_above_its_estimate_waits_for_a_click_and_the_mail_says_why() -> None:
    care = Care(replace(ENROLLED, cap=1_000_00))
    care.tell(session("s1", rate=450_00, good_faith_estimate=250_00))
    assert care.mails == ["charge_notice"]
    care.tell(session("s2", rate=450_00, good_faith_estimate=250_00))
    assert care.mails == ["charge_notice", "approval_request"]
    assert "$400.00 above the estimate" in care.letters[-1].reason
    care.forward(days=10)
    assert care.taken == 0
    assert [f.data["reason"] for f in care.facts if f.kind == FactKind.CHARGE_CANCELLED] == [
        "above_good_faith_estimate"
    ]
    assert "reminder" in care.mails
    care.pay(care.books.invoices[0].invoice_id)
    assert care.taken == 450_00


def test_law_5_one_cent_less_is_charged_and_what_had_no_estimate_does_not_count() -> None:
    care = Care(replace(ENROLLED, cap=1_000_00))
    care.tell(session("s1", rate=450_00, good_faith_estimate=250_01))
    care.tell(session("s2", rate=450_00, good_faith_estimate=250_00))
    care.tell(session("s3", rate=450_00))
    care.forward(hours=48)
    assert care.taken == 3 * 450_00


def test_law_5_the_last_look_before_a_charge_sees_it_too() -> None:
    """Here nobody stopped the announced charge when the bills came too far above."""
    care = Care(replace(ENROLLED, cap=1_000_00))
    care.tell(session(rate=450_00, good_faith_estimate=250_00))
    care.edit(care.invoice, good_faith_estimate=50_00)
    care.forward(hours=48)
    assert care.taken == 0
    assert [f.data["reason"] for f in care.facts if f.kind == FactKind.CHARGE_CANCELLED] == [
        "above_good_faith_estimate"
    ]


def test_law_5_while_the_client_disputes_the_bill_it_is_neither_charged_nor_reminded_of_nor_ages() -> None:
    care = Care()
    care.tell(session(good_faith_estimate=100_00))
    path = f"/v1/invoices/{care.invoice.invoice_id}/reviews"
    asked = care.call("POST", path, {"reason": "Told $100.00", "quoted_amount": 100_00}, idempotency_key="k1")
    assert asked.status == 201
    care.forward(days=70)
    assert (care.taken, care.mails[0], care.mails.count("reminder")) == (0, "charge_notice", 0)
    assert care.account["invoices"][0]["status"] == "in_review"
    assert not care.invoice.past_due


# ---------------------------------------------------------------- INV-5: employee-assistance programmes


def test_inv_5_a_covered_session_costs_the_client_nothing_and_they_hear_nothing() -> None:
    care = Care()
    reply = care.tell(eap())
    assert (reply.status, reply.body["covered"], reply.body["invoice_id"]) == (201, True, None)
    assert (care.account["balance"], care.mails, care.holds) == (0, [], [])
    assert [f.kind for f in care.facts] == [FactKind.SESSION_COVERED]


def test_inv_5_the_sessions_of_an_authorisation_are_counted_and_one_beyond_it_is_held() -> None:
    care = Care()
    covered = [care.tell(eap(name)).body["covered"] for name in ("s1", "s2", "s3", "s1")]
    assert covered == [True, True, False, True]
    (held,) = care.call("GET", "/v1/holds").body["holds"]
    assert (held["session_id"], held["reason"], held["client_id"]) == ("s3", "eap_sessions_used_up", "ana")
    assert held["patient_responsibility"] == 150_00
    assert "Release it to bill the client" in held["what_to_do"]
    assert (care.books.invoices, care.mails) == ((), [])


def test_inv_5_the_last_day_of_an_authorisation_counts_and_the_next_one_does_not() -> None:
    care = Care()
    assert care.tell(eap("s1", until="2026-11-20")).body["covered"]
    reply = care.tell(eap("s2", until="2026-11-19"))
    assert not reply.body["covered"]
    assert [h.reason for h in care.holds] == ["eap_authorisation_expired"]


def test_inv_5_each_authorisation_has_a_count_of_its_own() -> None:
    care = Care()
    told = [eap("s1", 1), eap("s2", 1, eap={"authorisation": "AUTH-8"}), eap("s3", 1)]
    assert [care.tell(one).body["covered"] for one in told] == [True, True, False]


def test_inv_5_a_programme_that_grants_more_covers_more() -> None:
    care = Care()
    assert [care.tell(eap(f"s{n}", n)).body["covered"] for n in (1, 2, 3)] == [True, True, True]


def test_inv_5_a_programme_that_the_practice_does_not_list_is_refused_with_a_clear_reason() -> None:
    care = Care()
    reply = care.tell(eap(eap={"programme": "Wellness Now"}))
    assert_problem(reply, 409)
    assert (reply.body["code"], reply.body["type"].rpartition("/")[2]) == ("programme_not_accepted", "INV-5")
    assert "Wellness Now" in reply.body["detail"]
    assert "Optum Live & Work Well; Optum Emotional Wellbeing Solutions" in reply.body["detail"]
    assert care.call("GET", "/v1/sessions/s1").status == 404


def test_inv_5_the_practice_says_which_programmes_it_takes_however_they_are_capitalised() -> None:
    care = Care()
    path = "/v1/practices/riverbend/policies"
    assert care.call("PUT", path, {"eap_programmes": ["Wellness Now"]}).status == 200
    assert care.tell(eap(eap={"programme": "wellness  NOW"})).body["covered"]
    assert care.tell(eap("s2")).status == 409


def test_inv_5_of_two_sessions_that_race_for_the_last_covered_place_exactly_one_gets_it() -> None:
    care = Care()
    care.race(lambda: care.call("POST", "/v1/sessions", eap("faster", 1), settle=False))
    slower = care.tell(eap("slower", 1))
    covered = {name: care.call("GET", f"/v1/sessions/{name}").body["covered"] for name in ("faster", "slower")}
    assert covered == {"faster": True, "slower": False}
    assert (slower.status, [h.session_id for h in care.holds]) == (201, ["slower"])


# ------------------------------------------------------------------------------------------ eligibility


def test_inv_2_the_latest_eligibility_check_is_in_force_whatever_order_they_arrive_in() -> None:
    care = Care()
    assert care.call("GET", "/v1/clients/ana/eligibility").status == 404
    newer = care.check(copay=30_00)
    older = care.check(checked_at="2026-11-17T09:00:00-08:00", copay=40_00)
    assert (newer.status, older.status) == (200, 200)
    assert older.body == newer.body == care.call("GET", "/v1/clients/ana/eligibility").body
    assert newer.body == CHECK | {
        "client_id": "ana",
        "checked_at": "2026-11-18T17:00:00Z",
        "copay": 30_00,
        "out_of_pocket_remaining": None,
    }
    assert care.check(checked_at="2026-11-19T09:00:00-08:00", copay=40_00).body["copay"] == 40_00


def test_inv_2_a_check_of_a_day_to_come_is_refused() -> None:
    """Kept, it would outlast every real one until then."""
    care = Care()
    assert_problem(care.check(checked_at="2030-11-18T09:00:00-08:00"), 422)
    assert care.check().status == 200


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00"])
def test_an_instant_at_the_end_of_all_calendars_is_refused_and_no_error_of_ours(at: str) -> None:
    """It has no time in another zone: it was answered 500, or stuck behind the answer."""
    care = Care()
    assert_problem(care.check(checked_at=at), 422)
    assert_problem(care.tell(session(completed_at=at)), 422)
    assert care.dead == []


def test_inv_5_an_authorisation_may_last_for_ever() -> None:
    assert Care().tell(eap(until="9999-12-31")).body["covered"] is True


def test_inv_2_a_check_that_was_told_wrongly_is_corrected_by_telling_it_again() -> None:
    care = Care()
    care.check(copay=30_00)
    assert care.check(copay=35_00).body["copay"] == 35_00


def test_a_check_of_a_client_nobody_knows_is_refused() -> None:
    assert_problem(Care().call("PUT", "/v1/clients/nobody/eligibility", CHECK), 404)
    assert_problem(Care().call("GET", "/v1/clients/nobody/eligibility"), 404)


def message_of(care: Care, kind: FactKind) -> Message:
    """The message of the only fact of that kind."""
    (fact,) = [f for f in care.facts if f.kind == kind]
    return Message(kind, fact.key)


def at(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
