"""What must always hold, as pure functions over stored rows: the simulator asks after every step, reconciliation asks
at night. Each function yields what it finds broken, and nothing where all is well.

The numbers are those of the design:

     1 entries balance, the books sum to zero             7 no notice or reminder about a paid invoice
     2 the open amount formula holds, never negative      8 our payments, refunds and disputes are Stripe's,
     3 nobody is charged more than owed, without            object by object
       consent, above their cap, too early, or twice;     9 facts only grow
       nothing goes back twice                           10 no due work older than its bound
     4 at most one open attempt per invoice              11 only PR amounts are billed
     5 instalments sum to the plan                       12 nothing about health or persons leaves
     6 every claim result ends in exactly one state

Rules are judged here from what was recorded, not by asking the code that decided: a consent row, a sent notice, a
timeline of facts.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.account import Books, Consent
from billing.claim_state import ClaimState, Hold, ReceivedResult, StoredBody, Submission
from billing.facts import Fact, FactKind
from billing.invoice import Invoice, Source
from billing.invoice_lines import InvoiceLines
from billing.ledger import Book
from billing.money import Cents
from billing.network_notice import charged_by, is_quiet_since, long_notice_ends
from billing.notice import NoticeKind, Posting
from billing.payment import Attempt, AttemptKind, AttemptState
from billing.policy import Practice
from billing.ports import DueItem
from billing.refund import RefundCause, RefundState
from billing.stripe_event import StripeEvent

NOTICE_AGE = timedelta(hours=4)
"""AUTO-3's floor, stated here a second time: a guard that shared its constant with the rule would move with it."""


CLOCKS_DIFFER = timedelta(seconds=5)
"""Two functions' clocks may be this far apart: what they recorded within it has no order by time."""


@dataclass(frozen=True)
class Broken:
    """One finding: the invariant's number, the row or person it is about, and what is wrong, with the figures."""

    invariant: int
    where: str
    what: str

    def __str__(self) -> str:
        return f"invariant {self.invariant} broken at {self.where}: {self.what}"


@dataclass(frozen=True)
class AccountRows:
    """Everything stored of one account: its books, and what was written once beside them."""

    books: Books
    facts: tuple[Fact, ...]
    consents: Mapping[str, Consent]
    postings: tuple[Posting, ...]

    @classmethod
    def of(cls, account: Iterable[object], written_once: Iterable[object]) -> "AccountRows | None":
        """Sort the rows of the two partitions; None where there is no account row."""
        books = Books.of(account)
        if books is None:
            return None
        facts: list[Fact] = []
        consents: dict[str, Consent] = {}
        postings: list[Posting] = []
        for row in written_once:
            if isinstance(row, Fact):
                facts.append(row)
            elif isinstance(row, Posting):
                postings.append(row)
            elif isinstance(row, Consent):
                consents[row.consent_id] = row
        return cls(books, tuple(facts), consents, tuple(postings))


def check_account(
    rows: AccountRows, practice: Practice | None = None, charges_since: datetime | None = None
) -> list[Broken]:
    """Every invariant that one account's own rows can show: 1 to 5. `practice`: whose policy was in force when the
    charges since `charges_since` were begun; None where it may have changed: then what was recorded must do."""
    return [
        *entries_balance(rows.facts),
        *amounts_follow_from_entries(rows),
        *charges_were_allowed(rows, practice, charges_since),
        *nothing_goes_back_twice(rows.books),
        *attempts_are_exclusive(rows.books),
        *instalments_sum(rows.books),
    ]


# ------------------------------------------------------------------------------------------------- 1 and 2: the books


def entries_balance(facts: Iterable[Fact]) -> Iterator[Broken]:
    """1: the entries of each fact sum to zero, and so do the books."""
    for fact in facts:
        total = sum(e.amount for e in fact.entries) if fact.entries else 0
        if total:
            yield Broken(1, fact.key.sk, f"its entries sum to {total}")


