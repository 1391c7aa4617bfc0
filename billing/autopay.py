"""Autopay: what the client agrees to, when an announced charge happens, whether it still may, and what a decline means
(AUTO-1 to AUTO-8, LAW-2, LAW-7). Tables and pure functions; money moves elsewhere.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from billing.account import Books
from billing.draft import noted
from billing.dunning import back_to_reminders
from billing.facts import Fact, FactKind
from billing.good_faith import far_above_estimate
from billing.invoice import Invoice, Source
from billing.money import STRIPE_MINIMUM, Cents
from billing.network_notice import long_notice_ends, why_long
from billing.payment import Attempt, AttemptKind, Card, Evidence
from billing.period import overnight_after, whole_minute
from billing.policy import AutopayDelay, Policy, Practice
from billing.ports import Insert, Update, Write

CONSENT_VERSION = "2026-11.2"
"""Raised with every change of the words: a consent names the ones that were agreed to."""
_AGREED = (
    "I agree that my practice may charge this card for what I owe it: what my health plan leaves to me, an estimate of "
    "that while it has not decided, and what I pay without a health plan. "
    "Each charge is announced by email beforehand, with the amount, the card and the time. "
    "A charge above my limit waits until I approve it. "
    "I can pay earlier, stop a charge or turn automatic payments off at any time until the charge is sent."
)
CONSENT_TEXT = f"{_AGREED} This is not an FSA, HSA or HRA card."
CONSENT_HASH = hashlib.sha256(CONSENT_TEXT.encode()).hexdigest()


@dataclass(frozen=True)
class Terms:
    """What a client agrees to when they enrol (AUTO-1)."""

    version: str
    text: str
    text_hash: str


_ORDINARY_CARD = Terms(CONSENT_VERSION, CONSENT_TEXT, CONSENT_HASH)
_ANY_CARD = Terms(f"{CONSENT_VERSION}-any-card", _AGREED, hashlib.sha256(_AGREED.encode()).hexdigest())


def terms_of(policy: Policy) -> Terms:
    """The terms that a practice's clients agree to: where FSA cards may be enrolled, nobody declares theirs is none
    (PAY-6)."""
    return _ANY_CARD if policy.fsa_autopay else _ORDINARY_CARD


def terms_named(version: str) -> Terms:
    """The terms of that version."""
    return _ANY_CARD if version == _ANY_CARD.version else _ORDINARY_CARD


NOTICE_FLOOR_HOURS = 4
"""Whatever the policy says, no charge happens on a younger notice (AUTO-3)."""
FAILED_CHARGES_END_AUTOPAY = 3
"""Charges in a row, each with all its retries, that failed (AUTO-8)."""


class Announcement(StrEnum):
    """What a new invoice means for an account's autopay."""

    CHARGE = "charge"
    APPROVAL = "approval"
    FAR_ABOVE_ESTIMATE = "far_above_estimate"
    NONE = "none"


def announcement(books: Books, invoice: Invoice, practice: Practice) -> Announcement:
    """Whether the invoice is charged after a notice, waits for a click because of the cap (AUTO-2) or because it is far
    above what the client was told (LAW-5), or neither."""
    card = books.default_card
    if not books.account.autopay or card is None or not practice.online_payments:
        return Announcement.NONE
    if invoice.open_amount < STRIPE_MINIMUM or not invoice.payable or invoice.charged_by_click_only:
        return Announcement.NONE
    if far_above_estimate(books, invoice):
        return Announcement.FAR_ABOVE_ESTIMATE
    return Announcement.CHARGE if invoice.open_amount <= cap_of(books, practice) else Announcement.APPROVAL


def cap_of(books: Books, practice: Practice) -> Cents:
    """The most one charge may take without a click, in cents (AUTO-2)."""
    cap = books.account.cap
    return practice.policy.default_cap if cap is None else cap


def charge_moment(invoice: Invoice, practice: Practice, accepted_at: datetime) -> datetime:
    """When a charge announced by a notice accepted at `accepted_at` happens (AUTO-3), as a whole minute. The clock of
    what no health plan has a part in starts when it was issued; the notice must be old enough all the same."""
    policy = practice.policy
    earliest = accepted_at + minimum_notice(practice)
    match policy.autopay_delay:
        case AutopayDelay.AFTER_NOTICE:
            starts_at = invoice.issued_at if invoice.source in (Source.SESSION, Source.BY_HAND) else accepted_at
            chosen = starts_at + timedelta(hours=48)
        case AutopayDelay.AFTER_INVOICE:
            chosen = invoice.issued_at + timedelta(hours=24)
        case AutopayDelay.OVERNIGHT:
            chosen = overnight_after(invoice.issued_at, practice.time_zone)
    return whole_minute(max(chosen, earliest))


