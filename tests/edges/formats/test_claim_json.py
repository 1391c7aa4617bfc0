"""Our own JSON: the contract's example, what is refused as no JSON (400), as no claim result (422), and in a batch."""

import copy
import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.claim import Adjustment, ClaimResult, ClaimStatus, ServiceLine
from edges.formats.claim_json import NotAClaimResult, parse_batch
from edges.formats.rejected import Rejected
from edges.inbound.claim_result import ClaimResultIn
from edges.strict_json import NotJson

EXAMPLE: dict[str, Any] = {
    "claim_id": "KB7Q2M9X41",
    "payer": {"id": "87726", "name": "Example Health Plan"},
    "payer_claim_id": "2026-000123",
    "status": "processed_primary",
    "adjudicated_on": "2026-11-20",
    "currency": "usd",
    "charged": 15000,
    "paid": 9000,
    "adjustments": [],
    "lines": [
        {
            "procedure": "90834",
            "service_date": "2026-10-30",
            "charged": 15000,
            "paid": 9000,
            "adjustments": [
                {"group": "CO", "code": "45", "amount": 4500},
                {"group": "PR", "code": "3", "amount": 1500},
            ],
        }
    ],
}


def body(value: object) -> bytes:
    return json.dumps(value).encode()


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in EXAMPLE.items() if name != field}


def refused(text: bytes) -> list[tuple[str, str]]:
    """Where and why a body is no claim result."""
    with pytest.raises(NotAClaimResult) as refusal:
        parse_batch(text)
    return [(error["loc"], error["msg"]) for error in refusal.value.errors]


def test_the_example_of_the_contract_is_read_field_by_field():
    (result,) = parse_batch(body(EXAMPLE))
    assert result == ClaimResult(
        claim_id="KB7Q2M9X41",
        payer_claim_id="2026-000123",
        payer_ids=("87726",),
        payer_name="Example Health Plan",
        status=ClaimStatus.PROCESSED_PRIMARY,
        raw_status="processed_primary",
        adjudicated_on=date(2026, 11, 20),
        currency="usd",
        charged=15000,
        paid=9000,
        stated_responsibility=None,
        adjustments=(),
        lines=(
            ServiceLine(
                procedure="90834",
                modifiers=(),
                service_date=date(2026, 10, 30),
                units="1",
                charged=15000,
                paid=9000,
                adjustments=(Adjustment("CO", "45", 4500), Adjustment("PR", "3", 1500)),
                line_ref="",
            ),
        ),
        original_payer_claim_id="",
        test=False,
        ordinal=0,
    )
    assert result.balances()
    assert result.patient_responsibility == 1500


@pytest.mark.parametrize("status", [status for status in ClaimStatus if status is not ClaimStatus.UNKNOWN])
def test_every_status_but_unknown_can_be_sent(status: ClaimStatus):
    (result,) = parse_batch(body({**EXAMPLE, "status": status.value}))
    assert isinstance(result, ClaimResult)
    assert result.status is status


@pytest.mark.parametrize("field", ["adjudicated_on", "adjustments", "lines"])
def test_what_no_decision_needs_may_be_left_out(field: str):
    (result,) = parse_batch(body(without(field)))
    assert isinstance(result, ClaimResult)


@pytest.mark.parametrize("field", ["claim_id", "payer", "payer_claim_id", "status", "currency", "charged", "paid"])
def test_what_a_decision_needs_must_be_there(field: str):
    assert refused(body(without(field))) == [(field, "Field required")]


def test_the_currency_is_read_in_lower_case():
    (result,) = parse_batch(body({**EXAMPLE, "currency": "USD"}))
    assert isinstance(result, ClaimResult)
    assert result.currency == "usd"


def test_unknown_groups_and_reasons_are_for_the_gates():
    odd = copy.deepcopy(EXAMPLE)
    odd["lines"][0]["adjustments"][0] = {"group": "CR", "code": "999", "amount": 4500}
    (result,) = parse_batch(body(odd))
    assert isinstance(result, ClaimResult)
    assert result.all_adjustments[0] == Adjustment("CR", "999", 4500)


