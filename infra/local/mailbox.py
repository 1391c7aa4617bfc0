"""Every mail the copy sent, as its reader would find it, with what we know of it: why it was sent, to which client,
and when on the simulated clock.

SES (here: MiniStack's inspector) knows the words and the real time; the fact NoticeSent knows the rest. The message id
that SES answered stands in both.
"""

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

from billing.facts import Fact, FactKind
from billing.notice import NoticeKind
from infra.local.cloud import Cloud

_HREF: Final = re.compile(r'href="(https?://[^"]+)"')
_BARE: Final = re.compile(r"https?://[^\s<>\")]+")


@dataclass(frozen=True)
class Mail:
    """One mail (contract.md `/_local/mail`). `notice_id` is ours, `id` the mail service's."""

    id: str
    kind: str
    client_id: str
    to: str
    subject: str
    text: str
    html: str
    links: list[str]
    sent_at: str
    practice_id: str
    notice_id: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def read_mailbox(cloud: Cloud, facts: Iterable[Fact]) -> list[Mail]:
    """All mails, newest first."""
    return join([message for account in cloud.inspect("ses/messages").values() for message in account], facts)


def join(messages: Sequence[dict[str, Any]], facts: Iterable[Fact]) -> list[Mail]:
    """Messages in the order sent -> mails, newest first. One that no NoticeSent claims (its sender crashed, and sent it
    again) says so by an empty `kind` and the real time."""
    sent = {f.data["message_id"]: f for f in facts if f.kind == FactKind.NOTICE_SENT and "message_id" in f.data}
    return [_mail(message, sent.get(message["MessageId"])) for message in reversed(messages)]


def _kind(notice: str) -> str:
    """As contract.md names it: what goes out when an instalment is issued is a reminder (PLAN-5)."""
    return NoticeKind.REMINDER if notice == NoticeKind.INSTALMENT else notice


def _mail(message: dict[str, Any], fact: Fact | None) -> Mail:
    as_html = message.get("BodyHtml") or ""
    as_text = message.get("BodyText") or ""
    found = [html.unescape(link) for link in _HREF.findall(as_html)] + _BARE.findall(as_text)
    return Mail(
        id=message["MessageId"],
        kind=_kind(str(fact.data.get("notice", ""))) if fact else "",
        client_id=fact.client if fact else "",
        to=", ".join(message.get("To", [])),
        subject=message.get("Subject") or "",
        text=as_text,
        html=as_html,
        links=list(dict.fromkeys(found)),
        sent_at=fact.at.isoformat() if fact else _real(message["Timestamp"]),
        practice_id=fact.practice if fact else "",
        notice_id=fact.cause if fact else "",
    )


def _real(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).isoformat()
