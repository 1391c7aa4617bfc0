"""What an insurer decided about one claim, in one shape for every format it may arrive in.

An 835 file, a FHIR document and our own JSON all become a `ClaimResult`; from here on nothing in Kindbill knows which
it was. Amounts are integer cents, signed as the payer sent them (a reversal is negative). No patient data is kept: a
claim result is found again through the claim id that was submitted.

Two identities matter. `digest` is what was decided, whatever file or control number carried it: the same decision sent
twice is the same digest. `result_key` adds who decided and about what, and is what "seen before" means.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cached_property


class Group(StrEnum):
    """Who bears an adjustment: contractual, patient responsibility, payer initiated, other. Only PR is ever billed."""

    CO = "CO"
    PR = "PR"
    PI = "PI"
    OA = "OA"


class ClaimStatus(StrEnum):
    """CLP02 by name. It says that a payer *processed* the claim, not that it paid: the adjustments tell about money."""

    PROCESSED_PRIMARY = "processed_primary"
    PROCESSED_SECONDARY = "processed_secondary"
    PROCESSED_TERTIARY = "processed_tertiary"
    PROCESSED_PRIMARY_FORWARDED = "processed_primary_forwarded"
    PROCESSED_SECONDARY_FORWARDED = "processed_secondary_forwarded"
    PROCESSED_TERTIARY_FORWARDED = "processed_tertiary_forwarded"
    DENIED = "denied"
    REVERSAL = "reversal"
    PREDETERMINATION = "predetermination"
    NOT_OURS = "not_ours"
    UNKNOWN = "unknown"


FORWARDED = frozenset(
    {
        ClaimStatus.PROCESSED_PRIMARY_FORWARDED,
        ClaimStatus.PROCESSED_SECONDARY_FORWARDED,
        ClaimStatus.PROCESSED_TERTIARY_FORWARDED,
    }
)
"""The payer passed the claim on to the next one, whose answer is still to come (LAW-4)."""


@dataclass(frozen=True)
class Adjustment:
    """Why `amount` cents of a charge were not paid. `group` stays as received: an unknown one is held, not dropped."""

    group: str
    code: str
    amount: int


@dataclass(frozen=True)
class ServiceLine:
    """One service of a claim. `line_ref` is the reference we gave the line when we submitted it (REF*6R), or ""."""

    procedure: str
    modifiers: tuple[str, ...]
    service_date: date | None
    units: str
    charged: int
    paid: int
    adjustments: tuple[Adjustment, ...]
    line_ref: str


@dataclass(frozen=True)
class ClaimResult:
    """One adjudication of one claim.

    `payer_ids` holds every id the message gives for the payer, the most specific first. `stated_responsibility` is
    CLP05: None where the format has no such field. `ordinal` counts from 0 the results of one transaction that share
    payer, payer claim id, claim id and status: real files repeat all four for different decisions. `supersedes`: by
    itself, without a reversal, this decision stands in place of the live one whose payer claim id is
    `original_payer_claim_id` (FHIR says so in one document; an 835 reverses and decides anew).
    """

    claim_id: str
    payer_claim_id: str
    payer_ids: tuple[str, ...]
    payer_name: str
    status: ClaimStatus
    raw_status: str
    adjudicated_on: date | None
    currency: str
    charged: int
    paid: int
    stated_responsibility: int | None
    adjustments: tuple[Adjustment, ...]
    lines: tuple[ServiceLine, ...]
    original_payer_claim_id: str
    test: bool
    ordinal: int
    supersedes: bool = False

    @property
    def payer_id(self) -> str:
        """The id the payer is known by in this message, or ""."""
        return self.payer_ids[0] if self.payer_ids else ""

    @property
    def all_adjustments(self) -> tuple[Adjustment, ...]:
        """The claim's own adjustments, then those of its lines in order."""
        return self.adjustments + tuple(adjustment for line in self.lines for adjustment in line.adjustments)

    @property
    def patient_responsibility(self) -> int:
        """What the payer leaves to the patient, in cents: the PR adjustments of claim and lines only (LAW-3)."""
        return sum(adjustment.amount for adjustment in self.all_adjustments if adjustment.group == Group.PR)

    def balances(self) -> bool:
        """Whether every cent is accounted for: charge - adjustments = payment, of each line and of the whole claim."""
        accounted = self.paid
        for adjustment in self.adjustments:
            accounted += adjustment.amount
        for line in self.lines:
            adjusted = 0
            for adjustment in line.adjustments:
                adjusted += adjustment.amount
            if line.charged - adjusted != line.paid:
                return False
            accounted += adjusted
        return accounted == self.charged

    def digest(self) -> str:
        """SHA-256 (hex) of what was decided.

        Left out is what changes when the same decision travels again: control numbers, the date the file was made, the
        payer's spelling of its name, the place in the file. The order of lines and adjustments does not count.
        """
        content: dict[str, object] = {
            "status": self.status,
            "currency": self.currency,
            "charged": self.charged,
            "paid": self.paid,
            "stated_responsibility": self.stated_responsibility,
            "original_payer_claim_id": self.original_payer_claim_id,
            "adjustments": _in_order(self.adjustments),
            "lines": sorted(_line_content(line) for line in self.lines),
        }
        if self.supersedes:  # only then, so that results kept before this was known keep their names
            content["supersedes"] = True
        return hashlib.sha256(_canonical(content)).hexdigest()

    def result_key(self) -> str:
        """24 hex digits that name this decision: two results with one key are one result delivered twice."""
        return self._result_key

    @cached_property
    def _result_key(self) -> str:
        # Asked for by the reader, the row's key and each look at the claim: worked out once.
        return _short_id(*self._who_about_what(), self.digest())

    def same_claim_key(self) -> str:
        """`result_key` without the content: two different results with one such key contradict each other."""
        return _short_id(*self._who_about_what())

    def _who_about_what(self) -> tuple[str, ...]:
        # A rehearsal is not the decision: a test file must not make the real one look like a repetition.
        rehearsal = ("test",) if self.test else ()
        return (self.payer_id, self.payer_claim_id, self.claim_id, self.status, str(self.ordinal), *rehearsal)


