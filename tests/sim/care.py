"""What a practice tells of the care it gave (eligibility checks; sessions: insured, self-paid, of a programme) and what
it comes to, in cents, worked out here.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any

from billing.account import Account
from billing.claim import SubmittedClaim
from billing.eligibility import Eligibility
from billing.session import Authorisation, PaidBy, Session
from functions.serve_practice import sessions
from tests.sim.agenda import Thing
from tests.sim.world import World

PROGRAMME = "Optum Live & Work Well"
CODE = "H2019HQ"


def session_of(claim_id: str) -> str:
    """What the session is called that a claim is about."""
    return f"session_{claim_id}"


class Care:
    """`expected`: by client, copay in cents and what is left of the deductible, as their plan said."""

    def __init__(self, world: World, rng: Random, practice: str, payer: str) -> None:
        self._world, self._rng, self._practice, self._payer = world, rng, practice, payer
        self._expected: dict[str, tuple[int, int]] = {}

    def asks_the_plan(self, account: Account) -> None:
        """An eligibility check of this client, before anything else."""
        copay, deductible = self._rng.choice(((25_00, 0), (0, 80_00), (0, 10_000_00)))
        self._expected[account.client] = (copay, deductible)
        check = Eligibility(self._practice, account.client, 1, self._payer, self._world.now, copay, 0, deductible)
        self._surely(self._world.now, "asks the plan", lambda ports: sessions.keep_eligibility(ports["store"], check))

    def estimate(self, client: str, rate: int) -> int | None:
        """What a session is expected to cost this client; None where nobody knows."""
        if client not in self._expected:
            return None
        copay, deductible = self._expected[client]
        return min(copay or deductible, rate)

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
