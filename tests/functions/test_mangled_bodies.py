"""Whatever is posted as claim results, in whatever format and however damaged: an answer that says what is wrong with
it, or a receipt that accounts for every claim; never a crash, and never a bill that its own figures do not bear out.
"""

import json
from copy import deepcopy
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.claim_state import ClaimState, ReceivedResult, claim_state_key
from tests.edges.formats.report_example import report
from tests.functions.api import Api
from tests.functions.ingest_claims.test_api import RESULT
from tests.functions.test_file_to_receipt import CLAIM, relay, submit

FOLDER: Final = Path(__file__).parents[1] / "fixtures"
FHIR: Final = "application/fhir+json"
DOCUMENTS: Final = {
    "our JSON": ("application/json", RESULT),
    "a batch": ("application/json", {"results": [RESULT, RESULT | {"payer_claim_id": "2026-000124"}]}),
    "a clearinghouse's report": ("application/json", report()),
    "FHIR": (FHIR, json.loads((FOLDER / "fhir" / "eob_carin.json").read_text("utf-8"))),
    "a FHIR bundle": (FHIR, json.loads((FOLDER / "fhir" / "bundle.json").read_text("utf-8"))),
}
FILES: Final = [path.read_bytes() for path in sorted((FOLDER / "835").rglob("*.835"))]
COUNTED: Final = ("accepted", "held", "duplicate", "rejected")


def assert_answered(body: bytes, content_type: str) -> None:
    """Post it to a practice that submitted the claim, let everything happen, and hold what came of it to the law."""
    api = Api()
    ana = {"name": "Ana Ruiz", "email": "ana@mail.example", "phone": "+13105550111"}
    assert api.call("PUT", "/v1/clients/ana", key="practice", body=ana).status == 201
    submit(api)
    sent = api.call("POST", "/v1/claim-results", key="claims", body=body, content_type=content_type)
    assert sent.status in (202, 400, 422), sent.body
    if sent.status != 202:
        return
    relay(api)
    receipt = api.call("GET", sent.body["status_url"], key="claims").body
    assert receipt["state"] == "done"
    assert receipt["claims"] == len(receipt["results"]) == sum(receipt[counted] for counted in COUNTED)
    for row in api.store.stream:
        if isinstance(row, ReceivedResult):
            assert_borne_out(row, api)


def assert_borne_out(row: ReceivedResult, api: Api) -> None:
    """LAW-3: what was billed of a result is the sum of its PR adjustments, and all its figures add up."""
    state = api.store.get(claim_state_key(row.practice, row.result.claim_id))
    assert isinstance(state, ClaimState), "every result has a verdict"
    verdict = state.verdict(row.result.result_key())
    assert verdict is not None
    if verdict.now != "invoiced":
        return
    share = sum(one.amount for one in row.result.all_adjustments if one.group == "PR")
    assert row.result.balances()
    assert 0 < verdict.amount == share <= row.result.charged == CLAIM["charged"]
    assert row.result.stated_responsibility in (None, share)


# --- damage of bytes


@st.composite
def damaged(draw: st.DrawFn, bodies: st.SearchStrategy[bytes]) -> bytes:
    """A body with a few bytes lost, put in or put elsewhere, or cut off, or two of them run together."""
    body = draw(bodies)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(body)))
        stop = min(len(body), start + draw(st.integers(0, 40)))
        other = draw(bodies)
        piece = draw(
            st.sampled_from([b"", b"0", b"-", b'"', b"{", b"]", b",", b"\x00", b"\xff", body[start:stop] * 2])
            | st.binary(max_size=4)
            | st.just(other[start:stop])
        )
        body = body[:start] + piece + body[stop:]
    return body


@pytest.mark.parametrize("name", DOCUMENTS)
@given(data=st.data())
@settings(max_examples=40)
def test_a_damaged_json_body_is_refused_or_accounted_for(name: str, data: st.DataObject) -> None:
    content_type, document = DOCUMENTS[name]
    text = json.dumps(document).encode()
    assert_answered(data.draw(damaged(st.just(text))), content_type)


@given(damaged(st.sampled_from(FILES)))
@settings(max_examples=100)
def test_a_damaged_835_is_refused_or_accounted_for(body: bytes) -> None:
    assert_answered(body, "application/edi-x12")


# --- JSON that is JSON still, but another

Json = Any
Way = tuple[str | int, ...]
NUMBERS: Final = (0, 1, -1, 2, 62_50, 150_00, 42.5, 62.5, 150, 0.001, 1e300, -0.0, 10**30)
TEXTS: Final = ("", " ", "0", "62.5", "PR", "CO", "KB7Q2M9X41", "2026-02-30", "\u0000", "\ud83d\ude00", "x" * 500)
VALUES: Final = (*NUMBERS, *TEXTS, None, True, False, [], {}, [[]], [None], {"value": 1})


def ways(node: Json, so_far: Way = ()) -> list[Way]:
    """The way to every value of a document but the whole."""
    keys = node.keys() if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    below = [(*so_far, key) for key in keys]
    return below + [deeper for way in below for deeper in ways(node[way[-1]], way)]


@st.composite
def otherwise(draw: st.DrawFn, document: Json) -> Json:
    """The document with values replaced, left out, or said twice."""
    copy = deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        there = ways(copy)
        if not there:
            break
        *above, place = draw(st.sampled_from(there))
        holder = reduce(getitem, above, copy)
        match draw(st.sampled_from(("replaced", "left out", "twice"))):
            case "replaced":
                holder[place] = deepcopy(draw(st.sampled_from(VALUES)))
            case "left out":
                del holder[place]
            case _ if isinstance(holder, list):
                holder.append(deepcopy(holder[place]))
            case _:
                holder[f"{place}2"] = holder[place]
    return copy


@pytest.mark.parametrize("name", DOCUMENTS)
@given(data=st.data())
@settings(max_examples=60)
def test_a_json_document_that_says_something_else_is_refused_or_accounted_for(name: str, data: st.DataObject) -> None:
    content_type, document = DOCUMENTS[name]
    assert_answered(json.dumps(data.draw(otherwise(document))).encode(), content_type)
