"""The test controls over HTTP: JSON in, the thing as it is now out, 400 with a sentence for what cannot be read."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infra.local.stripe.core import EmbeddedStripe
from infra.local.stripe.errors import ApiError
from infra.local.stripe.faults import read_faults
from infra.local.stripe.webhooks import read_rules

_Control = Callable[[Any, dict[str, str]], Any]


class Controls:
    """The `/_test/…` routes. `changed` is called after every one, for the webhooks it caused."""

    def __init__(self, stripe: EmbeddedStripe, changed: Callable[[], None]) -> None:
        self._stripe = stripe
        self._changed = changed

    def routes(self) -> list[Route]:
        """All of them, each a POST."""
        controls: dict[str, _Control] = {
            "/_test/faults": self._faults,
            "/_test/cards/{payment_method}": self._card,
            "/_test/webhooks": self._webhooks,
            "/_test/webhooks/resend": self._resend,
            "/_test/disputes": self._open_dispute,
            "/_test/disputes/{dispute}": self._decide_dispute,
            "/_test/checkout/{session_id}/complete": self._complete,
        }
        return [Route(path, self._endpoint(control), methods=["POST"]) for path, control in controls.items()]

    def _endpoint(self, control: _Control) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                body = json.loads(await request.body() or b"{}")
                answer = control(body, request.path_params)
            except ApiError as refusal:
                return JSONResponse({"error": refusal.error}, refusal.status)
            except ValueError as wrong:
                return JSONResponse({"error": {"type": "invalid_request_error", "message": str(wrong)}}, 400)
            self._changed()
            return JSONResponse(answer)

        return endpoint

    def _faults(self, body: Any, path: dict[str, str]) -> Any:  # noqa: ARG002
        self._stripe.arm_faults(read_faults(body))
        return self._stripe.faults.armed()

    def _card(self, body: Any, path: dict[str, str]) -> Any:
        return self._stripe.set_card(path["payment_method"], _text(body, "behaviour"))

    def _webhooks(self, body: Any, path: dict[str, str]) -> Any:  # noqa: ARG002
        rules = read_rules(body)
        self._stripe.set_webhooks(rules)
        return {"duplicate": rules.duplicate, "delay_s": rules.delay_s, "drop": rules.drop}

    def _resend(self, body: Any, path: dict[str, str]) -> Any:  # noqa: ARG002
        return {"queued": self._stripe.resend_webhooks(reverse=_table(body).get("reverse") is True)}

    def _open_dispute(self, body: Any, path: dict[str, str]) -> Any:  # noqa: ARG002
        return self._stripe.open_dispute(_text(body, "charge"), _text(body, "reason", "fraudulent"))

    def _decide_dispute(self, body: Any, path: dict[str, str]) -> Any:
        return self._stripe.decide_dispute(path["dispute"], _text(body, "outcome"))

    def _complete(self, body: Any, path: dict[str, str]) -> Any:
        table = _table(body)
        outcome = self._stripe.complete_checkout(
            path["session_id"],
            number=table.get("number"),
            payment_method=table.get("payment_method"),
            save=table.get("save") is True,
            authenticate=table.get("authenticate") is not False,
        )
        return outcome.as_json()


def _table(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise ValueError("the body is a JSON object")  # noqa: TRY004  a 400 like every other body that cannot be read
    return body


def _text(body: Any, name: str, default: str | None = None) -> str:
    value = _table(body).get(name, default)
    if not isinstance(value, str):
        raise ValueError(f"{name} is missing")  # noqa: TRY004
    return value
