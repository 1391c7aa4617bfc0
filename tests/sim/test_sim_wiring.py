"""What the simulator believes of the deployed system is what template.yaml says."""

from datetime import timedelta

from billing.facts import ROUTES
from tests.sim.wiring import wiring


def test_every_verb_that_facts_are_routed_to_has_a_queue() -> None:
    assert {verb for verbs in ROUTES.values() for verb in verbs} == wiring().queues.keys()


def test_a_crash_hides_a_message_for_longer_than_any_run_takes_and_a_message_gets_several_receives() -> None:
    for queue in wiring().queues.values():
        assert queue.visibility >= timedelta(minutes=3), queue
        assert queue.receives >= 3, queue
        assert 1 <= queue.batch <= 10, queue
    assert wiring().shards >= 1
