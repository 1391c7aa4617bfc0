"""Bugs that a seed found, each told as the shortest story that shows it; the seed is named for its history."""

from dataclasses import replace
from datetime import timedelta

from billing.claim_state import Hold, Submission
from billing.facts import Fact, FactKind, Message
from billing.ids import Key, claim_pk, facts_pk, holds_pk
from billing.invoice import Status
from billing.notice import NoticeKind
from billing.ports import Insert
from billing.reconciliation import FINDINGS_PK, armed
from billing.review import AskedBy
from billing.reviewing import Asked, Decision
from billing.standing import Choice
from functions.change_invoice.review_decision import decide as decide_review
from functions.change_invoice.reviews import ask
from functions.issue_invoice import flow
from functions.receive_mail_events.report import Trouble
from functions.send_email import flow as send_email
from functions.serve_client import flow as pay_page
from functions.serve_client.hosted import start_payment
from functions.serve_practice import holds
from functions.serve_practice.flow import change_policies, put_practice
from tests.billing.claim_examples import reversal_of
from tests.sim.claims import SECOND, SECOND_PAYER
from tests.sim.scenarios.stage import Stage, result
from tests.sim.workload import PRACTICE


def test_a_claim_told_of_twice_at_once_is_judged_once() -> None:
    """Seed 32: both deliveries saw the result wait for its claim; the slower one found its hold gone and crashed."""
    stage = Stage()
    stage.client("client_with_a_late_claim")
    stage.decides("claim_1", 62_50)
    stage.forward(seconds=10)
    submitted = Message(FactKind.CLAIM_SUBMITTED, Key(claim_pk("riverbend", "claim_1"), "SUBMITTED#"))

    def second_delivery() -> None:
        if isinstance(stage.world.store.get(submitted.key), Submission):
            flow.run(submitted, store=stage.world.store, now=stage.world.now)

    stage.submits("client_with_a_late_claim", "claim_1")
    stage.next_time("after store.partition", second_delivery)
    stage.forward(seconds=10)
    assert [i.amount for i in stage.books("client_with_a_late_claim").invoices] == [62_50]
    stage.ends_well()


def test_a_charge_that_was_begun_but_never_sent_is_not_sent_after_autopay_was_turned_off() -> None:
    """LAW-7. The step died between its attempt and Stripe; the client turned autopay off; the redelivery sent it."""
    stage = Stage()
    person = stage.client("client_who_turns_autopay_off", autopay=True)
    invoice = stage.owes("client_who_turns_autopay_off", 62_50)
    stage.forward(hours=47, minutes=59)
    stage.next_time("before cards.charge", stage.crash)
    stage.forward(minutes=4)
    assert stage.invoice("client_who_turns_autopay_off", invoice.invoice_id).status is Status.PROCESSING
    assert stage.does(person.client, person.turn_off) == "off"
    stage.forward(days=30)
    assert stage.tried("client_who_turns_autopay_off") == []
    failed = stage.mails("client_who_turns_autopay_off", NoticeKind.CHARGE_FAILED)
    assert [mail.letter.retry_at for mail in failed] == [None], "nobody is promised a try that will not happen"
    assert stage.invoice("client_who_turns_autopay_off", invoice.invoice_id).status is Status.OPEN
    assert stage.mails("client_who_turns_autopay_off", NoticeKind.REMINDER)
    stage.ends_well()


def test_pay_10_a_charge_that_was_begun_is_not_sent_after_online_payments_were_switched_off() -> None:
    """Seed 3345. The step died between its attempt and Stripe; the practice switched off; the redelivery sent it."""
    stage = Stage()
    stage.client("client_of_a_practice_that_stops", autopay=True)
    invoice = stage.owes("client_of_a_practice_that_stops", 62_50)
    stage.forward(hours=47, minutes=59)
    stage.next_time("before cards.charge", stage.crash)
    stage.forward(minutes=4)
    assert stage.invoice("client_of_a_practice_that_stops", invoice.invoice_id).status is Status.PROCESSING
    stops = replace(stage.world.judge.practice(PRACTICE), online_payments=False)
    stage.does("practice", lambda ports: put_practice(ports["store"], stops, stage.world.now) and None)
    stage.forward(days=30)
    assert stage.tried("client_of_a_practice_that_stops") == []
    assert stage.invoice("client_of_a_practice_that_stops", invoice.invoice_id).status is Status.OPEN
    stage.ends_well()


