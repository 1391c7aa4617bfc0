"""Posting only the difference: what a later decision changes about what a client owes for one thing (INV-3, PLAN-9).

    owed more   an untouched bill grows, and is announced anew; else a supplement is issued
    owed less   first what nobody paid yet is asked for no more: the open amount, a write-off, the rest of a plan (its
                last instalments first), credit that had paid it; then what was paid becomes the client's credit, and
                goes back to the card that paid, or to other open bills, as the practice chose (`overpayment`)

Never more than the difference moves. What staff refunded before counts: a client gets back what they have paid above
what is owed, not more.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from billing.account import Books
from billing.adjusting import asked_for_no_more
from billing.draft import Draft
from billing.dunning import back_to_reminders, new_invoice, past_due_from
from billing.explain import ExplainedLine
from billing.facts import FactKind
from billing.ids import refund_id
from billing.invoice import Invoice, Source
from billing.invoice_lines import InvoiceLines, summing_to
from billing.ledger import Book, Entry, corrected_down, credit_applied, invoice_issued
from billing.money import STRIPE_MINIMUM, Cents
from billing.payment import Attempt, AttemptKind, AttemptState, Part
from billing.plan import InstalmentStatus, Plan, PlanStatus
from billing.plan_progress import instalment_paid
from billing.policy import Overpayment, Practice
from billing.ports import Refused, Write
from billing.refund import RefundCause, RefundState
from billing.refunding import start_refund
from billing.review import ReviewStatus
from billing.review_ending import end_with


class Why(StrEnum):
    """What made the amount another one; the client reads a sentence of each."""

    ADJUDICATED = "adjudicated"
    CORRECTION = "correction"
    REVERSAL = "reversal"
    OTHER_PAYER = "other_payer"
    NOT_YET = "not_yet"
    RELEASED = "released"
    REVIEW = "review"
    PROGRAMME = "programme"


OTHERWISE = dict.fromkeys(Why, "This part is on another bill of yours.") | {
    Why.RELEASED: "Your practice looked into this and set your share.",
    Why.REVIEW: "Your practice looked into this and set your share.",
}
"""Where an invoice asks for another amount than its payer's decision says: why."""


def correct(
    draft: Draft,
    invoice_ids: Sequence[str],
    target: Cents,
    practice: Practice,
    why: Why,
    lines: tuple[ExplainedLine, ...] | None = None,
    announced_before: bool = False,
) -> tuple[Invoice, ...]:
    """Make these invoices, which bill one thing together, ask for `target` cents -> those that changed.

    `invoice_ids`: the oldest first, at least one. A supplement is an invoice more: the caller that keeps a list of them
    finds it in the answer. `lines`: the explanation of `target`, None where it stays as it was. `announced_before`: a
    charge of it was announced, and stopped for a review that ends in this same commit. One fact tells of the whole
    change, and has the client's mail; the facts of the others carry their entries only.

    Raises Refused `disputed` while a bank decides about a payment of one of them, or of their plan's instalments.
    """
    assert target >= 0, f"a patient's share of {target} cents"
    invoices = [_known(draft.books, one) for one in invoice_ids]
    before = sum(one.total for one in invoices)
    refuse_disputed(draft.books, invoices)
    change = _Change(draft, practice, why, before, target, announced=announced_before)
    if target < before:
        left = before - target
        for invoice in reversed(invoices):
            take = min(left, invoice.total)
            if take:
                left -= take
                change.lower(invoice, take)
    elif target > before:
        change.raise_(invoices, target - before)
    change.explain(invoices, lines)
    return change.tell()


def ask_for_nothing_yet(draft: Draft, invoice_ids: Sequence[str], practice: Practice) -> Cents:
    """What was asked for before a payer decided is taken back, because another payer is to answer first (LAW-4) -> how
    many cents that is. What was collected stays until they have decided: money does not go back and come again within
    weeks. A payment that a bank looks into keeps what it is for as it is (PAY-13)."""
    less = 0
    for known in invoice_ids:
        invoice = _known(draft.books, known)
        unpaid = min(invoice.total, invoice.open_amount + invoice.credited + _still_to_come(draft.books, invoice))
        if unpaid and not is_disputed(draft.books, [invoice]):
            correct(draft, (known,), invoice.total - unpaid, practice, Why.NOT_YET)
            less += unpaid
    return less


