"""Send money back, once.

RefundStarted    -> the refund is on disk with its key -> Stripe -> posted | pending | failed | unknown
pay_back (wake)  -> one that was never sent is sent, one that is on its way is looked up: 5 minutes, 1 hour, then daily

The same three nets as under a charge (ARCHITECTURE.md): the refund was written before Stripe hears of it, whoever sends
it again sends the same key, never after 20 hours, and an answer that was lost is looked up, not repeated.
"""

from datetime import datetime

from billing.account import Books
from billing.draft import Draft
from billing.facts import Fact, FactKind, Message, WakeKind
from billing.ids import Key, account_pk, practice_key
from billing.payment import NEVER_REACHED_AFTER, SEND_WITHIN
from billing.policy import Practice
from billing.ports import CardGateway, Store
from billing.refund import Refund, RefundEvidence, RefundState
from billing.refunding import settle_refund, settle_refused
from functions.settle_payment.flow import settle_what_went_back


def run(message: Message, *, store: Store, cards: CardGateway, now: datetime) -> None:
    """Send the refund that the message names, or learn what became of it; a repeat finds it done."""
    match message.kind, store.get(message.key):
        case FactKind.REFUND_STARTED, Fact() as fact:
            refund = store.get(Key(account_pk(fact.practice, fact.client), fact.item))
            assert isinstance(refund, Refund), f"{fact.key} is about {fact.item}, which is no refund"
            if _may_be_sent(refund, now):
                _settle(store, cards, refund, now)
        case WakeKind.PAY_BACK, Refund() as refund:
            if refund.on_its_way and refund.look_up_at is not None and refund.look_up_at <= now:
                _settle(store, cards, refund, now)
        case _, row:
            raise AssertionError(f"{message.kind} names {message.key}, where there is {type(row).__name__}")


def _may_be_sent(refund: Refund, now: datetime) -> bool:
    """Only one that is `started` and young enough: Stripe forgets its key after 24 hours."""
    return refund.state is RefundState.STARTED and now - refund.started_at <= SEND_WITHIN


def _settle(store: Store, cards: CardGateway, seen: Refund, now: datetime) -> None:
    """Read the account, then ask Stripe, then commit what that changes."""
    books = Books.expect(store, seen.practice, seen.client)
    refund = books.refund(seen.refund_id)
    assert refund is not None, f"refund {seen.refund_id} vanished"
    practice = store.get(practice_key(refund.practice))
    assert isinstance(practice, Practice), f"no practice {refund.practice}"
    if not refund.on_its_way:
        return
    sending = _may_be_sent(refund, now)
    evidence = cards.refund(refund) if sending else _looked_up(cards, refund, now)
    if sending and evidence.state is RefundState.FAILED:
        _refused(store, cards, refund, evidence, practice, now)
        return
    draft = Draft(books, now, "stripe", refund.refund_id)
    settle_refund(draft, refund, evidence, practice)
    writes = draft.writes()
    if writes:
        store.commit(*writes)


def _refused(
    store: Store, cards: CardGateway, seen: Refund, evidence: RefundEvidence, practice: Practice, now: datetime
) -> None:
    """Stripe would not send it: somebody refunded the payment there, or its bank took it. That is booked first, then
    what Stripe still has goes back instead."""
    books = Books.expect(store, seen.practice, seen.client)
    payment = books.attempt(seen.payment)
    assert payment is not None, f"{seen.refund_id} refunds attempt {seen.payment}, which does not exist"
    settle_what_went_back(store, cards, payment, now)
    books = Books.expect(store, seen.practice, seen.client)
    refund = books.refund(seen.refund_id)
    assert refund is not None, f"refund {seen.refund_id} vanished"
    if refund.state is not seen.state:
        return
    draft = Draft(books, now, "stripe", refund.refund_id)
    settle_refused(draft, refund, evidence, practice)
    writes = draft.writes()
    if writes:
        store.commit(*writes)


def _looked_up(cards: CardGateway, refund: Refund, now: datetime) -> RefundEvidence:
    """What Stripe knows of it, as of now."""
    found = cards.find_refund(refund)
    if found is not None:
        return found
    if now - refund.started_at >= NEVER_REACHED_AFTER:
        return RefundEvidence(RefundState.FAILED, refund.refund_id, reason="never_reached")
    return RefundEvidence(RefundState.STARTED, refund.refund_id)