def amounts_follow_from_entries(rows: AccountRows) -> Iterator[Broken]:
    """2: what is open of each invoice and plan, the credit and the money at Stripe are what the entries say."""
    books, name = rows.books, rows.books.account.key.pk
    posted: defaultdict[tuple[str, str], Cents] = defaultdict(int)
    for fact in rows.facts:
        for entry in fact.entries:
            posted[entry.book, entry.item] += entry.amount
    for place in (expected := _by_rows(books)).keys() | {p for p in posted if p[0] == Book.RECEIVABLE}:
        if posted[place] != expected.get(place, 0):
            of = " ".join(place).strip()
            yield Broken(2, name, f"{of} is {posted[place]} by its entries, {expected.get(place, 0)} by its rows")
    yield from _shares_add_up(books)


def _by_rows(books: Books) -> dict[tuple[str, str], Cents]:
    """What the balance of each place of the books must be, from the rows alone."""
    expected: dict[tuple[str, str], Cents] = {}
    for invoice in books.invoices:
        expected[Book.RECEIVABLE, invoice.invoice_id] = 0 if invoice.void else _open_amount(invoice)
        expected[Book.WRITE_OFF, invoice.invoice_id] = invoice.written_off
    for plan in books.plans:
        expected[Book.RECEIVABLE, plan.plan_id] = plan.not_yet_issued
    paid = [a for a in books.attempts if a.state is AttemptState.POSTED]
    outside = sum(a.amount for a in paid if a.channel is AttemptKind.OUTSIDE)
    by_card = sum(a.amount for a in paid) - outside
    left_stripe = sum(r.amount for r in books.refunds if r.state is RefundState.POSTED)
    withdrawn = sum(d.withdrawn for d in books.disputes)
    expected[Book.CLEARING, ""] = by_card - left_stripe - withdrawn
    expected[Book.OUTSIDE, ""] = outside
    expected[Book.REFUNDS, ""] = -sum(r.amount for r in books.refunds if r.on_its_way)
    expected[Book.DISPUTED, ""] = withdrawn - sum(d.kept for d in books.disputes)
    expected[Book.WRITE_OFF, ""] = sum(d.written_off for d in books.disputes)
    expected[Book.CREDIT, ""] = -books.account.credit
    return expected


def _open_amount(invoice: Invoice) -> Cents:
    taken = invoice.paid + invoice.credited + invoice.written_off + invoice.moved
    return invoice.amount + invoice.corrected - taken + invoice.disputed_back


def _shares_add_up(books: Books) -> Iterator[Broken]:
    """2, per invoice: never negative, and what went back of it or is owed again is what refunds and disputes say."""
    refunded: Counter[str] = Counter()
    reopened: Counter[str] = Counter()
    frozen: set[str] = set()
    for refund in books.refunds:
        if refund.state is not RefundState.FAILED:
            refunded.update({part.invoice_id: part.amount for part in refund.parts})
    for dispute in books.disputes:
        reopened.update({part.invoice_id: part.amount for part in dispute.reopened})
        payment = books.attempt(dispute.payment)
        if dispute.is_open and payment is not None:
            frozen |= {part.invoice_id for part in payment.paid_parts}
    for invoice in books.invoices:
        known = invoice.invoice_id
        if _open_amount(invoice) < 0:
            yield Broken(2, invoice.key.sk, f"open amount {_open_amount(invoice)} is negative")
        if (invoice.refunded, invoice.disputed_back) != (refunded[known], reopened[known]):
            says = f"{invoice.refunded} refunded and {invoice.disputed_back} owed again"
            theirs = f"{refunded[known]} and {reopened[known]}"
            yield Broken(2, invoice.key.sk, f"{says}, its refunds and disputes say {theirs}")
        if invoice.disputed != (known in frozen):
            is_so = "frozen" if invoice.disputed else "free"
            yield Broken(2, invoice.key.sk, f"is {is_so}, and its payments' disputes say not")


