"""`make run`: the whole system on this machine, at one address, until it is told to stop.

    build zips ─► MiniStack ─► template.yaml, secrets, clock ─► API keys ─► demo people ─► ready

Whatever ends it (Ctrl-C, SIGTERM, a closed terminal, an error), the guardian ends the cloud and removes the files; that
also holds for SIGKILL, which we never hear of (infra/local/guardian.py).
"""

import asyncio
import contextlib
import json
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from types import FrameType
from typing import Any, Final

import uvicorn
from botocore.exceptions import BotoCoreError, ClientError

from infra.build import ROOT, BuildFailed, local_zips
from infra.local.app import build_app
from infra.local.clearinghouse import KEY as CLEARINGHOUSE_KEY
from infra.local.clearinghouse import PREFIX as CLEARINGHOUSE
from infra.local.clock import CLOCK_ITEM, Clock
from infra.local.cloud import Cloud
from infra.local.console import Console
from infra.local.copy import STRIPE_KEY, Copy
from infra.local.demo import PRACTICE, Demo, DemoFailed
from infra.local.deploy import DeployFailed, deploy
from infra.local.keys import SCOPES, new_key
from infra.local.ministack import CloudFailed, MiniStack
from infra.local.proxy import Proxy
from infra.local.quiet import Quiet
from infra.local.stripe import EmbeddedStripe
from infra.local.stripe.server import StripeServer
from infra.local.stripe.wire import CuttableProtocol
from infra.local.tell import Tell
from infra.local.workplace import Workplace, sweep

DEFAULT_PORT: Final = 8700
ENDINGS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PORT_FREE_WITHIN_S: Final = 4.0
"""A copy that was just killed needs a moment until its guardian has let go of its ports."""
FAILURES: Final = (BuildFailed, CloudFailed, DeployFailed, DemoFailed, BotoCoreError, ClientError)


class CannotRun(Exception):
    """This copy cannot start here; the message says what to do."""


class Ended(BaseException):
    """A signal asked us to end before there was a loop to tell."""


@dataclass(frozen=True)
class Wanted:
    """What was asked for. The cloud's port is the next one."""

    port: int
    demo: bool
    ends_with_parent: bool

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def cloud_port(self) -> int:
        return self.port + 1


def port_from_env() -> int:
    """KINDBILL_PORT, or 8700. Raises CannotRun."""
    text = os.environ.get("KINDBILL_PORT") or str(DEFAULT_PORT)
    if not text.isdigit() or not 1024 <= int(text) <= 65534:
        raise CannotRun(f"KINDBILL_PORT is {text!r}; it must be a port from 1024 to 65534")
    return int(text)


def run(*, ends_with_parent: bool) -> int:
    """Run a copy in the foreground -> exit status. `ends_with_parent`: end when the process that started us does."""
    tell = Tell()
    try:
        if os.environ.get("STRIPE_SECRET_KEY"):
            raise CannotRun(  # noqa: TRY301
                "STRIPE_SECRET_KEY is set, but this version runs on the embedded Stripe only and would ignore it. "
                "Unset it, and start again."
            )
        wanted = Wanted(port_from_env(), os.environ.get("KINDBILL_DEMO") != "0", ends_with_parent)
        with _ending_by_exception():
            _run(wanted, tell)
    except Ended:
        tell.line("Stopped.")
    except CannotRun as reason:
        tell.failure(str(reason))
        return 2
    except FAILURES as failure:
        tell.failure(str(failure))
        return 1
    return 0


def _run(wanted: Wanted, tell: Tell) -> None:
    _forget_aws_account()
    front = _listen(wanted.port)
    _listen(wanted.cloud_port).close()
    sweep()
    with tell.step("Building the functions"):
        zips = local_zips()
    place = Workplace()
    try:
        cloud = MiniStack(wanted.cloud_port, place)
        try:
            asyncio.run(_serve(wanted, tell, front, cloud, zips))
        finally:
            cloud.end()
    finally:
        place.remove()
    tell.line("Stopped; nothing is left behind.")


