"""The console's calls (contract.md, Local console): what tests and programs use to play payer, mail reader and time.

Only this machine may call it: the Host must be loopback, which keeps out pages that point a name of theirs at
127.0.0.1, and an Origin, where there is one, must be our own, which keeps out every other page.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final
from urllib.parse import parse_qs, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from billing.ports import Refused
from functions.serve_client.forms import Unfit
from infra.local import nightly, page
from infra.local.answers import Problem, body_of, text_in
from infra.local.clock import Stuck, read_instant, read_span
from infra.local.copy import CardRefused, Copy, NoSuchMail
from infra.local.quiet import NotQuiet

PREFIX: Final = "/_local"
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
HOSTED_PAGES: Final = "/_local/stripe/checkout/"
"""These pages send no referrer, so a browser sends `Origin: null` with their forms; they grant nothing of ours."""


class OnlyThisMachine:
    """Around the whole app: refuses calls below /_local that do not come from this machine's own pages or programs."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _is_below(scope["path"], PREFIX):
            headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
            host = headers.get("host", "")
            origin = headers.get("origin")
            hosted = origin == "null" and scope["path"].startswith(HOSTED_PAGES)
            foreign = origin not in (None, f"http://{host}") and not hosted
            if host.rpartition(":")[0] not in LOOPBACK or foreign:
                refusal = Problem(
                    403, "Only from this machine", "The console answers to this machine's own pages only."
                )
                await refusal.response()(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _is_below(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}/")


class Console:
    """The calls. `copy` is None until the system is deployed, `is_ready` once it is seeded too; `stage` says how far it
    is."""

    def __init__(self) -> None:
        self.copy: Copy | None = None
        self.is_ready = False
        self.stage = "starting"

    def routes(self) -> list[Route]:
        calls: list[tuple[str, str, Callable[[Copy, Request], Awaitable[Response]]]] = [
            ("GET", "", self._page),
            ("POST", "/page/clock", self._page_clock),
            ("GET", "/mail/{mail_id}/html", self._mail_html),
            ("GET", "/ready", self._ready),
            ("GET", "/keys", self._keys),
            ("GET", "/demo", self._demo),
            ("GET", "/mail", self._mail),
            ("POST", "/mail/{mail_id}/bounce", self._bounce),
            ("GET", "/clock", self._clock),
            ("POST", "/clock", self._forward),
            ("POST", "/settle", self._settle),
            ("POST", "/clients/{client_id}/card", self._card),
            ("GET", "/queues", self._queues),
            ("GET", "/facts", self._facts),
            ("GET", "/dead-letters", self._dead_letters),
            ("GET", "/alarms", self._alarms),
            ("GET", "/reconciliation", self._reconciliation),
        ]
        return [Route(PREFIX + path, self._endpoint(call), methods=[method]) for method, path, call in calls] + [
            Route(f"{PREFIX}/style.css", page.style)
        ]

    def _endpoint(
        self, call: Callable[[Copy, Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """The call with its refusals in words."""

        async def endpoint(request: Request) -> Response:
            try:
                if self.copy is None:
                    raise Problem(503, "Starting", f"This copy is still being set up: {self.stage}.")  # noqa: TRY301
                return await call(self.copy, request)
            except Problem as problem:
                return problem.response()
            except NoSuchMail as missing:
                return Problem(404, "Not found", str(missing)).response()
            except Refused as refusal:
                return Problem(refusal.status, "Refused", refusal.detail, code=refusal.code).response()
            except (Unfit, CardRefused) as refusal:
                return Problem(422, "Refused", str(refusal)).response()
            except Stuck as stuck:
                return _stuck(stuck.now.isoformat(), stuck.stuck)
            except NotQuiet as stuck:
                return _stuck(self.copy.clock.now.isoformat() if self.copy else "", list(stuck.stuck))

        return endpoint

    # ---- for programs ----

    async def _ready(self, copy: Copy, request: Request) -> Response:  # noqa: ARG002
        if not self.is_ready:
            raise Problem(503, "Starting", f"This copy is still being set up: {self.stage}.")
        return JSONResponse({"ready": True, "url": copy.base_url})

    async def _keys(self, copy: Copy, request: Request) -> Response:  # noqa: ARG002
        return JSONResponse(copy.keys)

    async def _demo(self, copy: Copy, request: Request) -> Response:  # noqa: ARG002
        return JSONResponse(await asyncio.to_thread(copy.demo))

    async def _mail(self, copy: Copy, request: Request) -> Response:
        mails = await asyncio.to_thread(copy.mails, request.query_params.get("client_id", ""))
        return JSONResponse([mail.as_json() for mail in mails])

    async def _bounce(self, copy: Copy, request: Request) -> Response:
        mail = await copy.bounce(request.path_params["mail_id"])
        return JSONResponse({"id": mail.id, "to": mail.to, "bounced": True})

    async def _clock(self, copy: Copy, request: Request) -> Response:  # noqa: ARG002
        return _now(copy)

    async def _forward(self, copy: Copy, request: Request) -> Response:
        await _forward(copy, await body_of(request))
        return _now(copy)

    async def _settle(self, copy: Copy, request: Request) -> Response:  # noqa: ARG002
        await copy.quiet.settle()
        dead = await asyncio.to_thread(copy.cloud.dead_letters)
        return JSONResponse({"quiet": True, "dead_letters": sum(depth.total for depth in dead.values())})

    async def _card(self, copy: Copy, request: Request) -> Response:
        body = await body_of(request)
        number, autopay, cap = text_in(body, "number"), body.get("autopay", False), body.get("cap")
        if not isinstance(autopay, bool):
            raise Problem(400, "Unreadable", "autopay is true or false")
        if cap is not None and (not isinstance(cap, int) or isinstance(cap, bool) or cap <= 0):
            raise Problem(400, "Unreadable", "cap is a whole number of cents, or left out")
        client_id = request.path_params["client_id"]
        await copy.save_card(client_id, number, autopay=autopay, cap=cap)
        return JSONResponse(await asyncio.to_thread(copy.account, client_id))

    async def _queues(self, copy: Copy, request: Request) -> Response:  # noqa: ARG002
        return JSONResponse(await asyncio.to_thread(copy.queues))

    async def _facts(self, copy: Copy, request: Request) -> Response:
        return JSONResponse(await asyncio.to_thread(copy.facts, request.query_params.get("client_id", "")))

    async def _dead_letters(self, copy: Copy, request: Request) -> Response:  # noqa: ARG002
        return JSONResponse(await asyncio.to_thread(copy.dead_letters))

    async def _alarms(self, copy: Copy, request: Request) -> Response:  # noqa: ARG002
        return JSONResponse([vars(alarm) for alarm in await asyncio.to_thread(copy.alarms)])

    async def _reconciliation(self, copy: Copy, request: Request) -> Response:  # noqa: ARG002
        return JSONResponse(await asyncio.to_thread(nightly.shown, copy.store))

    # ---- for a person ----

    async def _page(self, copy: Copy, request: Request) -> Response:
        shown = await asyncio.to_thread(page.console, copy, dict(request.query_params))
        return HTMLResponse(shown, headers=page.HEADERS)

    async def _page_clock(self, copy: Copy, request: Request) -> Response:
        typed = parse_qs((await request.body()).decode(errors="replace"))
        try:
            await _forward(copy, {"forward": "".join(typed.get("forward", []))})
        except (Problem, Stuck, NotQuiet) as wrong:
            return RedirectResponse(f"{PREFIX}?{urlencode({'problem': str(wrong)})}", 303)
        return RedirectResponse(PREFIX, 303)

    async def _mail_html(self, copy: Copy, request: Request) -> Response:
        mail = await asyncio.to_thread(copy.mail, request.path_params["mail_id"])
        return HTMLResponse(page.mail(mail), headers=page.MAIL_HEADERS)


async def _forward(copy: Copy, body: dict[str, Any]) -> None:
    try:
        until = _until(copy, body)
        await copy.time.forward(until)
    except ValueError as e:
        raise Problem(400, "Not a time to go to", str(e)) from e


def _until(copy: Copy, body: dict[str, Any]) -> Any:
    if ("forward" in body) == ("to" in body):
        raise ValueError('send either {"forward": "48h"} or {"to": "2026-12-01T09:00:00Z"}')
    if "to" in body:
        return read_instant(text_in(body, "to"))
    span = read_span(text_in(body, "forward"))
    if copy.clock.now.year + span / timedelta(days=365) > 2099:
        raise ValueError("the clock of this copy ends in 2099")
    return copy.clock.now + span


def _now(copy: Copy) -> Response:
    return JSONResponse({"now": copy.clock.now.isoformat()})


def _stuck(now: str, stuck: list[str]) -> Response:
    detail = "Something does not come to rest; `stuck` names it."
    return Problem(504, "Stuck", detail, now=now, stuck=stuck, quiet=False).response()
