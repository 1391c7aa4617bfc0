"""Whatever bytes come, the 835 reader reads, rejects or refuses: nothing in a file makes it raise."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from billing.claim import ClaimResult
from edges.formats.rejected import Rejected
from edges.formats.x12_835 import looks_like_835, read_835
from edges.formats.x12_segments import Unreadable, pieces
from tests.edges.formats.x12_example import ISA, document

FIXTURES = sorted((Path(__file__).parents[2] / "fixtures" / "835").rglob("*.835"))
BODIES = [path.read_bytes() for path in FIXTURES]


def well_formed(body: bytes) -> bool:
    """Read `body` to its end; whether every claim of it is something the gates can judge or a person can be told."""
    for claim in read_835(body, []):
        match claim:
            case ClaimResult():
                assert 1 <= len(claim.claim_id) <= 38
                assert claim.claim_id.isascii()
                assert claim.claim_id.isprintable()
                assert claim.result_key()
            case Rejected():
                assert 1 <= len(claim.errors) <= 20
    return True


@st.composite
def mutated_files(draw: st.DrawFn) -> bytes:
    """A file of ours with a few cuts, repetitions and foreign bytes, its first header left alone."""
    body = draw(st.sampled_from(BODIES))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(len(ISA) + 2, max(len(ISA) + 2, len(body))))
        stop = draw(st.integers(start, min(len(body), start + 80)) if start <= len(body) else st.just(start))
        piece = draw(st.sampled_from([b"", body[start:stop] * 2, b"~", b"*", b":", b"ISA*", b"\x00", b"\xff", b"CLP*"]))
        body = body[:start] + piece + body[stop:]
    return body


@given(mutated_files())
def test_a_damaged_file_never_makes_the_reader_raise(body: bytes):
    if looks_like_835(body):
        assert well_formed(body)


@given(st.binary(max_size=400))
def test_any_bytes_inside_a_transaction_are_read_without_raising(noise: bytes):
    body = document().replace(b"CAS*CO", noise + b"CAS*CO")
    assert looks_like_835(body)
    assert well_formed(body)


@given(st.binary(max_size=300))
def test_any_bytes_at_all_are_read_or_refused_alike_at_the_door_and_inside(body: bytes):
    try:
        assert well_formed(body)
    except Unreadable:
        assert not looks_like_835(body)


@given(st.sampled_from(BODIES), st.integers(1, 500))
def test_a_file_reads_the_same_whole_and_in_pieces(body: bytes, size: int):
    in_pieces = (body[start : start + size] for start in range(0, len(body), size))
    assert list(read_835(in_pieces)) == list(read_835(body)) == list(read_835(pieces(body)))


@given(st.sampled_from(BODIES), st.data())
def test_a_claim_of_a_cut_file_is_read_whole_or_rejected(body: bytes, data: st.DataObject):
    """Whatever was cut off, no claim comes out that the whole file does not have."""
    whole = list(read_835(body))
    cut = body[: data.draw(st.integers(body.index(b"GS"), len(body)))]
    for claim in read_835(cut):
        assert claim in whole or isinstance(claim, Rejected)
