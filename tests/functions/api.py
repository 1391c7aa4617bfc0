"""An API call as the gateway hands it to a function, and the answer as a caller reads it."""

import base64
import json
from dataclasses import dataclass
from typing import Any


def api_event(
    method: str,
    path: str,
    *,
    body: bytes | str | object = b"",
    content_type: str = "application/json",
    key: str = "",
    headers: dict[str, str] | None = None,
) -> dict[str, Any]:
    """An HTTP API event, payload format 2.0. A body that is neither bytes nor text is sent as JSON; bytes go base64."""
    sent = {"host": "api.example.com", **(headers or {})}
    if key:
        sent["authorization"] = f"Bearer {key}"
    event: dict[str, Any] = {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": sent,
        "requestContext": {
            "http": {"method": method, "path": path, "sourceIp": "203.0.113.7"},
            "requestId": "test",
            "stage": "$default",
        },
        "isBase64Encoded": False,
    }
    if body != b"":
        if content_type:
            sent["content-type"] = content_type
        if isinstance(body, bytes):
            event |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
        else:
            event["body"] = body if isinstance(body, str) else json.dumps(body)
    return event


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: Any

    @classmethod
    def of(cls, response: dict[str, Any]) -> "Reply":
        headers = {name.lower(): value for name, value in response.get("headers", {}).items()}
        text = response.get("body", "")
        return cls(response["statusCode"], headers, json.loads(text) if text else None)


def assert_problem(reply: Reply, status: int) -> None:
    """RFC 9457, with the fields contract.md promises; 422 names the fields."""
    assert reply.status == status, reply.body
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.body["status"] == status
    assert all(isinstance(reply.body[name], str) and reply.body[name] for name in ("type", "title", "detail"))
    if status == 422:
        assert reply.body["errors"]
        assert all(error.keys() == {"loc", "msg"} for error in reply.body["errors"])
