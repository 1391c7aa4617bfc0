"""The shapes of what the API answers, as contract.md writes them. For the type checker, which holds the views to them,
and for the OpenAPI document. The views themselves do not import this module, so that the ingress starts without it.

Amounts are integer cents, instants ISO 8601 with offset, days ISO 8601 dates.
"""

from typing import Literal, NotRequired

from typing_extensions import TypedDict  # pydantic reads the one of `typing` from Python 3.12 on only

from billing.explain import Bucket
from billing.invoice import Status
from billing.plan import InstalmentStatus, PlanStatus
from billing.policy import AmountSource, AutopayDelay, OutsidePayments, Overpayment, TilDisclosure
from billing.refund import RefundState
from billing.review import AskedBy, ReviewStatus
from billing.session import PaidBy


class InputError(TypedDict):
    """What is wrong with one field."""

    loc: str
    msg: str


class Problem(TypedDict):
    """An error (RFC 9457). `code` is for programs; `errors` comes with 422."""

    type: str
    title: str
    status: int
    detail: str
    code: NotRequired[str]
    errors: NotRequired[list[InputError]]


Outcome = Literal["accepted", "held", "duplicate", "rejected"]
Now = Literal["invoiced", "adjusted", "nothing_owed", "held", "pending"]


class ReceiptRow(TypedDict):
    """What became of one claim result. `now` is its state at present, null for one that was rejected."""

    claim_id: str
    payer_claim_id: str
    outcome: Outcome
    reason: str | None
    now: Now | None
    invoice_id: NotRequired[str]
    amount: NotRequired[int]
    errors: NotRequired[list[InputError]]


class ProviderAdjustment(TypedDict):
    """Money between payer and provider (PLB), by its reason; positive lowers the payment."""

    reason: str
    amount: int


class Transaction(TypedDict):
    """What a payment said of its money; none of it is a patient's. `paid` is the payment itself, null where it was no
    amount; `balances`: it is `claims_paid` less `adjusted`."""

    control: str
    trace: str
    claims: int
    claims_paid: int
    paid: int | None
    adjusted: int
    provider_adjustments: list[ProviderAdjustment]
    balances: bool


UploadReason = Literal["never_came", "empty", "too_large", "unreadable"]


class Receipt(TypedDict):
    """What became of one posted or uploaded body.

    `waiting`: an upload whose file has not come; `processing`: the outcomes known so far; `done`: accepted, held,
    duplicate and rejected sum to claims. `reason` says why nothing of an upload was taken, `warnings` in words. Of a
    long file `bytes_read` of its `bytes` tells how far it was read, and `results` is a page: `next` is the address of
    the one that follows, absent on the last.
    """

    receipt_id: str
    sha256: str | None
    status_url: str
    state: Literal["waiting", "processing", "done"]
    claims: int
    accepted: int
    held: int
    duplicate: int
    rejected: int
    results: list[ReceiptRow]
    next: NotRequired[str]
    transactions: NotRequired[list[Transaction]]
    bytes: NotRequired[int]
    bytes_read: NotRequired[int]
    expires_at: NotRequired[str]
    reason: NotRequired[UploadReason]
    warnings: NotRequired[list[str]]


class UploadAddress(TypedDict):
    """Where one file may be put, once, by `method` and with exactly these `headers`, until `expires_at`; what becomes
    of it is at `status_url`."""

    receipt_id: str
    status_url: str
    state: Literal["waiting"]
    method: Literal["PUT"]
    upload_url: str
    headers: dict[str, str]
    expires_at: str
    max_bytes: int


class CardOnFile(TypedDict):
    """What a person needs to recognise a card. The expiry is null for a card that paid once and was not saved."""

    brand: str
    last4: str
    exp_month: int | None
    exp_year: int | None


class Autopay(TypedDict):
    """`cap`: the client's own limit per charge, null where the practice's default holds (AUTO-2)."""

    on: bool
    card: CardOnFile | None
    cap: int | None


class Reason(TypedDict):
    """One adjustment of a service, as the payer gave it, in our own sentence: `amount` cents of `column`. What a column
    holds beyond its reasons, the plan paid."""

    group: str
    code: str
    sentence: str
    amount: int
    column: Bucket