def announced_moment(
    books: Books, invoice: Invoice, practice: Practice, accepted_at: datetime, along: Cents = 0
) -> datetime:
    """`charge_moment`, or later, where the card networks ask for a longer notice (LAW-6). `along`: what the charge
    takes along, in cents."""
    moment = charge_moment(invoice, practice, accepted_at)
    if why_long(books, invoice.open_amount + along, moment, practice.time_zone) is None:
        return moment
    return max(moment, long_notice_ends(accepted_at, practice.time_zone))


def minimum_notice(practice: Practice) -> timedelta:
    """How old an accepted notice must be before its charge."""
    return timedelta(hours=max(practice.policy.minimum_notice_hours, NOTICE_FLOOR_HOURS))


class NoCharge(StrEnum):
    """Why a charge that was due does not happen; staff see it (AUTO-9)."""

    NOT_DUE = "not_due"
    NOTHING_OPEN = "nothing_open"
    IN_REVIEW = "in_review"
    DISPUTED = "disputed"
    ONLINE_PAYMENTS_OFF = "online_payments_off"
    AUTOPAY_OFF = "autopay_off"
    NO_CARD = "no_card"
    ABOVE_CAP = "above_cap"
    ABOVE_GOOD_FAITH_ESTIMATE = "above_good_faith_estimate"
    BELOW_MINIMUM = "below_minimum"
    NO_NOTICE = "no_notice"
    NOTICE_TOO_YOUNG = "notice_too_young"
    CARD_NETWORK_LIMIT = "card_network_limit"
    NOTICE_BOUNCED = "notice_bounced"


def why_not(books: Books, invoice: Invoice, practice: Practice, now: datetime) -> NoCharge | None:
    """Why this invoice is not charged now, or None where it may be.

    An instalment's agreed range is its plan's schedule, not the cap (LAW-7), and its notice is the schedule (PLAN-5),
    or, where that mail was never accepted, the reminder at its issue.
    """
    if invoice.charge_at is None or invoice.charge_at > now:
        return NoCharge.NOT_DUE
    if invoice.open_amount == 0:
        return NoCharge.NOTHING_OPEN
    if invoice.in_review:
        return NoCharge.IN_REVIEW
    if invoice.charged_by_click_only:
        return NoCharge.DISPUTED
    if not practice.online_payments:
        return NoCharge.ONLINE_PAYMENTS_OFF
    if not books.account.autopay:
        return NoCharge.AUTOPAY_OFF
    card = books.default_card
    if card is None:
        return NoCharge.NO_CARD
    if invoice.open_amount < STRIPE_MINIMUM:
        return NoCharge.BELOW_MINIMUM
    plan = books.plan(invoice.plan_id)
    if plan is None and invoice.open_amount > cap_of(books, practice):
        return NoCharge.ABOVE_CAP
    if far_above_estimate(books, invoice):
        return NoCharge.ABOVE_GOOD_FAITH_ESTIMATE
    noticed_at = (plan.notice_at if plan else None) or invoice.notice_at
    if noticed_at is None or (plan is None and _before_autopay(books, noticed_at)):
        return NoCharge.NO_NOTICE
    if noticed_at + minimum_notice(practice) > now:
        return NoCharge.NOTICE_TOO_YOUNG
    too_short = plan is None and long_notice_ends(noticed_at, practice.time_zone) > now
    if too_short and why_long(books, invoice.open_amount, now, practice.time_zone) is not None:
        return NoCharge.NOTICE_TOO_YOUNG
    if network_limit_reached(books, card, now):
        return NoCharge.CARD_NETWORK_LIMIT
    return None


def taken_back(books: Books, invoice: Invoice, attempt: Attempt, practice: Practice) -> bool:
    """Whether what a charge under way relied on is gone: autopay is off, or was off since and is on again (LAW-7,
    AUTO-1); the practice takes no payments online any more (PAY-10); the notice came back (AUTO-3); less is owed by now
    of what it pays (INV-3); or somebody looks into the invoice, or into what it takes along (INV-7, PAY-13). What was
    begun is then not sent any more, and nothing is tried again."""
    off_at = books.account.turned_off_at
    said_no = not books.account.autopay or (off_at is not None and attempt.started_at <= off_at)
    said_no = said_no or _before_autopay(books, attempt.started_at) or not practice.online_payments
    plan = books.plan(invoice.plan_id)
    noticed_at = (plan.notice_at if plan else None) or invoice.notice_at
    for part in attempt.parts:
        paid = invoice if part.invoice_id == invoice.invoice_id else books.invoice(part.invoice_id)
        if paid is None or part.amount > paid.open_amount or paid.in_review or paid.charged_by_click_only:
            return True
    return said_no or noticed_at is None


