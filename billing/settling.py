"""Starting an attempt and settling it: the only places that decide what an answer of Stripe's does to the books.

`settle` may be called by the charge itself, by a webhook, by the look-up of the janitor or by whoever must close an
attempt first, in any order and any number of times: evidence is ranked, and what is settled stays settled.
"""

from dataclasses import replace
from datetime import datetime

from billing.account import Books, Consent
from billing.autopay import FAILED_CHARGES_END_AUTOPAY, NoCharge, after_failure, meaning_of, taken_back
from billing.draft import Draft
from billing.dunning import back_to_reminders
from billing.facts import FactKind
from billing.ids import digest
from billing.invoice import Invoice
from billing.ledger import payment_posted
from billing.money import STRIPE_MINIMUM
from billing.payment import (
    CHECKOUT_LASTS,
    RANK,
    Attempt,
    AttemptKind,
    AttemptState,
    Card,
    CardDetails,
    Enrolment,
    Evidence,
    Part,
    next_look_up,
)
from billing.plan_progress import instalment_failed, instalment_paid
from billing.policy import Practice
from billing.ports import Refused, Write
from billing.refunding import return_excess

# ---------------------------------------------------------------------------------------------------- starting


def start_charge(
    books: Books, invoice: Invoice, card: Card, now: datetime, along: tuple[Invoice, ...] = ()
) -> tuple[Attempt, tuple[Write, ...]]:
    """The attempt of an announced charge, with the whole request, and the commit that puts it on disk before Stripe
    hears of it. The account row is relied on: consent, cap and card are those the decision saw (invariant 3).

    `along`: small amounts that were announced with it (INV-11).
    """
    assert not invoice.open_attempt, f"{invoice.invoice_id}: attempt {invoice.open_attempt} must be closed first"
    attempt = Attempt(
        practice=invoice.practice,
        client=invoice.client,
        number=books.next_attempt_number,
        version=1,
        channel=AttemptKind.AUTOPAY,
        parts=tuple(Part(one.invoice_id, one.open_amount) for one in (invoice, *along)),
        customer=books.account.stripe_customer,
        payment_method=card.payment_method,
        card_id=card.card_id,
        card_shown=card.shown,
        consent_id=books.account.consent_id,
        started_at=now,
        look_up_at=next_look_up(now, 0),
    )
    changed_card = card.card_id != invoice.card_id
    draft = Draft(books, now, "system", invoice.invoice_id)
    draft.insert(attempt)
    draft.change(
        replace(
            invoice,
            open_attempt=attempt.number,
            charge_at=None,
            card_id=card.card_id,
            tries=0 if changed_card else invoice.tries,
            first_tried_at=None if changed_card else invoice.first_tried_at,
        )
    )
    for small in along:
        draft.change(replace(small, open_attempt=attempt.number))
    draft.rely_on(books.account)
    return attempt, draft.writes()


def start_checkout(
    books: Books, invoices: tuple[Invoice, ...], enrolment: Enrolment | None, now: datetime
) -> tuple[Attempt, tuple[Write, ...]]:
    """The attempt of a hosted payment page for these invoices, whole (PAY-4), and its commit.

    Raises Refused where nothing is open, an attempt is open, or the sum is below Stripe's minimum.
    """
    amount = sum(i.open_amount for i in invoices)
    if not invoices or any(not i.payable for i in invoices):
        raise Refused("nothing_to_pay", "One of these is paid or being looked into: open the page again.")
    if any(i.open_attempt for i in invoices):
        raise Refused("payment_in_progress", "A payment for this is already on its way: wait a minute and look again.")
    if amount < STRIPE_MINIMUM:
        raise Refused("below_minimum", "Amounts under $0.50 wait for your next bill.", rule="INV-11")
    parts = tuple(Part(i.invoice_id, i.open_amount) for i in invoices)
    attempt = _hosted(books, AttemptKind.CHECKOUT, parts, enrolment, now)
    draft = Draft(books, now, "client", attempt.attempt_id)
    draft.insert(attempt)
    for invoice in invoices:
        draft.change(replace(invoice, open_attempt=attempt.number))
    return attempt, draft.writes()