def _still_to_come(books: Books, invoice: Invoice) -> Cents:
    """What of it a plan has yet to collect."""
    plans = [plan for plan in books.plans if invoice.invoice_id in _covered(plan)]
    unpaid = sum(i.amount for plan in plans for i in plan.instalments if i.status is not InstalmentStatus.PAID)
    return min(invoice.moved, unpaid)


def refuse_disputed(books: Books, invoices: Sequence[Invoice]) -> None:
    """Raise Refused while a bank decides about a payment of these, or of the plan they moved to (PAY-13)."""
    if is_disputed(books, invoices):
        sentence = "The client's bank is looking into a payment of this: wait for its decision."
        raise Refused("disputed", sentence, rule="PAY-13")


def is_disputed(books: Books, invoices: Sequence[Invoice]) -> bool:
    """Whether a bank decides about a payment of these, or of the plan they moved to."""
    ids = {one.invoice_id for one in invoices}
    ids |= {one.invoice_id for plan in books.plans if ids & _covered(plan) for one in _parts_of(books, plan)}
    return any(one.disputed for one in books.invoices if one.invoice_id in ids)


def waiting_for_the_bank(books: Books, payment: Attempt) -> tuple[Invoice, ...]:
    """The invoices that a dispute of this payment kept from being corrected: what it paid, and where that was a part of
    a plan, what moved to the plan."""
    paid = {part.invoice_id for part in payment.parts}
    plans = [plan for plan in books.plans if any(one.invoice_id in paid for one in _parts_of(books, plan))]
    ids = paid.union(*map(_covered, plans))
    return tuple(one for one in books.invoices if one.invoice_id in ids)


def _covered(plan: Plan) -> set[str]:
    """What moved to the plan."""
    return {part.invoice_id for part in plan.covers}


def _parts_of(books: Books, plan: Plan) -> Iterable[Invoice]:
    """What the plan's money is asked for by: its instalments, and what is left of one that ended."""
    return (one for one in books.invoices if one.source_id == plan.plan_id)


def _known(books: Books, one: str) -> Invoice:
    invoice = books.invoice(one)
    assert invoice is not None, f"invoice {one} bills something, and does not exist"
    return invoice


