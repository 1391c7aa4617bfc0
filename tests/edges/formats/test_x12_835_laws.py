"""What holds of every 835: what is written is read again, and damage may cost a bill but never makes another one.

An 835 says what a patient owes several times over: in its adjustments, in what the charge leaves unpaid, and in CLP05.
So no single damage of a file, wherever it strikes, may change an amount that is billed.
"""

import re
import string
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.carc import CARCS
from billing.claim import Adjustment, ClaimResult, Group, ServiceLine, SubmittedClaim
from edges.formats.rejected import Rejected
from edges.formats.x12_835 import looks_like_835, read_835
from edges.formats.x12_claim import STATUSES
from edges.formats.x12_segments import Unreadable
from tests.billing.claim_examples import SUBMITTED
from tests.edges.formats.judging import judged
from tests.edges.formats.test_835_files import validated
from tests.edges.formats.x12_writer import Delimiters, Payment, written

FIXTURES = Path(__file__).parents[2] / "fixtures" / "835"
ONE_CLAIM = ("accepted", "claim_level_adjustments", "claim_without_services", "interest", "sequestration", "zero_pay")
OF_ONE_CLAIM = [(FIXTURES / f"{name}.835").read_bytes() for name in ONE_CLAIM]
ANY_FILE = [path.read_bytes() for path in sorted(FIXTURES.rglob("*.835"))]

# --- what is written is read again

NAMES = st.text(string.ascii_uppercase + string.digits, min_size=2, max_size=20)
CENTS = st.integers(-(10**9), 10**9)
DAYS = st.dates(date(2000, 1, 1), date(2099, 12, 31))
ADJUSTMENTS = st.builds(Adjustment, st.sampled_from([*Group]).map(str), st.sampled_from(sorted(CARCS)), CENTS)
LINES = st.builds(
    ServiceLine,
    procedure=st.sampled_from(("90834", "90837", "H0004", "0450T")),
    modifiers=st.lists(st.sampled_from(("95", "GT", "25", "HO")), max_size=4).map(tuple),
    service_date=st.none() | DAYS,
    units=st.integers(1, 999).map(str),
    charged=CENTS,
    paid=CENTS,
    adjustments=st.lists(ADJUSTMENTS, max_size=8).map(tuple),
    line_ref=st.just("") | NAMES,
)


@st.composite
def payments(draw: st.DrawFn) -> Payment:
    """A payer's results, whatever they say: claims need not balance to be read as they were written."""
    payer_ids = (*draw(st.lists(NAMES, min_size=1, max_size=3, unique=True)), "1512345678")
    shared = {
        "payer_name": draw(NAMES),
        "adjudicated_on": draw(DAYS),
        "currency": draw(st.sampled_from(("usd", "cad"))),
        "test": draw(st.booleans()),
    }
    seen: Counter[tuple[str, str, str]] = Counter()
    results: list[ClaimResult] = []
    for _ in range(draw(st.integers(1, 4))):
        raw_status = draw(st.sampled_from(sorted(STATUSES)))
        claim_id, payer_claim_id = draw(NAMES), draw(NAMES)
        result = ClaimResult(
            **shared,
            claim_id=claim_id,
            payer_claim_id=payer_claim_id,
            payer_ids=payer_ids,
            status=STATUSES[raw_status],
            raw_status=raw_status,
            charged=draw(CENTS),
            paid=draw(CENTS),
            stated_responsibility=draw(CENTS),
            adjustments=tuple(draw(st.lists(ADJUSTMENTS, max_size=8))),
            lines=tuple(draw(st.lists(LINES, max_size=3))),
            original_payer_claim_id=draw(st.just("") | NAMES),
            ordinal=seen[payer_claim_id, claim_id, raw_status],
        )
        seen[payer_claim_id, claim_id, raw_status] += 1
        results.append(result)
    paid = sum(result.paid for result in results)
    return Payment(tuple(results), (("FB", "TRACE0002", paid),) if paid < 0 else ())


@st.composite
def delimiters(draw: st.DrawFn) -> Delimiters:
    """Four different signs that stand in no name and no amount."""
    element, component, repetition, end = draw(st.permutations("*|^&~!>:;\x1c\x1d\x1e"))[:4]
    return Delimiters(element, component, repetition, end, draw(st.sampled_from(("", "\n", "\r\n"))))


@given(payments(), delimiters())
def test_what_is_written_is_read_again_whatever_the_delimiters(payment: Payment, signs: Delimiters) -> None:
    body = written(payment, delimiters=signs).encode()
    warnings: list[str] = []
    assert looks_like_835(body)
    assert tuple(read_835(body, warnings)) == payment.results
    assert warnings == []


@given(payments())
@settings(max_examples=10)
def test_what_is_written_is_valid(payment: Payment) -> None:
    assert validated(written(payment))


# --- damage


