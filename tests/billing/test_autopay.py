"""When an announced charge happens, whether it still may, and what a decline means (AUTO-1 to AUTO-8, LAW-2, LAW-7)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.autopay import (
    DECLINES,
    NETWORK_CAPS,
    PASSES_BY_ITSELF,
    Announcement,
    NoCharge,
    after_failure,
    announcement,
    cap_of,
    charge_moment,
    end_autopay,
    meaning_of,
    network_limit_reached,
    next_try,
    no_charge,
    stop_charge,
    why_not,
)
from billing.invoice import Invoice
from billing.payment import Attempt, AttemptKind, AttemptState, Card, Evidence, Part
from billing.plan import Plan, schedule
from billing.policy import AutopayDelay
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
    invoice,
    kinds,
    practice,
)

SOFT = Evidence(AttemptState.FAILED, reason="declined", decline="insufficient_funds")
HARD = Evidence(AttemptState.FAILED, reason="declined", decline="lost_card")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# ------------------------------------------------------------------------------------------- what a new bill means


def test_a_bill_of_an_enrolled_client_is_announced() -> None:
    """AUTO-1"""
    assert announcement(books(), invoice(6250), PRACTICE) is Announcement.CHARGE


def test_a_bill_above_the_cap_asks_for_approval() -> None:
    """AUTO-2: the client's cap, or $500.00 where they chose none."""
    capped = books(account=replace(ENROLLED, cap=10000))
    assert announcement(capped, invoice(10000), PRACTICE) is Announcement.CHARGE
    assert announcement(capped, invoice(10001), PRACTICE) is Announcement.APPROVAL
    assert announcement(books(), invoice(50000), PRACTICE) is Announcement.CHARGE
    assert announcement(books(), invoice(50001), PRACTICE) is Announcement.APPROVAL
    assert cap_of(books(), practice(default_cap=20000)) == 20000


@pytest.mark.parametrize(
    ("account", "bill"),
    [
        (BY_HAND, invoice(6250)),
        (replace(ENROLLED, default_card=""), invoice(6250)),
        (ENROLLED, invoice(49)),
        (ENROLLED, replace(invoice(6250), reviews=("hold_1",))),
        (ENROLLED, replace(invoice(6250), paid=6250)),
    ],
    ids=["not enrolled", "no card", "below Stripe's minimum", "in review", "paid"],
)
def test_nothing_else_is_announced(account: Any, bill: Invoice) -> None:
    """AUTO-1"""
    assert announcement(books(account=account), bill, PRACTICE) is Announcement.NONE


# ------------------------------------------------------------------------------------------- the moment


@pytest.mark.parametrize(
    ("delay", "accepted", "moment"),
    [
        (AutopayDelay.AFTER_NOTICE, "2026-11-20T17:00:00", "2026-11-22T17:00"),
        (AutopayDelay.AFTER_NOTICE, "2026-11-20T17:00:01", "2026-11-22T17:01"),
        (AutopayDelay.AFTER_NOTICE, "2026-11-21T09:30:00", "2026-11-23T09:30"),
        (AutopayDelay.AFTER_INVOICE, "2026-11-20T17:05:00", "2026-11-21T17:00"),
        (AutopayDelay.AFTER_INVOICE, "2026-11-21T16:00:00", "2026-11-21T20:00"),
        (AutopayDelay.OVERNIGHT, "2026-11-20T17:05:00", "2026-11-21T10:00"),
        (AutopayDelay.OVERNIGHT, "2026-11-21T08:00:00", "2026-11-21T12:00"),
    ],
    ids=[
        "48 h after the notice",
        "first minute at or after",
        "from the notice, not the invoice",
        "24 h after the invoice",
        "but 4 h after a late notice",
        "02:00 of the next date",
        "but 4 h after a late notice",
    ],
)
def test_the_moment_of_a_charge(delay: AutopayDelay, accepted: str, moment: str) -> None:
    """AUTO-3: an invoice issued on Friday, 09:00 in Los Angeles."""
    assert charge_moment(invoice(6250), practice(autopay_delay=delay), utc(accepted)) == utc(moment)


@pytest.mark.parametrize(
    ("zone_name", "issued", "moment"),
    [
        ("America/New_York", "2026-03-08T01:00", "2026-03-08T07:00"),
        ("America/Phoenix", "2026-03-08T01:00", "2026-03-08T09:00"),
        ("America/New_York", "2026-11-01T01:00", "2026-11-01T07:00"),
    ],
    ids=["02:00 is skipped", "no daylight saving", "01:00 comes twice"],
)
def test_overnight_across_a_change_of_the_clock(zone_name: str, issued: str, moment: str) -> None:
    """AUTO-3: the first local instant at or after 02:00 on a later date."""
    of = replace(practice(autopay_delay=AutopayDelay.OVERNIGHT), time_zone=zone_name)
    assert charge_moment(invoice(6250, issued_at=utc(issued)), of, utc(issued)) == utc(moment)


