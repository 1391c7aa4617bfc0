"""Each invariant bites: a healthy account has no finding, and one wrong cent, click or letter is found."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from billing import invariants
from billing.claim_state import ClaimState, Hold, ReceivedResult
from billing.facts import FactKind
from billing.ids import Key, claim_pk
from billing.invariants import AccountRows, StripePayment, check_account, nothing_taken_in_excess
from billing.ledger import Book, Entry
from billing.notice import NoticeKind
from billing.payment import AttemptKind, AttemptState, Part
from billing.planning import Agreement
from billing.ports import DueItem
from functions.create_plan.flow import create
from tests.sim.scenarios.stage import Stage

CLIENT = "client_with_history"


@pytest.fixture(scope="module")
def stage() -> Stage:
    """A client who paid one invoice by autopay, owes one, and has a plan over a third."""
    stage = Stage()
    stage.client(CLIENT, autopay=True)
    stage.owes(CLIENT, 62_50, "claim_paid")
    stage.forward(days=3)
    stage.owes(CLIENT, 100_00, "claim_planned")
    create(
        stage.world.store,
        stage.world.stripe.cards,
        "riverbend",
        CLIENT,
        2,
        stage.world.now.date() + timedelta(days=3),
        Agreement(),
        stage.world.now,
    )
    stage.forward(minutes=5)
    stage.owes(CLIENT, 80_00, "claim_open")
    return stage


@pytest.fixture
def rows(stage: Stage) -> AccountRows:
    return stage.world.judge.account("riverbend", CLIENT)


def _broken(stage: Stage, rows: AccountRows) -> set[int]:
    found = [*check_account(rows, stage.world.judge.practice("riverbend")), *nothing_taken_in_excess(rows)]
    return {finding.invariant for finding in found}


def _invoice(rows: AccountRows, **changes: object) -> AccountRows:
    """The open invoice changed, everything else as it is."""
    *others, last = rows.books.invoices
    assert last.open_amount
    changed = replace(last, **changes)  # type: ignore[arg-type]
    return replace(rows, books=replace(rows.books, invoices=(*others, changed)))


def _charge(rows: AccountRows, **changes: object) -> AccountRows:
    """The one automatic charge changed."""
    attempts = tuple(
        replace(a, **changes) if a.channel is AttemptKind.AUTOPAY else a  # type: ignore[arg-type]
        for a in rows.books.attempts
    )
    assert attempts != rows.books.attempts
    return replace(rows, books=replace(rows.books, attempts=attempts))


def _fact(rows: AccountRows, kind: FactKind, /, **changes: object) -> AccountRows:
    """The facts of that kind changed."""
    facts = tuple(replace(f, **changes) if f.kind == kind else f for f in rows.facts)  # type: ignore[arg-type]
    assert facts != rows.facts
    return replace(rows, facts=facts)


def _plan(rows: AccountRows) -> AccountRows:
    (plan,) = rows.books.plans
    first, *rest = plan.instalments
    shrunk = replace(plan, instalments=(replace(first, amount=first.amount - 1), *rest))
    return replace(rows, books=replace(rows.books, plans=(shrunk,)))


def _charged(rows: AccountRows) -> str:
    return next(a for a in rows.books.attempts if a.channel is AttemptKind.AUTOPAY).parts[0].invoice_id


def _noticed_at(rows: AccountRows) -> datetime:
    return min(f.at for f in rows.facts if f.data.get("notice") == NoticeKind.CHARGE_NOTICE)


def _without(rows: AccountRows, notice: NoticeKind) -> AccountRows:
    return replace(rows, postings=tuple(p for p in rows.postings if p.notice is not notice))


DOCTORED: dict[str, tuple[int, Callable[[AccountRows], AccountRows]]] = {
    "an entry without its other side": (
        1,
        lambda r: _fact(r, FactKind.PAYMENT_POSTED, entries=(Entry(Book.CLEARING, "", 62_50),)),
    ),
    "a cent paid that no entry knows": (2, lambda r: _invoice(r, paid=1)),
    "more paid than billed": (2, lambda r: _invoice(r, paid=80_01)),
    "credit from nowhere": (
        2,
        lambda r: replace(r, books=replace(r.books, account=replace(r.books.account, credit=1))),
    ),
    "a charge that took more than was owed": (3, lambda r: _charge(r, excess=1)),
    "a charge of an invoice that was paid before": (3, lambda r: _charge(r, parts=(Part(_charged(r), 125_00),))),
    "a charge that names no consent": (3, lambda r: _charge(r, consent_id="")),
    "a charge while autopay was off": (
        3,
        lambda r: _fact(r, FactKind.AUTOPAY_ENROLLED, kind=FactKind.AUTOPAY_ENDED),
    ),
    "a charge above the cap": (
        3,
        lambda r: replace(r, consents={k: replace(c, cap=62_49) for k, c in r.consents.items()}),
    ),
    "a charge without a notice": (3, lambda r: _without(r, NoticeKind.CHARGE_NOTICE)),
    "a charge on a notice of the same hour": (
        3,
        lambda r: _charge(r, started_at=_noticed_at(r) + timedelta(hours=3)),
    ),
    "a charge on a short notice after a quiet half-year": (
        3,
        lambda r: replace(
            r, consents={k: replace(c, agreed_at=_noticed_at(r) - timedelta(days=190)) for k, c in r.consents.items()}
        ),
    ),
    "an attempt its invoice does not know": (4, lambda r: _charge(r, state=AttemptState.STARTED)),
    "an invoice that waits for a settled attempt": (4, lambda r: _invoice(r, open_attempt=2)),
    "a plan that lost a cent": (5, _plan),
}


def test_a_healthy_account_has_no_finding(stage: Stage, rows: AccountRows) -> None:
    assert _broken(stage, rows) == set()


@pytest.mark.parametrize("what", DOCTORED)
def test_what_is_wrong_with_an_account_is_found_by_its_number(what: str, stage: Stage, rows: AccountRows) -> None:
    number, doctor = DOCTORED[what]
    assert number in _broken(stage, doctor(rows))


def test_a_claim_result_without_or_with_two_verdicts_or_a_lost_hold_is_found(stage: Stage) -> None:
    # Invariants 6 and 11
    parts = stage.world.store.partition(claim_pk("riverbend", "claim_open"))
    results = [row for row in parts if isinstance(row, ReceivedResult)]
    state = next(row for row in parts if isinstance(row, ClaimState))

    def broken(state: ClaimState | None, holds: tuple[Hold, ...] = ()) -> bool:
        return any(invariants.claim_results_end_once(results, state, holds, concluded=True))

    (verdict,) = state.verdicts
    assert not broken(state)
    assert broken(None)
    assert broken(replace(state, verdicts=(verdict, verdict)))
    assert broken(replace(state, verdicts=(replace(verdict, now="held"),)))
    invoice = stage.books(CLIENT).invoices[-1]
    assert not list(invariants.only_patient_responsibility_is_billed([invoice], state, results))
    wrong = replace(invoice, amount=invoice.amount + 1)
    assert list(invariants.only_patient_responsibility_is_billed([wrong], state, results))
    second = replace(invoice, invoice_id="inv_2")
    assert list(invariants.only_patient_responsibility_is_billed([invoice, second], state, results))
    base, supplement = replace(invoice, amount=invoice.amount - 1, void=True), replace(second, amount=1)
    assert not list(invariants.only_patient_responsibility_is_billed([base, supplement], state, results))


def test_a_payment_that_only_one_side_knows_is_found(stage: Stage, rows: AccountRows) -> None:
    # Invariant 8
    (taken,) = stage.world.stripe.payments("riverbend", CLIENT)

    def broken(*stripe: StripePayment, concluded: bool = True) -> bool:
        return any(invariants.payments_are_stripes(rows.books, stripe, concluded=concluded))

    assert not broken(taken)
    assert broken()
    assert broken(replace(taken, amount=taken.amount + 1))
    another = StripePayment("pi_2", taken.attempt_id, taken.amount)
    assert broken(taken, another)
    assert not broken(taken, another, concluded=False)


def test_a_letter_about_a_paid_invoice_a_leak_a_changed_fact_and_overdue_work_are_found(
    stage: Stage, rows: AccountRows
) -> None:
    # Invariants 7, 9, 10, 12
    paid = next(i for i in rows.books.invoices if not i.open_amount)
    unpaid = rows.books.invoices[-1]
    assert list(invariants.asks_for_what_is_paid(NoticeKind.REMINDER, [paid]))
    assert not list(invariants.asks_for_what_is_paid(NoticeKind.REMINDER, [unpaid]))
    assert not list(invariants.asks_for_what_is_paid(NoticeKind.RECEIPT, [paid]))
    assert list(invariants.leaks("a request", "description=F41.1", {"F41.1"}))
    assert not list(invariants.leaks("a request", "amount=6250", {"F41.1"}))
    assert list(invariants.written_once(rows.facts[0]))
    assert not list(invariants.written_once(paid))
    now = stage.world.now
    late = DueItem(Key("A#", "INVOICE#"), f"{now - timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}#charge")
    assert list(invariants.nothing_is_overdue([late], now, timedelta(hours=1)))
    assert not list(invariants.nothing_is_overdue([late], now, timedelta(hours=3)))
