"""Idempotency keys as Stripe keeps them: the first answer stands, a key means one request, and it is forgotten in a
day.

Source: docs.stripe.com/api/idempotent_requests. A stored answer is given again whatever it was, declines and 500s
included.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from infra.local.stripe.errors import ApiError
from infra.local.stripe.params import Pairs

KEPT = timedelta(hours=24)

Key = tuple[str, str]
"""(account id, idempotency key)"""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a key stands for: its request and the answer that was given."""

    method: str
    path: str
    params: tuple[tuple[str, str], ...]
    status: int
    body: str
    request_id: str
    forgotten_at: datetime


class IdempotencyKeys:
    """Every key of the last 24 simulated hours. `in_use`: keys whose first request is still under way (HTTP only)."""

    def __init__(self) -> None:
        self.in_use: set[Key] = set()
        self._answers: OrderedDict[Key, Remembered] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    def recall(self, key: Key, method: str, path: str, pairs: Pairs, now: datetime) -> Remembered | None:
        """The answer to give again, None for a new key.

        Errors: 400 `idempotency_error` when the key was used for another request, 409 while its first is under way.
        """
        while self._answers and next(iter(self._answers.values())).forgotten_at <= now:
            self._answers.popitem(last=False)
        if key in self.in_use:
            sentence = (
                "There is currently another in-progress request using this Idempotency Key (that probably means you "
                "submitted twice, and the other request is still going through). Please try again later."
            )
            raise ApiError(409, "idempotency_error", sentence, code="idempotency_key_in_use", remembered=False)
        known = self._answers.get(key)
        if known is None:
            return None
        if (known.method, known.path) != (method, path):
            what = f"for the same endpoint they were first used for ('{known.path}' vs '{path}')"
        elif known.params != tuple(sorted(pairs)):
            what = "with the same parameters they were first used with"
        else:
            return known
        sentence = f"Keys for idempotent requests can only be used {what}. Try using a key other than '{key[1]}'."
        raise ApiError(400, "idempotency_error", sentence, remembered=False)

    def remember(
        self, key: Key, method: str, path: str, pairs: Pairs, status: int, body: str, request_id: str, now: datetime
    ) -> None:
        """Binds the key to its request and answer for the next 24 hours."""
        self._answers[key] = Remembered(method, path, tuple(sorted(pairs)), status, body, request_id, now + KEPT)