@pytest.mark.parametrize(("hours", "moment"), [(0, "20:00"), (4, "20:00"), (12, "04:00")])
def test_no_policy_goes_below_four_hours_of_notice(hours: int, moment: str) -> None:
    """AUTO-3: minimum_notice_hours may be more, never less."""
    late = invoice(6250, issued_at=NOW - timedelta(days=9))
    of = practice(autopay_delay=AutopayDelay.AFTER_INVOICE, minimum_notice_hours=hours)
    assert f"{charge_moment(late, of, utc('2026-11-20T16:00')):%H:%M}" == moment


# ------------------------------------------------------------------------------------------- whether it still may

NO: list[tuple[NoCharge, Any, dict[str, Any]]] = [
    (NoCharge.NOT_DUE, ENROLLED, {"charge_at": NOW + timedelta(seconds=1)}),
    (NoCharge.NOT_DUE, ENROLLED, {"charge_at": None}),
    (NoCharge.NOTHING_OPEN, ENROLLED, {"paid": 6250}),
    (NoCharge.IN_REVIEW, ENROLLED, {"reviews": ("hold_1",)}),
    (NoCharge.DISPUTED, ENROLLED, {"disputed": True}),
    (NoCharge.AUTOPAY_OFF, replace(ENROLLED, autopay=False), {}),
    (NoCharge.NO_CARD, replace(ENROLLED, default_card="card_removed"), {}),
    (NoCharge.BELOW_MINIMUM, ENROLLED, {"paid": 6201}),
    (NoCharge.ABOVE_CAP, replace(ENROLLED, cap=6249), {}),
    (NoCharge.NO_NOTICE, ENROLLED, {"notice_at": None}),
    (NoCharge.NO_NOTICE, replace(ENROLLED, enrolled_at=NOW - timedelta(hours=1)), {}),
    (NoCharge.NOTICE_TOO_YOUNG, ENROLLED, {"notice_at": NOW - timedelta(hours=3, minutes=59)}),
]


@pytest.mark.parametrize(("reason", "account", "change"), NO)
def test_a_charge_that_may_not_happen_names_its_reason(reason: NoCharge, account: Any, change: dict[str, Any]) -> None:
    """AUTO-9's reason codes: AUTO-2 (cap), AUTO-3 (notice), AUTO-5 (paid), LAW-7 (turned off), INV-7 (review)."""
    assert why_not(books(account=account), announced(6250, **change), PRACTICE, NOW) is reason


def test_a_charge_that_is_due_noticed_and_within_the_cap_may_happen() -> None:
    due = announced(6250, notice_at=NOW - timedelta(hours=4))
    assert why_not(books(), due, PRACTICE, NOW) is None
    assert why_not(books(account=replace(ENROLLED, cap=6250)), due, PRACTICE, NOW) is None


def test_a_practice_that_switched_online_payment_off_charges_nobody() -> None:
    """PAY-10."""
    off = replace(PRACTICE, online_payments=False)
    assert why_not(books(), announced(6250), off, NOW) is NoCharge.ONLINE_PAYMENTS_OFF
    assert announcement(books(), invoice(6250), off) is Announcement.NONE


def test_every_reason_is_shown_by_a_test() -> None:
    """The bounce's is given by receive_mail_events, the network's and the good-faith estimate's are shown below."""
    shown = {reason for reason, _, _ in NO} | {NoCharge.CARD_NETWORK_LIMIT, NoCharge.NOTICE_BOUNCED}
    shown.add(NoCharge.ABOVE_GOOD_FAITH_ESTIMATE)
    shown.add(NoCharge.ONLINE_PAYMENTS_OFF)
    assert shown == set(NoCharge)


def test_law_5_self_pay_far_above_its_estimate_is_neither_announced_nor_charged() -> None:
    due = announced(45000, "inv_1", good_faith_estimate=25000)
    other = invoice(30000, "inv_2", good_faith_estimate=10000)
    assert why_not(books(due, other), due, PRACTICE, NOW) is NoCharge.ABOVE_GOOD_FAITH_ESTIMATE
    assert announcement(books(due, other), other, PRACTICE) is Announcement.FAR_ABOVE_ESTIMATE
    given_up = replace(other, written_off=1)
    assert why_not(books(due, given_up), due, PRACTICE, NOW) is None
    assert announcement(books(due, replace(other, void=True)), due, PRACTICE) is Announcement.CHARGE
    free = invoice(6250, "inv_3")
    assert announcement(books(due, other, free), free, PRACTICE) is Announcement.CHARGE


