"""Learning from Stripe what became of an attempt: webhooks, look-ups, and closing before anything changes."""

from dataclasses import replace
from datetime import timedelta

import pytest

from billing.facts import FactKind
from billing.payment import AttemptState
from billing.ports import Insert, Refused, Update
from billing.settling import start_charge, start_checkout
from billing.stripe_event import StripeEvent
from functions.settle_payment.close import close_open_attempts
from tests.billing.examples import BY_HAND, ENROLLED, NOW, VISA, announced, invoice
from tests.fakes.story import Story, visa_details


def owing(*amounts: int) -> Story:
    """Ana, without autopay, with bills of these amounts."""
    story = Story(BY_HAND)
    for number, amount in enumerate(amounts):
        story.store.commit(Insert(invoice(amount, f"inv_{number}")))
    return story


def webhook(story: Story, number: int, event_id: str = "evt_1", **changes: str) -> None:
    """Stripe tells us to look at an attempt."""
    event = StripeEvent(event_id, "any.type", "obj", "riverbend", "ana", number, story.now, 0)
    story.store.commit(Insert(replace(event, **changes)))  # type: ignore[arg-type]
    story.settle()


def test_a_payment_on_the_page_is_booked_and_receipted() -> None:
    """PAY-4, PAY-11: itemised by invoice."""
    story = owing(6250, 2000)
    session = story.open_page("inv_0", "inv_1")
    story.cards.pay_on_page(session, visa_details())
    webhook(story, 1)
    assert story.books.balance == 0
    (receipt,) = story.letters
    assert (receipt.kind, receipt.amount, receipt.card) == ("receipt", 8250, "Visa ending 1881")
    assert [item.amount for item in receipt.items] == [6250, 2000]


def test_webhooks_repeated_and_out_of_order_book_once() -> None:
    story = owing(6250)
    story.copies = 2
    session = story.open_page("inv_0")
    webhook(story, 1, "evt_early")
    assert story.books.balance == 6250
    story.cards.pay_on_page(session, visa_details())
    for number in range(3):
        webhook(story, 1, f"evt_{number}")
    assert [f.kind for f in story.facts].count(FactKind.PAYMENT_POSTED) == 1
    assert story.mails == ["receipt"]


def test_a_payment_whose_webhook_was_lost_is_found_by_the_look_up() -> None:
    """design: the janitor, after 5 minutes: nobody waits for the page to expire to hear that they have paid."""
    story = owing(6250)
    story.cards.pay_on_page(story.open_page("inv_0"), visa_details())
    story.forward(minutes=5)
    assert story.books.balance == 0
    assert story.mails == ["receipt"]


def test_a_page_still_open_is_asked_about_again_when_it_is_over() -> None:
    story = owing(6250)
    session = story.open_page("inv_0")
    story.forward(minutes=29)
    story.cards.pay_on_page(session, visa_details())
    story.forward(minutes=6)
    assert story.books.balance == 0


def test_a_page_that_nobody_finished_frees_its_invoice() -> None:
    story = owing(6250)
    session = story.open_page("inv_0")
    assert story.invoice.status == "processing"
    story.cards.pages[session].state = "expired"
    story.forward(hours=1)
    assert story.invoice.status == "open"
    assert story.mails == []


def test_a_page_whose_address_was_never_written_was_never_opened() -> None:
    """A crash between writing the attempt and hearing Stripe's answer: no browser was ever sent there."""
    story = owing(6250)
    attempt, writes = start_checkout(story.books, story.books.invoices, None, story.now)
    story.store.commit(*writes)
    story.forward(hours=1)
    assert story.invoice.status == "open"
    assert story.books.attempt(attempt.number).reason == "never_opened"  # type: ignore[union-attr]


@pytest.mark.parametrize("change", [{"practice": "another copy"}, {"client": "nobody"}])
def test_an_event_of_another_copy_on_the_same_stripe_account_is_none_of_ours(change: dict[str, str]) -> None:
    story = owing(6250)
    webhook(story, 1, **change)
    webhook(story, 99, "evt_2")
    assert story.facts == []
    assert not story.dead


