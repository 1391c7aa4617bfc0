"""Make a payment plan, and issue its instalments week by week.

a person asks      -> open payment attempts closed -> one commit: invoices moved, plan there (PLAN-4)
instalment (wake)  -> the next instalment is an invoice, charged 12 h later (PLAN-5)
"""

from dataclasses import dataclass, replace
from datetime import date, datetime

from billing.account import Books
from billing.facts import Message, WakeKind
from billing.idempotency import UsedIdempotencyKey, check_same_request
from billing.ids import practice_key
from billing.plan import Plan
from billing.planning import (
    PAYMENT_IN_PROGRESS,
    Agreement,
    check_terms,
    disclosed_before,
    issue_instalment,
    make_plan,
    outstanding,
    refuse_plan,
)
from billing.policy import Practice
from billing.ports import CardGateway, Conflict, Insert, Refused, Store, TryAgain, Write
from functions.settle_payment.close import close_open_attempts

TRIES = 4
"""A person waits for the answer: a lost race is tried again in place this often."""


@dataclass(frozen=True)
class Planned:
    """The account with its plan; `new`: made just now."""

    books: Books
    plan: Plan
    new: bool


def create(
    store: Store,
    cards: CardGateway,
    practice_id: str,
    client: str,
    weeks: int,
    start_on: date,
    agreement: Agreement,
    now: datetime,
    used: UsedIdempotencyKey | None = None,
) -> Planned:
    """Split everything outstanding into weekly instalments; where this key made a plan before, show that one.

    `used`: binds the caller's key to this request, None where none was sent. Raises Refused: 404 for an unknown client,
    422 for impossible terms, else 409 with the reason's code (PLAN-2, PLAN-10), `idempotency_key_reused` among them.
    """
    practice = store.get(practice_key(practice_id))
    assert isinstance(practice, Practice), f"no practice {practice_id}"
    for _ in range(TRIES):
        before = _made_before(store, client, used)
        if before is not None:
            return before
        try:
            return _create(store, cards, practice, client, weeks, start_on, agreement, now, used)
        except Conflict:
            continue
        except Refused:
            # The same request, at the same moment, may have made the plan that now stands in the way.
            before = _made_before(store, client, used)
            if before is None:
                raise
            return before
    raise TryAgain("the account changes too fast to plan on")


def _made_before(store: Store, client: str, used: UsedIdempotencyKey | None) -> Planned | None:
    stored = store.get(used.key) if used else None
    if used is None or stored is None:
        return None
    assert isinstance(stored, UsedIdempotencyKey)
    check_same_request(stored, used)
    return _shown(store, stored.practice, client, stored.answer_id, new=False)


def _shown(store: Store, practice: str, client: str, plan_id: str, *, new: bool) -> Planned:
    books = Books.expect(store, practice, client)
    plan = books.plan(plan_id)
    assert plan is not None, f"{practice} {client}: {plan_id} was made and is not there"
    return Planned(books, plan, new)


def _create(
    store: Store,
    cards: CardGateway,
    practice: Practice,
    client: str,
    weeks: int,
    start_on: date,
    agreement: Agreement,
    now: datetime,
    used: UsedIdempotencyKey | None,
) -> Planned:
    books = Books.read(store, practice.practice, client)
    if books is None:
        raise Refused(
            "unknown_client", f"There is no client {client}: create it with PUT /v1/clients/{client}.", status=404
        )
    check_terms(weeks, start_on, practice, now)
    in_progress = False
    try:
        refuse_plan(books, weeks)
    except Refused as refusal:
        # Whatever else stands in the way, nobody's payment page is closed for a plan that cannot be.
        if refusal.code != PAYMENT_IN_PROGRESS:
            raise
        in_progress = True
    disclosed_before(practice, weeks, agreement)
    if in_progress:
        books = _without_open_attempts(store, cards, books, now)
    plan, writes = make_plan(books, practice, weeks, start_on, agreement, now)
    key: tuple[Write, ...] = (Insert(replace(used, answer_id=plan.plan_id)),) if used else ()
    store.commit(*writes, *key)
    return _shown(store, practice.practice, client, plan.plan_id, new=True)


def _without_open_attempts(store: Store, cards: CardGateway, books: Books, now: datetime) -> Books:
    """The account once nobody else can take money for what the plan takes."""
    try:
        return close_open_attempts(store, cards, books, outstanding(books), now)
    except Refused as busy:
        raise Refused(busy.code, busy.detail, rule="PLAN-2") from busy


def run(message: Message, *, store: Store, now: datetime) -> None:
    """Issue the next instalment of the plan the message names, if it is due."""
    row = store.get(message.key)
    assert message.kind == WakeKind.INSTALMENT, f"{message.kind} is not for this step"
    assert isinstance(row, Plan), f"{message.key} holds {type(row).__name__}, no plan"
    practice = store.get(practice_key(row.practice))
    assert isinstance(practice, Practice), f"no practice {row.practice}"
    books = Books.expect(store, row.practice, row.client)
    plan = books.plan(row.plan_id)
    assert plan is not None, f"plan {row.plan_id} vanished"
    writes = issue_instalment(books, plan, practice, now)
    if writes:
        store.commit(*writes)
