"""Which mails a fact has, and what is remembered once the mail service accepted them.

A mail's id comes from its fact and whether it goes to the client or to staff, so a fact delivered twice finds its mail
sent, even where the letter would be of another kind by now: a bill that was mailed is not announced as a charge because
autopay was turned on since. The letter is made from what is true *now*: an invoice that was paid meanwhile is announced
by nobody (INV-9, AUTO-5).
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime

from billing import autopay
from billing.account import Books
from billing.autopay import Announcement, announced_moment, announcement, cap_of, meaning_of, minimum_notice
from billing.basis import basis_of
from billing.desk import Desk, Outgoing, Written, staff
from billing.draft import Draft
from billing.dunning import next_reminder
from billing.facts import Fact, FactKind
from billing.good_faith import far_above_in_words
from billing.ids import digest
from billing.invoice import Invoice, Source
from billing.letters_of_changes import (
    dispute_closed,
    dispute_opened,
    no_longer_owed,
    plan_ended,
    refund_failed,
    refund_sent,
)
from billing.letters_of_corrections import change_in_words, changed, credit_used
from billing.letters_of_reviews import review_decided, review_over, review_requested
from billing.money import Cents
from billing.network_notice import long_notice_in_words, why_long
from billing.notice import Letter, LetterItem, NoticeKind
from billing.payment import Attempt, AttemptKind, Part
from billing.period import local_date, whole_minute
from billing.plan import CHARGE_AFTER_ISSUE, Plan, issue_instant, paid_off
from billing.policy import Practice
from billing.ports import Write
from billing.small_amounts import free_to_go_along, taken_by
from billing.where_it_went import WhereItWent, where_it_went


def letters_for(fact: Fact, desk: Desk, now: datetime) -> tuple[Outgoing, ...]:
    """The mails this fact has, given what is true now; () where there is nothing (left) to say."""
    return tuple(
        Outgoing(digest(*fact.key, _receiver(letter)), letter, invoice_ids)
        for letter, invoice_ids in _letters(fact, desk, now)
    )


def _receiver(letter: Letter) -> str:
    """Who a letter is for, as its id tells it: one client, or one of several addresses of staff."""
    return letter.to if letter.kind is NoticeKind.STAFF_ALERT else "client"


def _letters(fact: Fact, desk: Desk, now: datetime) -> Iterable[Written]:
    match fact.kind:
        case FactKind.INVOICE_ISSUED | FactKind.INVOICE_JOINED_AUTOPAY | FactKind.INVOICE_RESUMED:
            return _invoice_letters(fact, desk, now)
        case FactKind.INSTALMENT_ISSUED:
            return _instalment_letters(fact, desk)
        case FactKind.PAYMENT_POSTED:
            return _receipt(fact, desk)
        case FactKind.PAYMENT_FAILED:
            return _charge_failed(fact, desk)
        case FactKind.PLAN_CREATED:
            return _plan_schedule(fact, desk)
        case FactKind.PLAN_BROKEN:
            return _plan_broken(fact, desk)
        case FactKind.PLAN_ENDED:
            return plan_ended(fact, desk)
        case FactKind.AUTOPAY_ENROLLED:
            return _autopay_on(fact, desk, now)
        case FactKind.AUTOPAY_ENDED | FactKind.AUTOPAY_REFUSED:
            return _autopay_off(fact, desk)
        case FactKind.NOTHING_OWED:
            return [(desk.to_client(NoticeKind.NOTHING_OWED), ())] if fact.data["announce"] else ()
        case FactKind.PHONE_LOCKED:
            until = datetime.fromisoformat(str(fact.data["locked_until"]))
            return [(desk.to_client(NoticeKind.PAY_LINK_LOCKED, moment=until), ())]
        case FactKind.INVOICE_PAST_DUE:
            return _past_due(fact, desk)
        case FactKind.INVOICE_VOIDED | FactKind.INVOICE_WRITTEN_OFF:
            return no_longer_owed(fact, desk)
        case FactKind.INVOICE_CORRECTED:
            return _correction_letters(fact, desk, now)
        case FactKind.CREDIT_APPLIED:
            return credit_used(fact, desk)
        case FactKind.REFUND_POSTED:
            return refund_sent(fact, desk)
        case FactKind.REFUND_FAILED:
            return refund_failed(fact, desk)
        case FactKind.REVIEW_REQUESTED:
            return review_requested(fact, desk)
        case FactKind.REVIEW_DECIDED:
            return review_decided(fact, desk)
        case FactKind.DISPUTE_OPENED:
            return dispute_opened(fact, desk)
        case FactKind.DISPUTE_CLOSED:
            return dispute_closed(fact, desk)
        case FactKind.NOTICE_BOUNCED:
            if fact.data["notice"] == NoticeKind.STAFF_ALERT:
                return ()  # an alert about an alert that came back would come back too
            reason = f"A mail to client {fact.client} came back: their address does not take it."
            return staff(desk, reason, "Ask the client for a working address. An announced charge was cancelled.")
        case _:
            raise AssertionError(f"{fact.kind} is routed to the mails but has none")


def _invoice_letters(fact: Fact, desk: Desk, now: datetime) -> Iterable[Written]:
    """A new invoice, or one that is looked into no more: announce its charge, ask for approval, or send the pay link
    (AUTO-2, AUTO-3, AUTO-4, PAY-1, INV-7)."""
    invoice = desk.books.invoice(str(fact.data["invoice_id"]))
    if invoice is None or not invoice.payable or invoice.open_attempt:
        return ()
    resumed = fact.kind == FactKind.INVOICE_RESUMED
    if resumed and invoice.charge_at is not None:
        return _instalment_letters(fact, desk)
    if fact.kind == FactKind.INVOICE_JOINED_AUTOPAY and invoice.charge_at is not None:
        return ()
    amount, card = invoice.open_amount, desk.books.default_card
    if invoice.is_small:
        return ()  # nobody can pay it alone: it goes along with the next charge, or page (INV-11)
    shown = card.shown if card else ""
    chosen = announcement(desk.books, invoice, desk.practice)
    enrolled_at = desk.books.account.enrolled_at
    joins = fact.kind == FactKind.INVOICE_JOINED_AUTOPAY
    since = invoice.issued_at if "outgrown" in fact.data else fact.at
    if not joins and enrolled_at is not None and since < enrolled_at:
        chosen = Announcement.NONE  # this message is late: the bill was open before autopay, and joins only if ticked
    if resumed and not fact.data["announce"]:
        chosen = Announcement.NONE
    along: tuple[str, ...] = ()
    match chosen:
        case Announcement.CHARGE:
            letter, along = _charge_notice(desk, invoice, now)
        case Announcement.APPROVAL:
            cap = cap_of(desk.books, desk.practice)
            letter = desk.to_client(NoticeKind.APPROVAL_REQUEST, amount=amount, card=shown, cap=cap)
        case Announcement.FAR_ABOVE_ESTIMATE:
            why = far_above_in_words(desk.books)
            letter = desk.to_client(NoticeKind.APPROVAL_REQUEST, amount=amount, card=shown, reason=why)
        case Announcement.NONE if resumed and invoice.invoice_id in desk.told:
            return ()  # they have the bill
        case Announcement.NONE:
            letter = desk.to_client(NoticeKind.INVOICE, amount=amount)
    if fact.kind == FactKind.INVOICE_ISSUED and "before" in fact.data:
        letter = replace(letter, change=f"{change_in_words(fact)} This second bill asks for the difference only.")
    told = replace(letter, basis=basis_of(invoice), total=invoice.total, went=_in_totals(desk, invoice.total))
    return [(told, (invoice.invoice_id, *along))]


def _charge_notice(desk: Desk, invoice: Invoice, now: datetime) -> tuple[Letter, tuple[str, ...]]:
    """The notice of a charge, and the invoices of the small amounts that it takes along (INV-11)."""
    books, practice, card = desk.books, desk.practice, desk.books.default_card
    small = free_to_go_along(books, invoice, practice, announced_moment(books, invoice, practice, now))
    along = sum(one.open_amount for one in small)
    amount, moment = invoice.open_amount + along, announced_moment(books, invoice, practice, now, along)
    longer = long_notice_in_words(books, why_long(books, amount, moment, practice.time_zone), practice.name)
    letter = desk.to_client(
        NoticeKind.CHARGE_NOTICE,
        amount=amount,
        along=along,
        card=card.shown if card else "",
        moment=moment,
        reason=longer,
    )
    return letter, tuple(one.invoice_id for one in small)


def _in_totals(desk: Desk, amount: Cents) -> WhereItWent | None:
    """Where the price of the bill went, as far as a mail may say it (LAW-1); None where there is nothing to tell, or
    the lines are not about exactly what the bill asks for."""
    went = where_it_went(desk.explained.lines) if desk.explained else None
    tells = went is not None and went.somebody_else_had_a_part and not went.differences and went.yours == amount
    return went.in_totals if went is not None and tells else None


def _correction_letters(fact: Fact, desk: Desk, now: datetime) -> Iterable[Written]:
    """One mail for the whole change (INV-3). A charge that was announced and is higher now, or stood still meanwhile,
    is announced anew, and that is the mail. Who was not told of the bill yet gets it as it is now: by the message of
    its issue, or here where that came while it stood still."""
    if "before" not in fact.data:
        return ()
    invoice_id = str(fact.data["invoice_id"])
    invoice = desk.books.invoice(invoice_id)
    told = invoice_id in desk.told
    may_be_announced = fact.data["announced"] or "outgrown" in fact.data  # it was too small to be announced (INV-11)
    if invoice is not None and may_be_announced and invoice.charge_at is None:
        letters = [
            (replace(letter, change=change_in_words(fact)) if told else letter, ids)
            for letter, ids in _invoice_letters(fact, desk, now)
        ]
        if letters and (not told or letters[0][0].kind is not NoticeKind.INVOICE):
            return letters
    return changed(fact, desk) if told or review_over(fact) else ()


def _instalment_letters(fact: Fact, desk: Desk) -> Iterable[Written]:
    """The reminder at issue (PLAN-5); its charge was announced with the schedule. Without autopay there is none."""
    invoice = desk.books.invoice(str(fact.data["invoice_id"]))
    if invoice is None or not invoice.payable or invoice.open_attempt:
        return ()
    if invoice.charge_at is None:
        item = LetterItem(_label(invoice), invoice.open_amount, invoice.issued_at)
        return [(desk.to_client(NoticeKind.REMINDER, amount=item.amount, items=(item,)), (invoice.invoice_id,))]
    card = desk.books.default_card
    shown = card.shown if card else ""
    letter = desk.to_client(NoticeKind.INSTALMENT, amount=invoice.open_amount, card=shown, moment=invoice.charge_at)
    return [(letter, (invoice.invoice_id,))]


def _receipt(fact: Fact, desk: Desk) -> Iterable[Written]:
    """What was paid, by invoice (PAY-11); a plan's instalment is itemised by the invoices it paid off. What exceeds
    them goes back by itself, and the receipt says so."""
    attempt = _attempt(fact, desk)
    invoices = [i for i in desk.books.invoices if i.invoice_id in {p.invoice_id for p in attempt.parts}]
    received_on = str(fact.data.get("received_on", ""))
    letter = desk.to_client(
        NoticeKind.RECEIPT,
        amount=int(fact.data["amount"]),
        card=attempt.card_shown,
        moment=attempt.posted_at,
        items=_items(attempt, desk.books),
        recorded=attempt.channel is AttemptKind.OUTSIDE,
        received_on=date.fromisoformat(received_on) if received_on else None,
        left=sum(i.open_amount for i in invoices),
        announced=any(i.charge_at is not None for i in invoices),
        excess=int(fact.data["excess"]),
    )
    return [(letter, tuple(p.invoice_id for p in attempt.parts))]


def _attempt(fact: Fact, desk: Desk) -> Attempt:
    attempt = desk.books.attempt(int(fact.data["attempt"]))
    assert attempt is not None, f"{fact.kind} names attempt {fact.data['attempt']}, which does not exist"
    return attempt


def _items(attempt: Attempt, books: Books) -> tuple[LetterItem, ...]:
    items: list[LetterItem] = []
    for part in attempt.paid_parts:
        invoice = books.invoice(part.invoice_id)
        plan = books.plan(invoice.plan_id) if invoice else None
        if plan is not None and invoice is not None:
            items += _instalment_items(attempt, part, invoice, plan, books)
        elif invoice is not None:
            items.append(LetterItem(_label(invoice), part.amount, invoice.issued_at))
    return tuple(items)


def _instalment_items(
    attempt: Attempt, part: Part, instalment: Invoice, plan: Plan, books: Books
) -> Iterable[LetterItem]:
    """What this instalment paid off, after the payments that arrived before it."""
    of_plan = {i.invoice_id for i in books.invoices if i.plan_id == plan.plan_id}
    when = _arrived(attempt)
    before = sum(
        p.amount for a in books.attempts if _arrived(a) < when for p in a.paid_parts if p.invoice_id in of_plan
    )
    for share in paid_off(plan, before, part.amount):
        covered = books.invoice(share.invoice_id)
        label = f"Instalment {instalment.ordinal + 1}, toward your bill"
        yield LetterItem(label, share.amount, covered.issued_at if covered else None)


def _arrived(attempt: Attempt) -> tuple[datetime, int]:
    """Where a payment stands among the others; one that has not arrived comes after all that have."""
    return attempt.posted_at or datetime.max.replace(tzinfo=UTC), attempt.number


def _label(invoice: Invoice) -> str:
    if invoice.source is Source.PLAN:
        return f"Instalment {invoice.ordinal + 1} of your payment plan"
    return "Estimated bill" if invoice.estimated else "Bill"


def _charge_failed(fact: Fact, desk: Desk) -> Iterable[Written]:
    """Why, in plain words, what to do, and when the next try is (AUTO-6). Nothing where it was paid meanwhile."""
    attempt = _attempt(fact, desk)
    invoice = desk.books.invoice(str(fact.data.get("invoice_id", "")))
    if invoice is None or not invoice.open_amount:
        return ()
    decline = meaning_of(attempt.decline, attempt.reason)
    letter = desk.to_client(
        NoticeKind.CHARGE_FAILED,
        amount=attempt.amount,
        card=attempt.card_shown,
        moment=attempt.started_at,
        retry_at=invoice.charge_at,
        reason=decline.sentence,
        what_to_do=decline.what_to_do,
    )
    return [(letter, (invoice.invoice_id,))]


def _plan_schedule(fact: Fact, desk: Desk) -> Iterable[Written]:
    """The schedule is the notice of every instalment (PLAN-3, PLAN-5), with a copy of the disclosure (PLAN-10)."""
    plan = desk.books.plan(str(fact.data["plan_id"]))
    card = desk.books.default_card
    if plan is None:
        return ()
    zone, earliest = desk.practice.time_zone, fact.at + minimum_notice(desk.practice)
    charges = [
        LetterItem(
            f"Instalment {n}",
            i.amount,
            whole_minute(max(issue_instant(i.issue_on, zone, plan.created_at) + CHARGE_AFTER_ISSUE, earliest)),
        )
        for n, i in enumerate(plan.instalments, start=1)
    ]
    letter = desk.to_client(
        NoticeKind.PLAN_SCHEDULE,
        amount=plan.total,
        card=card.shown if card else "",
        items=tuple(charges),
        starts_on=plan.instalments[0].issue_on,
        disclosure=desk.disclosure.text if desk.disclosure else "",
    )
    return [(letter, ())]


def _plan_broken(fact: Fact, desk: Desk) -> Iterable[Written]:
    amount = int(fact.data["amount"])
    reason = f"The payment plan of client {fact.client} ended: two instalments could not be charged."
    client = desk.to_client(NoticeKind.PLAN_BROKEN, amount=amount)
    return [(client, (str(fact.data["invoice_id"]),)), *staff(desk, reason, "The rest is due as one invoice.")]


def _autopay_on(fact: Fact, desk: Desk, now: datetime) -> Iterable[Written]:
    """A copy of what was agreed to (AUTO-1), and what it will charge next: the new card, where one was announced with
    another (AUTO-6)."""
    card = desk.books.default_card
    if not desk.books.account.autopay or card is None:
        return ()
    upcoming = tuple(
        LetterItem(_label(i), i.open_amount, i.charge_at)
        for i in desk.books.invoices
        if i.charge_at is not None and i.charge_at > now
    )
    letter = desk.to_client(
        NoticeKind.AUTOPAY_ON,
        card=card.shown,
        cap=cap_of(desk.books, desk.practice),
        consent_text=autopay.terms_named(str(fact.data.get("terms", ""))).text,
        items=upcoming,
    )
    return [(letter, ())]


WHY_AUTOPAY_ENDED = {
    "client": "You turned automatic payments off.",
    "charges_failed": "Three payments in a row did not go through.",
    "authorisation_revoked": "Your bank told us that you withdrew permission for these charges.",
    "fsa_card": "FSA, HSA and HRA cards can pay a bill but cannot be used for automatic payments.",
    "fsa_not_declared": "We do not know whether this is an FSA, HSA or HRA card, which cannot be used for that.",
}


def _autopay_off(fact: Fact, desk: Desk) -> Iterable[Written]:
    """Client and provider are told (AUTO-8). A card that was refused ends nothing that is on with another (PAY-6)."""
    code, card = str(fact.data["reason"]), desk.books.default_card
    shown = card.shown if card else ""
    letter = desk.to_client(NoticeKind.AUTOPAY_OFF, reason=WHY_AUTOPAY_ENDED[code], card=shown)
    if code in ("client", "fsa_card", "fsa_not_declared"):
        return [(letter, ())]
    reason = f"Automatic payments of client {fact.client} were turned off ({code.replace('_', ' ')})."
    return [(letter, ()), *staff(desk, reason, "The client was told and can pay with the link in their mails.")]


def _past_due(fact: Fact, desk: Desk) -> Iterable[Written]:
    invoice = desk.books.invoice(str(fact.data["invoice_id"]))
    if invoice is None or not invoice.payable:
        return ()
    reason = f"An invoice of client {fact.client} is past due."
    return staff(desk, reason, "You can call the client or offer a payment plan.")


def reminder(desk: Desk, now: datetime) -> Outgoing | None:
    """One mail a day for everything this client may be reminded of (INV-9); None where nothing is due."""
    due = [i for i in remindable(desk.books) if i.remind_at is not None and i.remind_at <= now]
    if not due:
        return None
    every = remindable(desk.books)
    day = local_date(now, desk.practice.time_zone)
    letter = desk.to_client(
        NoticeKind.REMINDER,
        amount=sum(i.open_amount for i in every),
        items=tuple(LetterItem(_label(i), i.open_amount, i.issued_at) for i in every),
    )
    account = desk.books.account
    notice_id = digest(account.practice, account.client, NoticeKind.REMINDER, day.isoformat())
    return Outgoing(notice_id, letter, tuple(i.invoice_id for i in every))


def remindable(books: Books) -> tuple[Invoice, ...]:
    """What a reminder covers: unpaid, no charge announced or on its way, not in review. What moved to a plan has
    nothing open; an instalment whose retries all failed is reminded of like any invoice (AUTO-8)."""
    free = (i for i in books.invoices if i.payable and i.charge_at is None and not i.open_attempt)
    return tuple(i for i in free if not i.is_small or taken_by(books, i) is None)


def accepted(outgoing: Outgoing, books: Books, practice: Practice, now: datetime) -> tuple[Write, ...]:
    """What changes because the mail service accepted this letter: the charge it announced gets its moment (AUTO-3),
    a plan and its instalments get their notice, reminders move on. Decided on the books as they are now."""
    draft = Draft(books, now, "system", outgoing.notice_id)
    match outgoing.letter.kind:
        case NoticeKind.CHARGE_NOTICE:
            _announce(draft, outgoing, practice)
        case NoticeKind.INSTALMENT:
            for invoice in _still(books, outgoing):
                draft.change(replace(invoice, notice_id=outgoing.notice_id, notice_at=now))
        case NoticeKind.PLAN_SCHEDULE:
            for plan in books.plans:
                if plan.plan_id == books.account.active_plan and plan.notice_at is None:
                    draft.change(replace(plan, notice_at=now))
        case NoticeKind.REMINDER:
            for invoice in _still(books, outgoing):
                if invoice.remind_at is not None and invoice.remind_at <= now:
                    later = next_reminder(invoice.issued_at, practice, now)
                    draft.change(replace(invoice, reminded=invoice.reminded + 1, remind_at=later))
        case _:
            return ()
    return draft.writes()


def _still(books: Books, outgoing: Outgoing) -> tuple[Invoice, ...]:
    """The letter's invoices that may still be asked for."""
    found = (books.invoice(i) for i in outgoing.invoice_ids)
    return tuple(i for i in found if i is not None and i.payable and not i.open_attempt)


def _announce(draft: Draft, outgoing: Outgoing, practice: Practice) -> None:
    """The clock of the announced charge starts at the accepted notice. Whether it still may happen is decided, on the
    account as it is then, when it is due. It takes what the notice said, or less (INV-11): of a bill that grew while
    the mail was on its way, none is announced."""
    first, *others = outgoing.invoice_ids
    invoice = next((i for i in _still(draft.books, outgoing) if i.invoice_id == first), None)
    if invoice is None or announcement(draft.books, invoice, practice) is not Announcement.CHARGE:
        return
    if invoice.open_amount > outgoing.letter.amount:
        return
    free = free_to_go_along(draft.books, invoice, practice, draft.now)
    small = [one for one in free if one.invoice_id in others]
    if sum(one.open_amount for one in (invoice, *small)) > outgoing.letter.amount:
        small = []
    along = sum(one.open_amount for one in small)
    moment = announced_moment(draft.books, invoice, practice, draft.now, along)
    card = draft.books.account.default_card
    for one in (replace(invoice, charge_at=moment), *small):
        draft.change(replace(one, notice_id=outgoing.notice_id, notice_at=draft.now, card_id=card))