def instalment(**changes: Any) -> tuple[Plan, Invoice]:
    """A plan of $1,200.00 and its first instalment, due."""
    plan = Plan(
        "riverbend", "ana", "plan_1", 1, 2, NOW, (), schedule(120000, 2, NOW.date()), notice_at=NOW - timedelta(days=1)
    )
    return plan, announced(60000, plan_id="plan_1", **({"notice_at": None} | changes))


def test_an_instalment_is_agreed_to_by_its_schedule_not_by_the_cap() -> None:
    """LAW-7, PLAN-5"""
    plan, due = instalment()
    assert why_not(books(plan), due, PRACTICE, NOW) is None
    assert why_not(books(replace(plan, notice_at=NOW)), due, PRACTICE, NOW) is NoCharge.NOTICE_TOO_YOUNG


def test_without_a_schedule_that_arrived_an_instalments_own_reminder_is_its_notice() -> None:
    """AUTO-3, PLAN-5"""
    plan, due = instalment()
    silent = replace(plan, notice_at=None)
    assert why_not(books(silent), due, PRACTICE, NOW) is NoCharge.NO_NOTICE
    assert why_not(books(silent), replace(due, notice_at=NOW - timedelta(hours=12)), PRACTICE, NOW) is None


def tries(card: Card, *ago: timedelta) -> tuple[Attempt, ...]:
    """Charges of that card which began so long ago."""
    return tuple(
        Attempt(
            "riverbend",
            "ana",
            number,
            1,
            AttemptKind.AUTOPAY,
            (Part("inv_other", 100),),
            "cus_ana",
            card.payment_method,
            card.card_id,
            NOW - one,
            AttemptState.FAILED,
        )
        for number, one in enumerate(ago, start=1)
    )


@pytest.mark.parametrize(
    ("card", "ago", "reached"),
    [
        (VISA, [timedelta(days=1)] * 19, False),
        (VISA, [timedelta(days=1)] * 20, True),
        (VISA, [timedelta(days=1)] * 19 + [timedelta(days=30)], False),
        (MASTERCARD, [timedelta(hours=1)] * 9, False),
        (MASTERCARD, [timedelta(hours=1)] * 10, True),
        (MASTERCARD, [timedelta(days=2)] * 34, False),
        (MASTERCARD, [timedelta(days=2)] * 35, True),
        (replace(VISA, brand="discover"), [timedelta(hours=1)] * 90, False),
    ],
)
def test_the_card_networks_caps_count_per_card(card: Card, ago: list[timedelta], reached: bool) -> None:
    """AUTO-7: Visa 20 in 30 days, Mastercard 10 in 24 h and 35 in 30 days."""
    assert network_limit_reached(books(*tries(card, *ago)), card, NOW) is reached
    other = replace(card, card_id="card_other")
    assert not network_limit_reached(books(*tries(card, *ago)), other, NOW)
    assert set(NETWORK_CAPS) == {"visa", "mastercard"}


def test_a_card_at_its_networks_cap_is_not_charged_now() -> None:
    """AUTO-7"""
    tired = books(*tries(VISA, *[timedelta(days=2)] * 20))
    assert why_not(tired, announced(6250), PRACTICE, NOW) is NoCharge.CARD_NETWORK_LIMIT


# ------------------------------------------------------------------------------------------- when it does not happen


@pytest.mark.parametrize("why", [n for n in NoCharge if n not in (NoCharge.NOT_DUE, NoCharge.NOTHING_OPEN)])
def test_a_charge_that_does_not_happen_leaves_nothing_due_now(why: NoCharge) -> None:
    """Nothing stays due for ever: it is looked at later, or cancelled with its reason and back to reminders."""
    before = books(announced(6250))
    left = after(before, no_charge(before.invoices[0], PRACTICE, why, NOW)).invoices[0]
    assert left.due is not None
    assert left.due > f"{NOW:%Y-%m-%dT%H:%M:%SZ}#~"
    assert (left.charge_at is None) == (why not in PASSES_BY_ITSELF)


def test_a_cancelled_charge_says_why() -> None:
    """AUTO-9"""
    before = books(announced(6250))
    (fact,) = [w.record for w in no_charge(before.invoices[0], PRACTICE, NoCharge.ABOVE_CAP, NOW)[1:]]
    assert fact.data == {"invoice_id": "inv_session", "reason": "above_cap", "amount": 6250}  # type: ignore[attr-defined]


def test_one_charge_can_be_stopped_until_it_is_sent() -> None:
    """LAW-7"""
    waiting = books(announced(6250, charge_at=NOW + timedelta(hours=1)))
    stopped = stop_charge(waiting.invoices[0], PRACTICE, NOW)
    assert kinds(stopped) == ["ChargeCancelled"]
    assert after(waiting, stopped).invoices[0].charge_at is None
    assert stop_charge(replace(waiting.invoices[0], open_attempt=1), PRACTICE, NOW) == ()
    assert stop_charge(invoice(6250), PRACTICE, NOW) == ()


