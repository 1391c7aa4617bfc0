"""What real 835 files do although the standard says otherwise; each was seen, each must be read or held, never lost."""

from dataclasses import replace

import pytest

from billing.claim import Adjustment, ClaimResult, ClaimStatus
from edges.formats.rejected import Rejected
from edges.formats.x12_835 import looks_like_835, read_835
from tests.edges.formats.x12_example import CLAIM, ISA, changed, document, transaction

CLP, _, _, SVC, LINE_DATE, CAS_CO, CAS_PR, _ = CLAIM
PLAIN = document()
OVERSIZED_SEGMENT = "a segment is longer or has more elements than a segment of an 835 can"


def results(body: bytes, warnings: list[str] | None = None) -> list[ClaimResult]:
    """The claims of a file that is known at the door and holds only readable ones."""
    assert looks_like_835(body)
    found = list(read_835(body, warnings))
    assert not [each for each in found if isinstance(each, Rejected)]
    return [each for each in found if isinstance(each, ClaimResult)]


EXPECTED = results(PLAIN)


def with_delimiters(element: str, component: str, end: str) -> bytes:
    """The plain file written with other delimiters."""
    swap = str.maketrans({"*": element, ":": component, "~": end, "\n": None})
    return PLAIN.decode().translate(swap).encode("latin-1")


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbf" + PLAIN,
        b"\n" + PLAIN,
        b" \r\n\t" + PLAIN,
        b"\xef\xbb\xbf\r\n" + PLAIN,
        PLAIN.replace(b"\n", b""),
        PLAIN.replace(b"\n", b"\r\n"),
        PLAIN.replace(b"~\n", b"~\n  "),
        PLAIN.replace(b"~\n", b"\n"),
        PLAIN.replace(b"~\n", b"\r\n"),
        PLAIN.rstrip(b"\n").rstrip(b"~"),
        PLAIN + b"\x1a",
        PLAIN + b"\r\n\r\n",
    ],
    ids=[
        "byte order mark",
        "leading newline",
        "leading blanks",
        "mark and newline",
        "no line breaks",
        "CRLF",
        "indented",
        "newline is the segment end",
        "CRLF is the segment end",
        "last end missing",
        "Ctrl-Z at the end",
        "blank lines at the end",
    ],
)
def test_what_stands_around_segments_does_not_count(body: bytes):
    warnings: list[str] = []
    assert results(body, warnings) == EXPECTED
    assert warnings == []


def test_a_file_wrapped_at_80_columns_reads_as_if_it_were_not():
    joined = PLAIN.replace(b"\n", b"")
    wrapped = b"\r\n".join(joined[start : start + 80] for start in range(0, len(joined), 80))
    assert results(wrapped) == EXPECTED


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_a_file_is_let_in_wherever_its_lines_are_wrapped(line_end: bytes):
    joined = PLAIN.replace(b"\n", b"")
    for width in range(20, 200):
        wrapped = line_end.join(joined[start : start + width] for start in range(0, len(joined), width))
        assert looks_like_835(wrapped), width
        assert results(wrapped) == EXPECTED


@pytest.mark.parametrize(
    ("element", "component", "end"),
    [("|", ":", "~"), ("|", "^", "~"), ("*", ">", "~"), ("|", ">", "\x1c"), ("\x1d", "\x1f", "\x1c"), ("~", ":", "*")],
)
def test_delimiters_are_what_the_header_says(element: str, component: str, end: str):
    assert results(with_delimiters(element, component, end)) == EXPECTED


def test_a_delimiter_may_be_any_byte():
    assert results(with_delimiters("\xa6", ":", "\xac")) == EXPECTED


def test_an_unpadded_header_is_cut_by_its_separators():
    unpadded = "*".join(element.strip() for element in ISA.split("*"))
    assert results(document(isa=unpadded)) == EXPECTED


@pytest.mark.parametrize("end", ["~", "~\n", "~\r\n"])
def test_a_header_without_component_separator_still_ends_where_it_ends(end: str):
    assert results(document(isa=ISA.removesuffix(":"), end=end)) == EXPECTED


def test_several_interchanges_with_their_own_delimiters_are_one_file():
    body = PLAIN + with_delimiters("|", "^", "\x1c") + PLAIN.replace(b"~\n", b"\n") + b"\xef\xbb\xbf" + PLAIN
    assert results(body) == EXPECTED * 4


def test_the_test_flag_is_each_interchanges_own():
    rehearsal = document(isa=ISA.replace("*P*", "*T*"))
    assert [each.test for each in results(PLAIN + rehearsal + PLAIN)] == [False, True, False]


def test_several_transactions_of_one_group_are_read():
    warnings: list[str] = []
    body = document(*transaction(control="0001"), *transaction(control="0002"))
    assert results(body, warnings) == EXPECTED * 2
    assert warnings == []


def test_an_acknowledgement_beside_the_835_is_passed_over():
    acknowledgement = ["ST*999*0001", "AK1*HP*1", "AK9*A*1*1*1", "SE*4*0001"]
    assert results(document(*acknowledgement, *transaction(control="0002"))) == EXPECTED


