"""Events on their way: signed, repeated, delayed, lost, tried again and resent."""

import json
import time
from collections.abc import Iterator

import httpx
import pytest
import stripe

from infra.local.stripe import Delivery, EmbeddedStripe, WebhookRules, sign
from infra.local.stripe.sdk import in_process_client
from tests.local.stripe.world import SECRET, START, WAIT_S, Clock, Receiver, ThreadedServer


def tell_two_things(embedded: EmbeddedStripe) -> None:
    """Makes two events: customer.created, customer.deleted."""
    api = in_process_client(embedded).v1
    api.customers.delete(api.customers.create(params={"name": "Ana"}).id)


def types(deliveries: list[Delivery]) -> list[str]:
    return [delivery.event_type for delivery in deliveries]


# ---- the outbox, as the simulator drives it ----


def test_an_event_waits_for_every_endpoint_that_asked_for_it(embedded: EmbeddedStripe) -> None:
    every = embedded.listen("sim://every", SECRET)
    some = embedded.listen("sim://some", SECRET, ("customer.deleted",))
    tell_two_things(embedded)
    taken = embedded.take_deliveries()
    assert [(delivery.endpoint.id, delivery.event_type) for delivery in taken] == [
        (every.id, "customer.created"),
        (every.id, "customer.deleted"),
        (some.id, "customer.deleted"),
    ]
    assert embedded.take_deliveries() == []


def test_a_delivery_is_the_event_as_the_api_shows_it(embedded: EmbeddedStripe) -> None:
    embedded.listen("sim://every", SECRET)
    tell_two_things(embedded)
    first = embedded.take_deliveries()[0]
    told = json.loads(first.body)
    shown = in_process_client(embedded).v1.events.retrieve(first.event_id)
    assert told == json.loads(str(shown))
    assert (told["pending_webhooks"], told["livemode"], told["data"]["object"]["name"]) == (1, False, "Ana")
    embedded.delivered(first)
    assert in_process_client(embedded).v1.events.retrieve(first.event_id).pending_webhooks == 0


def test_event_ids_grow(embedded: EmbeddedStripe) -> None:
    embedded.listen("sim://every", SECRET)
    for _ in range(3):
        tell_two_things(embedded)
    ids = [delivery.event_id for delivery in embedded.take_deliveries()]
    assert ids == sorted(set(ids))


def test_events_can_be_repeated(embedded: EmbeddedStripe) -> None:
    embedded.listen("sim://every", SECRET)
    embedded.set_webhooks(WebhookRules(duplicate=2))
    tell_two_things(embedded)
    assert types(embedded.take_deliveries()) == ["customer.created"] * 3 + ["customer.deleted"] * 3


def test_events_can_be_late_on_the_simulated_clock(clock: Clock, embedded: EmbeddedStripe) -> None:
    embedded.listen("sim://every", SECRET)
    embedded.set_webhooks(WebhookRules(delay_s=90))
    tell_two_things(embedded)
    assert embedded.take_deliveries() == []
    due = embedded.next_due()
    assert due is not None
    assert (due - START).total_seconds() == 90
    clock.forward(seconds=90)
    assert types(embedded.take_deliveries()) == ["customer.created", "customer.deleted"]
    assert embedded.next_due() is None


def test_events_can_be_lost_and_resent_in_reverse(embedded: EmbeddedStripe) -> None:
    embedded.listen("sim://every", SECRET)
    embedded.set_webhooks(WebhookRules(drop="created$"))
    tell_two_things(embedded)
    assert types(embedded.take_deliveries()) == ["customer.deleted"]
    assert embedded.resend_webhooks(reverse=True) == 2
    assert types(embedded.take_deliveries()) == ["customer.deleted", "customer.created"]


def test_a_parked_delivery_waits_for_a_resend(embedded: EmbeddedStripe) -> None:
    embedded.listen("sim://every", SECRET)
    tell_two_things(embedded)
    for delivery in embedded.take_deliveries():
        embedded.park(delivery)
    assert types(embedded.parked_deliveries) == ["customer.created", "customer.deleted"]
    embedded.resend_webhooks()
    assert embedded.parked_deliveries == []
    assert embedded.ready_deliveries == 2


