"""A completed session as the practice tells it, what bills it, and the authorisation of an employee-assistance
programme that it may use up (INV-2, INV-4, INV-5).
"""

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar, Final

from billing.facts import FactKind
from billing.ids import Key, client_pk, digest, segment, session_pk
from billing.money import Cents
from billing.period import local_date
from billing.row import Asleep


class PaidBy(StrEnum):
    """Who pays for a session in the first place."""

    SELF_PAY = "self_pay"
    INSURANCE = "insurance"
    EAP = "eap"


@dataclass(frozen=True)
class Authorisation:
    """What an employee-assistance programme grants: that many sessions, until that day (its last one)."""

    programme: str
    number: str
    sessions_covered: int
    valid_until: date


@dataclass(frozen=True)
class Session(Asleep):
    """A completed session, told once. `rate`: its full price in cents · `good_faith_estimate`: what a self-paying
    client was told beforehand that it would cost, None where they were told nothing (LAW-5)."""

    TYPE: ClassVar[str] = "session"

    practice: str
    session_id: str
    client: str
    provider: str
    completed_at: datetime
    paid_by: PaidBy
    rate: Cents
    at: datetime
    procedure: str = ""
    diagnoses: tuple[str, ...] = ()
    eap: Authorisation | None = None
    good_faith_estimate: Cents | None = None
    kind: str = FactKind.SESSION_COMPLETED
    version: int = 1

    @property
    def key(self) -> Key:
        return session_key(self.practice, self.session_id)

    def day(self, time_zone: str) -> date:
        """The day it took place, as the practice sees it."""
        return local_date(self.completed_at, time_zone)

    def says_the_same(self, other: "Session") -> bool:
        """Whether both tell the same of the session, whenever it was told."""
        return self == replace(other, at=self.at)


def session_key(practice: str, session_id: str) -> Key:
    return Key(session_pk(practice, session_id), "SESSION#")


CLAIM_ESTIMATE: Final = "claim/"
"""What the source of an estimate begins with that is a claim's, not a session's: no id that a practice gives holds a
slash."""


@dataclass(frozen=True)
class BilledSession(Asleep):
    """What bills a session: the claim it was submitted on, and the invoice that asks the client for it; "" where there
    is none. Whoever issues for a session writes this row, so that two of them cannot. `amount`: of that invoice, when
    it was issued · `estimated`: it is an estimate, and the claim's result will correct it (INV-3)."""

    TYPE: ClassVar[str] = "billed_session"

    practice: str
    session_id: str
    version: int
    claim_id: str = ""
    invoice_id: str = ""
    amount: Cents = 0
    estimated: bool = False

    @property
    def key(self) -> Key:
        return billed_session_key(self.practice, self.session_id)


def billed_session_key(practice: str, session_id: str) -> Key:
    return Key(session_pk(practice, session_id), "BILLED#")


@dataclass(frozen=True)
class AuthorisationUse(Asleep):
    """The sessions that an authorisation has paid for; written by each that takes one, so that the last one is taken
    once (INV-5)."""

    TYPE: ClassVar[str] = "authorisation_use"

    practice: str
    client: str
    programme: str
    number: str
    version: int
    sessions: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        return authorisation_use_key(self.practice, self.client, self.programme, self.number)


def authorisation_use_key(practice: str, client: str, programme: str, number: str) -> Key:
    """One authorisation of a client, however its programme is capitalised."""
    of = digest(spelt(programme), number)
    return Key(client_pk(practice, client), f"AUTHORISATION#{segment(of)}#")


def spelt(programme: str) -> str:
    """A programme's name without what people write differently."""
    return " ".join(programme.split()).casefold()
