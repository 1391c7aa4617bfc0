"""The calls about the care a practice gave: sessions, eligibility checks, and invoices by hand."""

from typing import Final

from edges import answers, care_views, views
from edges.inbound.fields import refuse_future
from edges.inbound.session import EligibilityIn, InvoiceIn, SessionIn
from functions.serve_practice import by_hand, sessions
from functions.serve_practice.route import Answer, Call, Route


def put_eligibility(call: Call, given: EligibilityIn) -> Answer:
    refuse_future("checked_at", given.checked_at, call.now)
    check = sessions.keep_eligibility(call.store, given.record(call.practice, call.params["client_id"]))
    return Answer(200, care_views.eligibility(check))


def show_eligibility(call: Call) -> Answer:
    check = sessions.show_eligibility(call.store, call.practice, call.params["client_id"])
    return Answer(200, care_views.eligibility(check))


def post_session(call: Call, given: SessionIn) -> Answer:
    refuse_future("completed_at", given.completed_at, call.now)
    told, new = sessions.tell_session(call.store, given.record(call.practice, call.now))
    return Answer(201 if new else 200, care_views.session(told.session, told.billed, told.covered))


def show_session(call: Call) -> Answer:
    told = sessions.show_session(call.store, call.practice, call.params["session_id"])
    return Answer(200, care_views.session(told.session, told.billed, told.covered))


def post_invoice(call: Call, given: InvoiceIn) -> Answer:
    wanted = by_hand.Wanted(
        practice=call.practice,
        sender=call.sender,
        idempotency_key=call.idempotency_key,
        client=given.client_id,
        amount=given.amount,
        description=given.description,
        session_id=given.session_id or "",
    )
    asked = by_hand.ask(call.store, wanted, call.now)
    return Answer(201 if asked.new else 200, views.invoice(asked.invoice, asked.lines))


ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "PUT",
        "/v1/clients/{client_id}/eligibility",
        "Tell the latest eligibility check; an older one never replaces a newer one (INV-2)",
        put_eligibility,
        scopes=("practice",),
        takes=EligibilityIn,
        answers={200: answers.Eligibility},
        refuses=(404,),
    ),
    Route(
        "GET",
        "/v1/clients/{client_id}/eligibility",
        "The eligibility check in force",
        show_eligibility,
        scopes=("practice",),
        answers={200: answers.Eligibility},
        refuses=(404,),
    ),
    Route(
        "POST",
        "/v1/sessions",
        "A completed session; a self-paid one is invoiced, one of a programme is counted (INV-2, INV-4, INV-5)",
        post_session,
        scopes=("practice",),
        takes=SessionIn,
        answers={200: answers.Session, 201: answers.Session},
        refuses=(404, 409),
    ),
    Route(
        "GET",
        "/v1/sessions/{session_id}",
        "A session, and what bills it",
        show_session,
        scopes=("practice",),
        answers={200: answers.Session},
        refuses=(404,),
    ),
    Route(
        "POST",
        "/v1/invoices",
        "Ask a client for something by hand; without an Idempotency-Key, the same on one day is asked for once (INV-4)",
        post_invoice,
        scopes=("practice",),
        takes=InvoiceIn,
        answers={200: answers.Invoice, 201: answers.Invoice},
        refuses=(404, 409),
        keyed=True,
    ),
)
