"""Whether a client may book a session: a practice may ask for a card on file before (AUTO-11)."""

from datetime import datetime
from typing import Final

from billing.account import Books
from billing.payment import Card
from billing.period import local_date
from billing.policy import Practice

NEVER_ASKED_IN: Final = frozenset({"CT", "NY"})
"""States whose clients may book without a card on file, whatever the practice chose (AUTO-11)."""


def can_book(books: Books, state: str, practice: Practice, now: datetime) -> bool:
    """Whether this client, of that US state ("" where we do not know it), may book now."""
    if not practice.policy.card_required or state in NEVER_ASKED_IN:
        return True
    return any(_is_good(card, practice, now) for card in books.cards)


def _is_good(card: Card, practice: Practice, now: datetime) -> bool:
    """A card is good through the last day of its month, where the practice is."""
    today = local_date(now, practice.time_zone)
    return (card.exp_year, card.exp_month) >= (today.year, today.month)
