"""A practice and its policies. Every policy that rules.md names is a field here with its default; where Alma,
SimplePractice and Circle Medical disagree, the practice decides.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Final

from billing.ids import Key, practice_key, provider_key
from billing.money import Cents
from billing.row import Asleep

KEY_ID_CHARS = 12
"""Of a hash of 64: enough to tell a practice's keys apart."""


class AutopayDelay(StrEnum):
    """When an announced charge happens (AUTO-3)."""

    AFTER_NOTICE = "48h_after_notice"
    AFTER_INVOICE = "24h_after_invoice"
    OVERNIGHT = "overnight"


class OutsidePayments(StrEnum):
    """Whether staff may record money that did not come through us (INV-10)."""

    REFUSED = "refused"
    RECORDED = "recorded"


class AmountSource(StrEnum):
    """What an invoice for an insured session is made from: the payer's answer, or an estimate before it (INV-2)."""

    ADJUDICATED = "adjudicated"
    ESTIMATE = "estimate"


class Overpayment(StrEnum):
    """Where money goes that a later claim result shows to be too much: back to the card that paid, or to what is open
    (INV-3)."""

    REFUND = "refund"
    CREDIT = "credit"


class TilDisclosure(StrEnum):
    """Which Truth-in-Lending disclosure stands before a plan of more than four instalments; with none, there are no
    such plans (PLAN-10)."""

    STANDARD = "standard"
    OWN = "own"
    OFF = "off"


@dataclass(frozen=True)
class Policy:
    """What a practice may choose. Days are dates in its time zone, hours are elapsed, money is cents.

    `til_text`: the practice's own disclosure, where `til_disclosure` is `own`.
    """

    amount_source: AmountSource = AmountSource.ADJUDICATED
    overpayment: Overpayment = Overpayment.REFUND
    eap_programmes: tuple[str, ...] = ("Optum Live & Work Well", "Optum Emotional Wellbeing Solutions")
    autopay_delay: AutopayDelay = AutopayDelay.AFTER_NOTICE
    autopay_offered: bool = True
    minimum_notice_hours: int = 4
    retry_days: tuple[int, ...] = (1, 3, 7)
    fsa_autopay: bool = False
    default_cap: Cents = 500_00
    payment_window_days: int = 60
    reminder_days: tuple[int, ...] = (3, 7, 14, 30, 45, 55)
    accept_test_files: bool = False
    bill_reviewable: bool = False
    outside_payments: OutsidePayments = OutsidePayments.REFUSED
    card_required: bool = False
    plan_absorbs_new: bool = False
    til_disclosure: TilDisclosure = TilDisclosure.STANDARD
    til_text: str = ""


NOT_BUILT: Final = frozenset(
    {
        "plan_absorbs_new",
    }
)
"""Policies that nothing obeys yet: another value than the default is refused, so that no practice counts on it. Whoever
builds one takes its name out."""


@dataclass(frozen=True)
class Practice(Asleep):
    """The tenant: owns providers, policies and a Stripe account. `policy_version` counts what it chose since the
    defaults; `version` counts every change of this row."""

    TYPE: ClassVar[str] = "practice"

    practice: str
    version: int
    name: str
    time_zone: str
    phone: str
    email: str
    online_payments: bool = True
    policy: Policy = field(default_factory=Policy)
    policy_version: int = 1
    stripe_account: str = ""

    @property
    def key(self) -> Key:
        return practice_key(self.practice)


@dataclass(frozen=True)
class Provider(Asleep):
    """A clinician; told when autopay of a client ends or an invoice is past due."""

    TYPE: ClassVar[str] = "provider"

    practice: str
    provider: str
    version: int
    name: str
    email: str
    npi: str = ""
    tax_id: str = ""
    phone: str = ""

    @property
    def key(self) -> Key:
        return provider_key(self.practice, self.provider)


@dataclass(frozen=True)
class ApiKey(Asleep):
    """What is kept of an API key: the hash of its secret, whose it is, and what it may do."""

    TYPE: ClassVar[str] = "api_key"

    secret_hash: str
    practice: str
    scopes: tuple[str, ...]
    version: int = 1
    revoked: bool = False

    @property
    def key(self) -> Key:
        return Key(f"K#{self.secret_hash}#", "KEY#")

    @property
    def key_id(self) -> str:
        """What people call it: the beginning of its hash."""
        return self.secret_hash[:KEY_ID_CHARS]


@dataclass(frozen=True)
class IssuedKey(Asleep):
    """That a practice was given a key: what whoever looks after keys can list. The key itself is found by `ApiKey`."""

    TYPE: ClassVar[str] = "issued_key"

    practice: str
    secret_hash: str
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None = None
    version: int = 1

    @property
    def key(self) -> Key:
        return Key(practice_key(self.practice).pk, f"KEY#{self.secret_hash}#")

    @property
    def key_id(self) -> str:
        """What people call it: the beginning of its hash."""
        return self.secret_hash[:KEY_ID_CHARS]
