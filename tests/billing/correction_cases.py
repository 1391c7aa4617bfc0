"""The mails of a bill that asks for another amount now (INV-3), as cases of `test_letters`."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from billing.desk import Desk
from billing.facts import Fact, FactKind
from tests.billing.examples import BY_HAND, ENROLLED, NOW, announced, invoice, paid

CHARGED = paid(invoice(6250), number=7)[1]
REFUSED = {"attempt": 7, "amount": 2000, "cause": "corrected", "reason": "charge_already_refunded", "posted": 0}
KNOWN = frozenset({"inv_session"})
LOWER = announced(6250, corrected=-4000)


def correction_cases(fact: Callable[..., Fact], desk: Callable[..., Desk]) -> list[tuple[str, Fact, Desk, list[str]]]:
    """(what happened, its fact, the account as it is by then, the mails), made with the builders of `test_letters`."""

    def corrected(before: int, after: int, **told: str | int) -> Fact:
        known: dict[str, str | int] = {
            "why": "correction",
            "returned": 0,
            "credited": 0,
            "announced": 0,
            "plan_over": 0,
        }
        amounts: dict[str, str | int] = {"invoice_id": "inv_session", "before": before, "after": after}
        return fact(FactKind.INVOICE_CORRECTED, **amounts | known | told)

    return [
        ("corrected down", corrected(6250, 2250, announced=1), desk(LOWER, told=KNOWN), ["invoice_changed"]),
        ("corrected before it was told", corrected(6250, 2250, announced=1), desk(LOWER), []),
        (
            "corrected up",
            corrected(6250, 8000, announced=1),
            desk(invoice(6250, corrected=1750), told=KNOWN),
            ["charge_notice"],
        ),
        (
            "corrected up, by hand",
            corrected(6250, 8000),
            desk(invoice(6250, corrected=1750), account=BY_HAND, told=KNOWN),
            ["invoice_changed"],
        ),
        (
            "corrected up from what was too small to be announced",
            corrected(30, 6250, outgrown=1),
            desk(invoice(30, corrected=6220)),
            ["charge_notice"],
        ),
        (
            "corrected up from what was too small, and open before autopay was on",
            corrected(30, 6250, outgrown=1),
            desk(invoice(30, corrected=6220), account=replace(ENROLLED, enrolled_at=NOW + timedelta(minutes=1))),
            ["invoice"],
        ),
        (
            "corrected up from what was too small, by hand",
            corrected(30, 6250, outgrown=1),
            desk(invoice(30, corrected=6220), account=BY_HAND),
            ["invoice"],
        ),
        (
            "corrected while it stood still, never told",
            corrected(6250, 2250, announced=1),
            desk(invoice(6250, corrected=-4000), account=BY_HAND),
            ["invoice"],
        ),
        (
            "corrected, paid in cash",
            corrected(6250, 2250, credited=4000),
            desk(invoice(6250, corrected=-4000, paid=2250), told=KNOWN),
            ["invoice_changed", "staff_alert", "staff_alert"],
        ),
        (
            "a second bill of one correction",
            fact(FactKind.INVOICE_CORRECTED, invoice_id="inv_session"),
            desk(LOWER),
            [],
        ),
        (
            "sent back for a correction",
            fact(FactKind.REFUND_POSTED, amount=4000, cause="corrected"),
            desk(),
            [],
        ),
        ("a plan that nothing is left of", fact(FactKind.PLAN_ENDED, plan_id="plan_1", amount=0), desk(), []),
        (
            "a plan that staff ended",
            fact(FactKind.PLAN_ENDED, invoice_id="inv_rest", amount=6250, announced=1),
            desk(),
            ["plan_broken"],
        ),
        (
            "a correction's refund that Stripe refused, and the rest of it sent",
            fact(FactKind.REFUND_FAILED, **REFUSED, again=1250, credited=0),
            desk(CHARGED),
            ["staff_alert", "staff_alert"],
        ),
        (
            "a correction's refund that Stripe refused, and none of it sent",
            fact(FactKind.REFUND_FAILED, **REFUSED, again=0, credited=750),
            desk(CHARGED),
            ["refund_failed", "staff_alert", "staff_alert"],
        ),
        (
            "bill to void that somebody looked into, never told",
            fact(FactKind.INVOICE_VOIDED, invoice_id="inv_session", amount=6250, announced=0, review_id="rev_1"),
            desk(invoice(6250, void=True)),
            ["no_longer_owed"],
        ),
        (
            "corrected to nothing while somebody looked into it, never told",
            corrected(6250, 0, review_id="rev_1"),
            desk(invoice(6250, corrected=-6250, void=True)),
            ["invoice_changed"],
        ),
        (
            "credit paid all of it",
            fact(FactKind.CREDIT_APPLIED, invoice_id="inv_session", amount=6250, left=0, told=0),
            desk(invoice(6250, credited=6250)),
            ["credit_used"],
        ),
        (
            "credit paid some of it",
            fact(FactKind.CREDIT_APPLIED, invoice_id="inv_session", amount=250, left=6000, told=0),
            desk(invoice(6250, credited=250)),
            [],
        ),
    ]
