"""A practice's own system over the public API, with the real flows behind it: a story in which calls are made."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from billing.account import Account
from billing.ids import api_key_hash
from billing.invoice import Invoice
from billing.policy import ApiKey, Practice
from billing.ports import Insert, Write
from edges.http import Request, Response
from edges.inbound.door import answered
from functions.change_invoice.api import serve as serve_changes
from functions.serve_practice.handler import serve
from tests.billing.examples import ENROLLED, PRACTICE, practice
from tests.fakes.store import MemoryStore
from tests.fakes.story import Story
from tests.functions.api import KEYS, Reply, api_event

CHECK = {
    "payer_id": "87726",
    "checked_at": "2026-11-18T09:00:00-08:00",
    "copay": 0,
    "coinsurance_bp": 2000,
    "deductible_remaining": 100_00,
}
"""A fifth of what is left after $100.00 of deductible."""


def session(session_id: str = "s1", **changes: Any) -> dict[str, Any]:
    """A self-paid session of an hour ago, for $150.00."""
    told = {
        "session_id": session_id,
        "client_id": "ana",
        "provider_id": "dr_lee",
        "completed_at": "2026-11-20T08:00:00-08:00",
        "kind": "self_pay",
        "rate": 150_00,
        "procedure": "90834",
    }
    return told | changes


def eap(session_id: str = "s1", covered: int = 2, until: str = "2026-12-31", **changes: Any) -> dict[str, Any]:
    """A session under an authorisation of an employee-assistance programme."""
    granted = {
        "programme": "Optum Live & Work Well",
        "authorisation": "AUTH-7",
        "sessions_covered": covered,
        "valid_until": until,
    }
    return session(session_id, **{"kind": "eap", "eap": granted | changes.pop("eap", {}), **changes})


class Racing(MemoryStore):
    """A table where somebody else is faster, once: `first` happens just before the next commit."""

    def __init__(self, rows: MemoryStore) -> None:
        super().__init__()
        self.__dict__.update(rows.__dict__)
        self.first: Callable[[], object] | None = None

    def commit(self, *writes: Write) -> None:
        first, self.first = self.first, None
        if first is not None:
            first()
        super().commit(*writes)


class Care(Story):
    """Ana at Riverbend, whose system calls us."""

    def __init__(self, account: Account = ENROLLED, policies: dict[str, Any] | None = None) -> None:
        chosen: Practice = practice(**policies) if policies else PRACTICE
        super().__init__(account, chosen)
        for scope, secret in KEYS.items():
            self.store.commit(Insert(ApiKey(api_key_hash(secret), "riverbend", (scope,))))

    def call(self, method: str, path: str, body: object = None, *, settle: bool = True, **headers: str) -> Reply:
        """One call with the practice's key, and what follows from it."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        request = Request.of(api_event(method, path, key=KEYS["practice"], body=body, headers=sent))
        reply = Reply.of(answered(request, lambda: self._served(request)))
        if settle:
            self.settle()
        return reply

    def _served(self, request: Request) -> Response:
        if re.fullmatch("/v1/invoices/[^/]+/[a-z-]+|/v1/reviews/[^/]+/decision|/v1/plans/[^/]+/end", request.path):
            return serve_changes(request, store=self.store, cards=lambda: self.cards, now=self.now)
        return serve(request, store=self.store, now=self.now)

    def race(self, first: Callable[[], object]) -> None:
        """`first` happens between the next decision and its commit."""
        racing = Racing(self.store)
        racing.first = first
        self.store = racing

    def tell(self, told: dict[str, Any]) -> Reply:
        """A session is told."""
        return self.call("POST", "/v1/sessions", told)

    def check(self, **changes: Any) -> Reply:
        """An eligibility check is told."""
        return self.call("PUT", "/v1/clients/ana/eligibility", CHECK | changes)

    @property
    def account(self) -> dict[str, Any]:
        """Ana's account as the API shows it."""
        body: dict[str, Any] = self.call("GET", "/v1/clients/ana/account").body
        return body

    def edit(self, invoice: Invoice, **changes: Any) -> None:
        """An invoice is changed by a part of the product that this story does not tell about."""
        self.change(replace(invoice, **changes))