@dataclass(frozen=True)
class SubmittedLine:
    """One service as it was sent to the payer; `charged` in cents."""

    procedure: str
    modifiers: tuple[str, ...]
    units: str
    service_date: date | None
    charged: int
    diagnoses: tuple[str, ...]
    session_id: str


@dataclass(frozen=True)
class SubmittedClaim:
    """A claim as it was sent to a payer: what a claim result is held against. `secondary_payer_id` and
    `tertiary_payer_id` may be ""; the third is there only where the second is."""

    claim_id: str
    client_id: str
    provider_id: str
    payer_id: str
    member_id: str
    charged: int
    service_date: date
    secondary_payer_id: str
    lines: tuple[SubmittedLine, ...]
    currency: str = "usd"
    tertiary_payer_id: str = ""

    @property
    def payers(self) -> tuple[str, ...]:
        """The chain of payers on file, in the order they are to answer (LAW-4)."""
        return tuple(filter(None, (self.payer_id, self.secondary_payer_id, self.tertiary_payer_id)))


def _in_order(adjustments: tuple[Adjustment, ...]) -> list[tuple[str, str, int]]:
    return sorted((adjustment.group, adjustment.code, adjustment.amount) for adjustment in adjustments)


def _line_content(line: ServiceLine) -> list[object]:
    """One line as plain values. Strings come first and are never None, so that lines can be sorted."""
    return [
        line.procedure,
        list(line.modifiers),
        line.service_date.isoformat() if line.service_date else "",
        line.units,
        line.line_ref,
        line.charged,
        line.paid,
        _in_order(line.adjustments),
    ]


def _canonical(content: object) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def _short_id(*parts: str) -> str:
    return hashlib.sha256(_canonical(parts)).hexdigest()[:24]
