"""The latest eligibility check of a client, and what a session is expected to cost them by it (INV-2)."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar, Final

from billing.ids import Key, client_pk
from billing.money import Cents
from billing.row import Asleep

WHOLE_BP: Final = 10_000
"""All of an amount, in basis points."""


@dataclass(frozen=True)
class Eligibility(Asleep):
    """What a payer said of a client's cover. `copay`: cents per session, 0 where the plan has none · `coinsurance_bp`:
    the client's share after the deductible, in basis points (2000 is a fifth) · `deductible_remaining`,
    `out_of_pocket_remaining`: cents the client still has to bear this year; None where the payer did not say.

    It stands beside the contact, not in the books: it is about the person, and goes with them.
    """

    TYPE: ClassVar[str] = "eligibility"

    practice: str
    client: str
    version: int
    payer_id: str
    checked_at: datetime
    copay: Cents
    coinsurance_bp: int
    deductible_remaining: Cents
    out_of_pocket_remaining: Cents | None = None

    @property
    def key(self) -> Key:
        return eligibility_key(self.practice, self.client)


def eligibility_key(practice: str, client: str) -> Key:
    return Key(client_pk(practice, client), "ELIGIBILITY#")


@dataclass(frozen=True)
class Estimate:
    """What a client will probably owe for `rate` cents of service, and of what it is made. `capped`: their yearly limit
    made it less."""

    rate: Cents
    copay: Cents
    deductible: Cents
    coinsurance: Cents
    capped: bool

    @property
    def amount(self) -> Cents:
        """Never above the rate."""
        return self.copay + self.deductible + self.coinsurance


def estimate(check: Eligibility, rate: Cents) -> Estimate:
    """The copay if there is one, else what is left of the deductible (at most the rate) and the coinsurance of the
    rest, rounded half up to the cent; never above the rate, nor above what the client still has to bear this year
    (INV-2).
    """
    if check.copay:
        wanted = Estimate(rate, min(check.copay, rate), 0, 0, capped=False)
    else:
        deductible = min(check.deductible_remaining, rate)
        wanted = Estimate(rate, 0, deductible, share(rate - deductible, check.coinsurance_bp), capped=False)
    most = check.out_of_pocket_remaining
    if most is None or wanted.amount <= most:
        return wanted
    copay, deductible = min(wanted.copay, most), min(wanted.deductible, most)
    return Estimate(rate, copay, deductible, most - copay - deductible, capped=True)


def share(amount: Cents, basis_points: int) -> Cents:
    """That many basis points of an amount, rounded half up to the cent."""
    return (2 * amount * basis_points + WHOLE_BP) // (2 * WHOLE_BP)


def after(check: Eligibility, expected: Estimate) -> Eligibility:
    """The check as it stands once that estimate is borne: what the next session of the same claim is estimated from."""
    left = check.out_of_pocket_remaining
    return replace(
        check,
        deductible_remaining=check.deductible_remaining - expected.deductible,
        out_of_pocket_remaining=None if left is None else left - expected.amount,
    )
