"""Stripe in memory, as money on its way sees it: it keeps idempotency keys and moves the money it says it moved.

A card behaves as `cards[payment_method]` says; `fault` breaks the next charge or refund once, in one of the ways that
matter:

| fault | what Stripe did | what we hear |
|---|---|---|
| `lost_response` | what it was asked | not knowing |
| `drop` | nothing | not knowing |
| `429` | nothing | TryAgain |
| `crash_before` | nothing | our process ends |
| `crash_after` | what it was asked | our process ends |
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from billing.dispute import DisputeEvidence, DisputeState
from billing.payment import Attempt, AttemptKind, AttemptState, CardDetails, Evidence
from billing.ports import Checkout, Owner, TakenBack, TryAgain
from billing.refund import Refund, RefundEvidence, RefundState

Answer = TypeVar("Answer")


class Crash(Exception):
    """The process ended here. No flow catches it."""


@dataclass
class HostedPage:
    """One hosted page. `state`: open | paid | processing | expired."""

    attempt: Attempt
    state: str = "open"
    card: CardDetails | None = None


@dataclass
class FakeCards:
    """`taken`: the money moved, in order, as (attempt id, cents). `asked`: every charge request that arrived.

    `refunds`, `disputes`: what went back, by payment intent, oldest first · `refund_state`: what a new refund is at
    once · `refunds_asked`: every refund request that arrived.
    """

    cards: dict[str, str] = field(default_factory=dict)
    fault: str = ""
    taken: list[tuple[str, int]] = field(default_factory=list)
    asked: list[Attempt] = field(default_factory=list)
    pages: dict[str, HostedPage] = field(default_factory=dict)
    customers: list[tuple[str, str]] = field(default_factory=list)
    refunds: dict[str, list[RefundEvidence]] = field(default_factory=dict)
    disputes: dict[str, list[DisputeEvidence]] = field(default_factory=dict)
    refund_state: RefundState = RefundState.POSTED
    refunds_asked: list[Refund] = field(default_factory=list)
    _answers: dict[str, tuple[Attempt, Evidence]] = field(default_factory=dict)

    def ensure_customer(self, practice: str, client: str) -> str:
        """One customer per account."""
        if (practice, client) not in self.customers:
            self.customers.append((practice, client))
        return f"cus_{client}"

    def charge(self, attempt: Attempt) -> Evidence:
        """Create and confirm: once per key, whatever the number of requests."""
        self.asked.append(attempt)
        evidence = self._faulty(lambda: self._once(attempt))
        return evidence or Evidence(AttemptState.UNKNOWN, reason="no_answer")

    def _faulty(self, do: Callable[[], Answer]) -> Answer | None:
        """What Stripe answers under the armed fault; None where no answer comes."""
        fault, self.fault = self.fault, ""
        match fault:
            case "crash_before":
                raise Crash
            case "429":
                raise TryAgain("too many requests")
            case "drop":
                return None
        answer = do()
        match fault:
            case "crash_after":
                raise Crash
            case "lost_response":
                return None
        return answer

    def _once(self, attempt: Attempt) -> Evidence:
        known = self._answers.get(attempt.attempt_id)
        if known is not None:
            before, evidence = known
            same = (before.amount, before.customer, before.payment_method, before.parts)
            assert same == (attempt.amount, attempt.customer, attempt.payment_method, attempt.parts), (
                "the same key with other parameters"
            )
            return evidence
        intent = f"pi_{attempt.attempt_id}"
        decline = self.cards.get(attempt.payment_method, "ok")
        if decline == "ok":
            self.taken.append((attempt.attempt_id, attempt.amount))
            evidence = Evidence(
                AttemptState.POSTED, amount=attempt.amount, intent_id=intent, charge_id=f"ch_{attempt.attempt_id}"
            )
        else:
            evidence = Evidence(AttemptState.FAILED, intent_id=intent, reason="declined", decline=decline)
        self._answers[attempt.attempt_id] = (attempt, evidence)
        return evidence

    def find_charge(self, attempt: Attempt) -> Evidence | None:
        """What became of the charge, if it ever arrived."""
        known = self._answers.get(attempt.attempt_id)
        return known[1] if known else None

    def open_checkout(self, attempt: Attempt, return_url: str, cancel_url: str) -> Checkout:
        """Open the hosted page, once per attempt."""
        session = f"cs_{attempt.attempt_id}"
        self.pages.setdefault(session, HostedPage(attempt))
        return Checkout(session, f"https://pay.example/{session}")

    def pay_on_page(self, session: str, card: CardDetails, *, processing: bool = False) -> None:
        """The client pays on the hosted page (or saves the card there)."""
        page = self.pages[session]
        assert page.state == "open", f"the page is {page.state}"
        self.pages[session] = replace(page, state="processing" if processing else "paid", card=card)
        if not processing and page.attempt.channel is AttemptKind.CHECKOUT:
            self.taken.append((page.attempt.attempt_id, page.attempt.amount))

    def read_checkout(self, attempt: Attempt) -> Evidence:
        """What became of the hosted page."""
        page = self.pages[attempt.session_id]
        match page.state:
            case "open" | "processing":
                return Evidence(AttemptState.STARTED, session_id=attempt.session_id)
            case "expired":
                return Evidence(AttemptState.FAILED, session_id=attempt.session_id, reason="expired")
        return Evidence(
            AttemptState.POSTED,
            amount=attempt.amount,
            intent_id=f"pi_{attempt.attempt_id}",
            session_id=attempt.session_id,
            card=page.card,
            reusable=attempt.save_card,
        )

    def close_checkout(self, attempt: Attempt) -> Evidence:
        """Expire the page if it is open, then tell what became of it."""
        page = self.pages[attempt.session_id]
        if page.state == "open":
            self.pages[attempt.session_id] = replace(page, state="expired")
        return self.read_checkout(attempt)

    # ------------------------------------------------------------------------------------------- money going back

    def refund(self, refund: Refund) -> RefundEvidence:
        """Send money back, once per refund, whatever the number of requests."""
        self.refunds_asked.append(refund)
        evidence = self._faulty(lambda: self._refund_once(refund))
        return evidence or RefundEvidence(RefundState.UNKNOWN, refund.refund_id, reason="no_answer")

    def _refund_once(self, refund: Refund) -> RefundEvidence:
        known = self.find_refund(refund)
        if known is not None:
            assert known.amount == refund.amount, "the same key with other parameters"
            return known
        if any(d.state is not DisputeState.WON for d in self.disputes.get(refund.intent_id, [])):
            return RefundEvidence(RefundState.FAILED, refund.refund_id, reason="charge_disputed")
        if refund.amount > self.left_of(refund.intent_id):
            return RefundEvidence(RefundState.FAILED, refund.refund_id, reason="charge_already_refunded")
        return self.add_refund(refund.intent_id, refund.amount, refund.refund_id)

    def add_refund(self, intent: str, amount: int, refund_id: str = "") -> RefundEvidence:
        """A refund comes to be; without our id somebody made it in the dashboard."""
        count = sum(map(len, self.refunds.values()))
        evidence = RefundEvidence(self.refund_state, refund_id, f"re_{count + 1}", amount)
        self.refunds.setdefault(intent, []).append(evidence)
        return evidence

    def decide_refund(self, stripe_id: str, state: RefundState, reason: str = "") -> None:
        """The bank has decided about a refund."""
        for known in self.refunds.values():
            known[:] = [replace(r, state=state, reason=reason) if r.stripe_id == stripe_id else r for r in known]

    def left_of(self, intent: str) -> int:
        """What Stripe still has of a payment, in cents."""
        received = sum(cents for attempt_id, cents in self.taken if f"pi_{attempt_id}" == intent)
        gone = [r.amount for r in self.refunds.get(intent, []) if r.state is not RefundState.FAILED]
        return received - sum(gone) - sum(d.withdrawn for d in self.disputes.get(intent, []))

    def find_refund(self, refund: Refund) -> RefundEvidence | None:
        """What became of a refund, if it ever arrived."""
        of_payment = self.refunds.get(refund.intent_id, [])
        return next((r for r in of_payment if refund.refund_id == r.refund_id or refund.stripe_id == r.stripe_id), None)

    def taken_back(self, intent_id: str) -> TakenBack:
        """Everything that went back of a payment."""
        return TakenBack(tuple(self.refunds.get(intent_id, ())), tuple(self.disputes.get(intent_id, ())))

    def owner_of(self, intent_id: str) -> Owner | None:
        """Whose payment it is."""
        attempts = [attempt for attempt, _ in self._answers.values()] + [page.attempt for page in self.pages.values()]
        ours = (a for a in attempts if f"pi_{a.attempt_id}" == intent_id)
        return next((Owner(a.practice, a.client, a.number) for a in ours), None)

    def open_dispute(self, intent: str, amount: int | None = None, *, inquiry: bool = False) -> str:
        """The client's bank takes that much, or what is left of the payment (an inquiry takes nothing) -> the dispute's
        id."""
        count = sum(map(len, self.disputes.values()))
        left = self.left_of(intent) if amount is None else amount
        evidence = DisputeEvidence(f"du_{count + 1}", DisputeState.OPEN, left, 0 if inquiry else left, "fraudulent")
        self.disputes.setdefault(intent, []).append(evidence)
        return evidence.dispute_id

    def decide_dispute(self, dispute_id: str, state: DisputeState) -> None:
        """The bank has decided: a dispute that is won gives the money back."""
        for known in self.disputes.values():
            known[:] = [_decided(d, state) if d.dispute_id == dispute_id else d for d in known]


def _decided(dispute: DisputeEvidence, state: DisputeState) -> DisputeEvidence:
    return replace(dispute, state=state, withdrawn=0 if state is DisputeState.WON else dispute.withdrawn)
