"""One claim of an 835 while its segments come in, and the claim result it becomes at its end.

Errors are collected, not raised: they belong to this claim, and the file goes on.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from hashlib import blake2b
from typing import Final

from billing.claim import Adjustment, ClaimResult, ClaimStatus, ServiceLine
from edges.formats.rejected import Rejected
from edges.formats.x12_values import (
    adjustment,
    cents,
    day,
    identifier_or_blank,
    is_identifier,
    procedure,
    units,
)

MAX_CLAIM_ID_CHARS: Final = 38
MAX_REFERENCE_CHARS: Final = 50
MAX_LINES: Final = 999
MAX_ADJUSTMENTS: Final = 99
MAX_CLAIM_SEGMENTS: Final = 10_000
MAX_ERRORS: Final = 20
NO_AMOUNT: Final = "not an amount in dollars and cents"

STATUSES: Final[dict[str, ClaimStatus]] = {
    "1": ClaimStatus.PROCESSED_PRIMARY,
    "2": ClaimStatus.PROCESSED_SECONDARY,
    "3": ClaimStatus.PROCESSED_TERTIARY,
    "4": ClaimStatus.DENIED,
    "19": ClaimStatus.PROCESSED_PRIMARY_FORWARDED,
    "20": ClaimStatus.PROCESSED_SECONDARY_FORWARDED,
    "21": ClaimStatus.PROCESSED_TERTIARY_FORWARDED,
    "22": ClaimStatus.REVERSAL,
    "23": ClaimStatus.NOT_OURS,
    "25": ClaimStatus.PREDETERMINATION,
}
LINE_DATES: Final = frozenset({"472", "150", "232"})
"""Service date, start of a service period, and the claim's own start where a payer repeats it on a line."""


@dataclass(slots=True)
class Context:
    """What a claim takes from the file and transaction around it."""

    payer_ids: tuple[str, ...]
    payer_name: str
    adjudicated_on: date | None
    currency: str
    component: str
    test: bool


class Ordinals:
    """How often a transaction had the same payer claim id, claim id and status before.

    A file of 50 MB may be one transaction of 110,000 claims, nearly all of them different: of each only eight bytes of
    a digest are kept. Two that met by chance (once in billions of such files) would be counted as equal, which names
    the later one otherwise and harms nothing.
    """

    __slots__ = ("_repeated", "_seen")

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._repeated: Counter[int] = Counter()

    def next(self, *names: str) -> int:
        """0 for the first of these names, then 1, and so on."""
        key = int.from_bytes(blake2b("\0".join(names).encode(), digest_size=8).digest(), "big")
        if key not in self._seen:
            self._seen.add(key)
            return 0
        self._repeated[key] += 1
        return self._repeated[key]


@dataclass(slots=True)
class OpenLine:
    """A service line being read: its SVC segment and what followed."""

    svc: list[str]
    adjustments: list[Adjustment] = field(default_factory=list)
    service_date: date | None = None
    line_ref: str = ""


