"""The mail about a bill whose amount changed (INV-3): what changed, why, and what that does to money, in one letter."""

from collections.abc import Iterable

from billing.correcting import Why
from billing.desk import Desk, Written, staff
from billing.facts import Fact
from billing.invoice import Invoice
from billing.letters_of_reviews import review_over
from billing.money import STRIPE_MINIMUM, Cents, dollars
from billing.notice import LetterItem, NoticeKind
from billing.plan import InstalmentStatus, Plan, PlanStatus
from billing.policy import Overpayment
from billing.refund import RefundCause

SENTENCES = {
    Why.ADJUDICATED: "Your health plan has decided; before, we could only estimate your part.",
    Why.CORRECTION: "Your health plan corrected its decision.",
    Why.REVERSAL: "Your health plan took its decision back. When it has decided again, we will email you.",
    Why.OTHER_PAYER: "Your other health plan has decided as well.",
    Why.NOT_YET: "Another health plan decides as well; until both have, nothing more is due. Then we write to you.",
    Why.RELEASED: "We looked into your health plan's decision.",
    Why.REVIEW: "We looked into this bill.",
    Why.PROGRAMME: "Another programme pays for this, so you owe nothing for it.",
}


def change_in_words(fact: Fact) -> str:
    """From what to what, and why."""
    before, after = int(fact.data["before"]), int(fact.data["after"])
    return f"your bill is now {dollars(after)} instead of {dollars(before)}. {SENTENCES[Why(str(fact.data['why']))]}"


def changed(fact: Fact, desk: Desk) -> Iterable[Written]:
    """What the bill is now, what goes back or stays credit, and what becomes of an announced charge or a plan. Where
    money stays with us that the practice took itself, staff must give it back."""
    invoice_id = str(fact.data["invoice_id"])
    returned, credited = int(fact.data["returned"]), int(fact.data["credited"])
    invoice = desk.books.invoice(invoice_id)
    assert invoice is not None, f"{fact.kind} names {invoice_id}, which does not exist"
    card = desk.books.default_card
    over = ("Your payment plan is over: no more instalments are charged.",) if fact.data["plan_over"] else ()
    asked, waits = _asked_for_now(invoice)
    plan = next((p for p in desk.books.plans if p.status is PlanStatus.ACTIVE and _covers(p, invoice_id)), None)
    coming = [i for i in plan.instalments if i.status is InstalmentStatus.PLANNED] if plan and invoice.moved else []
    letter = desk.to_client(
        NoticeKind.INVOICE_CHANGED,
        amount=asked,
        before=int(fact.data["before"]),
        after=int(fact.data["after"]),
        change=SENTENCES[Why(str(fact.data["why"]))],
        returned=returned,
        returned_to=_cards(fact, desk),
        credited=credited,
        announced=bool(fact.data["announced"]) and desk.books.account.autopay,
        moment=invoice.charge_at,
        card=card.shown if card else "",
        what_to_do=" ".join(filter(None, (*over, review_over(fact), waits))),
        items=tuple(LetterItem(f"Instalment on {i.issue_on:%B} {i.issue_on.day}", i.amount) for i in coming),
    )
    letters: list[Written] = [(letter, (invoice_id,))]
    if credited and desk.practice.policy.overpayment is Overpayment.REFUND:
        reason = f"A bill of client {fact.client} was corrected, and they have {dollars(credited)} of credit."
        letters += staff(desk, reason, "That was not paid by card: give it back the way it came.")
    return letters


def _asked_for_now(invoice: Invoice) -> tuple[Cents, str]:
    """What the client may pay now, and why it is nothing where something is open."""
    if invoice.in_review:
        return 0, "We are still looking into this bill: nothing is charged or due until that is decided."
    if 0 < invoice.open_amount < STRIPE_MINIMUM:
        few = dollars(invoice.open_amount)
        return 0, f"{few} is below the smallest amount a card can pay. It waits for your next bill."
    return invoice.open_amount, ""


def _covers(plan: Plan, invoice_id: str) -> bool:
    return invoice_id in {part.invoice_id for part in plan.covers}


def _cards(fact: Fact, desk: Desk) -> str:
    """The cards that the money of this correction goes back to."""
    ours = [r for r in desk.books.refunds if r.cause is RefundCause.CORRECTED and r.started_at == fact.at]
    paid = (desk.books.attempt(r.payment) for r in ours)
    return " and ".join(sorted({a.card_shown for a in paid if a is not None and a.card_shown}))


def credit_used(fact: Fact, desk: Desk) -> Iterable[Written]:
    """A bill that credit paid whole has no other mail; of any other one, its own says what is left."""
    if fact.data["told"] or fact.data["left"]:
        return ()
    return [(desk.to_client(NoticeKind.CREDIT_USED, amount=int(fact.data["amount"])), (str(fact.data["invoice_id"]),))]
