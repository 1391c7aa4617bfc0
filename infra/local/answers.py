"""How the console answers: JSON, and problem documents (RFC 9457) where it cannot do what was asked."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class Problem(Exception):
    """Answer this call with a problem document. `more`: further members of it."""

    def __init__(self, status: int, title: str, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.title = title
        self.detail = detail
        self.more = more

    def response(self) -> Response:
        body = {"type": "about:blank", "title": self.title, "status": self.status, "detail": self.detail, **self.more}
        headers = {"retry-after": "1"} if self.status == 503 else None
        return JSONResponse(body, self.status, headers, "application/problem+json")


async def body_of(request: Request) -> dict[str, Any]:
    """The request's JSON object. Raises Problem (400)."""
    try:
        read = json.loads(await request.body())
    except ValueError as e:
        raise Problem(400, "Unreadable", f"the body is no JSON: {e}") from e
    if not isinstance(read, dict):
        raise Problem(400, "Unreadable", "the body is no JSON object")
    return read


def text_in(body: dict[str, Any], name: str) -> str:
    """That member, which is a text. Raises Problem (400)."""
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise Problem(400, "Unreadable", f"{name} is missing, or no text")
    return value
