"""What a practice's system sends to put a client's balance on a payment plan."""

from typing import Literal

from billing.planning import Agreement
from edges.inbound.fields import Day, Instant, Request, Text


class AgreedIn(Request):
    """How the client agreed, where staff set the plan up: when, on which way ("phone"), and who took it down.

    Six weeks need it: the client was shown the disclosure of the practice's policies and accepted it too (PLAN-10).
    `disclosure`: the id of the text they saw, refused where another is in force by now.
    """

    at: Instant
    how: Text
    by: Text
    disclosure: Text = ""


class PlanIn(Request):
    """Body of `POST /v1/clients/{client_id}/plans` (PLAN-1, PLAN-3)."""

    weeks: Literal[2, 4, 6]
    start_on: Day
    agreed: AgreedIn | None = None

    def agreement(self) -> Agreement:
        """How the client agreed, as far as it was told."""
        told = self.agreed
        return Agreement(told.at, told.how, told.by, told.disclosure) if told else Agreement()