def test_a_page_opened_while_the_charge_closes_another_is_not_charged_beside() -> None:
    """Seed 2083. Between closing one page and reading the account again, a second tab opened the next page; the charge
    took the invoice over, and the page could still be paid: the client would have paid twice."""
    stage = Stage()
    person = stage.client("client_with_many_tabs", autopay=True)
    invoice = stage.owes("client_with_many_tabs", 62_50)
    stage.forward(hours=47, minutes=50)
    stage.opens(person, invoice.invoice_id)
    stage.forward(minutes=9)
    opened: list[str] = []

    def in_another_tab() -> None:
        world = stage.world
        attempt = start_payment(
            world.store,
            world.stripe.cards,
            PRACTICE,
            person.client,
            lambda books: tuple(i for i in books.invoices if i.open_amount),
            None,
            world.now,
            "http://pay.example/done",
            "http://pay.example",
        )
        opened.append(attempt.session_id)

    stage.next_time("after store.commit", in_another_tab)
    stage.forward(minutes=2)
    assert opened
    said = stage.submits_page(opened[0])
    stage.ends_well()
    assert stage.taken("client_with_many_tabs") == [62_50], f"the page said {said}"


def test_a_bounced_notice_cancels_its_charge_although_a_page_is_open() -> None:
    """Seed 1766, AUTO-3. The bounce passed over an invoice with an open page; abandoned, the charge still happened."""
    stage = Stage()
    person = stage.client("client_whose_mail_bounces", autopay=True)
    invoice = stage.owes("client_whose_mail_bounces", 62_50)
    (notice,) = stage.mails("client_whose_mail_bounces", NoticeKind.CHARGE_NOTICE)
    stage.forward(hours=1)
    stage.opens(person, invoice.invoice_id)
    stage.world.comes_back(notice, Trouble.BOUNCED, timedelta(minutes=1))
    stage.forward(days=10)
    assert stage.taken("client_whose_mail_bounces") == []
    stage.ends_well()
    assert stage.taken("client_whose_mail_bounces") == []


def test_a_charge_that_fails_after_its_notice_bounced_is_not_tried_again() -> None:
    """AUTO-3. The bounce came while the charge was under way; its retries would have had no notice."""
    stage = Stage()
    person = stage.client("client_whose_mail_bounces", autopay=True)
    stage.owes("client_whose_mail_bounces", 62_50)
    person.card_becomes("insufficient_funds")
    (notice,) = stage.mails("client_whose_mail_bounces", NoticeKind.CHARGE_NOTICE)
    stage.forward(hours=47, minutes=59)
    stage.next_time("before cards.charge", stage.crash)
    stage.forward(minutes=3)
    stage.world.comes_back(notice, Trouble.COMPLAINT, timedelta(0))
    stage.forward(days=20)
    assert len(stage.tried("client_whose_mail_bounces")) <= 1
    assert stage.mails("client_whose_mail_bounces", NoticeKind.REMINDER)
    stage.ends_well()


def test_a_charge_is_not_called_unconsented_because_two_clocks_differ_by_two_seconds() -> None:
    """Seed 206. Autopay was turned off while the charge was being sent, by a function whose clock was behind: by the
    recorded times the charge came after it, and the nightly check would have called it theft."""
    stage = Stage()
    person = stage.client("client_who_turns_autopay_off", autopay=True)
    invoice = stage.owes("client_who_turns_autopay_off", 62_50)
    stage.forward(hours=47, minutes=59)

    def turn_off_by_a_slow_clock() -> None:
        visit, form = person.visit({"store": stage.world.store})
        visit = replace(visit, now=visit.now - timedelta(seconds=2))
        pay_page.turn_autopay_off(stage.world.store, visit, form)

    stage.next_time("before cards.charge", turn_off_by_a_slow_clock)
    stage.forward(minutes=4)
    assert stage.invoice("client_who_turns_autopay_off", invoice.invoice_id).status is Status.PAID
    stage.ends_well()


def test_a_no_while_a_charge_was_under_way_is_not_forgotten_when_the_client_agrees_again() -> None:
    """Seed 186, AUTO-1, LAW-7. A charge was begun and never sent, autopay turned off and on again within the day; then
    the look-up called it failed, and its retry took a bill that was older than the new agreement and not ticked."""
    stage = Stage()
    person = stage.client("client_who_says_no_and_yes", autopay=True)
    stage.owes("client_who_says_no_and_yes", 62_50)
    stage.forward(hours=47, minutes=59)
    stage.next_time("before cards.charge", stage.crash)
    stage.forward(minutes=3)
    assert stage.does(person.client, person.turn_off) == "off"
    stage.forward(hours=5)
    stage.does(person.client, person.enrol)
    stage.forward(days=10)
    assert stage.books("client_who_says_no_and_yes").account.autopay
    assert stage.tried("client_who_says_no_and_yes") == []
    assert stage.mails("client_who_says_no_and_yes", NoticeKind.REMINDER)
    stage.ends_well()


