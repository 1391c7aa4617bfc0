"""The picture of where each dollar went: how wide each part of the bar is, and the bar in words.

The bar is drawn by `templates/_picture.html` as SVG without a view box, placed in percent, so that it fits a phone and
a desk alike and its patterns stay as they are. Its words name the same parts and amounts as the table beneath it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from billing.money import Cents, dollars
from billing.where_it_went import Kind, Part, Share, WhereItWent

WHOLE: Final = 10_000
"""Widths are hundredths of a percent of the bar."""
NARROWEST: Final = 200
"""A part of one cent can be seen, too: 2 %. The other parts share what remains; the table has the cents."""


@dataclass(frozen=True)
class Slice:
    """A part of the bar. `x` and `width` as SVG and CSS write them: "28.33%"."""

    share: Share
    kind: Kind
    x: str
    width: str


@dataclass(frozen=True)
class Picture:
    """The bar from left to right, the shares it has (each has a pattern), and what it says."""

    slices: tuple[Slice, ...]
    shares: tuple[Share, ...]
    words: str


def picture(where: WhereItWent) -> Picture | None:
    """The picture, or None where the parts are no shares of a whole."""
    parts = where.slices
    if not parts:
        return None
    placed, x = [], 0
    for part, width in zip(parts, widths([part.amount for part in parts]), strict=True):
        placed.append(Slice(part.share, part.kind, _percent(x), _percent(width)))
        x += width
    return Picture(
        slices=tuple(placed),
        shares=tuple(dict.fromkeys(part.share for part in parts)),
        words=_words(parts, where),
    )


def widths(amounts: Sequence[Cents]) -> tuple[int, ...]:
    """Widths of positive amounts in proportion, in hundredths of a percent: none below NARROWEST, together WHOLE, none
    wider than that of a larger amount. At most WHOLE / NARROWEST amounts."""
    narrow: set[int] = set()
    while True:
        room = WHOLE - NARROWEST * len(narrow)
        rest = sum(amount for at, amount in enumerate(amounts) if at not in narrow)
        too_narrow = {at for at, amount in enumerate(amounts) if amount * room < NARROWEST * rest} - narrow
        if not too_narrow:
            break
        narrow |= too_narrow
    wide = [NARROWEST if at in narrow else amount * room // rest for at, amount in enumerate(amounts)]
    wide[amounts.index(max(amounts))] += WHOLE - sum(wide)
    return tuple(wide)


def _percent(width: int) -> str:
    return f"{width // 100}.{width % 100:02d}%"


def _words(parts: Sequence[Part], where: WhereItWent) -> str:
    named = [f"{part.label}: {dollars(part.amount)}." for part in parts]
    return " ".join([*named, f"{'Your part' if where.differences else 'You pay'}: {dollars(where.yours)}."])
