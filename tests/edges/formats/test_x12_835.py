"""The 835 reader: what each field of a claim result is read from, and what a broken claim costs."""

from dataclasses import asdict
from datetime import date

import pytest

from billing.claim import Adjustment, ClaimResult, ClaimStatus
from edges.formats.rejected import Rejected
from edges.formats.x12_835 import looks_like_835, read_835
from edges.formats.x12_claim import STATUSES
from edges.formats.x12_segments import Unreadable
from tests.edges.formats.x12_example import CLAIM, ISA, PAYER, changed, document, transaction

CLP, _, CLAIM_DATE, SVC, LINE_DATE, CAS_CO, CAS_PR, REF_6R = CLAIM


def only(body: bytes) -> ClaimResult:
    """The one claim of a file, read without a warning."""
    warnings: list[str] = []
    (result,) = read_835(body, warnings)
    assert isinstance(result, ClaimResult), result
    assert warnings == []
    return result


def rejected(body: bytes) -> Rejected:
    """The one claim of a file that cannot be read."""
    (result,) = read_835(body)
    assert isinstance(result, Rejected), result
    return result


def test_every_field_of_a_claim_is_read_from_its_segment():
    result = only(document())
    assert asdict(result) == {
        "claim_id": "KB7Q2M9X41",
        "payer_claim_id": "2026000123",
        "payer_ids": ("87726", "87727", "1512345678"),
        "payer_name": "EXAMPLE HEALTH PLAN",
        "status": "processed_primary",
        "raw_status": "1",
        "adjudicated_on": date(2026, 11, 20),
        "currency": "usd",
        "charged": 15000,
        "paid": 4250,
        "stated_responsibility": 6250,
        "adjustments": (),
        "lines": (
            {
                "procedure": "90834",
                "modifiers": (),
                "service_date": date(2026, 10, 30),
                "units": "1",
                "charged": 15000,
                "paid": 4250,
                "adjustments": (
                    {"group": "CO", "code": "45", "amount": 4500},
                    {"group": "PR", "code": "1", "amount": 4000},
                    {"group": "PR", "code": "3", "amount": 2250},
                ),
                "line_ref": "KB7Q2M9X41L1",
            },
        ),
        "original_payer_claim_id": "",
        "test": False,
        "ordinal": 0,
        "supersedes": False,
    }
    assert result.balances()


def test_nothing_about_a_patient_is_kept():
    """LAW-1: the name in NM1*QC is nowhere in what is read."""
    assert "SAMPLE" not in repr(only(document()))


@pytest.mark.parametrize(("raw", "status"), STATUSES.items())
def test_every_status_of_an_835_has_its_name(raw: str, status: ClaimStatus):
    assert only(changed(CLP, CLP.replace("*1*150*", f"*{raw}*150*"))).status is status


def test_statuses_of_other_versions_are_unknown_and_kept_as_sent():
    result = only(changed(CLP, CLP.replace("*1*150*", "*31*150*")))
    assert (result.status, result.raw_status) == (ClaimStatus.UNKNOWN, "31")


def test_an_empty_claim_responsibility_is_zero():
    """X12 leaves a zero CLP05 out."""
    assert only(changed(CLP, CLP.replace("*62.5*", "**"))).stated_responsibility == 0


def test_an_adjustment_before_the_first_service_is_the_claims_own():
    body = document(*transaction(CLP, "CAS*CO*45*5", CLAIM_DATE, SVC, CAS_CO, CAS_PR))
    result = only(body)
    assert result.adjustments == (Adjustment("CO", "45", 500),)
    assert len(result.lines[0].adjustments) == 3


def test_a_segment_of_adjustments_holds_up_to_six_of_them():
    six = "CAS*PR*1*1**2*2**3*3**66*4*2*96*5**204*6"
    line = only(changed(CAS_PR, six)).lines[0]
    assert [(each.code, each.amount) for each in line.adjustments[1:]] == [
        ("1", 100),
        ("2", 200),
        ("3", 300),
        ("66", 400),
        ("96", 500),
        ("204", 600),
    ]


def test_gaps_between_adjustments_are_no_adjustments():
    line = only(changed(CAS_PR, "CAS*PR*1*40*****3*22.5*")).lines[0]
    assert line.adjustments[1:] == (Adjustment("PR", "1", 4000), Adjustment("PR", "3", 2250))


@pytest.mark.parametrize(
    ("composite", "procedure", "modifiers"),
    [
        ("HC:99213:25", "99213", ("25",)),
        ("HC:99213:25:59:GT:95:A DESCRIPTION", "99213", ("25", "59", "GT", "95")),
        ("HC:99213::59", "99213", ("59",)),
        ("NU:0450", "0450", ()),
        ("99213", "99213", ()),
        ("HC>99213>26", "99213", ("26",)),
        ("", "", ()),
    ],
)
def test_a_procedure_is_read_out_of_its_composite(composite: str, procedure: str, modifiers: tuple[str, ...]):
    line = only(changed(SVC, f"SVC*{composite}*150*42.5**1")).lines[0]
    assert (line.procedure, line.modifiers) == (procedure, modifiers)