@dataclass
class _Change:
    """One correction while it is worked out. `returned`: what payments have too much, by attempt number."""

    draft: Draft
    practice: Practice
    why: Why
    before: Cents
    after: Cents
    entries: dict[str, list[Entry]] = field(default_factory=dict)
    returned: dict[int, Cents] = field(default_factory=dict)
    to_credit: Cents = 0
    announced: bool = False
    plan_over: bool = False
    outgrown: bool = False
    issued: Invoice | None = None
    review: dict[str, str | int] = field(default_factory=dict)

    # ------------------------------------------------------------------------------------------------- owed more

    def raise_(self, invoices: Sequence[Invoice], more: Cents) -> None:
        newest = invoices[-1]
        if not _is_untouched(newest):
            self._supplement(newest, more)
            return
        draft = self.draft
        grown = replace(
            newest,
            corrected=newest.corrected + more,
            past_due=False,
            past_due_at=past_due_from(draft.now, self.practice),
            tries=0,  # announced anew, it is another charge, with tries of its own (AUTO-7)
            first_tried_at=None,
        )
        self.announced = self.announced or newest.charge_at is not None
        self.outgrown = newest.is_small and not grown.is_small
        draft.change(back_to_reminders(grown, self.practice, draft.now))
        self.entries[newest.invoice_id] = list(invoice_issued(newest.invoice_id, more))

    def _supplement(self, like: Invoice, amount: Cents) -> None:
        """A bill of its own for what comes on top of one that was paid, moved, or is being paid."""
        draft = self.draft
        of_the_same = [i for i in draft.books.invoices if (i.source, i.source_id) == (like.source, like.source_id)]
        ordinal = 1 + max(i.ordinal for i in of_the_same)
        self.issued = new_invoice(
            self.practice,
            like.client,
            like.source,
            like.source_id,
            amount,
            service_date=like.service_date,
            provider=like.provider,
            now=draft.now,
            ordinal=ordinal,
        )
        draft.insert(self.issued)
        self.entries[self.issued.invoice_id] = list(invoice_issued(self.issued.invoice_id, amount))

    # ------------------------------------------------------------------------------------------------- owed less

    def lower(self, invoice: Invoice, less: Cents) -> None:
        """Take `less` cents off what the invoice asks for."""
        self.announced = self.announced or invoice.charge_at is not None
        taken = self._take(invoice, less)
        self.entries.setdefault(invoice.invoice_id, []).extend(corrected_down(invoice.invoice_id, taken))
        changed = _known(self.draft.books, invoice.invoice_id)
        if not changed.total:
            self.review |= end_with(self.draft, changed, ReviewStatus.NOTHING_OWED)

    def _take(self, invoice: Invoice, less: Cents) -> list[Entry]:
        """Where the cents come from, the least painful first."""
        known, taken, left = invoice.invoice_id, [], less
        changed = replace(invoice, corrected=invoice.corrected - less)
        from_open = min(left, invoice.open_amount)
        taken.append(Entry(Book.RECEIVABLE, known, -from_open))
        left -= from_open
        from_write_off = min(left, invoice.written_off)
        taken.append(Entry(Book.WRITE_OFF, known, -from_write_off))
        left -= from_write_off
        from_plan = min(left, invoice.moved)
        left -= from_plan
        from_credit = min(left, invoice.credited)
        left -= from_credit
        self.to_credit += from_credit
        taken.append(Entry(Book.CREDIT, "", -from_credit))
        self._credit(from_credit)
        already_back = min(left, invoice.refunded)
        changed = replace(
            changed,
            written_off=invoice.written_off - from_write_off,
            moved=invoice.moved - from_plan,
            credited=invoice.credited - from_credit,
            paid=invoice.paid - left,
            refunded=invoice.refunded - already_back,
            void=not invoice.amount + changed.corrected and not invoice.paid + invoice.credited,
        )
        if not changed.open_amount:
            changed = asked_for_no_more(changed)
        elif changed.is_small:
            changed = back_to_reminders(changed, self.practice, self.draft.now)
        self.draft.change(changed)
        self._count_as_returned(known, already_back)
        taken.append(Entry(Book.CREDIT, "", -self._release(known, left - already_back)))
        if from_plan and invoice.source is Source.PLAN:  # its plan broke, and it went into what was left of that
            plan = self.draft.books.plan(invoice.plan_id)
            assert plan is not None, f"{known} is an instalment of {invoice.plan_id}, which does not exist"
            taken += self._take(_remainder(self.draft.books, plan), from_plan)
        elif from_plan:
            taken += self._out_of_plans(known, from_plan)
        return taken

    def _credit(self, cents: Cents) -> None:
        if cents:
            account = self.draft.books.account
            self.draft.change(replace(account, credit=account.credit + cents))

    def _count_as_returned(self, known: str, cents: Cents) -> None:
        """What went back before, for whatever reason, is part of what goes back now: those refunds are of money that
        turns out not to have been owed."""
        books = self.draft.books
        for refund in reversed(books.refunds):
            share = next((part.amount for part in refund.parts if part.invoice_id == known), 0)
            take = min(cents, share) if refund.state is not RefundState.FAILED else 0
            if take:
                cents -= take
                self.draft.change(replace(refund, parts=_less(refund.parts, known, take)))
                payment = books.attempt(refund.payment)
                assert payment is not None, f"{refund.refund_id} refunds attempt {refund.payment}, which is not there"
                self._free(payment, known, take)
        assert not cents, f"{known}: {cents} more refunded than its refunds say"

    def _release(self, known: str, cents: Cents) -> Cents:
        """What was paid becomes the client's credit: the newest payment first -> how much that was."""
        paid = [a for a in self.draft.books.attempts if a.state is AttemptState.POSTED]
        left = cents
        for payment in sorted(paid, key=lambda a: a.number, reverse=True):
            take = min(left, self.draft.books.left_of(payment).get(known, 0))
            if take:
                left -= take
                self._free(payment, known, take)
                self.returned[payment.number] = self.returned.get(payment.number, 0) + take
        assert not left, f"{known}: {left} more paid than its payments say"
        self._credit(cents)
        return cents

    def _free(self, payment: Attempt, known: str, cents: Cents) -> None:
        now = self.draft.books.attempt(payment.number) or payment
        parts = _less(now.paid_parts, known, cents)
        self.draft.change(replace(now, applied=parts, released=now.released + cents))

    # ------------------------------------------------------------------------------------------------- from a plan

    def _out_of_plans(self, known: str, cents: Cents) -> list[Entry]:
        """The newest plan that took the invoice first, and most often the only one."""
        entries: list[Entry] = []
        for plan in sorted(self.draft.books.plans, key=lambda one: one.created_at, reverse=True):
            take = min(cents, next((p.amount for p in plan.covers if p.invoice_id == known), 0))
            if take:
                cents -= take
                entries += self._out_of_plan(plan, known, take)
        assert not cents, f"{known}: {cents} more moved than the plans say"
        return entries

    def _out_of_plan(self, plan: Plan, known: str, cents: Cents) -> list[Entry]:
        """A plan that took the invoice is smaller now: its last instalments first (PLAN-9)."""
        entries: list[Entry] = []
        left, kept = cents, []
        for instalment in reversed(plan.instalments):
            take = min(left, instalment.amount)
            left -= take
            issued = self.draft.books.invoice(instalment.invoice_id)
            if take and issued is not None:
                entries += self._take(issued, take)
            elif take and plan.status is not PlanStatus.ACTIVE:
                entries += self._take(_remainder(self.draft.books, plan), take)
            elif take:
                entries.append(Entry(Book.RECEIVABLE, plan.plan_id, -take))
            smaller = replace(instalment, amount=instalment.amount - take)
            if smaller.amount or issued is not None:
                unpaid_rest = not smaller.amount and smaller.status is not InstalmentStatus.PAID
                kept.append(replace(smaller, status=InstalmentStatus.SKIPPED) if unpaid_rest else smaller)
        assert not left, f"{plan.plan_id}: {left} more moved to it than its instalments are"
        shrunk = replace(plan, covers=_less(plan.covers, known, cents), instalments=tuple(reversed(kept)))
        self._go_on(_without_crumbs(shrunk))
        return entries

    def _go_on(self, plan: Plan) -> None:
        """The plan as it is now; one of which nothing is left to come is over."""
        draft = self.draft
        planned = any(i.status is InstalmentStatus.PLANNED for i in plan.instalments)
        over = plan.status is PlanStatus.ACTIVE and all(
            i.status in (InstalmentStatus.PAID, InstalmentStatus.SKIPPED) for i in plan.instalments
        )
        paid = any(i.status is InstalmentStatus.PAID for i in plan.instalments)
        plan = replace(plan, next_issue_at=plan.next_issue_at if planned else None)
        if over:
            plan = replace(plan, status=PlanStatus.COMPLETED if paid else PlanStatus.ENDED)
        draft.change(plan)
        self.plan_over = self.plan_over or over
        if over:
            draft.change(replace(draft.books.account, active_plan=""))
            kind = FactKind.PLAN_COMPLETED if paid else FactKind.PLAN_ENDED
            draft.fact(kind, plan, {"plan_id": plan.plan_id, "amount": plan.total})

    # ------------------------------------------------------------------------------------------------- telling

    def explain(self, invoices: Sequence[Invoice], lines: tuple[ExplainedLine, ...] | None) -> None:
        """Every invoice that asks for something explains exactly that; the oldest has the whole story."""
        if lines is None:
            return
        draft = self.draft
        now = [_known(draft.books, one.invoice_id) for one in invoices]
        if self.issued is not None:
            now.append(self.issued)
        for invoice in now:
            if not invoice.total and any(one.total for one in now):
                continue
            number = invoice.explained + 1 if invoice is not self.issued else 0
            explained = summing_to(lines, invoice.total, OTHERWISE[self.why])
            draft.insert(InvoiceLines(invoice.practice, invoice.client, invoice.invoice_id, explained, number=number))
            if number:
                draft.change(replace(_known(draft.books, invoice.invoice_id), explained=number, estimated=False))

    def tell(self) -> tuple[Invoice, ...]:
        """The facts, and what follows for money that is the client's now -> the invoices that changed."""
        draft, returned = self.draft, sum(self.returned.values())
        changed = [_known(draft.books, one) for one in self.entries]
        about: dict[str, str | int] = {
            "before": self.before,
            "after": self.after,
            "why": self.why,
            "returned": self._give_back(),
            "credited": self.to_credit,
            "announced": int(self.announced),
            "plan_over": int(self.plan_over),
            **self.review,
        }
        if self.outgrown:
            about["outgrown"] = 1
        about["credited"] = self.to_credit + returned - int(about["returned"])
        for number, invoice in enumerate(changed):
            data: dict[str, str | int] = {"invoice_id": invoice.invoice_id, "amount": invoice.open_amount}
            kind = FactKind.INVOICE_CORRECTED
            if invoice.invoice_id == (self.issued.invoice_id if self.issued else ""):
                kind = FactKind.INVOICE_ISSUED
            draft.fact(kind, invoice, data | (about if not number else {}), self.entries[invoice.invoice_id])
        if self.practice.policy.overpayment is Overpayment.CREDIT:
            apply_credit(draft, told=True)
        return tuple(_known(draft.books, one.invoice_id) for one in changed)

    def _give_back(self) -> Cents:
        """Start the refunds of what cards paid too much -> how much of it is on its way. What the practice took itself
        stays credit, and so does everything where it chose that."""
        draft, total = self.draft, 0
        if self.practice.policy.overpayment is Overpayment.CREDIT:
            return 0
        for number, cents in self.returned.items():
            payment = draft.books.attempt(number)
            assert payment is not None
            if payment.channel is not AttemptKind.OUTSIDE:
                named = refund_id(
                    payment.practice, payment.client, RefundCause.CORRECTED, payment.attempt_id, str(payment.version)
                )
                start_refund(draft, payment, cents, (), RefundCause.CORRECTED, named)
                total += cents
        return total


