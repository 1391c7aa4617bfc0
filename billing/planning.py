"""Making a payment plan and issuing its instalments (PLAN-1 to PLAN-6): from one read of the account to one commit.

Open payment attempts are closed before (by the flow); what this module sees is what nobody else is collecting.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from billing.account import Books
from billing.autopay import minimum_notice
from billing.disclosure import MOST_UNDISCLOSED, Disclosure, DisclosureText, text_in_force
from billing.draft import Draft
from billing.dunning import next_reminder, past_due_from
from billing.facts import FactKind
from billing.ids import invoice_id, plan_id
from billing.invoice import Invoice, Source
from billing.ledger import receivable_moved
from billing.money import STRIPE_MINIMUM
from billing.payment import Part
from billing.period import local_date, morning, whole_minute
from billing.plan import (
    CHARGE_AFTER_ISSUE,
    START_WITHIN_DAYS,
    WEEKS_OFFERED,
    InstalmentStatus,
    Plan,
    PlanStatus,
    issue_instant,
    schedule,
)
from billing.plan_progress import moved_away
from billing.policy import Practice
from billing.ports import Refused, Write

MOST_INVOICES = 40
"""A plan takes at most the 40 oldest invoices: what fits one commit (design: The commit)."""


PAYMENT_IN_PROGRESS = "payment_in_progress"
"""The refusal that may pass by itself."""


@dataclass(frozen=True)
class Agreement:
    """How the client agreed to the schedule, and accepted the disclosure where there is one, as the caller tells it.
    `disclosure`: the id of the text they saw, "" for the one in force."""

    at: datetime | None = None
    how: str = ""
    by: str = ""
    disclosure: str = ""


def outstanding(books: Books) -> tuple[Invoice, ...]:
    """What a plan would take: the oldest open invoices."""
    return tuple(i for i in books.invoices if i.open_amount)[:MOST_INVOICES]


def check_terms(weeks: int, start_on: date, practice: Practice, now: datetime) -> None:
    """Raise Refused (422) unless the plan is 2, 4 or 6 weeks and starts within 14 days (PLAN-1, PLAN-3)."""
    if weeks not in WEEKS_OFFERED:
        raise Refused("invalid", "weeks must be 2, 4 or 6", rule="PLAN-1", status=422)
    today = local_date(now, practice.time_zone)
    if not today <= start_on <= today + timedelta(days=START_WITHIN_DAYS):
        last = today + timedelta(days=START_WITHIN_DAYS)
        raise Refused("invalid", f"start_on must be from {today} to {last}", rule="PLAN-3", status=422)


def refuse_plan(books: Books, weeks: int) -> None:
    """Raise Refused with the first reason why this account can have no plan now (PLAN-2). A payment on its way comes
    last: it is the one reason that closing open attempts may remove."""

    def no(code: str, detail: str) -> Refused:
        return Refused(code, detail, rule="PLAN-2")

    account, taken = books.account, outstanding(books)
    if account.active_plan:
        raise no("active_plan", "A payment plan is active already: pay it off before making another.")
    if not taken:
        raise no("no_balance", "There is nothing open to split into a plan.")
    if not account.autopay or books.default_card is None:
        raise no("no_autopay", "A plan needs a card enrolled in autopay: ask the client to turn autopay on.")
    if any(i.in_review for i in taken):
        raise no("in_review", "An invoice is under review: decide the review first.")
    if any(i.disputed for i in books.invoices):
        raise no("disputed", "The client's bank is deciding about a payment: wait for its decision.")
    if min(i.amount for i in schedule(sum(i.open_amount for i in taken), weeks, date.min)) < STRIPE_MINIMUM:
        raise no("too_small", "An instalment would be under $0.50: choose fewer weeks.")
    if any(i.open_attempt for i in taken):
        raise no(PAYMENT_IN_PROGRESS, "A payment is on its way right now: try again in a few minutes.")


def disclosed_before(practice: Practice, weeks: int, agreement: Agreement) -> DisclosureText | None:
    """The disclosure that the client accepted before this plan; None where it needs none. Staff who ask for a plan say
    by that that its client agreed to it and to the text in force; `agreement` says when and how, where they know.

    Raises Refused where this practice offers no such plan, or the client was shown another text (PLAN-10).
    """

    def no(code: str, detail: str) -> Refused:
        return Refused(code, detail, rule="PLAN-10")

    if weeks <= MOST_UNDISCLOSED:
        return None
    text = text_in_force(practice.policy)
    if text is None:
        raise no("six_weeks_not_offered", "This practice has no disclosure for plans of six weeks: choose 2 or 4.")
    if agreement.disclosure not in ("", text.text_id):
        raise no("disclosure_changed", "The client saw another text than the one in force: show them that one.")
    return text


def make_plan(
    books: Books, practice: Practice, weeks: int, start_on: date, agreement: Agreement, now: datetime
) -> tuple[Plan, tuple[Write, ...]]:
    """The plan and the one commit that makes it: invoices moved, their charges and reminders gone, the plan there
    (PLAN-4). Raises Refused as `refuse_plan` and `disclosed_before`."""
    refuse_plan(books, weeks)
    disclosed = disclosed_before(practice, weeks, agreement)
    taken = outstanding(books)
    covers = tuple(Part(i.invoice_id, i.open_amount) for i in taken)
    account = books.account
    plan = Plan(
        practice=account.practice,
        client=account.client,
        plan_id=plan_id(account.practice, account.client, len(books.plans) + 1),
        version=1,
        weeks=weeks,
        created_at=now,
        covers=covers,
        instalments=schedule(sum(part.amount for part in covers), weeks, start_on),
        next_issue_at=whole_minute(issue_instant(start_on, practice.time_zone, now)),
        agreed_at=agreement.at,
        agreed_how=agreement.how,
        agreed_by=agreement.by,
    )
    draft = Draft(books, now, "staff", plan.plan_id)
    draft.insert(plan)
    for invoice in taken:
        draft.change(moved_away(invoice))
    draft.change(replace(account, active_plan=plan.plan_id))
    data: dict[str, str | int] = {"plan_id": plan.plan_id, "amount": plan.total, "weeks": weeks}
    if disclosed is not None:
        names = (account.practice, account.client, plan.plan_id, disclosed.text_id, disclosed.text)
        draft.insert(Disclosure(*names, agreement.at or now, agreement.how, agreement.by))
        data["disclosure"] = disclosed.text_id
    moved = receivable_moved(((part.invoice_id, part.amount) for part in covers), plan.plan_id)
    draft.fact(FactKind.PLAN_CREATED, plan, data, moved)
    return plan, draft.writes()


def issue_instalment(books: Books, plan: Plan, practice: Practice, now: datetime) -> tuple[Write, ...]:
    """Issue the next planned instalment as an invoice that is charged 12 h later (PLAN-5); () when none is due.

    Its notice is the schedule mailed at consent; a charge is never set before that notice is old enough (AUTO-3).
    Where autopay was turned off since, no charge is set and the client is reminded of it like of any invoice.
    """
    if plan.status is not PlanStatus.ACTIVE or plan.next_issue_at is None or plan.next_issue_at > now:
        return ()
    number = next(n for n, i in enumerate(plan.instalments) if i.status is InstalmentStatus.PLANNED)
    instalment = plan.instalments[number]
    earliest = (plan.notice_at or now) + minimum_notice(practice)
    charged = books.account.autopay and books.default_card is not None
    invoice = Invoice(
        practice=plan.practice,
        client=plan.client,
        invoice_id=invoice_id(plan.practice, plan.client, Source.PLAN, plan.plan_id, number),
        version=1,
        source=Source.PLAN,
        source_id=plan.plan_id,
        ordinal=number,
        amount=instalment.amount,
        issued_at=now,
        service_date=instalment.issue_on,
        provider=books.account.provider,
        plan_id=plan.plan_id,
        charge_at=whole_minute(max(now + CHARGE_AFTER_ISSUE, earliest)) if charged else None,
        remind_at=None if charged else next_reminder(now, practice, now),
        past_due_at=past_due_from(now, practice),
    )
    issued = tuple(
        replace(i, status=InstalmentStatus.SCHEDULED, invoice_id=invoice.invoice_id) if n == number else i
        for n, i in enumerate(plan.instalments)
    )
    upcoming = next((i for i in issued if i.status is InstalmentStatus.PLANNED), None)
    next_at = morning(upcoming.issue_on, practice.time_zone) if upcoming else None
    draft = Draft(books, now, "system", plan.plan_id)
    draft.insert(invoice)
    draft.change(replace(plan, instalments=issued, next_issue_at=next_at))
    draft.fact(
        FactKind.INSTALMENT_ISSUED,
        invoice,
        {"plan_id": plan.plan_id, "invoice_id": invoice.invoice_id, "amount": invoice.amount, "number": number + 1},
        receivable_moved([(plan.plan_id, invoice.amount)], invoice.invoice_id),
    )
    return draft.writes()
