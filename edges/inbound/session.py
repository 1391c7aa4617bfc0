"""What a practice's own systems send about the care it gave: sessions, eligibility checks, and what it asks for by
hand."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, model_validator

from billing.eligibility import WHOLE_BP, Eligibility
from billing.session import Authorisation, PaidBy, Session
from edges.inbound.fields import MAX_AMOUNT, Amount, Day, Id, Instant, Name, Request

MOST_SESSIONS_COVERED = 100
"""Of one authorisation: programmes grant three to eight."""


class EligibilityIn(Request):
    """Body of `PUT /v1/clients/{client_id}/eligibility`. `copay`: 0 or null where the plan has none."""

    payer_id: Id
    checked_at: Instant
    copay: Amount | None = None
    coinsurance_bp: Annotated[int, Field(ge=0, le=WHOLE_BP)]
    deductible_remaining: Amount
    out_of_pocket_remaining: Amount | None = None

    def record(self, practice: str, client: str) -> Eligibility:
        """The check as a new row."""
        return Eligibility(
            practice=practice,
            client=client,
            version=1,
            payer_id=self.payer_id,
            checked_at=self.checked_at,
            copay=self.copay or 0,
            coinsurance_bp=self.coinsurance_bp,
            deductible_remaining=self.deductible_remaining,
            out_of_pocket_remaining=self.out_of_pocket_remaining,
        )


class AuthorisationIn(Request):
    """What an employee-assistance programme granted: `valid_until` is its last day."""

    programme: Name
    authorisation: Annotated[str, Field(pattern=r"^[!-~]{1,64}$")]
    sessions_covered: Annotated[int, Field(ge=0, le=MOST_SESSIONS_COVERED)]
    valid_until: Day


class SessionIn(Request):
    """Body of `POST /v1/sessions`: a completed session. `rate` is its full price; `eap` comes with, and only with, the
    kind `eap`; `good_faith_estimate` is what a self-paying client was told beforehand."""

    session_id: Id
    client_id: Id
    provider_id: Id
    completed_at: Instant
    kind: Annotated[PaidBy, Field(strict=False)]
    rate: Amount
    procedure: Annotated[str, Field(pattern=r"^[!-~]{0,48}$")] | None = None
    diagnoses: Annotated[list[Annotated[str, Field(pattern=r"^[A-Za-z0-9.]{1,10}$")]], Field(max_length=12)] | None = (
        None
    )
    eap: AuthorisationIn | None = None
    good_faith_estimate: Amount | None = None

    @model_validator(mode="after")
    def _says_who_pays(self) -> "SessionIn":
        if (self.kind is PaidBy.EAP) != (self.eap is not None):
            raise ValueError("eap must be given for the kind eap, and for no other")
        return self

    def record(self, practice: str, at: datetime) -> Session:
        """The session as a new row."""
        granted = self.eap
        return Session(
            practice=practice,
            session_id=self.session_id,
            client=self.client_id,
            provider=self.provider_id,
            completed_at=self.completed_at,
            paid_by=self.kind,
            rate=self.rate,
            at=at,
            procedure=self.procedure or "",
            diagnoses=tuple(self.diagnoses or ()),
            eap=Authorisation(granted.programme, granted.authorisation, granted.sessions_covered, granted.valid_until)
            if granted
            else None,
            good_faith_estimate=self.good_faith_estimate,
        )


class InvoiceIn(Request):
    """Body of `POST /v1/invoices`: what the provider asks for by hand. `description` is shown to the client behind the
    link, never in a mail; `session_id` says that this is all the client is asked for that session."""

    client_id: Id
    amount: Annotated[int, Field(ge=1, le=MAX_AMOUNT)]
    description: Name
    session_id: Id | None = None
