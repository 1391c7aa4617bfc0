"""What Stripe, the network and a dying process can do to a charge, told in time."""

from collections.abc import Callable

import pytest

from billing.invoice import Status
from billing.notice import NoticeKind
from billing.payment import AttemptState
from tests.sim.scenarios.stage import Stage


def _announced(stage: Stage, client: str) -> str:
    """A client on autopay with $62.50 announced; the clock stands a minute before the charge."""
    stage.client(client, autopay=True)
    invoice = stage.owes(client, 62_50)
    stage.forward(hours=47, minutes=59)
    return invoice.invoice_id


def test_a_lost_answer_of_stripes_is_settled_by_looking_it_up_exactly_once() -> None:
    stage = Stage()
    invoice = _announced(stage, "client_on_autopay")
    stage.world.stripe.embedded.set_webhooks(type(stage.world.stripe.embedded.webhook_rules)(drop="."))
    stage.next_time("before cards.charge", stage.stripe_fails("lost_response"))
    stage.forward(minutes=3)
    assert stage.books("client_on_autopay").attempts[-1].state is AttemptState.UNKNOWN
    assert stage.invoice("client_on_autopay", invoice).status is Status.PROCESSING
    stage.forward(minutes=5)
    assert stage.invoice("client_on_autopay", invoice).status is Status.PAID
    stage.ends_well()
    assert stage.taken("client_on_autopay") == [62_50]
    assert len(stage.mails("client_on_autopay", NoticeKind.RECEIPT)) == 1


@pytest.mark.parametrize("moment", ["before cards.charge", "after cards.charge"])
def test_a_crash_around_stripes_call_charges_once(moment: str) -> None:
    stage = Stage()
    _announced(stage, "client_on_autopay")
    stage.next_time(moment, stage.crash)
    stage.forward(hours=1)
    assert stage.taken("client_on_autopay") == [62_50]
    stage.ends_well()
    assert stage.taken("client_on_autopay") == [62_50]
    assert len(stage.books("client_on_autopay").attempts) == 2, "the card that was saved, and one charge"


def test_a_request_that_never_reached_stripe_is_given_up_after_a_day_and_tried_again() -> None:
    stage = Stage()
    _announced(stage, "client_on_autopay")
    stage.next_time("before cards.charge", stage.stripe_fails("drop"))
    stage.forward(days=1)
    assert stage.taken("client_on_autopay") == []
    stage.forward(days=3)
    assert stage.books("client_on_autopay").attempts[1].reason == "never_reached"
    assert stage.taken("client_on_autopay") == [62_50]
    stage.ends_well()


def test_a_payment_whose_every_webhook_was_lost_is_found_by_the_look_up() -> None:
    stage = Stage()
    person = stage.client("client_with_a_link")
    invoice = stage.owes("client_with_a_link", 62_50)
    stage.world.stripe.embedded.set_webhooks(type(stage.world.stripe.embedded.webhook_rules)(drop="."))
    stage.pays(person, invoice.invoice_id)
    assert stage.invoice("client_with_a_link", invoice.invoice_id).status is Status.PROCESSING
    stage.forward(minutes=40)
    assert stage.invoice("client_with_a_link", invoice.invoice_id).status is Status.PAID
    stage.ends_well()


def test_a_page_opened_while_the_charge_is_being_sent_is_refused() -> None:
    stage = Stage()
    invoice = _announced(stage, "client_on_autopay")
    said: list[str] = []
    stage.next_time("before cards.charge", _tries_to_pay(stage, "client_on_autopay", invoice, said))
    stage.forward(minutes=3)
    assert said == ["refused"]
    stage.ends_well()
    assert stage.taken("client_on_autopay") == [62_50]


def _tries_to_pay(stage: Stage, client: str, invoice: str, said: list[str]) -> Callable[[], None]:
    from billing.ports import Refused
    from functions.serve_client.hosted import start_payment

    def pay() -> None:
        world = stage.world
        try:
            start_payment(
                world.store,
                world.stripe.cards,
                "riverbend",
                client,
                lambda books: tuple(i for i in books.invoices if i.invoice_id == invoice),
                None,
                world.now,
                "http://pay.example/done",
                "http://pay.example",
            )
        except Refused:
            said.append("refused")

    return pay
