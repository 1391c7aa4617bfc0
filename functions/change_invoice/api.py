"""POST /v1/invoices/{invoice_id}/…, /v1/reviews/{review_id}/decision and /v1/plans/{plan_id}/end in and out of JSON."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from billing.ports import CardGateway, Refused, Store
from billing.staff_action import Deed
from edges import views
from edges.http import Request, Response, respond
from edges.inbound.bad_input import BadInput
from edges.inbound.body import parse
from edges.inbound.door import authenticate_any, idempotency_key
from edges.inbound.fields import Request as Body
from edges.inbound.invoice_change import EndPlanIn, PaymentIn, RefundIn, VoidIn, WriteOffIn
from functions.change_invoice.flow import Done, Order, change
from functions.change_invoice.review_api import post_decision, post_review

DEEDS: Final[Mapping[str, tuple[Deed, type[Body], int]]] = {
    "void": (Deed.VOID, VoidIn, 200),
    "write-off": (Deed.WRITE_OFF, WriteOffIn, 200),
    "payments": (Deed.OUTSIDE_PAYMENT, PaymentIn, 201),
    "refunds": (Deed.REFUND, RefundIn, 201),
}
"""The last part of the path -> the deed, what it takes, and the status of one just done."""


def serve(request: Request, *, store: Store, cards: Callable[[], CardGateway], now: datetime) -> Response:
    """The answer to any call of this function. Raises as the call's own part does."""
    match request.path.rpartition("/")[2]:
        case "reviews":
            return post_review(request, store=store, cards=cards, now=now)
        case "decision":
            return post_decision(request, store=store, now=now)
        case "end":
            return post_end(request, store=store, cards=cards, now=now)
    return post_change(request, store=store, cards=cards, now=now)


def post_end(request: Request, *, store: Store, cards: Callable[[], CardGateway], now: datetime) -> Response:
    """200 with the plan as the account shows it, and the invoice of what was left of it.

    Raises Refused: 404 for an unknown plan, 409 with the reason's code. BadInput for a body that gives no reason, and
    without an `Idempotency-Key`.
    """
    *_, plan_id, _ = request.path.split("/")  # /v1/plans/{plan_id}/end
    done = change(store, cards, _order(request, store, Deed.END_PLAN, EndPlanIn, plan_id=plan_id), now)
    plan = done.books.plan(plan_id)
    assert plan is not None, f"{plan_id} was ended and is not there"
    return respond(200, {**views.plan(plan), "invoice": views.invoice(done.invoice, done.lines)})


def post_change(request: Request, *, store: Store, cards: Callable[[], CardGateway], now: datetime) -> Response:
    """200 or 201 with the invoice as the account shows it, and what was made; 200 for the same request again.

    Raises Refused: 404 for an unknown invoice, 409 with the reason's code. BadInput for a body that is no such change,
    and without an `Idempotency-Key`.
    """
    *_, invoice_id, name = request.path.split("/")  # /v1/invoices/{invoice_id}/{name}
    deed, model, made = DEEDS[name]
    order = _order(request, store, deed, model, invoice_id=invoice_id)
    try:
        done = change(store, cards, order, now)
    except Refused as refusal:
        if refusal.status != 422:
            raise
        raise BadInput(422, "The change cannot be as it is told.", (("received_on", refusal.detail),)) from refusal
    return respond(made if done.new else 200, _shown(done))


def _order(
    request: Request, store: Store, deed: Deed, model: type[Body], *, invoice_id: str = "", plan_id: str = ""
) -> Order:
    """What this request asks for, of a practice that may."""
    api_key = authenticate_any(request, store, ("practice",))
    key = idempotency_key(request, required=True)
    given = parse(model, request.body, request.content_type)
    return Order(
        practice=api_key.practice,
        sender=api_key.secret_hash,
        idempotency_key=key,
        request_hash=hashlib.sha256(f"{request.path}\n".encode() + request.body).hexdigest(),
        invoice_id=invoice_id,
        plan_id=plan_id,
        deed=deed,
        **given.model_dump(),
    )


def _shown(done: Done) -> Mapping[str, Any]:
    """The invoice as the account shows it, and the payment or the refunds that the deed made."""
    invoice, books, made = views.invoice(done.invoice, done.lines), done.books, done.action.made
    match done.action.deed:
        case Deed.OUTSIDE_PAYMENT:
            (payment,) = (views.payment(one, books) for one in books.attempts if one.attempt_id in made)
            return {**invoice, "payment": payment}
        case Deed.REFUND:
            return {**invoice, "refunds": [views.refund(one, books) for one in books.refunds if one.refund_id in made]}
    return invoice
