"""What tests of several folders share."""

from collections.abc import Iterator

import pytest

from tests.fakes.cloud import LocalCloud


@pytest.fixture(scope="session")
def cloud() -> Iterator[LocalCloud]:
    """A real local cloud; started by the first test that asks for it."""
    running = LocalCloud()
    yield running
    running.stop()
