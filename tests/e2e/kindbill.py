"""A running copy seen from outside: what a practice, a payer, a mail reader, Stripe's dashboard and time do with it.

Everything goes over HTTP as contract.md has it. Clients of the practice have ids, phones and claims of their own, so
tests share one copy; the clock is shared too, so a test says what it expects relative to the `now` it read.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from tests.e2e.decisions import PAYER, Decision, as_835

PRACTICE = "riverbend"
ZONE = ZoneInfo("America/Los_Angeles")
X12 = "application/edi-x12"
JSON = "application/json"
FHIR = "application/fhir+json"
A_CARD = "4242424242424242"
HEARD_OF_WITHIN_S = 60
Json = Any

_numbers = count(1)


def instant(text: str) -> datetime:
    """An instant as the API writes it."""
    at = datetime.fromisoformat(text)
    assert at.tzinfo is not None, f"{text} has no offset"
    return at.astimezone(UTC)


class Kindbill:
    """One copy. `keys`: scope -> API key."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self._http = httpx.Client(base_url=base_url, timeout=300, trust_env=False)
        self.keys: dict[str, str] = self.get("/_local/keys")

    def close(self) -> None:
        self._http.close()

    # ---- calls ----

    def call(self, method: str, path: str, scope: str = "", **request: Any) -> httpx.Response:
        """The bare answer. `scope`: of the API key sent, "" for none."""
        headers = dict(request.pop("headers", {}))
        if scope:
            headers["authorization"] = f"Bearer {self.keys[scope]}"
        return self._http.request(method, path, headers=headers, **request)

    def do(self, method: str, path: str, scope: str = "", **request: Any) -> Json:
        """The JSON of an answer that must be a success."""
        answer = self.call(method, path, scope, **request)
        assert answer.is_success, f"{method} {path} answered {answer.status_code}: {answer.text}"
        return answer.json()

    def get(self, path: str, scope: str = "", **params: str) -> Json:
        return self.do("GET", path, scope, params=params or None)  # {} would take away what the path asks for

    def post(self, path: str, body: Json, scope: str = "") -> Json:
        return self.do("POST", path, scope, json=body)

    # ---- time ----

    def now(self) -> datetime:
        return instant(self.get("/_local/clock")["now"])

    def forward(self, span: str) -> datetime:
        """Let time pass: `48h`, `47h59m`."""
        return instant(self.post("/_local/clock", {"forward": span})["now"])

    def to(self, at: datetime) -> datetime:
        """Let time pass until then."""
        return instant(self.post("/_local/clock", {"to": at.isoformat()})["now"])

    def to_local_hour(self, hour: int) -> datetime:
        """The next time it is that hour where the practice is."""
        local = self.now().astimezone(ZONE)
        wanted = local.replace(hour=hour, minute=0, second=0)
        return self.to(wanted if wanted > local else wanted + timedelta(days=1))

    def settle(self) -> None:
        assert self.post("/_local/settle", {})["quiet"] is True

    # ---- the practice's own system ----

    def new_client(self, name: str, *, email: str = "", provider_id: str = "maya-chen", state: str = "CA") -> "Client":
        """Somebody nobody has heard of before, at an instant that no other test shares."""
        self.forward("1m")
        number = next(_numbers)
        client_id = f"{name}-{number}"
        client = Client(self, client_id, f"+1415555{number:04d}", email or f"{client_id}@mail.example", provider_id)
        self.do(
            "PUT",
            f"/v1/clients/{client_id}",
            "practice",
            json={
                "name": f"{name.split('-')[0].capitalize()} Example",
                "email": client.email,
                "phone": client.phone,
                "state": state,
                "provider_id": provider_id,
                "portal_eligible": True,
            },
        )
        return client

    def account(self, client_id: str) -> Json:
        return self.get(f"/v1/clients/{client_id}/account", "practice")

    @contextmanager
    def policies(self, **changed: Any) -> Iterator[None]:
        """Other policies for a while."""
        path = f"/v1/practices/{PRACTICE}/policies"
        before = self.get(path, "practice")
        self.do("PUT", path, "practice", json=changed)
        try:
            yield
        finally:
            self.do("PUT", path, "practice", json={name: before[name] for name in changed})

    # ---- the payer ----

    def send(self, body: str | bytes, kind: str = X12, **headers: str) -> httpx.Response:
        """Post to /v1/claim-results -> the bare answer."""
        sent = {"content-type": kind} | {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call("POST", "/v1/claim-results", "claims", content=body, headers=sent)

    def upload(self, body: bytes) -> tuple[Json, httpx.Response]:
        """Ask for an address and put the file there -> what was told of the address, and S3's bare answer. S3 tells of
        a file after it has answered, so this waits until the receipt has heard of it."""
        given = self.post("/v1/claim-results/uploads", {"bytes": len(body)}, "claims")
        put = httpx.put(given["upload_url"], content=body, headers=given["headers"], timeout=60, trust_env=False)
        give_up = time.monotonic() + HEARD_OF_WITHIN_S
        while put.is_success and self.get(given["status_url"], "claims")["state"] == "waiting":
            assert time.monotonic() < give_up, f"nobody has told of the file that was put for {given['receipt_id']}"
        return given, put

    def decide(self, *decisions: Decision) -> Json:
        """A payer's 835 arrives and is worked through -> its receipt."""
        answer = self.send(as_835(*decisions))
        assert answer.status_code in (200, 202), answer.text
        self.settle()
        return self.receipt(answer)

    def receipt(self, answer: httpx.Response) -> Json:
        """What became of a posted body by now."""
        return self.get(answer.json()["status_url"], "claims")

    # ---- mail ----

    def mails(self, client_id: str = "", kind: str = "") -> list[Json]:
        """The mailbox, oldest first."""
        found = self.get("/_local/mail", **({"client_id": client_id} if client_id else {}))
        return [mail for mail in reversed(found) if not kind or mail["kind"] == kind]

    # ---- Stripe ----

    def stripe(self, path: str, **params: Any) -> Json:
        """An object or a page of a list from the embedded Stripe's API."""
        headers = {"authorization": "Bearer sk_test_e2e"}
        return self.do("GET", f"/_local/stripe/v1/{path}", headers=headers, params=params)

    def stripe_post(self, path: str, **params: str) -> Json:
        """What somebody does in Stripe's dashboard -> the object."""
        headers = {"authorization": "Bearer sk_test_e2e"}
        return self.do("POST", f"/_local/stripe/v1/{path}", headers=headers, data=params)

    def stripe_list(self, path: str, **params: Any) -> list[Json]:
        """A whole list, newest first."""
        rows: list[Json] = []
        while True:
            page = self.stripe(path, limit=100, **params)
            rows += page["data"]
            if not page["has_more"]:
                return rows
            params["starting_after"] = rows[-1]["id"]

    def stripe_fault(self, match: str, kind: str, times: int = 1) -> None:
        self.post("/_local/stripe/_test/faults", [{"match": match, "kind": kind, "times": times}])

    @contextmanager
    def stripe_webhooks(self, **rules: Any) -> Iterator[None]:
        """Webhooks that come twice, late or never, for a while."""
        self.post("/_local/stripe/_test/webhooks", rules)
        try:
            yield
        finally:
            self.post("/_local/stripe/_test/webhooks", {})


@dataclass(frozen=True)
class Client:
    """One person who pays, as the tests know them."""

    kindbill: Kindbill = field(repr=False)
    client_id: str
    phone: str
    email: str
    provider_id: str

    # ---- what is known of them ----

    def account(self) -> Json:
        return self.kindbill.account(self.client_id)

    def invoice(self, invoice_id: str) -> Json:
        return next(one for one in self.account()["invoices"] if one["invoice_id"] == invoice_id)

    def only_invoice(self) -> Json:
        (one,) = self.account()["invoices"]
        return one

    def mails(self, kind: str = "") -> list[Json]:
        """All mails about them, staff's included, oldest first."""
        return self.kindbill.mails(self.client_id, kind)

    def mail(self, kind: str) -> Json:
        """The one mail of that kind."""
        found = self.mails(kind)
        assert len(found) == 1, f"{len(found)} mails of kind {kind}: {[m['kind'] for m in self.mails()]}"
        return found[0]

    def mail_kinds(self) -> list[str]:
        return [mail["kind"] for mail in self.mails()]

    def link(self) -> str:
        """The pay link of their latest mail."""
        return next(pay_link(mail) for mail in reversed(self.mails()) if mail["to"] == self.email)

    def facts(self, kind: str = "") -> list[Json]:
        """What happened, newest first."""
        found = self.kindbill.get("/_local/facts", client_id=self.client_id)
        return [fact for fact in found if not kind or fact["kind"] == kind]

    # ---- at Stripe ----

    def customer(self) -> str:
        """Their id at Stripe, "" while Stripe has not heard of them."""
        customers = self.kindbill.stripe_list("customers")
        found = [one["id"] for one in customers if one["metadata"].get("client") == self.client_id]
        assert len(found) <= 1, f"{self.client_id} is {len(found)} customers at Stripe"
        return found[0] if found else ""

    def intents(self) -> list[Json]:
        """Every try to take money from them, newest first."""
        customer = self.customer()
        return self.kindbill.stripe_list("payment_intents", customer=customer) if customer else []

    def taken(self) -> list[int]:
        """What Stripe really took from them, newest first, in cents."""
        return [one["amount_received"] for one in self.intents() if one["status"] == "succeeded"]

    def refunds(self) -> list[Json]:
        """Everything that Stripe sent back to them, newest first."""
        return [
            one for made in self.intents() for one in self.kindbill.stripe_list("refunds", payment_intent=made["id"])
        ]

    def disputes(self) -> list[Json]:
        """Every payment that their bank took back, newest first."""
        return [
            one for made in self.intents() for one in self.kindbill.stripe_list("disputes", payment_intent=made["id"])
        ]

    def refund_in_dashboard(self, amount: int | None = None) -> None:
        """Somebody sends their last payment back, or part of it, without us."""
        asked = {"payment_intent": self.intents()[0]["id"]} | ({"amount": str(amount)} if amount else {})
        self.kindbill.stripe_post("refunds", **asked)
        self.kindbill.settle()

    def disputes_last_payment(self) -> str:
        """They tell their bank that it was not theirs -> the dispute's id."""
        charge = self.intents()[0]["latest_charge"]
        dispute = self.kindbill.post("/_local/stripe/_test/disputes", {"charge": charge, "reason": "fraudulent"})
        self.kindbill.settle()
        return str(dispute["id"])

    def bank_decides(self, dispute: str, outcome: str) -> None:
        """Their bank has decided: `won` or `lost`, for us."""
        self.kindbill.post(f"/_local/stripe/_test/disputes/{dispute}", {"outcome": outcome})
        self.kindbill.settle()

    def card_behaves(self, behaviour: str) -> None:
        """From now on every card they saved does that when it is charged."""
        found = self.kindbill.stripe_list("payment_methods", customer=self.customer(), type="card")
        assert found, f"{self.client_id} has no card"
        for one in found:
            self.kindbill.post(f"/_local/stripe/_test/cards/{one['id']}", {"behaviour": behaviour})

    # ---- what happens to them ----

    def save_card(self, number: str = A_CARD, *, autopay: bool = True, cap: int | None = None) -> Json:
        """As their page would do it -> the account."""
        body = {"number": number, "autopay": autopay} | ({"cap": cap} if cap is not None else {})
        return self.kindbill.post(f"/_local/clients/{self.client_id}/card", body)

    def claim(self, charged: int = 150_00, service_date: date | None = None, **more: Any) -> str:
        """A claim of theirs is sent to the payer -> its id."""
        claim_id = f"{self.client_id.upper()}-{next(_numbers)}"
        on = service_date or (self.kindbill.now() - timedelta(days=20)).date()
        body = {
            "claim_id": claim_id,
            "client_id": self.client_id,
            "provider_id": self.provider_id,
            "payer_id": PAYER["id"],
            "charged": charged,
            "service_date": on.isoformat(),
        }
        self.kindbill.post("/v1/claims", body | more, "practice")
        return claim_id

    def owes(self, *shares: int, service_date: date | None = None) -> list[str]:
        """Claims of theirs were decided, and left these amounts for them -> the invoices, in that order."""
        on = service_date or (self.kindbill.now() - timedelta(days=20)).date()
        decisions = [
            Decision(self.claim(share + 150_00, on), share + 150_00, share, service_date=on.isoformat())
            for share in shares
        ]
        receipt = self.kindbill.decide(*decisions)
        assert receipt["accepted"] == len(shares), receipt
        return [row["invoice_id"] for row in receipt["results"]]

    def gets_plan(self, weeks: int, start_on: date) -> Json:
        body = {"weeks": weeks, "start_on": start_on.isoformat()}
        plan = self.kindbill.post(f"/v1/clients/{self.client_id}/plans", body, "practice")
        self.kindbill.settle()
        return plan


def pay_link(mail: Json) -> str:
    """The pay link in a mail."""
    links: list[str] = mail["links"]
    return next(link for link in links if "/pay/" in link)
