"""A person with a browser, who finds things by what they are called: labels, buttons, headings.

Everything the browser asks for is written down, so that a test can say what never left the page it was typed on.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_plus, urlsplit

from playwright.sync_api import Browser, BrowserContext, Locator, Page, Request, Response, expect, sync_playwright

from infra.browser import find

FLAGS: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
STRIPE: Final = "/_local/stripe/"
PHONE_WIDTH: Final = 390
WAIT_MS: Final = 30_000


@contextmanager
def running_browser() -> Iterator[Browser]:
    """The Chromium that `make test` found or installed."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find(), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@dataclass(frozen=True)
class Sent:
    """A request the browser made: `text` is its address and body, decoded."""

    path: str
    text: str


@dataclass(frozen=True)
class Got:
    """A page the browser got from us."""

    path: str
    status: int
    headers: dict[str, str]
    html: str


class Visitor:
    """One person in one tab. `another_tab` shares the cookies."""

    def __init__(self, context: BrowserContext, base_url: str, sent: list[Sent] | None = None) -> None:
        self._context = context
        self._base_url = base_url
        self.page: Page = context.new_page()
        self.page.set_default_timeout(WAIT_MS)
        self.sent: list[Sent] = [] if sent is None else sent
        self.pages: list[Got] = []
        self._last: Response | None = None
        self.page.on("request", self._asked)
        self.page.on("response", self._answered)

    def another_tab(self) -> "Visitor":
        return Visitor(self._context, self._base_url, self.sent)

    def _asked(self, request: Request) -> None:
        self.sent.append(Sent(urlsplit(request.url).path, unquote_plus(request.url + " " + (request.post_data or ""))))

    def _answered(self, response: Response) -> None:
        if response.request.is_navigation_request() and not 300 <= response.status < 400:
            self._last = response

    # ---- doing ----

    def open(self, address: str) -> int:
        """Follow a link -> the status of the answer."""
        response = self.page.goto(address)
        assert response is not None
        self._look()
        return response.status

    def enter_phone(self, number: str) -> None:
        self.page.get_by_label("Phone number").fill(number)
        self.press("Continue")

    def press(self, name: str, nth: int = 0) -> None:
        """Press the button of that name; the `nth` where several have it. Returns when the next page is there."""
        self.page.get_by_role("button", name=name, exact=True).nth(nth).click()
        self.page.wait_for_load_state("load")
        self._look()

    def tick(self, name: str) -> None:
        self.page.get_by_label(name).check()

    def fill(self, label: str, text: str) -> None:
        self.page.get_by_label(label).fill(text)

    def type_card(self, number: str) -> None:
        """On Stripe's hosted page."""
        self.page.get_by_label("Card number").fill(number)
        self.page.get_by_label("Expiration").fill("12 / 34")
        self.page.get_by_label("CVC").fill("123")

    def pay_with(self, number: str, button: str) -> None:
        """Type the card and press; returns on our page that thanks."""
        self.type_card(number)
        self.press(button)
        self.wait_for_heading("Paid. Thank you!")

    def wait_for_heading(self, name: str) -> None:
        """Our page refreshes by itself until Stripe's word has reached us."""
        expect(self.page.get_by_role("heading", level=1, name=name)).to_be_visible(timeout=WAIT_MS)
        self._look()

    # ---- seeing ----

    @property
    def path(self) -> str:
        return urlsplit(self.page.url).path

    @property
    def heading(self) -> str:
        return self.page.get_by_role("heading", level=1).inner_text()

    @property
    def text(self) -> str:
        return self.page.locator("body").inner_text()

    @property
    def buttons(self) -> list[str]:
        """Names of the buttons in sight."""
        return [one.inner_text().strip() for one in self.page.get_by_role("button").all() if one.is_visible()]

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def _look(self) -> None:
        """Keep what one of our own pages was, for what is said about all of them."""
        if self._last is not None and not self.path.startswith("/_local"):
            self.pages.append(Got(self.path, self._last.status, self._last.headers, self.page.content()))


def said_outside_stripe(visitor: Visitor, card: str) -> list[str]:
    """Addresses other than the embedded Stripe's that were sent any 12 digits of the card in a row."""
    pieces = [card[start : start + 12] for start in range(len(card) - 11)]
    return [
        one.path
        for one in visitor.sent
        if not one.path.startswith(STRIPE)
        and any(piece in re.sub(r"(?<=[0-9])[ -](?=[0-9])", "", one.text) for piece in pieces)
    ]
