"""The pay link: what its pages show and what its buttons do.

Opening a page changes nothing, ever: mail scanners follow links. Each button is a form with the session's token; what
it does is decided on the account as it is at that moment, and a person who cannot have what they asked for is told
why and what to do.
"""

from collections.abc import Callable
from datetime import timedelta

from billing.account import Books, Contact, PhoneTries
from billing.autopay import end_autopay, meaning_of, stop_charge
from billing.explain import ExplainedLine
from billing.ids import contact_key, practice_key, provider_key
from billing.invoice import Invoice
from billing.invoice_lines import InvoiceLines, invoice_lines_key
from billing.payment import Attempt, AttemptKind, AttemptState, Enrolment
from billing.policy import Practice, Provider
from billing.ports import CardGateway, Conflict, Insert, Refused, Store, TryAgain, Write
from functions.serve_client.door import (
    Answer,
    Page,
    SeeOther,
    Visit,
    csrf_token,
    is_our_form,
    new_session,
    turned_away,
)
from functions.serve_client.forms import Form, Unfit, enrolment, onward
from functions.serve_client.hosted import TRIES, start_payment, start_setup
from functions.serve_client.phone_check import count_right, count_wrong, is_locked, is_on_file
from functions.serve_client.view import overview, payable_together, unpaid_invoices
from functions.settle_payment.close import close_open_attempts

__all__ = ["check_phone", "done", "pay", "set_up", "show", "start_setup", "stop", "turn_autopay_off"]

ALL = "all"
"""What the button "Pay all" asks for in place of an invoice id."""
CONFIRMS_WITHIN = timedelta(minutes=2)
"""A payment that is not confirmed after this long is no longer waited for on the page: a mail will tell."""


def show(store: Store, visit: Visit) -> Answer:
    """The page of the link: the question for the phone number, or what there is to pay (PAY-1, PAY-3)."""
    return turned_away(store, visit) or _overview(store, visit, Form(), {})


def check_phone(store: Store, visit: Visit, form: Form, session_id: str) -> Answer:
    """Judge a phone number (PAY-2). `session_id`: 256 random bits that become the session if the number is right.

    A locked account answers before any number is looked at, so it never says whether one was right.
    """
    turned = turned_away(store, visit)
    if turned is None:
        return SeeOther(visit.base)
    if turned.name != "phone":
        return turned
    tries_key = PhoneTries(visit.practice, visit.client, 1).key
    for _ in range(TRIES):
        contact, tries = store.get_many([contact_key(visit.practice, visit.client), tries_key])
        assert contact is None or isinstance(contact, Contact)
        assert tries is None or isinstance(tries, PhoneTries)
        if is_locked(tries, visit.now):
            return Page("locked", status=429)
        right = is_on_file(form.one("phone"), contact)
        writes: tuple[Write, ...]
        if right:
            guard = count_right(tries, visit.practice, visit.client)
            writes = (Insert(new_session(visit, session_id)), guard)
        else:
            writes = count_wrong(tries, visit.practice, visit.client, visit.now)
        try:
            store.commit(*writes)
        except Conflict:
            continue
        if right:
            return SeeOther(f"{visit.base}{onward(form)}", session_id)
        asked_again = {**turned.known, "wrong": True, "then": form.one("then")}
        return Page("locked", status=429) if len(writes) > 1 else Page("phone", asked_again, 403)
    raise TryAgain("too many tries at the same moment")


def pay(store: Store, cards: CardGateway, visit: Visit, form: Form) -> Answer:
    """Send the browser to the hosted page for one invoice, or for all (PAY-3, PAY-4)."""

    def go(books: Books, agreed: Enrolment | None) -> Attempt:
        wanted = form.one("invoice")
        if wanted != ALL:
            _one_of_theirs(books, wanted)
        return start_payment(
            store,
            cards,
            visit.practice,
            visit.client,
            lambda now: _chosen(now, wanted),
            agreed,
            visit.now,
            f"{visit.origin}{visit.base}/done",
            f"{visit.origin}{visit.base}",
        )

    return _to_hosted_page(store, visit, form, go)


def set_up(store: Store, cards: CardGateway, visit: Visit, form: Form) -> Answer:
    """Send the browser to the hosted page that saves a card, enrolling it if that was ticked (PAY-8, AUTO-1)."""

    def go(_: Books, agreed: Enrolment | None) -> Attempt:
        return start_setup(
            store,
            cards,
            visit.practice,
            visit.client,
            agreed,
            visit.now,
            f"{visit.origin}{visit.base}/done",
            f"{visit.origin}{visit.base}",
        )

    return _to_hosted_page(store, visit, form, go)


def turn_autopay_off(store: Store, visit: Visit, form: Form) -> Answer:
    """End automatic payments at once, with every announced charge (AUTO-9, LAW-7)."""

    def end(books: Books, practice: Practice) -> tuple[Write, ...]:
        return end_autopay(books, practice, "client", "client", visit.now)

    return _change(store, visit, form, end)


def stop(store: Store, cards: CardGateway, visit: Visit, form: Form) -> Answer:
    """Cancel one announced charge (LAW-7). A hosted page left open on it is closed first."""

    def cancel(books: Books, practice: Practice) -> tuple[Write, ...]:
        invoice = _one_of_theirs(books, form.one("invoice"))
        free = close_open_attempts(store, cards, books, (invoice,), visit.now)
        return stop_charge(_one_of_theirs(free, invoice.invoice_id), practice, visit.now)

    return _change(store, visit, form, cancel)


