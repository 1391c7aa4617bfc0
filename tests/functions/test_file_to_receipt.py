"""From a posted file to its receipt: every claim of it is counted once and shows what became of it (contract.md).

The relay between the functions is played here: what was inserted and has a kind goes to the flows that ROUTES names.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from billing.facts import ROUTES, Fact, FactKind, Message
from billing.gates import Gate
from functions.issue_invoice import flow as issue_invoice
from functions.read_claims import flow as read_claims
from tests.edges.formats.report_example import report
from tests.edges.formats.x12_example import document
from tests.functions.api import Api

FOLDER = Path(__file__).parents[1] / "fixtures" / "835"
FILES = sorted(path.relative_to(FOLDER).with_suffix("").as_posix() for path in FOLDER.rglob("*.835"))
CLAIM = {
    "claim_id": "KB7Q2M9X41",
    "client_id": "ana",
    "provider_id": "dr_lee",
    "payer_id": "87726",
    "charged": 150_00,
    "service_date": "2026-10-30",
}


def relay(api: Api) -> None:
    """Deliver everything that was written since the last time, and what follows from it."""
    while api.relayed < len(api.store.stream):
        row: Any = api.store.stream[api.relayed]
        api.relayed += 1
        message = Message(row.kind, row.key)
        verbs = () if isinstance(row, Fact) else ROUTES[FactKind(row.kind)]
        if "read_claims" in verbs:
            read_claims.run(message, store=api.store, blobs=api.blobs, now=api.now)
        if "issue_invoice" in verbs:
            issue_invoice.run(message, store=api.store, now=api.now)


@pytest.fixture
def api() -> Api:
    made = Api()
    client = {"name": "Ana Ruiz", "email": "ana@mail.example", "phone": "+13105550111"}
    made.call("PUT", "/v1/clients/ana", key="practice", body=client)
    return made


def submit(api: Api, **changed: object) -> None:
    assert api.call("POST", "/v1/claims", key="practice", body=CLAIM | changed).status == 201
    relay(api)


def post(api: Api, name: str) -> dict[str, Any]:
    """Post a fixture, let everything happen -> its receipt."""
    body = (FOLDER / f"{name}.835").read_bytes()
    sent = api.call("POST", "/v1/claim-results", key="claims", body=body, content_type="application/edi-x12")
    assert sent.status in (200, 202)
    relay(api)
    receipt: dict[str, Any] = api.call("GET", sent.body["status_url"], key="claims").body
    return receipt


@pytest.mark.parametrize("name", FILES)
def test_the_counts_of_every_file_add_up_to_its_claims(api: Api, name: str) -> None:
    submit(api)
    receipt = post(api, name)
    assert receipt["state"] == "done"
    outcomes = Counter(row["outcome"] for row in receipt["results"])
    assert receipt["claims"] == len(receipt["results"]) == sum(outcomes.values())
    assert outcomes == Counter({o: receipt[o] for o in ("accepted", "held", "duplicate", "rejected") if receipt[o]})


@pytest.mark.parametrize("gate", [gate for gate in Gate if (FOLDER / f"{gate}.835").exists()])
def test_a_held_claim_names_the_gate_that_held_it(api: Api, gate: Gate) -> None:
    submit(api)
    held = [row for row in post(api, gate)["results"] if row["outcome"] == "held"]
    assert held
    assert gate in {row["reason"] for row in held}
    assert {row["now"] for row in held} == {"held"}


def test_an_accepted_claim_shows_its_invoice_and_the_account_shows_it_too(api: Api) -> None:
    """INV-1."""
    submit(api)
    (row,) = post(api, "accepted")["results"]
    assert (row["outcome"], row["reason"], row["now"], row["amount"]) == ("accepted", None, "invoiced", 62_50)
    (shown,) = api.call("GET", "/v1/clients/ana/account", key="practice").body["invoices"]
    assert (shown["invoice_id"], shown["amount"]) == (row["invoice_id"], 62_50)
    (line,) = shown["lines"]
    assert line["you_owe"] == 62_50


@pytest.mark.parametrize("name, now", [("nothing_owed", "nothing_owed"), ("pending_forwarded", "pending")])
def test_an_accepted_claim_that_bills_nothing_says_why(api: Api, name: str, now: str) -> None:
    submit(api)
    (row,) = post(api, name)["results"]
    assert (row["outcome"], row["now"]) == ("accepted", now)
    assert "invoice_id" not in row


def test_the_same_claim_in_another_file_is_a_duplicate_and_bills_nothing_more(api: Api) -> None:
    submit(api)
    first = post(api, "accepted")["results"][0]
    receipt = post(api, "duplicate")
    assert (receipt["claims"], receipt["duplicate"]) == (2, 2)
    assert {row["invoice_id"] for row in receipt["results"]} == {first["invoice_id"]}
    assert api.call("GET", "/v1/clients/ana/account", key="practice").body["balance"] == 62_50


def test_submitting_the_claim_lets_its_held_result_through(api: Api) -> None:
    """claims.md: `POST /v1/claims` runs the `unmatched_claim` holds of that id again."""
    receipt = post(api, "accepted")
    assert (receipt["held"], receipt["results"][0]["reason"]) == (1, "unmatched_claim")
    assert len(api.call("GET", "/v1/holds", key="practice").body["holds"]) == 1
    submit(api)
    shown = api.call("GET", receipt["status_url"], key="claims").body
    assert shown["results"][0]["now"] == "invoiced"
    assert api.call("GET", "/v1/holds", key="practice").body["holds"] == []


def test_a_clearinghouses_report_is_billed_and_the_835_it_was_made_from_is_its_duplicate(api: Api) -> None:
    submit(api)
    sent = api.call("POST", "/v1/claim-results", key="claims", body=report())
    relay(api)
    (billed,) = api.call("GET", sent.body["status_url"], key="claims").body["results"]
    assert (billed["outcome"], billed["now"], billed["amount"]) == ("accepted", "invoiced", 6250)
    again = api.call("POST", "/v1/claim-results", key="claims", body=document(), content_type="application/edi-x12")
    relay(api)
    shown = api.call("GET", again.body["status_url"], key="claims").body
    assert (shown["duplicate"], shown["claims"], shown["state"]) == (1, 1, "done")
