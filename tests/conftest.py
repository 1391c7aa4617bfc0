"""What tests of several folders share."""

from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import settings

from edges import log
from tests.fakes.cloud import LocalCloud
from tests.fakes.stage import Stage, forget, say_which

# Hypothesis would fail an example that takes 200 ms: on a busy machine any of them may.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

_numbers = count(1)
log._misfit = say_which


@pytest.fixture(scope="session")
def cloud() -> Iterator[LocalCloud]:
    """A real local cloud; started by the first test that asks for it."""
    running = LocalCloud()
    yield running
    running.stop()


@pytest.fixture
def stage(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A function's surroundings, entered: handlers called in this test run there."""
    here = Stage(cloud, next(_numbers))
    here.enter(monkeypatch)
    yield here
    forget()
