"""Stripe's lists in memory: what FakeCards took, as Stripe would list it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from billing.dispute import DisputeEvidence
from billing.payment import Attempt, AttemptKind, AttemptState
from billing.refund import RefundEvidence
from billing.statement import PaymentsPage, ReturnsPage, TheirPayment, TheirReturn
from tests.fakes.cards import FakeCards


@dataclass
class FakeStatement:
    """`planted`: payments that only Stripe knows · `forgotten`: intents that it does not list · `took`: intent -> what
    it says it took, where that is not what it took · `asked`: how many requests were made."""

    cards: FakeCards
    planted: list[TheirPayment] = field(default_factory=list)
    forgotten: set[str] = field(default_factory=set)
    took: dict[str, int] = field(default_factory=dict)
    asked: int = 0

    def payments(self, since: datetime, after: str, limit: int) -> PaymentsPage:
        """A page, newest first."""
        self.asked += 1
        found = [p for p in self._all() if p.created >= since]
        first = [p.intent_id for p in found].index(after) + 1 if after else 0
        page = found[first : first + limit]
        more = first + limit < len(found)
        return PaymentsPage(tuple(page), len(page), page[-1].intent_id if more else "")

    def payments_of(self, customers: Sequence[str], since: datetime) -> list[TheirPayment]:
        """Everything since then, of these customers."""
        self.asked += 1
        return [p for p in self._all() if f"cus_{p.client}" in customers and p.created >= since]

    def payment(self, intent_id: str) -> TheirPayment | None:
        """One of them."""
        self.asked += 1
        return next((p for p in self._all() if p.intent_id == intent_id), None)

    def refunds(self, since: datetime, after: str, limit: int) -> ReturnsPage:
        """Every refund, on one page."""
        self.asked += 1
        return self._returns({intent: tuple(known) for intent, known in self.cards.refunds.items()}, since)

    def disputes(self, since: datetime, after: str, limit: int) -> ReturnsPage:
        """Every dispute, on one page."""
        self.asked += 1
        return self._returns({intent: tuple(known) for intent, known in self.cards.disputes.items()}, since)

    def _returns(
        self, known: Mapping[str, tuple[RefundEvidence | DisputeEvidence, ...]], since: datetime
    ) -> ReturnsPage:
        made = {p.intent_id: p.created for p in self._all()}
        found = (TheirReturn(intent, made[intent], one) for intent, many in known.items() for one in many)
        return ReturnsPage(tuple(r for r in found if r.created >= since), "")

    def _all(self) -> list[TheirPayment]:
        charges = [(a, e.state is AttemptState.POSTED) for a, e in self.cards._answers.values()]
        pages = [(page.attempt, True) for page in self.cards.pages.values() if page.state == "paid"]
        known = [_their(a, done) for a, done in charges + pages if a.channel is not AttemptKind.SETUP]
        shown = [p for p in [*known, *self.planted] if p.intent_id not in self.forgotten]
        shown = [replace(p, amount=self.took.get(p.intent_id, p.amount)) for p in shown]
        return sorted(shown, key=lambda p: (p.created, p.intent_id), reverse=True)


def _their(attempt: Attempt, succeeded: bool) -> TheirPayment:
    return TheirPayment(
        f"pi_{attempt.attempt_id}",
        attempt.practice,
        attempt.client,
        attempt.number,
        attempt.attempt_id,
        succeeded,
        attempt.amount if succeeded else 0,
        attempt.started_at,
    )
