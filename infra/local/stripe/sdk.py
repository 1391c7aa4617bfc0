"""The official Stripe SDK on the embedded Stripe without a socket: same client code, same errors, no time lost.

A fault that keeps an answer away raises what the SDK's own client raises: `stripe.APIConnectionError`, retryable.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import stripe

from infra.local.stripe.core import EmbeddedStripe
from infra.local.stripe.errors import NoAnswer

BASE_URL = "http://stripe.embedded"
_SENTENCES = {
    "drop": "The connection was cut before the request was processed.",
    "lost_response": "The connection was cut before the answer arrived.",
    "hang": "The request timed out.",
}


class _Headers(dict[str, str]):
    """Response headers, found whatever their case, as the SDK expects of them."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__({name.lower(): value for name, value in headers.items()})

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)


class InProcessHTTPClient(stripe.HTTPClient):
    """Carries the SDK's requests to an `EmbeddedStripe`. Retries happen at once, without the SDK's pauses."""

    name = "embedded"

    def __init__(self, embedded: EmbeddedStripe) -> None:
        super().__init__()
        self._embedded = embedded

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **_: Any
    ) -> tuple[str, int, Mapping[str, str]]:
        """One exchange. Errors: `stripe.APIConnectionError` where a fault keeps the answer away."""
        parts = urlsplit(url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        try:
            answer = self._embedded.request(method.upper(), path, post_data or "", headers or {})
        except NoAnswer as fault:
            raise stripe.APIConnectionError(  # type: ignore[no-untyped-call]
                _SENTENCES[fault.kind], should_retry=True
            ) from fault
        return answer.body, answer.status, _Headers(answer.headers)

    def close(self) -> None:
        """Nothing is open."""

    def _sleep_time_seconds(self, num_retries: int) -> float:  # noqa: ARG002
        return 0.0


def in_process_client(
    embedded: EmbeddedStripe, api_key: str = "sk_test_embedded", max_network_retries: int = 0
) -> stripe.StripeClient:
    """The official client on that emulator."""
    return stripe.StripeClient(
        api_key,
        http_client=InProcessHTTPClient(embedded),
        base_addresses={"api": BASE_URL},
        max_network_retries=max_network_retries,
    )
