"""Bugs that a seed found, each told as the shortest story that shows it; the seed is named for its history."""

from billing.claim_state import Submission
from billing.facts import FactKind, Message
from billing.ids import Key, claim_pk
from functions.issue_invoice import flow
from tests.sim.scenarios.stage import Stage


def test_a_claim_told_of_twice_at_once_is_judged_once() -> None:
    """Seed 32: both deliveries saw the result wait for its claim; the slower one found its hold gone and crashed."""
    stage = Stage()
    stage.client("client_with_a_late_claim")
    stage.decides("claim_1", 62_50)
    stage.forward(seconds=10)
    submitted = Message(FactKind.CLAIM_SUBMITTED, Key(claim_pk("riverbend", "claim_1"), "SUBMITTED#"))

    def second_delivery() -> None:
        if isinstance(stage.world.store.get(submitted.key), Submission):
            flow.run(submitted, store=stage.world.store, now=stage.world.now)

    stage.submits("client_with_a_late_claim", "claim_1")
    stage.next_time("after store.partition", second_delivery)
    stage.forward(seconds=10)
    assert [i.amount for i in stage.books("client_with_a_late_claim").invoices] == [62_50]
    stage.ends_well()
