"""The calls that show what clients asked to look into (INV-7, DESK-4); what asks and decides is change_invoice's."""

from typing import Final

from edges import answers, desk_views
from edges.inbound.bad_input import BadInput
from functions.serve_practice import reviews
from functions.serve_practice.route import Answer, Call, Route

STATUSES: Final = {"open": True, "decided": False}


def show_reviews(call: Call) -> Answer:
    status = call.query.get("status", "open")
    if status not in STATUSES:
        raise BadInput(400, "status is open or decided.")
    found = reviews.listed(call.store, call.practice, is_open=STATUSES[status], after=call.query.get("after", ""))
    rows = [desk_views.review(one.review, one.invoice) for one in found.found]
    return Answer(200, {"reviews": rows, "more": found.more or None})


def show_review(call: Call) -> Answer:
    one = reviews.shown(call.store, call.practice, call.params["review_id"])
    return Answer(200, desk_views.review(one.review, one.invoice))


ROUTES: Final = (
    Route(
        "GET",
        "/v1/reviews",
        "What clients asked to look into, the oldest first: what was said, since when the invoice stands still (INV-7)",
        show_reviews,
        scopes=("practice",),
        answers={200: answers.Reviews},
        refuses=(400,),
        query={
            "status": "`open` (also without it), or `decided`: those of the last year that are over, the newest first.",
            "after": "The `more` of the page before; without it, the first page.",
        },
    ),
    Route(
        "GET",
        "/v1/reviews/{review_id}",
        "One of them, and what was decided",
        show_review,
        scopes=("practice",),
        answers={200: answers.Review},
        refuses=(404,),
    ),
)
