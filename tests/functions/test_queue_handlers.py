"""The handlers of the queues translate: a batch comes in, each record is looked at, the failed ones are named."""

import json
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from billing.facts import Fact, FactKind, Message, WakeKind
from billing.ids import Key
from billing.invoice import Invoice
from billing.payment import AttemptState
from billing.ports import Insert
from billing.reconciliation import RECONCILIATION_KEY, armed
from billing.stripe_event import StripeEvent
from edges import aws, container
from edges.sqs import body_of
from tests.billing.claim_examples import OWES_62_50, SUBMITTED
from tests.billing.examples import NOW, announced
from tests.fakes.story import Story

VERBS = ("issue_invoice", "charge_autopay", "send_email", "settle_payment", "pay_back", "reconcile")
FUNCTIONS = Path(__file__).parents[2] / "functions"


class Queue:
    """Takes note of whose visibility was changed."""

    class meta:  # noqa: N801 - as botocore calls it
        endpoint_url = "http://127.0.0.1"

    def __init__(self) -> None:
        self.sooner: list[str] = []

    def change_message_visibility_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> None:  # noqa: N803
        self.sooner += [entry["ReceiptHandle"] for entry in Entries]


class StandingClock:
    def now(self) -> Any:
        return NOW


@pytest.fixture
def story(monkeypatch: pytest.MonkeyPatch) -> Story:
    """A story whose ports are the container's."""
    told, queue = Story(), Queue()
    monkeypatch.setattr(container, "store", lambda: told.store)
    monkeypatch.setattr(container, "cards", lambda: told.cards)
    monkeypatch.setattr(container, "mailer", lambda: told.mailer)
    monkeypatch.setattr(container, "statement", lambda: told.statement)
    monkeypatch.setattr(container, "queues", lambda: told)
    monkeypatch.setattr(container, "settings", lambda: SimpleNamespace(due_shards=told.store.shards))
    monkeypatch.setattr(container, "clock", StandingClock)
    monkeypatch.setattr(aws, "client", lambda name: queue)
    return told


def handle(verb: str, *messages: Message) -> list[str]:
    """Send these to the verb's handler as one batch -> the numbers of those that failed."""
    event = example(verb)
    (record,) = event["Records"]
    event["Records"] = [record | {"messageId": str(n), "body": body_of(m)} for n, m in enumerate(messages)]
    answer = handler_of(verb)(event, None)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def handler_of(verb: str) -> Callable[[Any, Any], Any]:
    handler: Callable[[Any, Any], Any] = import_module(f"functions.{verb}.handler").handler
    return handler


def example(verb: str) -> Any:
    return json.loads((FUNCTIONS / verb / "example_event.json").read_text())


@pytest.mark.parametrize("verb", VERBS)
def test_a_record_whose_row_is_gone_fails_and_is_named(verb: str, story: Story) -> None:
    event = example(verb)
    assert handler_of(verb)(event, None) == {
        "batchItemFailures": [{"itemIdentifier": event["Records"][0]["messageId"]}]
    }


def test_an_issued_invoice_is_announced_charged_and_settled_through_the_handlers(story: Story) -> None:
    story.submit(SUBMITTED)
    story.receive(OWES_62_50)
    (issued,) = [f for f in story.facts if f.kind == FactKind.INVOICE_ISSUED]
    assert handle("send_email", Message(issued.kind, issued.key)) == []
    assert story.mails == ["charge_notice"]
    due = announced(2000, "inv_due")
    story.store.commit(Insert(due))
    assert handle("charge_autopay", Message(WakeKind.CHARGE, due.key)) == []
    assert story.taken == 2000
    event = StripeEvent("evt_1", "payment_intent.succeeded", "pi", "riverbend", "ana", 1, NOW, 0)
    story.store.commit(Insert(event))
    assert handle("settle_payment", Message(event.kind, event.key)) == []
    attempt = story.books.attempt(1)
    assert attempt is not None
    assert attempt.state is AttemptState.POSTED


def test_one_bad_record_does_not_fail_the_others(story: Story) -> None:
    due = announced(2000)
    story.store.commit(Insert(due))
    gone = Message(WakeKind.CHARGE, Key("A#riverbend#ana#", "INVOICE#gone#"))
    assert handle("charge_autopay", gone, Message(WakeKind.CHARGE, due.key)) == ["0"]
    assert story.taken == 2000


def test_a_night_tells_how_many_things_a_person_must_look_at(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    story.store.commit(Insert(replace(armed(NOW), wake_at=NOW)))
    story.store.commit(Insert(announced(20_00, paid=5_00)))
    assert handle("reconcile", Message(WakeKind.RECONCILE, RECONCILIATION_KEY)) == []
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["ReconciliationDrift"] for line in lines if "ReconciliationDrift" in line] == [1]
    (told,) = [line for line in lines if line.get("message") == "reconciled"]
    assert (told["accounts"], told["findings"]) == (1, 1)


def test_an_invoice_ages_through_its_handler(story: Story) -> None:
    due = announced(2000, charge_at=None, past_due_at=NOW)
    story.store.commit(Insert(due))
    assert handle("issue_invoice", Message(WakeKind.PAST_DUE, due.key)) == []
    aged = story.store.get(due.key)
    assert isinstance(aged, Invoice)
    assert aged.past_due
    assert [f.kind for f in story.store.stream if isinstance(f, Fact)] == [FactKind.INVOICE_PAST_DUE]