# -------------------------------------------------------------------------------------------------- 3 and 4: charges


def charges_were_allowed(
    rows: AccountRows, practice: Practice | None = None, since: datetime | None = None
) -> Iterator[Broken]:
    """3: nothing paid twice; and each automatic charge with consent, within the cap, after its notice."""
    paid: Counter[str] = Counter()
    for attempt in rows.books.attempts:
        if attempt.state is AttemptState.POSTED:
            paid.update({part.invoice_id: part.amount for part in attempt.paid_parts})
        if attempt.channel is AttemptKind.AUTOPAY and (since is None or attempt.started_at >= since):
            yield from _charge_was_allowed(attempt, rows, practice)
    for invoice in rows.books.invoices:
        most = invoice.amount + invoice.corrected + invoice.disputed_back  # what a lost dispute took is paid again
        if paid[invoice.invoice_id] > most:
            yield Broken(3, invoice.key.sk, f"{paid[invoice.invoice_id]} paid of {most}")


def nothing_taken_in_excess(rows: AccountRows) -> Iterator[Broken]:
    """3: no payment took more than was owed when it began. Asked where everything is watched; at night an excess is on
    its way back already, and no news."""
    corrected = [f for f in rows.facts if f.kind == FactKind.INVOICE_CORRECTED]
    for attempt in rows.books.attempts:
        paid_for = {part.invoice_id for part in attempt.parts}
        since = attempt.started_at - CLOCKS_DIFFER
        meanwhile = any(f.at >= since and f.data["invoice_id"] in paid_for for f in corrected)
        if attempt.state is AttemptState.POSTED and attempt.excess and not meanwhile:
            yield Broken(3, attempt.attempt_id, f"took {attempt.excess} more than was owed")


def nothing_goes_back_twice(books: Books) -> Iterator[Broken]:
    """3: what left Stripe of a payment, by refunds and by disputes the bank won, is not more than it was; and no refund
    that we started is of more than the payment."""
    touched = {r.payment for r in books.refunds} | {d.payment for d in books.disputes}
    for payment in (a for a in books.attempts if a.number in touched):
        refunds = [r for r in books.refunds if r.payment == payment.number]
        reopened = sum(part.amount for d in books.disputes if d.payment == payment.number for part in d.reopened)
        gone = sum(r.amount for r in refunds if r.state in (RefundState.PENDING, RefundState.POSTED))
        ours = sum(
            r.amount for r in refunds if r.state is not RefundState.FAILED and r.cause is not RefundCause.AT_STRIPE
        )
        received = sum(part.amount for part in payment.paid_parts) + payment.excess + payment.released
        if payment.state is not AttemptState.POSTED and refunds:
            yield Broken(3, payment.attempt_id, "was never paid, and has refunds")
        elif max(gone, ours) + reopened > received:
            back = f"{gone} went back, {ours} were to, {reopened} are owed again"
            yield Broken(3, payment.attempt_id, f"{back}, of {received} received")


