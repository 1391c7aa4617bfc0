"""The Truth-in-Lending disclosure before a plan of more than four instalments: which text, and that the client accepted
it (PLAN-10; 12 CFR 1026.2(a)(17): credit in more than four instalments counts even where it costs nothing).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from billing.ids import Key, digest, facts_pk, segment
from billing.policy import Policy, TilDisclosure
from billing.row import Asleep

MOST_UNDISCLOSED: Final = 4
"""Instalments of the longest plan that needs no disclosure."""
STANDARD_ID: Final = "standard-2026-11"
STANDARD_TEXT: Final = (
    "This plan costs nothing: the finance charge is $0.00 and the annual percentage rate is 0%. "
    "The amount financed is the balance that the schedule adds up to, and the total of payments is the same amount. "
    "It is paid in weekly payments, of the amounts and on the days in the schedule. "
    "All of it may be paid early at any time, without a penalty. "
    "There is no late fee, and nothing is given as security. "
    "If two payments cannot be collected, the plan ends and the rest is due as one bill."
)


@dataclass(frozen=True)
class DisclosureText:
    """A text under the id that names it for good: another text has another id."""

    text_id: str
    text: str


@dataclass(frozen=True)
class Disclosure(Asleep):
    """What a client was shown and accepted before a plan: kept word for word, whatever the practice writes later."""

    TYPE: ClassVar[str] = "disclosure"

    practice: str
    client: str
    plan_id: str
    text_id: str
    text: str
    accepted_at: datetime
    how: str
    by: str
    version: int = 1

    @property
    def key(self) -> Key:
        return disclosure_key(self.practice, self.client, self.plan_id)


def disclosure_key(practice: str, client: str, plan_id: str) -> Key:
    """The disclosure of one plan, where it has one."""
    return Key(facts_pk(practice, client), f"DISCLOSURE#{segment(plan_id)}#")


def text_in_force(policy: Policy) -> DisclosureText | None:
    """The text that stands before a plan of six weeks; None where the practice has none, and no such plans."""
    match policy.til_disclosure:
        case TilDisclosure.STANDARD:
            return DisclosureText(STANDARD_ID, STANDARD_TEXT)
        case TilDisclosure.OWN:
            return DisclosureText("own-" + digest(policy.til_text, length=12), policy.til_text)
        case TilDisclosure.OFF:
            return None