def test_a_charge_is_not_called_too_early_because_the_practice_wants_longer_notices_since() -> None:
    """Seeds with a practice that changes its mind. The night judged the morning's charge by the policy of the evening:
    every practice that asked for longer notices would have read of charges without a notice old enough."""
    stage = Stage()
    stage.client("client_on_autopay", autopay=True)
    stage.world.store.commit(Insert(armed(stage.world.now)))
    stage.owes("client_on_autopay", 62_50)
    stage.forward(hours=48, minutes=5)
    assert stage.taken("client_on_autopay") == [62_50]
    longer = lambda policy: replace(policy, minimum_notice_hours=72)  # noqa: E731
    now = stage.world.now
    stage.does("practice", lambda ports: change_policies(ports["store"], PRACTICE, longer, "staff", now) and None)
    stage.world.judge.policy_changed()
    stage.forward(days=2)
    assert stage.world.nights.number >= 2
    assert stage.world.store.partition(FINDINGS_PK) == []


def test_what_a_decision_replaced_stays_replaced_when_that_decision_is_taken_back() -> None:
    """Seed 1, INV-3. A document replaced the plan's first word and was cancelled days later: the bill of the first word
    came back, and the corrected decision that followed was held as a second answer."""
    stage = Stage()
    stage.client("client_of_a_plan_that_wavers")
    first = stage.owes("client_of_a_plan_that_wavers", 62_50)
    replacing = result(
        "claim_1", 40_00, payer_claim_id="P-2", supersedes=True, original_payer_claim_id="P-claim_1"
    )  # fmt: skip
    for arrived in (replacing, reversal_of(replacing)):
        stage.arrives(arrived)
        stage.forward(days=1)
    assert stage.invoice("client_of_a_plan_that_wavers", first.invoice_id).status is Status.VOID
    stage.arrives(result("claim_1", 25_00, payer_claim_id="P-3"))
    stage.forward(minutes=1)
    assert stage.books("client_of_a_plan_that_wavers").balance == 25_00
    stage.ends_well()


def test_what_the_second_payer_took_back_is_not_owed_until_it_has_decided_again() -> None:
    """Seed 260, LAW-4, INV-3. Only the first payer's answer was left, which is never billed; nobody could say what was
    owed, and so the bill of the answer that was gone went on, its charge included."""
    stage = Stage()
    stage.client("client_with_two_plans", autopay=True)
    stage.submits("client_with_two_plans", "claim_1", second_payer=SECOND_PAYER)
    stage.decides("claim_1", 62_50)
    answer = result("claim_1", 20_00)
    second = replace(answer, payer_claim_id="S-1", **SECOND)
    stage.arrives(second)
    stage.forward(hours=1)
    assert stage.books("client_with_two_plans").balance == 20_00
    stage.arrives(reversal_of(second))
    stage.forward(days=10)
    assert stage.taken("client_with_two_plans") == []
    assert stage.books("client_with_two_plans").balance == 0
    stage.arrives(replace(answer, payer_claim_id="S-2", **SECOND))
    stage.forward(days=10)
    assert stage.taken("client_with_two_plans") == [20_00]
    stage.ends_well()


def test_a_reversal_that_waited_for_a_bank_can_be_released_when_the_bank_has_decided() -> None:
    """Seed 40, PAY-13, DESK-5. A reversal came while a payment was disputed and was held; afterwards nobody could let
    it take effect: to release it was refused, rejected it was gone, and the client had paid for nothing."""
    stage = Stage()
    person = stage.client("client_who_disputes")
    invoice = stage.owes("client_who_disputes", 62_50)
    stage.pays(person, invoice.invoice_id)
    charge = stage.world.stripe.intents_of(PRACTICE, person.client)[0]["latest_charge"]
    dispute = stage.does("bank", lambda _ports: stage.world.stripe.embedded.open_dispute(charge)["id"])
    stage.forward(minutes=1)
    stage.arrives(reversal_of(result("claim_1", 62_50)))
    stage.forward(minutes=1)
    (held,) = stage.world.store.partition(holds_pk(PRACTICE), "HOLD#")
    assert isinstance(held, Hold)
    stage.does("bank", lambda _ports: stage.world.stripe.embedded.decide_dispute(dispute, "won") and None)
    stage.forward(minutes=1)
    word = holds.Word(held.hold_id, Choice.RELEASED, "the bank has decided", "desk")
    stage.does("staff", lambda ports: holds.decide(ports["store"], PRACTICE, word, stage.world.now) and None)
    stage.forward(minutes=10)
    assert [refund.amount for refund in stage.books("client_who_disputes").refunds] == [62_50]
    stage.ends_well()


