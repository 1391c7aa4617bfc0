"""Bugs that a seed found, each told as the shortest story that shows it; the seed is named for its history."""

from billing.claim_state import Submission
from billing.facts import FactKind, Message
from billing.ids import Key, claim_pk
from billing.invoice import Status
from billing.notice import NoticeKind
from functions.issue_invoice import flow
from tests.sim.scenarios.stage import Stage


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
