"""What a practice's own systems send about a client, and about a claim they submitted for one."""

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from billing.account import Contact
from billing.claim import SubmittedClaim, SubmittedLine
from edges.inbound.fields import Amount, Day, Email, Id, Name, Phone, Request

IdOrNone = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{0,64}$")] | None
"""An id that may be left out, null or ""."""

MOST_SESSIONS = 40
"""Of one claim: they are written in one commit. A professional claim has at most 50 lines."""


def _units(value: int | str) -> str:
    return str(value)


class ClientIn(Request):
    """Body of `PUT /v1/clients/{client_id}`."""

    name: Name
    email: Email
    phone: Phone
    state: Annotated[str, Field(pattern=r"^([A-Za-z]{2})?$"), AfterValidator(str.upper)] = ""
    provider_id: IdOrNone = None
    portal_eligible: bool = True

    def contact(self, practice: str, client: str) -> Contact:
        """Who the client is, as a new row."""
        return Contact(
            practice=practice,
            client=client,
            version=1,
            name=self.name,
            email=self.email,
            phone=self.phone,
            state=self.state,
            portal_eligible=self.portal_eligible,
        )


class SubmittedLineIn(Request):
    """One service as it was sent to the payer. A line without a date has the claim's."""

    procedure: Annotated[str, Field(pattern=r"^[!-~]{1,48}$")]
    modifiers: Annotated[list[Annotated[str, Field(pattern=r"^[!-~]{1,8}$")]], Field(max_length=4)] = Field(
        default_factory=list
    )
    units: Annotated[
        Annotated[int, Field(ge=0, le=99_999)] | Annotated[str, Field(pattern=r"^[0-9]{1,5}(\.[0-9]{1,3})?$")],
        AfterValidator(_units),
    ] = 1
    service_date: Day | None = None
    charged: Amount
    diagnoses: Annotated[list[Annotated[str, Field(pattern=r"^[A-Za-z0-9.]{1,10}$")]], Field(max_length=12)] = Field(
        default_factory=list
    )
    session_id: IdOrNone = None


class SubmittedClaimIn(Request):
    """Body of `POST /v1/claims`. `claim_id` is what the payer sends back: X12 carries at most 38 characters."""

    claim_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,38}$")]
    client_id: Id
    provider_id: Id
    payer_id: Id
    member_id: Annotated[str, Field(pattern=r"^[ -~]{0,80}$")] | None = None
    charged: Amount
    service_date: Day
    secondary_payer_id: IdOrNone = None
    tertiary_payer_id: IdOrNone = None
    lines: Annotated[list[SubmittedLineIn], Field(max_length=999)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _names_not_too_many_sessions(self) -> "SubmittedClaimIn":
        if len({line.session_id for line in self.lines if line.session_id}) > MOST_SESSIONS:
            raise ValueError(f"must name at most {MOST_SESSIONS} sessions in its lines")
        return self

    @model_validator(mode="after")
    def _has_no_third_payer_without_a_second(self) -> "SubmittedClaimIn":
        if self.tertiary_payer_id and not self.secondary_payer_id:
            raise ValueError("must name the secondary_payer_id where it names a tertiary_payer_id")
        return self

    def claim(self) -> SubmittedClaim:
        """The claim as the billing rules know it."""
        return SubmittedClaim(
            claim_id=self.claim_id,
            client_id=self.client_id,
            provider_id=self.provider_id,
            payer_id=self.payer_id,
            member_id=self.member_id or "",
            charged=self.charged,
            service_date=self.service_date,
            secondary_payer_id=self.secondary_payer_id or "",
            tertiary_payer_id=self.tertiary_payer_id or "",
            lines=tuple(
                SubmittedLine(
                    procedure=line.procedure,
                    modifiers=tuple(line.modifiers),
                    units=str(line.units),
                    service_date=line.service_date,
                    charged=line.charged,
                    diagnoses=tuple(line.diagnoses),
                    session_id=line.session_id or "",
                )
                for line in self.lines
            ),
        )
