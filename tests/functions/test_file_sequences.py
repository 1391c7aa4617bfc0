"""Several files about one claim, from the post to the client's balance: whatever order they come in, the client owes
what the payers' last word leaves (claims.md 4.5, 4.6)."""

from itertools import permutations
from pathlib import Path
from typing import Any, Final

import pytest

from tests.functions.api import Api
from tests.functions.test_file_to_receipt import relay, submit

FOLDER: Final = Path(__file__).parents[1] / "fixtures"
TYPES: Final = {".835": "application/edi-x12", ".json": "application/fhir+json"}
FIRST, REVERSAL = "835/accepted.835", "835/reversal_without_original.835"
OTHER_PAYERS: Final = {
    "KB7Q2M9X42": {"secondary_payer_id": "77777"},
    "KB7Q2M9X43": {"secondary_payer_id": "77777", "tertiary_payer_id": "66666"},
}
EOB, CANCELLED, REPLACES = "fhir/eob.json", "fhir/eob_cancelled.json", "fhir/eob_replaces.json"


def practice(claim_id: str = "KB7Q2M9X41") -> Api:
    """A practice that submitted the claim, with the other payers that are on file for it."""
    api = Api()
    ana = {"name": "Ana Ruiz", "email": "ana@mail.example", "phone": "+13105550111"}
    assert api.call("PUT", "/v1/clients/ana", key="practice", body=ana).status == 201
    submit(api, claim_id=claim_id, **OTHER_PAYERS.get(claim_id, {}))
    return api


def post(api: Api, name: str) -> dict[str, Any]:
    """Post a fixture, let everything happen -> its receipt."""
    file = FOLDER / name
    sent = api.call("POST", "/v1/claim-results", key="claims", body=file.read_bytes(), content_type=TYPES[file.suffix])
    assert sent.status in (200, 202), sent.body
    relay(api)
    receipt: dict[str, Any] = api.call("GET", sent.body["status_url"], key="claims").body
    return receipt


def balance(api: Api) -> int:
    """What Ana owes, in cents."""
    account = api.call("GET", "/v1/clients/ana/account", key="practice").body
    assert account["balance"] == sum(invoice["open_amount"] for invoice in account["invoices"])
    owed: int = account["balance"]
    return owed


IN_ANY_ORDER: Final = {
    "a reversal": ([FIRST, REVERSAL], 0),
    "a reversal and a correction": ([FIRST, REVERSAL, "835/correction.835"], 22_50),
    "a correction that does not say what it corrects": (
        [FIRST, REVERSAL, "835/correction_without_reference.835"],
        22_50,
    ),
    "a correction to more": ([FIRST, REVERSAL, "835/correction_that_grows.835"], 82_50),
    "a correction under the same number": ([FIRST, REVERSAL, "835/correction_of_the_same_number.835"], 22_50),
    "a denial as duplicate": ([FIRST, "835/duplicate_denial.835"], 62_50),
    "a cancelled EOB": ([EOB, CANCELLED], 0),
    "an EOB entered in error": ([EOB, "fhir/eob_entered_in_error.json"], 0),
    "an EOB that replaces": ([EOB, REPLACES], 22_50),
}


@pytest.mark.parametrize("case", IN_ANY_ORDER)
def test_inv_3_what_is_owed_at_the_end_does_not_depend_on_the_order_of_the_files(case: str) -> None:
    files, owed = IN_ANY_ORDER[case]
    for order in permutations(files):
        api = practice()
        for name in order:
            post(api, name)
        assert balance(api) == owed, order


@pytest.mark.parametrize("name", ["reversal_and_correction", "correction_before_reversal"])
def test_inv_3_a_reversal_and_its_correction_may_come_in_one_file_in_either_order(name: str) -> None:
    api = practice()
    receipt = post(api, f"835/{name}.835")
    assert (receipt["claims"], receipt["held"], balance(api)) == (3, 0, 22_50)


def test_a_reversal_of_another_amount_changes_nothing_and_is_held() -> None:
    """claims.md 4.5: minus the live version, in amount and per code, or a person looks."""
    api = practice()
    post(api, FIRST)
    receipt = post(api, "835/reversal_of_another_amount.835")
    assert receipt["results"][0]["reason"] == "reversal_without_original"
    assert balance(api) == 62_50


@pytest.mark.parametrize("first", ["first_of_two_payers", "first_of_two_payers_forwards"])
@pytest.mark.parametrize(
    "second, owed", [("secondary", 22_50), ("secondary_pays_the_rest", 0), ("negative_adjustment", 0)]
)
def test_law_4_the_client_owes_what_the_last_payer_leaves(first: str, second: str, owed: int) -> None:
    """The first payer's share is the second payer's to look at, and never owed beside it; whoever answers first."""
    for order in permutations((first, second)):
        api = practice("KB7Q2M9X42")
        for name in order:
            post(api, f"835/{name}.835")
        assert balance(api) == owed, order


def test_law_4_nothing_is_billed_before_the_second_payer_answers() -> None:
    api = practice("KB7Q2M9X42")
    (row,) = post(api, "835/first_of_two_payers.835")["results"]
    assert (row["now"], balance(api)) == ("pending", 0)


def test_law_4_of_three_payers_the_last_one_says_what_is_owed() -> None:
    for order in permutations(("first_of_three_payers", "second_of_three_payers", "tertiary")):
        api = practice("KB7Q2M9X43")
        for name in order:
            post(api, f"835/{name}.835")
        assert balance(api) == 10_00, order


def test_law_4_nothing_is_billed_before_the_third_payer_answers() -> None:
    api = practice("KB7Q2M9X43")
    for name in ("first_of_three_payers", "second_of_three_payers"):
        (row,) = post(api, f"835/{name}.835")["results"]
        assert (row["now"], balance(api)) == ("pending", 0)


@pytest.mark.parametrize("name", [FIRST, "835/duplicate.835", EOB])
def test_the_same_file_twice_is_owed_once(name: str) -> None:
    api = practice()
    post(api, name)
    post(api, name)
    assert balance(api) == 62_50


def test_an_835_and_the_eob_about_the_same_decision_are_not_owed_twice() -> None:
    """Two faces of one decision differ in what they say; the second one waits for a person."""
    for order in permutations((FIRST, EOB)):
        api = practice()
        for name in order:
            post(api, name)
        assert balance(api) == 62_50, order
