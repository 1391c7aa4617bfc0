"""POST /v1/invoices/{invoice_id}/reviews and /v1/reviews/{review_id}/decision in and out of JSON."""

from collections.abc import Callable
from datetime import datetime

from billing.ids import client_of
from billing.ports import CardGateway, Store
from billing.review import AskedBy
from billing.reviewing import Asked, Decision, reviewed_invoice
from edges import desk_views
from edges.http import Request, Response, respond
from edges.inbound.body import parse
from edges.inbound.door import authenticate_any
from edges.inbound.review import DecisionIn, ReviewIn
from functions.change_invoice.review_decision import decide
from functions.change_invoice.reviews import ask, unknown_invoice


def post_review(request: Request, *, store: Store, cards: Callable[[], CardGateway], now: datetime) -> Response:
    """201 with the review, 200 with the one that is open already."""
    api_key = authenticate_any(request, store, ("practice",))
    *_, invoice_id, _ = request.path.split("/")  # /v1/invoices/{invoice_id}/reviews
    given = parse(ReviewIn, request.body, request.content_type)
    asked = Asked(AskedBy.STAFF, given.reason, given.quoted_amount, given.call_reference)
    client = client_of(invoice_id)
    if client is None:
        raise unknown_invoice()
    done = ask(store, cards, api_key.practice, client, invoice_id, asked, now)
    return respond(201 if done.new else 200, desk_views.review(done.review, reviewed_invoice(done.books, done.review)))


def post_decision(request: Request, *, store: Store, now: datetime) -> Response:
    """200 with the review as it is decided."""
    api_key = authenticate_any(request, store, ("practice",))
    *_, review_id, _ = request.path.split("/")  # /v1/reviews/{review_id}/decision
    given = parse(DecisionIn, request.body, request.content_type)
    decision = Decision(given.amount, given.reason, given.call_reference, api_key.key_id)
    done = decide(store, api_key.practice, review_id, decision, now)
    return respond(200, desk_views.review(done.review, reviewed_invoice(done.books, done.review)))