def start_setup(books: Books, enrolment: Enrolment | None, now: datetime) -> tuple[Attempt, tuple[Write, ...]]:
    """The attempt of a hosted page that saves a card and charges nothing (AUTO-1), and its commit."""
    attempt = _hosted(books, AttemptKind.SETUP, (), enrolment, now)
    draft = Draft(books, now, "client", attempt.attempt_id)
    draft.insert(attempt)
    return attempt, draft.writes()


def _hosted(
    books: Books, channel: AttemptKind, parts: tuple[Part, ...], enrolment: Enrolment | None, now: datetime
) -> Attempt:
    expires_at = now + CHECKOUT_LASTS
    return Attempt(
        practice=books.account.practice,
        client=books.account.client,
        number=books.next_attempt_number,
        version=1,
        channel=channel,
        parts=parts,
        customer=books.account.stripe_customer,
        payment_method="",
        card_id="",
        started_at=now,
        expires_at=expires_at,
        save_card=channel is AttemptKind.SETUP or enrolment is not None,
        enrolment=enrolment,
        look_up_at=next_look_up(now, 0),
    )


# ---------------------------------------------------------------------------------------------------- settling


def settle(books: Books, attempt: Attempt, evidence: Evidence, practice: Practice, now: datetime) -> tuple[Write, ...]:
    """What this evidence about this attempt changes; () where nothing new was learned."""
    draft = Draft(books, now, "stripe", attempt.attempt_id)
    if RANK[evidence.state] <= RANK[attempt.state]:
        if attempt.is_open and evidence.state in (AttemptState.STARTED, AttemptState.UNKNOWN):
            _look_again(draft, attempt)
        return draft.writes()
    match evidence.state:
        case AttemptState.UNKNOWN:
            _unknown(draft, attempt, evidence)
        case AttemptState.FAILED:
            _failed(draft, attempt, evidence, practice)
        case AttemptState.POSTED:
            _posted(draft, attempt, evidence, practice)
        case AttemptState.STARTED:
            raise AssertionError("started is the weakest evidence and cannot outrank")
    return draft.writes()


def _look_again(draft: Draft, attempt: Attempt) -> None:
    """Nothing learned: ask again later, unless that is already planned."""
    if attempt.look_up_at is not None and attempt.look_up_at > draft.now:
        return
    later = next_look_up(draft.now, attempt.look_ups + 1)
    if attempt.expires_at is not None and attempt.expires_at > draft.now:
        later = next_look_up(attempt.expires_at, 0)  # a page still open is asked about once more when it is over
    draft.change(replace(attempt, look_ups=attempt.look_ups + 1, look_up_at=later))


def _unknown(draft: Draft, attempt: Attempt, evidence: Evidence) -> None:
    """The answer was lost. It is looked up, never sent again blind."""
    changed = replace(
        attempt, state=AttemptState.UNKNOWN, reason=evidence.reason, look_up_at=next_look_up(draft.now, 0)
    )
    draft.change(changed)
    draft.fact(FactKind.PAYMENT_UNKNOWN, changed, {"attempt": attempt.number, "amount": attempt.amount})


def _failed(draft: Draft, attempt: Attempt, evidence: Evidence, practice: Practice) -> None:
    failed = replace(
        attempt,
        state=AttemptState.FAILED,
        reason=evidence.reason,
        decline=evidence.decline,
        intent_id=evidence.intent_id or attempt.intent_id,
        look_up_at=None,
    )
    draft.change(failed)
    autopay = attempt.channel is AttemptKind.AUTOPAY
    data: dict[str, str | int] = {
        "attempt": attempt.number,
        "amount": attempt.amount,
        "reason": evidence.reason,
        "decline": evidence.decline,
    }
    given_up = []
    for part in attempt.parts:
        invoice = draft.books.invoice(part.invoice_id)
        if invoice is None or invoice.open_attempt != attempt.number:
            continue
        released = replace(invoice, open_attempt=0)
        if autopay and part is not attempt.parts[0]:
            pass  # a small amount has no tries of its own: it goes along with the next one (INV-11)
        elif autopay and released.payable and taken_back(draft.books, released, attempt, practice):
            # While the charge was under way: no other try is announced, and none counts as the last.
            released = back_to_reminders(released, practice, draft.now)
            data["invoice_id"] = invoice.invoice_id
        elif autopay and released.payable:
            released = after_failure(released, practice, evidence, attempt.started_at, draft.now)
            data["invoice_id"] = invoice.invoice_id
            if released.charge_at is None:
                given_up.append(released)
            else:
                data["retry_at"] = released.charge_at.isoformat()
        elif autopay and released.in_review:
            # Announced anew when that is decided, unless the card is good for nothing any more.
            again = meaning_of(evidence.decline, evidence.reason).retry
            released = replace(released, charge_paused=again or released.charge_paused)
        draft.change(released)
    draft.fact(FactKind.PAYMENT_FAILED if autopay else FactKind.CHECKOUT_CLOSED, failed, data)
    for invoice in given_up:
        _charge_given_up(draft, invoice, evidence, practice)