def test_turning_autopay_off_cancels_every_announced_charge_at_once() -> None:
    """LAW-7: but what is being sent right now."""
    sending = announced(3000, "inv_sending", open_attempt=1, charge_at=None)
    before = books(announced(6250, "inv_a"), announced(2000, "inv_b"), sending, invoice(1000, "inv_open"))
    writes = end_autopay(before, PRACTICE, "client", "client", NOW)
    assert kinds(writes) == ["AutopayEnded", "ChargeCancelled", "ChargeCancelled"]
    left = after(before, writes)
    assert not left.account.autopay
    assert all(i.charge_at is None for i in left.invoices)
    assert end_autopay(left, PRACTICE, "client", "client", NOW) == ()


def test_turning_autopay_off_fits_one_commit_whatever_is_announced() -> None:
    """What does not fit finds autopay off when it wakes."""
    many = books(*(announced(6250, f"inv_{n:03}") for n in range(120)))
    writes = end_autopay(many, PRACTICE, "client", "client", NOW)
    assert len(writes) <= 100
    left = after(many, writes)
    still = [i for i in left.invoices if i.charge_at]
    assert {why_not(left, i, PRACTICE, NOW) for i in still} == {NoCharge.AUTOPAY_OFF}


# ------------------------------------------------------------------------------------------- after a decline


def lived(evidence: Evidence, of: Any = PRACTICE) -> list[datetime]:
    """When a charge that always fails like this is tried, first try included."""
    moments, at = [], NOW
    bill = announced(6250)
    while True:
        moments.append(at)
        bill = after_failure(replace(bill, charge_at=None), of, evidence, at, at)
        if bill.charge_at is None:
            return moments
        at = bill.charge_at


def test_a_soft_decline_is_tried_again_1_3_and_7_days_after_the_first_try() -> None:
    """AUTO-7"""
    assert [(at - NOW).days for at in lived(SOFT)] == [0, 1, 3, 7]
    assert [(at - NOW).days for at in lived(SOFT, practice(retry_days=(2, 5)))] == [0, 2, 5]
    assert lived(SOFT, practice(retry_days=())) == [NOW]


def test_a_hard_decline_is_never_tried_again() -> None:
    """AUTO-7: back to normal reminders (AUTO-8)."""
    assert lived(HARD) == [NOW]
    given_up = after_failure(announced(6250), PRACTICE, HARD, NOW, NOW)
    assert given_up.charge_at is None
    assert given_up.remind_at is not None


def test_days_count_from_the_try_even_where_its_failure_was_learned_a_day_later() -> None:
    """AUTO-7: an attempt that never reached Stripe is known to have failed only after 24 hours."""
    never = Evidence(AttemptState.FAILED, reason="never_reached")
    learned = NOW + timedelta(hours=24, minutes=7)
    bill = after_failure(announced(6250), PRACTICE, never, NOW, learned)
    assert bill.first_tried_at == NOW
    assert bill.charge_at == learned + timedelta(minutes=1)
    assert next_try(PRACTICE, NOW, 2) == NOW + timedelta(days=3)


@pytest.mark.parametrize("code", DECLINES)
def test_every_decline_says_why_and_what_to_do_in_plain_words(code: str) -> None:
    """AUTO-6"""
    meaning = meaning_of(code)
    for sentence in (meaning.sentence, meaning.what_to_do):
        assert sentence.endswith(".")
        assert "_" not in sentence
        assert code not in sentence


@pytest.mark.parametrize(
    "code",
    [
        "lost_card",
        "stolen_card",
        "expired_card",
        "pickup_card",
        "do_not_try_again",
        "fraudulent",
        "restricted_card",
        "authentication_required",
        "revocation_of_authorization",
        "stop_payment_order",
        "incorrect_number",
    ],
)
def test_hard_declines_do_not_retry(code: str) -> None:
    """AUTO-7"""
    assert not meaning_of(code).retry


@pytest.mark.parametrize("code", ["insufficient_funds", "generic_decline", "try_again_later", "a_code_of_tomorrow"])
def test_soft_and_unknown_declines_retry(code: str) -> None:
    """AUTO-7"""
    assert meaning_of(code).retry


def test_only_a_revoked_authorisation_ends_the_enrolment() -> None:
    """AUTO-7"""
    ending = {code for code, meaning in DECLINES.items() if meaning.ends_autopay}
    assert ending == {"stop_payment_order", "revocation_of_authorization", "revocation_of_all_authorizations"}


def test_a_decline_without_code_is_known_by_our_reason() -> None:
    assert meaning_of("", "never_reached").sentence == "The charge could not be processed at this moment."
