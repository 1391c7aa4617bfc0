"""Send the mails that a fact has, and remember what their being accepted changes.

    fact, or remind (wake) -> letters made from what is true now
    each letter:  sending attempt written -> mail service -> NoticeSent, with the charge it announced, in one commit

The mail service has no idempotency key: after a crash between the two writes a mail is sent again. That is known and
counted (the sending attempt's version); everything else is *already done* on repetition.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from billing.account import Books, Contact
from billing.desk import EXPLAINS_A_BILL, FOLLOWS_WHAT_WAS_TOLD, Desk, Outgoing
from billing.disclosure import Disclosure, disclosure_key
from billing.facts import Fact, FactKind, Message, WakeKind
from billing.ids import contact_key, facts_pk, practice_key, provider_key
from billing.invoice import Invoice
from billing.invoice_lines import InvoiceLines, invoice_lines_key
from billing.letters import accepted, letters_for, reminder
from billing.notice import NoticeKind, Posting
from billing.policy import Practice, Provider
from billing.ports import Conflict, Insert, Mailer, Refused, Store, TryAgain, Update, Write

TRIES = 5
"""The mail is out: a lost race over what follows from it is decided anew this often before the message returns."""
SOMEONE_IS_ON_IT_FOR = timedelta(minutes=10)
"""Two invoices due for a reminder at 09:00 are two messages at the same moment, and one mail. The second leaves it to
the first for this long (its own invoice stays due), then takes over: the first may have died and been paid."""


def run(message: Message, *, store: Store, mailer: Mailer, now: datetime) -> None:
    """Send what the fact or the due reminder asks for; what was sent already is not sent again."""
    match message.kind, store.get(message.key):
        case WakeKind.REMIND, Invoice() as invoice:
            outgoing = reminder(_desk(store, invoice.practice, invoice.client), now)
            letters: tuple[Outgoing, ...] = (outgoing,) if outgoing else ()
            practice, client = invoice.practice, invoice.client
        case _, Fact() as fact:
            desk = _desk(store, fact.practice, fact.client)
            if fact.kind in FOLLOWS_WHAT_WAS_TOLD:
                desk = replace(desk, told=_told(store, fact))
            if fact.kind in EXPLAINS_A_BILL:
                desk = replace(desk, explained=_explained(store, fact, desk.books))
            if "disclosure" in fact.data:
                desk = replace(desk, disclosure=_disclosure(store, fact))
            letters = letters_for(fact, desk, now)
            practice, client = fact.practice, fact.client
        case _, row:
            raise AssertionError(f"{message.kind} names {message.key}, where there is {type(row).__name__}")
    for letter in letters:
        kind, cause = letter.letter.kind, message.key.sk
        posting = Posting(practice, client, letter.notice_id, 1, kind, now, letter.invoice_ids, cause)
        _send(store, mailer, posting, letter, now)


def _desk(store: Store, practice_id: str, client: str) -> Desk:
    """Practice, provider, contact and books: whom a letter is from, to and about."""
    books = Books.expect(store, practice_id, client)
    practice, contact, provider = store.get_many(
        [
            practice_key(practice_id),
            contact_key(practice_id, client),
            provider_key(practice_id, books.account.provider),
        ]
    )
    assert isinstance(practice, Practice), f"no practice {practice_id}"
    assert isinstance(contact, Contact), f"no contact for client {client}"
    assert provider is None or isinstance(provider, Provider)
    return Desk(practice, provider, contact, books)


def _told(store: Store, fact: Fact) -> frozenset[str]:
    """The client's invoices that a mail was about, or may have been: its sending had begun."""
    begun = store.partition(facts_pk(fact.practice, fact.client), "NOTICE#")
    return frozenset(invoice for row in begun if isinstance(row, Posting) for invoice in row.invoice_ids)


