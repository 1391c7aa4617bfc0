"""Learn from Stripe what became of an attempt and write it into the books.

StripeEventStored -> the webhook says where to look; what is true is read from Stripe again
look_up (wake)    -> the janitor: an attempt nobody told us about, asked for after 5 minutes, 1 hour, then daily
"""

from datetime import datetime

from billing.account import Books
from billing.facts import FactKind, Message, WakeKind
from billing.ids import practice_key
from billing.payment import NEVER_REACHED_AFTER, Attempt, AttemptKind, AttemptState, Evidence
from billing.policy import Practice
from billing.ports import CardGateway, Store
from billing.settling import settle
from billing.stripe_event import StripeEvent


def run(message: Message, *, store: Store, cards: CardGateway, now: datetime) -> None:
    """Settle the attempt that the message leads to; a repeat, or weaker evidence, changes nothing."""
    match message.kind, store.get(message.key):
        case FactKind.STRIPE_EVENT_STORED, StripeEvent() as event:
            books = Books.read(store, event.practice, event.client)
            attempt = books.attempt(event.attempt) if books else None
            if books is None or attempt is None:
                # Our own metadata names an attempt that we never wrote: the object belongs to another copy of
                # Kindbill on the same Stripe account.
                return
            settle_attempt(store, cards, books, attempt, now)
        case WakeKind.LOOK_UP, Attempt() as attempt:
            if attempt.is_open and attempt.look_up_at is not None and attempt.look_up_at <= now:
                settle_attempt(store, cards, Books.expect(store, attempt.practice, attempt.client), attempt, now)
        case _, row:
            raise AssertionError(f"{message.kind} names {message.key}, where there is {type(row).__name__}")


def settle_attempt(store: Store, cards: CardGateway, books: Books, attempt: Attempt, now: datetime) -> None:
    """Read the attempt at Stripe and commit what that changes."""
    practice = store.get(practice_key(attempt.practice))
    assert isinstance(practice, Practice), f"no practice {attempt.practice}"
    writes = settle(books, attempt, evidence_about(cards, attempt, now), practice, now)
    if writes:
        store.commit(*writes)


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