@pytest.mark.parametrize(("given", "read"), [("", "1"), ("1.00", "1"), ("2.50", "2.5"), ("10", "10")])
def test_units_are_read_without_trailing_zeros_and_default_to_one(given: str, read: str):
    assert only(changed(SVC, f"SVC*HC:90834*150*42.5**{given}")).lines[0].units == read


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        ("DTM*472*20261029", date(2026, 10, 29)),
        ("DTM*150*20261028", date(2026, 10, 28)),
        ("DTM*232*20261027", date(2026, 10, 27)),
        ("DTM*472*20261301", date(2026, 10, 30)),
        ("DTM*472*2026١٠٣٠", date(2026, 10, 30)),
        ("", date(2026, 10, 30)),
    ],
    ids=["service", "period start", "claim start on the line", "no such day", "not ASCII digits", "left out"],
)
def test_a_service_date_is_the_lines_or_else_the_claims(segment: str, expected: date):
    assert only(changed(LINE_DATE, segment)).lines[0].service_date == expected


def test_the_service_date_outranks_the_start_of_a_period():
    result = only(changed(LINE_DATE, "DTM*472*20261029").replace(b"CAS*CO", b"DTM*150*20261001~\nCAS*CO").replace(
        b"SE*18", b"SE*19"))  # fmt: skip
    assert result.lines[0].service_date == date(2026, 10, 29)


def test_a_correction_names_the_payers_claim_it_replaces():
    body = document(*transaction(CLP, "REF*F8*2026000001", SVC, CAS_CO, CAS_PR))
    assert only(body).original_payer_claim_id == "2026000001"


def test_the_payment_date_stands_in_for_a_missing_production_date():
    segments = [each for each in transaction() if not each.startswith("DTM*405")]
    body = document(*segments[:-1], f"SE*{len(segments)}*0001")
    assert only(body).adjudicated_on == date(2026, 11, 21)


def test_a_payer_named_by_nm1_before_the_claims_is_the_payer():
    body = document(*transaction(payer=("NM1*PR*2*ACME HEALTH PLAN*****PI*PAYER001",)))
    result = only(body)
    assert (result.payer_name, result.payer_ids) == ("ACME HEALTH PLAN", ("PAYER001", "1512345678"))


def test_a_payer_named_inside_a_claim_is_another_payer():
    body = document(*transaction(CLP, "NM1*PR*2*CORRECTED PAYER*****PI*66666", SVC, CAS_CO, CAS_PR))
    assert only(body).payer_ids == ("87726", "87727", "1512345678")


def test_the_currency_is_the_transactions():
    assert only(document(*transaction(payer=("CUR*PR*CAD", *PAYER)))).currency == "cad"


def test_a_test_interchange_marks_its_claims():
    assert only(document(isa=ISA.replace("*P*", "*T*"))).test


def test_equal_claims_of_one_transaction_are_told_apart_by_their_ordinal():
    body = document(*transaction(*CLAIM, *CLAIM, *CLAIM, payment="127.5"))
    results = [each for each in read_835(body) if isinstance(each, ClaimResult)]
    assert [each.ordinal for each in results] == [0, 1, 2]
    assert len({each.result_key() for each in results}) == 3


def test_the_next_transaction_counts_anew_so_a_repetition_is_recognised():
    body = document(*transaction(), *transaction(control="0002"))
    first, second = (each for each in read_835(body) if isinstance(each, ClaimResult))
    assert first.result_key() == second.result_key()


# --- amounts


@pytest.mark.parametrize(
    ("text", "cents"),
    [
        ("42.5", 4250),
        ("42.50", 4250),
        ("42.500", 4250),
        ("42", 4200),
        ("-.5", -50),
        (".05", 5),
        ("5.", 500),
        ("-0", 0),
        ("9999999999", 10**12 - 100),
    ],
)
def test_an_amount_is_read_to_the_cent(text: str, cents: int):
    assert only_paid(text) == cents


def only_paid(text: str) -> int:
    (result,) = read_835(changed(SVC, f"SVC*HC:90834*150*{text}**1"))
    assert isinstance(result, ClaimResult), result
    return result.lines[0].paid


@pytest.mark.parametrize("text", ["42.505", "forty", "1e3", "4 2", "--1", ".", "-", "٤٢", "4²", "12,50", "9" * 11])
def test_what_is_no_amount_rejects_its_claim_without_repeating_it(text: str):
    refusal = rejected(changed(SVC, f"SVC*HC:90834*150*{text}**1"))
    assert refusal.claim_id == "KB7Q2M9X41"
    assert refusal.payer_claim_id == "2026000123"
    assert refusal.errors == ("line 1 SVC03: not an amount in dollars and cents",)


# --- claims that cannot be read