def test_an_attempt_that_never_reached_stripe_is_failed_after_24_hours_not_before() -> None:
    story = Story()
    due = announced(6250)
    story.store.commit(Insert(due))
    _, writes = start_charge(story.books, due, VISA, NOW)
    story.store.commit(*writes)
    story.forward(hours=23, minutes=59)
    assert story.books.attempts[0].state is AttemptState.STARTED
    story.forward(days=2)
    assert (story.books.attempts[0].state, story.books.attempts[0].reason) == (AttemptState.FAILED, "never_reached")


def test_a_look_up_never_stays_due() -> None:
    """Each one moves its own wake, until the attempt is settled."""
    story = Story()
    due = announced(6250)
    story.store.commit(Insert(due))
    _, writes = start_charge(story.books, due, VISA, NOW)
    story.store.commit(*writes)
    for hours in (1, 5, 20):
        story.until(NOW + timedelta(hours=hours))
        assert story.store.next_due() > f"{story.now:%Y-%m-%dT%H:%M:%SZ}"  # type: ignore[operator]


# ------------------------------------------------------------------------------------------------------- closing


def test_closing_an_open_page_expires_it() -> None:
    story = owing(6250)
    session = story.open_page("inv_0")
    free = close_open_attempts(story.store, story.cards, story.books, story.books.invoices, story.now)
    assert free.invoices[0].status == "open"
    assert story.cards.pages[session].state == "expired"


def test_closing_a_page_that_was_paid_settles_it() -> None:
    story = owing(6250)
    story.cards.pay_on_page(story.open_page("inv_0"), visa_details())
    free = close_open_attempts(story.store, story.cards, story.books, story.books.invoices, story.now)
    assert free.balance == 0


def test_closing_while_a_payment_is_processed_is_busy() -> None:
    story = owing(6250)
    story.cards.pay_on_page(story.open_page("inv_0"), visa_details(), processing=True)
    with pytest.raises(Refused) as refusal:
        close_open_attempts(story.store, story.cards, story.books, story.books.invoices, story.now)
    assert refusal.value.code == "payment_in_progress"


@pytest.mark.parametrize("fault", ["crash_before", "lost_response"])
def test_a_charge_cannot_be_called_back_only_looked_up(fault: str) -> None:
    story = Story(ENROLLED)
    story.store.commit(Insert(announced(6250)))
    before = story.books
    attempt, writes = start_charge(before, before.invoices[0], VISA, NOW)
    story.store.commit(*writes)
    if fault == "lost_response":
        story.cards.charge(attempt)
        free = close_open_attempts(story.store, story.cards, story.books, story.books.invoices, story.now)
        assert free.balance == 0
    else:
        with pytest.raises(Refused):
            close_open_attempts(story.store, story.cards, story.books, story.books.invoices, story.now)


def test_nothing_open_is_nothing_to_close() -> None:
    story = owing(6250, 2000)
    before = story.books
    assert close_open_attempts(story.store, story.cards, before, before.invoices, story.now) is before


def test_a_second_tab_closes_the_first_and_only_one_can_pay() -> None:
    """Invariant 4: at most one open attempt per invoice."""
    story = owing(6250)
    first = story.open_page("inv_0")
    second = story.open_page("inv_0")
    assert (story.cards.pages[first].state, story.cards.pages[second].state) == ("expired", "open")
    assert story.invoice.open_attempt == 2


def test_a_late_failure_of_the_first_tab_does_not_free_what_the_second_holds() -> None:
    story = owing(6250)
    story.open_page("inv_0")
    story.open_page("inv_0")
    stale = replace(story.books.attempts[0], state=AttemptState.STARTED, look_up_at=NOW)
    story.store.commit(Update(replace(stale, version=stale.version + 1)))
    story.hear(1)
    assert story.invoice.open_attempt == 2