def _charge_was_allowed(attempt: Attempt, rows: AccountRows, practice: Practice | None) -> Iterator[Broken]:
    consent = rows.consents.get(attempt.consent_id)
    if consent is None or consent.agreed_at > attempt.started_at or not _enrolled_at(attempt.started_at, rows.facts):
        yield Broken(3, attempt.attempt_id, f"charged without consent (names {attempt.consent_id!r})")
        return
    cap, old_enough = consent.cap, NOTICE_AGE
    if practice is not None:
        cap = practice.policy.default_cap if cap is None else cap
        old_enough = max(NOTICE_AGE, timedelta(hours=practice.policy.minimum_notice_hours))
    earliest = attempt.started_at - old_enough
    for part in attempt.parts:
        invoice = rows.books.invoice(part.invoice_id)
        plan = rows.books.plan(invoice.plan_id) if invoice else None
        noticed = list(_announced_at(part.invoice_id, rows))
        if plan is not None:  # its schedule is every instalment's notice, and the range that was agreed to
            noticed += [plan.notice_at] if plan.notice_at else []
        elif cap is not None and attempt.amount > cap:
            yield Broken(3, attempt.attempt_id, f"charged {attempt.amount}, above the cap of {cap}")
        if not any(at <= earliest for at in noticed):
            yield Broken(3, attempt.attempt_id, f"charged {part.invoice_id} without a notice old enough")
        elif plan is None and practice is not None and _after_a_quiet_time(attempt, consent, rows.books, practice):
            heard = attempt.started_at + CLOCKS_DIFFER
            if not any(long_notice_ends(at, practice.time_zone) <= heard for at in noticed):
                yield Broken(3, attempt.attempt_id, f"charged {part.invoice_id} on a short notice after a quiet time")


def _after_a_quiet_time(attempt: Attempt, consent: Consent, books: Books, practice: Practice) -> bool:
    """Whether the client had heard of no automatic payment for over six months (LAW-6)."""
    before = [at for at in charged_by(books.attempts, consent.consent_id) if at < attempt.started_at]
    return is_quiet_since(max([consent.agreed_at, *before]), attempt.started_at, practice.time_zone)


ANNOUNCING = frozenset({NoticeKind.CHARGE_NOTICE, NoticeKind.INSTALMENT})
"""Mails that announce a charge (AUTO-3); a plan's schedule announces all of its instalments (PLAN-5)."""


def _enrolled_at(at: datetime, facts: Iterable[Fact]) -> bool:
    """Whether autopay was on. Facts of about the same instant leave their order open: then it may have been."""
    toggles = [f for f in facts if f.kind in (FactKind.AUTOPAY_ENROLLED, FactKind.AUTOPAY_ENDED)]
    newest = max((f.version for f in toggles if f.at < at - CLOCKS_DIFFER), default=0)
    return any(
        f.kind == FactKind.AUTOPAY_ENROLLED and (abs(f.at - at) <= CLOCKS_DIFFER or f.version == newest)
        for f in toggles
    )


def _announced_at(invoice_id: str, rows: AccountRows) -> Iterator[datetime]:
    """When the mail service accepted notices of this invoice's charge."""
    sent = {f.item: f.at for f in rows.facts if f.kind == FactKind.NOTICE_SENT}
    for posting in rows.postings:
        if posting.notice in ANNOUNCING and invoice_id in posting.invoice_ids:
            at = sent.get(posting.key.sk)
            if at is not None:
                yield at


def attempts_are_exclusive(books: Books) -> Iterator[Broken]:
    """4: at most one open attempt per invoice, and the invoice and the attempt know of each other."""
    open_for: defaultdict[str, list[int]] = defaultdict(list)
    for attempt in books.attempts:
        if attempt.is_open:
            for part in attempt.parts:
                open_for[part.invoice_id].append(attempt.number)
    for invoice in books.invoices:
        believed = [invoice.open_attempt] if invoice.open_attempt else []
        if open_for[invoice.invoice_id] != believed:
            yield Broken(4, invoice.key.sk, f"names attempt {believed}, open are {open_for[invoice.invoice_id]}")


# ------------------------------------------------------------------------------------------------ 5, 6, 11: documents


def instalments_sum(books: Books) -> Iterator[Broken]:
    """5: a plan's instalments sum to what it covers, and each issued one is an invoice of exactly its amount."""
    for plan in books.plans:
        covered = sum(part.amount for part in plan.covers)
        if plan.total != covered:
            yield Broken(5, plan.key.sk, f"instalments sum to {plan.total}, it covers {covered}")
        for instalment in plan.instalments:
            invoice = books.invoice(instalment.invoice_id)
            if instalment.invoice_id and (invoice is None or invoice.amount + invoice.corrected != instalment.amount):
                yield Broken(5, plan.key.sk, f"instalment {instalment.invoice_id} is not an invoice of its amount")