def done(store: Store, visit: Visit, number: str) -> Answer:
    """What became of a hosted page, for the browser that comes back from it. It waits for Stripe's word to reach us;
    looking does not make it come sooner."""
    turned = turned_away(store, visit)
    if turned is not None:
        return turned
    books = Books.expect(store, visit.practice, visit.client)
    readable = number.isascii() and number.isdigit() and len(number) < 10
    attempt = books.attempt(int(number)) if readable else None
    if attempt is None or attempt.channel not in (AttemptKind.CHECKOUT, AttemptKind.SETUP):
        return Page("unknown_page", {"base": visit.base}, 404)
    practice = _practice(store, visit)
    known = {
        "base": visit.base,
        "practice_name": practice.name,
        "practice_phone": practice.phone,
        "amount": attempt.amount,
        "card": attempt.card_shown,
        "saves_card": attempt.channel is AttemptKind.SETUP,
        "autopay": books.account.autopay and attempt.enrolment is not None,
        "wanted_autopay": attempt.enrolment is not None,
        "more_to_pay": bool(unpaid_invoices(books)),
    }
    match attempt.state:
        case AttemptState.POSTED:
            return Page("paid", known)
        case AttemptState.FAILED:
            reason = meaning_of(attempt.decline, attempt.reason).sentence if attempt.decline else ""
            return Page("not_paid", known | {"reason": reason})
        case AttemptState.STARTED | AttemptState.UNKNOWN:
            patient = visit.now - attempt.started_at < CONFIRMS_WITHIN
            return Page("confirming", known | {"refresh": patient})


# ------------------------------------------------------------------------------------------------------ the buttons


def _admitted(store: Store, visit: Visit, form: Form) -> Answer | None:
    """Where a form without session or token goes; None where it may act."""
    if turned_away(store, visit) is not None:
        return SeeOther(visit.base)
    if not is_our_form(visit, form.one("csrf")):
        return Page("stale_form", {"base": visit.base}, 403)
    return None


def _to_hosted_page(store: Store, visit: Visit, form: Form, go: Callable[[Books, Enrolment | None], Attempt]) -> Answer:
    """Read what was agreed to, then go; a form that cannot be taken is shown again with what to mend."""
    elsewhere = _admitted(store, visit, form)
    if elsewhere is not None:
        return elsewhere
    practice = _practice(store, visit)
    books = Books.expect(store, visit.practice, visit.client)
    if not practice.online_payments:
        detail = f"{practice.name} does not take payments online. Please call {practice.phone}."
        raise Refused("online_payments_off", detail, rule="PAY-10")
    try:
        agreed = enrolment(form, books, practice, visit.ip, visit.now)
    except Unfit as unfit:
        return _overview(store, visit, form, dict(unfit.errors))
    return SeeOther(go(books, agreed).session_url)


def _change(store: Store, visit: Visit, form: Form, decide: Callable[[Books, Practice], tuple[Write, ...]]) -> Answer:
    """Commit a decision on the account as it is now, anew after each lost race, and show the page again."""
    elsewhere = _admitted(store, visit, form)
    if elsewhere is not None:
        return elsewhere
    practice = _practice(store, visit)
    for _ in range(TRIES):
        try:
            writes = decide(Books.expect(store, visit.practice, visit.client), practice)
            if writes:
                store.commit(*writes)
        except Conflict:
            continue
        return SeeOther(visit.base)
    raise TryAgain(f"the account of client {visit.client} changes too fast")


def _chosen(books: Books, wanted: str) -> tuple[Invoice, ...]:
    """The invoices a Pay button means."""
    if wanted == ALL:
        return payable_together(books)
    return (_one_of_theirs(books, wanted),)


def _one_of_theirs(books: Books, invoice_id: str) -> Invoice:
    """The invoice of that id; an id of another account is no bill of theirs."""
    invoice = books.invoice(invoice_id)
    if invoice is None:
        raise Refused("unknown_invoice", "There is no such bill on this page: open the page again.", status=404)
    return invoice


# ------------------------------------------------------------------------------------------------------ the page


def _overview(store: Store, visit: Visit, form: Form, errors: dict[str, str]) -> Page:
    """What there is to pay, explained; with the form as it was sent where it must be mended."""
    books = Books.expect(store, visit.practice, visit.client)
    unpaid = unpaid_invoices(books)
    provider_ids = sorted({one.provider for one in unpaid} - {""})
    practice, contact, *details = store.get_many(
        [
            practice_key(visit.practice),
            contact_key(visit.practice, visit.client),
            *(provider_key(visit.practice, one) for one in provider_ids),
            *(invoice_lines_key(visit.practice, visit.client, one.invoice_id, one.explained) for one in unpaid),
        ]
    )
    assert isinstance(practice, Practice), f"no practice {visit.practice}"
    providers = {one.provider: one.name for one in details if isinstance(one, Provider)}
    lines: dict[str, tuple[ExplainedLine, ...]] = {
        one.invoice_id: one.lines for one in details if isinstance(one, InvoiceLines)
    }
    seen = overview(books, practice, lines, providers)
    known = {
        "page": seen,
        "base": visit.base,
        "csrf": csrf_token(visit.session_id),
        "client_name": contact.name if isinstance(contact, Contact) else "",
        "practice_name": practice.name,
        "practice_phone": practice.phone,
        "time_zone": practice.time_zone,
        "form": form,
        "errors": errors,
    }
    return Page("overview", known, 422 if errors else 200)


def _practice(store: Store, visit: Visit) -> Practice:
    practice = store.get(practice_key(visit.practice))
    assert isinstance(practice, Practice), f"no practice {visit.practice}"
    return practice
