"""Money going back without us: cardholders dispute, banks decide, somebody refunds in Stripe's dashboard."""

from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any
from urllib.parse import urlencode

from infra.local.stripe import NoAnswer
from tests.sim.agenda import Thing
from tests.sim.world import World

RELUCTANT_CARDS = ("4000000000005126", "4000000000007726")
"""Refunds to the first fail after Stripe called them done; those to the second are pending for a while."""


@dataclass
class Bank:
    """Everybody's bank, and the dashboard."""

    world: World
    rng: Random
    practice: str

    def right_now(self, client: str) -> Thing:
        """What may happen to a payment of this client at any moment, whatever else is going on."""
        return self.refund(client) if self.rng.random() < 0.3 else self.dispute(client)

    def dispute(self, client: str) -> Thing:
        """The client tells their bank that they never agreed to a payment."""

        def act(_ports: dict[str, Any]) -> str:
            charges = [c for c in self._charges(client) if not c["disputed"] and c["amount_refunded"] < c["amount"]]
            if not charges:
                return "has nothing to dispute"
            charge = self.rng.choice(charges)
            row = self.world.stripe.embedded.open_dispute(charge["id"])
            self.world.met["dispute"] += 1
            if self.rng.random() < 0.9:
                after = timedelta(days=25) * self.rng.random() ** 2
                self.world.at(self.world.now + after, self._decision(row["id"]))
            return f"{row['id']} of {charge['payment_intent']}"

        return Thing("bank", f"disputes a payment of {client}", act)

    def _decision(self, dispute: str) -> Thing:
        outcome = self.rng.choice(("won", "lost"))

        def act(_ports: dict[str, Any]) -> str:
            self.world.stripe.embedded.decide_dispute(dispute, outcome)
            self.world.met[f"dispute {outcome}"] += 1
            return outcome

        return Thing("bank", f"decides {dispute}", act)

    def refund(self, client: str) -> Thing:
        """Somebody at the practice refunds in Stripe's dashboard, whole or in part, and tells nobody."""

        def act(_ports: dict[str, Any]) -> str:
            charges = [c for c in self._charges(client) if not c["disputed"] and c["amount_refunded"] < c["amount"]]
            if not charges:
                return "has nothing to refund"
            charge = self.rng.choice(charges)
            left = charge["amount"] - charge["amount_refunded"]
            asked = {"payment_intent": charge["payment_intent"], "amount": self.rng.choice((left, (left + 1) // 2))}
            self.world.met["refund in the dashboard"] += 1
            try:
                answer = self.world.stripe.embedded.request(
                    "POST", "/v1/refunds", urlencode(asked), {"authorization": "Bearer sk_test_dashboard"}
                )
            except NoAnswer as lost:
                return lost.kind
            return f"{answer.status}"

        return Thing("dashboard", f"refunds a payment of {client}", act)

    def _charges(self, client: str) -> list[dict[str, Any]]:
        """The client's payments that went through, oldest first."""
        charges = self.world.stripe.embedded.account().charges
        return [
            charges.find(intent["latest_charge"])
            for intent in self.world.stripe.intents_of(self.practice, client)
            if intent["status"] == "succeeded"
        ]
