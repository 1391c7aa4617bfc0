"""Files that come to the bucket by themselves: one suite on the fake and on S3 as the local cloud does it."""

import json
from collections.abc import Callable
from itertools import count
from typing import Any

import httpx
import pytest

from billing.facts import Message, WakeKind
from billing.ports import Address, Arrived, TryAgain, Uploads
from billing.upload import upload_key
from edges.blobs import PIECE_BYTES, S3Blobs
from edges.inbound.bucket_event import read_message
from edges.uploads import S3Uploads
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.cloud import LocalCloud
from tests.fakes.uploads import MemoryUploads, Refusal

X12 = "application/edi-x12"
NUMBERS = count()

Put = Callable[[Address, bytes], bool]
Bucket = tuple[Uploads, Put, Callable[[str], bytes]]
"""The port, what a sender does with an address (whether it is let in), and what is kept under a name."""


def in_memory(_cloud: LocalCloud) -> Bucket:
    blobs = MemoryBlobs()
    uploads = MemoryUploads(blobs)

    def put(address: Address, body: bytes) -> bool:
        try:
            uploads.put(address.url, body)
        except Refusal:
            return False
        return True

    return uploads, put, blobs.get


def on_s3(cloud: LocalCloud) -> Bucket:
    s3, bucket = cloud.client("s3"), f"uploads-{next(NUMBERS)}"
    s3.create_bucket(Bucket=bucket)

    def put(address: Address, body: bytes) -> bool:
        headers = {name: value for name, value in address.headers.items() if name != "content-length"}
        return httpx.put(address.url, content=body, headers=headers, trust_env=False).is_success

    return S3Uploads(s3, bucket), put, S3Blobs(s3, bucket).get


@pytest.fixture(params=[in_memory, on_s3])
def bucket(request: pytest.FixtureRequest, cloud: LocalCloud) -> Bucket:
    made: Bucket = request.param(cloud)
    return made


def test_a_file_comes_by_its_address_is_read_in_pieces_and_kept_under_another_name(bucket: Bucket) -> None:
    uploads, put, kept = bucket
    body = b"ISA" + b"x" * PIECE_BYTES
    assert uploads.find("rcp_u1") is None
    assert put(uploads.address("rcp_u1", X12, len(body), 60), body)
    arrived = uploads.find("rcp_u1")
    assert arrived is not None
    assert (arrived.name, arrived.size) == ("rcp_u1", len(body))
    pieces = list(uploads.pieces(arrived))
    assert b"".join(pieces) == body
    assert len(pieces) > 1
    uploads.keep(arrived, "bodies/rcp_1.plain")
    assert kept("bodies/rcp_1.plain") == body


def test_an_address_lets_one_file_in_and_no_second(bucket: Bucket) -> None:
    uploads, put, _ = bucket
    address = uploads.address("rcp_u1", X12, 0, 60)
    assert put(address, b"first")
    assert not put(address, b"other")
    found = uploads.find("rcp_u1")
    assert found is not None
    assert b"".join(uploads.pieces(found)) == b"first"


@pytest.mark.parametrize("body", [b"1234", b"123456", b""])
def test_an_address_for_a_size_lets_no_other_in(bucket: Bucket, body: bytes) -> None:
    uploads, put, _ = bucket
    assert not put(uploads.address("rcp_u1", X12, 5, 60), body)
    assert uploads.find("rcp_u1") is None


def test_what_was_found_is_read_and_kept_or_nothing(bucket: Bucket) -> None:
    """The file of another moment is never mixed in."""
    uploads, put, _ = bucket
    put(uploads.address("rcp_u1", X12, 0, 60), b"first")
    stale = Arrived("rcp_u1", 5, '"of another file"')
    with pytest.raises(TryAgain):
        list(uploads.pieces(stale))
    with pytest.raises(TryAgain):
        uploads.keep(stale, "bodies/rcp_1.plain")


@pytest.mark.parametrize("changed", ["content-type", "if-none-match", "name"])
def test_what_is_signed_into_an_address_cannot_be_left_out(cloud: LocalCloud, changed: str) -> None:
    uploads, put, _ = on_s3(cloud)
    made = uploads.address("rcp_u1", X12, 0, 60)
    headers = {name: value for name, value in made.headers.items() if name != changed}
    url = made.url.replace("rcp_u1", "rcp_u2") if changed == "name" else made.url
    assert not put(Address(url, headers), b"anything")


def test_a_body_in_the_bucket_is_fetched_a_megabyte_at_a_time(cloud: LocalCloud) -> None:
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="long-bodies")
    blobs = S3Blobs(s3, "long-bodies")
    body = bytes(range(256)) * (PIECE_BYTES // 128) + b"the end"
    blobs.put("bodies/rcp_1", body)
    pieces = list(blobs.pieces("bodies/rcp_1"))
    assert b"".join(pieces) == body
    assert [len(piece) for piece in pieces] == [PIECE_BYTES, PIECE_BYTES, 7]


# ------------------------------------------------------------------------------------- what S3 tells the queue


def told(*names: str) -> str:
    records: list[dict[str, Any]] = [{"s3": {"object": {"key": f"uploads/{name}", "size": 5}}} for name in names]
    return json.dumps({"Records": records})


def test_a_notification_means_look_at_that_upload_and_our_own_messages_mean_what_they_say() -> None:
    assert read_message(told("rcp_u1", "rcp_u2")) == (
        Message(WakeKind.UPLOAD, upload_key("rcp_u1")),
        Message(WakeKind.UPLOAD, upload_key("rcp_u2")),
    )
    own = '{"kind":"ClaimBodyStored","pk":"R#rcp_1#","sk":"BODY#"}'
    (message,) = read_message(own)
    assert (message.kind, message.key.pk) == ("ClaimBodyStored", "R#rcp_1#")


def test_s3_trying_the_queue_means_nothing() -> None:
    assert read_message('{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"}') == ()


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"Records": [{}]}', '{"Records": [{"s3": {"object": null}}]}'])
def test_anything_else_is_no_message(body: str) -> None:
    with pytest.raises(ValueError, match=r"is|tells"):
        read_message(body)
