"""Claims in = claims accounted for (DESK-5): whatever is posted in whatever order, and whatever people decide about
what is held, every claim of every body is in exactly one place, and its receipt says which.
"""

from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.claim_state import ClaimState, Hold, ReceivedResult
from billing.gates import Now
from billing.ids import account_pk, facts_pk, holds_pk
from billing.invariants import AccountRows, check_account
from tests.billing.examples import PRACTICE
from tests.functions.api import Api
from tests.functions.test_file_to_receipt import relay, submit

CLAIMS = ("KB0", "KB1", "KB2")
"""What practice and payer talk about; whether and when each is submitted is left to chance."""
Json = dict[str, Any]


def element(claim: str, *adjustments: tuple[str, str, int], sign: int = 1, **changes: Any) -> Json:
    """One result that balances unless `changes` break it."""
    adjusted = sum(amount for _, _, amount in adjustments)
    taken_off = [{"group": group, "code": code, "amount": sign * amount} for group, code, amount in adjustments]
    paid = sign * (150_00 - adjusted)
    line = {"procedure": "90834", "charged": sign * 150_00, "paid": paid, "adjustments": taken_off}
    result = {
        "claim_id": claim,
        "payer": {"id": "87726", "name": "Example Health Plan"},
        "payer_claim_id": "2026-1",
        "status": "processed_primary" if sign > 0 else "reversal",
        "adjudicated_on": "2026-11-20",
        "currency": "usd",
        "charged": sign * 150_00,
        "paid": paid,
        "adjustments": [],
        "lines": [line],
    }
    return result | changes


DISCOUNT, DEDUCTIBLE, COPAY = ("CO", "45", 45_00), ("PR", "1", 40_00), ("PR", "3", 22_50)


def kinds_of(claim: str) -> list[Json]:
    """What a payer may say about a claim, well or badly."""
    return [
        element(claim, DISCOUNT, DEDUCTIBLE, COPAY),
        element(claim, DISCOUNT, DEDUCTIBLE, COPAY, sign=-1),
        element(claim, DISCOUNT, COPAY, payer_claim_id="2026-2"),
        element(claim, DISCOUNT, COPAY, sign=-1, payer_claim_id="2026-2"),
        element(claim, ("CO", "45", 150_00)),
        element(claim, DISCOUNT, ("OA", "23", 80_00), status="processed_secondary", payer={"id": "77777"}),
        element(claim, DISCOUNT, COPAY, status="processed_primary_forwarded"),
        element(claim, DISCOUNT, ("CO", "3", 22_50)),
        element(claim, ("PR", "999", 10_00)),
        element(claim, ("PR", "1", 200_00)),
        element(claim, ("OA", "18", 150_00), payer_claim_id="2026-9"),
        element(claim, DISCOUNT, COPAY, status="predetermination"),
        element(claim, DISCOUNT, COPAY, paid=1),
        element(claim, DISCOUNT, COPAY, charged=99_00),
        {"claim_id": claim},
        element(claim, DISCOUNT, COPAY, surprise=True),
    ]


def bodies() -> st.SearchStrategy[list[Json]]:
    said = st.sampled_from(CLAIMS).flatmap(lambda claim: st.sampled_from(kinds_of(claim)))
    return st.lists(said, min_size=1, max_size=6)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("post"), bodies()),
        st.tuples(st.just("submit"), st.sampled_from(CLAIMS)),
        st.tuples(
            st.sampled_from(["release", "reject", "rematch"]),
            st.tuples(st.integers(0, 9), st.sampled_from([None, 0, 22_50, 999_00]), st.sampled_from(CLAIMS)),
        ),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
def test_desk_5_every_claim_that_came_in_is_in_exactly_one_place(steps: list[tuple[str, Any]]) -> None:
    api = Api()
    person = {"name": "Ana Ruiz", "email": "ana@mail.example", "phone": "+13105550111", "provider_id": "dr_lee"}
    api.call("PUT", "/v1/clients/ana", key="practice", body=person)
    posted: dict[str, list[Json]] = {}
    known: set[str] = set()
    for what, about in steps:
        if what == "submit" and about not in known:
            known.add(about)
            submit(api, claim_id=about)
        elif what == "post":
            sent = api.call("POST", "/v1/claim-results", key="claims", body={"results": about})
            assert sent.status in (200, 202)
            posted[sent.body["receipt_id"]] = about
        elif what != "submit":
            _decide(api, what, *about)
        relay(api)
        everything_is_somewhere(api)
        for receipt_id, results in posted.items():
            receipt_adds_up(api, receipt_id, results)


def _decide(api: Api, call: str, number: int, amount: int | None, claim: str) -> None:
    """Somebody decides about one of the open holds; what cannot be is refused, and leaves all as it was."""
    open_holds = api.call("GET", "/v1/holds", key="practice").body["holds"]
    if not open_holds:
        return
    hold = open_holds[number % len(open_holds)]
    body: Json = {"reason": "Asked the payer"}
    if call == "release" and amount is not None:
        body["patient_amount"] = amount
    if call == "rematch":
        body["claim_id"] = claim
    at = f"/v1/holds/{hold['hold_id']}/{call}"
    done = api.call("POST", at, key="practice", body=body)
    assert done.status in (200, 404, 409), done.body
    again = api.call("POST", at, key="practice", body=body)
    assert (again.status, again.body) == (done.status, done.body)


def receipt_adds_up(api: Api, receipt_id: str, results: list[Json]) -> None:
    """Each claim of the body is one row, in one column."""
    receipt = api.call("GET", f"/v1/receipts/{receipt_id}", key="claims").body
    outcomes = Counter(row["outcome"] for row in receipt["results"])
    assert receipt["state"] == "done"
    assert receipt["claims"] == len(results) == len(receipt["results"])
    assert outcomes == Counter({o: receipt[o] for o in ("accepted", "held", "duplicate", "rejected") if receipt[o]})
    for row in receipt["results"]:
        assert (row["outcome"] == "held") <= (row["now"] == "held" and bool(row["reason"]))
        assert (row["outcome"] == "rejected") <= (row["reason"] in ("invalid", "rejected_by_staff"))


def everything_is_somewhere(api: Api) -> None:
    """Every result that was kept has one verdict; what is held, and nothing else, is a hold; the books are sound."""
    rows = list(api.store.rows())
    states = {row.claim_id: row for row in rows if isinstance(row, ClaimState)}
    kept = Counter((r.result.claim_id, r.result.result_key()) for r in rows if isinstance(r, ReceivedResult))
    judged = Counter((claim, v.result) for claim, state in states.items() for v in state.verdicts)
    assert judged == kept
    held = {(claim, v.result) for claim, state in states.items() for v in state.verdicts if v.now == Now.HELD}
    waiting = [r for r in api.store.partition(holds_pk("riverbend"), "HOLD#") if isinstance(r, Hold)]
    assert Counter((hold.claim_id, hold.result) for hold in waiting) == Counter(held)
    account = AccountRows.of(
        api.store.partition(account_pk("riverbend", "ana")), api.store.partition(facts_pk("riverbend", "ana"))
    )
    assert account is not None
    assert check_account(account, PRACTICE) == []
    causes = {cause for one in account.books.invoices for cause in one.reviews}
    assert causes <= {hold.hold_id for hold in waiting}, "a bill stands still for a hold that is gone"
