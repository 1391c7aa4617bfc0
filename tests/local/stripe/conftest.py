"""One `world` for the contract suite: the official SDK on the emulator in process, on the emulator over HTTP, and, with
STRIPE_SECRET_KEY=sk_test_… in the environment, on Stripe's own test mode.

The suite owns nothing but what it makes: on Stripe, and on the one HTTP server of a run, other objects are around.
"""

import os
from collections.abc import Iterator

import pytest
import stripe

from infra.local.stripe import EmbeddedStripe
from infra.local.stripe.sdk import in_process_client
from tests.local.stripe.world import (
    CLIENT_TIMEOUT_S,
    IMPATIENT_S,
    Clock,
    DirectControls,
    HttpControls,
    Receiver,
    ThreadedServer,
    World,
)

SECRET_KEY = os.environ.get("STRIPE_SECRET_KEY", "")
WORLDS = ["in_process", "http", *(["stripe"] if SECRET_KEY.startswith("sk_test_") else [])]


@pytest.fixture(scope="session")
def http_world() -> Iterator[World]:
    clock = Clock()
    server = ThreadedServer(clock)
    server.start()
    carriers = [stripe.RequestsClient(timeout=CLIENT_TIMEOUT_S), stripe.RequestsClient(timeout=IMPATIENT_S)]
    patient, impatient = (
        stripe.StripeClient("sk_test_suite", base_addresses={"api": server.base}, http_client=carrier)
        for carrier in carriers
    )
    yield World("http", patient, impatient, HttpControls(server.base), clock)
    for carrier in carriers:
        carrier.close()
    server.stop()


@pytest.fixture(scope="session")
def real_world() -> Iterator[World]:
    carrier = stripe.RequestsClient(timeout=CLIENT_TIMEOUT_S)
    client = stripe.StripeClient(SECRET_KEY, http_client=carrier)
    yield World("stripe", client, client)
    carrier.close()


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "in_process":
        clock = Clock()
        embedded = EmbeddedStripe(clock)
        client = in_process_client(embedded)
        return World("in_process", client, client, DirectControls(embedded), clock)
    found: World = request.getfixturevalue("http_world" if request.param == "http" else "real_world")
    return found


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def embedded(clock: Clock) -> EmbeddedStripe:
    return EmbeddedStripe(clock)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.stop()