@pytest.mark.parametrize(
    ("segment", "into", "error"),
    [
        (CLP, CLP.replace("KB7Q2M9X41", ""), "CLP01: missing"),
        (CLP, CLP.replace("KB7Q2M9X41", "K" * 39), "CLP01: missing, or not 1 to 38"),
        (CLP, CLP.replace("KB7Q2M9X41", "KÄSE"), "CLP01: missing"),
        (CLP, CLP.replace("2026000123", "2" * 51), "CLP07: not up to 50"),
        (CLP, "CLP*KB7Q2M9X41*1", "CLP03: not an amount"),
        (CLP, CLP.replace("*62.5*", "*PR*"), "CLP05: not an amount"),
        (SVC, "SVC*HC:\x01*150*42.5**1", "line 1 SVC01: not a procedure"),
        (SVC, "SVC*HC:90834:\x01*150*42.5**1", "line 1 SVC01: not a procedure"),
        (CAS_CO, "CAS*CO**45", "line 1 CAS: not an adjustment"),
        (CAS_CO, "CAS*CO*45*x", "line 1 CAS: not an adjustment"),
        (CAS_CO, "CAS**45*45", "line 1 CAS: not an adjustment"),
        (CAS_CO, "CAS*CO*LONGER*45", "line 1 CAS: not an adjustment"),
    ],
)
def test_a_claim_that_cannot_be_mapped_is_rejected_and_says_where(segment: str, into: str, error: str):
    refusal = rejected(changed(segment, into))
    assert len(refusal.errors) >= 1
    assert refusal.errors[0].startswith(error)


def test_a_broken_claim_costs_itself_and_the_others_go_on():
    broken = [CLP.replace("150", "much"), SVC]
    body = document(*transaction(*CLAIM, *broken, *CLAIM, payment="85"))
    first, second, third = read_835(body)
    assert isinstance(first, ClaimResult)
    assert isinstance(second, Rejected)
    assert isinstance(third, ClaimResult)


@pytest.mark.parametrize(
    ("claim", "error"),
    [
        ([CLP, *[SVC] * 1000], "SVC: more than 999 service lines"),
        ([CLP, SVC, *[CAS_PR] * 50], "line 1 CAS: not an adjustment, or too many of them"),
        ([CLP, *["AMT*AU*1"] * 10_001], "CLP: more than 10000 segments in one claim"),
        ([CLP, "CAS*PR" + "*1*1*" * 60], "file: a segment is longer or has more elements"),
        ([CLP, "NM1*QC*1*" + "A" * 20_001], "file: a segment is longer or has more elements"),
    ],
    ids=["lines", "adjustments", "segments", "elements", "length"],
)
def test_a_claim_beyond_all_proportion_is_rejected(claim: list[str], error: str):
    good, refusal, after = read_835(document(*transaction(*CLAIM, *claim, *CLAIM)))
    assert isinstance(refusal, Rejected)
    assert refusal.errors[0].startswith(error)
    assert good == ClaimResult(**{**vars(after), "ordinal": 0})


def test_a_claim_never_reports_more_than_twenty_errors():
    assert len(rejected(document(*transaction(CLP, *["SVC*HC:90834*x*x"] * 30))).errors) == 20


def test_a_file_cut_off_inside_a_claim_does_not_yield_that_claim():
    body = document()
    cut = body[: body.index(b"CAS*PR") + 12]
    assert rejected(cut).errors == ("file: ends inside this claim",)


@pytest.mark.parametrize("kind", ["820", "277"])
def test_a_claim_outside_an_835_transaction_is_rejected(kind: str):
    segments = transaction()
    body = document(f"ST*{kind}*0001", *segments[1:])
    assert rejected(body).errors == ("CLP: outside a readable 835 transaction",)


# --- the door


def test_a_readable_file_is_known_at_the_door():
    assert looks_like_835(document())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"ISA",
        b"A letter first.\n" + document(),
        document().replace(b"ISA*", b"ISB*", 1),
        document().replace(b"ST*835", b"ST*837"),
        document(isa="ISA*00*P"),
        ISA.encode(),
        b"ISA" + b"*" * 500,
        document(isa=ISA.replace("*P*:", "*P*P")),
        document(isa=ISA.replace("*P*:", "*P*"), end=""),
        document(isa=ISA, end="*"),
    ],
    ids=[
        "empty",
        "json",
        "tag",
        "prose",
        "no ISA",
        "no 835",
        "cut ISA",
        "no end",
        "separators",
        "letter as component",
        "nothing as component",
        "end is separator",
    ],
)
def test_what_is_no_835_is_refused_at_the_door(body: bytes):
    assert not looks_like_835(body)


def test_reading_what_has_no_header_says_what_to_do():
    with pytest.raises(Unreadable, match="Send the file exactly as the payer or clearinghouse delivered it"):
        list(read_835(b"CLP*KB7Q2M9X41*1*150*42.5~"))


def test_an_empty_body_is_unreadable():
    with pytest.raises(Unreadable):
        list(read_835(b""))
