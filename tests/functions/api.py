"""An API call as the gateway hands it to a function, and the answer as a caller reads it."""

import base64
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from billing.ids import api_key_hash
from billing.policy import ApiKey
from billing.ports import Insert
from edges.http import Request, Response
from edges.inbound.door import answered
from functions.change_invoice.api import serve as serve_changes
from functions.create_plan.api import post_plan
from functions.ingest_claims.handler import serve as serve_claims
from functions.receive_clearinghouse.handler import receive as receive_event
from functions.serve_practice.handler import serve
from tests.billing.examples import NOW, PRACTICE
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.cards import FakeCards
from tests.fakes.store import MemoryStore
from tests.fakes.uploads import MemoryUploads


def api_event(
    method: str,
    path: str,
    *,
    body: object = None,
    content_type: str = "application/json",
    key: str = "",
    headers: dict[str, str] | None = None,
) -> dict[str, Any]:
    """An HTTP API event, payload format 2.0. `body`: None for none, bytes go as base64, text as it is, anything else as
    JSON."""
    sent = {"host": "api.example.com", **(headers or {})}
    if key:
        sent["authorization"] = f"Bearer {key}"
    path, _, query = path.partition("?")
    event: dict[str, Any] = {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": query,
        "queryStringParameters": dict(parse_qsl(query)),
        "headers": sent,
        "requestContext": {
            "http": {"method": method, "path": path, "sourceIp": "203.0.113.7"},
            "requestId": "test",
            "stage": "$default",
        },
        "isBase64Encoded": False,
    }
    if body is not None:
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


KEYS = {scope: f"kb_live_{scope:x<43}" for scope in ("claims", "practice", "support")}
"""One API key of Riverbend per scope."""


class Api:
    """The JSON API in memory: each call goes to the function that template.yaml routes it to. `relayed`: how much of
    the table's stream a test has delivered."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.blobs = MemoryBlobs()
        self.uploads = MemoryUploads(self.blobs)
        self.cards = FakeCards()
        self.clearinghouse_keys = {"riverbend": "key_of_riverbend"}
        self.now = NOW
        self.relayed = 0
        for scope, secret in KEYS.items():
            self.store.commit(Insert(ApiKey(api_key_hash(secret), "riverbend", (scope,))))
        self.store.commit(Insert(PRACTICE))

    def call(self, method: str, path: str, *, key: str = "", **sent: Any) -> Reply:
        """`key` names a scope of KEYS, or is a key itself."""
        return Reply.of(self.answers(api_event(method, path, key=KEYS.get(key, key), **sent)))

    def answers(self, event: dict[str, Any]) -> Response:
        """What the gateway gets for that event."""
        request = Request.of(event)
        return answered(request, lambda: self._served(request))

    def _served(self, request: Request) -> Response:
        if request.method == "POST" and request.path in ("/v1/claim-results", "/v1/claim-results/uploads"):
            return serve_claims(request, store=self.store, blobs=self.blobs, uploads=self.uploads, now=self.now)
        if request.method == "POST" and request.path == "/webhooks/clearinghouse":
            return receive_event(request, store=self.store, keys=self.clearinghouse_keys, now=self.now)
        if request.method == "POST" and re.fullmatch("/v1/clients/[^/]+/plans", request.path):
            return post_plan(request, store=self.store, cards=self.cards, now=self.now)
        if request.method == "POST" and re.fullmatch(
            "/v1/invoices/[^/]+/(void|write-off|payments|refunds|reviews)|/v1/reviews/[^/]+/decision|/v1/plans/[^/]+/end",
            request.path,
        ):
            return serve_changes(request, store=self.store, cards=lambda: self.cards, now=self.now)
        return serve(request, store=self.store, now=self.now)
