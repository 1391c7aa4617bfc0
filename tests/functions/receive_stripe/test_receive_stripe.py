"""Webhooks: only Stripe's own, each once, whatever order and however often they come."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from billing.payment import Attempt, AttemptKind, Part
from billing.ports import TryAgain, Write
from billing.stripe_event import ABOUT_MONEY_GOING_BACK, StripeEvent
from edges import aws, container
from edges.card_gateway import StripeCards
from functions.receive_stripe.flow import KEPT, SETTLES, Outcome, Received, Unreadable, run
from functions.receive_stripe.handler import handler
from functions.receive_stripe.signature import TOLERANCE_SECONDS, Forged, verify
from infra.local.stripe import EmbeddedStripe, sign
from infra.local.stripe.sdk import in_process_client
from tests.fakes.fence import FencedStore
from tests.fakes.stage import Stage, log_lines, metrics_in
from tests.fakes.store import MemoryStore

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SECRET = "whsec_test"
EXAMPLE = Path(__file__).parents[3] / "functions/receive_stripe/example_event.json"
OURS = {"practice": "elm_street", "client": "ana", "attempt": "3", "attempt_id": "pay_x_3"}


def event(event_type: str = "payment_intent.succeeded", metadata: Any = OURS, event_id: str = "evt_1") -> bytes:
    thing = {"id": "pi_1", "metadata": metadata}
    return json.dumps({"id": event_id, "type": event_type, "data": {"object": thing}}).encode()


# ------------------------------------------------------------------------------------------------------ signature


def test_a_body_that_stripe_signed_just_now_passes() -> None:
    body = event()
    verify(sign(body.decode(), SECRET, 1_000_000), body, SECRET, 1_000_000.0)


def test_a_signature_is_good_for_five_minutes_either_way() -> None:
    body = event()
    header = sign(body.decode(), SECRET, 1_000_000)
    for age in (-TOLERANCE_SECONDS, TOLERANCE_SECONDS):
        verify(header, body, SECRET, 1_000_000.0 + age)
    for age in (-TOLERANCE_SECONDS - 1, TOLERANCE_SECONDS + 1):
        with pytest.raises(Forged, match="too old"):
            verify(header, body, SECRET, 1_000_000.0 + age)


def test_while_a_secret_is_replaced_either_signature_passes() -> None:
    body = event()
    old = sign(body.decode(), "whsec_old", 1_000_000)
    _, new = sign(body.decode(), SECRET, 1_000_000).split(",")
    verify(f"{old},{new}", body, SECRET, 1_000_000.0)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=1000000",
        "t=1000000,v1=",
        "t=1000000,v0=" + "0" * 64,
        "t=1000000,v1=" + "0" * 64,
        "t=1000000,v1=ünïcode",
        "v1=v1,t=t",
        "nonsense",
    ],
)
def test_what_stripe_did_not_sign_is_forged(header: str) -> None:
    with pytest.raises(Forged):
        verify(header, event(), SECRET, 1_000_000.0)


def test_a_changed_body_or_moment_is_forged() -> None:
    body = event()
    header = sign(body.decode(), SECRET, 1_000_000)
    for forged_header, forged_body in ((header, body + b" "), (header.replace("t=1000000", "t=1000001"), body)):
        with pytest.raises(Forged, match="no signature fits"):
            verify(forged_header, forged_body, SECRET, 1_000_000.0)


def test_a_moment_that_is_no_number_is_forged_even_when_signed() -> None:
    import hashlib
    import hmac

    body = event()
    signature = hmac.new(SECRET.encode(), b"soon." + body, hashlib.sha256).hexdigest()
    with pytest.raises(Forged, match="too old"):
        verify(f"t=soon,v1={signature}", body, SECRET, 1_000_000.0)


# ----------------------------------------------------------------------------------------------------------- flow


@pytest.fixture
def store() -> MemoryStore:
    return FencedStore("receive_stripe")


def test_an_event_is_stored_with_what_says_where_to_look(store: MemoryStore) -> None:
    assert run(event(), store=store, now=NOON).outcome is Outcome.STORED
    expires = int((NOON + KEPT).timestamp())
    stored = StripeEvent("evt_1", "payment_intent.succeeded", "pi_1", "elm_street", "ana", 3, NOON, expires)
    assert store.rows() == [stored]
    assert store.stream == [stored], "the stream takes it to settle_payment"


def test_the_same_event_again_is_stored_once(store: MemoryStore) -> None:
    run(event(), store=store, now=NOON)
    again = run(event(), store=store, now=NOON + timedelta(days=1))
    assert again == Received(Outcome.SEEN_BEFORE, "evt_1", "payment_intent.succeeded")
    assert len(store.stream) == 1


@pytest.mark.parametrize(
    "event_type",
    [
        "checkout.session.completed",
        "checkout.session.expired",
        "payment_intent.succeeded",
        "payment_intent.payment_failed",
        "setup_intent.succeeded",
    ],
)
def test_every_event_that_can_settle_an_attempt_is_stored(store: MemoryStore, event_type: str) -> None:
    assert run(event(event_type), store=store, now=NOON).outcome is Outcome.STORED


@pytest.mark.parametrize("event_type", ["charge.succeeded", "payment_intent.created", "customer.created", ""])
def test_events_that_settle_nothing_are_not_stored(store: MemoryStore, event_type: str) -> None:
    assert run(event(event_type), store=store, now=NOON).outcome is Outcome.OF_NO_USE
    assert store.rows() == []


@pytest.mark.parametrize(
    "metadata",
    [{}, None, [], {"practice": "elm_street", "client": "ana"}, OURS | {"attempt": "-1"}, OURS | {"client": ""}],
)
def test_an_object_of_somebody_else_on_the_same_stripe_account_is_not_stored(
    store: MemoryStore, metadata: object
) -> None:
    assert run(event(metadata=metadata), store=store, now=NOON).outcome is Outcome.NOT_OURS
    assert store.rows() == []


@pytest.mark.parametrize("event_type", sorted(ABOUT_MONEY_GOING_BACK))
def test_pay_12_news_of_money_going_back_is_kept_by_our_metadata_or_by_the_payment_it_names(
    store: MemoryStore, event_type: str
) -> None:
    """A dispute (PAY-13) carries no metadata, and neither does a refund of Stripe's dashboard."""
    assert run(event(event_type), store=store, now=NOON).outcome is Outcome.STORED
    thing = {"id": "du_1", "metadata": {}, "payment_intent": "pi_7"}
    body = json.dumps({"id": "evt_2", "type": event_type, "data": {"object": thing}}).encode()
    assert run(body, store=store, now=NOON).outcome is Outcome.STORED
    kept = {row.event_id: (row.object_id, row.practice) for row in store.rows() if isinstance(row, StripeEvent)}
    assert kept == {"evt_1": ("pi_1", "elm_street"), "evt_2": ("pi_7", "")}