def test_connected_accounts_tell_the_endpoints_that_asked_for_them(embedded: EmbeddedStripe) -> None:
    own = embedded.listen("sim://own", SECRET, connect=False)
    connected = embedded.listen("sim://connected", SECRET, connect=True)
    api = in_process_client(embedded).v1
    api.customers.create(params={"name": "Ana"})
    api.customers.create(params={"name": "Ben"}, options={"stripe_account": "acct_riverbend"})
    taken = embedded.take_deliveries()
    assert [delivery.endpoint.id for delivery in taken] == [own.id, connected.id]
    assert [json.loads(delivery.body).get("account") for delivery in taken] == [None, "acct_riverbend"]


def test_the_signature_is_what_the_sdk_checks(embedded: EmbeddedStripe) -> None:
    embedded.listen("sim://every", SECRET)
    tell_two_things(embedded)
    body = embedded.take_deliveries()[0].body
    header = sign(body, SECRET, int(time.time()))
    assert stripe.Webhook.construct_event(body, header, SECRET).type == "customer.created"
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body + " ", header, SECRET)


# ---- over HTTP ----


@pytest.fixture
def served(clock: Clock, receiver: Receiver) -> Iterator[ThreadedServer]:
    server = ThreadedServer(clock)
    server.server.stripe.listen(receiver.url, SECRET)
    server.start()
    yield server
    server.stop()


def create_customer(served: ThreadedServer, name: str = "Ana") -> None:
    headers = {"Authorization": "Bearer sk_test_suite"}
    assert httpx.post(f"{served.base}/v1/customers", data={"name": name}, headers=headers).status_code == 200


def test_an_event_arrives_signed(served: ThreadedServer, receiver: Receiver) -> None:
    create_customer(served)
    event = receiver.next()
    assert (event.type, event.data.object.name) == ("customer.created", "Ana")


def test_an_endpoint_that_fails_is_tried_again_with_the_same_event(served: ThreadedServer, receiver: Receiver) -> None:
    receiver.answers += [500, 302]
    create_customer(served)
    assert len({receiver.next().id for _ in range(3)}) == 1


def test_what_nobody_takes_is_parked_and_can_be_resent(served: ThreadedServer, receiver: Receiver) -> None:
    receiver.answers += [500] * 4
    create_customer(served)
    first = [receiver.next().id for _ in range(4)]  # the first try and the server's three more
    create_customer(served, "Ben")
    second = receiver.next().id
    answer = httpx.post(f"{served.base}/_test/webhooks/resend", json={"reverse": True})
    assert answer.json() == {"queued": 2}
    assert [receiver.next().id, receiver.next().id] == [second, first[0]]


def test_an_endpoint_made_through_the_api_is_told_its_secret_and_its_events(
    served: ThreadedServer, receiver: Receiver
) -> None:
    client = stripe.StripeClient(
        "sk_test_suite", base_addresses={"api": served.base}, http_client=stripe.RequestsClient()
    )
    made = client.v1.webhook_endpoints.create(params={"url": receiver.url, "enabled_events": ["customer.deleted"]})
    assert made.secret is not None
    client.v1.customers.delete(client.v1.customers.create(params={}).id)
    arrived = [receiver.arrived.get(timeout=WAIT_S) for _ in range(3)]
    signed_with_it = []
    for body, signature in arrived:
        try:
            signed_with_it.append(stripe.Webhook.construct_event(body, signature, made.secret).type)
        except stripe.SignatureVerificationError:
            continue
    assert signed_with_it == ["customer.deleted"]
    client.v1.webhook_endpoints.delete(made.id)
    assert client.v1.webhook_endpoints.list().data == []
    client._requestor._client.close()


@pytest.mark.parametrize(
    "path, body",
    [
        ("webhooks", {"duplicate": -1}),
        ("webhooks", {"delay_s": "soon"}),
        ("webhooks", {"drop": "("}),
        ("webhooks", []),
        ("faults", {"match": "x"}),
        ("cards/pm_nobody", {}),
        ("disputes", {"charge": 7}),
    ],
)
def test_a_control_that_cannot_be_read_is_a_400_with_a_sentence(
    served: ThreadedServer, path: str, body: object
) -> None:
    answer = httpx.post(f"{served.base}/_test/{path}", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]
