"""Money is a whole number of US cents. There is no float in this project, and every rounding has a name.

Why its own module: the two things people get wrong with money are losing a cent when a sum is split and showing
an amount differently in two places. Both happen here, once.
"""

from collections.abc import Iterable

Cents = int

STRIPE_MINIMUM: Cents = 50
"""Stripe refuses card charges below 50 cents in USD (INV-11, PLAN-2)."""


def dollars(cents: Cents) -> str:
    """Write an amount as people read it: 6250 -> "$62.50", -4500 -> "−$45.00", 123456 -> "$1,234.56"."""
    sign = "−" if cents < 0 else ""
    whole, rest = divmod(abs(cents), 100)
    return f"{sign}${whole:,}.{rest:02d}"


def split_evenly(total: Cents, parts: int) -> tuple[Cents, ...]:
    """Split `total` into `parts` amounts that differ by at most one cent and sum to it exactly.

    Cents that do not divide go to the first parts (PLAN-4): 10001 in 6 -> 1667 five times, then 1666.
    """
    if parts < 1 or total < 0:
        raise ValueError(
            f"cannot split {total} cents into {parts} parts: give a total of 0 or more and at least 1 part"
        )
    share, left = divmod(total, parts)
    return tuple(share + (1 if i < left else 0) for i in range(parts))


def apply_oldest_first(amount: Cents, owed: Iterable[Cents]) -> tuple[tuple[Cents, ...], Cents]:
    """Spread `amount` over what is owed, in the order given -> (applied to each, what is left over)."""
    applied = []
    for due in owed:
        take = min(amount, due)
        applied.append(take)
        amount -= take
    return tuple(applied), amount