PASSES_BY_ITSELF = {NoCharge.NOTICE_TOO_YOUNG: timedelta(hours=1), NoCharge.CARD_NETWORK_LIMIT: timedelta(days=1)}
"""Obstacles that go away with time -> when the charge is looked at again."""

NETWORK_CAPS = {
    "visa": ((timedelta(days=30), 20),),
    "mastercard": ((timedelta(hours=24), 10), (timedelta(days=30), 35)),
}
"""Tries per card that the networks allow within a window (AUTO-7)."""


def _before_autopay(books: Books, at: datetime) -> bool:
    """Whether that was before autopay was on, under an agreement that has ended since (AUTO-1, LAW-7)."""
    enrolled_at = books.account.enrolled_at
    return enrolled_at is not None and at < enrolled_at


def network_limit_reached(books: Books, card: Card, now: datetime) -> bool:
    """Whether one more try of this card would exceed its network's cap."""
    tried = [a.started_at for a in books.attempts if a.channel is AttemptKind.AUTOPAY and a.card_id == card.card_id]
    return any(sum(1 for at in tried if at > now - window) >= most for window, most in NETWORK_CAPS.get(card.brand, ()))


@dataclass(frozen=True)
class Decline:
    """What a failed charge means: whether trying again can help, and what a person is told."""

    sentence: str
    what_to_do: str
    retry: bool
    ends_autopay: bool = False


_OTHER_CARD = "Please pay with another card below."
_FUNDS = Decline("Your bank said there was not enough money available on the card.", _OTHER_CARD, retry=True)
_GENERIC = Decline("Your bank declined the charge without giving a reason.", "Your bank can tell you why.", retry=True)
_EXPIRED = Decline("The card has expired.", "Please pay with a current card below.", retry=False)
_BLOCKED = Decline("Your bank does not allow charges on this card any more.", _OTHER_CARD, retry=False)
_REVOKED = Decline(
    "Your bank told us that you withdrew permission for these charges.", _OTHER_CARD, retry=False, ends_autopay=True
)
_BUSY = Decline("The charge could not be processed at this moment.", "You do not need to do anything.", retry=True)
_AUTHENTICATE = Decline("Your bank wants you to confirm this payment yourself.", "Please finish it below.", retry=False)
_DETAILS = Decline("Your bank did not recognise the card's details.", _OTHER_CARD, retry=False)

DECLINES: dict[str, Decline] = {
    "insufficient_funds": _FUNDS,
    "card_velocity_exceeded": _FUNDS,
    "withdrawal_count_limit_exceeded": _FUNDS,
    "generic_decline": _GENERIC,
    "do_not_honor": _GENERIC,
    "call_issuer": _GENERIC,
    "no_action_taken": _GENERIC,
    "try_again_later": _BUSY,
    "processing_error": _BUSY,
    "issuer_not_available": _BUSY,
    "reenter_transaction": _BUSY,
    "approve_with_id": _BUSY,
    "never_reached": _BUSY,
    "expired_card": _EXPIRED,
    "lost_card": _BLOCKED,
    "stolen_card": _BLOCKED,
    "pickup_card": _BLOCKED,
    "restricted_card": _BLOCKED,
    "fraudulent": _BLOCKED,
    "merchant_blacklist": _BLOCKED,
    "card_not_supported": _BLOCKED,
    "currency_not_supported": _BLOCKED,
    "service_not_allowed": _BLOCKED,
    "transaction_not_allowed": _BLOCKED,
    "not_permitted": _BLOCKED,
    "do_not_try_again": _BLOCKED,
    "invalid_account": _BLOCKED,
    "new_account_information_available": _EXPIRED,
    "security_violation": _BLOCKED,
    "stop_payment_order": _REVOKED,
    "revocation_of_authorization": _REVOKED,
    "revocation_of_all_authorizations": _REVOKED,
    "authentication_required": _AUTHENTICATE,
    "incorrect_number": _DETAILS,
    "invalid_number": _DETAILS,
    "incorrect_cvc": _DETAILS,
    "invalid_cvc": _DETAILS,
    "incorrect_zip": _DETAILS,
    "invalid_expiry_month": _EXPIRED,
    "invalid_expiry_year": _EXPIRED,
    "refused_by_processor": Decline("The payment service could not use the saved card.", _OTHER_CARD, retry=False),
}
"""Stripe's decline codes (docs.stripe.com/declines/codes) -> what they mean here (AUTO-7). Hard ones never retry."""