def test_a_date_that_is_not_known_may_be_null():
    (result,) = parse_batch(body({**EXAMPLE, "adjudicated_on": None}))
    assert isinstance(result, ClaimResult)
    assert result.adjudicated_on is None


# --- 400: no JSON


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "Expecting value at line 1 column 1"),
        (b"ISA*00*", "Expecting value"),
        (b'{"claim_id": }', "Expecting value at line 1 column 14"),
        (b'{"claim_id": "a", "claim_id": "b"}', "an object names a field twice"),
        (b'{"results": [{"payer": {"id": "a", "id": "b"}}]}', "an object names a field twice"),
        (b'{"charged": NaN}', "NaN and Infinity are not JSON numbers"),
        (b'{"charged": -Infinity}', "NaN and Infinity are not JSON numbers"),
        (b'{"claim_id": "\xff"}', "byte 14 is not UTF-8"),
        (b'{"charged": ' + b"9" * 5000 + b"}", "a number has too many digits"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"payer":' * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_json_is_refused_with_the_place_and_never_the_text(text: bytes, why: str):
    with pytest.raises(NotJson, match=why):
        parse_batch(text)


def test_a_byte_order_mark_is_no_obstacle():
    assert list(parse_batch(b"\xef\xbb\xbf" + body(EXAMPLE))) == list(parse_batch(body(EXAMPLE)))


# --- 422: JSON, but no claim result


@pytest.mark.parametrize("value", [None, 1, "text", [], [EXAMPLE]])
def test_a_body_that_is_no_object_is_no_claim_result(value: object):
    assert refused(body(value)) == [("body", "must be a claim result or an object with results")]


@pytest.mark.parametrize("results", [None, {}, [], "KB7Q2M9X41", [EXAMPLE] * 501])
def test_a_batch_is_a_list_of_1_to_500_results(results: object):
    assert refused(body({"results": results})) == [("results", "must be a list of 1 to 500 claim results")]


def test_a_batch_has_no_other_fields():
    assert refused(body({"results": [EXAMPLE], "test": True}))[0][0] == "body"


def put(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    """Set a value at a path such as lines.0.charged."""

    def change(example: dict[str, Any]) -> None:
        target: Any = example
        *steps, last = path.split(".")
        for step in steps:
            target = target[int(step) if step.isdigit() else step]
        target[last] = value

    change.__name__ = f"{path}={value!r:.20}"
    return change


@pytest.mark.parametrize(
    "change",
    [
        put("charged", 150.0),
        put("charged", "15000"),
        put("charged", True),
        put("charged", None),
        put("paid", 10**12),
        put("paid", -(10**12)),
        put("lines.0.charged", 1e4),
        put("claim_id", ""),
        put("claim_id", "K" * 39),
        put("claim_id", " KB7"),
        put("claim_id", "KB7\n"),
        put("claim_id", "KÄSE"),
        put("claim_id", 7),
        put("claim_id", "\ud800"),
        put("payer.id", ""),
        put("payer.name", "\ud800"),
        put("payer.name", "N" * 81),
        put("payer", "87726"),
        put("payer_claim_id", "2" * 51),
        put("status", "paid"),
        put("status", "unknown"),
        put("status", 1),
        put("currency", "dollars"),
        put("adjudicated_on", "20261120"),
        put("adjudicated_on", "2026-11-31"),
        put("adjudicated_on", "2026-11-20T00:00:00Z"),
        put("adjudicated_on", 1_795_132_800),
        put("lines.0.service_date", "yesterday"),
        put("lines.0.procedure", ""),
        put("lines.0.adjustments.0.group", ""),
        put("lines.0.adjustments.0.code", "45-1"),
        put("lines.0.adjustments.0.amount", 45.5),
        put("lines", {}),
        put("lines", [EXAMPLE["lines"][0]] * 1000),
        put("adjustments", [EXAMPLE["lines"][0]["adjustments"][0]] * 100),
    ],
    ids=lambda change: change.__name__,
)
def test_a_wrong_value_is_refused_where_it_stands(change: Callable[[dict[str, Any]], None]):
    example = copy.deepcopy(EXAMPLE)
    change(example)
    ((loc, msg),) = refused(body(example))
    assert loc == change.__name__.split("=")[0]
    assert msg


@pytest.mark.parametrize("path", ["patient_name", "payer.tin", "lines.0.modifiers", "lines.0.adjustments.0.reason"])
def test_a_field_nobody_knows_is_refused_by_its_name(path: str):
    """A misspelt `adjustments` must not read as no adjustments."""
    example = copy.deepcopy(EXAMPLE)
    put(path, "x")(example)
    assert refused(body(example)) == [(path, "Extra inputs are not permitted")]


def test_a_made_up_field_name_is_shown_only_as_far_as_it_is_harmless():
    assert refused(body({**EXAMPLE, "<b>née: Smith\n" + "x" * 99: 1}))[0][0] == "bneSmith" + "x" * 32


def test_an_error_never_repeats_what_was_sent():
    """LAW-1: it may be about a patient."""
    errors = refused(body({**EXAMPLE, "charged": "Jane Doe", "status": "Jane Doe", "adjudicated_on": "Jane Doe"}))
    assert len(errors) == 3
    assert "Jane" not in repr(errors)


def test_no_more_than_twenty_errors_are_told():
    assert len(refused(body({**EXAMPLE, "lines": [{}] * 30}))) == 20


# --- a batch


def test_in_a_batch_a_broken_result_costs_only_itself():
    broken = {**EXAMPLE, "claim_id": "KB0000BROKEN", "payer_claim_id": "2026-000999", "charged": 1.5}
    first, second, third = parse_batch(body({"results": [EXAMPLE, broken, EXAMPLE]}))
    assert isinstance(first, ClaimResult)
    assert second == Rejected("KB0000BROKEN", "2026-000999", ("charged: Input should be a valid integer",))
    assert third == first


@pytest.mark.parametrize("element", [None, 1, "x", [EXAMPLE], {}, {"claim_id": 7}, {"claim_id": "\ud800"}])
def test_in_a_batch_anything_may_be_broken(element: object):
    broken, good = parse_batch(body({"results": [element, EXAMPLE]}))
    assert isinstance(broken, Rejected)
    assert (broken.claim_id, broken.payer_claim_id) == ("", "")
    assert broken.errors
    assert isinstance(good, ClaimResult)


def test_the_same_result_twice_in_a_batch_is_one_result_delivered_twice():
    first, second = parse_batch(body({"results": [EXAMPLE, EXAMPLE]}))
    assert isinstance(first, ClaimResult)
    assert isinstance(second, ClaimResult)
    assert first.result_key() == second.result_key()


def test_the_largest_batch_is_read():
    assert len(list(parse_batch(body({"results": [EXAMPLE] * 500})))) == 500


def test_the_shape_can_be_shown_as_a_schema():
    schema = ClaimResultIn.model_json_schema()
    assert set(schema["properties"]) == set(EXAMPLE)
    assert schema["additionalProperties"] is False


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(list(EXAMPLE)), inner, max_size=4),
    max_leaves=10,
)


@given(st.sampled_from(list(EXAMPLE)), json_values)
def test_any_value_in_any_field_is_read_or_refused(field: str, value: object):
    text = body({"results": [{**EXAMPLE, field: value}]})
    try:
        (element,) = parse_batch(text)
    except NotJson:  # floats include NaN, which Python writes and no other reader takes
        assert b"NaN" in text or b"Infinity" in text
    else:
        assert isinstance(element, ClaimResult) or element.errors


@given(st.binary(max_size=200))
def test_bytes_at_random_are_refused(text: bytes):
    with pytest.raises((NotJson, NotAClaimResult)):
        parse_batch(text)