def _charge_given_up(draft: Draft, invoice: Invoice, evidence: Evidence, practice: Practice) -> None:
    """The last retry failed: count it, maybe end autopay (AUTO-8), maybe break the plan (PLAN-7)."""
    account = draft.books.account
    failures = account.failed_charges + 1
    revoked = meaning_of(evidence.decline, evidence.reason).ends_autopay
    ends = account.autopay and (revoked or failures >= FAILED_CHARGES_END_AUTOPAY)
    changed = replace(account, failed_charges=failures, autopay=account.autopay and not ends)
    draft.change(changed)
    if ends:
        reason = "authorisation_revoked" if revoked else "charges_failed"
        draft.fact(FactKind.AUTOPAY_ENDED, changed, {"reason": reason})
        for waiting in [i for i in draft.books.invoices if i.charge_at and not i.open_attempt][: draft.room // 2]:
            draft.call_off(back_to_reminders(waiting, practice, draft.now), reason)
    instalment_failed(draft, invoice.invoice_id, practice)


def _posted(draft: Draft, attempt: Attempt, evidence: Evidence, practice: Practice) -> None:
    """Money arrived (or a card was saved): apply it, whatever became of the invoices meanwhile; the rest is the
    client's, and goes back to them at once."""
    card = evidence.card
    left = evidence.amount if attempt.parts else 0
    applied: list[tuple[str, int]] = []
    for part in attempt.parts:
        invoice = draft.books.invoice(part.invoice_id)
        assert invoice is not None, f"attempt {attempt.attempt_id} pays {part.invoice_id}, which does not exist"
        take = min(invoice.open_amount, part.amount, left)
        left -= take
        if take:
            applied.append((invoice.invoice_id, take))
        draft.change(_paid(invoice, take, attempt.number))
    paid_parts = tuple(Part(invoice_id, cents) for invoice_id, cents in applied)
    posted = replace(
        attempt,
        state=AttemptState.POSTED,
        intent_id=evidence.intent_id,
        charge_id=evidence.charge_id,
        posted_at=draft.now,
        card_shown=_shown(card) if card else attempt.card_shown,
        excess=left,
        applied=paid_parts if left or paid_parts != attempt.parts else (),
        look_up_at=None,
    )
    draft.change(posted)
    account = draft.books.account
    if left:
        draft.change(replace(account, credit=account.credit + left))
    if attempt.channel is AttemptKind.AUTOPAY and account.failed_charges:
        draft.change(replace(draft.books.account, failed_charges=0))
    if attempt.parts:
        draft.fact(
            FactKind.PAYMENT_POSTED,
            posted,
            {"attempt": attempt.number, "amount": evidence.amount, "excess": left, "payment_id": attempt.attempt_id},
            payment_posted(applied, left),
        )
    if left:
        return_excess(draft, posted)
    for paid_id, _ in applied:
        instalment_paid(draft, paid_id)
    if card is not None and attempt.save_card and evidence.reusable:
        _save_card(draft, posted, card, practice)


def _paid(invoice: Invoice, amount: int, attempt: int) -> Invoice:
    """The invoice after `amount` cents of that attempt; a paid one never wakes again."""
    paid = replace(
        invoice,
        paid=invoice.paid + amount,
        open_attempt=0 if invoice.open_attempt == attempt else invoice.open_attempt,
    )
    return paid if paid.open_amount else replace(paid, charge_at=None, remind_at=None, past_due_at=None)


# ---------------------------------------------------------------------------------------------------- cards


def _shown(card: CardDetails) -> str:
    return f"{card.brand.capitalize()} ending {card.last4}"


def _save_card(draft: Draft, attempt: Attempt, details: CardDetails, practice: Practice) -> None:
    """Keep the card, and enrol it where the client agreed to that on our form before leaving (AUTO-1).

    Turning autopay off after agreeing counts, however late we hear of the card (LAW-7).

    PAY-6: what the card says of itself counts, and so does that the client did not declare it an ordinary one.
    """
    card_id = "card_" + digest(attempt.practice, attempt.client, details.payment_method, length=16)
    card = draft.books.card(card_id) or Card(
        practice=attempt.practice,
        client=attempt.client,
        card_id=card_id,
        version=1,
        payment_method=details.payment_method,
        brand=details.brand,
        last4=details.last4,
        exp_month=details.exp_month,
        exp_year=details.exp_year,
        funding=details.funding,
        fingerprint=details.fingerprint,
        fsa=details.fsa,
    )
    if draft.books.card(card_id) is None:
        draft.insert(card)
    account = draft.books.account
    draft.change(replace(account, default_card=account.default_card or card_id))
    off_at = account.turned_off_at
    if attempt.enrolment is None or (off_at is not None and attempt.enrolment.agreed_at <= off_at):
        draft.fact(FactKind.CARD_SAVED, draft.books.account, {"card_id": card_id})
    elif (card.fsa or not attempt.enrolment.not_fsa) and not practice.policy.fsa_autopay:
        reason = "fsa_card" if card.fsa else "fsa_not_declared"
        draft.fact(FactKind.AUTOPAY_REFUSED, draft.books.account, {"card_id": card_id, "reason": reason})
    else:
        _enrol(draft, attempt, attempt.enrolment, card, practice)


def _enrol(draft: Draft, attempt: Attempt, enrolment: Enrolment, card: Card, practice: Practice) -> None:
    consent = Consent(
        practice=attempt.practice,
        client=attempt.client,
        consent_id="consent_" + digest(attempt.attempt_id, card.card_id, length=16),
        text_version=enrolment.text_version,
        text_hash=enrolment.text_hash,
        agreed_at=enrolment.agreed_at,
        ip=enrolment.ip,
        cap=enrolment.cap,
        card_id=card.card_id,
        not_fsa=enrolment.not_fsa,
    )
    draft.insert(consent)
    account = draft.books.account
    enrolled = replace(
        account,
        autopay=True,
        enrolled_at=account.enrolled_at if account.autopay else draft.now,
        consent_id=consent.consent_id,
        agreed_at=consent.agreed_at,
        agreed_cap=practice.policy.default_cap if enrolment.cap is None else enrolment.cap,
        cap=enrolment.cap,
        default_card=card.card_id,
        failed_charges=0,
    )
    draft.change(enrolled)
    if not account.autopay:
        _forget_what_was_announced_before(draft, practice)
    agreed: dict[str, str | int] = {"card_id": card.card_id, "consent_id": consent.consent_id}
    draft.fact(FactKind.AUTOPAY_ENROLLED, enrolled, agreed | {"terms": consent.text_version})
    # Each joining invoice is a row and a fact. What does not fit this commit is reminded of, as if it were not ticked.
    for joined_id in enrolment.join[: draft.room // 2]:
        invoice = draft.books.invoice(joined_id)
        if invoice is not None and invoice.payable and not invoice.open_attempt:
            draft.change(invoice)
            draft.fact(FactKind.INVOICE_JOINED_AUTOPAY, invoice, {"invoice_id": joined_id})


def _forget_what_was_announced_before(draft: Draft, practice: Practice) -> None:
    """What was announced under an agreement that has ended since, and waits for its day or for the end of a review, is
    not what the client agrees to now (AUTO-1, LAW-7): asked for by reminders, unless they tick it. A plan's instalments
    are agreed to with the plan. A charge that does not fit this commit finds its notice too old when it comes due."""
    announced = [i for i in draft.books.invoices if (i.charge_paused or i.charge_at) and not i.plan_id]
    for invoice in announced[: draft.room // 2]:
        going_on = replace(invoice, charge_paused=False)
        if invoice.charge_at is None or invoice.open_attempt:
            draft.change(going_on)
        else:
            draft.call_off(back_to_reminders(going_on, practice, draft.now), NoCharge.NO_NOTICE)
