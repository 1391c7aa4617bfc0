"""A file of any length is read in nearly the same memory: claims come out and are let go while it still comes in."""

import gc
import tracemalloc
from collections.abc import Iterator

import pytest

from billing.claim import ClaimResult
from edges.formats.envelope import Envelope
from edges.formats.x12_835 import read_835
from tests.edges.formats.x12_example import CLAIM, GS, ISA, transaction

FEW, MANY = 500, 1_200
BYTES_KEPT_OF_A_CLAIM = 120
"""A digest of eight bytes as Python keeps it in a set: about 60. The claim's names alone would be 200."""


@pytest.fixture(autouse=True)
def _nothing_else_is_counted() -> Iterator[None]:
    """Python keeps up to 2,000 freed tuples of a size for the next ones, and the reader's caches have their own bound:
    both are filled first, and no collection empties them again. The reader leaves no cycles that would need one."""
    gc.disable()
    assert list(read_835(many_transactions(2_400)))
    yield
    gc.enable()


def one_long_transaction(claims: int) -> Iterator[bytes]:
    """Different claims, made while they are read."""
    head, tail = "\n".join(transaction()).split("\n".join(CLAIM))
    yield "~\n".join([ISA, GS, *head.splitlines(), ""]).encode()
    for number in range(claims):
        text = "~\n".join([*CLAIM, ""])
        yield text.replace("KB7Q2M9X41", f"KB{number:08d}").replace("2026000123", f"2026{number:06d}").encode()
    yield "~\n".join([*tail.strip().splitlines(), ""]).encode()


def many_transactions(count: int) -> Iterator[bytes]:
    """A claim each."""
    yield f"{ISA}~\n{GS}~\n".encode()
    text = "~\n".join([*transaction(), ""])
    for number in range(count):
        yield text.replace("KB7Q2M9X41", f"KB{number:08d}").encode()


def peak_bytes(chunks: Iterator[bytes]) -> int:
    """The most memory that reading them ever held, by someone who takes what the payments said as they end."""
    envelope = Envelope()
    tracemalloc.start()
    try:
        for claim in read_835(chunks, envelope=envelope):
            assert isinstance(claim, ClaimResult)
            envelope.take()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_file_of_many_payments_is_read_in_the_memory_of_a_few() -> None:
    assert peak_bytes(many_transactions(MANY)) < peak_bytes(many_transactions(FEW)) + 10_000


def test_of_a_claim_that_was_read_only_a_digest_is_kept_until_its_payment_ends() -> None:
    kept = peak_bytes(one_long_transaction(MANY)) - peak_bytes(one_long_transaction(FEW))
    assert kept < (MANY - FEW) * BYTES_KEPT_OF_A_CLAIM
