"""The figures of a FHIR decision: what its words say about money, and which of them say nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from billing.claim import Adjustment, Group
from edges.formats.claim_json import FieldError, NotAClaimResult
from edges.inbound.fhir import Adjudication, Money, Total

GROUPS: Final = "/claim-adjustment-group-codes"
REASONS: Final = "/claim-adjustment-reason-codes"
ADJUDICATION: Final = ("hl7.org/CodeSystem/adjudication", "hl7.org/fhir/us/carin-bb/CodeSystem/C4BBAdjudication", "")
"""The code systems whose words are figures of money: HL7's own, CARIN's, and none at all, as HL7's examples have it."""
UNPROVEN: Final = "NONE"
"""The group of an amount that nobody says who bears: unknown to the gates, so the result is held."""
PATIENT: Final = (("deductible", "1"), ("coinsurance", "2"), ("copay", "3"))
_LARGEST: Final = Decimal(10**10)
_CENT: Final = Decimal("0.01")


@dataclass(frozen=True)
class Figures:
    """The figures of a line or of the whole claim, in cents, by HL7's and CARIN's words; `reasons` are adjustments that
    name group and code. A word that is said twice with different amounts says nothing: it is in `ambiguous`."""

    amounts: dict[str, int]
    reasons: tuple[Adjustment, ...]
    ambiguous: frozenset[str]
    currencies: frozenset[str]

    @classmethod
    def of(cls, given: Sequence[Adjudication | Total], where: str) -> "Figures":
        amounts: dict[str, int] = {}
        reasons: list[Adjustment] = []
        ambiguous: set[str] = set()
        currencies: set[str] = set()
        for one in given:
            if one.amount is None or one.amount.value is None:
                continue
            amount = _cents(one.amount, where)
            currencies.add(one.amount.currency.lower())
            if isinstance(one, Adjudication) and "adjustmentreason" in one.category.codes():
                reasons += _adjustments(one, amount)
                continue
            for word in set(one.category.codes(*ADJUDICATION)):
                if amounts.setdefault(word, amount) != amount:
                    ambiguous.add(word)
        return cls(amounts, tuple(reasons), frozenset(ambiguous), frozenset(currencies))

    def cents(self, word: str) -> int | None:
        """The figure of that word, None where it is not said, or said twice differently."""
        return None if word in self.ambiguous else self.amounts.get(word)

    @property
    def paid(self) -> int | None:
        """What the payer pays of it to the provider: all of the benefit that the patient did not get."""
        benefit = self.cents("benefit")
        return self.cents("paidtoprovider") if benefit is None else benefit - self.to_patient

    @property
    def to_patient(self) -> int:
        """What the payer paid to the patient, who passes it on."""
        return self.cents("paidtopatient") or 0

    @property
    def is_complete(self) -> bool:
        """It says by itself what was charged and what was paid."""
        return self.cents("submitted") is not None and self.paid is not None

    def adjustments(self, liability: int | None) -> tuple[Adjustment, ...]:
        """Why charge and payment differ, as far as the figures say. `liability`: the member's share, where stated."""
        prior = self._named(Group.OA, "23", "priorpayerpaid")
        if self.reasons:
            return self.reasons if any(one.group == Group.OA for one in self.reasons) else self.reasons + prior
        shares = tuple(a for word, code in PATIENT for a in self._named(Group.PR, code, word))
        share = sum(one.amount for one in shares)
        passed_on = self._named(Group.PR, "100", "paidtopatient")
        uncovered = self.cents("noncovered") or 0
        rest = prior + self._uncovered(uncovered, share, liability)
        return self._discount(share, uncovered, sum(one.amount for one in prior)) + shares + passed_on + rest

    def _named(self, group: Group, code: str, word: str) -> tuple[Adjustment, ...]:
        amount = self.cents(word)
        return (Adjustment(group, code, amount),) if amount else ()

    @staticmethod
    def _uncovered(uncovered: int, share: int, liability: int | None) -> tuple[Adjustment, ...]:
        """Who bears what is not covered: the member where their stated share counts it in, nobody where it does not."""
        if not uncovered:
            return ()
        group: str = UNPROVEN
        if liability is not None and liability == share + uncovered:
            group = Group.PR
        elif liability is not None and liability == share:
            group = Group.CO
        return (Adjustment(group, "96", uncovered),)

    def _discount(self, share: int, uncovered: int, prior: int) -> tuple[Adjustment, ...]:
        """The plan's discount: what the allowed amount leaves of the charge. Some payers count what is not covered into
        that, some do not; the one that reconciles is meant, and where none does the result is held."""
        charged, allowed, paid = self.cents("submitted"), self.cents("eligible"), self.paid
        if charged is None or allowed is None:
            return self._named(Group.CO, "45", "discount")
        discount = charged - allowed
        if uncovered and paid is not None and allowed - share - prior == paid + self.to_patient:
            discount -= uncovered
        return (Adjustment(Group.CO, "45", discount),) if discount else ()


def contradicted_by(figures: Figures, adjustments: Sequence[Adjustment]) -> int:
    """By how many cents a word about the patient's share is another amount than `adjustments`, read of the same
    services, have for it; 0 where none is."""
    for word, code in PATIENT:
        said = figures.cents(word)
        read = sum(one.amount for one in adjustments if (one.group, one.code) == (Group.PR, code))
        if said is not None and said != read:
            return said - read
    return 0


def _adjustments(one: Adjudication, amount: int) -> Iterator[Adjustment]:
    """An adjustment that names its X12 group and reason. Without a group nobody knows who bears it."""
    groups, reasons = one.reason.codes(GROUPS), one.reason.codes(REASONS)
    if amount:
        yield Adjustment(
            groups[0][:5] if groups and groups[0].isalnum() else UNPROVEN,
            reasons[0][:5] if reasons and reasons[0].isalnum() else UNPROVEN,
            amount,
        )


def _cents(money: Money, where: str) -> int:
    """Whole cents, exactly. Raises NotAClaimResult for what is finer, or out of all proportion."""
    value = money.value
    assert value is not None, "asked for only where it is there"
    if not -_LARGEST < value < _LARGEST:
        raise NotAClaimResult([FieldError(loc=where, msg="has an amount that cannot be one")])
    exact = Decimal(value).quantize(_CENT)
    if exact != value:  # compared exactly, however many digits there are
        raise NotAClaimResult([FieldError(loc=where, msg="has an amount finer than a cent")])
    return int(exact.scaleb(2))
