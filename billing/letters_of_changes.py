"""The mails about what staff changed, and about money that goes back: an invoice is not owed any more, a refund, a bank
that disputes a payment."""

from collections.abc import Iterable

from billing.desk import Desk, Written, staff
from billing.dispute import DisputeState
from billing.facts import Fact, FactKind
from billing.letters_of_reviews import review_over
from billing.money import dollars
from billing.notice import NoticeKind
from billing.payment import Attempt
from billing.refund import RefundCause
from billing.small_amounts import TOO_SMALL


def no_longer_owed(fact: Fact, desk: Desk) -> Iterable[Written]:
    """The client hears it only of what they were once told to pay, or know that it is looked into (DESK-3, INV-7). Why
    is staff's own note, told to nobody. That a few cents are let go by themselves is no news (INV-11)."""
    amount, invoice_id, checked = int(fact.data["amount"]), str(fact.data["invoice_id"]), review_over(fact)
    if not amount or fact.data.get("reason") == TOO_SMALL or (invoice_id not in desk.told and not checked):
        return ()
    voided = fact.kind == FactKind.INVOICE_VOIDED
    letter = desk.to_client(
        NoticeKind.NO_LONGER_OWED,
        amount=amount,
        reason=f"cancelled your bill of {dollars(amount)}" if voided else f"no longer asks you for {dollars(amount)}",
        announced=bool(fact.data["announced"]),
        what_to_do=checked,
    )
    return [(letter, ())]


def plan_ended(fact: Fact, desk: Desk) -> Iterable[Written]:
    """Staff ended the plan: what is left is one bill (DESK-4). One of which a correction left nothing has that mail."""
    if "invoice_id" not in fact.data:
        return ()
    off = "The payment we announced will not be taken. " if fact.data["announced"] else ""
    letter = desk.to_client(
        NoticeKind.PLAN_BROKEN,
        amount=int(fact.data["amount"]),
        reason="we ended your payment plan.",
        what_to_do=f"{off}No more instalments are charged. Is that too much at once? Please call us.",
    )
    return [(letter, (str(fact.data["invoice_id"]),))]


def refund_sent(fact: Fact, desk: Desk) -> Iterable[Written]:
    """The client is told once the money has left; staff of one that was made past us (PAY-12)."""
    amount, cause = int(fact.data["amount"]), fact.data["cause"]
    if cause == RefundCause.CORRECTED:
        return ()  # the mail about the correction says it (INV-3: one mail)
    letter = desk.to_client(
        NoticeKind.REFUND,
        amount=amount,
        card=_payment(fact, desk).card_shown,
        moment=fact.at,
        reason="we received more than you owed" if cause == RefundCause.OVERPAID else "",
    )
    if cause != RefundCause.AT_STRIPE:
        return [(letter, ())]
    reason = f"{dollars(amount)} of client {fact.client} were refunded in Stripe's dashboard."
    what_to_do = "It is booked. Please refund here the next time: then the reason is kept, and nothing is sent twice."
    return [(letter, ()), *staff(desk, reason, what_to_do)]


def refund_failed(fact: Fact, desk: Desk) -> Iterable[Written]:
    """Staff find another way; the client hears it only where they were told that it was on its way (PAY-12)."""
    if "again" in fact.data:
        return _refund_refused(fact, desk)
    amount, payment = int(fact.data["amount"]), _payment(fact, desk)
    reason = f"A refund of {dollars(amount)} to client {fact.client} did not arrive ({_in_words(fact.data['reason'])})."
    what_to_do = f"Refund it once more, or pay it back another way. The payment is {payment.attempt_id}."
    alerts = staff(desk, reason, what_to_do)
    if not fact.data["posted"]:
        return alerts
    return [(desk.to_client(NoticeKind.REFUND_FAILED, amount=amount, card=payment.card_shown), ()), *alerts]


def _refund_refused(fact: Fact, desk: Desk) -> Iterable[Written]:
    """Stripe would not send it: staff hear what goes back instead and what is left to do; the client, who was told that
    it goes back, hears of what stays with us, and of nothing else: all that does go back has a mail of its own."""
    amount, payment = int(fact.data["amount"]), _payment(fact, desk)
    again, credited = int(fact.data["again"]), int(fact.data["credited"])
    reason = (
        f"Stripe refused a refund of {dollars(amount)} to client {fact.client} ({_in_words(fact.data['reason'])}): "
        "what it knows to have gone back of that payment is booked."
    )
    steps = [f"{dollars(again)} is on its way instead, all that this card can still get back."] if again else []
    if credited:
        steps.append(f"{dollars(credited)} cannot go back to the card and is their credit: give it back another way.")
    if not again and not credited:
        steps.append("See on their account what went back. Refund it once more only if it should still go back.")
    steps.append(f"The payment is {payment.attempt_id}.")
    alerts = staff(desk, reason, " ".join(steps))
    if not credited:
        return alerts
    letter = desk.to_client(NoticeKind.REFUND_FAILED, amount=amount, card=payment.card_shown, credited=credited)
    return [(letter, ()), *alerts]


def dispute_opened(fact: Fact, desk: Desk) -> Iterable[Written]:
    """Staff only: the client's bank has it in hand (PAY-13)."""
    amount, payment = int(fact.data["amount"]), _payment(fact, desk)
    reason = (
        f"The bank of client {fact.client} disputes a payment of {dollars(amount)} ({_in_words(fact.data['reason'])})."
    )
    what_to_do = (
        "Answer it in Stripe's dashboard before its deadline; the receipt and the notice of the charge are evidence. "
        f"Nothing is charged or asked for meanwhile. The payment is {payment.attempt_id}."
    )
    return staff(desk, reason, what_to_do)


def dispute_closed(fact: Fact, desk: Desk) -> Iterable[Written]:
    """What the bank decided, and what that leaves to do (PAY-13)."""
    amount, payment = dollars(int(fact.data["amount"])), _payment(fact, desk)
    if fact.data["state"] == DisputeState.WON:
        reason = f"The dispute of {amount} of client {fact.client} is over: the payment stands."
        return staff(
            desk, reason, f"You need to do nothing: everything is as before. The payment is {payment.attempt_id}."
        )
    reason = f"The dispute of {amount} of client {fact.client} is lost: their bank keeps the money."
    what_to_do = (
        "What it had paid is open again. No card is charged for it by itself; the client gets the reminders that are "
        f"left. Call them, or write it off. The payment is {payment.attempt_id}."
    )
    return staff(desk, reason, what_to_do)


def _payment(fact: Fact, desk: Desk) -> Attempt:
    payment = desk.books.attempt(int(fact.data["attempt"]))
    assert payment is not None, f"{fact.kind} names attempt {fact.data['attempt']}, which does not exist"
    return payment


def _in_words(code: str | int) -> str:
    """A code of Stripe's as a person reads it."""
    return str(code).replace("_", " ") or "no reason given"
