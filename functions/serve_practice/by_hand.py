"""POST /v1/invoices: what a provider asks a client for by hand (INV-4).

Asked for once: per Idempotency-Key where one is sent; without one, the same client, amount, description and session on
one day at the practice are the same invoice. One that was voided since is asked for no more: the same again without a
key is a new one, and so is one for the session that it was for.
"""

import hashlib
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from billing.account import Books
from billing.idempotency import UsedIdempotencyKey, check_same_request, used_key
from billing.ids import digest, invoice_id, practice_key
from billing.invoice import Invoice, Source
from billing.invoice_lines import InvoiceLines, invoice_lines_key
from billing.money import Cents
from billing.period import local_date
from billing.policy import Practice
from billing.ports import Insert, Refused, Store, Write
from billing.session import BilledSession, Session, billed_session_key, session_key
from billing.session_billing import NewInvoice, bills, issued, own_line
from functions.serve_practice.flow import unknown_client

ROUTE: Final = "POST /v1/invoices/"
"""What an idempotency key is bound within."""


@dataclass(frozen=True)
class Wanted:
    """An invoice by hand. `sender`: the hash of the API key that asks · `idempotency_key`: "" where none was sent ·
    `session_id`: "" where it is for no session."""

    practice: str
    sender: str
    idempotency_key: str
    client: str
    amount: Cents
    description: str
    session_id: str = ""

    @property
    def content(self) -> str:
        """What is asked for, as one text."""
        return digest(self.client, str(self.amount), self.description, self.session_id, length=64)


@dataclass(frozen=True)
class Asked:
    """The invoice and what it is for; `new`: made just now."""

    invoice: Invoice
    lines: InvoiceLines | None
    new: bool


def ask(store: Store, wanted: Wanted, now: datetime) -> Asked:
    """Issue the invoice, or show the one that the same request issued.

    Raises Refused: 404 for an unknown client, 409 where the session is another client's or is billed already, or where
    the key was used for something else.
    """
    books = Books.read(store, wanted.practice, wanted.client)
    if books is None:
        raise unknown_client(wanted.client)
    practice = store.get(practice_key(wanted.practice))
    assert isinstance(practice, Practice), f"no practice {wanted.practice}"
    used = _used(wanted, now)
    if used is not None:
        stored = store.get(used.key)
        if isinstance(stored, UsedIdempotencyKey):
            check_same_request(stored, used)
            return _shown(store, books, stored.answer_id, new=False)
    today = local_date(now, practice.time_zone)
    source_id = digest(used.scope_hash, used.answer_id) if used else _of_today(books, wanted, today)
    made = invoice_id(wanted.practice, wanted.client, Source.BY_HAND, source_id)
    if books.invoice(made) is not None:
        return _shown(store, books, made, new=False)
    key: tuple[Write, ...] = (Insert(_answering(used, made)),) if used else ()
    store.commit(*_decide(store, wanted, source_id, books, practice, today, now), *key)
    return _shown(store, Books.expect(store, wanted.practice, wanted.client), made, new=True)


def _of_today(books: Books, wanted: Wanted, today: date) -> str:
    """What names this invoice among those of the day: the first that is not void, or not there."""
    source_id, again = digest(wanted.content, today.isoformat()), 0
    while _is_void(books, invoice_id(wanted.practice, wanted.client, Source.BY_HAND, source_id)):
        again += 1
        source_id = digest(wanted.content, today.isoformat(), str(again))
    return source_id


def _is_void(books: Books, known: str) -> bool:
    found = books.invoice(known)
    return found is not None and found.void


def _decide(
    store: Store, wanted: Wanted, source_id: str, books: Books, practice: Practice, today: date, now: datetime
) -> tuple[Write, ...]:
    session, billed = _session(store, wanted, books)
    on = session.day(practice.time_zone) if session else today
    new = NewInvoice(
        client=wanted.client,
        source=Source.BY_HAND,
        source_id=source_id,
        amount=wanted.amount,
        service_date=on,
        provider=session.provider if session else books.account.provider,
        lines=(own_line(session.procedure if session else "", on, wanted.amount, wanted.description),),
        actor="staff",
        cause=source_id,
        data=(("session_id", wanted.session_id),) if wanted.session_id else (),
    )
    invoice, writes = issued(new, practice, now)
    if wanted.session_id:
        writes += (bills(billed, wanted.practice, wanted.session_id, invoice),)
    return writes


def _session(store: Store, wanted: Wanted, books: Books) -> tuple[Session | None, BilledSession | None]:
    """The session it is for, where it is for one and that was told, and what bills it so far: nothing."""
    if not wanted.session_id:
        return None, None
    session, billed = store.get_many(
        [session_key(wanted.practice, wanted.session_id), billed_session_key(wanted.practice, wanted.session_id)]
    )
    if isinstance(session, Session) and session.client != wanted.client:
        raise Refused("session_of_another", f"Session {wanted.session_id} is another client's.")
    if isinstance(billed, BilledSession) and (billed.claim_id or _asks(books, billed)):
        by = f"invoice {billed.invoice_id}" if billed.invoice_id else f"claim {billed.claim_id}"
        raise Refused(
            "session_billed",
            f"Session {wanted.session_id} is billed by {by}. For something else, leave session_id out.",
            rule="INV-4",
        )
    return (
        session if isinstance(session, Session) else None,
        billed if isinstance(billed, BilledSession) else None,
    )


def _asks(books: Books, billed: BilledSession) -> bool:
    """Whether the invoice of the session asks for it still."""
    return bool(billed.invoice_id) and not _is_void(books, billed.invoice_id)


def _used(wanted: Wanted, now: datetime) -> UsedIdempotencyKey | None:
    if not wanted.idempotency_key:
        return None
    request = hashlib.sha256(wanted.content.encode()).hexdigest()
    return used_key(wanted.practice, wanted.sender, ROUTE, wanted.idempotency_key, request, now.isoformat(), now)


def _answering(used: UsedIdempotencyKey, made: str) -> UsedIdempotencyKey:
    return UsedIdempotencyKey(used.practice, used.scope_hash, used.request_hash, made, used.expires)


def _shown(store: Store, books: Books, made: str, *, new: bool) -> Asked:
    invoice = books.invoice(made)
    assert invoice is not None, f"{made} was issued and is not there"
    lines = store.get(invoice_lines_key(invoice.practice, invoice.client, made))
    return Asked(invoice, lines if isinstance(lines, InvoiceLines) else None, new)
