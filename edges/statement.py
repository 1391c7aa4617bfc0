"""Stripe's lists, read: billing.statement.Statement on the official SDK. Nothing is changed here, and nothing is sent
but ids and instants.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import stripe

from billing.dispute import DisputeEvidence
from billing.ports import Owner
from billing.refund import RefundEvidence
from billing.statement import PaymentsPage, ReturnsPage, TheirPayment, TheirReturn
from edges.card_gateway import CLOCK_SKEW, asking, owner_in
from edges.stripe_answers import of_dispute, of_refund

AT_ONCE = 100
"""Stripe's largest page."""


class StripeStatement:
    """billing.statement.Statement over the SDK's client."""

    def __init__(self, client: stripe.StripeClient) -> None:
        self._stripe = client.v1

    def payments(self, since: datetime, after: str, limit: int) -> PaymentsPage:
        """Payment intents made since then, newest first; those that follow `after`."""
        with asking():
            page = self._stripe.payment_intents.list(_page(since, after, limit))
        return PaymentsPage(tuple(p for p in map(_payment, page.data) if p), len(page.data), _next(page))

    def payments_of(self, customers: Sequence[str], since: datetime) -> list[TheirPayment]:
        """Every payment intent of these customers made since then."""
        found: list[TheirPayment] = []
        for customer in customers:
            with asking():
                asked: Any = {"customer": customer, **_page(since - CLOCK_SKEW, "", AT_ONCE)}
                intents = self._stripe.payment_intents.list(asked)
                found += [p for p in map(_payment, intents.auto_paging_iter()) if p]
        return found

    def payment(self, intent_id: str) -> TheirPayment | None:
        """One payment intent; None where there is none, or it is none of ours."""
        try:
            with asking():
                return _payment(self._stripe.payment_intents.retrieve(intent_id))
        except stripe.InvalidRequestError:
            return None

    def refunds(self, since: datetime, after: str, limit: int) -> ReturnsPage:
        """Refunds made since then, newest first."""
        with asking():
            page = self._stripe.refunds.list(_page(since, after, limit))
        return ReturnsPage(tuple(_return(r, of_refund(r), owner_in(r.metadata)) for r in page.data), _next(page))

    def disputes(self, since: datetime, after: str, limit: int) -> ReturnsPage:
        """Disputes opened since then, newest first."""
        with asking():
            page = self._stripe.disputes.list(_page(since, after, limit))
        return ReturnsPage(tuple(_return(d, of_dispute(d), None) for d in page.data), _next(page))


def _page(since: datetime, after: str, limit: int) -> Any:
    asked: dict[str, Any] = {"created": {"gte": int(since.timestamp())}, "limit": limit}
    return asked | ({"starting_after": after} if after else {})


def _next(page: Any) -> str:
    """Where the next page begins; "" where there is none."""
    return str(page.data[-1].id) if page.has_more else ""


def _payment(intent: stripe.PaymentIntent) -> TheirPayment | None:
    """The intent as our rules see it; None where our metadata is missing."""
    owner = owner_in(intent.metadata)
    if owner is None:
        return None
    succeeded = intent.status == "succeeded"
    return TheirPayment(
        intent_id=intent.id,
        practice=owner.practice,
        client=owner.client,
        attempt=owner.attempt,
        attempt_id=getattr(intent.metadata, "attempt_id", ""),
        succeeded=succeeded,
        amount=intent.amount_received if succeeded else 0,
        created=datetime.fromtimestamp(intent.created, UTC),
    )


def _return(thing: Any, evidence: RefundEvidence | DisputeEvidence, owner: Owner | None) -> TheirReturn:
    return TheirReturn(str(thing.payment_intent or ""), datetime.fromtimestamp(thing.created, UTC), evidence, owner)
