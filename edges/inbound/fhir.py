"""The fields of FHIR R4 that a claim result is read from (hl7.org/fhir/R4/explanationofbenefit, /claimresponse).

Slim on purpose: a resource has hundreds of fields, of which these decide about money. Everything else is let pass
unread, names and diagnoses included: what is not kept cannot leak. Amounts are decimals as written, never a float.
"""

from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

MOST_ITEMS: Final = 999
MOST_ADJUDICATIONS: Final = 99
_Text = Annotated[str, Field(max_length=400)]


def _number(value: object) -> object:
    """Only what JSON calls a number: true is none, and neither is "12"."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("must be a number")  # noqa: TRY004 - what pydantic takes for "this input is wrong"
    return value


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class Coding(_Part):
    """One code of one code system."""

    system: _Text = ""
    code: _Text = ""


class Concept(_Part):
    """The same thing said in several code systems."""

    coding: Annotated[list[Coding], Field(max_length=50)] = Field(default_factory=list)

    def codes(self, *systems: str) -> list[str]:
        """Its codes, or only those of systems whose address ends so; "" is a code that names no system."""
        named = [one for one in self.coding if one.code]
        return [one.code for one in named if not systems or any(_is_of(one.system, system) for system in systems)]


def _is_of(system: str, ending: str) -> bool:
    return system.endswith(ending) if ending else not system


class Money(_Part):
    """An amount in a currency; without one, dollars."""

    value: Annotated[Decimal | None, BeforeValidator(_number)] = None
    currency: Annotated[str, Field(pattern=r"^[A-Za-z]{3}$")] = "USD"


class Identifier(_Part):
    """A name that somebody gave to something."""

    type: Concept = Concept()
    value: _Text = ""


class Reference(_Part):
    """A pointer to another resource: by address, by identifier, or only by name."""

    reference: _Text = ""
    identifier: Identifier = Identifier()
    display: _Text = ""

    @property
    def named(self) -> str:
        """What it is called: its identifier, else the last part of its address."""
        return self.identifier.value.strip() or self.address.rpartition("/")[2]

    @property
    def address(self) -> str:
        """Where it lies, whatever its version."""
        return self.reference.partition("/_history/")[0].strip()


class Adjudication(_Part):
    """One figure of the decision: what kind, how much, and for an adjustment why."""

    category: Concept
    reason: Concept = Concept()
    amount: Money | None = None


class Period(_Part):
    """From when."""

    start: _Text | None = None


class Item(_Part):
    """One service."""

    product: Annotated[Concept, Field(alias="productOrService")] = Concept()
    modifier: Annotated[list[Concept], Field(max_length=20)] = Field(default_factory=list)
    on: Annotated[_Text | None, Field(alias="servicedDate")] = None
    during: Annotated[Period | None, Field(alias="servicedPeriod")] = None
    net: Money | None = None
    adjudication: Annotated[list[Adjudication], Field(max_length=MOST_ADJUDICATIONS)] = Field(default_factory=list)


class Total(_Part):
    """One figure of the whole claim."""

    category: Concept
    amount: Money


class SupportingInfo(_Part):
    """What else the claim said; CARIN's `patientaccountnumber` is the id that the provider submitted it with."""

    category: Concept = Concept()
    text: Annotated[object, Field(alias="valueString")] = ""


class Related(_Part):
    """Another claim, and what it is to this one. The payer's id of it is an identifier, or stands on its reference."""

    relationship: Concept = Concept()
    claim: Reference = Reference()
    reference: Identifier = Identifier()

    @property
    def named(self) -> str:
        """What the payer calls it, or ""; where its resource lies says nothing about that."""
        return self.reference.value.strip() or self.claim.identifier.value.strip()


class Meta(_Part):
    """What is said about the resource itself."""

    security: Annotated[list[Coding], Field(max_length=50)] = Field(default_factory=list)


class Decision(_Part):
    """An ExplanationOfBenefit or a ClaimResponse. `claim` is the latter's `request`."""

    kind: Annotated[Literal["ExplanationOfBenefit", "ClaimResponse"], Field(alias="resourceType")]
    meta: Meta = Meta()
    contained: Annotated[list[dict[str, Any]], Field(max_length=50)] = Field(default_factory=list)
    identifier: Annotated[list[Identifier], Field(max_length=50)] = Field(default_factory=list)
    status: Literal["active", "cancelled", "draft", "entered-in-error"]
    use: Literal["claim", "preauthorization", "predetermination"]
    outcome: Literal["queued", "complete", "error", "partial"] | None = None
    created: _Text | None = None
    claim: Reference = Reference()
    request: Reference = Reference()
    insurer: Reference = Reference()
    precedence: Annotated[int | None, Field(ge=1, le=99)] = None
    related: Annotated[list[Related], Field(max_length=50)] = Field(default_factory=list)
    item: Annotated[list[Item], Field(max_length=MOST_ITEMS)] = Field(default_factory=list)
    added: Annotated[list[Item], Field(max_length=MOST_ITEMS, alias="addItem")] = Field(default_factory=list)
    supporting: Annotated[list[SupportingInfo], Field(alias="supportingInfo")] = Field(default_factory=list)
    adjudication: Annotated[list[Adjudication], Field(max_length=MOST_ADJUDICATIONS)] = Field(default_factory=list)
    total: Annotated[list[Total], Field(max_length=MOST_ADJUDICATIONS)] = Field(default_factory=list)
