"""Make a payment plan, and issue its instalments week by week.

a person asks      -> open payment attempts closed -> one commit: invoices moved, plan there (PLAN-4)
instalment (wake)  -> the next instalment is an invoice, charged 12 h later (PLAN-5)
"""

from datetime import date, datetime

from billing.account import Books
from billing.facts import Message, WakeKind
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
from billing.ports import CardGateway, Conflict, Refused, Store, TryAgain
from functions.settle_payment.close import close_open_attempts

TRIES = 4
"""A person waits for the answer: a lost race is tried again in place this often."""


def create(
    store: Store,
    cards: CardGateway,
    practice_id: str,
    client: str,
    weeks: int,
    start_on: date,
    agreement: Agreement,
    now: datetime,
) -> Books:
    """Split everything outstanding into weekly instalments -> the account with its plan.

    Raises Refused: 404 for an unknown client, 422 for impossible terms, else 409 with the reason's code (PLAN-2,
    PLAN-10).
    """
    practice = store.get(practice_key(practice_id))
    assert isinstance(practice, Practice), f"no practice {practice_id}"
    for _ in range(TRIES):
        try:
            return _create(store, cards, practice, client, weeks, start_on, agreement, now)
        except Conflict:
            continue
    raise TryAgain("the account changes too fast to plan on")


def _create(
    store: Store,
    cards: CardGateway,
    practice: Practice,
    client: str,
    weeks: int,
    start_on: date,
    agreement: Agreement,
    now: datetime,
) -> Books:
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
    _, writes = make_plan(books, practice, weeks, start_on, agreement, now)
    store.commit(*writes)
    return Books.expect(store, practice.practice, client)


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
