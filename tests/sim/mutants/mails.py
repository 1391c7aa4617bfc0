"""Planted bugs about mails: what they are made from, how often they go out, and what their being accepted means."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from unittest.mock import patch

from billing import letters
from billing.account import Books
from billing.autopay import charge_moment
from billing.draft import Draft
from billing.facts import ROUTES, Fact, FactKind
from billing.ids import Key
from billing.letters import Desk, Outgoing
from billing.notice import Posting
from billing.policy import Practice
from billing.ports import Mailer, Record, Store
from functions.receive_mail_events import flow as receive_mail_events
from functions.send_email import flow as send_email
from tests.sim.mutants.planted import planted


@planted("a letter made from the fact, not from the books", found="invariant 7 ", seed=7)
def a_bill_mailed_after_it_was_paid() -> Iterator[None]:
    """A late message writes its letter from what was true when its fact was: the bill is paid, and asked for."""
    real = send_email.letters_for

    def as_it_was(fact: Fact, desk: Desk, now: datetime) -> tuple[Outgoing, ...]:
        unpaid = tuple(replace(i, paid=0, moved=0, open_attempt=0) for i in desk.books.invoices)
        return real(fact, replace(desk, books=replace(desk.books, invoices=unpaid)), now)

    with patch.object(send_email, "letters_for", as_it_was):
        yield


@planted("a reminder after payment", found="invariant 7 ", seed=1)
def a_reminder_of_what_is_paid() -> Iterator[None]:
    """The reminder lists every bill of the client, the paid ones too."""
    with patch.object(letters, "remindable", lambda books: books.invoices):
        yield


@planted("a mail before its record", found="before its sending was written down|than was written down", seed=1)
def a_mail_sent_before_it_is_noted() -> Iterator[None]:
    """The mail service hears of the letter first, so a crash in between leaves no trace of it."""
    real = send_email._send

    def send_first(store: Store, mailer: Mailer, posting: Posting, outgoing: Outgoing, now: datetime) -> None:
        if store.get(posting.key) is None:
            mailer.deliver(outgoing.notice_id, outgoing.letter)
        real(store, mailer, posting, outgoing, now)

    with patch.object(send_email, "_send", send_first):
        yield


class _Forgetful:
    """A store that never heard of a mail having been sent."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, method: str) -> Any:
        return getattr(self._store, method)

    def get_many(self, keys: Sequence[Key]) -> list[Record | None]:
        """The rows, without the facts that say that a mail is out."""
        rows = self._store.get_many(keys)
        return [None if "#NoticeSent#" in key.sk else row for key, row in zip(keys, rows, strict=True)]


@planted("a mail per delivery", found="was known to be sent", seed=2)
def a_mail_for_each_delivery() -> Iterator[None]:
    """A message that comes twice sends its mail twice: nobody looks whether it is out."""
    real = send_email._send

    def again(store: Store, mailer: Mailer, posting: Posting, outgoing: Outgoing, now: datetime) -> None:
        real(_Forgetful(store), mailer, posting, outgoing, now)  # type: ignore[arg-type]  # the same methods

    with patch.object(send_email, "_send", again):
        yield


@planted(
    "notice counted from the bill, not from its acceptance", found="invariant 3 .*notice|no notice said so", seed=1
)
def a_notice_dated_from_the_bill() -> Iterator[None]:
    """The hours of notice run from the issue of the bill: a mail that goes out a day late leaves the client none."""

    def from_the_issue(draft: Draft, outgoing: Outgoing, practice: Practice) -> None:
        for invoice in letters._still(draft.books, outgoing):
            noticed = {"notice_id": outgoing.notice_id, "notice_at": invoice.issued_at}
            at = charge_moment(invoice, practice, invoice.issued_at)
            draft.change(replace(invoice, **noticed, card_id=draft.books.account.default_card, charge_at=at))

    with patch.object(letters, "_announce", from_the_issue):
        yield


@planted("a bounce ignored", found="no notice said so", seed=3)
def a_bounce_that_stops_nothing() -> Iterator[None]:
    """The notice came back; the charge it announced to nobody is taken all the same."""
    with patch.object(receive_mail_events, "_cancelled_charges", lambda *_: ()):
        yield


@planted("a subscriber forgotten", found="was sent 0 receipts|was sent \\d+ receipts", seed=1)
def payments_without_a_receipt() -> Iterator[None]:
    """A route was dropped when routes were sorted: nobody hears of a payment any more."""
    routes: Mapping[str, tuple[str, ...]] = {**ROUTES, FactKind.PAYMENT_POSTED: ()}
    with patch("functions.publish_facts.flow.ROUTES", routes):
        yield


@planted("care in a mail", found="invariant 12 ", seed=1)
def a_receipt_that_names_the_day_of_service() -> Iterator[None]:
    """The rows of a letter are told apart by the day of the session, which says that there was one."""
    with patch.object(letters, "_label", lambda invoice: f"Session of {invoice.service_date}"):
        yield


@planted(
    "decided on what was read before the mail went out", found="stopped at|invariant [1-9] |does not end|crash", seed=1
)
def what_follows_from_a_mail_is_decided_before_it() -> Iterator[None]:
    """The charge is announced on the books as they were before: what the client did meanwhile is overwritten."""
    real = letters.accepted

    def on_old_books(outgoing: Outgoing, books: Books, practice: Practice, now: datetime) -> Any:
        unpaid = tuple(replace(i, paid=0, open_attempt=0, moved=0) for i in books.invoices)
        return real(outgoing, replace(books, invoices=unpaid), practice, now)

    with patch.object(send_email, "accepted", on_old_books):
        yield
