"""Records as contract.md shows them: a client's account, a plan, the holds, and what a practice told us.

Each view takes what was read and returns plain JSON values; the shapes are those of `edges/answers.py`, which only the
type checker reads here.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from billing.account import Account, Books, Contact
from billing.claim_state import Submission
from billing.explain import Bucket, ExplainedLine, Reason
from billing.invoice import Invoice, Source, Status
from billing.invoice_lines import InvoiceLines
from billing.payment import Attempt, AttemptKind, AttemptState, Card
from billing.period import morning
from billing.plan import CHARGE_AFTER_ISSUE, InstalmentStatus, Plan, PlanStatus
from billing.policy import Practice, Provider
from billing.refund import Refund
from billing.small_amounts import tied_to
from edges.desk_views import reviews
from edges.instants import instant

if TYPE_CHECKING:
    from edges import answers


def client_account(books: Books, lines: Iterable[InvoiceLines], time_zone: str, *, can_book: bool) -> "answers.Account":
    """A client's account. `time_zone` is the practice's: instalments issue in the morning there."""
    explained = {one.invoice_id: one for one in lines}
    card = books.default_card
    return {
        "client_id": books.account.client,
        "balance": books.balance,
        "autopay": {
            "on": books.account.autopay,
            "card": _card(card) if card else None,
            "cap": books.account.cap,
        },
        "can_book": can_book,
        "invoices": [invoice(one, explained.get(one.invoice_id)) for one in books.invoices],
        "upcoming_charges": _upcoming_charges(books, time_zone),
        "plan": _shown_plan(books.plans),
        "payments": _payments(books),
        "credit": books.account.credit,
        "reviews": reviews(books),
    }


def plan(shown: Plan) -> "answers.Plan":
    """A payment plan with its instalments."""
    return {
        "plan_id": shown.plan_id,
        "weeks": shown.weeks,
        "status": shown.status,
        "instalments": [
            {
                "amount": part.amount,
                "issue_on": part.issue_on.isoformat(),
                "status": part.status,
                "invoice_id": part.invoice_id or None,
            }
            for part in shown.instalments
        ],
    }


def client(contact: Contact, account: Account) -> "answers.Client":
    """A client as the practice told us."""
    return {
        "client_id": contact.client,
        "name": contact.name,
        "email": contact.email,
        "phone": contact.phone,
        "state": contact.state,
        "provider_id": account.provider or None,
        "portal_eligible": contact.portal_eligible,
    }


def practice(row: Practice) -> "answers.Practice":
    """The practice itself."""
    return {
        "practice_id": row.practice,
        "name": row.name,
        "time_zone": row.time_zone,
        "phone": row.phone,
        "email": row.email,
        "online_payments": row.online_payments,
        "stripe_account": row.stripe_account or None,
    }


def provider(row: Provider) -> "answers.Provider":
    """A clinician."""
    return {
        "provider_id": row.provider,
        "name": row.name,
        "email": row.email,
        "npi": row.npi,
        "tax_id": row.tax_id,
        "phone": row.phone,
    }


def submission(row: Submission) -> "answers.SubmittedClaim":
    """A claim as it was sent to the payer."""
    claim = row.claim
    return {
        "claim_id": claim.claim_id,
        "client_id": claim.client_id,
        "provider_id": claim.provider_id,
        "payer_id": claim.payer_id,
        "member_id": claim.member_id or None,
        "charged": claim.charged,
        "service_date": claim.service_date.isoformat(),
        "secondary_payer_id": claim.secondary_payer_id or None,
        "tertiary_payer_id": claim.tertiary_payer_id or None,
        "lines": [
            {
                "procedure": line.procedure,
                "modifiers": list(line.modifiers),
                "units": line.units,
                "service_date": line.service_date.isoformat() if line.service_date else None,
                "charged": line.charged,
                "diagnoses": list(line.diagnoses),
                "session_id": line.session_id or None,
            }
            for line in claim.lines
        ],
        "submitted_at": instant(row.at),
    }


def invoice(one: Invoice, explained: InvoiceLines | None) -> "answers.Invoice":
    """A bill, with why it is what it is."""
    return {
        "invoice_id": one.invoice_id,
        "amount": one.amount + one.corrected,
        "open_amount": one.open_amount,
        "status": one.status,
        "issued_at": instant(one.issued_at),
        "lines": [_line(line) for line in explained.lines] if explained else [],
    }


def _line(line: ExplainedLine) -> "answers.Line":
    return {
        "procedure": line.procedure,
        "service_date": line.service_date.isoformat() if line.service_date else None,
        "billed": line.billed,
        "plan_discount": line.plan_discount,
        "insurance_paid": line.insurance_paid,
        "deductible": line.deductible,
        "coinsurance": line.coinsurance,
        "copay": line.copay,
        "not_covered": line.not_covered,
        "you_owe": line.you_owe,
        "reasons": [_reason(reason) for reason in line.reasons],
    }


def _reason(reason: Reason) -> "answers.Reason":
    return {
        "group": reason.group,
        "code": reason.code,
        "sentence": reason.sentence,
        "amount": reason.amount,
        "column": Bucket(reason.bucket),
    }


def _upcoming_charges(books: Books, time_zone: str) -> "list[answers.UpcomingCharge]":
    """Announced charges and instalments to come, the next first. Charges of one moment are one charge (AUTO-10)."""
    charges = [*_announced_charges(books), *_planned_charges(books.plans, time_zone)]
    return [charge for _, charge in sorted(charges, key=lambda pair: pair[0])]


def _announced_charges(books: Books) -> "Iterator[tuple[datetime, answers.UpcomingCharge]]":
    together: dict[tuple[datetime, bool], list[Invoice]] = {}
    for one in books.invoices:
        if one.charge_at is not None and one.status is Status.SCHEDULED:
            taken = together.setdefault((one.charge_at, one.source is Source.PLAN), [])
            taken += (one, *tied_to(books, one))
    for (at, of_a_plan), charged in together.items():
        yield (
            at,
            {
                "at": instant(at),
                "amount": sum(one.open_amount for one in charged),
                "invoice_ids": [one.invoice_id for one in charged],
                "reason": "plan_instalment" if of_a_plan else "autopay",
            },
        )


def _planned_charges(plans: Iterable[Plan], time_zone: str) -> "Iterator[tuple[datetime, answers.UpcomingCharge]]":
    for one in plans:
        if one.status is not PlanStatus.ACTIVE:
            continue
        planned = [part for part in one.instalments if part.status is InstalmentStatus.PLANNED]
        for place, part in enumerate(planned):
            issued = morning(part.issue_on, time_zone)
            if place == 0 and one.next_issue_at is not None:
                issued = one.next_issue_at  # a plan that starts today is issued at once, be it past nine
            at = issued + CHARGE_AFTER_ISSUE
            yield (
                at,
                {"at": instant(at), "amount": part.amount, "invoice_ids": [], "reason": "plan_instalment"},
            )


def _shown_plan(plans: Sequence[Plan]) -> "answers.Plan | None":
    """The active plan, else the latest, else None."""
    if not plans:
        return None
    return plan(max(plans, key=lambda one: (one.status is PlanStatus.ACTIVE, one.created_at)))


def _payments(books: Books) -> "list[answers.Payment]":
    """What arrived, the latest first."""
    posted = (one for one in books.attempts if one.state is AttemptState.POSTED)
    arrived = (one for one in posted if one.channel is not AttemptKind.SETUP)
    return [payment(one, books) for one in sorted(arrived, key=_arrived_at, reverse=True)]


def _arrived_at(one: Attempt) -> tuple[datetime, int]:
    assert one.posted_at is not None, f"{one.attempt_id} is posted at no time"
    return one.posted_at, one.number


def payment(one: Attempt, books: Books) -> "answers.Payment":
    """Money that arrived."""
    return {
        "payment_id": one.attempt_id,
        "amount": one.amount,
        "at": instant(_arrived_at(one)[0]),
        "card": _paying_card(books, one),
        "invoice_ids": [part.invoice_id for part in one.parts],
        "refunded": books.refunded_of(one),
    }


def refund(one: Refund, books: Books) -> "answers.Refund":
    """Money on its way back."""
    paid = books.attempt(one.payment)
    assert paid is not None, f"{one.refund_id} refunds payment {one.payment}, which is not there"
    return {
        "refund_id": one.refund_id,
        "payment_id": paid.attempt_id,
        "amount": one.amount,
        "state": one.state,
        "card": _paying_card(books, paid),
        "started_at": instant(one.started_at),
    }


def _paying_card(books: Books, attempt: Attempt) -> "answers.CardOnFile | None":
    """The card that paid; one that was not saved is known only as it was shown ("Visa ending 4242")."""
    card = books.card(attempt.card_id)
    if card is not None:
        return _card(card)
    brand, _, last4 = attempt.card_shown.rpartition(" ending ")
    return {"brand": brand.lower(), "last4": last4, "exp_month": None, "exp_year": None} if brand else None


def _card(card: Card) -> "answers.CardOnFile":
    return {"brand": card.brand, "last4": card.last4, "exp_month": card.exp_month, "exp_year": card.exp_year}
