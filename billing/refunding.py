"""Starting a refund and settling it: money goes back to the card that paid, never more than that card paid (PAY-12).

A refund never makes anything owed again: what went back of an invoice is counted on it, its open amount stays. As with
charges, whoever hears of a refund (its own sending, a webhook, the look-up) settles it by the same ranked evidence, in
any order and any number of times.
"""

from dataclasses import replace
from datetime import datetime

from billing.account import Books
from billing.dispute import DisputeState
from billing.disputing import settle_dispute, share_again
from billing.draft import Draft
from billing.facts import FactKind
from billing.ids import attempt_id, refund_id
from billing.invoice import Invoice
from billing.ledger import Entry, refund_failed, refund_posted, refund_started
from billing.money import Cents
from billing.payment import Attempt, AttemptKind, AttemptState, Part, next_look_up
from billing.policy import Practice
from billing.ports import Refused, TakenBack, Write
from billing.refund import REFUND_RANK, Refund, RefundCause, RefundEvidence, RefundState

# ---------------------------------------------------------------------------------------------------- how much


def refundable(books: Books, invoice: Invoice) -> Cents:
    """The most that staff can send back of what was paid for this invoice, in cents."""
    return sum(left for _, left in _refundable(books, invoice))


def _refundable(books: Books, invoice: Invoice) -> list[tuple[Attempt, Cents]]:
    """The card payments of the invoice and what may go back of each, the newest payment first."""
    found = []
    for payment in _payments(books, invoice):
        left = books.left_of(payment)[invoice.invoice_id]
        if left and payment.channel is not AttemptKind.OUTSIDE and not books.is_disputed(payment):
            found.append((payment, left))
    return found


def _payments(books: Books, invoice: Invoice) -> list[Attempt]:
    """What paid the invoice, the newest first."""
    paid = (a for a in books.attempts if a.state is AttemptState.POSTED)
    ours = (a for a in paid if any(p.invoice_id == invoice.invoice_id for p in a.paid_parts))
    return sorted(ours, key=lambda a: a.number, reverse=True)


# ---------------------------------------------------------------------------------------------------- starting


def refund_invoice(draft: Draft, invoice: Invoice, amount: Cents | None, request_id: str) -> tuple[Refund, ...]:
    """Start sending back `amount` cents (None: all that can be) of what cards paid for this invoice, the newest payment
    first: one refund for each payment it takes, all in this draft. `request_id` names the request for good.

    Raises Refused: `disputed` while a dispute of it is open, `paid_outside` where the money never was at Stripe,
    `more_than_paid` above what is left of the payments, `nothing_to_refund` where nothing is.
    """
    assert amount is None or amount > 0, f"a refund of {amount} cents"
    books = draft.books
    can = _refundable(books, invoice)
    most = sum(left for _, left in can)
    wanted = most if amount is None else amount
    if not wanted or wanted > most:
        raise _no(books, invoice, most)
    refunds = []
    for payment, left in can:
        take = min(left, wanted)
        if take:
            wanted -= take
            named = refund_id(invoice.practice, invoice.client, request_id, payment.attempt_id)
            parts = (Part(invoice.invoice_id, take),)
            refunds.append(start_refund(draft, payment, take, parts, RefundCause.STAFF, named))
    return tuple(refunds)


def _no(books: Books, invoice: Invoice, most: Cents) -> Refused:
    left = [(payment, books.left_of(payment)[invoice.invoice_id]) for payment in _payments(books, invoice)]
    if any(cents and books.is_disputed(payment) for payment, cents in left):
        return Refused("disputed", "The client's bank is deciding about this payment: wait for it.", rule="PAY-13")
    if any(cents and payment.channel is AttemptKind.OUTSIDE for payment, cents in left):
        sentence = "This was not paid by card: give the money back the way it came."
        return Refused("paid_outside", sentence, rule="PAY-12")
    if most:
        return Refused("more_than_paid", f"At most {most} cents of this can go back to the card.", rule="PAY-12")
    return Refused("nothing_to_refund", "No card payment of this invoice is left to refund.", rule="PAY-12")


def start_refund(
    draft: Draft, payment: Attempt, amount: Cents, parts: tuple[Part, ...], cause: RefundCause, named: str
) -> Refund:
    """Put a refund of this payment on disk and set its money aside: `parts` were invoices', the rest is credit's."""
    refund = Refund(
        practice=payment.practice,
        client=payment.client,
        refund_id=named,
        version=1,
        cause=cause,
        payment=payment.number,
        intent_id=payment.intent_id,
        amount=amount,
        parts=parts,
        started_at=draft.now,
        look_up_at=next_look_up(draft.now, 0),
    )
    draft.insert(refund)
    for part in parts:
        _count(draft, part, 1)
    _spend(draft, refund.out_of_credit)
    draft.fact(FactKind.REFUND_STARTED, refund, _about(refund), refund_started(_pairs(refund), refund.out_of_credit))
    return refund


def return_excess(draft: Draft, payment: Attempt) -> None:
    """What was paid above what was owed goes back at once to the card that paid it; it was booked as credit before."""
    named = refund_id(payment.practice, payment.client, RefundCause.OVERPAID, payment.attempt_id)
    start_refund(draft, payment, payment.excess, (), RefundCause.OVERPAID, named)


