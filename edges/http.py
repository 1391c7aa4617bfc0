"""Requests and answers of the HTTP API (payload format 2.0), and problem documents (RFC 9457).

An answer may hold anything about a client, so nothing between us and them keeps it unless a page says otherwise.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from billing.ports import Refused

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"
DEFAULT_HEADERS: Final[Mapping[str, str]] = {
    "cache-control": "no-store",
    # Whatever a browser is made to take for a page: it runs nothing, loads nothing and stands in nobody's frame.
    "content-security-policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    # Browsers heed it over https only, so it does no harm to a copy on this machine.
    "strict-transport-security": "max-age=63072000; includeSubDomains",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""Of every answer, unless it says otherwise."""

Response = dict[str, Any]
"""What API Gateway takes from a function."""


@dataclass(frozen=True)
class Request:
    """One HTTP request. Header names are lower case; the gateway joins the values of a query parameter that repeats
    with commas; `source_ip` is the caller as the gateway saw it."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    source_ip: str = ""
    request_id: str = ""

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> "Request":
        """The request of a gateway event. A body that claims to be base64 and is not is empty: nobody can read it."""
        headers = {name.lower(): value for name, value in event.get("headers", {}).items()}
        context = event["requestContext"]
        return cls(
            method=context["http"]["method"],
            path=event["rawPath"],
            headers=headers,
            query=event.get("queryStringParameters") or {},
            cookies=_cookies(event.get("cookies") or headers.get("cookie", "").split(";")),
            body=_body(event),
            source_ip=context["http"].get("sourceIp", ""),
            request_id=context.get("requestId", ""),
        )

    @property
    def content_type(self) -> str:
        """The media type as sent, or ""."""
        return self.headers.get("content-type", "")


def _body(event: Mapping[str, Any]) -> bytes:
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(body).encode()
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        return b""


def _cookies(pairs: Iterable[str]) -> dict[str, str]:
    """API Gateway lists them apart; local ones leave them in the header. The first of a name counts."""
    cookies: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.strip().partition("=")
        if equals:
            cookies.setdefault(name, value)
    return cookies


def respond(
    status: int,
    body: str | bytes | Mapping[str, Any] = b"",
    headers: Mapping[str, str] | None = None,
    cookies: Iterable[str] = (),
) -> Response:
    """An answer: a mapping as JSON, text as it is (name its type in `headers`), bytes as base64. `cookies` are whole
    Set-Cookie values."""
    sent = {**DEFAULT_HEADERS, **{name.lower(): value for name, value in (headers or {}).items()}}
    answer: Response = {"statusCode": status, "headers": sent, "isBase64Encoded": False}
    if isinstance(body, bytes):
        answer |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True} if body else {"body": ""}
    elif isinstance(body, str):
        answer["body"] = body
    else:
        sent.setdefault("content-type", JSON)
        answer["body"] = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    cookies = list(cookies)
    return answer | ({"cookies": cookies} if cookies else {})


def problem(
    status: int,
    title: str,
    detail: str,
    type_: str = "about:blank",
    *,
    code: str = "",
    errors: Iterable[tuple[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem document. `code` is for programs; `errors` are (field, what is wrong)."""
    document: dict[str, Any] = {"type": type_, "title": title, "status": status, "detail": detail}
    if code:
        document["code"] = code
    listed = [{"loc": loc, "msg": msg} for loc, msg in errors]
    if listed:
        document["errors"] = listed
    return respond(status, document, {"content-type": PROBLEM, **(headers or {})})


def refused(refusal: Refused) -> Response:
    """The problem of a business refusal: its type ends in the rule's id where it has one (contract.md), else in its
    code."""
    title = "Not possible" if refusal.status == 409 else "Not accepted"
    type_ = f"/problems/{refusal.rule or refusal.code}"
    return problem(refusal.status, title, refusal.detail, type_, code=refusal.code)


def busy(seconds: int = 2) -> Response:
    """Something passing stands in the way: come back in a moment."""
    return problem(
        503, "Try again", "Nothing was done: send this again in a moment.", headers={"retry-after": str(seconds)}
    )