def meaning_of(decline: str, reason: str = "") -> Decline:
    """What a decline code means; one we have never seen is a plain decline."""
    return DECLINES.get(decline) or DECLINES.get(reason) or _GENERIC


def next_try(practice: Practice, first_tried_at: datetime, tries: int) -> datetime | None:
    """When a softly declined charge is tried again: `retry_days` after the *first* try; None after the last."""
    days = practice.policy.retry_days
    return whole_minute(first_tried_at + timedelta(days=days[tries - 1])) if tries <= len(days) else None


def after_failure(
    invoice: Invoice, practice: Practice, evidence: Evidence, tried_at: datetime, now: datetime
) -> Invoice:
    """The invoice after its charge, tried at `tried_at`, is known to have failed: tried again later, or back to
    reminders (AUTO-7, AUTO-8). Where that took a day to find out, the days still count from the try.

    Does not raise the version.
    """
    first = invoice.first_tried_at or tried_at
    tries = invoice.tries + 1
    decline = meaning_of(evidence.decline, evidence.reason)
    retry_at = next_try(practice, first, tries) if decline.retry else None
    tried = replace(invoice, tries=tries, first_tried_at=first)
    if retry_at is None:
        return back_to_reminders(tried, practice, now)
    return replace(tried, charge_at=max(retry_at, whole_minute(now + timedelta(minutes=1))))


def stop_charge(invoice: Invoice, practice: Practice, now: datetime) -> tuple[Write, ...]:
    """Cancel one announced charge at the client's word (LAW-7); nothing to write where none is announced. A small
    amount does not go along with the charge that was to take it (INV-11)."""
    if invoice.charge_at is None and invoice.is_small and invoice.notice_id and not invoice.open_attempt:
        invoice = replace(invoice, notice_id="", notice_at=None)
        return _cancelled(invoice, practice, now, actor="client", reason="stopped_by_client")
    if invoice.charge_at is None or invoice.open_attempt:
        return ()
    return _cancelled(invoice, practice, now, actor="client", reason="stopped_by_client")


def _cancelled(invoice: Invoice, practice: Practice, now: datetime, *, actor: str, reason: str) -> tuple[Write, ...]:
    stopped = back_to_reminders(invoice, practice, now)
    data: dict[str, str | int] = {"reason": reason, "amount": invoice.open_amount}
    return noted(stopped, FactKind.CHARGE_CANCELLED, now, actor, invoice.invoice_id, data)


MAX_CANCELLED_AT_ONCE = 40


def end_autopay(books: Books, practice: Practice, reason: str, actor: str, now: datetime) -> tuple[Write, ...]:
    """Turn autopay off at once (AUTO-9, LAW-7): the account, and every announced charge that is not being sent.

    A charge beyond the 40 that fit one commit finds autopay off when it wakes, and does nothing. A hosted page on which
    the client enrolled before, and whose outcome has not reached us, will not turn it on again.
    """
    enrolling = any(a.is_open and a.enrolment for a in books.attempts)
    if not books.account.autopay and not enrolling:
        return ()
    account = replace(books.account, autopay=False, turned_off_at=now, version=books.account.version + 1)
    ended = Fact(
        practice=practice.practice,
        client=account.client,
        item=account.key.sk,
        version=account.version,
        kind=FactKind.AUTOPAY_ENDED,
        at=now,
        actor=actor,
        cause=books.account.consent_id,
        data={"reason": reason},
    )
    writes: list[Write] = [Update(account), Insert(ended)]
    waiting = [i for i in books.invoices if i.charge_at is not None and not i.open_attempt and i.open_amount]
    for invoice in waiting[:MAX_CANCELLED_AT_ONCE]:
        writes += _cancelled(invoice, practice, now, actor=actor, reason=reason)
    return tuple(writes)


def no_charge(invoice: Invoice, practice: Practice, why: NoCharge, now: datetime) -> tuple[Write, ...]:
    """What is written when a due charge does not happen: looked at again later, or cancelled with its reason."""
    later = PASSES_BY_ITSELF.get(why)
    if later is None:
        return _cancelled(invoice, practice, now, actor="system", reason=why)
    parked = replace(invoice, charge_at=whole_minute(now + later), version=invoice.version + 1)
    return (Update(parked),)