def _is_untouched(invoice: Invoice) -> bool:
    """Nothing was paid of it or is being paid, and it is nobody's but the client's: it may simply grow."""
    touched = (invoice.paid, invoice.credited, invoice.written_off, invoice.moved, invoice.open_attempt)
    return not any(touched) and not invoice.void and invoice.source is not Source.PLAN and invoice.total > 0


def _less(parts: Sequence[Part], known: str, cents: Cents) -> tuple[Part, ...]:
    """The shares with `cents` less of one; shares of nothing are none."""
    lowered = (replace(p, amount=p.amount - cents) if p.invoice_id == known else p for p in parts)
    return tuple(part for part in lowered if part.amount)


def _remainder(books: Books, plan: Plan) -> Invoice:
    """What a broken plan became (PLAN-7)."""
    return next(i for i in books.invoices if (i.source, i.source_id) == (Source.PLAN_REMAINDER, plan.plan_id))


def _without_crumbs(plan: Plan) -> Plan:
    """No planned instalment is below what a card can pay (PLAN-2): the rest of a shrunk one joins the one before."""
    parts = list(plan.instalments)
    last = parts[-1] if parts else None
    before = parts[-2] if len(parts) > 1 else None
    if (
        last is None
        or before is None
        or not 0 < last.amount < STRIPE_MINIMUM
        or {last.status, before.status} != {InstalmentStatus.PLANNED}
    ):
        return plan
    return replace(plan, instalments=(*parts[:-2], replace(before, amount=before.amount + last.amount)))


