"""The calls of practice systems, one row each: address, who may, what it takes, what it answers, what it does.

The router, the OpenAPI document and the tests read this one table.
"""

from collections.abc import Mapping
from typing import Any, Final

from billing.claim_state import Submission
from billing.ports import Refused
from edges import answers, views
from edges.inbound.bad_input import BadInput
from edges.inbound.client import ClientIn, SubmittedClaimIn
from edges.inbound.practice import PolicyIn, PracticeIn, ProviderIn
from edges.policy_view import policies
from edges.receipts import read_receipt
from functions.serve_practice import care, flow, hold_calls, review_calls
from functions.serve_practice.route import Answer, Call, Route

MAX_PAGE_DIGITS: Final = 5


def put_client(call: Call, given: ClientIn) -> Answer:
    contact = given.contact(call.practice, call.params["client_id"])
    client, new = flow.put_client(call.store, contact, given.provider_id or "")
    return Answer(201 if new else 200, views.client(client.contact, client.account))


def put_practice(call: Call, given: PracticeIn) -> Answer:
    row, new = flow.put_practice(call.store, given.record(_own_practice(call)), call.now)
    return Answer(201 if new else 200, views.practice(row))


def put_provider(call: Call, given: ProviderIn) -> Answer:
    row, new = flow.put_provider(call.store, given.record(call.practice, call.params["provider_id"]))
    return Answer(201 if new else 200, views.provider(row))


def submit_claim(call: Call, given: SubmittedClaimIn) -> Answer:
    row, new = flow.submit_claim(call.store, Submission(call.practice, given.claim(), call.now))
    return Answer(201 if new else 200, views.submission(row))


def show_account(call: Call) -> Answer:
    shown = flow.show_account(call.store, call.practice, call.params["client_id"], call.now)
    return Answer(200, views.client_account(shown.books, shown.lines, shown.time_zone, can_book=shown.can_book))


def show_receipt(call: Call) -> Answer:
    page = call.query.get("page", "0")
    if not page.isdecimal() or len(page) > MAX_PAGE_DIGITS:
        raise BadInput(400, "A page of a receipt is a number: take the address from `next`.")
    receipt = read_receipt(call.store, call.practice, call.params["receipt_id"], call.now, int(page))
    if receipt is None:
        raise Refused("unknown_receipt", "There is no receipt of this id.", status=404)
    return Answer(200, receipt)


def show_policies(call: Call) -> Answer:
    return Answer(200, policies(flow.practice_of(call.store, _own_practice(call))))


def change_policies(call: Call, given: PolicyIn) -> Answer:
    practice = _own_practice(call)
    owner = flow.change_policies(call.store, practice, given.change, call.key_id, call.now, given.version)
    return Answer(200, policies(owner))


def show_health(_call: Call) -> Answer:
    return Answer(200, {"status": "ok"})


def show_openapi(_call: Call) -> Answer:
    from functions.serve_practice.openapi import document  # here: only this call pays for making schemas

    return Answer(200, document())


def _own_practice(call: Call) -> str:
    """The practice in the path, which must be the key's own: of another one a caller learns nothing, not even 403."""
    if call.params["practice_id"] != call.practice:
        raise Refused("unknown_practice", "There is no practice of this id.", status=404)
    return call.practice


ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "PUT",
        "/v1/clients/{client_id}",
        "Create or update a client; a later call with another email is refused (PORT-5)",
        put_client,
        scopes=("practice",),
        takes=ClientIn,
        answers={200: answers.Client, 201: answers.Client},
        refuses=(409,),
    ),
    Route(
        "GET",
        "/v1/clients/{client_id}/account",
        "What a client owes, is about to be charged, and has paid",
        show_account,
        scopes=("practice",),
        answers={200: answers.Account},
        refuses=(404,),
    ),
    Route(
        "PUT",
        "/v1/practices/{practice_id}",
        "Create or update the practice",
        put_practice,
        scopes=("support",),
        takes=PracticeIn,
        answers={200: answers.Practice, 201: answers.Practice},
        refuses=(404,),
    ),
    Route(
        "GET",
        "/v1/practices/{practice_id}/policies",
        "What the practice chose, and what each policy does (DESK-6)",
        show_policies,
        scopes=("practice",),
        answers={200: answers.Policies},
        refuses=(404,),
    ),
    Route(
        "PUT",
        "/v1/practices/{practice_id}/policies",
        "Change policies; those left out stay as they are, and with `version` nobody else's change is overwritten",
        change_policies,
        scopes=("practice",),
        takes=PolicyIn,
        answers={200: answers.Policies},
        refuses=(404, 409),
    ),
    Route(
        "PUT",
        "/v1/providers/{provider_id}",
        "Create or update a clinician",
        put_provider,
        scopes=("practice",),
        takes=ProviderIn,
        answers={200: answers.Provider, 201: answers.Provider},
    ),
    Route(
        "POST",
        "/v1/claims",
        "A claim that was submitted to a payer; results that waited for it are looked at again",
        submit_claim,
        scopes=("practice",),
        takes=SubmittedClaimIn,
        answers={200: answers.SubmittedClaim, 201: answers.SubmittedClaim},
        refuses=(404, 409),
    ),
    Route(
        "GET",
        "/v1/receipts/{receipt_id}",
        "What became of a posted body, claim by claim",
        show_receipt,
        scopes=("claims", "practice"),
        answers={200: answers.Receipt},
        refuses=(400, 404),
    ),
    *hold_calls.ROUTES,
    *review_calls.ROUTES,
    *care.ROUTES,
    Route("GET", "/v1/openapi.json", "This document", show_openapi, scopes=(), answers={200: dict[str, Any]}),
    Route("GET", "/health", "Whether the service answers", show_health, scopes=(), answers={200: answers.Health}),
)

ELSEWHERE: Final[Mapping[str, tuple[str, ...]]] = {
    "/v1/claim-results": ("POST",),
    "/webhooks/clearinghouse": ("POST",),
    "/v1/claim-results/uploads": ("POST",),
    "/v1/clients/{client_id}/plans": ("POST",),
    "/v1/invoices/{invoice_id}/void": ("POST",),
    "/v1/invoices/{invoice_id}/write-off": ("POST",),
    "/v1/invoices/{invoice_id}/payments": ("POST",),
    "/v1/invoices/{invoice_id}/refunds": ("POST",),
    "/v1/invoices/{invoice_id}/reviews": ("POST",),
    "/v1/plans/{plan_id}/end": ("POST",),
    "/v1/reviews/{review_id}/decision": ("POST",),
}
"""Paths that functions of their own serve; with another method they arrive here."""
