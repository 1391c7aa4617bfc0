"""A clearinghouse to play with: reports that somebody put there, given out as the real ones give them.

| path (below /_local/clearinghouse) | what |
|---|---|
| `PUT /transactions/{id}` | the JSON of an 835 report, kept under that id; again replaces it |
| `GET /change/medicalnetwork/reports/v2/{id}/835` | the report, for whoever has the key |
| `POST /_test/faults` | what goes wrong next, as the embedded Stripe has it (infra/local/stripe/faults.py) |

It tells nobody by itself that a report is there: post the event to /webhooks/clearinghouse.
"""

import hmac
import json
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infra.local.answers import Problem, body_of
from infra.local.stripe.faults import Faults, read_faults
from infra.local.stripe.wire import Cut, Hang

PREFIX: Final = "/_local/clearinghouse"
KEY: Final = "key_of_the_local_clearinghouse"
HANG_S: Final = 120.0
"""How long a hanging request stays silent at most; Kindbill gives up after 5."""
_STATUS: Final = {"500_before": 500, "500_after": 500, "429": 429}


class LocalClearinghouse:
    """The reports, and what is armed to go wrong; `asked`: how often each report was asked for, whatever it got."""

    def __init__(self, *, hang_s: float = HANG_S) -> None:
        self.faults = Faults()
        self.asked: dict[str, int] = {}
        self._reports: dict[str, dict[str, Any]] = {}
        self._hang_s = hang_s

    def app(self) -> Starlette:
        """The ASGI app; faults that cut connections need uvicorn with `http=CuttableProtocol`."""
        return Starlette(
            routes=[
                Route("/transactions/{transaction_id}", self._put, methods=["PUT"]),
                Route("/change/medicalnetwork/reports/v2/{transaction_id}/835", self._get),
                Route("/_test/faults", self._arm, methods=["POST"]),
            ]
        )

    async def _put(self, request: Request) -> Response:
        try:
            self._reports[request.path_params["transaction_id"]] = await body_of(request)
        except Problem as problem:
            return problem.response()
        return Response(status_code=204)

    async def _get(self, request: Request) -> Response:
        transaction_id = request.path_params["transaction_id"]
        self.asked[transaction_id] = self.asked.get(transaction_id, 0) + 1
        fault = self.faults.take("GET", f"/{transaction_id}")
        if fault in ("drop", "lost_response"):
            return Cut()
        if fault == "hang":
            return Hang(self._hang_s, lambda: None)
        if fault is not None:
            return JSONResponse({"message": "something went wrong"}, _STATUS[fault])
        if not hmac.compare_digest(request.headers.get("authorization", "").encode(), KEY.encode()):
            return JSONResponse({"message": "Unauthorized"}, 401)
        if transaction_id not in self._reports:
            return JSONResponse({"message": "Not found"}, 404)
        return JSONResponse(self._reports[transaction_id])

    async def _arm(self, request: Request) -> Response:
        try:
            self.faults.arm(read_faults(json.loads(await request.body())))
        except ValueError as wrong:
            return Problem(400, "Unreadable", str(wrong)).response()
        return JSONResponse(self.faults.armed())