# ---------------------------------------------------------------------------------------------------- credit


def apply_credit(draft: Draft, *, told: bool = False) -> Cents:
    """Let the client's credit pay open invoices, the oldest first -> how much it paid (INV-3, `overpayment`). `told`:
    another mail says so already."""
    used = 0
    for invoice in draft.books.invoices:
        account = draft.books.account
        take = min(account.credit, invoice.open_amount) if invoice.payable and not invoice.open_attempt else 0
        if take > 0:
            used += take
            paid = replace(invoice, credited=invoice.credited + take)
            draft.change(paid if paid.open_amount else asked_for_no_more(paid))
            draft.change(replace(account, credit=account.credit - take))
            data: dict[str, str | int] = {
                "invoice_id": invoice.invoice_id,
                "amount": take,
                "left": paid.open_amount,
                "told": int(told),
            }
            draft.fact(FactKind.CREDIT_APPLIED, paid, data, credit_applied(invoice.invoice_id, take))
            instalment_paid(draft, invoice.invoice_id)
    return used


def use_credit(books: Books, practice: Practice, cause: str, now: datetime) -> tuple[Write, ...]:
    """What lets the client's credit pay before anything else does, asked whenever money is about to be taken; ()
    where there is none, or the practice sends such money back."""
    if books.account.credit <= 0 or practice.policy.overpayment is not Overpayment.CREDIT:
        return ()
    draft = Draft(books, now, "system", cause)
    return draft.writes() if apply_credit(draft) else ()
