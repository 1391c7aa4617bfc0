"""The HTTP server's own promises: a key in use is told, what hangs ends with the server, the clock pumps webhooks."""

import asyncio
import threading

import httpx
import pytest
import stripe

from infra.local.stripe import EmbeddedStripe, WebhookRules
from infra.local.stripe.faults import Fault
from infra.local.stripe.sdk import in_process_client
from infra.local.stripe.server import StripeServer
from tests.local.stripe.world import SECRET, WAIT_S, Clock, Receiver, ThreadedServer

HEADERS = {"Authorization": "Bearer sk_test_suite", "Idempotency-Key": "once"}


def test_a_key_whose_first_request_is_under_way_is_in_use(clock: Clock) -> None:
    served = ThreadedServer(clock)
    served.start()
    served.server.stripe.arm_faults([Fault("POST /v1/customers$", "hang")])
    cut: list[Exception] = []

    def wait_for_an_answer() -> None:
        try:
            httpx.post(f"{served.base}/v1/customers", headers=HEADERS, timeout=WAIT_S)
        except httpx.HTTPError as error:
            cut.append(error)

    waiting = threading.Thread(target=wait_for_an_answer)
    waiting.start()
    while served.server.stripe.faults.armed():  # until the first request has met its fault
        httpx.get(f"{served.base}/v1/customers", headers=HEADERS)
    second = httpx.post(f"{served.base}/v1/customers", headers=HEADERS)
    assert (second.status_code, second.json()["error"]["code"]) == (409, "idempotency_key_in_use")
    served.stop()
    waiting.join()
    assert len(cut) == 1  # the server's end cut it


def test_moving_the_clock_sends_what_was_delayed(clock: Clock, receiver: Receiver) -> None:
    embedded = EmbeddedStripe(clock)
    embedded.listen(receiver.url, SECRET)
    embedded.set_webhooks(WebhookRules(delay_s=60))
    server = StripeServer(embedded)

    async def a_minute_later() -> None:
        async with server.running():
            in_process_client(embedded).v1.customers.create(params={})
            server.pump()
            assert server.in_flight == 0
            clock.forward(seconds=60)
            server.pump()
            assert server.in_flight == 1
            event = await asyncio.to_thread(receiver.next)
            assert event.type == "customer.created"
            while server.in_flight:
                await asyncio.sleep(0)

    asyncio.run(a_minute_later())


def test_a_server_that_stops_gives_up_its_retries(clock: Clock) -> None:
    embedded = EmbeddedStripe(clock)
    embedded.listen("http://127.0.0.1:9/nobody-listens-here", SECRET)
    server = StripeServer(embedded, retry_delays_s=[3600])

    async def start_and_stop() -> set[asyncio.Task[None]]:
        async with server.running():
            in_process_client(embedded).v1.customers.create(params={})
            server.pump()
            while embedded.ready_deliveries:
                await asyncio.sleep(0)
            assert server.in_flight == 1
        return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}

    assert asyncio.run(start_and_stop()) == set()


def test_a_fault_that_cannot_cut_says_what_it_needs(embedded: EmbeddedStripe) -> None:
    embedded.arm_faults([Fault("POST", "drop")])

    async def post() -> None:
        carrier = httpx.ASGITransport(StripeServer(embedded).app())
        async with httpx.AsyncClient(transport=carrier, base_url="http://127.0.0.1") as client:
            await client.post("/v1/customers", headers=HEADERS)

    with pytest.raises(RuntimeError, match="CuttableProtocol"):
        asyncio.run(post())


def test_the_sdk_itself_survives_a_lost_answer(clock: Clock) -> None:
    """Its own retries, as production sets them, end in one charge."""
    embedded = EmbeddedStripe(clock)
    client = in_process_client(embedded, max_network_retries=2)
    customer = client.v1.customers.create(params={}).id
    method = client.v1.payment_methods.attach("pm_card_visa", params={"customer": customer}).id
    embedded.arm_faults([Fault("POST /v1/payment_intents$", "lost_response", times=2)])
    paid = client.v1.payment_intents.create(
        params={"amount": 6250, "currency": "usd", "customer": customer, "payment_method": method, "confirm": True}
    )
    assert [row.id for row in client.v1.payment_intents.list().data] == [paid.id]
    embedded.arm_faults([Fault("POST /v1/payment_intents$", "lost_response", times=3)])
    with pytest.raises(stripe.APIConnectionError):
        client.v1.payment_intents.create(params={"amount": 900, "currency": "usd"})


def test_what_the_api_was_told_can_be_read_without_the_key(clock: Clock) -> None:
    served = ThreadedServer(clock)
    served.start()
    httpx.post(f"{served.base}/v1/customers?a=1", headers=HEADERS, content="metadata[client]=ana")
    heard = httpx.get(f"{served.base}/_test/requests").json()
    served.stop()
    assert [(one["method"], one["path"], one["body"]) for one in heard] == [
        ("POST", "/v1/customers?a=1", "metadata[client]=ana")
    ]
    assert heard[0]["headers"]["idempotency-key"] == "once"
    assert "sk_test" not in str(heard)