class Line(TypedDict):
    """Where each cent of one service went (INV-6): billed = plan_discount + insurance_paid + you_owe, and you_owe =
    deductible + coinsurance + copay + not_covered. What another insurance settled counts as paid by insurance; its
    reason has code 23."""

    procedure: str
    service_date: str | None
    billed: int
    plan_discount: int
    insurance_paid: int
    deductible: int
    coinsurance: int
    copay: int
    not_covered: int
    you_owe: int
    reasons: list[Reason]


class Invoice(TypedDict):
    """One bill. Instalments of a plan have no lines: the invoices they came from have."""

    invoice_id: str
    amount: int
    open_amount: int
    status: Status
    issued_at: str
    lines: list[Line]


class UpcomingCharge(TypedDict):
    """A charge that is announced, or an instalment still to be issued (then without invoices)."""

    at: str
    amount: int
    invoice_ids: list[str]
    reason: Literal["autopay", "plan_instalment"]


class Instalment(TypedDict):
    """One weekly part of a plan; `invoice_id` is null until it is issued."""

    amount: int
    issue_on: str
    status: InstalmentStatus
    invoice_id: str | None


class Plan(TypedDict):
    """A payment plan: the active one, or else the latest."""

    plan_id: str
    weeks: int
    status: PlanStatus
    instalments: list[Instalment]


class EndedPlan(Plan):
    """A plan that staff ended, and the invoice of what was left of it."""

    invoice: Invoice


class Payment(TypedDict):
    """Money that arrived. `card` is null where the practice took it itself; `refunded`: what went back, or is on its
    way back."""

    payment_id: str
    amount: int
    at: str
    card: CardOnFile | None
    invoice_ids: list[str]
    refunded: int


class PaidInvoice(Invoice):
    """The invoice as the account shows it, and the payment that was recorded."""

    payment: Payment


class Refund(TypedDict):
    """Money on its way back to the card that paid. `state` changes until it is `posted` or `failed`."""

    refund_id: str
    payment_id: str
    amount: int
    state: RefundState
    card: CardOnFile | None
    started_at: str


class RefundedInvoice(Invoice):
    """The invoice as the account shows it, and the refunds that this request started: one for each payment."""

    refunds: list[Refund]


ReviewEnd = Literal["uphold", "correct", "voided", "written_off", "nothing_owed"]


class ReviewDecision(TypedDict):
    """What staff decided about a review, or what became of its invoice before they did: then `decided_by` is null.
    `amount`: what the invoice asks for since."""

    decision: ReviewEnd
    amount: int
    reason: str
    call_reference: str | None
    decided_at: str
    decided_by: str | None


class Review(TypedDict):
    """A client says that their plan quoted another amount. `invoice_amount`: what the invoice asked for then,
    `open_amount`: what is open of it now · `paused_since`: it stands still since then, null once it is decided."""

    review_id: str
    invoice_id: str
    client_id: str
    status: ReviewStatus
    asked_by: AskedBy
    opened_at: str
    invoice_amount: int
    quoted_amount: int | None
    reason: str
    call_reference: str | None
    open_amount: int
    paused_since: str | None
    decision: ReviewDecision | None


class Reviews(TypedDict):
    """Reviews that wait, the oldest first, or that are decided, the newest first. `more`: null at the end, else what
    `after` is for the next ones."""

    reviews: list[Review]
    more: str | None


class Account(TypedDict):
    """A client's account. `balance`: open amounts plus instalments not yet issued."""

    client_id: str
    balance: int
    autopay: Autopay
    can_book: bool
    invoices: list[Invoice]
    upcoming_charges: list[UpcomingCharge]
    plan: Plan | None
    payments: list[Payment]
    credit: int
    reviews: list[Review]


class SeenAdjustment(TypedDict):
    """What the payer took off for one reason, over claim and services; `sentence` is ours."""

    group: str
    code: str
    amount: int
    sentence: str


class Seen(TypedDict):
    """What the payer sent. `stated_responsibility`: the patient's share as it says it, where its format has that."""

    status: str
    payer_id: str
    payer_name: str
    adjudicated_on: str | None
    charged: int
    paid: int
    patient_responsibility: int
    stated_responsibility: int | None
    adjustments: list[SeenAdjustment]


class Hold(TypedDict):
    """What waits for a person, and what that person does: a claim result, or a session that its programme does not
    cover. `invoice_ids`: what stands still meanwhile."""

    hold_id: str
    claim_id: str | None
    payer_claim_id: str | None
    client_id: str | None
    session_id: str | None
    reason: str
    why: str
    what_to_do: str
    held_at: str
    patient_responsibility: int
    seen: Seen | None
    invoice_ids: list[str]