def claim_results_end_once(
    results: Iterable[ReceivedResult], state: ClaimState | None, holds: Collection[Hold], *, concluded: bool
) -> Iterator[Broken]:
    """6: each result of a claim has at most one verdict, and exactly one where all work is done (`concluded`); a held
    one stands in the holds and no other does."""
    verdicts = state.verdicts if state else ()
    given = Counter(v.result for v in verdicts)
    held = {h.result for h in holds}
    for received in results:
        key = received.result.result_key()
        if given[key] > 1 or (concluded and not given[key]):
            yield Broken(6, str(received.key), f"has {given[key]} verdicts")
    for verdict in verdicts:
        if verdict.now not in ENDS:
            yield Broken(6, verdict.result, f"ended as {verdict.now!r}")
        if (verdict.now == "held") != (verdict.result in held):
            yield Broken(
                6, verdict.result, f"is {verdict.now}, and {'stands' if verdict.result in held else 'is not'} on hold"
            )


ENDS = frozenset({"invoiced", "adjusted", "nothing_owed", "pending", "held", "rejected", "rematched"})


def only_patient_responsibility_is_billed(
    invoices: Iterable[Invoice], state: ClaimState | None, results: Iterable[ReceivedResult]
) -> Iterator[Broken]:
    """11: what a claim's invoices ask for together, void ones in or out, is exactly the PR adjustments of a result,
    or what a person decided; nothing, where all was taken back. `invoices`: those of this claim."""
    known = [invoice for invoice in invoices if invoice.source is Source.CLAIM]
    total, void = (sum(i.amount + i.corrected for i in known if i.void is which) for which in (False, True))
    allowed = {r.result.patient_responsibility for r in results} | {0}
    allowed |= {d.amount for d in state.decisions if d.amount is not None} if state else set()
    if allowed.isdisjoint({total, total + void}):
        yield Broken(11, known[0].key.sk, f"{total} is no result's patient responsibility")


# -------------------------------------------------------------------------------------- 7, 12: what leaves the house

ASKING = frozenset(
    {
        NoticeKind.INVOICE,
        NoticeKind.CHARGE_NOTICE,
        NoticeKind.APPROVAL_REQUEST,
        NoticeKind.CHARGE_FAILED,
        NoticeKind.REMINDER,
        NoticeKind.INSTALMENT,
    }
)
"""Mails that ask for money or announce that it will be taken."""


def asks_for_what_is_paid(notice: NoticeKind, invoices: Iterable[Invoice]) -> Iterator[Broken]:
    """7: a mail that asks for money is about invoices of which something is open. `invoices`: as they were when the
    sending began."""
    if notice in ASKING:
        for invoice in invoices:
            if not invoice.open_amount:
                yield Broken(7, invoice.key.sk, f"a {notice} mail is sent about it, and nothing of it is open")


def leaks(where: str, text: str, secrets: Iterable[str]) -> Iterator[Broken]:
    """12: none of the secrets (names, addresses, codes of care, days of service) stands in what leaves."""
    for secret in secrets:
        if secret in text:
            yield Broken(12, where, f"contains {secret!r}")


# --------------------------------------------------------------------------------- 8, 9, 10: against others and time


@dataclass(frozen=True)
class StripePayment:
    """A payment intent that succeeded, as Stripe tells it: its id, our attempt in its metadata, cents received."""

    intent_id: str
    attempt_id: str
    amount: Cents


