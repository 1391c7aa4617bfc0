"""Whether a client may book (AUTO-11)."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from billing.account import Books
from billing.booking import can_book
from tests.billing.examples import BY_HAND, NOW, VISA, practice

REQUIRED = practice(card_required=True)
WITHOUT_CARD = Books(BY_HAND, (), (), (), ())
WITH_CARD = Books(BY_HAND, (VISA,), (), (), ())


@pytest.mark.parametrize("state", ["CA", ""])
def test_auto_11_who_must_have_a_card_books_with_one_and_not_without(state: str) -> None:
    assert not can_book(WITHOUT_CARD, state, REQUIRED, NOW)
    assert can_book(WITH_CARD, state, REQUIRED, NOW)


def test_auto_11_nobody_needs_a_card_where_the_practice_asks_for_none() -> None:
    assert can_book(WITHOUT_CARD, "CA", practice(), NOW)


@pytest.mark.parametrize("state", ["NY", "CT"])
def test_auto_11_clients_in_new_york_and_connecticut_are_never_asked(state: str) -> None:
    assert can_book(WITHOUT_CARD, state, REQUIRED, NOW)


def test_auto_11_a_card_is_good_through_its_month_where_the_practice_is() -> None:
    """Riverbend is on Pacific time: at 07:59 UTC on December 1 it is still November."""
    expires = replace(WITHOUT_CARD, cards=(replace(VISA, exp_month=11, exp_year=2026),))
    assert can_book(expires, "CA", REQUIRED, datetime(2026, 12, 1, 7, 59, tzinfo=UTC))
    assert not can_book(expires, "CA", REQUIRED, datetime(2026, 12, 1, 8, 0, tzinfo=UTC))
