"""Planted bugs about what a client agreed to, stopped, or asked to have looked at."""

from collections.abc import Iterator
from dataclasses import replace
from unittest.mock import patch

from billing import issuing, settling
from billing.draft import Draft
from billing.payment import Attempt, Card, CardDetails, Enrolment
from billing.policy import Practice
from functions.serve_client import flow as serve_client
from functions.serve_client import phone_check
from tests.sim.mutants.planted import planted


@planted("a button without effect", found="stopped at", seed=40)
def a_stop_that_stops_nothing() -> Iterator[None]:
    """The page thanks the client for stopping the charge, and the charge goes on."""
    with patch.object(serve_client, "stop_charge", lambda *_: ()):
        yield


@planted("a review that pauses nothing", found="in review by then", seed=31)
def a_review_that_pauses_nothing() -> Iterator[None]:
    """A second answer puts the bill in review on paper: its announced charge is still taken."""
    with patch.object(issuing, "question", lambda invoice, *_: invoice):
        yield


@planted("a new consent charged to the old card", found="consent .* names another card|relies on", seed=3)
def the_old_card_is_charged() -> Iterator[None]:
    """The client agrees with a new card, and the card that was the default before is charged."""
    real = settling._enrol

    def keep_the_old(draft: Draft, attempt: Attempt, enrolment: Enrolment, card: Card, practice: Practice) -> None:
        before = draft.books.account.default_card
        real(draft, attempt, enrolment, card, practice)
        draft.change(replace(draft.books.account, default_card=before))

    with patch.object(settling, "_enrol", keep_the_old):
        yield


@planted("an old agreement outlives a later no", found="turned off at", seed=24)
def a_page_finished_late_turns_autopay_on_again() -> Iterator[None]:
    """Who turned autopay off while the payment page was open is enrolled when that page is finished."""
    real = settling._save_card

    def forget_the_no(draft: Draft, attempt: Attempt, details: CardDetails, practice: Practice) -> None:
        draft.books = replace(draft.books, account=replace(draft.books.account, turned_off_at=None))
        real(draft, attempt, details, practice)

    with patch.object(settling, "_save_card", forget_the_no):
        yield


@planted("a door that lets everybody in", found="a wrong number opens", seed=1)
def a_phone_check_that_knows_everybody() -> Iterator[None]:
    """Whoever has the link gets in, whatever number they type."""
    assert serve_client.is_on_file is phone_check.is_on_file
    with patch.object(serve_client, "is_on_file", lambda _given, _contact: True):
        yield