@dataclass(slots=True)
class OpenClaim:
    """A claim being read: its CLP segment and what followed. `first_segment` is its place in the transaction."""

    clp: list[str]
    first_segment: int
    adjustments: list[Adjustment] = field(default_factory=list)
    lines: list[OpenLine] = field(default_factory=list)
    starts_on: date | None = None
    original: str = ""
    errors: list[str] = field(default_factory=list)

    def error(self, where: str, what: str) -> None:
        """Remember what makes this claim unreadable; more than some twenty would not help the sender."""
        if len(self.errors) < MAX_ERRORS:
            self.errors.append(f"{where}: {what}")

    def add_line(self, svc: list[str]) -> None:
        """SVC: what follows belongs to this line."""
        if len(self.lines) >= MAX_LINES:
            self.error("SVC", f"more than {MAX_LINES} service lines")
            return
        self.lines.append(OpenLine(svc))

    def add_adjustments(self, cas: list[str]) -> None:
        """CAS: a group, then up to six of reason, amount, quantity; of the line, or of the claim before its lines."""
        adjustments = self.lines[-1].adjustments if self.lines else self.adjustments
        group, count = at(cas, 1).strip(), len(cas)
        for index in range(2, count, 3):
            code, amount_text = cas[index].strip(), at(cas, index + 1)
            if not code and not amount_text:
                continue
            found = adjustment(group, code, amount_text)
            if found is None or len(adjustments) >= MAX_ADJUSTMENTS:
                self.error(f"{self._place()}CAS", "not an adjustment, or too many of them")
            else:
                adjustments.append(found)

    def add_date(self, dtm: list[str]) -> None:
        """DTM: the service date of the line, or the first day of the claim's statement."""
        qualifier = at(dtm, 1)
        if self.lines:
            line = self.lines[-1]
            if qualifier in LINE_DATES and (line.service_date is None or qualifier == "472"):
                line.service_date = day(at(dtm, 2))
        elif qualifier == "232":
            self.starts_on = day(at(dtm, 2))

    def add_reference(self, ref: list[str]) -> None:
        """REF: the reference we gave the line (6R), the payer's id of the claim this one replaces (F8)."""
        qualifier = at(ref, 1)
        if qualifier == "6R" and self.lines:
            self.lines[-1].line_ref = identifier_or_blank(at(ref, 2), MAX_REFERENCE_CHARS)
        elif qualifier == "F8" and not self.lines:
            self.original = identifier_or_blank(at(ref, 2), MAX_REFERENCE_CHARS)

    def rejected(self) -> Rejected:
        """This claim as one that could not be read."""
        claim_id = identifier_or_blank(at(self.clp, 1), MAX_CLAIM_ID_CHARS)
        return Rejected(claim_id, identifier_or_blank(at(self.clp, 7), MAX_REFERENCE_CHARS), tuple(self.errors))

    def close(self, context: Context, ordinals: Ordinals) -> ClaimResult | Rejected:
        """The claim result."""
        clp = self.clp
        claim_id, payer_claim_id, raw_status = clp[1].strip() if len(clp) > 1 else "", at(clp, 7).strip(), at(clp, 2)
        status = STATUSES.get(raw_status.strip(), ClaimStatus.UNKNOWN)
        if not is_identifier(claim_id, MAX_CLAIM_ID_CHARS):
            self.error("CLP01", f"missing, or not 1 to {MAX_CLAIM_ID_CHARS} printable characters")
        if payer_claim_id and not is_identifier(payer_claim_id, MAX_REFERENCE_CHARS):
            self.error("CLP07", f"not up to {MAX_REFERENCE_CHARS} printable characters")
        charged, paid = self._amount(clp, 3, "CLP"), self._amount(clp, 4, "CLP")
        stated = cents(at(clp, 5))
        # Where an amount stands in place of the status all after it has moved; that claim is held for its status.
        if stated is None and status is not ClaimStatus.UNKNOWN:
            self.error("CLP05", NO_AMOUNT)
        lines = tuple(self._line(number, line, context.component) for number, line in enumerate(self.lines, start=1))
        if self.errors:
            return self.rejected()
        return ClaimResult(
            claim_id=claim_id,
            payer_claim_id=payer_claim_id,
            payer_ids=context.payer_ids,
            payer_name=context.payer_name,
            status=status,
            raw_status=identifier_or_blank(raw_status, MAX_REFERENCE_CHARS),
            adjudicated_on=context.adjudicated_on,
            currency=context.currency,
            charged=charged,
            paid=paid,
            stated_responsibility=stated,
            adjustments=tuple(self.adjustments),
            lines=lines,
            original_payer_claim_id=self.original,
            test=context.test,
            ordinal=ordinals.next(payer_claim_id, claim_id, status.value),
        )

    def _line(self, number: int, line: OpenLine, component: str) -> ServiceLine:
        place = f"line {number} SVC"
        found = procedure(at(line.svc, 1), component)
        if found is None:
            self.error(f"{place}01", "not a procedure of printable characters")
        code, modifiers = found or ("", ())
        return ServiceLine(
            procedure=code,
            modifiers=modifiers,
            service_date=line.service_date or self.starts_on,
            units=units(at(line.svc, 5)),
            charged=self._amount(line.svc, 2, place),
            paid=self._amount(line.svc, 3, place),
            adjustments=tuple(line.adjustments),
            line_ref=line.line_ref,
        )

    def _amount(self, elements: list[str], index: int, place: str) -> int:
        amount = cents(elements[index]) if index < len(elements) else None
        if amount is None:
            self.error(f"{place}{index:02d}", NO_AMOUNT)
            return 0
        return amount

    def _place(self) -> str:
        return f"line {len(self.lines)} " if self.lines else ""


def at(elements: list[str], index: int) -> str:
    """An element, or "" when the segment ends before it: trailing empty elements are not sent."""
    return elements[index] if index < len(elements) else ""