def test_a_bill_that_grew_after_a_decline_has_tries_of_its_own() -> None:
    """Seed 166, AUTO-7, INV-3. The old decline counted against the charge that was announced anew: its retries came on
    the days of a charge that no notice spoke of any more."""
    stage = Stage(retry_days=(1, 3))
    person = stage.client("client_whose_bill_grew", autopay=True)
    invoice = stage.owes("client_whose_bill_grew", 62_50)
    person.card_becomes("insufficient_funds")
    stage.forward(hours=50)
    assert len(stage.tried("client_whose_bill_grew")) == 1
    stage.arrives(reversal_of(result("claim_1", 62_50)))
    stage.arrives(result("claim_1", 80_00, payer_claim_id="P-2"))
    stage.forward(hours=1)
    stage.forward(days=20)
    first, again, *retries = stage.tried("client_whose_bill_grew")
    assert again - first > timedelta(hours=4)
    assert [(at - again).days for at in retries] == [1, 3]
    assert stage.invoice("client_whose_bill_grew", invoice.invoice_id).total == 80_00
    stage.ends_well()


def test_a_new_agreement_does_not_cover_a_charge_that_a_review_stopped_under_the_old_one() -> None:
    """Seed 612, LAW-7, AUTO-1. The client turned autopay off while their bill was looked into, and agreed anew later;
    when the review ended, the charge was announced as if it had been agreed to."""
    stage = Stage()
    person = stage.client("client_who_agreed_anew", autopay=True)
    invoice = stage.owes("client_who_agreed_anew", 62_50)
    asked = Asked(AskedBy.STAFF, "the plan said another amount")
    store, cards = stage.world.store, lambda: stage.world.stripe.cards
    review = ask(store, cards, PRACTICE, person.client, invoice.invoice_id, asked, stage.world.now).review
    stage.does(person.client, person.turn_off)
    stage.forward(hours=1)
    stage.does(person.client, person.enrol)
    stage.forward(hours=1)
    upheld = Decision(None, "the plan confirmed it")
    stage.does("staff", lambda _: decide_review(store, PRACTICE, review.review_id, upheld, stage.world.now) and None)
    stage.forward(days=20)
    assert stage.books("client_who_agreed_anew").account.autopay
    assert stage.tried("client_who_agreed_anew") == []
    assert stage.mails("client_who_agreed_anew", NoticeKind.REMINDER)
    stage.ends_well()


def test_auto_6_a_word_about_a_bill_from_before_autopay_that_comes_late_does_not_announce_its_charge() -> None:
    """Seed 40, AUTO-6. A review ended while autopay was off; that was heard of again after the client had enrolled
    without ticking the bill, and its charge was announced, and taken."""
    stage = Stage()
    person = stage.client("client_who_enrols_later")
    invoice = stage.owes("client_who_enrols_later", 62_50)
    asked = Asked(AskedBy.STAFF, "the plan said another amount")
    store, cards = stage.world.store, lambda: stage.world.stripe.cards
    review = ask(store, cards, PRACTICE, person.client, invoice.invoice_id, asked, stage.world.now).review
    upheld = Decision(None, "the plan confirmed it")
    stage.does("staff", lambda _: decide_review(store, PRACTICE, review.review_id, upheld, stage.world.now) and None)
    stage.forward(hours=1)
    stage.does(person.client, person.enrol)
    stage.forward(hours=1)
    assert stage.books("client_who_enrols_later").account.autopay
    facts = store.partition(facts_pk(PRACTICE, person.client), "FACT#")
    (resumed,) = (row for row in facts if isinstance(row, Fact) and row.kind == FactKind.INVOICE_RESUMED)
    again = Message(resumed.kind, resumed.key)
    stage.does("send_email", lambda p: send_email.run(again, store=p["store"], mailer=p["mailer"], now=stage.world.now))
    stage.forward(days=20)
    assert stage.tried("client_who_enrols_later") == []
    assert not stage.mails("client_who_enrols_later", NoticeKind.CHARGE_NOTICE)
    assert stage.mails("client_who_enrols_later", NoticeKind.REMINDER)
    stage.ends_well()