def payments_are_stripes(books: Books, stripe: Iterable[StripePayment], *, concluded: bool) -> Iterator[Broken]:
    """8: each payment of ours is one succeeded intent of the same amount; and the other way round where all work is
    done (`concluded`; until then Stripe may know more than we do)."""
    theirs = {payment.intent_id: payment for payment in stripe}
    ours: set[str] = set()
    for attempt in books.attempts:
        if attempt.state is not AttemptState.POSTED or attempt.channel in (AttemptKind.SETUP, AttemptKind.OUTSIDE):
            continue
        payment = theirs.get(attempt.intent_id)
        if payment is None or (payment.attempt_id, payment.amount) != (attempt.attempt_id, attempt.amount):
            yield Broken(8, attempt.attempt_id, f"we booked {attempt.amount}, Stripe has {payment}")
        ours.add(attempt.intent_id)
    if concluded:
        for payment in theirs.values():
            if payment.intent_id not in ours:
                yield Broken(
                    8, payment.attempt_id, f"Stripe took {payment.amount} ({payment.intent_id}), we know nothing"
                )


@dataclass(frozen=True)
class StripeRefund:
    """A refund, as Stripe tells it: its id, ours from its metadata ("" where it was made in the dashboard), cents, and
    whether it failed."""

    stripe_id: str
    refund_id: str
    amount: Cents
    failed: bool


def refunds_are_stripes(books: Books, stripe: Iterable[StripeRefund], *, concluded: bool) -> Iterator[Broken]:
    """8: each refund of ours that Stripe has is one of Stripe's of the same amount and fate; and the other way round
    where all work is done."""
    theirs = {refund.stripe_id: refund for refund in stripe}
    ours: set[str] = set()
    for refund in books.refunds:
        ours.add(refund.stripe_id)
        known = theirs.get(refund.stripe_id)
        if refund.state is RefundState.POSTED and (known is None or known.amount != refund.amount):
            yield Broken(8, refund.key.sk, f"we booked {refund.amount} as paid back, Stripe has {known}")
        elif concluded and known is not None and known.failed != (refund.state is RefundState.FAILED):
            yield Broken(8, refund.key.sk, f"is {refund.state} here, Stripe has {known}")
    for stripe_id, known in theirs.items():
        if concluded and stripe_id not in ours and not known.failed:
            yield Broken(8, known.refund_id or stripe_id, f"Stripe paid {known.amount} back, we know nothing")


@dataclass(frozen=True)
class StripeDispute:
    """A dispute, as Stripe tells it: its id, and what the bank withdrew, in cents, net of what it gave back."""

    dispute_id: str
    withdrawn: Cents


def disputes_are_stripes(books: Books, stripe: Iterable[StripeDispute], *, concluded: bool) -> Iterator[Broken]:
    """8: each dispute of ours is one of Stripe's; and, where all work is done, the other way round, to the cent."""
    theirs = {dispute.dispute_id: dispute.withdrawn for dispute in stripe}
    ours = {dispute.dispute_id: dispute.withdrawn for dispute in books.disputes}
    for dispute_id in ours.keys() | (theirs.keys() if concluded else set()):
        booked, known = ours.get(dispute_id), theirs.get(dispute_id)
        if known is None or (concluded and booked != known):
            yield Broken(8, dispute_id, f"we booked {booked} as withdrawn, Stripe has {known}")


WRITTEN_ONCE = (Fact, ReceivedResult, Submission, StripeEvent, StoredBody, Consent, InvoiceLines)
"""Rows that are inserted and never touched again."""


def written_once(changed: object) -> Iterator[Broken]:
    """9: a row that is replaced or removed must not be one that is written once."""
    if isinstance(changed, WRITTEN_ONCE):
        yield Broken(9, str(changed.key), "written once, and changed")


def nothing_is_overdue(due: Iterable[DueItem], now: datetime, bound: timedelta) -> Iterator[Broken]:
    """10: whatever is due was looked at (its index entry moved) within the bound."""
    oldest = f"{now - bound:%Y-%m-%dT%H:%M:%SZ}"
    for item in due:
        if item.due_at < oldest:
            yield Broken(10, str(item.key), f"due since {item.due_at}, now {now}")
