"""The hosted Checkout page over HTTP: forms in, pages and redirects out, every address relative to the mount."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from infra.local.stripe import checkout_page, pages
from infra.local.stripe.account import Account
from infra.local.stripe.checkout_page import Outcome
from infra.local.stripe.core import EmbeddedStripe
from infra.local.stripe.errors import ApiError, Json
from infra.local.stripe.params import read_pairs

_View = Callable[[Account, Json, dict[str, str]], Response]


class HostedPages:
    """The routes of the hosted page. `changed` is called after every step, for the webhooks it caused."""

    def __init__(self, stripe: EmbeddedStripe, changed: Callable[[], None]) -> None:
        self._stripe = stripe
        self._changed = changed

    def routes(self) -> list[Route]:
        """`/checkout/{session}`, its authentication step and its style sheet."""
        page, proof = "/checkout/{session_id}", "/checkout/{session_id}/authenticate"
        return [
            Route("/checkout/style.css", _style),
            Route(page, self._page(_show_checkout), methods=["GET"]),
            Route(page, self._page(_submit_checkout), methods=["POST"]),
            Route(proof, self._page(_show_authentication), methods=["GET"]),
            Route(proof, self._page(_authenticate), methods=["POST"]),
        ]

    def _page(self, view: _View) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            typed = dict(read_pairs((await request.body()).decode(errors="replace")))
            try:
                account, session = self._stripe.session(request.path_params["session_id"])
            except ApiError:
                return HTMLResponse(pages.unknown_page(), 404, headers=pages.security_headers(None))
            answer = view(account, session, typed)
            self._changed()
            return answer

        return endpoint


async def _style(request: Request) -> Response:  # noqa: ARG001
    return FileResponse(pages.TEMPLATES / "style.css", media_type="text/css")


def _show_checkout(account: Account, session: Json, typed: dict[str, str]) -> Response:  # noqa: ARG001
    if session["status"] != "open":
        return _ended(account, session)
    return _html(pages.checkout_page(account, session, error=checkout_page.last_error(account, session)), session)


def _submit_checkout(account: Account, session: Json, typed: dict[str, str]) -> Response:
    saved = typed.get("payment_method")
    # A typed number is meant, whatever is still ticked above it.
    card = pages.read_entry(typed) if saved is None or typed.get("number", "").strip() else saved
    outcome = checkout_page.submit(account, session, card, save="save" in typed)
    if outcome.status == "requires_action":
        return RedirectResponse(f"{session['id']}/authenticate", 303)
    if outcome.status == "declined":
        return _html(pages.checkout_page(account, session, error=outcome.error, typed=typed), session)
    return _finished(account, outcome)


def _show_authentication(account: Account, session: Json, typed: dict[str, str]) -> Response:  # noqa: ARG001
    if not checkout_page.waits_for_authentication(account, session):
        return RedirectResponse(f"../{session['id']}", 303)
    return _html(pages.authenticate_page(account, session), session)


def _authenticate(account: Account, session: Json, typed: dict[str, str]) -> Response:
    if not checkout_page.waits_for_authentication(account, session):
        return RedirectResponse(f"../{session['id']}", 303)
    passed = typed.get("authentication") == "complete"
    outcome = checkout_page.authenticate(account, session, passed=passed)
    if outcome.status == "declined":
        return RedirectResponse(f"../{session['id']}", 303)
    return _finished(account, outcome)


def _finished(account: Account, outcome: Outcome) -> Response:
    """To the shop's own page; a second submission of a session that is complete goes there too."""
    if outcome.next_url is not None:
        return RedirectResponse(outcome.next_url, 303)
    return _ended(account, outcome.session)


def _ended(account: Account, session: Json) -> Response:
    status = 200 if session["status"] == "complete" else 410
    return _html(pages.ended_page(account, session), session, status)


def _html(page: str, session: Json, status: int = 200) -> Response:
    return HTMLResponse(page, status, headers=pages.security_headers(session))
