"""The calls about what waits for a person: show it, release it, put it aside, say which claim it is about (DESK-5)."""

from typing import Final

from billing.standing import Choice
from edges import answers, desk_views
from edges.inbound.hold import RejectIn, ReleaseIn, RematchIn
from functions.serve_practice import holds
from functions.serve_practice.route import Answer, Call, Route


def show_holds(call: Call) -> Answer:
    shown = holds.open_holds(call.store, call.practice, call.query.get("after", ""))
    rows = [desk_views.hold(one.hold, one.result, one.invoice_ids) for one in shown.waiting]
    return Answer(200, {"holds": rows, "more": shown.more or None})


def release_hold(call: Call, given: ReleaseIn) -> Answer:
    return _decide(call, Choice.RELEASED, given.reason, amount=given.patient_amount)


def reject_hold(call: Call, given: RejectIn) -> Answer:
    return _decide(call, Choice.REJECTED, given.reason)


def rematch_hold(call: Call, given: RematchIn) -> Answer:
    return _decide(call, Choice.REMATCHED, given.reason, to=given.claim_id)


def _decide(call: Call, choice: Choice, reason: str, *, amount: int | None = None, to: str = "") -> Answer:
    word = holds.Word(call.params["hold_id"], choice, reason, call.key_id, amount, to)
    done = holds.decide(call.store, call.practice, word, call.now)
    return Answer(200, desk_views.decided_hold(done.decision, done.result, done.now, done.invoice_ids))


ROUTES: Final = (
    Route(
        "GET",
        "/v1/holds",
        "What waits for a person, the oldest first: what was seen, why it waits, what to do (DESK-5)",
        show_holds,
        scopes=("practice",),
        answers={200: answers.Holds},
        query={"after": "The `more` of the page before; without it, the first page."},
    ),
    Route(
        "POST",
        "/v1/holds/{hold_id}/release",
        "Bill it: the share the payer states, or the amount named; the same again answers the same",
        release_hold,
        scopes=("practice",),
        takes=ReleaseIn,
        answers={200: answers.DecidedHold},
        refuses=(404, 409),
    ),
    Route(
        "POST",
        "/v1/holds/{hold_id}/reject",
        "Bill nothing for it; the same again answers the same",
        reject_hold,
        scopes=("practice",),
        takes=RejectIn,
        answers={200: answers.DecidedHold},
        refuses=(404, 409),
    ),
    Route(
        "POST",
        "/v1/holds/{hold_id}/rematch",
        "Say which claim a held result is about: it is judged there; the same again answers the same",
        rematch_hold,
        scopes=("practice",),
        takes=RematchIn,
        answers={200: answers.DecidedHold},
        refuses=(404, 409),
    ),
)