def _explained(store: Store, fact: Fact, books: Books) -> InvoiceLines | None:
    """Where the price of the fact's bill went, by what is in force now; an instalment has no lines."""
    invoice = books.invoice(str(fact.data.get("invoice_id", "")))
    if invoice is None:
        return None
    lines = store.get(invoice_lines_key(fact.practice, fact.client, invoice.invoice_id, invoice.explained))
    assert lines is None or isinstance(lines, InvoiceLines)
    return lines


def _disclosure(store: Store, fact: Fact) -> Disclosure:
    """What the client accepted before the plan that this fact made (PLAN-10)."""
    row = store.get(disclosure_key(fact.practice, fact.client, str(fact.data["plan_id"])))
    assert isinstance(row, Disclosure), f"{fact.key} names a disclosure that is not there"
    return row


def _send(store: Store, mailer: Mailer, posting: Posting, outgoing: Outgoing, now: datetime) -> None:
    before, *ended = store.get_many([posting.key, _sent(posting, "", now).key, _refused(posting, "", now).key])
    if any(ended):
        if posting.notice is NoticeKind.REMINDER:
            _remember(store, posting, outgoing, None, now)
        return
    if before is None:
        store.commit(Insert(posting))
    else:
        assert isinstance(before, Posting)
        if before.cause != posting.cause and now - before.at < SOMEONE_IS_ON_IT_FOR:
            return
        told = posting.invoice_ids  # what was paid since the sending began is not reminded of
        posting = replace(before, at=now, cause=posting.cause, invoice_ids=told, version=before.version + 1)
        store.commit(Update(posting))
    try:
        message_id = mailer.deliver(outgoing.notice_id, outgoing.letter)
    except Refused as refusal:
        _remember(store, posting, outgoing, _refused(posting, refusal.code, now), now)
        return
    _remember(store, posting, outgoing, _sent(posting, message_id, now), now)


def _remember(store: Store, posting: Posting, outgoing: Outgoing, fact: Fact | None, now: datetime) -> None:
    """Commit the fact with what follows from it, decided on the books as they are at this moment.

    `fact` None: the day's reminder is out (or was refused) already, and an invoice that became due since joins it. Of
    every other mail nothing can be missing, and deciding again would announce a charge that the client has stopped.
    What a refused mail announced does not happen, but a refused reminder is not tried again before its next day. A
    repeated mail says what it said first: where it would be of another kind by now, nothing follows from it either.
    """
    decides = fact is None or fact.kind == FactKind.NOTICE_SENT or outgoing.letter.kind is NoticeKind.REMINDER
    decides = decides and posting.notice is outgoing.letter.kind
    for _ in range(TRIES):
        writes: tuple[Write, ...] = (Insert(fact),) if fact else ()
        if decides:
            practice = store.get(practice_key(posting.practice))
            assert isinstance(practice, Practice), f"no practice {posting.practice}"
            books = Books.expect(store, posting.practice, posting.client)
            writes += accepted(outgoing, books, practice, now)
        if not writes:
            return
        try:
            store.commit(*writes)
        except Conflict:
            continue
        return
    raise TryAgain(f"notice {posting.notice_id} is out, but its account changes too fast to note it")


def _sent(posting: Posting, message_id: str, now: datetime) -> Fact:
    return _about(posting, FactKind.NOTICE_SENT, {"notice": posting.notice, "message_id": message_id}, now)


def _refused(posting: Posting, code: str, now: datetime) -> Fact:
    return _about(posting, FactKind.NOTICE_BOUNCED, {"notice": posting.notice, "bounce": code}, now)


def _about(posting: Posting, kind: FactKind, data: dict[str, str | int], now: datetime) -> Fact:
    """A fact about a mail; `cause` names it, and there is one of each kind."""
    return Fact(
        practice=posting.practice,
        client=posting.client,
        item=posting.key.sk,
        version=1,
        kind=kind,
        at=now,
        actor="system",
        cause=posting.notice_id,
        data=data,
    )
