"""A mail came back. What it announced does not happen, and staff are told (AUTO-3).

One commit: the fact (whose mail to staff follows from it), every charge that still waits on that notice, and the mark
on the contact that its address does not take mail.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from billing.account import Books, Contact
from billing.autopay import NoCharge, no_charge
from billing.facts import Fact, FactKind
from billing.ids import Key, contact_key, facts_pk, practice_key, segment
from billing.notice import NoticeKind, Posting
from billing.plan import Plan
from billing.policy import Practice
from billing.ports import Conflict, Insert, Store, TryAgain, Update, Write
from functions.receive_mail_events.report import Report, Trouble

NOTED_WITHIN = timedelta(minutes=30)
"""A sent mail is noted as such long before, unless its worker died and the repetition had nothing left to say."""
TRIES = 5
"""SNS asks again only after a minute: a lost race is decided anew here."""


def run(report: Report, *, store: Store, now: datetime) -> bool:
    """Note the trouble and cancel what depended on the mail -> whether anything was written.

    A repetition, and a bounce that SES itself tries again, change nothing. Raises TryAgain while the mail is not yet
    noted as sent: the charge it announces is about to be scheduled, and cancelling must come after that.
    """
    if report.trouble is Trouble.BOUNCED_FOR_NOW:
        return False
    for _ in range(TRIES):
        writes = _decide(report, store, now)
        if not writes:
            return False
        try:
            store.commit(*writes)
        except Conflict:
            continue
        return True
    raise TryAgain(f"the account of notice {report.notice_id} changes too fast to note its bounce")


def _decide(report: Report, store: Store, now: datetime) -> tuple[Write, ...]:
    posting = store.get(Key(facts_pk(report.practice, report.client), f"NOTICE#{segment(report.notice_id)}#"))
    if not isinstance(posting, Posting):
        return ()  # our tags on a mail that this copy never wrote down: another copy shares the SES account
    about = {f.kind for f in store.partition(posting.key.pk, f"FACT#{segment(posting.key.sk)}#") if isinstance(f, Fact)}
    if FactKind.NOTICE_BOUNCED in about:
        return ()
    if FactKind.NOTICE_SENT not in about and now - posting.at < NOTED_WITHIN:
        raise TryAgain(f"notice {report.notice_id} came back before it was noted as sent")
    return (
        Insert(_bounced(posting, report, now)),
        *_cancelled_charges(posting, store, now),
        *_marked_contact(report, store),
    )


def _bounced(posting: Posting, report: Report, now: datetime) -> Fact:
    """There is one per mail, however often it comes back."""
    return Fact(
        practice=posting.practice,
        client=posting.client,
        item=posting.key.sk,
        version=1,
        kind=FactKind.NOTICE_BOUNCED,
        at=now,
        actor="system",
        cause=report.message_id,
        data={"notice": posting.notice, "bounce": report.trouble, "message_id": report.message_id},
    )


def _cancelled_charges(posting: Posting, store: Store, now: datetime) -> tuple[Write, ...]:
    """Every charge announced by this mail that has not been sent; the invoice goes back to its reminders, whatever page
    is open on it. One that is being sent may still arrive, but not be tried again. A plan whose schedule came back has
    announced nothing."""
    practice = store.get(practice_key(posting.practice))
    assert isinstance(practice, Practice), f"no practice {posting.practice}"
    books = Books.expect(store, posting.practice, posting.client)
    writes: list[Write] = []
    for invoice in books.invoices:
        if invoice.notice_id != posting.notice_id or not invoice.open_amount:
            continue
        unannounced = replace(invoice, notice_at=None)
        if invoice.charge_at is not None:
            writes += no_charge(unannounced, practice, NoCharge.NOTICE_BOUNCED, now)
        elif invoice.open_attempt:
            writes.append(Update(replace(unannounced, version=invoice.version + 1)))
    if posting.notice is NoticeKind.PLAN_SCHEDULE:
        writes += [Update(_unannounced(p)) for p in books.plans if p.plan_id == books.account.active_plan]
    return tuple(writes)


def _unannounced(plan: Plan) -> Plan:
    """The schedule did not arrive: each instalment now needs its own reminder as its notice (PLAN-5, AUTO-3)."""
    return replace(plan, notice_at=None, version=plan.version + 1)


def _marked_contact(report: Report, store: Store) -> tuple[Write, ...]:
    """The client's address takes no mail; an alert to staff that bounced says nothing about the client."""
    contact = store.get(contact_key(report.practice, report.client))
    if report.trouble is not Trouble.BOUNCED or not isinstance(contact, Contact) or contact.mail_bounces:
        return ()
    if contact.email.lower() not in report.recipients:
        return ()
    return (Update(replace(contact, mail_bounces=True, version=contact.version + 1)),)
