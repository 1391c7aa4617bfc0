"""Mails that a client or a practice gets: which fact has which notice, and the letter that is written.

LAW-1: a letter names the practice, amounts and the card; never service, diagnosis or date of service. Details are
behind the link.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar

from billing.basis import Basis
from billing.ids import Key, facts_pk, segment
from billing.money import Cents
from billing.row import Asleep
from billing.where_it_went import WhereItWent


class NoticeKind(StrEnum):
    """Kinds of mail (contract.md `/_local/mail`)."""

    INVOICE = "invoice"
    CHARGE_NOTICE = "charge_notice"
    APPROVAL_REQUEST = "approval_request"
    RECEIPT = "receipt"
    CHARGE_FAILED = "charge_failed"
    REMINDER = "reminder"
    INSTALMENT = "instalment"
    PLAN_SCHEDULE = "plan_schedule"
    PLAN_BROKEN = "plan_broken"
    AUTOPAY_ON = "autopay_on"
    AUTOPAY_OFF = "autopay_off"
    NOTHING_OWED = "nothing_owed"
    NO_LONGER_OWED = "no_longer_owed"
    REVIEW_OPENED = "review_opened"
    REVIEW_UPHELD = "review_upheld"
    INVOICE_CHANGED = "invoice_changed"
    CREDIT_USED = "credit_used"
    PAY_LINK_LOCKED = "pay_link_locked"
    REFUND = "refund"
    REFUND_FAILED = "refund_failed"
    STAFF_ALERT = "staff_alert"


@dataclass(frozen=True)
class LetterItem:
    """A row of a letter's little table: what, when (if it matters), how much."""

    label: str
    amount: Cents
    on: datetime | None = None


@dataclass(frozen=True)
class Letter:
    """Everything a mail says, before it is written in words. Which fields a kind uses is in its template.

    `amount`: the figure the mail is about · `along`: of it, small amounts from before (INV-11) · `moment`: when money
    moves (or did) · `card`: "Visa ending 4242" ·
    `reason`, `what_to_do`: plain sentences · `retry_at`: next try of a failed charge · `cap`: limit per charge ·
    `consent_text`: the text agreed to · `announced`: a charge was announced that changes, or does not happen ·
    `recorded`, `received_on`: the practice took the money itself, that day · `left`: what of the paid bills is open ·
    `excess`: what was paid above them · `basis`: what a new bill rests on, `total`: what it asks for where `amount` is
    what is open of that, `went`: where its price went, in totals ·
    `before`, `after`: what a bill asked for and asks for now, `change`: why, in a sentence · `returned`, `returned_to`:
    of that, what goes back, and to which card · `credited`: what stays credit ·
    `disclosure`: accepted before a plan.
    """

    kind: NoticeKind
    practice: str
    client: str
    link_epoch: int
    to: str
    client_name: str
    practice_name: str
    practice_phone: str
    time_zone: str
    amount: Cents = 0
    along: Cents = 0
    card: str = ""
    moment: datetime | None = None
    retry_at: datetime | None = None
    items: tuple[LetterItem, ...] = ()
    reason: str = ""
    what_to_do: str = ""
    cap: Cents | None = None
    consent_text: str = ""
    autopay: bool = False
    starts_on: date | None = None
    announced: bool = False
    recorded: bool = False
    received_on: date | None = None
    left: Cents = 0
    excess: Cents = 0
    basis: Basis = Basis.DECIDED
    total: Cents = 0
    before: Cents = 0
    after: Cents = 0
    change: str = ""
    returned: Cents = 0
    returned_to: str = ""
    credited: Cents = 0
    went: WhereItWent | None = None
    disclosure: str = ""


@dataclass(frozen=True)
class Posting(Asleep):
    """A mail on its way: written before SES hears of it, so that a repeat is known and counted (`version`).

    `cause`: the row whose message made us send it, the last time · `at`: when that was. Whether it arrived at SES is
    the fact NoticeSent, whose item is this row's sk.
    """

    TYPE: ClassVar[str] = "posting"

    practice: str
    client: str
    notice_id: str
    version: int
    notice: NoticeKind
    at: datetime
    invoice_ids: tuple[str, ...] = ()
    cause: str = ""

    @property
    def key(self) -> Key:
        return Key(facts_pk(self.practice, self.client), f"NOTICE#{segment(self.notice_id)}#")
