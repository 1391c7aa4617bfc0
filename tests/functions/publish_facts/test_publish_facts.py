"""The relay: every inserted fact reaches every queue that looks at it, or the stream hears that it did not."""

import json
from pathlib import Path
from typing import Any

import pytest

from billing.facts import ROUTES, FactKind, Message, WakeKind
from billing.ids import Key
from billing.ports import TryAgain
from edges import container
from edges.settings import MissingSetting
from edges.sqs import Queues
from functions.publish_facts.flow import facts_of, routed
from functions.publish_facts.handler import handler
from tests.fakes.stage import Stage, forget, log_lines, metrics_in

EXAMPLE = Path(__file__).parents[3] / "functions/publish_facts/example_event.json"


def record(kind: str, number: int = 1, event: str = "INSERT") -> dict[str, Any]:
    key = {"pk": {"S": "F#elm_street#ana#"}, "sk": {"S": f"FACT#{number}#"}}
    image = key | {"type": {"S": "fact"}, **({"kind": {"S": kind}} if kind else {})}
    return {"eventName": event, "dynamodb": {"Keys": key, "NewImage": image, "SequenceNumber": f"{number:021d}"}}


def test_only_inserted_rows_with_a_kind_are_facts() -> None:
    told = [
        record("InvoiceIssued", 1),
        record("InvoiceIssued", 2, event="MODIFY"),
        record("", 3),
        {"eventName": "REMOVE", "dynamodb": {"Keys": {}, "SequenceNumber": "4"}},
    ]
    assert list(facts_of(told)) == [Message("InvoiceIssued", Key("F#elm_street#ana#", "FACT#1#"))]


@pytest.mark.parametrize("kind", [*FactKind, *WakeKind])
def test_every_kind_reaches_exactly_the_verbs_that_look_at_it(kind: str) -> None:
    fact = Message(str(kind), Key("pk", "sk"))
    assert list(routed([fact])) == [(verb, fact) for verb in ROUTES[kind]]


def test_a_fact_without_a_route_is_set_aside_alone_and_holds_up_nobody(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    """A version that knew the kind was rolled back: raising would hold up the whole shard for hours."""
    handler({"Records": [record("InvoiceIssued", 1), record("SomethingNew", 2), record("PaymentPosted", 3)]}, None)
    assert {m.key.sk for m in stage.messages("send_email")} == {"FACT#1#", "FACT#3#"}
    assert stage.messages("set_aside") == [Message("SomethingNew", Key("F#elm_street#ana#", "FACT#2#"))]
    bug, relayed = log_lines(capsys.readouterr().out)
    assert (bug["level"], bug["facts"]) == ("ERROR", 1)
    assert relayed["relayed_through"] == f"{3:021d}"


def test_a_batch_is_sent_and_the_log_says_how_far_the_relay_has_come(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [record("InvoiceIssued", n) for n in range(1, 13)] + [record("ClaimResultReceived", 13)]
    handler({"Records": [*records, record("ChargeStarted", 14)]}, None)
    assert {m.key.sk for m in stage.messages("send_email")} == {f"FACT#{n}#" for n in range(1, 13)}
    assert [m.key.sk for m in stage.messages("issue_invoice")] == ["FACT#13#"]
    (line,) = log_lines(capsys.readouterr().out)
    assert (line["facts"], line["messages"], line["relayed_through"]) == (14, 13, f"{14:021d}")


def test_what_an_alarm_listens_for_is_counted_once_it_is_relayed(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = ["PaymentPosted", "PaymentUnknown", "InvoiceIssued", "PaymentPosted", "ClaimHeld"]
    handler({"Records": [record(kind, n) for n, kind in enumerate(kinds)]}, None)
    printed = capsys.readouterr().out
    assert metrics_in(printed) == [("ChargesPosted", 2), ("ChargesUnknown", 1), ("HoldsOpened", 1)]
    assert len(printed) <= 1000, "logs and metrics of one invocation"


def test_the_example_event_becomes_a_mail_to_send(stage: Stage) -> None:
    handler(json.loads(EXAMPLE.read_text()), None)
    (message,) = stage.messages("send_email")
    assert (message.kind, message.key.sk) == ("InvoiceIssued", "FACT#INVOICE%23inv_5f1c%23#000001#InvoiceIssued#")


def test_when_sqs_leaves_one_out_the_relay_raises_and_names_no_progress(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class LeavesOneOut:
        def send_message_batch(self, **_: Any) -> dict[str, Any]:
            return {"Successful": [], "Failed": [{"Id": "0", "Code": "InternalError", "SenderFault": False}]}

    monkeypatch.setattr(container, "queues", lambda: Queues(LeavesOneOut(), stage.queues.__getitem__))  # type: ignore[arg-type]
    with pytest.raises(TryAgain, match="did not take 1 of 1: InternalError"):
        handler({"Records": [record("InvoiceIssued")]}, None)
    (line,) = log_lines(capsys.readouterr().out)
    assert line["level"] == "WARNING"
    assert "relayed_through" not in line


def test_facts_that_were_not_relayed_are_not_counted(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They will come again, and be counted then."""
    monkeypatch.delenv("QUEUE_SEND_EMAIL")
    forget()
    with pytest.raises(MissingSetting):
        handler({"Records": [record("PaymentPosted")]}, None)
    assert metrics_in(capsys.readouterr().out) == [("ErrorsLogged", 1)]
