"""A payment plan: a balance taken in 2, 4 or 6 weekly instalments (PLAN-1 to PLAN-7).

In one commit the outstanding invoices are moved to the plan and the plan exists; each week an instalment is issued as
an invoice of its own and charged within 24 hours.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from billing.facts import WakeKind
from billing.ids import Key, account_pk, segment
from billing.invoice import due_text
from billing.money import Cents, apply_oldest_first, split_evenly
from billing.payment import Part
from billing.period import morning

WEEKS_OFFERED = (2, 4, 6)
START_WITHIN_DAYS = 14
CHARGE_AFTER_ISSUE = timedelta(hours=12)
"""An instalment is charged this long after it is issued: within the 24 h of PLAN-5, and time to read the reminder."""
BROKEN_AFTER_FAILED = 2
"""Two instalments whose retries all failed end the plan (PLAN-7)."""


class PlanStatus(StrEnum):
    ACTIVE = "active"
    COMPLETED = "completed"
    BROKEN = "broken"
    ENDED = "ended"


class InstalmentStatus(StrEnum):
    PLANNED = "planned"
    SCHEDULED = "scheduled"
    PAID = "paid"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Instalment:
    """One weekly part, in cents. `invoice_id` is "" until it is issued."""

    amount: Cents
    issue_on: date
    status: InstalmentStatus = InstalmentStatus.PLANNED
    invoice_id: str = ""


@dataclass(frozen=True)
class Plan:
    """`covers`: what each invoice brought into the plan; payments are applied to it oldest first, which is what
    receipts itemise. `next_issue_at`: when the next instalment is due to be issued."""

    TYPE: ClassVar[str] = "plan"

    practice: str
    client: str
    plan_id: str
    version: int
    weeks: int
    created_at: datetime
    covers: tuple[Part, ...]
    instalments: tuple[Instalment, ...]
    status: PlanStatus = PlanStatus.ACTIVE
    notice_at: datetime | None = None
    next_issue_at: datetime | None = None
    agreed_by: str = ""
    agreed_how: str = ""
    agreed_at: datetime | None = None

    @property
    def key(self) -> Key:
        return Key(account_pk(self.practice, self.client), f"PLAN#{segment(self.plan_id)}#")

    @property
    def due(self) -> str | None:
        if self.status is not PlanStatus.ACTIVE or self.next_issue_at is None:
            return None
        return due_text(self.next_issue_at, WakeKind.INSTALMENT)

    @property
    def total(self) -> Cents:
        return sum(i.amount for i in self.instalments)

    @property
    def not_yet_issued(self) -> Cents:
        """What is still to be issued; part of the balance."""
        if self.status is not PlanStatus.ACTIVE:
            return 0
        return sum(i.amount for i in self.instalments if i.status is InstalmentStatus.PLANNED)


def schedule(total: Cents, weeks: int, start_on: date) -> tuple[Instalment, ...]:
    """Weekly parts that sum to `total`, the first on `start_on` (PLAN-4)."""
    return tuple(
        Instalment(amount, start_on + timedelta(weeks=week)) for week, amount in enumerate(split_evenly(total, weeks))
    )


def paid_off(plan: Plan, paid_before: Cents, amount: Cents) -> tuple[Part, ...]:
    """What `amount` cents of instalment payments pay off of the plan's invoices, the oldest first, when `paid_before`
    were paid on it before: what a receipt itemises (PAY-11)."""
    applied, _ = apply_oldest_first(paid_before, (part.amount for part in plan.covers))
    left = tuple(part.amount - done for part, done in zip(plan.covers, applied, strict=True))
    now, _ = apply_oldest_first(amount, left)
    return tuple(Part(part.invoice_id, share) for part, share in zip(plan.covers, now, strict=True) if share)


def issue_instant(on: date, time_zone: str, now: datetime) -> datetime:
    """09:00 in the practice's zone on that day; at once where that has passed already today."""
    return max(morning(on, time_zone), now)
