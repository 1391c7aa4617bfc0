"""Three hundred lives, each from its seed (`make sim SEEDS=5000` lives more of them)."""

import pytest

from tests.sim.run import live, run_seed

SEEDS = range(1, 301)
CHUNK = 25


@pytest.mark.parametrize("first", range(SEEDS.start, SEEDS.stop, CHUNK))
def test_every_life_keeps_every_invariant_and_ends_with_books_that_agree(first: int) -> None:
    # Invariants 1 to 12 of the design
    for seed in range(first, first + CHUNK):
        ran = run_seed(seed)
        assert ran.steps, f"nothing happened in seed {seed}"


def test_together_the_lives_see_what_they_are_for() -> None:
    """A simulator that never declines a card, never crashes and never races proves nothing."""
    seen: set[str] = set()
    for seed in range(1, 41):
        workload, found = live(seed)
        assert not found
        for _, depth, actor, label, outcome in workload.world.trace:
            kind = label.split(" ")[0]
            seen |= {outcome.split(":")[0], f"{actor} {kind}", f"{actor} {outcome.split(':')[0]}"}
            if depth and actor != "mail":
                seen.add(f"{actor} between two port calls")
    wanted = {
        "crash",
        "again",
        "refused",
        "declined",
        "closed",
        "charge_autopay crash",
        "charge_autopay between two port calls",
        "settle_payment between two port calls",
        "staff between two port calls",
        "settle_payment look_up",
        "mail charge_failed",
        "mail receipt",
        "mail approval_request",
        "create_plan instalment",
        "receive_stripe seen_before",
        "receive_mail noted",
    }
    assert wanted <= seen, wanted - seen


def test_a_seed_tells_the_same_story_every_time() -> None:
    first, second = live(11)[0].world, live(11)[0].world
    assert first.story() == second.story()
    assert first.store.rows() == second.store.rows()