def _forget_aws_account() -> None:
    """Nothing here may reach a real account, whatever this shell is signed in to."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull)


@contextlib.contextmanager
def _ending_by_exception() -> Iterator[None]:
    """Until the loop takes over: the first signal ends us by an exception, which also ends what we wait for."""

    def end(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001
        for ending in ENDINGS:
            signal.signal(ending, signal.SIG_IGN)
        raise Ended

    before = {ending: signal.signal(ending, end) for ending in ENDINGS}
    try:
        yield
    finally:
        for ending, handler in before.items():
            signal.signal(ending, handler)


def _listen(port: int) -> socket.socket:
    """A listening socket on loopback, so nobody takes the port between looking and using. Raises CannotRun."""
    give_up = time.monotonic() + PORT_FREE_WITHIN_S
    while True:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen(128)
        except OSError as e:
            listener.close()
            if time.monotonic() > give_up:
                raise CannotRun(f"port {port} is in use; set KINDBILL_PORT to another, like KINDBILL_PORT=8800") from e
            time.sleep(0.2)
        else:
            return listener


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling, which would end the process before it has cleaned up."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(wanted: Wanted, tell: Tell, front: socket.socket, cloud: MiniStack, zips: dict[str, bytes]) -> None:
    """Serve until asked to end. Raises one of FAILURES when setting up failed, or the cloud went away."""
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in ENDINGS:
        loop.add_signal_handler(signum, ending.set)
    clock = Clock(datetime.now(UTC).replace(second=0, microsecond=0))
    embedded = EmbeddedStripe(
        lambda: clock.now, public_url=f"{wanted.base_url}/_local/stripe", business_name="Riverbend Therapy"
    )
    stripe = StripeServer(embedded)
    console, proxy = Console(), Proxy()
    server = _Server(
        uvicorn.Config(
            build_app(console, proxy, stripe),
            http=CuttableProtocol,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=1,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[front]))
    set_up = SetUp(wanted, tell, cloud, console, proxy, stripe, clock)
    working = asyncio.create_task(set_up.run(zips))
    watching = asyncio.create_task(_watch(wanted, cloud))
    waiting = asyncio.create_task(ending.wait())
    try:
        running: set[asyncio.Task[Any]] = {serving, working, watching, waiting}
        while not ending.is_set():
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            if serving in done or watching in done:
                break
    finally:
        tell.line("Stopping …")
        set_up.going_on.clear()
        server.should_exit = True
        for task in (working, watching, waiting):
            task.cancel()
        await asyncio.wait({serving}, timeout=5)
        # Before the loop ends, which waits for threads: whatever they ask of the cloud now fails at once.
        cloud.end()
        await asyncio.gather(working, watching, waiting, return_exceptions=True)


async def _watch(wanted: Wanted, cloud: MiniStack) -> None:
    """Return when whoever started us is gone, if that matters. Raises CloudFailed when the cloud has ended."""
    parent = os.getppid()
    while not wanted.ends_with_parent or os.getppid() == parent:
        cloud.check()
        await asyncio.sleep(0.5)


class SetUp:
    """Makes an empty cloud a copy that is ready. `going_on` is cleared to end it between two steps."""

    def __init__(
        self,
        wanted: Wanted,
        tell: Tell,
        cloud: MiniStack,
        console: Console,
        proxy: Proxy,
        stripe: StripeServer,
        clock: Clock,
    ) -> None:
        self._wanted = wanted
        self._tell = tell
        self._ministack = cloud
        self._console = console
        self._proxy = proxy
        self._stripe = stripe
        self._clock = clock
        self.going_on = threading.Event()
        self.going_on.set()

    async def run(self, zips: dict[str, bytes]) -> None:
        """All steps. Raises one of FAILURES."""
        started = time.monotonic()
        cloud = Cloud.local(self._wanted.cloud_port)
        with self._step("Starting the local cloud"):
            await asyncio.to_thread(self._ministack.wait_until_ready, self.going_on.is_set)
        with self._step("Deploying template.yaml"):
            await asyncio.to_thread(self._deploy, cloud, zips)
            zips.clear()  # 100 MB that the local cloud has now
            self._proxy.point_to(self._ministack.endpoint, cloud.outputs["ApiId"])
            webhook_secret = f"whsec_{secrets.token_hex(24)}"
            self._stripe.stripe.listen(f"{self._wanted.base_url}/webhooks/stripe", webhook_secret)
            await asyncio.to_thread(cloud.put_secret, "StripeKeyId", STRIPE_KEY)
            await asyncio.to_thread(cloud.put_secret, "StripeWebhookSecretId", webhook_secret)
            keys = json.dumps({PRACTICE: CLEARINGHOUSE_KEY})
            await asyncio.to_thread(cloud.put_secret, "ClearinghouseKeysId", keys)
            await self._clock.set(cloud, self._clock.now)
        quiet = Quiet(cloud, lambda: self._proxy.open, lambda: self._stripe.in_flight)
        copy = Copy(self._wanted.base_url, cloud, self._clock, self._stripe, quiet)
        copy.practice = PRACTICE
        copy.keys = {
            scope: await asyncio.to_thread(new_key, copy.store, PRACTICE, [scope], self._clock.now) for scope in SCOPES
        }
        self._console.copy = copy
        with self._step("Bringing in the demo practice"):
            demo = Demo(self._wanted.base_url, copy.keys, self._clock.now.date())
            await asyncio.to_thread(demo.practice)
            if self._wanted.demo:
                copy.people = await asyncio.to_thread(demo.people, self._say)
        self._console.is_ready = True
        self._tell.ready(copy, time.monotonic() - started)

    def _deploy(self, cloud: Cloud, zips: dict[str, bytes]) -> None:
        parameters = {
            "Stage": "local",
            "PublicBaseUrl": self._wanted.base_url,
            "StripeApiBase": f"{self._wanted.base_url}/_local/stripe",
            "ClearinghouseApiBase": f"{self._wanted.base_url}{CLEARINGHOUSE}",
            "ClockItem": CLOCK_ITEM,
        }
        cloud.outputs = deploy(
            cloud.cloudformation,
            cloud.s3,
            template=ROOT / "template.yaml",
            stack=cloud.stack,
            zips=zips,
            parameters=parameters,
            endpoint=self._ministack.endpoint,
            going_on=self.going_on.is_set,
        )

    @contextlib.contextmanager
    def _step(self, words: str) -> Iterator[None]:
        self._console.stage = words.lower()
        with self._tell.step(words):
            yield

    def _say(self, name: str) -> None:
        if not self.going_on.is_set():
            raise DemoFailed("stopped while bringing in the demo practice")
        self._console.stage = f"bringing in {name}"