def _count(draft: Draft, part: Part, sign: int) -> None:
    invoice = draft.books.invoice(part.invoice_id)
    assert invoice is not None, f"a refund of {part.invoice_id}, which does not exist"
    draft.change(replace(invoice, refunded=invoice.refunded + sign * part.amount))


def _spend(draft: Draft, cents: Cents) -> None:
    if cents:
        account = draft.books.account
        draft.change(replace(account, credit=account.credit - cents))


def _pairs(refund: Refund) -> list[tuple[str, Cents]]:
    return [(part.invoice_id, part.amount) for part in refund.parts]


def _about(refund: Refund) -> dict[str, str | int]:
    return {
        "refund_id": refund.refund_id,
        "attempt": refund.payment,
        "payment_id": attempt_id(refund.practice, refund.client, refund.payment),
        "amount": refund.amount,
        "cause": refund.cause,
    }


# ---------------------------------------------------------------------------------------------------- settling


def settle_refund(draft: Draft, refund: Refund, evidence: RefundEvidence, practice: Practice) -> None:
    """What this evidence about this refund changes; nothing where nothing new was learned."""
    _settle(draft, refund, evidence, practice, refused=False)


def settle_refused(draft: Draft, refund: Refund, evidence: RefundEvidence, practice: Practice) -> None:
    """Stripe would not send this refund, and all that it knows to have gone back of the payment is booked: what it
    still has goes back instead."""
    _settle(draft, refund, evidence, practice, refused=True)


def _settle(draft: Draft, refund: Refund, evidence: RefundEvidence, practice: Practice, *, refused: bool) -> None:
    if REFUND_RANK[evidence.state] <= REFUND_RANK[refund.state]:
        _look_again(draft, refund)
        return
    known = replace(
        refund,
        state=evidence.state,
        stripe_id=evidence.stripe_id or refund.stripe_id,
        reason=evidence.reason,
        look_ups=0,
        look_up_at=next_look_up(draft.now, 0),
    )
    if known.on_its_way:
        draft.change(known)
        return
    known = replace(known, settled_at=draft.now, look_up_at=None)
    draft.change(known)
    if known.state is RefundState.POSTED:
        draft.fact(FactKind.REFUND_POSTED, known, _about(known), refund_posted(known.amount))
    else:
        _failed(draft, known, practice, posted=refund.state is RefundState.POSTED, refused=refused)


def _look_again(draft: Draft, refund: Refund) -> None:
    """Nothing learned: ask again later, unless that is already planned."""
    if refund.on_its_way and (refund.look_up_at is None or refund.look_up_at <= draft.now):
        look_ups = refund.look_ups + 1
        draft.change(replace(refund, look_ups=look_ups, look_up_at=next_look_up(draft.now, look_ups)))


def _failed(draft: Draft, refund: Refund, practice: Practice, *, posted: bool, refused: bool) -> None:
    """The money did not go back, or came back (`posted`: the client was told that it was on its way): everything is as
    before it started."""
    for part in refund.parts:
        _count(draft, part, -1)
    _spend(draft, -refund.out_of_credit)
    payment = draft.books.attempt(refund.payment)
    assert payment is not None, f"{refund.refund_id} refunds attempt {refund.payment}, which does not exist"
    entries = refund_failed(_pairs(refund), refund.out_of_credit, posted=posted)
    entries += _booked_again(draft, payment)
    entries += share_again(draft, payment, refund.out_of_credit, practice)
    data = _about(refund) | {"reason": refund.reason, "posted": int(posted)}
    if refused:
        data["again"] = _send_what_is_left(draft, refund, payment)
        data["credited"] = min(refund.out_of_credit, _not_sent_back(draft.books, payment), draft.books.account.credit)
    draft.fact(FactKind.REFUND_FAILED, refund, data, entries)


def _booked_again(draft: Draft, payment: Attempt) -> tuple[Entry, ...]:
    """A refund of ours failed: those that somebody made at Stripe meanwhile are booked as if it had never been. They
    take what was the client's first, so nobody gets the same cents twice, whichever of the two was heard of first."""
    made = [r for r in draft.books.refunds if r.payment == payment.number and r.cause is RefundCause.AT_STRIPE]
    made = sorted((r for r in made if r.state is not RefundState.FAILED), key=lambda r: (r.started_at, r.refund_id))
    account, ids = draft.books.account, {r.refund_id for r in made}
    credit = account.credit + sum(r.out_of_credit for r in made)
    without = replace(
        draft.books,
        account=replace(account, credit=credit),
        refunds=tuple(r for r in draft.books.refunds if r.refund_id not in ids),
    )
    entries: tuple[Entry, ...] = ()
    for before in made:
        after = replace(before, parts=_shares(without, payment, before.amount))
        credit -= after.out_of_credit
        without = replace(without, account=replace(account, credit=credit), refunds=(*without.refunds, after))
        if dict(_pairs(after)) != dict(_pairs(before)):
            draft.change(after)
            for part, sign in [*((one, -1) for one in before.parts), *((one, 1) for one in after.parts)]:
                _count(draft, part, sign)
            _spend(draft, after.out_of_credit - before.out_of_credit)
            entries += refund_failed(_pairs(before), before.out_of_credit, posted=False)
            entries += refund_started(_pairs(after), after.out_of_credit)
    return entries


