"""Where each dollar of a bill went, as parts a client can see: the picture, the table beneath it and the mail's totals
are all made of these, so none of them can say something else than another (INV-6).

`billing/explain.py` sorts adjustments into the columns of the API; here the two columns of the insurers are told apart
by what they mean to a client. What another insurance settled is no discount of this one, and what a payer may not pass
on is no discount that anybody agreed to.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from billing.carc import OTHER_INSURANCE, is_discount
from billing.claim import Group
from billing.explain import OURS, Bucket, ExplainedLine, Reason
from billing.money import Cents, dollars


class Share(StrEnum):
    """Whose a part of the full price is."""

    OFF = "off"
    OTHER = "other"
    PLAN = "plan"
    YOU = "you"


class Kind(StrEnum):
    """What a part of the full price is, in the order in which a person reads it."""

    DISCOUNT = "discount"
    NOT_YOURS = "not_yours"
    OTHER_INSURANCE = "other_insurance"
    FIXED = "fixed"
    PLAN_PAID = "plan_paid"
    ABOVE_PRICE = "above_price"
    EXPECTED = "expected"
    DEDUCTIBLE = "deductible"
    COINSURANCE = "coinsurance"
    COPAY = "copay"
    NOT_COVERED = "not_covered"
    OWN = "own"


LABELS: Final[dict[Kind, str]] = {
    Kind.DISCOUNT: "Your plan's discount",
    Kind.NOT_YOURS: "Taken off, not yours to pay",
    Kind.OTHER_INSURANCE: "Settled by your other insurance",
    Kind.FIXED: "Covered by your plan's fixed payment",
    Kind.PLAN_PAID: "Your plan paid",
    Kind.ABOVE_PRICE: "Paid above the full price",
    Kind.DEDUCTIBLE: "Deductible",
    Kind.COINSURANCE: "Coinsurance",
    Kind.COPAY: "Copay",
    Kind.NOT_COVERED: "Not covered",
    Kind.EXPECTED: "Expected from your plan",
    Kind.OWN: "Yours to pay",
}
YOUR_PART: Final = "Your part"
TURNED: Final[dict[Kind, str]] = {
    Kind.DISCOUNT: "Added back by your plan",
    Kind.NOT_YOURS: "Added back by your plan",
    Kind.OTHER_INSURANCE: "Taken back by your other insurance",
    Kind.FIXED: "Added back by your plan",
    Kind.PLAN_PAID: "Your plan took back",
    Kind.DEDUCTIBLE: "Deductible, taken back",
    Kind.COINSURANCE: "Coinsurance, taken back",
    Kind.COPAY: "Copay, taken back",
    Kind.NOT_COVERED: "Not covered, taken back",
    Kind.OWN: "Taken off",
}
"""What a part is called whose amount is below zero, where that is not what it always is."""

SHARES: Final[dict[Kind, Share]] = {
    Kind.DISCOUNT: Share.OFF,
    Kind.NOT_YOURS: Share.OFF,
    Kind.OTHER_INSURANCE: Share.OTHER,
    Kind.FIXED: Share.PLAN,
    Kind.PLAN_PAID: Share.PLAN,
    Kind.ABOVE_PRICE: Share.PLAN,
    Kind.DEDUCTIBLE: Share.YOU,
    Kind.COINSURANCE: Share.YOU,
    Kind.COPAY: Share.YOU,
    Kind.NOT_COVERED: Share.YOU,
    Kind.EXPECTED: Share.PLAN,
    Kind.OWN: Share.YOU,
}
CAPITATED: Final = "24"
"""The plan pays a fixed amount for its members, so each of their claims is paid with nothing."""
PAID_ABOVE_CHARGE: Final = "94"
"""Balances a payment above the charge; its amount is negative (X12 RFI 626)."""
COLUMNS: Final[dict[Bucket, Kind]] = {
    Bucket.PLAN_DISCOUNT: Kind.DISCOUNT,
    Bucket.INSURANCE_PAID: Kind.PLAN_PAID,
    Bucket.DEDUCTIBLE: Kind.DEDUCTIBLE,
    Bucket.COINSURANCE: Kind.COINSURANCE,
    Bucket.COPAY: Kind.COPAY,
    Bucket.NOT_COVERED: Kind.NOT_COVERED,
}
"""What a column holds where no reason says it more exactly."""
OUR_COLUMNS: Final[dict[Bucket, Kind]] = {Bucket.INSURANCE_PAID: Kind.EXPECTED, Bucket.NOT_COVERED: Kind.OWN}
"""What it holds where the word is ours: nobody has decided yet, or nobody was asked."""


@dataclass(frozen=True)
class Part:
    """One part of the full price. `amount` in cents: the parts sum to the full price, so what is not the client's is
    positive too; below zero only where somebody added or took back. `sentences`: why, each once."""

    kind: Kind
    label: str
    amount: Cents
    sentences: tuple[str, ...] = ()

    @property
    def share(self) -> Share:
        return SHARES[self.kind]

    @property
    def yours(self) -> bool:
        return self.share is Share.YOU

    @property
    def shown(self) -> Cents:
        """As a table that begins with the full price and ends with what is left writes it."""
        return self.amount if self.yours else -self.amount


@dataclass(frozen=True)
class Difference:
    """Why a bill asks for `amount` cents more (or less) than its services leave to the client."""

    amount: Cents
    sentence: str

    @property
    def label(self) -> str:
        return "Added to this bill" if self.amount > 0 else "Taken off this bill"


@dataclass(frozen=True)
class WhereItWent:
    """The full price, its parts without those of zero, and what of it is the client's; in cents. `differences`: what
    the bill asks for beside that, as where another bill asks for a part of it."""

    billed: Cents
    parts: tuple[Part, ...]
    yours: Cents
    differences: tuple[Difference, ...] = ()

    @property
    def you_owe(self) -> Cents:
        """What the bill asks for."""
        return self.yours + sum(one.amount for one in self.differences)

    @property
    def somebody_else_had_a_part(self) -> bool:
        """Whether there is anything to show: a bill that no insurer had a part in is its own explanation."""
        return any(not part.yours for part in self.parts)

    @property
    def title(self) -> str:
        """What the picture and its table are called; of an estimate nobody has decided yet."""
        expected = any(part.kind is Kind.EXPECTED for part in self.parts)
        return f"Where the {dollars(self.billed)} {'will probably go' if expected else 'went'}"

    @property
    def in_totals(self) -> "WhereItWent":
        """The same without its reasons, the client's part as one: all that a mail may say of it (LAW-1)."""
        others = tuple(Part(part.kind, part.label, part.amount) for part in self.parts if not part.yours)
        yours = (Part(Kind.OWN, YOUR_PART, self.yours),) if self.yours else ()
        return WhereItWent(self.billed, others + yours, self.yours)

    @property
    def slices(self) -> tuple[Part, ...]:
        """The parts side by side as the picture shows them, none below zero and together the full price; () where that
        cannot be. Who added something back shows what remains of their share."""
        slices = tuple(_without_negatives(self.parts))
        is_a_whole = self.billed > 0 and sum(part.amount for part in slices) == self.billed
        return slices if is_a_whole and all(part.amount > 0 for part in slices) else ()


