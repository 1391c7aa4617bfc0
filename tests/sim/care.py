"""What a practice tells of the care it gave (eligibility checks; sessions: insured, self-paid, of a programme) and what
it comes to, in cents, worked out here.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from billing.account import Account
from billing.claim import SubmittedClaim
from billing.eligibility import Eligibility
from billing.facts import Fact, FactKind
from billing.invoice import Invoice, Source
from billing.session import Authorisation, PaidBy, Session
from functions.serve_practice import sessions
from tests.sim.agenda import Thing
from tests.sim.reckoning import about
from tests.sim.world import World

PROGRAMME = "Optum Live & Work Well"
CODE = "H2019HQ"


def session_of(claim_id: str) -> str:
    """What the session is called that a claim is about."""
    return f"session_{claim_id}"


CLOCKS_DIFFER = timedelta(seconds=5)


@dataclass
class Check:
    """What a plan says in one eligibility check, in cents: first told then, and since when we had answered for it."""

    copay: int
    deductible: int
    told_at: datetime
    known_at: datetime | None = None

    def expects(self, rate: int) -> int:
        """Of a session at that rate."""
        return min(self.copay or self.deductible, rate)


class Care:
    """What the practice tells, and by client the checks of their plan, the oldest first."""

    def __init__(self, world: World, rng: Random, practice: str, payer: str) -> None:
        self._world, self._rng, self._practice, self._payer = world, rng, practice, payer
        self._checks: defaultdict[str, list[Check]] = defaultdict(list)
        self._rates: dict[str, int] = {}

    def asks_the_plan(self, account: Account, until: datetime) -> None:
        """An eligibility check of this client before anything else. Some are checked again, with another answer; then
        the older one may come once more, and must change nothing."""
        first = self._check(account, self._world.now)
        if self._rng.random() < 0.4:
            later = self._world.now + (until - self._world.now) * self._rng.random()
            self._world.met["eligibility checked again"] += 1
            self._check(account, later)
            if self._rng.random() < 0.3:
                self._surely(later + timedelta(hours=1), "tells the older check again", first)

    def _check(self, account: Account, when: datetime) -> Callable[[dict[str, Any]], object]:
        copay, deductible = self._rng.choice(((25_00, 0), (40_00, 0), (0, 80_00), (0, 10_000_00)))
        told = Check(copay, deductible, when)
        self._checks[account.client].append(told)
        check = Eligibility(self._practice, account.client, 1, self._payer, when, copay, 0, deductible)

        def keep(ports: dict[str, Any]) -> str:
            told.told_at = min(told.told_at, self._world.now)
            sessions.keep_eligibility(ports["store"], check)
            told.known_at = told.known_at or self._world.now
            return "kept"

        self._surely(when, "asks the plan", keep)
        return keep

    def estimates(self, claim_id: str, client: str, rate: int) -> frozenset[int]:
        """What the session of that claim may be expected to cost this client; nothing where nobody knows."""
        self._rates[claim_id] = rate
        return frozenset(check.expects(rate) for check in self._checks[client])

    def wrong_with(self, rows: Sequence[object]) -> Iterator[str]:
        """INV-2: an estimate is made by the latest check that the practice had told of. `rows`: all there are."""
        first = (row for row in rows if isinstance(row, Invoice) and not row.ordinal)
        estimates = {row.invoice_id: row for row in first if row.source is Source.ESTIMATE}
        for fact in rows:
            if not isinstance(fact, Fact) or fact.kind != FactKind.INVOICE_ISSUED:
                continue
            invoice, at = estimates.get(str(fact.data["invoice_id"])), fact.at
            rate = self._rates.get(about(invoice.source_id)) if invoice else None
            if invoice is None or rate is None:
                continue
            told = [check for check in self._checks[invoice.client] if check.told_at <= at + CLOCKS_DIFFER]
            newest = [n for n, one in enumerate(told) if one.known_at and one.known_at + CLOCKS_DIFFER < at]
            may_be = {check.expects(rate) for check in told[max(newest, default=0) :]}
            if fact.data["amount"] not in may_be:
                said = fact.data["amount"]
                yield f"{invoice.invoice_id} of {at} estimates {said}, by their plan it was {sorted(may_be)}"

    def insured(self, claim: SubmittedClaim, when: datetime) -> None:
        """The session of a claim is told; where the practice estimates, the client is billed at once (INV-2)."""
        self._tells(session_of(claim.claim_id), claim.client_id, PaidBy.INSURANCE, claim.charged, when)

    def self_paid(self, session_id: str, client: str, rate: int, when: datetime) -> None:
        """The client pays for it themself (INV-4)."""
        self._tells(session_id, client, PaidBy.SELF_PAY, rate, when)

    def of_a_programme(self, session_id: str, client: str, rate: int, covered: int, when: datetime) -> None:
        """An employee-assistance programme pays for the first `covered` of them (INV-5)."""
        until = (when + timedelta(days=400)).date()
        self._tells(session_id, client, PaidBy.EAP, rate, when, Authorisation(PROGRAMME, f"A-{client}", covered, until))

    def _tells(
        self, name: str, client: str, paid_by: PaidBy, rate: int, when: datetime, eap: Authorisation | None = None
    ) -> None:
        given = rate if paid_by is PaidBy.SELF_PAY else None

        def tell(ports: dict[str, Any]) -> str:
            told = Session(
                self._practice, name, client, "provider_1", when, paid_by, rate, self._world.clock, CODE, (), eap, given
            )
            _, new = sessions.tell_session(ports["store"], told)
            self._world.met[f"session: {paid_by}"] += new
            return "told" if new else "was told"

        self._surely(when, f"tells of {name}, {paid_by}", tell)

    def _surely(self, when: datetime, what: str, act: Callable[[dict[str, Any]], object]) -> None:
        again: Callable[[Thing, str], datetime] = lambda _thing, _outcome: self._world.now + timedelta(minutes=2)  # noqa: E731
        self._world.at(when, Thing("practice", what, act, again))
