"""The console for a person: what time it is, who is there to play, what was sent, what happened. Server-rendered, no
script; everything that came from outside is escaped, and a mail's HTML is shown in a sandbox of its own.
"""

from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from infra.local import nightly
from infra.local.copy import Copy
from infra.local.mailbox import Mail

TEMPLATES: Final = Path(__file__).parent / "templates"
_PAGES: Final = Environment(
    loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
HEADERS: Final = {
    "content-security-policy": "default-src 'none'; style-src 'self'; frame-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
}
MAIL_HEADERS: Final = {
    # Its own origin, no script, nothing loaded from anywhere; its links open pages as a mail program would.
    "content-security-policy": "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "
    "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
}
SPANS: Final = (("1h", "1 hour"), ("1d", "1 day"), ("48h", "48 hours"), ("7d", "1 week"), ("30d", "30 days"))
SHOWN_FACTS: Final = 80


def console(copy: Copy, query: dict[str, str]) -> str:
    """The page. `query`: `client` shows only that client's mails and facts, `mail` opens that mail,
    `problem` is what the last form could not do."""
    client = query.get("client", "")
    mails = copy.mails(client)
    practice = copy.practice_row()
    holds, reviews = copy.waiting()
    facts = [fact for fact in copy.facts(client) if fact["client_id"] or not client]
    return _PAGES.get_template("console.html").render(
        practice=practice.name if practice else copy.practice,
        now=copy.clock.now,
        base_url=copy.base_url,
        spans=SPANS,
        people=[
            (person, next((m.links[0] for m in copy.mails(person.client_id) if m.links), "")) for person in copy.people
        ],
        claims={c["client_id"]: c["open_claims"] for c in copy.demo()["clients"]},
        holds=holds,
        reviews=reviews,
        client=client,
        problem=query.get("problem", ""),
        mails=mails,
        opened=next((mail for mail in mails if mail.id == query.get("mail")), None),
        facts=facts[:SHOWN_FACTS],
        more_facts=max(0, len(facts) - SHOWN_FACTS),
        queues=copy.queues(),
        dead_letters=copy.dead_letters(),
        alarms=copy.alarms(),
        nightly=nightly.shown(copy.store),
        keys=copy.keys,
    )


def mail(shown: Mail) -> str:
    """A mail's own HTML; links open beside the console."""
    return f'<base target="_blank">{shown.html or "<p>This mail has no HTML part.</p>"}'


async def style(request: Request) -> Response:  # noqa: ARG001
    """The style sheet."""
    return FileResponse(TEMPLATES / "console.css", media_type="text/css")