def told(body: bytes) -> list[tuple[str, int]]:
    """What clients would hear of a body, if only KB7Q2M9X41 had been submitted, from a practice that bills whatever may
    be billed: the claims that are billed or that nothing is owed of, with the amounts."""
    try:
        results = [each for each in read_835(body) if isinstance(each, ClaimResult)]
    except Unreadable:
        return []
    judgements = judged(results, only_the_first, accept_test_files=True, bill_reviewable=True)
    return [
        (result.claim_id, judgement.patient_responsibility)
        for result, judgement in zip(results, judgements, strict=True)
        if judgement.now in ("to_bill", "nothing_owed")
    ]


def only_the_first(result: ClaimResult) -> SubmittedClaim | None:
    return SUBMITTED if result.claim_id == SUBMITTED.claim_id else None


def assert_same_or_nothing(damaged: bytes, whole: bytes) -> None:
    """What the whole file says, or nothing at all."""
    assert told(damaged) in ([], told(whole))


@pytest.mark.parametrize("body", OF_ONE_CLAIM[:3], ids=ONE_CLAIM[:3])
def test_law_3_no_byte_that_is_lost_or_doubled_changes_what_is_billed(body: bytes) -> None:
    assert len(told(body)) == 1
    for place in range(len(body)):
        assert_same_or_nothing(body[:place] + body[place + 1 :], body)
        assert_same_or_nothing(body[:place] + body[place : place + 1] + body[place:], body)


@pytest.mark.parametrize("body", OF_ONE_CLAIM, ids=ONE_CLAIM)
def test_law_3_no_segment_that_is_lost_doubled_or_moved_changes_what_is_billed(body: bytes) -> None:
    segments = body.splitlines(keepends=True)
    for place, segment in enumerate(segments):
        without = segments[:place] + segments[place + 1 :]
        assert_same_or_nothing(b"".join(without), body)
        assert_same_or_nothing(b"".join([*segments[:place], segment, *segments[place:]]), body)
        for elsewhere in range(place + 1, len(segments)):
            assert_same_or_nothing(b"".join([*without[:elsewhere], segment, *without[elsewhere:]]), body)


@pytest.mark.parametrize("body", OF_ONE_CLAIM, ids=ONE_CLAIM)
@pytest.mark.parametrize("group", [*Group])
def test_law_3_no_other_group_changes_what_is_billed(body: bytes, group: Group) -> None:
    """All still adds up then; only CLP05 tells."""
    for match in re.finditer(rb"CAS\*(..)", body):
        assert_same_or_nothing(body[: match.start(1)] + group.encode() + body[match.end(1) :], body)


@given(st.sampled_from(OF_ONE_CLAIM), st.data())
def test_law_3_no_byte_that_is_another_changes_what_is_billed(body: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(body) - 1))
    other = data.draw(st.sampled_from(b"0123456789*~:.-CPROALSVX \n") | st.integers(0, 255))
    assert_same_or_nothing(body[:place] + bytes([other]) + body[place + 1 :], body)


@given(st.sampled_from(OF_ONE_CLAIM), st.data())
def test_law_3_no_cut_changes_what_is_billed(body: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(body)))
    stop = data.draw(st.integers(start, len(body)))
    assert_same_or_nothing(body[:stop], body)
    assert_same_or_nothing(body[start:], body)
    assert_same_or_nothing(body[:start] + body[stop:], body)


@st.composite
def mangled(draw: st.DrawFn) -> bytes:
    """Two files cut and put together, with a few bytes of noise."""
    first, second = draw(st.sampled_from(ANY_FILE)), draw(st.sampled_from(ANY_FILE))
    body = first[: draw(st.integers(0, len(first)))] + second[draw(st.integers(0, len(second))) :]
    for _ in range(draw(st.integers(0, 5))):
        place = draw(st.integers(0, len(body)))
        lost = draw(st.integers(0, 3))
        noise = draw(st.sampled_from([b"", b"~", b"*", b"9", b"-", b"PR", b"ISA*", b"CLP*"]) | st.binary(max_size=3))
        body = body[:place] + noise + body[place + lost :]
    return body


@given(mangled())
@settings(max_examples=300)
def test_law_3_whatever_is_billed_of_mangled_bytes_is_the_sum_of_its_pr_adjustments(body: bytes) -> None:
    """Nothing crashes, every claim is a result or rejected with reasons, and a bill adds up in all three ways."""
    try:
        found = list(read_835(body))
    except Unreadable:
        assert not looks_like_835(body)
        return
    assert all(each.errors for each in found if isinstance(each, Rejected))
    results = [each for each in found if isinstance(each, ClaimResult)]
    for result, judgement in zip(results, judged(results, bill_reviewable=True), strict=True):
        if judgement.now != "to_bill":
            continue
        shares = [one.amount for one in result.all_adjustments if one.group == "PR"]
        others = [one.amount for one in result.all_adjustments if one.group != "PR"]
        assert judgement.patient_responsibility == sum(shares) == result.stated_responsibility
        assert sum(shares) == result.charged - sum(others) - result.paid
        assert 0 < sum(shares) <= result.charged == SUBMITTED.charged
