"""The people of the demo practice, brought in through the public API as a practice's own system would: a client who
pays automatically, one who pays by link, one in the middle of a plan, one whose first claim is on its way, and one
whose bill is an estimate until her payer decides.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import httpx

from infra.local.copy import Person

PRACTICE: Final = "riverbend"
PROVIDER: Final = "maya-chen"
ZONE: Final = "America/Los_Angeles"
PAYER: Final = {"id": "87726", "name": "Example Health Plan"}
CARD: Final = "4242424242424242"


@dataclass(frozen=True)
class Part:
    """A person and what has happened to them, in cents. `answered`: (charged, patient's share) of each claim that its
    payer decided · `open_claims`: (claim id, charged) of each that still waits · `estimated`: they were billed an
    estimate right after the session.
    """

    person: Person
    answered: tuple[tuple[int, int], ...] = ()
    open_claims: tuple[tuple[str, int], ...] = ()
    card: bool = False
    plan_weeks: int = 0
    estimated: bool = False


PARTS: Final = (
    Part(
        Person("ana", "Ana Alvarez", "+12025550143", "autopay"),
        open_claims=(("KB7Q2M9X41", 150_00), ("KB7Q2M9X42", 150_00)),
        card=True,
    ),
    Part(
        Person("ben", "Ben Okafor", "+12025550156", "pay_link_three_invoices"),
        answered=((150_00, 62_50), (150_00, 62_50), (200_00, 125_00)),
        open_claims=(("KB4T8R2W10", 150_00),),
    ),
    Part(
        Person("carla", "Carla Jensen", "+12025550167", "plan_in_progress"),
        answered=((300_00, 240_00),),
        open_claims=(("KB9H3C7N55", 150_00),),
        card=True,
        plan_weeks=4,
    ),
    Part(
        Person("dev", "Dev Patel", "+12025550178", "first_claim_on_its_way"),
        open_claims=(("KB1D6J5V80", 180_00),),
    ),
    Part(
        Person("ella", "Ella Novak", "+12025550189", "estimate"),
        open_claims=(("KB5E8M3L77", 160_00),),
        estimated=True,
    ),
)
"""examples/riverbend.835 answers Ana's first open claim."""
CHECK: Final = {"payer_id": PAYER["id"], "coinsurance_bp": 2000, "deductible_remaining": 60_00}
"""What her plan says of Ella's cover: of her session of $160.00, $60.00 of deductible and a fifth of the rest."""


class DemoFailed(Exception):
    """The system did not take the demo data; the message says which call, and what it answered."""


class Demo:
    """Plays the practice's own system, and its payer, against the copy at `base_url`."""

    def __init__(self, base_url: str, keys: dict[str, str], today: date) -> None:
        self._http = httpx.Client(base_url=base_url, timeout=150, trust_env=False)
        self._keys = keys
        self._today = today

    def practice(self) -> None:
        """Set up the practice itself; all there is in a copy without demo data."""
        self._call(
            "PUT",
            f"/v1/practices/{PRACTICE}",
            "support",
            {
                "name": "Riverbend Therapy",
                "time_zone": ZONE,
                "phone": "+12025550100",
                "email": "office@riverbend.example",
                "online_payments": True,
            },
        )

    def people(self, tell: Callable[[str], None]) -> tuple[Person, ...]:
        """Bring in everyone, with their stories so far. `tell` hears about each.

        The demo practice takes test files: the 835 files at hand to try are mostly marked as such. It waits for the
        payer, as practices do unless they choose otherwise; Ella was seen while it billed estimates, for a moment.
        """
        self._call("PUT", f"/v1/practices/{PRACTICE}/policies", "practice", {"accept_test_files": True})
        name = {"name": "Dr. Maya Chen", "email": "maya.chen@riverbend.example", "npi": "1234567893"}
        self._call(
            "PUT", f"/v1/providers/{PROVIDER}", "practice", name | {"tax_id": "123456789", "phone": "+12025550101"}
        )
        for part in PARTS:
            tell(part.person.name)
            self._bring_in(part)
        self._settle()
        for part in PARTS:
            if part.plan_weeks:
                plan = {"weeks": part.plan_weeks, "start_on": self._today.isoformat()}
                self._call("POST", f"/v1/clients/{part.person.client_id}/plans", "practice", plan)
        self._settle()
        for part in PARTS:
            if part.estimated:
                self._estimate(part)
        return tuple(part.person for part in PARTS)

    def _estimate(self, part: Part) -> None:
        """A session and its claim, told while the practice bills estimates."""
        policies, client_id = f"/v1/practices/{PRACTICE}/policies", part.person.client_id
        self._call("PUT", policies, "practice", {"amount_source": "estimate"})
        checked = f"{self._today - timedelta(days=6)}T17:00:00Z"
        self._call("PUT", f"/v1/clients/{client_id}/eligibility", "practice", CHECK | {"checked_at": checked})
        for claim_id, charged in part.open_claims:
            session: dict[str, Any] = {
                "session_id": f"session-{claim_id}",
                "client_id": client_id,
                "provider_id": PROVIDER,
                "completed_at": f"{self._today - timedelta(days=3)}T20:00:00Z",
                "kind": "insurance",
                "rate": charged,
                "procedure": "90834",
            }
            self._call("POST", "/v1/sessions", "practice", session)
            self._submit(part.person, claim_id, charged, 3, session["session_id"])
        self._settle()
        self._call("PUT", policies, "practice", {"amount_source": "adjudicated"})

    def _bring_in(self, part: Part) -> None:
        person = part.person
        self._call(
            "PUT",
            f"/v1/clients/{person.client_id}",
            "practice",
            {
                "name": person.name,
                "email": f"{person.client_id}@mail.example",
                "phone": person.phone,
                "state": "CA",
                "provider_id": PROVIDER,
                "portal_eligible": True,
            },
        )
        if part.card:
            self._call("POST", f"/_local/clients/{person.client_id}/card", "", {"number": CARD, "autopay": True})
        days_ago = 42
        for number, (charged, share) in enumerate(part.answered, start=1):
            claim = self._submit(person, f"{person.client_id.upper()}-{number:03d}", charged, days_ago)
            self._call("POST", "/v1/claim-results", "claims", _result(claim, share))
            days_ago -= 7
        for claim_id, charged in () if part.estimated else part.open_claims:
            self._submit(person, claim_id, charged, days_ago)
            days_ago -= 7

    def _submit(
        self, person: Person, claim_id: str, charged: int, days_ago: int, session_id: str = ""
    ) -> dict[str, Any]:
        claim: dict[str, Any] = {
            "claim_id": claim_id,
            "client_id": person.client_id,
            "provider_id": PROVIDER,
            "payer_id": PAYER["id"],
            "charged": charged,
            "service_date": (self._today - timedelta(days=days_ago)).isoformat(),
        }
        if session_id:
            claim["lines"] = [{"procedure": "90834", "charged": charged, "session_id": session_id}]
        self._call("POST", "/v1/claims", "practice", claim)
        return claim

    def _settle(self) -> None:
        self._call("POST", "/_local/settle", "", {})

    def _call(self, method: str, path: str, scope: str, body: dict[str, Any]) -> None:
        headers = {"authorization": f"Bearer {self._keys[scope]}"} if scope else {}
        answer = self._http.request(method, path, json=body, headers=headers)
        if not answer.is_success:
            raise DemoFailed(f"{method} {path} answered {answer.status_code}: {answer.text}")


def _result(claim: dict[str, Any], share: int) -> dict[str, Any]:
    """The payer's decision: a fifth is discount, the client owes `share` as deductible, the plan pays the rest."""
    charged = claim["charged"]
    discount = charged // 5
    paid = charged - discount - share
    adjustments = [{"group": "CO", "code": "45", "amount": discount}, {"group": "PR", "code": "1", "amount": share}]
    line = {"procedure": "90834", "service_date": claim["service_date"], "charged": charged, "paid": paid}
    return {
        "claim_id": claim["claim_id"],
        "payer": PAYER,
        "payer_claim_id": f"P-{claim['claim_id']}",
        "status": "processed_primary",
        "adjudicated_on": (date.fromisoformat(claim["service_date"]) + timedelta(days=10)).isoformat(),
        "currency": "usd",
        "charged": charged,
        "paid": paid,
        "adjustments": [],
        "lines": [{**line, "adjustments": adjustments}],
    }
