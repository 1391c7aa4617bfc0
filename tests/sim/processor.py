"""The claim processor: what payers decided leaves it as files, posted to our door as any processor posts them.

It repeats a file byte for byte, sends the same decisions again under other control numbers, in another order or split
in two, the same payment in other bytes and, once its file was read, in other words; it lets one broken claim stand
beside good ones, and corrects by reversal. Whatever it does, each decision must count once, and each claim that it sent
is on a receipt. What is read from its files is read by the production reader.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

from billing.claim import ClaimResult
from billing.claim_state import ReceivedResult
from billing.ports import Conflict, Insert, Store
from edges.inbound.media import JSON, X12
from edges.receipts import read_receipt
from functions.ingest_claims.flow import Delivery
from tests.sim.agenda import Thing
from tests.sim.arrivals import Arrivals, File
from tests.sim.forms import PAYMENTS, Form, body_of
from tests.sim.world import World

Sent = tuple[str, str, int, int, int]
"""What tells one decision about a claim from the others: the payer's number, the status, and in cents what was charged,
what was paid and what is left to the patient."""
_PATIENCE = timedelta(minutes=2)


class Processor:
    """Everybody's files for one practice. What is decided waits in a tray until the next file.

    `retells`: by result, what is said in its place when its payment is sent again · `taken`: by receipt, how many
    claims were in what was taken · `said`: by claim, the decisions that were taken."""

    def __init__(self, world: World, rng: Random, practice: str) -> None:
        self._world, self._rng, self._practice = world, rng, practice
        self._tray: dict[Form, list[ClaimResult]] = {"835": [], "json": [], "report": []}
        self._files = 0
        self._receipts: dict[int, str] = {}
        self._arrivals = Arrivals(world, rng, practice, self._was_taken)
        self.retells: dict[str, ClaimResult] = {}
        self.taken: dict[str, int] = {}
        self.said: defaultdict[str, set[Sent]] = defaultdict(set)

    def decides(self, when: datetime, result: ClaimResult, form: Form) -> None:
        """The payer decides then; it travels alone, or with what else is decided until the tray is emptied."""

        def decide(ports: dict[str, Any]) -> str:
            if form == "read":
                return self._is_read(ports["store"], result)
            self._tray[form].append(result)
            if len(self._tray[form]) == 1:
                soon = timedelta(days=3) * self._rng.random() ** 2
                empty = Thing("payer", f"sends what is in its {form} tray", lambda _ports: self._empty(form))
                self._world.at(self._world.now + soon, empty)
            return f"leaves {result.patient_responsibility}, {result.status}"

        again: Callable[[Thing, str], datetime] = lambda _thing, _outcome: self._world.now + _PATIENCE  # noqa: E731
        self._world.at(when, Thing("payer", f"decides {result.claim_id}", decide, again))

    def _is_read(self, store: Store, result: ClaimResult) -> str:
        self.said[result.claim_id].add(sent(result))
        try:
            store.commit(Insert(ReceivedResult(self._practice, result, "rcp_document", self._world.clock)))
        except Conflict:
            return "seen before"
        return f"is read: leaves {result.patient_responsibility}, {result.status}"

    def _empty(self, form: Form) -> str:
        results, self._tray[form] = self._tray[form], []
        number = self._post(form, results)
        rng, trouble = self._rng, self._world.weather.processor
        if form in PAYMENTS:
            self._pays_again(results, number)
        if any(result.result_key() in self.retells for result in results):
            return f"{len(results)} claims"  # what came by two payments first is neither's own
        if rng.random() < trouble:
            self._met("again under another number")
            self._post(form, results, after=timedelta(days=5))
        if rng.random() < trouble and len(results) > 1:
            self._met("again, split and in another order")
            shuffled = rng.sample(results, len(results))
            half = len(results) // 2
            self._post(form, shuffled[:half], after=timedelta(days=5))
            self._post(form, shuffled[half:], after=timedelta(days=5))
        return f"{len(results)} claims"

    def _pays_again(self, results: Sequence[ClaimResult], number: int) -> None:
        """The same payment in other bytes. Of the same words, at any time; in other words, or where it says several
        things about one claim, once we have read it (what comes in between is a person's to sort out)."""
        rng, trouble = self._rng, self._world.weather.processor
        if rng.random() < trouble:
            self._met("the same payment in other bytes")
            once = len({result.claim_id for result in results}) == len(results)
            late, read = timedelta(days=5) * rng.random() ** 4, None if once else number
            self._at_last(late, lambda: self._post(rng.choice(PAYMENTS), results, number=number), read)
        otherwise = [self.retells.get(result.result_key(), result) for result in results]
        if otherwise != list(results):
            self._met("the same payment in other words")
            late = timedelta(days=6) * rng.random()
            self._at_last(late, lambda: self._post(rng.choice(PAYMENTS), otherwise, number=number), number)

    def _at_last(self, after: timedelta, act: Callable[[], object], read: int | None) -> None:
        """Do it then, or, where a file is to be `read` before, on the first day that it was."""

        def look(ports: dict[str, Any]) -> str:
            if read is not None and not self._is_done(ports["store"], read):
                if self._world.calm:
                    return "gives up"
                self._at_last(timedelta(days=1), act, read)
                return "waits"
            act()
            return "goes on"

        self._world.at(self._world.now + after, Thing("payer", "sends a payment again", look))

    def _is_done(self, store: Store, number: int) -> bool:
        receipt = read_receipt(store, self._practice, self._receipts.get(number, ""), self._world.clock)
        return receipt is not None and receipt["state"] == "done"

    def _post(
        self, form: Form, results: Sequence[ClaimResult], *, after: timedelta = timedelta(0), number: int = 0
    ) -> int:
        """Put a file on its way -> its number; sometimes its bytes come again. `number`: of the payment that it is
        once more."""
        rng, trouble = self._rng, self._world.weather.processor
        self._files += 1
        file = self._files
        broken = not number and rng.random() < trouble
        if broken:
            self._met("a broken claim beside good ones")
        kind, key = X12 if form == "835" else JSON, f"file-{file}" if rng.random() < 0.5 else ""
        body = body_of(form, results, number or file, file, broken=broken)
        leaves = self._world.now + after * rng.random()
        made = File(file, form, tuple(results), broken, Delivery(self._practice, "sender", kind, body, key))
        self._arrivals.leaves(leaves, made)
        if rng.random() < trouble:
            self._met("the same bytes again")
            self._arrivals.leaves(leaves + timedelta(days=3) * rng.random() ** 4, made, "once more")
        return file

    def _was_taken(self, file: File, receipt_id: str) -> None:
        """We answered for it: from now on each of its claims must be somewhere."""
        self._receipts[file.number] = receipt_id
        self.taken[receipt_id] = len(file.results) + file.broken
        for result in file.results:
            self.said[result.claim_id].add(sent(result))

    def _met(self, what: str) -> None:
        self._world.met[f"file: {what}"] += 1


def sent(result: ClaimResult) -> Sent:
    """What the processor remembers of a decision."""
    return result.payer_claim_id, result.status, result.charged, result.paid, result.patient_responsibility
