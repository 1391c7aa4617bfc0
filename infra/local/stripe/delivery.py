"""Posting webhooks: what the embedded Stripe's outbox holds goes out signed, and again while nobody answers 2xx.

First tries go out one after the other in the order of the outbox, so that "newest first" means it; tries again run
beside. Real Stripe keeps trying for days; here a few seconds of real time do, then the delivery is parked until it is
resent.
"""

import asyncio
import time
from collections.abc import Sequence

import httpx

from infra.local.stripe.core import EmbeddedStripe
from infra.local.stripe.webhooks import Delivery, sign

RETRY_DELAYS_S = (0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0, 5.0)
ANSWER_WITHIN_S = 20.0


class Deliverer:
    """Takes deliveries from the emulator and posts them while `run` runs, all on one event loop."""

    def __init__(self, stripe: EmbeddedStripe, retry_delays_s: Sequence[float] = RETRY_DELAYS_S) -> None:
        self._stripe = stripe
        self._retry_delays_s = retry_delays_s
        self._woken = asyncio.Event()
        self._taken = 0
        self._retries: set[asyncio.Task[None]] = set()

    @property
    def in_flight(self) -> int:
        """Deliveries that wait, are on their way or will be tried again; parked and delayed ones are quiet."""
        return self._stripe.ready_deliveries + self._taken

    def wake(self) -> None:
        """Something may be ready. Call it after every change of the emulator, on the loop that runs `run`."""
        if self._stripe.ready_deliveries:
            self._woken.set()

    async def run(self) -> None:
        """Delivers until cancelled; what is under way then is given up."""
        async with httpx.AsyncClient(timeout=ANSWER_WITHIN_S, trust_env=False) as client:
            try:
                while True:
                    await self._woken.wait()
                    self._woken.clear()
                    await self._send_ready(client)
            finally:
                for task in self._retries:
                    task.cancel()
                await asyncio.gather(*self._retries, return_exceptions=True)

    async def _send_ready(self, client: httpx.AsyncClient) -> None:
        while deliveries := self._stripe.take_deliveries():
            self._taken += len(deliveries)
            for delivery in deliveries:
                if await _post(client, delivery):
                    self._delivered(delivery)
                    continue
                task = asyncio.create_task(self._try_again(client, delivery))
                self._retries.add(task)
                task.add_done_callback(self._retries.discard)

    async def _try_again(self, client: httpx.AsyncClient, delivery: Delivery) -> None:
        for delay_s in self._retry_delays_s:
            await asyncio.sleep(delay_s)
            if await _post(client, delivery):
                self._delivered(delivery)
                return
        self._taken -= 1
        self._stripe.park(delivery)

    def _delivered(self, delivery: Delivery) -> None:
        self._taken -= 1
        self._stripe.delivered(delivery)


async def _post(client: httpx.AsyncClient, delivery: Delivery) -> bool:
    endpoint = delivery.endpoint
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": sign(delivery.body, endpoint.secret, int(time.time())),
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
    }
    try:
        answer = await client.post(endpoint.url, content=delivery.body.encode(), headers=headers)
    except httpx.HTTPError:
        return False
    return answer.is_success
