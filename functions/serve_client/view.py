"""What the pay page shows, worked out from the books: the templates only lay it out.

Amounts stay cents and instants stay instants; how they are written is the templates' business (edges/render.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from billing.account import Books
from billing.autopay import cap_of, terms_of
from billing.basis import Basis, basis_of
from billing.dispute import DisputeState
from billing.explain import ExplainedLine
from billing.good_faith import far_above_estimate, far_above_in_words
from billing.invoice import Invoice, Source, Status
from billing.money import STRIPE_MINIMUM, Cents, dollars
from billing.payment import Attempt, AttemptKind, AttemptState
from billing.plan import Instalment, InstalmentStatus, Plan
from billing.planning import MOST_INVOICES
from billing.policy import Overpayment, Practice
from billing.refund import RefundState
from billing.review import ReviewStatus
from billing.small_amounts import taken_by, tied_to
from billing.where_it_went import WhereItWent, services_of, where_it_went

PAYMENTS_SHOWN: Final = 5
"""The link page confirms what was paid lately; the whole history needs a sign-in (design: Web)."""

INSTALMENT_WORDS: Final[Mapping[InstalmentStatus, str]] = {
    InstalmentStatus.PLANNED: "To come",
    InstalmentStatus.SCHEDULED: "Announced",
    InstalmentStatus.PAID: "Paid",
    InstalmentStatus.FAILED: "Not paid",
    InstalmentStatus.SKIPPED: "Skipped",
}

OF_A_PLAN: Final = "This is part of your payment plan: what it is made of was shown when the plan began."
NO_DETAILS: Final[Mapping[Source, str]] = {
    Source.CLAIM: "Your health plan gave no further detail.",
    Source.PLAN: OF_A_PLAN,
    Source.PLAN_REMAINDER: OF_A_PLAN,
}
"""What stands under Details where no lines explain a bill."""
ABOUT_A_SESSION: Final = frozenset({Source.CLAIM, Source.SESSION, Source.ESTIMATE})
"""What a bill comes from that is named by its day and by who was seen."""
ESTIMATE_NOTE: Final = (
    "This is an estimate: your health plan has not decided yet. When it has, we correct this bill by the difference."
)

DROPPED_WORDS: Final[Mapping[Status, str]] = {Status.VOID: "cancelled", Status.WRITTEN_OFF: "no longer asked for"}


@dataclass(frozen=True)
class Service:
    """One service of a bill, and where its price went (INV-6). `procedure` is "" for the rest of a claim."""

    procedure: str
    on: date | None
    went: WhereItWent


@dataclass(frozen=True)
class Charge:
    """An announced charge: which card, when, and what of before it takes along, in cents (INV-11)."""

    card: str
    at: datetime
    along: Cents


@dataclass(frozen=True)
class Bill:
    """An unpaid invoice. `payable`: it has a Pay button · `waits`: why it has none, "" where nothing special ·
    `note`: what else there is to know · `went`: where its price went, all its `services` together; None where nothing
    is known of that, and then `no_details` says why · `questionable`: the client may say that their plan told another
    amount."""

    invoice_id: str
    title: str
    on: date | None
    provider: str
    amount: Cents
    already_paid: Cents
    mark: str
    payable: bool
    waits: str
    note: str
    questionable: bool
    charge: Charge | None
    went: WhereItWent | None
    services: tuple[Service, ...]
    no_details: str


@dataclass(frozen=True)
class PayAll:
    """Paying everything with one click: at most the 40 oldest (`left_out` remain), as one payment."""

    amount: Cents
    count: int
    left_out: int


@dataclass(frozen=True)
class AutopayView:
    """Automatic payments as the page shows them.

    `cap`: the limit in force · `own_cap`: the client's own, as the form's field has it · `default_cap`: what holds
    where they choose none (AUTO-2) · `ask_card_kind`: whether FSA cards are refused (PAY-6).
    """

    offered: bool
    on: bool
    card: str
    cap: Cents
    own_cap: str
    default_cap: Cents
    ask_card_kind: bool
    consent_text: str
    consent_version: str


@dataclass(frozen=True)
class PlanStep:
    """One instalment, in cents."""

    number: int
    on: date
    amount: Cents
    words: str
    paid: bool
    next: bool


@dataclass(frozen=True)
class PlanView:
    """The payment plan: schedule, what is paid, what comes next."""

    weeks: int
    total: Cents
    paid: Cents
    steps: tuple[PlanStep, ...]


@dataclass(frozen=True)
class Paid:
    """A payment that arrived. `note`: what became of it since, "" where it stands."""

    at: datetime
    amount: Cents
    card: str
    note: str


@dataclass(frozen=True)
class Dropped:
    """A bill that nobody asks for any more, and what the practice did."""

    title: str
    on: date | None
    amount: Cents
    words: str


@dataclass(frozen=True)
class Overview:
    """Everything the pay page says.

    `front`: the one bill there is to pay, None where `pay_all` stands in front · `bills`: the other unpaid ones, the
    most recent session first (PAY-3) · `count`: of all unpaid ones · `decided`: a health plan decided them, and there
    is something to pay · `far_above`: why what the client pays themself is not charged automatically, "" where it is
    (LAW-5) · `credit_pays`: credit pays bills by itself.
    """

    front: Bill | None
    bills: tuple[Bill, ...]
    count: int
    decided: bool
    far_above: str
    pay_all: PayAll | None
    total: Cents
    online: bool
    autopay: AutopayView
    plan: PlanView | None
    payments: tuple[Paid, ...]
    dropped: tuple[Dropped, ...]
    credit: Cents
    credit_pays: bool


def overview(
    books: Books,
    practice: Practice,
    lines: Mapping[str, Sequence[ExplainedLine]],
    providers: Mapping[str, str],
) -> Overview:
    """`lines`: explained lines by invoice id; `providers`: names by provider id."""
    unpaid = unpaid_invoices(books)
    bills = tuple(_bill(one, books, lines.get(one.invoice_id, ()), providers) for one in unpaid)
    pay_all = _pay_all(books)
    front = None if pay_all else next((one for one in bills if one.payable), None)
    return Overview(
        front=front,
        bills=tuple(one for one in bills if one is not front),
        count=len(bills),
        decided=any(one.payable for one in bills)
        and any(one.source in ABOUT_A_SESSION for one in unpaid)
        and all(basis_of(one) is Basis.DECIDED for one in unpaid),
        far_above=_far_above(books, unpaid),
        pay_all=pay_all,
        total=sum(one.open_amount for one in unpaid),
        online=practice.online_payments,
        autopay=autopay_view(books, practice),
        plan=_plan(books.plan(books.account.active_plan)),
        payments=_payments(books),
        dropped=_dropped(books),
        credit=books.account.credit,
        credit_pays=practice.policy.overpayment is Overpayment.CREDIT,
    )


def named_bill(invoice: Invoice, books: Books) -> Bill:
    """One bill by its name, amount and state, without its explanation."""
    return _bill(invoice, books, (), {})


def unpaid_invoices(books: Books) -> tuple[Invoice, ...]:
    """What is open, the most recent session first (PAY-3)."""
    unpaid = (one for one in books.invoices if one.open_amount)
    return tuple(sorted(unpaid, key=lambda one: (one.service_date, one.issued_at, one.invoice_id), reverse=True))


def payable_together(books: Books) -> tuple[Invoice, ...]:
    """What "Pay all" takes: the oldest of everything payable, as many as fit one commit (design: The commit)."""
    return tuple(one for one in books.invoices if one.payable and not _being_charged(one, books))[:MOST_INVOICES]


def autopay_view(books: Books, practice: Practice) -> AutopayView:
    """Whether automatic payments are on, with which card and limit, and what enrolling would ask."""
    card, own_cap = books.default_card, books.account.cap
    terms = terms_of(practice.policy)
    return AutopayView(
        offered=practice.policy.autopay_offered and practice.online_payments,
        on=books.account.autopay,
        card=card.shown if card else "",
        cap=cap_of(books, practice),
        own_cap="" if own_cap is None else dollars(own_cap).removeprefix("$"),
        default_cap=practice.policy.default_cap,
        ask_card_kind=not practice.policy.fsa_autopay,
        consent_text=terms.text,
        consent_version=terms.version,
    )


def _being_charged(invoice: Invoice, books: Books) -> bool:
    """Money may be on its way right now. A hosted page that was left is no payment: paying again closes it first."""
    attempt = books.attempt(invoice.open_attempt) if invoice.open_attempt else None
    return attempt is not None and (attempt.channel is AttemptKind.AUTOPAY or attempt.state is AttemptState.UNKNOWN)


def _bill(invoice: Invoice, books: Books, lines: Sequence[ExplainedLine], providers: Mapping[str, str]) -> Bill:
    charging = _being_charged(invoice, books)
    went = where_it_went(lines) if lines else None
    mark, waits = "Balance due", ""
    if charging:
        mark, waits = "Payment in progress", "A payment for this is on its way. You do not need to do anything."
    elif invoice.disputed:
        mark, waits = "Being checked", "Your bank is looking into a payment of this bill. Nothing is charged meanwhile."
    elif invoice.in_review:
        mark, waits = "Being checked", _LOOKED_INTO[any(one.is_open for one in books.reviews_of(invoice.invoice_id))]
    elif invoice.is_small:
        waits = _TOO_SMALL[taken_by(books, invoice) is not None]
    announced = invoice.charge_at is not None and not charging and not invoice.in_review
    return Bill(
        invoice_id=invoice.invoice_id,
        title=_title(invoice, books, lines),
        on=_day(invoice),
        provider=providers.get(invoice.provider, "") if invoice.source in ABOUT_A_SESSION else "",
        amount=invoice.open_amount,
        already_paid=invoice.total - invoice.open_amount,
        mark=mark,
        payable=not waits,
        waits=waits,
        note="" if waits else _note(invoice, books),
        questionable=not waits and questionable(invoice, books),
        charge=_charge(invoice, books) if announced else None,
        went=went,
        services=tuple(
            Service(line.procedure, line.service_date, where_it_went([line])) for line in services_of(lines)
        ),
        no_details=NO_DETAILS.get(invoice.source, ""),
    )


def _charge(invoice: Invoice, books: Books) -> Charge:
    assert invoice.charge_at is not None, f"no charge of {invoice.invoice_id} is announced"
    card = books.card(invoice.card_id)
    along = sum(one.open_amount for one in tied_to(books, invoice))
    return Charge(card.shown if card else "your card", invoice.charge_at, along)


_LOOKED_INTO: Final[Mapping[bool, str]] = {
    True: "You asked us to check this amount. Nothing is charged meanwhile, and we will email you when it is decided.",
    False: "We are looking into this bill. Nothing is charged meanwhile.",
}
"""Whether the client asked for it -> what is said while somebody looks into a bill (INV-7)."""


_TOO_SMALL: Final[Mapping[bool, str]] = {
    True: "This is below the smallest amount a card can pay. It goes along with your next automatic payment.",
    False: "This is below the smallest amount a card can pay. It waits for your next bill. If none comes within 60 "
    "days, it is dropped: you need to do nothing.",
}
"""Whether a charge that was announced takes it along -> what is said of a small amount (INV-11)."""


def questionable(invoice: Invoice, books: Books) -> bool:
    """Whether the client may say on the page that their plan told another amount: once for each bill that a health
    plan has a part in, not for a part of a payment plan. Whoever is not content with the answer calls (INV-7)."""
    of_a_plan = invoice.source in (Source.PLAN, Source.PLAN_REMAINDER)
    insured = basis_of(invoice) in (Basis.DECIDED, Basis.ESTIMATED)
    return invoice.payable and insured and not of_a_plan and not books.reviews_of(invoice.invoice_id)


def _note(invoice: Invoice, books: Books) -> str:
    if invoice.disputed_back:
        return "Your bank took an earlier payment of this bill back."
    upheld = (one for one in books.reviews_of(invoice.invoice_id) if one.status is ReviewStatus.UPHELD)
    if any(one.amount == invoice.total for one in upheld):
        return "We checked this amount for you: it stands."
    return ESTIMATE_NOTE if invoice.estimated else ""


def _far_above(books: Books, unpaid: Sequence[Invoice]) -> str:
    held_back = books.account.autopay and any(far_above_estimate(books, one) for one in unpaid)
    return far_above_in_words(books) if held_back else ""


def _day(invoice: Invoice) -> date | None:
    """The day by which a bill is named; one of a plan, or by hand, has a title instead."""
    return invoice.service_date if invoice.source in ABOUT_A_SESSION else None


def _title(invoice: Invoice, books: Books, lines: Sequence[ExplainedLine] = ()) -> str:
    """What a bill without a day of its own is called: one by hand as the provider describes it."""
    if invoice.source is Source.BY_HAND:
        described = (reason.sentence for line in lines for reason in line.reasons)
        return next(described, "Bill from your provider")
    if invoice.source is Source.PLAN:
        plan = books.plan(invoice.plan_id)
        return f"Instalment {invoice.ordinal + 1}" + (f" of {len(plan.instalments)}" if plan else "")
    if invoice.source is Source.PLAN_REMAINDER:
        return "What was left of your payment plan"
    return ""


def _pay_all(books: Books) -> PayAll | None:
    """Only where it is more than one invoice and a card can pay it."""
    together = payable_together(books)
    amount = sum(one.open_amount for one in together)
    if len(together) < 2 or amount < STRIPE_MINIMUM:
        return None
    everything = sum(1 for one in books.invoices if one.payable and not _being_charged(one, books))
    return PayAll(amount, len(together), everything - len(together))


def _plan(plan: Plan | None) -> PlanView | None:
    if plan is None:
        return None
    waiting = [one for one in plan.instalments if one.status in (InstalmentStatus.PLANNED, InstalmentStatus.SCHEDULED)]
    upcoming = waiting[0] if waiting else None
    return PlanView(
        weeks=plan.weeks,
        total=plan.total,
        paid=sum(one.amount for one in plan.instalments if one.status is InstalmentStatus.PAID),
        steps=tuple(_step(number, one, upcoming) for number, one in enumerate(plan.instalments, start=1)),
    )


def _step(number: int, instalment: Instalment, upcoming: Instalment | None) -> PlanStep:
    is_next = instalment is upcoming
    words = "Next" if is_next else INSTALMENT_WORDS[instalment.status]
    paid = instalment.status is InstalmentStatus.PAID
    return PlanStep(number, instalment.issue_on, instalment.amount, words, paid, is_next)


def _payments(books: Books) -> tuple[Paid, ...]:
    """The latest payments, newest first."""
    posted = [
        Paid(one.posted_at, one.amount, one.card_shown, _since(one, books))
        for one in books.attempts
        if one.state is AttemptState.POSTED and one.parts and one.posted_at is not None
    ]
    return tuple(sorted(posted, key=lambda one: one.at, reverse=True)[:PAYMENTS_SHOWN])


def _since(payment: Attempt, books: Books) -> str:
    """What became of a payment since it arrived (PAY-12, PAY-13)."""
    refunds = [one for one in books.refunds if one.payment == payment.number]
    sent = sum(one.amount for one in refunds if one.state is RefundState.POSTED)
    under_way = sum(one.amount for one in refunds if one.on_its_way)
    lost = any(one.state is DisputeState.LOST for one in books.disputes if one.payment == payment.number)
    notes = (
        f"{dollars(sent)} sent back" if sent else "",
        f"{dollars(under_way)} on its way back" if under_way else "",
        "your bank is looking into it" if books.is_disputed(payment) else "",
        ("the rest " if sent else "") + "taken back by your bank" if lost else "",
    )
    return ", ".join(note for note in notes if note)


def _dropped(books: Books) -> tuple[Dropped, ...]:
    """Bills that were cancelled or written off, the latest first: whoever has their mail must find what became of them
    (DESK-3)."""
    ended = [
        Dropped(_title(one, books), _day(one), amount, DROPPED_WORDS[one.status])
        for one in reversed(books.invoices)
        if one.status in DROPPED_WORDS and (amount := one.amount if one.void else one.written_off)
    ]
    return tuple(ended[:PAYMENTS_SHOWN])
