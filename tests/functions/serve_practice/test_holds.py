"""Held claim results: shown with what was seen and what to do, and decided once (DESK-5)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from billing.account import Account
from billing.claim import Adjustment, ClaimResult, ClaimStatus, SubmittedClaim
from billing.claim_state import Hold
from billing.facts import FactKind
from billing.gates import OTHER_PAYER_PENDING, Gate
from billing.hold_reasons import HOLD_REASONS
from billing.invoice import Status
from billing.ports import Insert, Refused
from billing.staff_action import Deed, StaffAction
from billing.standing import Choice
from edges import desk_views
from functions.serve_practice import holds
from functions.serve_practice.holds import Decided, Word
from tests.billing.claim_examples import (
    COPAY,
    DISCOUNT,
    OWES_62_50,
    REVERSAL_OF_IT,
    SUBMITTED,
    SUBMITTED_WITH_SECONDARY,
    decided,
)
from tests.billing.examples import BY_HAND, NOW
from tests.fakes.store import MemoryStore
from tests.fakes.story import Story
from tests.functions.api import assert_problem
from tests.functions.care import Care, eap

WRITTEN_OFF = decided(DISCOUNT, Adjustment("PR", "1", 4000), Adjustment("CO", "3", 2250))
"""A copay under CO: nobody owes it by its group, the patient by its meaning."""
SECOND_ANSWER = decided(DISCOUNT, COPAY, payer_claim_id="2026000777")
OTHER_CLAIM = replace(SUBMITTED, claim_id="KB_OTHER")


def told(result: ClaimResult, claim: SubmittedClaim | None = SUBMITTED, account: Account = BY_HAND) -> Story:
    """That result has arrived."""
    story = Story(account)
    if claim is not None:
        story.submit(claim)
    story.receive(result)
    return story


def decide(story: Story, choice: Choice, *, amount: int | None = None, to: str = "", hold_id: str = "") -> Decided:
    known = hold_id or story.holds[0].hold_id
    done = holds.decide(
        story.store, "riverbend", Word(known, choice, "The payer confirmed it", "front desk", amount, to), story.now
    )
    story.settle()
    return done


def refused(story: Story, choice: Choice, *, amount: int | None = None, to: str = "", hold_id: str = "") -> str:
    """The code of the refusal, which changed nothing."""
    commits = story.store.commits
    with pytest.raises(Refused) as refusal:
        decide(story, choice, amount=amount, to=to, hold_id=hold_id)
    assert story.store.commits == commits
    return refusal.value.code


def now_of(story: Story, result: ClaimResult, claim_id: str = SUBMITTED.claim_id) -> tuple[str, str, str]:
    verdict = story.claim_state(claim_id).verdict(replace(result, claim_id=claim_id).result_key())
    assert verdict is not None
    return verdict.outcome, verdict.reason, verdict.now


# ---------------------------------------------------------------------------------------------------- looking


def test_desk_5_every_reason_has_its_sentences() -> None:
    assert HOLD_REASONS.keys() >= {*Gate, OTHER_PAYER_PENDING}
    for words in HOLD_REASONS.values():
        assert words.why.endswith(".")
        assert words.what_to_do.endswith(".")


def test_desk_5_a_hold_shows_what_was_seen_why_it_waits_and_what_to_do() -> None:
    story = told(WRITTEN_OFF)
    (waiting,) = holds.open_holds(story.store, "riverbend").waiting
    shown = desk_views.hold(waiting.hold, waiting.result, waiting.invoice_ids)
    assert (shown["reason"], shown["client_id"]) == ("contractual_patient_code", "ana")
    assert shown["why"] == "A deductible, coinsurance or copay is marked as contractual, so that nobody would owe it."
    assert shown["seen"] is not None
    assert (shown["seen"]["charged"], shown["seen"]["paid"], shown["seen"]["patient_responsibility"]) == (
        15000,
        4250,
        4000,
    )
    assert [(a["group"], a["code"], a["amount"]) for a in shown["seen"]["adjustments"]] == [
        ("CO", "45", 4500),
        ("PR", "1", 4000),
        ("CO", "3", 2250),
    ]
    assert all(a["sentence"] for a in shown["seen"]["adjustments"])


def test_inv_7_a_hold_names_the_invoices_that_stand_still_because_of_it() -> None:
    story = told(OWES_62_50)
    bill = story.invoice.invoice_id
    story.receive(SECOND_ANSWER)
    (waiting,) = holds.open_holds(story.store, "riverbend").waiting
    assert waiting.invoice_ids == (bill,)


def test_desk_5_holds_are_shown_page_by_page_the_oldest_first_each_once() -> None:
    store = MemoryStore()
    for number in range(7):
        at = NOW + timedelta(minutes=(number * 3) % 7)  # another order than that of their ids
        store.commit(Insert(Hold("riverbend", f"hold_{number}", "", "", "", "unmatched_claim", at, 100)))
    seen, after = [], ""
    for _ in range(4):
        page = holds.open_holds(store, "riverbend", after, most=2)
        seen += [one.hold for one in page.waiting]
        after = page.more
    assert after == ""
    assert len({one.hold_id for one in seen}) == 7
    assert [one.held_at for one in seen] == sorted(one.held_at for one in seen)


# ---------------------------------------------------------------------------------------------------- deciding


def test_desk_5_a_released_result_bills_the_share_it_states() -> None:
    story = told(WRITTEN_OFF)
    done = decide(story, Choice.RELEASED)
    assert (done.now, done.invoice_ids) == ("invoiced", (story.invoice.invoice_id,))
    assert (story.invoice.amount, story.holds) == (4000, [])
    assert now_of(story, WRITTEN_OFF) == ("accepted", "", "invoiced")
    assert story.mails == ["invoice"]


def test_desk_5_a_released_result_bills_the_amount_that_staff_name() -> None:
    story = told(WRITTEN_OFF)
    decide(story, Choice.RELEASED, amount=6250)
    assert story.invoice.amount == 6250


def test_desk_5_of_two_shares_that_differ_the_stated_one_is_billed() -> None:
    """CLP05 says $50.00, its adjustments $62.50."""
    story = told(replace(OWES_62_50, stated_responsibility=5000))
    assert story.holds[0].reason == Gate.RESPONSIBILITY_MISMATCH
    decide(story, Choice.RELEASED)
    assert story.invoice.amount == 5000


def test_desk_5_nothing_may_be_all_that_is_owed() -> None:
    story = told(WRITTEN_OFF)
    done = decide(story, Choice.RELEASED, amount=0)
    assert (done.now, story.books.invoices) == ("nothing_owed", ())


def test_desk_5_a_rejected_result_bills_nothing_and_its_receipt_says_who_rejected_it() -> None:
    story = told(WRITTEN_OFF)
    done = decide(story, Choice.REJECTED)
    assert (done.now, story.holds, story.books.invoices) == ("rejected", [], ())
    assert now_of(story, WRITTEN_OFF) == ("rejected", "rejected_by_staff", "rejected")
    story.receive(OWES_62_50)
    assert story.invoice.amount == 6250, "what the payer says next is judged as if that had never come"


def test_desk_5_a_rejected_second_answer_lets_the_bill_go_on() -> None:
    story = told(OWES_62_50)
    story.receive(SECOND_ANSWER)
    assert story.invoice.status is Status.IN_REVIEW
    decide(story, Choice.REJECTED)
    assert (story.invoice.status, story.invoice.open_amount) == (Status.OPEN, 6250)


def test_inv_3_a_released_second_answer_takes_the_firsts_place_and_posts_the_difference() -> None:
    story = told(OWES_62_50)
    story.receive(SECOND_ANSWER)
    decide(story, Choice.RELEASED)
    assert (story.invoice.status, story.invoice.open_amount) == (Status.OPEN, 2250)
    assert story.mails[-1] == "invoice_changed"


def test_desk_5_a_rematched_result_is_judged_as_if_it_had_named_that_claim() -> None:
    story = told(OWES_62_50, claim=None)
    assert story.holds[0].reason == Gate.UNMATCHED_CLAIM
    story.submit(OTHER_CLAIM)
    done = decide(story, Choice.REMATCHED, to="KB_OTHER")
    assert done.now == "rematched"
    assert now_of(story, OWES_62_50) == ("accepted", "", "rematched")
    assert now_of(story, OWES_62_50, "KB_OTHER") == ("accepted", "", "invoiced")
    assert (story.invoice.source_id, story.invoice.amount, story.holds) == ("KB_OTHER", 6250, [])


def test_desk_5_a_rematched_result_may_be_held_there_for_what_is_wrong_there() -> None:
    story = told(OWES_62_50, claim=None)
    story.submit(replace(OTHER_CLAIM, charged=9900))
    decide(story, Choice.REMATCHED, to="KB_OTHER")
    (hold,) = story.holds
    assert (hold.claim_id, hold.reason) == ("KB_OTHER", Gate.CHARGE_DIFFERS)


def test_law_4_staff_may_stop_waiting_for_the_other_payer() -> None:
    story = told(OWES_62_50, SUBMITTED_WITH_SECONDARY)
    story.forward(days=46)
    assert story.holds[0].reason == OTHER_PAYER_PENDING
    decide(story, Choice.RELEASED)
    assert story.invoice.amount == 6250


# ---------------------------------------------------------------------------------------------------- once, and why


def test_desk_5_who_decided_and_why_is_kept_and_the_reason_is_in_no_fact() -> None:
    story = told(WRITTEN_OFF)
    hold_id = story.holds[0].hold_id
    decide(story, Choice.RELEASED, amount=6250)
    rows = story.store.partition("F#riverbend#ana#", "STAFF#")
    (deed,) = [row for row in rows if isinstance(row, StaffAction)]
    assert (deed.deed, deed.reason, deed.by, deed.made) == (
        Deed.RELEASE,
        "The payer confirmed it",
        "front desk",
        (hold_id,),
    )
    (fact,) = [fact for fact in story.facts if fact.kind == FactKind.HOLD_DECIDED]
    assert (fact.data["by"], fact.data["choice"], fact.actor) == ("front desk", "released", "staff")
    assert not any("confirmed" in str(value) for one in story.facts for value in one.data.values())


def test_desk_5_what_is_about_no_client_is_kept_by_the_practice() -> None:
    story = told(OWES_62_50, claim=None)
    decide(story, Choice.REJECTED)
    assert [row.deed for row in story.store.partition("F#riverbend##", "STAFF#") if isinstance(row, StaffAction)] == [
        Deed.REJECT
    ]


@pytest.mark.parametrize("choice", [Choice.RELEASED, Choice.REJECTED])
def test_desk_5_the_same_decision_again_answers_the_same(choice: Choice) -> None:
    story = told(WRITTEN_OFF)
    hold_id = story.holds[0].hold_id
    first = decide(story, choice)
    commits = story.store.commits
    assert decide(story, choice, hold_id=hold_id) == first
    assert story.store.commits == commits


def test_desk_5_another_decision_than_the_one_taken_is_refused() -> None:
    story = told(WRITTEN_OFF)
    hold_id = story.holds[0].hold_id
    decide(story, Choice.RELEASED, amount=6250)
    for choice, amount in ((Choice.REJECTED, None), (Choice.RELEASED, None), (Choice.RELEASED, 6000)):
        assert refused(story, choice, amount=amount, hold_id=hold_id) == "already_decided"


PREVIEW = decided(COPAY, status=ClaimStatus.PREDETERMINATION, raw_status="25")


@pytest.mark.parametrize(
    ("result", "claim", "choice", "amount", "to", "code"),
    [
        (OWES_62_50, None, Choice.RELEASED, None, "", "unmatched_claim"),
        (PREVIEW, SUBMITTED, Choice.RELEASED, 100, "", "never_billed"),
        (REVERSAL_OF_IT, SUBMITTED, Choice.RELEASED, None, "", "nothing_to_bill"),
        (WRITTEN_OFF, SUBMITTED, Choice.RELEASED, 15001, "", "more_than_charged"),
        (decided(Adjustment("PR", "1", 20000)), SUBMITTED, Choice.RELEASED, None, "", "amount_needed"),
        (WRITTEN_OFF, SUBMITTED, Choice.REMATCHED, None, SUBMITTED.claim_id, "same_claim"),
        (WRITTEN_OFF, SUBMITTED, Choice.REMATCHED, None, "KB_NOWHERE", "unknown_claim"),
    ],
)
def test_desk_5_what_cannot_be_decided_so_is_refused_and_stays_held(
    result: ClaimResult, claim: SubmittedClaim | None, choice: Choice, amount: int | None, to: str, code: str
) -> None:
    story = told(result, claim)
    assert refused(story, choice, amount=amount, to=to) == code
    assert len(story.holds) == 1


def test_desk_5_no_result_is_rematched_to_a_claim_that_has_it() -> None:
    """Else two claims could each say that it is about the other."""
    story = told(OWES_62_50, claim=None)
    story.submit(replace(OTHER_CLAIM, charged=9900))
    story.receive(replace(OWES_62_50, claim_id="KB_OTHER"))
    first = next(hold for hold in story.holds if hold.claim_id == SUBMITTED.claim_id)
    assert refused(story, Choice.REMATCHED, to="KB_OTHER", hold_id=first.hold_id) == "already_there"


def test_desk_5_an_unknown_hold_is_not_found() -> None:
    assert refused(told(OWES_62_50), Choice.REJECTED, hold_id="hold_nothing") == "unknown_hold"


# ---------------------------------------------------------------------------------------------------- sessions


def uncovered() -> tuple[Care, str]:
    """A session after the last day of its authorisation."""
    care = Care(BY_HAND)
    care.tell(eap(until="2026-11-01"))
    (hold,) = care.call("GET", "/v1/holds").body["holds"]
    assert (hold["session_id"], hold["claim_id"], hold["reason"]) == ("s1", None, "eap_authorisation_expired")
    assert hold["what_to_do"].endswith("reject it to bill nobody.")
    return care, f"/v1/holds/{hold['hold_id']}"


def test_inv_5_a_session_that_is_not_covered_is_billed_when_staff_release_it() -> None:
    care, hold = uncovered()
    done = care.call("POST", f"{hold}/release", body={"reason": "The client agreed to pay"})
    assert (done.status, done.body["now"]) == (200, "invoiced")
    care.settle()
    (shown,) = care.account["invoices"]
    assert (shown["amount"], shown["invoice_id"]) == (150_00, done.body["invoice_ids"][0])
    assert care.mails == ["invoice"]
    assert care.call("POST", f"{hold}/release", body={"reason": "Again"}).body == done.body
    assert_problem(care.call("POST", f"{hold}/reject", body={"reason": "No"}), 409)


@pytest.mark.parametrize(
    ("call", "body", "now"),
    [("reject", {}, "rejected"), ("release", {"patient_amount": 0}, "nothing_owed")],
)
def test_inv_5_or_it_is_billed_to_nobody(call: str, body: dict[str, int], now: str) -> None:
    care, hold = uncovered()
    done = care.call("POST", f"{hold}/{call}", body={"reason": "Free of charge"} | body)
    assert (done.status, done.body["now"], done.body["invoice_ids"]) == (200, now, [])
    assert (care.account["invoices"], care.call("GET", "/v1/holds").body["holds"]) == ([], [])


@pytest.mark.parametrize(
    ("call", "body"),
    [("release", {"reason": "Too much", "patient_amount": 150_01}), ("rematch", {"claim_id": "KB1"})],
)
def test_inv_5_what_cannot_be_decided_about_a_session_is_refused(call: str, body: dict[str, object]) -> None:
    care, hold = uncovered()
    assert_problem(care.call("POST", f"{hold}/{call}", body=body), 409)
    assert len(care.call("GET", "/v1/holds").body["holds"]) == 1


def test_inv_5_a_session_that_was_billed_by_hand_meanwhile_is_not_billed_again() -> None:
    care, hold = uncovered()
    by_hand = {"client_id": "ana", "amount": 100_00, "description": "Session", "session_id": "s1"}
    assert care.call("POST", "/v1/invoices", body=by_hand).status == 201
    refusal = care.call("POST", f"{hold}/release", body={"reason": "The client agreed to pay"})
    assert (refusal.status, refusal.body["code"]) == (409, "already_billed")