def where_it_went(lines: Sequence[ExplainedLine]) -> WhereItWent:
    """The parts of one service, or of several together. They sum to what was billed wherever the lines do."""
    services = services_of(lines)
    amounts: dict[Kind, Cents] = dict.fromkeys(Kind, 0)
    sentences: dict[Kind, dict[str, None]] = {kind: {} for kind in Kind}
    for line in services:
        for kind, amount, sentence in _parts_of(line):
            amounts[kind] += amount
            if sentence:
                sentences[kind][sentence] = None
    parts = (Part(kind, _label(kind, amount), amount, tuple(sentences[kind])) for kind, amount in amounts.items())
    return WhereItWent(
        billed=sum(line.billed for line in services),
        parts=tuple(part for part in parts if part.amount),
        yours=sum(line.you_owe for line in services),
        differences=tuple(Difference(line.you_owe, line.reasons[0].sentence) for line in lines if _is_difference(line)),
    )


def services_of(lines: Iterable[ExplainedLine]) -> tuple[ExplainedLine, ...]:
    """The lines that are about a service."""
    return tuple(line for line in lines if not _is_difference(line))


def _is_difference(line: ExplainedLine) -> bool:
    """A line of ours, which no payer gave a reason for: what makes the others ask for exactly the bill's amount."""
    return [(reason.group, reason.code) for reason in line.reasons] == [(Group.PR, "")]


def _parts_of(line: ExplainedLine) -> Iterator[tuple[Kind, Cents, str]]:
    """Each reason's part, then what its column holds beyond the reasons: what the plan paid has none."""
    rest = {
        Bucket.PLAN_DISCOUNT: line.plan_discount,
        Bucket.INSURANCE_PAID: line.insurance_paid,
        Bucket.DEDUCTIBLE: line.deductible,
        Bucket.COINSURANCE: line.coinsurance,
        Bucket.COPAY: line.copay,
        Bucket.NOT_COVERED: line.not_covered,
    }
    for reason in line.reasons:
        bucket = Bucket(reason.bucket)
        rest[bucket] -= reason.amount
        yield _kind(reason, bucket), reason.amount, reason.sentence
    for bucket, amount in rest.items():
        yield COLUMNS[bucket], amount, ""


def _kind(reason: Reason, bucket: Bucket) -> Kind:
    if reason.group == OURS:
        return OUR_COLUMNS.get(bucket, COLUMNS[bucket])
    if reason.group == Group.PR:
        return COLUMNS[bucket]
    if reason.code == OTHER_INSURANCE:
        return Kind.OTHER_INSURANCE
    if reason.code == PAID_ABOVE_CHARGE and reason.amount < 0:
        return Kind.ABOVE_PRICE
    if reason.group == Group.CO and reason.code == CAPITATED:
        return Kind.FIXED
    return Kind.DISCOUNT if is_discount(reason.group, reason.code) else Kind.NOT_YOURS


def _label(kind: Kind, amount: Cents) -> str:
    return TURNED.get(kind, LABELS[kind]) if amount < 0 else LABELS[kind]


def _without_negatives(parts: Iterable[Part]) -> Iterator[Part]:
    """The parts, but one slice for a share of which a part is below zero: its largest part with what remains."""
    for share in Share:
        own = [part for part in parts if part.share is share]
        if all(part.amount > 0 for part in own):
            yield from own
            continue
        remains = sum(part.amount for part in own)
        largest = max(own, key=lambda part: part.amount)
        if remains:
            yield Part(largest.kind, largest.label, remains)
