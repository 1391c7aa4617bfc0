"""Files that are uploaded: taken in once, told why where they are not, and one receipt with what was posted before."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from billing.claim_state import StoredBody, body_key
from billing.facts import Message, WakeKind
from billing.ports import Refused
from billing.upload import ARRIVES_WITHIN, Upload, upload_key
from functions.read_claims import flow
from functions.read_claims.arriving import take_in
from tests.functions.api import Api, Reply, assert_problem
from tests.functions.read_claims.test_flow import claim_json, era
from tests.functions.read_claims.test_long_bodies import for_slices

NOT_AN_835 = b"ISA but not really"


class Sender:
    """A claim processor that uploads."""

    def __init__(self) -> None:
        self.api = Api()

    def address(self, *, expect: int = 201, key: str = "", **told: object) -> Any:
        """Ask for one."""
        headers = {"idempotency-key": key or f"upload-{len(self.api.uploads.sizes)}"}
        reply = self.api.call("POST", "/v1/claim-results/uploads", key="claims", body=told or None, headers=headers)
        assert reply.status == expect, reply.body
        return reply.body

    def upload(self, body: bytes, **told: object) -> Any:
        """Ask for an address, put the file there, let S3 tell of it, and read it -> its receipt."""
        given = self.address(**told)
        self.put(given, body)
        return self.receipt(given)

    def put(self, given: Any, body: bytes) -> None:
        name = self.api.uploads.put(given["upload_url"], body)
        self.look(name)
        for row in [r for r in self.api.store.rows() if isinstance(r, StoredBody)]:
            message = Message("ClaimBodyStored", row.key)
            flow.run(message, store=self.api.store, blobs=self.api.blobs, now=self.api.now, goes_on=for_slices(99))

    def look(self, name: str, now: datetime | None = None) -> None:
        message = Message(WakeKind.UPLOAD, upload_key(name))
        take_in(message, store=self.api.store, uploads=self.api.uploads, now=now or self.api.now)

    def receipt(self, given: Any) -> Any:
        reply = self.api.call("GET", given["status_url"], key="claims")
        assert reply.status == 200, reply.body
        return reply.body

    def post(self, body: bytes) -> Reply:
        return self.api.call("POST", "/v1/claim-results", key="claims", body=body, content_type="application/edi-x12")


@pytest.fixture
def sender() -> Sender:
    return Sender()


def test_an_address_says_where_how_until_when_and_how_much(sender: Sender) -> None:
    given = sender.address(bytes=12_345)
    assert given["upload_url"].startswith("https://")
    assert given["method"] == "PUT"
    assert given["headers"]["content-type"] == "application/edi-x12"
    assert given["max_bytes"] == 50_000_000
    assert datetime.fromisoformat(given["expires_at"]) == sender.api.now + timedelta(hours=1)
    assert given["status_url"] == f"/v1/receipts/{given['receipt_id']}"


def test_until_the_file_came_its_receipt_waits(sender: Sender) -> None:
    shown = sender.receipt(sender.address(bytes=12_345))
    assert (shown["state"], shown["claims"], shown["sha256"]) == ("waiting", 0, None)
    assert (shown["bytes_read"], shown["bytes"]) == (0, 12_345)


def test_a_file_that_came_is_read_like_one_that_was_posted(sender: Sender) -> None:
    given = sender.address()
    sender.put(given, era(["KB1", "KB2"]))
    shown = sender.receipt(given)
    assert shown["receipt_id"] == given["receipt_id"]
    assert (shown["state"], shown["claims"]) == ("processing", 2)
    assert [one["claims"] for one in shown["transactions"]] == [2]


def test_the_same_bytes_are_one_receipt_however_they_come(sender: Sender) -> None:
    """claims.md 4.8 (a): nothing of them is stored a second time."""
    body = era(["KB1"])
    uploaded = sender.upload(body)
    rows = len(sender.api.store.rows())
    posted, again = sender.post(body), sender.upload(body)
    assert posted.status == 200
    assert posted.body["sha256"] == again["sha256"] == uploaded["sha256"]
    assert again["receipt_id"] == posted.body["receipt_id"]
    assert len(sender.api.store.rows()) == rows + 1  # the second upload itself


def test_what_was_posted_before_is_the_first_receipt_of_an_upload(sender: Sender) -> None:
    posted = sender.post(era(["KB1"])).body
    assert sender.upload(era(["KB1"]))["receipt_id"] == posted["receipt_id"]


def test_who_keeps_the_address_cannot_change_what_was_accepted(sender: Sender) -> None:
    given = sender.address()
    sender.put(given, era(["KB1"]))
    before = sender.api.store.rows()
    sender.api.uploads.files[given["receipt_id"]] = era(["KB2"])  # as if S3 had let it in
    sender.look(given["receipt_id"])
    assert sender.api.store.rows() == before
    body = sender.api.store.get(body_key(next(r.body for r in before if isinstance(r, Upload))))
    assert isinstance(body, StoredBody)
    assert sender.api.blobs.get(body.blob) == era(["KB1"])


def test_an_idempotency_key_is_one_files(sender: Sender) -> None:
    """The same file asked for again has the same receipt; another one would be lost behind it."""
    given = sender.address(key="once", bytes=10)
    assert sender.address(key="once", bytes=10)["receipt_id"] == given["receipt_id"]
    for another in ({"bytes": 11}, {"bytes": 10, "content_type": "application/json"}):
        assert sender.address(expect=409, key="once", **another)["code"] == "idempotency_key_reused"


@pytest.mark.parametrize(
    ("body", "told", "reason", "says"),
    [
        (b"", {}, "empty", "empty"),
        (NOT_AN_835, {}, "unreadable", "ISA segment"),
        (era(["KB1"]).replace(b"ST*835", b"ST*837"), {}, "unreadable", "ST*835"),
        (b"{", {"content_type": "application/json"}, "unreadable", "JSON"),
        (b"{}", {"content_type": "application/json"}, "unreadable", "claim_id"),
        (b"[" + b" " * 4_000_000 + b"]", {"content_type": "application/json"}, "too_large", "4,000,000"),
    ],
    ids=["empty", "no X12", "another transaction", "no JSON", "no claim result", "JSON too large"],
)
def test_what_cannot_be_taken_is_done_and_says_why(
    sender: Sender, body: bytes, told: dict[str, Any], reason: str, says: str
) -> None:
    shown = sender.upload(body, **told)
    assert (shown["state"], shown["reason"], shown["claims"], shown["results"]) == ("done", reason, 0, [])
    assert says in shown["warnings"][0]
    assert not any(isinstance(row, StoredBody) for row in sender.api.store.rows())


def test_a_file_above_the_limit_is_told_before_it_is_read(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_problem(sender.api.call("POST", "/v1/claim-results/uploads", key="claims", body={"bytes": 50_000_001}), 413)
    monkeypatch.setattr("functions.ingest_claims.uploads.MOST_BYTES", 100)
    monkeypatch.setattr(sender.api.uploads, "pieces", None)
    assert sender.upload(era(["KB1"]))["reason"] == "too_large"


def test_a_file_that_never_came_says_so_and_is_taken_if_it_still_comes(sender: Sender) -> None:
    given = sender.address()
    row = sender.api.store.get(upload_key(given["receipt_id"]))
    assert isinstance(row, Upload)
    assert row.due is not None
    sender.look(given["receipt_id"], sender.api.now + ARRIVES_WITHIN - timedelta(seconds=1))
    assert sender.receipt(given)["state"] == "waiting"
    sender.look(given["receipt_id"], sender.api.now + ARRIVES_WITHIN)
    assert (sender.receipt(given)["state"], sender.receipt(given)["reason"]) == ("done", "never_came")
    sender.put(given, era(["KB1"]))
    assert (sender.receipt(given)["state"], sender.receipt(given)["claims"]) == ("processing", 1)


def test_an_upload_that_s3_never_told_of_is_found_when_it_wakes(sender: Sender) -> None:
    given = sender.address()
    sender.api.uploads.put(given["upload_url"], era(["KB1"]))
    sender.look(given["receipt_id"], sender.api.now + ARRIVES_WITHIN)
    assert any(isinstance(row, StoredBody) for row in sender.api.store.rows())


def test_a_json_file_may_be_uploaded_too(sender: Sender) -> None:
    shown = sender.upload(json.dumps(claim_json("KB1")).encode(), content_type="application/json")
    assert shown["claims"] == 1


def test_the_same_request_again_is_the_same_upload(sender: Sender) -> None:
    first, again, other = sender.address(key="one"), sender.address(key="one"), sender.address(key="two")
    assert first["receipt_id"] == again["receipt_id"] != other["receipt_id"]


def test_an_upload_is_its_practices_own(sender: Sender) -> None:
    given = sender.address()
    row = sender.api.store.get(upload_key(given["receipt_id"]))
    assert isinstance(row, Upload)
    assert row.practice == "riverbend"
    assert_problem(sender.api.call("GET", "/v1/receipts/rcp_u0000", key="claims"), 404)
    assert_problem(sender.api.call("POST", "/v1/claim-results/uploads", key="practice"), 403)


@pytest.mark.parametrize("told", [{"bytes": 0}, {"bytes": "12"}, {"content_type": "text/plain"}, {"name": "era.835"}])
def test_what_cannot_be_told_of_a_file_is_refused(sender: Sender, told: dict[str, Any]) -> None:
    assert_problem(sender.api.call("POST", "/v1/claim-results/uploads", key="claims", body=told), 422)


def test_a_notification_about_nothing_is_refused(sender: Sender) -> None:
    with pytest.raises(Refused):
        sender.look("rcp_u_nothing")
