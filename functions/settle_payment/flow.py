"""Learn from Stripe what became of an attempt, or of a payment since, and write it into the books.

StripeEventStored -> the webhook says where to look; what is true is read from Stripe again: what the attempt came to,
                     and for refunds and disputes everything that went back of its payment
look_up (wake)    -> the janitor: an attempt nobody told us about, asked for after 5 minutes, 1 hour, then daily
"""

from datetime import datetime

from billing.account import Books
from billing.facts import FactKind, Message, WakeKind
from billing.ids import practice_key
from billing.payment import NEVER_REACHED_AFTER, Attempt, AttemptKind, AttemptState, Evidence
from billing.policy import Practice
from billing.ports import CardGateway, Owner, Store
from billing.refunding import settle_taken_back
from billing.settling import settle
from billing.stripe_event import ABOUT_MONEY_GOING_BACK, StripeEvent


def run(message: Message, *, store: Store, cards: CardGateway, now: datetime) -> None:
    """Settle the attempt that the message leads to; a repeat, or weaker evidence, changes nothing."""
    match message.kind, store.get(message.key):
        case FactKind.STRIPE_EVENT_STORED, StripeEvent() as event:
            owner = _owner(cards, event)
            books = Books.read(store, owner.practice, owner.client) if owner else None
            attempt = books.attempt(owner.attempt) if owner and books else None
            if books is None or attempt is None:
                # The object is somebody else's on the same Stripe account; or our own metadata names an attempt that we
                # never wrote: it belongs to another copy of Kindbill there.
                return
            if event.event_type in ABOUT_MONEY_GOING_BACK:
                settle_what_went_back(store, cards, attempt, now)
            else:
                settle_attempt(store, cards, books, attempt, now)
        case WakeKind.LOOK_UP, Attempt() as attempt:
            if attempt.is_open and attempt.look_up_at is not None and attempt.look_up_at <= now:
                settle_attempt(store, cards, Books.expect(store, attempt.practice, attempt.client), attempt, now)
        case _, row:
            raise AssertionError(f"{message.kind} names {message.key}, where there is {type(row).__name__}")


FOR_GOOD = frozenset({AttemptState.POSTED})
"""The strongest evidence there is; a failed attempt may still turn out to be paid."""


def _owner(cards: CardGateway, event: StripeEvent) -> Owner | None:
    """Whose object the event is about: by its own metadata, or by those of the payment it names."""
    if event.practice:
        return Owner(event.practice, event.client, event.attempt)
    return cards.owner_of(event.object_id)


def settle_attempt(store: Store, cards: CardGateway, books: Books, attempt: Attempt, now: datetime) -> None:
    """Read the attempt at Stripe and commit what that changes. Each payment has two webhooks and more: of one that is
    settled for good there is nothing to learn, and Stripe is not asked again."""
    if attempt.state in FOR_GOOD:
        return
    practice = _practice(store, attempt)
    writes = settle(books, attempt, evidence_about(cards, attempt, now), practice, now)
    if writes:
        store.commit(*writes)


def settle_what_went_back(store: Store, cards: CardGateway, attempt: Attempt, now: datetime) -> None:
    """Read at Stripe what went back of this attempt's payment and commit what that changes (PAY-12, PAY-13). The news
    of the payment itself may still be on its way, so that is settled first."""
    practice = _practice(store, attempt)
    books = Books.expect(store, attempt.practice, attempt.client)
    if attempt.state is not AttemptState.POSTED:
        settle_attempt(store, cards, books, attempt, now)
    complete = False
    while not complete:
        books = Books.expect(store, attempt.practice, attempt.client)
        payment = books.attempt(attempt.number)
        if payment is None or payment.state is not AttemptState.POSTED or not payment.parts or not payment.intent_id:
            return
        taken = cards.taken_back(payment.intent_id)
        writes, complete = settle_taken_back(books, payment, taken, practice, now)
        if writes:
            store.commit(*writes)


def _practice(store: Store, attempt: Attempt) -> Practice:
    practice = store.get(practice_key(attempt.practice))
    assert isinstance(practice, Practice), f"no practice {attempt.practice}"
    return practice


def evidence_about(cards: CardGateway, attempt: Attempt, now: datetime) -> Evidence:
    """What Stripe knows of the attempt, as of now."""
    if attempt.channel is not AttemptKind.AUTOPAY:
        if not attempt.session_id:
            return NEVER_OPENED
        return cards.read_checkout(attempt)
    found = cards.find_charge(attempt)
    if found is not None:
        return found
    if now - attempt.started_at >= NEVER_REACHED_AFTER:
        return Evidence(AttemptState.FAILED, reason="never_reached")
    return Evidence(AttemptState.STARTED)


NEVER_OPENED = Evidence(AttemptState.FAILED, reason="never_opened")
"""A hosted page whose address was never written down: no browser was ever sent there, so nobody can pay on it."""
