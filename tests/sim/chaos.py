"""What goes wrong: how often in this seed (`Weather`), and where in one run of a step (`Trouble`).

Every port a flow gets is wrapped in `Door`. Before and after each call through it, the run's trouble may end the
process (`Crash`), let another step run from beginning to end at exactly this point (a concurrent writer, without
threads), or turn the call away (`TryAgain`). All of it is drawn from the seed, so a seed replays to the byte.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

from billing.ports import TryAgain

HALF_STEPS = 18
"""Before and after each of the first 9 port calls of a run; few runs are longer."""


class Crash(BaseException):
    """The process ends here: no `except` of the code under test may see it."""


@dataclass(frozen=True)
class Weather:
    """Rates between 0 and 1. Each seed has its own: some have no crashes at all and nothing but lost webhooks."""

    crash: float = 0
    throttle: float = 0
    meet: float = 0
    stripe: float = 0
    mail: float = 0
    duplicate: float = 0
    delay: float = 0
    webhook_lost: float = 0
    webhook_late: float = 0
    webhook_reversed: float = 0
    gap: float = 0
    skew: float = 0
    processor: float = 0

    @classmethod
    def of(cls, rng: Random) -> "Weather":
        """A seed's weather: each kind of trouble is absent in a third of all seeds."""

        def rate(most: float) -> float:
            return 0.0 if rng.random() < 0.34 else rng.random() * most

        return cls(
            crash=rate(0.35),
            throttle=rate(0.15),
            meet=rate(0.8),
            stripe=rate(0.4),
            mail=rate(0.15),
            duplicate=rate(0.3),
            delay=rate(0.15),
            webhook_lost=rate(0.5),
            webhook_late=rate(0.5),
            webhook_reversed=rate(0.3),
            gap=rate(0.05),
            skew=rate(1.0),
            processor=rate(0.3),
        )


CALM = Weather()
"""Nothing goes wrong any more: what is left to do must now conclude."""

SKEW = timedelta(seconds=2)
"""How far the clock of a function may be from the true time, either way, and differently at each run."""
THROTTLED = {"store": "table", "mailer": "mail service", "blobs": "bucket", "uploads": "bucket"}
STRIPE_FAULTS = ("lost_response", "hang", "500_before", "500_after", "429", "drop")


class Trouble:
    """The trouble of one run. `meet` runs something else now; `arm` makes Stripe's next calls fail that way.

    `directions`: what a named scenario wants to happen, once, "before cards.charge" or "after store.commit".
    `met` counts what happened. `about_money`: the run may take money, which is where trouble is most worth its time.
    """

    def __init__(
        self,
        rng: Random,
        weather: Weather,
        meet: Callable[[], None] | None,
        arm: Callable[[str, int], None],
        directions: dict[str, Callable[[], None]],
        met: Counter[str],
        *,
        about_money: bool,
    ) -> None:
        def moment(rate: float) -> int:
            return rng.randrange(HALF_STEPS) if rng.random() < rate * (2 if about_money else 0.7) else -1

        self._rng, self._weather, self._meet, self._arm = rng, weather, meet, arm
        self._crash_at = moment(weather.crash)
        # The worst moments are the two around a call to Stripe: what was written and not sent, sent and not written.
        at_stripe = about_money and self._crash_at >= 0 and rng.random() < 0.6
        self._crash_at_stripe = rng.choice(("before", "after")) if at_stripe else ""
        self._meet_at = moment(weather.meet) if meet else -1
        self._throttle_at = moment(weather.throttle)
        self._directions = directions
        self._met = met
        self._half_steps = 0
        self.expected = self._crash_at >= 0 or self._meet_at >= 0 or self._throttle_at >= 0

    def before(self, port: str, method: str) -> None:
        """A call is about to be made."""
        self._happen()
        if self._directions:
            self._directions.pop(f"before {port}.{method}", _nothing)()
        if port == "cards":
            self._end_here_if("before")
            if self._rng.random() < self._weather.stripe:
                self._arm(self._rng.choice(STRIPE_FAULTS), self._rng.randint(1, 4))
        elif self._throttle_at in (self._half_steps - 1, self._half_steps):
            self._met["throttle"] += 1
            raise TryAgain(f"the {THROTTLED.get(port, port)} is throttled")

    def after(self, port: str, method: str) -> None:
        """A call was made; its answer is about to be used."""
        if self._directions:
            self._directions.pop(f"after {port}.{method}", _nothing)()
        if port == "cards":
            self._end_here_if("after")
        self._happen()

    def _end_here_if(self, moment: str) -> None:
        if self._crash_at_stripe == moment:
            self._met["crash"] += 1
            raise Crash

    def _happen(self) -> None:
        half_step = self._half_steps
        self._half_steps += 1
        if half_step == self._meet_at and self._meet:
            self._met["meeting"] += 1
            self._meet()
        if half_step == self._crash_at:
            self._met["crash"] += 1
            raise Crash


def _nothing() -> None:
    """What most calls meet."""


class Door:
    """A port with trouble at its door: the same methods, each call passing through `Trouble`."""

    def __init__(self, name: str, port: object, trouble: Trouble) -> None:
        self._name, self._port, self._trouble = name, port, trouble

    @classmethod
    def where_needed(cls, name: str, port: object, trouble: Trouble, *, directed: bool) -> object:
        """The port itself in a run that meets nothing. Calls to Stripe are never behind no door: each may fail."""
        return cls(name, port, trouble) if directed or trouble.expected else port

    def __getattr__(self, method: str) -> Callable[..., Any]:
        real = getattr(self._port, method)

        def through(*args: Any, **kwargs: Any) -> Any:
            self._trouble.before(self._name, method)
            answer = real(*args, **kwargs)
            self._trouble.after(self._name, method)
            return answer

        return through