@pytest.mark.parametrize(
    ("segment", "into", "warning"),
    [
        ("SE*18*0001", "SE*17*0001", "transaction 0001: SE01 does not say 18, the segments there are"),
        ("SE*18*0001", "SE*many*0001", "transaction 0001: SE01 does not say 18, the segments there are"),
        ("SE*18*0001", "SE*18*0002", "transaction 0001: SE02 is not its control number"),
        ("BPR*I*42.5", "BPR*I*123.45", "transaction 0001: BPR02 is not the sum of its claims less PLB"),
        ("SE*18*0001~\n", "", "transaction 0001: has no SE"),
    ],
)
def test_a_wrong_envelope_is_a_warning_and_its_claims_are_read(segment: str, into: str, warning: str):
    warnings: list[str] = []
    assert results(PLAIN.replace(segment.encode(), into.encode()), warnings) == EXPECTED
    assert warnings == [warning]


def test_provider_adjustments_explain_the_payment_and_touch_no_claim():
    """PLB: positive lowers the payment, negative raises it."""
    warnings: list[str] = []
    body = document(*transaction(*CLAIM, "PLB*1234567893*20261231*WO:X*15*L6*-2.5", payment="30"))
    assert results(body, warnings) == EXPECTED
    assert warnings == []


def test_a_file_of_broken_transactions_warns_a_hundred_times_at_most():
    warnings: list[str] = []
    results(document(*transaction(payment="1") * 150), warnings)
    assert len(warnings) == 100


def test_nine_claims_that_share_both_ids_stay_nine():
    claims = [CLP.replace("*150*", f"*{150 + number}*") for number in range(9)]
    found = results(document(*transaction(*claims)))
    assert [each.ordinal for each in found] == list(range(9))
    assert len({each.result_key() for each in found}) == 9


def test_a_negative_adjustment_is_kept_negative():
    """OA-94: paid above the charge."""
    line = "SVC*HC:90834*150*159**1"
    body = document(*transaction(CLP.replace("42.5*62.5", "159*"), line, "CAS*OA*94*-9", payment="159"))
    (result,) = results(body)
    assert result.lines[0].adjustments == (Adjustment("OA", "94", -900),)
    assert result.balances()


def test_an_amount_where_the_status_should_be_is_an_unknown_status():
    (result,) = results(changed(CLP, "CLP*KB7Q2M9X41*150*42.5*62.5*MC*2026000123"))
    assert (result.status, result.raw_status, result.stated_responsibility) == (ClaimStatus.UNKNOWN, "150", None)


def test_a_retired_group_is_kept_as_sent():
    """CR: gone in 5010."""
    (result,) = results(changed(CAS_CO, "CAS*CR*45*45"))
    assert result.lines[0].adjustments[0] == Adjustment("CR", "45", 4500)


def test_a_payers_name_may_be_utf8_or_latin1():
    named = document(*transaction(payer=("N1*PR*SANTÉ PLAN*XV*87726", "REF*2U*87727")))
    assert results(named) == [replace(EXPECTED[0], payer_name="SANTÉ PLAN")]
    (latin,) = results(named.decode().encode("latin-1"))
    assert latin.payer_name == "SANTÉ PLAN"


# --- what cannot be read inside a file that can


def test_a_header_inside_the_file_that_cannot_be_read_is_reported_with_its_claims():
    body = PLAIN + PLAIN.replace(b"*P*:", b"*PROD*:") + PLAIN
    before, header, claim, after = read_835(body)
    assert (before, after) == (EXPECTED[0], EXPECTED[0])
    assert header == Rejected("", "", ("ISA: an interchange header inside the file cannot be read",))
    assert claim == Rejected("KB7Q2M9X41", "2026000123", ("CLP: outside a readable 835 transaction",))


def test_a_part_of_the_file_without_segment_ends_is_reported():
    """There may be claims in it."""
    swallowed = PLAIN.replace(b"~\n", b" ") * 60
    body = PLAIN + b"XXX" + swallowed + b"~\n" + PLAIN
    before, lost, after = read_835(body)
    assert (before, after) == (EXPECTED[0], EXPECTED[0])
    assert lost == Rejected("", "", ("file: " + OVERSIZED_SEGMENT,))


def test_a_part_without_segment_ends_is_reported_once_however_long_it_is():
    endless = b"XXX" + b"A" * 300_000
    before, lost = read_835(PLAIN + endless)
    assert (before, lost) == (EXPECTED[0], Rejected("", "", ("file: " + OVERSIZED_SEGMENT,)))
    assert list(read_835(PLAIN + endless + b"~\n" + PLAIN)) == [before, lost, EXPECTED[0]]


def test_an_oversized_segment_outside_the_claims_is_only_a_warning():
    warnings: list[str] = []
    body = document(*transaction(payer=("N1*PR*EXAMPLE HEALTH PLAN*XV*87726", "REF*2U*87727", "N3" + "*A" * 101)))
    assert results(body, warnings) == EXPECTED
    assert warnings == [OVERSIZED_SEGMENT]


def test_the_size_of_the_pieces_a_file_comes_in_does_not_matter():
    body = PLAIN + with_delimiters("|", "^", "\x1c") + PLAIN
    for size in (1, 7, 105, 106, 400, 4096):
        pieces = (body[start : start + size] for start in range(0, len(body), size))
        assert list(read_835(pieces)) == EXPECTED * 3
