"""The claim processor: what payers decided leaves it as files, posted to our door as any processor posts them.

It repeats a file byte for byte, sends the same decisions again under other control numbers, in another order or split
in two, lets one broken claim stand beside good ones, and corrects by reversal. Whatever it does, each decision must
count once. What is read from its files is read by the production reader.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any, Literal

from billing.claim import Adjustment, ClaimResult, ClaimStatus
from billing.claim_state import ReceivedResult
from billing.ports import Conflict, Insert, Store
from edges.formats.x12_claim import STATUSES
from edges.inbound.media import JSON, X12
from functions.ingest_claims.flow import Delivery, keep
from tests.edges.formats.x12_example import document, transaction
from tests.sim.agenda import Thing
from tests.sim.world import World

Form = Literal["835", "json", "read"]
"""A payer keeps to one form: an 835 states the patient's responsibility beside its reasons, JSON does not; `read`: as
the reader of documents leaves it, which alone can say that a decision replaces another one."""

_RAW = {status: raw for raw, status in STATUSES.items()}
_PATIENCE = timedelta(minutes=2)


class Processor:
    """Everybody's files for one practice. What is decided waits in a tray until the next file."""

    def __init__(self, world: World, rng: Random, practice: str) -> None:
        self._world, self._rng, self._practice = world, rng, practice
        self._tray: dict[Form, list[ClaimResult]] = {"835": [], "json": [], "read": []}
        self._files = 0

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
        try:
            store.commit(Insert(ReceivedResult(self._practice, result, "rcp_document", self._world.clock)))
        except Conflict:
            return "seen before"
        return f"is read: leaves {result.patient_responsibility}, {result.status}"

    def _empty(self, form: Form) -> str:
        results, self._tray[form] = self._tray[form], []
        self._post(form, results)
        rng, trouble = self._rng, self._world.weather.processor
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

    def _post(self, form: Form, results: Sequence[ClaimResult], after: timedelta = timedelta(0)) -> None:
        """Put a file on its way; sometimes its bytes come again."""
        rng, trouble = self._rng, self._world.weather.processor
        self._files += 1
        broken = rng.random() < trouble
        body = _835(results, self._files, broken) if form == "835" else _json(results, broken)
        if broken:
            self._met("a broken claim beside good ones")
        key = f"file-{self._files}" if rng.random() < 0.5 else ""
        delivery = Delivery(self._practice, "sender", X12 if form == "835" else JSON, body, key)
        leaves = self._world.now + after * rng.random()
        self._surely(leaves, f"posts file {self._files} ({form}, {len(results)} claims)", delivery)
        if rng.random() < trouble:
            self._met("the same bytes again")
            late = timedelta(days=3) * rng.random() ** 4
            self._surely(leaves + late, f"posts file {self._files} once more", delivery)

    def _surely(self, when: datetime, what: str, delivery: Delivery) -> None:
        """Posted until it is taken: what is answered is durable, what is not is posted again."""

        def post(ports: dict[str, Any]) -> str:
            kept = keep(delivery, store=ports["store"], blobs=ports["blobs"], now=self._world.clock)
            return "new" if kept.new else "seen before"

        again: Callable[[Thing, str], datetime] = lambda _thing, _outcome: self._world.now + _PATIENCE  # noqa: E731
        self._world.at(when, Thing("payer", what, post, again))

    def _met(self, what: str) -> None:
        self._world.met[f"file: {what}"] += 1


# ---------------------------------------------------------------------------------------------------- as an 835


def _835(results: Iterable[ClaimResult], number: int, broken: bool) -> bytes:
    """One interchange; each payer is a transaction, and so is each second decision about the same claim: within one
    transaction the reader would count it."""
    groups: list[list[ClaimResult]] = []
    for result in results:
        fits = (g for g in groups if g[0].payer_ids == result.payer_ids and not any(_alike(result, o) for o in g))
        group = next(fits, None)
        if group is None:
            groups.append([result])
        else:
            group.append(result)
    segments = []
    for place, group in enumerate(groups):
        claims = [segment for result in group for segment in _claim(result)]
        if broken and place == 0:
            claims += ["CLP*BROKEN*1*a lot*42.5*62.5*12*2026*11*1"]
        payer = (f"N1*PR*EXAMPLE HEALTH PLAN*XV*{group[0].payer_id}",)
        paid = _dollars(sum(result.paid for result in group))
        made = transaction(*claims, control=f"{number:04d}{place:02d}", payment=paid, payer=payer)
        segments += [f"TRN*1*TRACE{number}*9{group[0].payer_id}" if s.startswith("TRN*") else s for s in made]
    isa = "ISA*00*          *00*          *ZZ*EXAMPLEPLAN    *ZZ*RIVERBEND      *261120*1200*^*00501*"
    return document(*segments, isa=f"{isa}{number:09d}*0*P*:")


def _alike(one: ClaimResult, other: ClaimResult) -> bool:
    return (one.claim_id, one.payer_claim_id, one.status) == (other.claim_id, other.payer_claim_id, other.status)


def _claim(result: ClaimResult) -> list[str]:
    raw = _RAW.get(result.status, "99")
    stated = _dollars(result.stated_responsibility or 0)
    segments = [
        f"CLP*{result.claim_id}*{raw}*{_dollars(result.charged)}*{_dollars(result.paid)}*{stated}*12"
        f"*{result.payer_claim_id}*11*1"
    ]
    for line in result.lines:
        segments.append(f"SVC*HC:{line.procedure}*{_dollars(line.charged)}*{_dollars(line.paid)}**{line.units}")
        if line.service_date:
            segments.append(f"DTM*472*{line.service_date:%Y%m%d}")
        segments += [f"CAS*{a.group}*{a.code}*{_dollars(a.amount)}" for a in line.adjustments]
    return segments


def _dollars(cents: int) -> str:
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02d}"


# ---------------------------------------------------------------------------------------------------- as JSON


def form_of(results: Sequence[ClaimResult], rng: Random) -> Form:
    """How a claim's decisions travel. What JSON cannot say (a stated sum, a status nobody knows) is an 835."""
    if any(result.supersedes for result in results):
        return "read"
    sayable = all(
        r.status is not ClaimStatus.UNKNOWN and r.stated_responsibility in (r.patient_responsibility, 0)
        for r in results
    )
    return "json" if sayable and rng.random() < 0.3 else "835"


def _json(results: Iterable[ClaimResult], broken: bool) -> bytes:
    elements: list[dict[str, Any]] = [_element(result) for result in results]
    if broken:
        elements.append({**elements[0], "charged": "a lot"})
    return json.dumps(elements[0] if len(elements) == 1 else {"results": elements}).encode()


def _element(result: ClaimResult) -> dict[str, Any]:
    return {
        "claim_id": result.claim_id,
        "payer": {"id": result.payer_id, "name": result.payer_name},
        "payer_claim_id": result.payer_claim_id,
        "status": result.status.value,
        "currency": "usd",
        "charged": result.charged,
        "paid": result.paid,
        "adjustments": [],
        "lines": [
            {
                "procedure": line.procedure,
                "service_date": line.service_date.isoformat() if line.service_date else None,
                "charged": line.charged,
                "paid": line.paid,
                "adjustments": _adjustments(line.adjustments),
            }
            for line in result.lines
        ],
    }


def _adjustments(given: Iterable[Adjustment]) -> list[dict[str, Any]]:
    return [{"group": one.group, "code": one.code, "amount": one.amount} for one in given]
