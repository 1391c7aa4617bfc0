"""The ways by which a file reaches us: posted to our door, put to an address that we gave, or fetched because a
clearinghouse told of it.

Whoever sends goes on until it is taken. An address may be used late, twice or never; S3 may not say that a file came;
the clearinghouse repeats its word, and has not always the report that it told of.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from random import Random
from typing import Any

from billing.claim import ClaimResult
from billing.facts import Message, WakeKind
from billing.ports import TryAgain
from billing.upload import upload_key
from functions.ingest_claims.flow import Delivery, keep, receipt_id
from functions.ingest_claims.uploads import Told, open_upload
from functions.receive_clearinghouse import flow as clearinghouse
from tests.fakes.uploads import Refusal
from tests.sim.agenda import Thing
from tests.sim.forms import Form
from tests.sim.world import World

PATIENCE = timedelta(minutes=2)
LASTS = timedelta(minutes=55)
"""Whoever has an address begins to use it by then."""
RETRIES = 4
EVERY = timedelta(seconds=90)
"""How often a clearinghouse says it again that was not answered with 200; then a person sends it the next day."""
OF_NO_USE = {"detail-type": "transaction.processed.v2", "detail": {"x12": {"transactionSetIdentifier": "277"}}}


@dataclass(frozen=True)
class File:
    """A file: its number, what it says, whether a claim in it is broken, and its bytes as they would be posted."""

    number: int
    form: Form
    results: tuple[ClaimResult, ...]
    broken: bool
    delivery: Delivery


@dataclass
class Reports:
    """billing.ports.ClaimReports: what the clearinghouse has ready. `fails`: how often it does not answer."""

    rng: Random
    fails: Callable[[], float]
    ready: dict[str, bytes] = field(default_factory=dict)

    def fetch(self, practice: str, transaction_id: str) -> bytes:
        """The report. Raises TryAgain where it is not to be had now."""
        if self.rng.random() < self.fails() or transaction_id not in self.ready:
            raise TryAgain(f"report {transaction_id} of {practice}: the clearinghouse does not answer")
        return self.ready[transaction_id]


class Arrivals:
    """`taken`: hears of each file that we answered for, and the receipt it has."""

    def __init__(self, world: World, rng: Random, practice: str, taken: Callable[[File, str], None]) -> None:
        self._world, self._rng, self._practice, self._taken = world, rng, practice, taken
        self._asked = 0
        self._reports = world.reports = Reports(rng, lambda: world.weather.processor)

    def leaves(self, when: datetime, file: File, again: str = "") -> None:
        """It is sent then, by the way that its form goes."""
        what = f"file {file.number} ({file.form}, {len(file.results)} claims) {again}".strip()
        if file.form == "report":
            self._is_told_of(when, what, file)
        elif self._rng.random() < 0.15:
            self._is_uploaded(when, what, file)
        else:
            self._is_posted(when, what, file)

    # ---- posted ----

    def _is_posted(self, when: datetime, what: str, file: File) -> None:
        """Posted until it is taken: what is answered is durable, what is not is posted again."""

        def post(ports: dict[str, Any]) -> str:
            kept = keep(file.delivery, store=ports["store"], blobs=ports["blobs"], now=self._world.clock)
            self._taken(file, kept.body.receipt_id)
            return "new" if kept.new else "seen before"

        self._until_done(when, f"posts {what}", post)

    # ---- uploaded ----

    def _is_uploaded(self, when: datetime, what: str, file: File) -> None:
        """An address is asked for, and the file put there within the hour; sometimes much later, or not at all: then
        another address is asked for."""
        self._asked += 1
        request, size = f"upload-{self._asked}", self._rng.choice((0, len(file.delivery.body)))

        def ask(ports: dict[str, Any]) -> str:
            told = Told(self._practice, "sender", file.delivery.content_type, size, request)
            upload, address = open_upload(told, store=ports["store"], uploads=ports["uploads"], now=self._world.clock)
            self._met("an address asked for")
            if self._rng.random() < 0.1:
                self._met("an address not used")
                self._is_uploaded(self._world.now + timedelta(hours=3), what, file)
                return "never comes"
            begins = self._world.now + LASTS * self._rng.random() ** 2
            lasts = timedelta(hours=5) * self._rng.random() ** 6
            self._world.at(begins + lasts, self._put(what, file, upload.receipt_id, address.url))
            return "has an address"

        self._until_done(when, f"asks where to put {what}", ask)

    def _put(self, what: str, file: File, receipt: str, url: str) -> Thing:
        waits_since = self._world.now

        def put(_ports: dict[str, Any]) -> str:
            try:
                name = self._world.uploads.put(url, file.delivery.body)
            except Refusal:
                return "there is one already"
            self._taken(file, receipt)
            if self._rng.random() < 0.2:
                self._world.at(self._world.now + timedelta(hours=1), self._put(what, file, receipt, url))
            # What came in time is found by the wake of its upload, should S3 not tell.
            if self._world.now - waits_since < timedelta(minutes=90) and self._rng.random() < 0.1:
                self._met("S3 does not tell of an upload")
                return "comes, and nobody tells"
            self._world.send([("read_claims", Message(WakeKind.UPLOAD, upload_key(name)))])
            return "comes"

        return Thing("payer", f"puts {what}", put)

    # ---- told of by a clearinghouse ----

    def _is_told_of(self, when: datetime, what: str, file: File) -> None:
        """Its webhook says that there is a report, until it hears 200; the report is there for whoever fetches it."""
        body, rng = file.delivery.body, self._rng
        transaction = f"report-{file.number}"
        self._reports.ready[transaction] = body
        detail = {"transactionId": transaction, "x12": {"transactionSetIdentifier": "835"}}
        event = {"event": {"detail-type": "transaction.processed.v2", "detail": detail}}
        tries = iter(range(RETRIES))

        def tell(ports: dict[str, Any]) -> str:
            if rng.random() < 0.1:
                self._told(OF_NO_USE, ports)
            outcome = self._told(event, ports)
            self._taken(file, receipt_id(self._practice, sha256(body).hexdigest()))
            return outcome

        def again(_thing: Thing, _outcome: str) -> datetime:
            return self._world.now + (EVERY if next(tries, None) is not None else timedelta(days=1))

        self._world.at(when, Thing("payer", f"tells of {what}", tell, again))
        if rng.random() < 0.3:
            self._met("the clearinghouse says it again")
            self._world.at(when + EVERY * rng.random(), Thing("payer", f"tells of {what} again", tell, again))

    def _told(self, event: dict[str, Any], ports: dict[str, Any]) -> str:
        body = json.dumps(event).encode()
        received = clearinghouse.run(body, self._practice, "sender", store=ports["store"], now=self._world.clock)
        return str(received.outcome)

    # ----

    def _until_done(self, when: datetime, what: str, act: Callable[[dict[str, Any]], object]) -> None:
        again: Callable[[Thing, str], datetime] = lambda _thing, _outcome: self._world.now + PATIENCE  # noqa: E731
        self._world.at(when, Thing("payer", what, act, again))

    def _met(self, what: str) -> None:
        self._world.met[f"file: {what}"] += 1