def _send_what_is_left(draft: Draft, refused: Refund, payment: Attempt) -> Cents:
    """Start what of a refused refund Stripe can still send, where that is less than was asked -> how much. First what
    is the client's anyway, then its invoices' shares."""
    books, left = draft.books, _at_stripe(draft.books, payment)
    if left >= refused.amount:
        return 0  # it was refused for another reason: the same again would be, too
    theirs = min(refused.out_of_credit, _not_sent_back(books, payment), max(0, books.account.credit), left)
    left -= theirs
    parts: list[Part] = []
    for part in refused.parts:
        share = min(part.amount, books.left_of(payment).get(part.invoice_id, 0), left)
        left -= share
        parts += [Part(part.invoice_id, share)] if share else []
    amount = theirs + sum(part.amount for part in parts)
    if amount:
        named = refund_id(payment.practice, payment.client, "instead", refused.refund_id)
        start_refund(draft, payment, amount, tuple(parts), refused.cause, named)
    return amount


def _at_stripe(books: Books, payment: Attempt) -> Cents:
    """What Stripe can still send back of a payment: what came, less what went back or is on its way; nothing once its
    bank took some of it, unless that was won (docs.stripe.com/api/disputes/object, is_charge_refundable)."""
    if any(one.payment == payment.number and one.state is not DisputeState.WON for one in books.disputes):
        return 0
    came = sum(part.amount for part in payment.paid_parts) + payment.excess + payment.released
    return max(0, came - books.refunded_of(payment))


ROOM_BESIDES = 12
"""What one refund or dispute may write besides its payment's invoices and a fact of each: its own row and facts, the
account, a plan that breaks."""


def settle_taken_back(
    books: Books, payment: Attempt, taken: TakenBack, practice: Practice, now: datetime
) -> tuple[tuple[Write, ...], bool]:
    """The commit of all that Stripe knows to have gone back of a payment, and whether all of it fitted.

    `books` must have been read before Stripe was asked: then what Stripe said is at least as new as the versions that
    guard the commit, and the newest word wins.
    """
    draft = Draft(books, now, "stripe", payment.attempt_id)
    most = 2 * len(payment.parts) + ROOM_BESIDES
    for refund in taken.refunds:
        if draft.room < most:
            return draft.writes(), False
        _hear_of(draft, payment, refund, practice)
    for dispute in taken.disputes:
        if draft.room < most:
            return draft.writes(), False
        settle_dispute(draft, payment, dispute, practice)
    return draft.writes(), True


def _hear_of(draft: Draft, payment: Attempt, evidence: RefundEvidence, practice: Practice) -> None:
    """A refund of this payment as Stripe lists it: one of ours, or one that somebody made in Stripe's dashboard."""
    refund = draft.books.refund(evidence.refund_id) or next(
        (r for r in draft.books.refunds if r.stripe_id == evidence.stripe_id), None
    )
    if refund is None:
        if evidence.state is RefundState.FAILED:
            return  # it went nowhere, and nobody here ever heard of it
        refund = _made_at_stripe(draft, payment, evidence)
    settle_refund(draft, refund, evidence, practice)


def _not_sent_back(books: Books, payment: Attempt) -> Cents:
    """What a payment had too much, from the beginning or by a correction, and that no refund has taken."""
    ours = (r for r in books.refunds if r.payment == payment.number and r.state is not RefundState.FAILED)
    return max(0, payment.excess + payment.released - sum(r.out_of_credit for r in ours))


def _made_at_stripe(draft: Draft, payment: Attempt, evidence: RefundEvidence) -> Refund:
    """Book what somebody refunded without us: first what of this payment was the client's anyway and could not go back
    (nobody gets the same cents twice), then of its invoices as far as they have it, then of other credit; what none has
    is given by the practice, in the name of the payment's first invoice."""
    parts = _shares(draft.books, payment, evidence.amount)
    named = refund_id(payment.practice, payment.client, RefundCause.AT_STRIPE, evidence.stripe_id)
    return start_refund(draft, payment, evidence.amount, parts, RefundCause.AT_STRIPE, named)


def _shares(books: Books, payment: Attempt, amount: Cents) -> tuple[Part, ...]:
    """What of a refund made at Stripe was the invoices'; the rest was the client's credit."""
    credit = max(0, books.account.credit)
    was_theirs = min(amount, credit, _not_sent_back(books, payment))
    left, shares = amount - was_theirs, {}
    for invoice_id, has in books.left_of(payment).items():
        shares[invoice_id] = min(left, has)
        left -= shares[invoice_id]
    left -= min(left, credit - was_theirs)
    first = payment.parts[0].invoice_id
    shares[first] = shares.get(first, 0) + left
    return tuple(Part(invoice_id, share) for invoice_id, share in shares.items() if share)
