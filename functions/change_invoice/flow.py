"""Change an invoice as staff ask for it, or end a payment plan, once per idempotency key.

    account read -> open payment attempts closed, where they stand in the way -> one commit: change, deed and key

Two of the same request at once meet at the key's row, which is inserted with the change: the second finds the first,
and shows what it did.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from billing.account import Books
from billing.adjusting import void, write_off
from billing.draft import Draft
from billing.ending_plan import end_plan, instalments_of
from billing.idempotency import UsedIdempotencyKey, check_same_request, used_key
from billing.ids import client_of, client_of_plan, digest, practice_key
from billing.invoice import Invoice
from billing.invoice_lines import InvoiceLines, invoice_lines_key
from billing.money import Cents
from billing.outside_payment import Outside, PaidBy, record_outside
from billing.plan import Plan
from billing.planning import PAYMENT_IN_PROGRESS
from billing.policy import Practice
from billing.ports import CardGateway, Conflict, Insert, Refused, Store, TryAgain
from billing.refunding import refund_invoice
from billing.staff_action import Deed, StaffAction, staff_action_key
from functions.settle_payment.close import close_open_attempts

ROUTE: Final = "POST /v1/invoices"
"""What an idempotency key is bound within: one key is one change of one invoice."""
TRIES: Final = 4
"""A person waits for the answer: a lost race is tried again in place this often."""


@dataclass(frozen=True)
class Order:
    """What staff ask for. `sender`: hash of their API key · `request_hash`: of path and body · `invoice_id`: "" where a
    plan is ended, `plan_id`: "" else · `amount`: cents, None for all that can be · `method`, `received_on`: how and
    when money from outside came."""

    practice: str
    sender: str
    idempotency_key: str
    request_hash: str
    invoice_id: str
    deed: Deed
    reason: str
    amount: Cents | None = None
    method: PaidBy | None = None
    received_on: date | None = None
    plan_id: str = ""


@dataclass(frozen=True)
class Done:
    """The account as it is now, the invoice in it with why it is what it is, and what was done; `new`: just now. Of a
    plan that was ended it is the invoice of what was left."""

    books: Books
    invoice: Invoice
    lines: InvoiceLines | None
    action: StaffAction
    new: bool


def change(store: Store, cards: Callable[[], CardGateway], order: Order, now: datetime) -> Done:
    """Do what is asked for, or show what the same request did before.

    `cards` is asked only where a payment must be closed. Raises Refused: 404 for an unknown invoice or plan, 409
    with the reason's code, `idempotency_key_reused` among them; TryAgain.
    """
    client = client_of_plan(order.plan_id) if order.deed is Deed.END_PLAN else client_of(order.invoice_id)
    if client is None:
        raise _unknown(order)
    # The instant is part of it: a key that was forgotten after its year makes another deed, not the same one twice.
    action_id = "act_" + digest(order.practice, order.sender, order.idempotency_key, now.isoformat())
    used = used_key(
        order.practice, order.sender, ROUTE, order.idempotency_key, order.request_hash, f"{client} {action_id}", now
    )
    for _ in range(TRIES):
        before = _done_before(store, used)
        if before is not None:
            return before
        try:
            _do(store, cards, order, client, action_id, used, now)
        except Conflict:
            continue
        except Refused:
            # The same request, at the same moment, may have been what now stands in the way.
            before = _done_before(store, used)
            if before is None:
                raise
            return before
        return _shown(store, order.practice, client, action_id, new=True)
    raise TryAgain("the account changes too fast")


def _done_before(store: Store, used: UsedIdempotencyKey) -> Done | None:
    stored = store.get(used.key)
    if stored is None:
        return None
    assert isinstance(stored, UsedIdempotencyKey)
    check_same_request(stored, used)
    client, _, action_id = stored.answer_id.partition(" ")
    return _shown(store, stored.practice, client, action_id, new=False)


def _do(
    store: Store,
    cards: Callable[[], CardGateway],
    order: Order,
    client: str,
    action_id: str,
    used: UsedIdempotencyKey,
    now: datetime,
) -> None:
    """One commit: the change with its fact, the deed with its reason, the key."""
    books = Books.read(store, order.practice, client)
    practice = store.get(practice_key(order.practice))
    if books is None or (books.plan(order.plan_id) if order.plan_id else books.invoice(order.invoice_id)) is None:
        raise _unknown(order)
    assert isinstance(practice, Practice), f"no practice {order.practice}"
    draft = Draft(books, now, "staff", action_id)
    try:
        action = _decide(draft, practice, order, action_id)
    except Refused as refusal:
        # Whatever else stands in the way, nobody's payment page is closed for a change that cannot be.
        if refusal.code != PAYMENT_IN_PROGRESS:
            raise
        free = _without_open_attempt(store, cards(), books, order, refusal.rule, now)
        draft = Draft(free, now, "staff", action_id)
        action = _decide(draft, practice, order, action_id)
    store.commit(*draft.writes(), Insert(action), Insert(used))


def _without_open_attempt(
    store: Store, cards: CardGateway, books: Books, order: Order, rule: str, now: datetime
) -> Books:
    """The account once nobody can pay the invoice, or the plan's instalments, behind staff's back."""
    changed = instalments_of(books, _plan(books, order)) if order.plan_id else (_of(books, order),)
    try:
        return close_open_attempts(store, cards, books, changed, now)
    except Refused as busy:
        raise Refused(busy.code, busy.detail, rule=rule) from busy


def _decide(draft: Draft, practice: Practice, order: Order, action_id: str) -> StaffAction:
    """Everything that the change changes, into the draft -> the deed."""
    made: tuple[str, ...] = ()
    invoice = None if order.plan_id else _of(draft.books, order)
    match order.deed, invoice:
        case Deed.END_PLAN, _:
            invoice = end_plan(draft, _plan(draft.books, order), practice)
            amount, made = invoice.amount, (order.plan_id,)
        case Deed.VOID, Invoice():
            amount = void(draft, invoice)
        case Deed.WRITE_OFF, Invoice():
            amount = write_off(draft, invoice)
        case Deed.OUTSIDE_PAYMENT, Invoice():
            assert order.amount is not None, "an outside payment names its amount"
            told = Outside(order.amount, order.method or PaidBy.OTHER, order.received_on)
            payment = record_outside(draft, invoice, told, practice)
            amount, made = payment.amount, (payment.attempt_id,)
        case Deed.REFUND, Invoice():
            refunds = refund_invoice(draft, invoice, order.amount, action_id)
            amount, made = sum(one.amount for one in refunds), tuple(one.refund_id for one in refunds)
        case _:
            raise AssertionError(f"{order.deed} is no change of an invoice")
    return StaffAction(
        practice=invoice.practice,
        client=invoice.client,
        action_id=action_id,
        deed=order.deed,
        invoice_id=invoice.invoice_id,
        amount=amount,
        reason=order.reason,
        at=draft.now,
        made=made,
        paid_by=order.method,
        received_on=order.received_on,
    )


def _shown(store: Store, practice: str, client: str, action_id: str, *, new: bool) -> Done:
    action = store.get(staff_action_key(practice, client, action_id))
    assert isinstance(action, StaffAction), f"{action_id} of {client} was done and is not there"
    books = Books.expect(store, practice, client)
    invoice = books.invoice(action.invoice_id)
    assert invoice is not None, f"{action_id} changed {action.invoice_id}, which is not there"
    lines = store.get(invoice_lines_key(practice, client, invoice.invoice_id, invoice.explained))
    return Done(books, invoice, lines if isinstance(lines, InvoiceLines) else None, action, new)


def _of(books: Books, order: Order) -> Invoice:
    invoice = books.invoice(order.invoice_id)
    assert invoice is not None, f"{order.invoice_id} vanished"
    return invoice


def _plan(books: Books, order: Order) -> Plan:
    plan = books.plan(order.plan_id)
    assert plan is not None, f"{order.plan_id} vanished"
    return plan


def _unknown(order: Order) -> Refused:
    if order.plan_id:
        return Refused("unknown_plan", "There is no plan of this id.", status=404)
    return Refused("unknown_invoice", "There is no invoice of this id.", status=404)
