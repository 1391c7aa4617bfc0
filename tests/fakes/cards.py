"""Stripe in memory, as a charge sees it: it keeps idempotency keys and moves the money it says it moved.

A card behaves as `cards[payment_method]` says; `fault` breaks the next call once, in one of the ways that matter:

| fault | what Stripe did | what we hear |
|---|---|---|
| `lost_response` | the charge | not knowing |
| `drop` | nothing | not knowing |
| `429` | nothing | TryAgain |
| `crash_before` | nothing | our process ends |
| `crash_after` | the charge | our process ends |
"""

from dataclasses import dataclass, field, replace

from billing.payment import Attempt, AttemptKind, AttemptState, CardDetails, Evidence
from billing.ports import Checkout, TryAgain


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
    """`taken`: the money moved, in order, as (attempt id, cents). `asked`: every charge request that arrived."""

    cards: dict[str, str] = field(default_factory=dict)
    fault: str = ""
    taken: list[tuple[str, int]] = field(default_factory=list)
    asked: list[Attempt] = field(default_factory=list)
    pages: dict[str, HostedPage] = field(default_factory=dict)
    customers: list[tuple[str, str]] = field(default_factory=list)
    _answers: dict[str, tuple[Attempt, Evidence]] = field(default_factory=dict)

    def ensure_customer(self, practice: str, client: str) -> str:
        """One customer per account."""
        if (practice, client) not in self.customers:
            self.customers.append((practice, client))
        return f"cus_{client}"

    def charge(self, attempt: Attempt) -> Evidence:
        """Create and confirm: once per key, whatever the number of requests."""
        self.asked.append(attempt)
        fault, self.fault = self.fault, ""
        match fault:
            case "crash_before":
                raise Crash
            case "429":
                raise TryAgain("too many requests")
            case "drop":
                return Evidence(AttemptState.UNKNOWN, reason="no_answer")
        evidence = self._once(attempt)
        match fault:
            case "crash_after":
                raise Crash
            case "lost_response":
                return Evidence(AttemptState.UNKNOWN, reason="no_answer")
        return evidence

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