class Holds(TypedDict):
    """Open holds, the oldest first. `more`: null at the end, else what `after` is for the next ones."""

    holds: list[Hold]
    more: str | None


Choice = Literal["release", "reject", "rematch"]


class DecidedHold(TypedDict):
    """A hold that was decided, and where its result or session stands `now`; `invoice_ids` bill its claim."""

    hold_id: str
    claim_id: str | None
    payer_claim_id: str | None
    session_id: str | None
    client_id: str | None
    reason: str
    seen: Seen | None
    decision: Choice
    decided_at: str
    decided_by: str
    decision_reason: str
    patient_amount: int | None
    rematched_to: str | None
    now: str
    invoice_ids: list[str]


class EapAuthorisation(TypedDict):
    """What an employee-assistance programme granted."""

    programme: str
    authorisation: str
    sessions_covered: int
    valid_until: str


class Session(TypedDict):
    """A completed session. `covered`: whether its employee-assistance programme pays, null where there is none ·
    `claim_id`, `invoice_id`: what bills it by now, each null until there is one."""

    session_id: str
    client_id: str
    provider_id: str
    completed_at: str
    kind: PaidBy
    rate: int
    procedure: str | None
    diagnoses: list[str]
    eap: EapAuthorisation | None
    good_faith_estimate: int | None
    covered: bool | None
    claim_id: str | None
    invoice_id: str | None


class Eligibility(TypedDict):
    """The eligibility check in force."""

    client_id: str
    payer_id: str
    checked_at: str
    copay: int
    coinsurance_bp: int
    deductible_remaining: int
    out_of_pocket_remaining: int | None


class Heard(TypedDict):
    """The event was kept now or before, or is of no use."""

    received: Literal[True]


class Health(TypedDict):
    """The service answers."""

    status: Literal["ok"]


class Client(TypedDict):
    """A client as the practice told us; the phone number in E.164."""

    client_id: str
    name: str
    email: str
    phone: str
    state: str
    provider_id: str | None
    portal_eligible: bool


class Practice(TypedDict):
    """The practice itself."""

    practice_id: str
    name: str
    time_zone: str
    phone: str
    email: str
    online_payments: bool
    stripe_account: str | None


class Provider(TypedDict):
    """A clinician."""

    provider_id: str
    name: str
    email: str
    npi: str
    tax_id: str
    phone: str


class SubmittedLine(TypedDict):
    """One service as it was sent to the payer."""

    procedure: str
    modifiers: list[str]
    units: str
    service_date: str | None
    charged: int
    diagnoses: list[str]
    session_id: str | None


class SubmittedClaim(TypedDict):
    """A claim as it was sent to the payer."""

    claim_id: str
    client_id: str
    provider_id: str
    payer_id: str
    member_id: str | None
    charged: int
    service_date: str
    secondary_payer_id: str | None
    tertiary_payer_id: str | None
    lines: list[SubmittedLine]
    submitted_at: str


class AboutPolicy(TypedDict):
    """What a policy does, in words for whoever chooses; `allowed` completes "must be …". One that is not available
    keeps its default."""

    default: str | int | bool | list[str] | list[int]
    allowed: str
    does: str
    rules: list[str]
    available: bool


class DisclosureText(TypedDict):
    """What a client is shown and accepts before a plan of six weeks (PLAN-10)."""

    id: str
    text: str


class Policies(TypedDict):
    """What the practice chose. Hours are elapsed, days are dates in its time zone, `default_cap` is cents.

    `version` goes up with each change; `about` tells of each policy what it does; `disclosure` is the text
    that `til_disclosure` comes to.
    """

    version: int
    amount_source: AmountSource
    overpayment: Overpayment
    eap_programmes: list[str]
    autopay_delay: AutopayDelay
    autopay_offered: bool
    minimum_notice_hours: int
    retry_days: list[int]
    fsa_autopay: bool
    default_cap: int
    payment_window_days: int
    reminder_days: list[int]
    accept_test_files: bool
    bill_reviewable: bool
    outside_payments: OutsidePayments
    card_required: bool
    plan_absorbs_new: bool
    til_disclosure: TilDisclosure
    til_text: str
    disclosure: DisclosureText | None
    about: dict[str, AboutPolicy]