def test_money_going_back_that_names_no_payment_is_none_of_ours(store: MemoryStore) -> None:
    assert run(event("refund.updated", metadata={}), store=store, now=NOON).outcome is Outcome.NOT_OURS
    assert store.rows() == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"{}", b'{"id": 1, "type": "x"}', b'{"id": "evt_1"}'])
def test_a_body_that_is_no_event_is_unreadable(store: MemoryStore, body: bytes) -> None:
    with pytest.raises(Unreadable):
        run(body, store=store, now=NOON)


# -------------------------------------------------------------------------------------------------------- handler


def request(body: bytes, header: str) -> dict[str, Any]:
    sent: dict[str, Any] = json.loads(EXAMPLE.read_text())
    sent["headers"]["stripe-signature"] = header
    return sent | {"body": body.decode()}


def signed(body: bytes, at: float | None = None) -> dict[str, Any]:
    return request(body, sign(body.decode(), SECRET, int(at if at is not None else time.time())))


def test_the_example_event_signed_is_kept_with_one_write_and_answered(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[str] = []
    stage.client("dynamodb").meta.events.register("before-call.dynamodb.*", lambda model, **_: calls.append(model.name))
    body = json.loads(EXAMPLE.read_text())["body"].encode()
    answer = handler(signed(body), None)
    assert answer["statusCode"] == 200
    assert [call for call in calls if call != "GetItem"] == ["PutItem"], "one write; the read is the simulated clock"
    (line,) = log_lines(capsys.readouterr().out)
    assert (line["outcome"], line["event_id"]) == ("stored", "evt_1Qabc")
    assert handler(signed(body), None)["statusCode"] == 200


def test_a_forged_an_old_and_an_unreadable_webhook_are_400_problems_and_counted(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    body = event()
    for sent in (request(body, "t=1,v1=00"), signed(body, time.time() - 3600), signed(b"{"), request(body, "")):
        answer = handler(sent, None)
        assert answer["statusCode"] == 400
        assert answer["headers"]["content-type"] == "application/problem+json"
        assert json.loads(answer["body"])["title"] == "Not accepted"
    assert metrics_in(capsys.readouterr().out) == [("WebhooksRefused", 1)] * 4


def test_a_webhook_that_the_table_was_too_busy_for_is_asked_for_again_and_counted(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Throttled:
        def commit(self, *writes: Write) -> None:
            raise TryAgain("the table is throttled")

    monkeypatch.setattr(container, "store", Throttled)
    assert handler(signed(event()), None)["statusCode"] == 503
    assert metrics_in(capsys.readouterr().out) == [("WebhooksNotKept", 1)]


def test_a_webhook_whose_secret_cannot_be_read_yet_is_asked_for_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def throttled(_: str) -> str:
        raise TryAgain("AWS: ThrottlingException")

    with monkeypatch.context() as down:
        down.setattr(aws, "secret", throttled)
        assert handler(signed(event()), None)["statusCode"] == 503


def test_the_embedded_stripes_own_webhooks_are_understood(stage: Stage) -> None:
    """A paid page tells of its intent and of itself; both lead to the attempt."""
    stripe = EmbeddedStripe(lambda: NOON)
    stripe.listen("http://127.0.0.1/webhooks/stripe", SECRET)
    cards = StripeCards(in_process_client(stripe))
    attempt = Attempt(
        practice="elm_street",
        client="ana",
        number=7,
        version=1,
        channel=AttemptKind.CHECKOUT,
        parts=(Part("inv_1", 62_50),),
        customer=cards.ensure_customer("elm_street", "ana"),
        payment_method="",
        card_id="",
        started_at=NOON,
        expires_at=NOON + timedelta(minutes=30),
    )
    opened = cards.open_checkout(attempt, "https://pay.example/done", "https://pay.example/back")
    stripe.complete_checkout(opened.session_id, number="4242424242424242")
    kept = {}
    for delivery in stripe.take_deliveries():
        assert handler(signed(delivery.body.encode()), None)["statusCode"] == 200
        row = stage.store.get(StripeEvent(delivery.event_id, "", "", "", "", 0, NOON, 0).key)
        if isinstance(row, StripeEvent):
            kept[row.event_type] = (row.practice, row.client, row.attempt)
    assert kept == {
        "payment_intent.succeeded": ("elm_street", "ana", 7),
        "checkout.session.completed": ("elm_street", "ana", 7),
    }
    assert stage.messages("settle_payment") == [], "the relay sends, never the receiver"


def test_the_runbook_asks_stripe_for_every_event_that_is_of_use() -> None:
    runbook = (EXAMPLE.parents[2] / "docs/operations.md").read_text("utf-8")
    assert {event_type for event_type in SETTLES if f"`{event_type}`" not in runbook} == set()
