"""One copy of the whole system and one browser for all tests of this folder.

Both end with the folder, not with the session: the copy takes memory, and an open browser keeps an event loop in the
thread that other tests start their own in.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.e2e.browser import Visitor, running_browser
from tests.e2e.kindbill import Kindbill
from tests.e2e.launch import Launched

HERE = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "afterwards: looks at everything the other end-to-end tests left; runs last")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ours = [item for item in items if HERE in item.path.parents]
    for item in ours:
        item.add_marker(pytest.mark.e2e)
    places = [place for place, item in enumerate(items) if item in ours]
    in_order = sorted(ours, key=lambda item: item.get_closest_marker("afterwards") is not None)
    for place, item in zip(places, in_order, strict=True):
        items[place] = item


@pytest.fixture(scope="package")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launched]:
    """A copy started as `make run` starts it, ended by SIGTERM, with nothing left behind."""
    copy = Launched(tmp_path_factory.mktemp("copy"))
    copy.wait_until_ready()
    yield copy
    kinds = {trace.partition(" ")[0] for trace in copy.traces()}
    assert kinds == {"file", "port", "process"}, "what is not seen while it runs would not be missed afterwards"
    status = copy.end()
    assert status == 0, copy.said
    assert copy.left_behind() == []


@pytest.fixture(scope="package")
def kindbill(launched: Launched) -> Iterator[Kindbill]:
    """The copy, ready."""
    one = Kindbill(launched.base_url)
    yield one
    one.close()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with running_browser() as one:
        yield one


@pytest.fixture
def visit(browser: Browser, kindbill: Kindbill) -> Iterator[Callable[..., Visitor]]:
    """Makes a person with a browser of their own, cookies and all. `width`: of the window."""
    contexts = []

    def make(width: int = 1100) -> Visitor:
        context = browser.new_context(viewport={"width": width, "height": 900})
        contexts.append(context)
        return Visitor(context, kindbill.base_url)

    yield make
    for context in contexts:
        context.close()
