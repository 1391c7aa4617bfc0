"""The pay link over HTTP: which address and method is which step, and what an answer looks like on the wire.

Eight addresses need no framework. The link is the secret of its pages: it is in the address, so no page lets its
address leak (no referrer, no third party, nothing kept), and it is never logged.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from billing.ports import CardGateway, Refused, Store, TryAgain
from edges import log
from edges.http import Request, Response, respond
from edges.links import ExpiredLink, Links, UnknownLink
from edges.render import STYLE, STYLE_PATH, STYLE_VERSION, render_page
from functions.serve_client import flow, questions
from functions.serve_client.door import SESSION_LASTS, Answer, Page, SeeOther, Visit
from functions.serve_client.forms import MOST_BYTES, REVIEW_STEP, Form, UnreadableForm

COOKIE: Final = "kb_pay"
LINK: Final = re.compile(r"(/pay/([A-Za-z0-9_.-]{1,1024}))(/[a-z-]*)?")
HEADERS: Final[Mapping[str, str]] = {
    "content-type": "text/html; charset=utf-8",
    # No script at all, nothing from elsewhere. Browsers hold a form to form-action across its redirects as well: the
    # Pay button's leads to Stripe's hosted page (locally that page is of our own origin).
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; "
    "form-action 'self' https://checkout.stripe.com; base-uri 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "x-robots-tag": "noindex",
}
"""Beside those of every answer (edges/http.py), no referrer among them: the address is the link."""
KEPT_FOREVER: Final = "public, max-age=31536000, immutable"
KEPT_A_WHILE: Final = "public, max-age=300"
FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Ports:
    """What the pages stand on. `cards` is asked for only by what needs Stripe; `new_id` gives 256 random bits."""

    store: Store
    cards: Callable[[], CardGateway]
    links: Links
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    origin: str


Step = Callable[[Ports, Visit, Form], Answer]

LOOKS: Final[Mapping[str, Callable[[Ports, Visit, Request], Answer]]] = {
    "": lambda ports, visit, _request: flow.show(ports.store, visit),
    "/done": lambda ports, visit, request: flow.done(ports.store, visit, request.query.get("attempt", "")),
    REVIEW_STEP: lambda ports, visit, request: questions.show(ports.store, visit, request.query.get("invoice", "")),
}
"""What GET shows: nothing is ever changed by it."""
ACTS: Final[Mapping[str, Step]] = {
    "/phone": lambda ports, visit, form: flow.check_phone(ports.store, visit, form, ports.new_id()),
    "/pay": lambda ports, visit, form: flow.pay(ports.store, ports.cards(), visit, form),
    "/setup": lambda ports, visit, form: flow.set_up(ports.store, ports.cards(), visit, form),
    REVIEW_STEP: lambda ports, visit, form: questions.send(ports.store, ports.cards, visit, form),
    "/stop": lambda ports, visit, form: flow.stop(ports.store, ports.cards(), visit, form),
    "/autopay-off": lambda ports, visit, form: flow.turn_autopay_off(ports.store, visit, form),
}
"""What the buttons do."""


def serve(request: Request, ports: Ports) -> Response:
    """The answer to a request. Whatever goes wrong that can go wrong is a page that says what to do."""
    if request.path.startswith("/static/"):
        return _static(request)
    found = LINK.fullmatch(request.path)
    base, token, step = found.groups(default="") if found else ("", "", "")
    step = step.rstrip("/")
    try:
        answer = _answer(request, ports, base, token, step)
    except UnknownLink:
        answer = Page("unknown_link", status=404)
    except ExpiredLink:
        answer = Page("expired_link", status=410)
    except UnreadableForm:
        detail = "What was sent could not be read as a form: open the page again and use it as it is."
        answer = Page("refused", {"base": base, "detail": detail}, 400)
    except Refused as refusal:
        answer = Page("refused", {"base": base, "detail": refusal.detail}, refusal.status)
        log.warning("refused", step=step, **log.about(refusal))
    except TryAgain as passing:
        answer = Page("busy", {"base": base}, 503)
        log.warning("busy", step=step, **log.about(passing))
    except Exception as bug:  # noqa: BLE001 - the last door: a person gets a page, whatever it was
        log.error("bug", step=step, request_id=request.request_id, **log.about(bug))
        answer = Page("broken", status=500)
    response = _on_the_wire(request, answer, ports.origin)
    log.info(
        "served", request_id=request.request_id, method=request.method, step=step or "/", status=response["statusCode"]
    )
    return response


def come_back(request: Request, passing: TryAgain) -> Response:
    """The answer where something passing kept the ports themselves from being made."""
    log.warning("busy", step="/", **log.about(passing))
    return _on_the_wire(request, Page("busy", {"base": request.path}, 503), "https:")


def _answer(request: Request, ports: Ports, base: str, token: str, step: str) -> Answer:
    if not base:
        return Page("unknown_link", status=404)
    if step not in LOOKS and step not in ACTS:
        return Page("unknown_page", {"base": base}, 404)
    now = ports.now()
    claim = ports.links.read(token, now)
    visit = Visit(
        practice=claim.practice,
        client=claim.client,
        link_epoch=claim.epoch,
        base=base,
        origin=ports.origin,
        now=now,
        session_id=request.cookies.get(COOKIE, ""),
        ip=request.source_ip,
    )
    if request.method in ("GET", "HEAD"):
        # A button's own address, opened again by hand, has nothing to show: back to the page.
        return LOOKS[step](ports, visit, request) if step in LOOKS else SeeOther(base)
    if request.method != "POST" or step not in ACTS:
        return Page("unknown_page", {"base": base}, 405)
    if len(request.body) > MOST_BYTES:
        return Page("too_large", status=413)
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        # Another site's form, as the browser itself says. The phone check has no session whose token it could carry,
        # so this is what keeps others from spending a client's tries from their browser.
        return Page("stale_form", {"base": base}, 403)
    if request.content_type.partition(";")[0].strip().lower() != FORM:
        raise UnreadableForm(request.content_type)
    return ACTS[step](ports, visit, Form.of(request.body))


def _on_the_wire(request: Request, answer: Answer, origin: str) -> Response:
    headers = dict(HEADERS)
    match answer:
        case SeeOther(location, session_id):
            return respond(303, "", {**headers, "location": location}, _cookie(session_id, origin.startswith("https:")))
        case Page(name, known, status):
            if status == 405:
                headers["allow"] = "GET, HEAD, POST"
            if status == 503:
                headers["retry-after"] = "60"
            html = "" if request.method == "HEAD" else render_page(name, known)
            return respond(status, html, headers)


def _cookie(session_id: str, secure: bool) -> tuple[str, ...]:
    """The session's cookie. Lax: it must come along when Stripe's page sends the browser back."""
    if not session_id:
        return ()
    lasts = int(SESSION_LASTS.total_seconds())
    cookie = f"{COOKIE}={session_id}; Path=/pay; Max-Age={lasts}; HttpOnly; SameSite=Lax"
    return (cookie + ("; Secure" if secure else ""),)


def _static(request: Request) -> Response:
    if request.path != STYLE_PATH:
        return respond(404, "", {"content-type": "text/plain; charset=utf-8"})
    kept = KEPT_FOREVER if request.query.get("v") == STYLE_VERSION else KEPT_A_WHILE
    return respond(200, STYLE, {"content-type": "text/css; charset=utf-8", "cache-control": kept})