def test_law_7_a_charge_announced_before_autopay_ended_is_not_made_after_it_is_on_again() -> None:
    """Seed 904, AUTO-1. Three failed charges ended autopay while another bill waited for its charge; the client
    enrolled again, did not tick that bill, and it was charged to the new card on the old notice."""
    stage = Stage()
    person = stage.client("client_with_another_card", autopay=True)
    for number in range(3):
        stage.owes("client_with_another_card", 62_50, f"claim_{number}")
    person.card_becomes("lost_card")
    stage.forward(hours=24)
    waiting = stage.owes("client_with_another_card", 80_00, "claim_later")
    stage.forward(hours=25)
    assert not stage.books("client_with_another_card").account.autopay
    assert stage.invoice("client_with_another_card", waiting.invoice_id).charge_at is None
    person.card_becomes("ok")
    stage.does(person.client, person.enrol)
    stage.forward(hours=1)
    assert stage.books("client_with_another_card").account.autopay
    stage.forward(days=10)
    assert len(stage.tried("client_with_another_card")) == 3
    assert stage.taken("client_with_another_card") == []
    stage.ends_well()


def test_desk_5_two_desks_that_put_the_same_result_aside_are_both_told_so() -> None:
    """Seed 391. The slower desk read the hold before, and the claim after, the faster one had decided: to judge the
    claim again changed nothing, and the slower one crashed."""
    stage = Stage()
    stage.client("client_on_hold")
    stage.submits("client_on_hold", "claim_1")
    stage.decides("claim_1", 62_50, paid=1)
    stage.forward(seconds=10)
    (hold,) = stage.world.store.partition(holds_pk(PRACTICE), "HOLD#")
    assert isinstance(hold, Hold)
    word = holds.Word(hold.hold_id, Choice.REJECTED, "it was a mistake", "desk")
    stage.next_time(
        "after store.get_many", lambda: holds.decide(stage.world.store, PRACTICE, word, stage.world.now) and None
    )
    assert stage.does("staff", lambda p: holds.decide(p["store"], PRACTICE, word, stage.world.now).now) == "rejected"
    stage.ends_well()


def test_desk_5_of_two_held_answers_the_one_that_staff_release_last_stands() -> None:
    """Seed 893. The answer that had come second stood, although staff released the first one after it."""
    stage = Stage()
    stage.client("client_of_two_answers")
    stage.submits("client_of_two_answers", "claim_1")
    stage.decides("claim_1", 62_50, paid=1)
    stage.forward(seconds=10)
    stage.decides("claim_1", 30_00, paid=1, payer_claim_id="P-again")
    stage.forward(seconds=10)
    held = [row for row in stage.world.store.partition(holds_pk(PRACTICE), "HOLD#") if isinstance(row, Hold)]
    for hold in sorted(held, key=lambda hold: hold.patient_responsibility):
        word = holds.Word(hold.hold_id, Choice.RELEASED, "the payer confirmed it", "desk")
        stage.does("staff", lambda p, word=word: holds.decide(p["store"], PRACTICE, word, stage.world.now).now)
        stage.forward(seconds=10)
    assert sum(i.open_amount for i in stage.books("client_of_two_answers").invoices) == 62_50
    stage.ends_well()


def test_auto_6_a_few_cents_from_before_autopay_that_outgrow_the_minimum_are_not_charged() -> None:
    """Seed 9, AUTO-6. A bill too small for any card was open when the client enrolled without ticking it; the payer
    decided anew, it grew, and its charge was announced like that of a new one."""
    stage = Stage()
    person = stage.client("client_with_a_few_cents")
    stage.owes("client_with_a_few_cents", 30)
    stage.does(person.client, person.enrol)
    stage.forward(hours=1)
    assert stage.books("client_with_a_few_cents").account.autopay
    stage.arrives(reversal_of(result("claim_1", 30)))
    stage.decides("claim_1", 62_50, payer_claim_id="P-again")
    stage.forward(days=10)
    assert [i.open_amount for i in stage.books("client_with_a_few_cents").invoices if i.open_amount] == [62_50]
    assert not stage.mails("client_with_a_few_cents", NoticeKind.CHARGE_NOTICE)
    assert stage.tried("client_with_a_few_cents") == []
    stage.ends_well()
