""" "My plan told me another amount": the page where a client asks to have a bill looked into (INV-7, AUTO-4)."""

from collections.abc import Callable
from dataclasses import replace

from billing.account import Books
from billing.ids import practice_key
from billing.invoice import Invoice
from billing.policy import Practice
from billing.ports import CardGateway, Store
from functions.change_invoice.reviews import ask
from functions.serve_client.door import Answer, Page, SeeOther, Visit, csrf_token, is_our_form, turned_away
from functions.serve_client.forms import REVIEW_STEP, Form, Unfit, review_request
from functions.serve_client.view import named_bill, questionable, unpaid_invoices


def show(store: Store, visit: Visit, invoice_id: str) -> Answer:
    """The form for a bill. Where none is named and there is only one to question, for that; else back to the bills."""
    turned = turned_away(store, visit)
    if turned is not None:
        return replace(turned, known={**turned.known, "then": REVIEW_STEP}) if turned.name == "phone" else turned
    books = Books.expect(store, visit.practice, visit.client)
    invoice = _meant(books, invoice_id)
    return SeeOther(visit.base) if invoice is None else _page(store, visit, books, invoice, Form(), {})


def send(store: Store, cards: Callable[[], CardGateway], visit: Visit, form: Form) -> Answer:
    """Open the review and show the bills again; a form that cannot be taken is shown again with what to mend.

    Raises Refused where a payment is on its way, or a bank looks into one.
    """
    if turned_away(store, visit) is not None:
        return SeeOther(visit.base)
    if not is_our_form(visit, form.one("csrf")):
        return Page("stale_form", {"base": visit.base}, 403)
    books = Books.expect(store, visit.practice, visit.client)
    invoice = _meant(books, form.one("invoice"))
    if invoice is None:
        return SeeOther(visit.base)  # sent twice, or paid since: the page shows how it is
    try:
        asked = review_request(form, invoice.open_amount)
    except Unfit as unfit:
        return _page(store, visit, books, invoice, form, dict(unfit.errors))
    ask(store, cards, visit.practice, visit.client, invoice.invoice_id, asked, visit.now)
    return SeeOther(visit.base)


def _meant(books: Books, invoice_id: str) -> Invoice | None:
    """The bill that is named and may be questioned; without a name, the only one there is."""
    open_to_it = [one for one in unpaid_invoices(books) if questionable(one, books)]
    if not invoice_id:
        return open_to_it[0] if len(open_to_it) == 1 else None
    return next((one for one in open_to_it if one.invoice_id == invoice_id), None)


def _page(store: Store, visit: Visit, books: Books, invoice: Invoice, form: Form, errors: dict[str, str]) -> Page:
    practice = store.get(practice_key(visit.practice))
    assert isinstance(practice, Practice), f"no practice {visit.practice}"
    known = {
        "bill": named_bill(invoice, books),
        "base": visit.base,
        "csrf": csrf_token(visit.session_id),
        "practice_name": practice.name,
        "practice_phone": practice.phone,
        "time_zone": practice.time_zone,
        "form": form,
        "errors": errors,
    }
    return Page("question", known, 422 if errors else 200)
